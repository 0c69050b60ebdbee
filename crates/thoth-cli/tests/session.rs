//! How a session behaves when things go wrong: a clear message, calls refused, nothing lost, no hang, no zombie.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_testkit::gated::{self, ALLOW_ALL, Gated};
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

/// Longer than anything here takes; only a test that hangs meets it.
const SOON: Duration = Duration::from_secs(120);

const READS: &str = "version: \"1\"\ndefaults: { approval: block }\nintegrity: { on_unlisted: allow }\nrules:\n  - { name: read, match: { tool: \"read_*\" }, approval: auto }\n";

fn thoth() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_thoth"))
}

fn odd(mode: &str, file: Option<&Path>) -> Launch {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../thoth-testkit/fixtures/servers/odd.py");
    let launch = Launch::new(["python3"]).arg(script).arg(mode);
    file.into_iter().fold(launch, |launch, file| launch.arg(file))
}

struct Run {
    folder: tempfile::TempDir,
    peer: StdioPeer,
}

impl Run {
    fn start(policy: &str, mode: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gated = Gated::prepare(thoth(), folder.path(), policy).unwrap();
        let gated = flags.iter().fold(gated, |gated, flag| gated.flag(*flag));
        let file = folder.path().join("file");
        let peer = StdioPeer::spawn(&odd(mode, Some(&file)).behind(&gated.launch())).unwrap();
        Self { folder, peer }
    }

    fn call(&mut self, id: u64, tool: &str) -> Value {
        self.send(&call(id, tool));
        self.receive()
    }

    fn send(&mut self, message: &Value) {
        self.peer.send(format!("{message}\n").as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Value {
        let line = self.peer.receive(SOON).unwrap().expect("an answer");
        serde_json::from_slice(&line).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }
}

fn call(id: u64, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"n": id}}})
}

/// Every event of a ledger that verifies.
fn events(ledger: &Path) -> Vec<Value> {
    gated::events(&thoth(), ledger)
}

fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["eventType"] == kind).count()
}

/// Waits for a condition that must come true; the deadline is only there to fail.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn alive(pid: &str) -> bool {
    // A zombie is as good as gone; its parent is the test machine's init.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn pids(file: &Path) -> Vec<String> {
    eventually("the server has not started", || file.exists());
    std::fs::read_to_string(file).unwrap().split(' ').map(str::to_owned).collect()
}

#[test]
fn calls_are_decided_and_recorded() {
    let mut run = Run::start(READS, "echo", &[]);
    assert_eq!(run.call(1, "read_a")["result"]["content"][0]["text"], "read_a");
    let refused = run.call(2, "write_b");
    assert_eq!(refused["error"]["code"], -32001);
    assert_eq!(refused["error"]["data"]["reason_code"], "default_block");
    assert_eq!(refused["id"], 2);
    let (file, ledger) = (run.file(), run.ledger());
    let ended = run.peer.finish(SOON).unwrap();
    assert!(ended.status.success());
    // Invariant 1: the server never saw the refused call.
    assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{}\n", call(1, "read_a")));
    let events = events(&ledger);
    let pre: Vec<_> = events.iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE").collect();
    assert_eq!(pre.len(), 2);
    assert_eq!((&pre[0]["toolName"], &pre[0]["decision"]), (&json!("read_a"), &json!("ALLOW")));
    assert_eq!(pre[0]["content"], r#"{"n":1}"#);
    assert_eq!(count(&events, "TOOL_CALL_POST"), 1);
    assert_eq!(count(&events, "TOOL_CALL_BLOCK"), 1);
    assert_eq!(count(&events, "SESSION_ENDED"), 1);
}

fn of_type<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["eventType"] == kind).collect()
}

/// A task's outcome is joined to the call that started it, however much later it is asked for.
#[test]
fn the_outcome_of_a_task_joins_its_call() {
    let mut run = Run::start(ALLOW_ALL, "task", &[]);
    assert_eq!(run.call(1, "a")["result"]["task"]["taskId"], "t1");
    run.send(&json!({"jsonrpc": "2.0", "id": 2, "method": "tasks/result", "params": {"taskId": "t1"}}));
    assert!(run.receive()["result"]["content"].is_array());
    let ledger = run.ledger();
    assert!(run.peer.finish(SOON).unwrap().status.success());
    let events = events(&ledger);
    let post = of_type(&events, "TOOL_CALL_POST");
    let outcomes: Vec<_> = post.iter().map(|event| (&event["outcome"], &event["taskId"])).collect();
    assert_eq!(outcomes, [(&json!("task"), &json!("t1")), (&json!("result"), &json!("t1"))]);
    assert_eq!(post[0]["callId"], post[1]["callId"]);
    assert_ne!(post[0]["eventId"], post[1]["eventId"], "no two events share an id");
}

/// Every round trip is a call of its own: decided again, and linked to the one that it continues.
#[test]
fn a_retry_is_decided_again_and_linked() {
    let mut run = Run::start(READS, "rounds", &[]);
    let retry = |id: u64, tool: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"n": 1},
            "requestState": "sealed", "inputResponses": {"ok": {"action": "accept"}}}})
    };
    assert_eq!(run.call(1, "read_a")["result"]["resultType"], "input_required");
    run.send(&retry(2, "delete_b"));
    assert_eq!(run.receive()["error"]["code"], -32001, "a retry is no way around the policy");
    assert_eq!(run.call(3, "read_a")["result"]["resultType"], "input_required");
    run.send(&retry(4, "read_a"));
    assert_eq!(run.receive()["result"]["content"][0]["text"], "read_a");
    let ledger = run.ledger();
    assert!(run.peer.finish(SOON).unwrap().status.success());
    let events = events(&ledger);
    let pre = of_type(&events, "TOOL_CALL_PRE");
    assert_eq!(pre.len(), 4);
    assert_eq!(pre[3]["retryOf"], pre[2]["callId"]);
    assert_eq!(of_type(&events, "TOOL_CALL_POST")[0]["outcome"], "input_required");
}

/// Only the answer that the server waits for goes to it, and only once.
#[test]
fn a_servers_request_is_answered_once() {
    let mut run = Run::start(ALLOW_ALL, "asks", &[]);
    let roots = |id: u64| json!({"jsonrpc": "2.0", "id": id, "result": {"roots": [{"uri": "file:///a"}]}});
    run.send(&call(1, "a"));
    assert_eq!(run.receive()["method"], "roots/list");
    run.send(&roots(99));
    run.send(&roots(1));
    assert!(run.receive()["result"]["content"][0]["text"].as_str().unwrap().contains("file:///a"));
    let ledger = run.ledger();
    let ended = run.peer.finish(SOON).unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("unsolicited_response"));
    assert_eq!(count(&events(&ledger), "FRAME_REFUSED"), 1);
}

fn in_revision(revision: &str) -> Run {
    let mut run = Run::start(READS, "echo", &[]);
    run.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": revision}}));
    let hello = run.receive();
    assert_eq!(hello.pointer("/result/protocolVersion").and_then(Value::as_str), Some(revision));
    run
}

#[test]
fn a_batch_goes_out_whole_or_not_at_all() {
    let mut run = in_revision("2025-03-26");
    run.send(&json!([call(1, "read_a"), call(2, "read_b")]));
    assert!(run.receive()[1]["result"].is_object());
    run.send(&json!([call(3, "read_a"), call(4, "delete_b")]));
    let refused = run.receive();
    let codes = [0, 1].map(|n| refused[n]["error"]["data"]["reason_code"].as_str().unwrap());
    assert_eq!(codes, ["batch_refused", "default_block"]);
    run.send(&call(3, "read_a"));
    assert!(run.receive()["result"].is_object(), "the ids of a refused batch are free again");
    let file = run.file();
    assert!(run.peer.finish(SOON).unwrap().status.success());
    assert!(!std::fs::read_to_string(file).unwrap().contains("delete_b"));
}

#[test]
fn a_batch_in_another_revision_reaches_nobody() {
    let mut run = in_revision("2025-06-18");
    run.send(&json!([call(1, "read_a"), call(2, "read_b")]));
    run.send(&call(3, "read_a"));
    assert_eq!(run.receive()["id"], 3, "nothing answers the batch, under whatever id");
    let file = run.file();
    assert!(run.peer.finish(SOON).unwrap().status.success());
    assert!(!std::fs::read_to_string(file).unwrap().contains("read_b"));
}

#[test]
fn a_refusal_can_be_a_tool_result() {
    let mut run = Run::start(READS, "echo", &["--refusal", "result"]);
    let refused = run.call(1, "write_b");
    assert_eq!(refused["result"]["isError"], true);
    assert!(refused["result"]["content"][0]["text"].as_str().unwrap().contains("write_b"), "{refused}");
}

#[test]
fn garbage_is_dropped_and_the_answer_still_comes() {
    for mode in ["garbage", "flood", "flood-requests"] {
        let mut run = Run::start(ALLOW_ALL, mode, &[]);
        assert_eq!(run.call(1, "a")["result"]["content"][0]["text"], "a", "{mode}");
        let ledger = run.ledger();
        let ended = run.peer.finish(SOON).unwrap();
        assert_eq!(ended.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "{mode}: nothing else came through");
        let refused = count(&events(&ledger), "FRAME_REFUSED");
        assert!((1..100).contains(&refused), "{mode}: {refused} records");
    }
}

#[test]
fn an_unreadable_answer_becomes_an_error() {
    let mut run = Run::start(ALLOW_ALL, "bad-answer", &[]);
    let answer = run.call(1, "a");
    assert_eq!(answer["id"], 1);
    assert!(answer["error"]["message"].as_str().unwrap().contains("duplicate_key"), "{answer}");
}

#[test]
fn only_the_first_answer_to_an_open_request_passes() {
    let mut run = Run::start(ALLOW_ALL, "unsolicited", &[]);
    assert_eq!(run.call(1, "a")["result"]["content"][0]["text"], "first");
    let ended = run.peer.finish(SOON).unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap().lines().count(), 1);
}

#[test]
fn a_server_that_dies_in_a_call_is_told() {
    for (mode, code) in [("die", 3), ("crash", 139), ("partial", 0)] {
        let mut run = Run::start(ALLOW_ALL, mode, &[]);
        let answer = run.call(1, "a");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)), "{mode}: {answer}");
        let ledger = run.ledger();
        assert_eq!(run.peer.receive(SOON).unwrap(), None, "{mode}: our output ends with the server");
        let ended = run.peer.finish(SOON).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{mode}");
        let events = events(&ledger);
        let post: Vec<_> = events.iter().filter(|event| event["eventType"] == "TOOL_CALL_POST").collect();
        assert_eq!(post.len(), 1, "{mode}");
        assert_eq!(post[0]["outcome"], "no_answer", "{mode}");
    }
}

#[test]
fn open_requests_are_answered_after_the_client_closes() {
    let mut run = Run::start(ALLOW_ALL, "slow", &[]);
    run.send(&call(1, "a"));
    run.send(&call(2, "b"));
    let ended = run.peer.finish(SOON).unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap().lines().count(), 2);
    assert!(ended.status.success());
}

#[test]
fn a_server_that_hangs_is_ended_with_all_of_its_children() {
    let run = Run::start(ALLOW_ALL, "hang", &[]);
    let pids = pids(&run.file());
    assert!(pids.iter().all(|pid| alive(pid)));
    let ended = run.peer.finish(SOON).unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("did not end by itself"));
    eventually("the server's tree outlived the gate", || !pids.iter().any(|pid| alive(pid)));
}

#[test]
fn a_server_that_stops_listening_is_ended_and_its_calls_are_told() {
    let mut run = Run::start(ALLOW_ALL, "deaf", &[]);
    let file = run.file();
    eventually("the server has not closed its input", || file.exists());
    run.send(&call(1, "a"));
    assert_eq!(run.receive()["error"]["code"], -32603);
}

#[test]
fn signals_end_the_server_too() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut run = Run::start(ALLOW_ALL, "tree", &[]);
        let pids = pids(&run.file());
        assert_eq!(run.call(1, "a")["id"], 1);
        kill(signal, run.peer.id());
        assert_eq!(run.peer.receive(SOON).unwrap(), None);
        let ended = run.peer.finish(SOON).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{signal}");
        eventually("the server's tree outlived the gate", || !pids.iter().any(|pid| alive(pid)));
    }
}

/// Also when nobody is left to see to it: the host kills the gate outright.
#[test]
fn killing_the_gate_ends_the_servers_tree() {
    for mode in ["tree", "tree-hang"] {
        let mut run = Run::start(ALLOW_ALL, mode, &[]);
        let pids = pids(&run.file());
        assert_eq!(run.call(1, "a")["id"], 1);
        let ledger = run.ledger();
        kill("KILL", run.peer.id());
        eventually("the server's tree outlived the gate", || !pids.iter().any(|pid| alive(pid)));
        // Invariant 4: what was acknowledged is in the ledger, which verifies after recovery, as it may have been killed in
        // the middle of an update.
        let events = gated::events_once_repaired(&thoth(), &ledger, &run.folder.path().join("home"));
        assert_eq!((count(&events, "TOOL_CALL_PRE"), count(&events, "TOOL_CALL_POST")), (1, 1), "{mode}");
    }
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap().success());
}

#[test]
fn an_invalid_policy_refuses_calls_and_names_the_place() {
    let mut run = Run::start("version: \"1\"\nruls: []\n", "echo", &[]);
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}});
    run.send(&initialize);
    assert!(run.receive()["result"].is_object(), "the session itself works");
    let refused = run.call(1, "read_a");
    assert_eq!(refused["error"]["data"]["reason_code"], "policy_invalid");
    let reason = refused["error"]["data"]["reason"].as_str().unwrap();
    assert!(reason.contains("policy.yaml:2:1") && reason.contains("ruls"), "{reason}");
    let ended = run.peer.finish(SOON).unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("every call is refused"));
}

#[test]
fn a_changed_policy_takes_effect_and_a_bad_one_does_not() {
    let mut run = Run::start(READS, "echo", &[]);
    let policy = run.folder.path().join("policy.yaml");
    assert!(run.call(1, "write_b")["error"].is_object());
    std::fs::write(&policy, READS.replace("read_*", "*_b")).unwrap();
    let mut id = 1;
    eventually("the new policy is not in force", || {
        id += 1;
        run.call(id, "write_b")["result"].is_object()
    });
    std::fs::write(&policy, "version: \"1\"\nrules: nonsense, and longer than before\n").unwrap();
    eventually("the bad policy was not noticed", || {
        id += 1;
        assert!(run.call(id, "write_b")["result"].is_object(), "the last good policy stays in force");
        run.peer.complaints().contains("previous one stays in force")
    });
}

/// Invariant 4: no evidence, no call; whatever keeps the ledger from being opened.
#[test]
fn without_a_ledger_calls_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let gated = Gated::prepare(thoth(), folder.path(), ALLOW_ALL).unwrap();
    std::fs::write(gated.ledger(), "not a directory").unwrap();
    let file = folder.path().join("file");
    let peer = StdioPeer::spawn(&odd("echo", Some(&file)).behind(&gated.launch())).unwrap();
    let mut run = Run { folder, peer };
    run.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "ping"}));
    assert!(run.receive()["result"].is_object(), "what is not a call passes");
    let refused = run.call(1, "read_a");
    assert_eq!(refused["error"]["data"]["reason_code"], "evidence_unavailable");
    let ended = run.peer.finish(SOON).unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("no ledger"));
    assert!(!std::fs::read_to_string(file).unwrap().contains("tools/call"));
}

/// The same while it runs: a full disk refuses calls, loses nothing that was acknowledged, and room makes it go on.
#[test]
fn a_full_disk_refuses_calls_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let gated = Gated::prepare(thoth(), folder.path(), ALLOW_ALL).unwrap();
    let Some(disk) = SmallDisk::mount(gated.ledger()) else {
        // Mounting takes root; the fault-injection tests of the ledger cover the same without.
        assert!(!rustix::process::geteuid().is_root(), "root can mount a tmpfs");
        return;
    };
    let peer = StdioPeer::spawn(&odd("echo", None).behind(&gated.launch())).unwrap();
    let mut run = Run { folder, peer };
    assert!(run.call(1, "a")["result"].is_object());
    let ballast = disk.fill();
    let mut id = 1;
    eventually("calls go out although nothing can be recorded", || {
        id += 1;
        run.call(id, "a")["error"]["data"]["reason_code"] == "evidence_unavailable"
    });
    std::fs::remove_file(ballast).unwrap();
    id += 1;
    assert!(run.call(id, "a")["result"].is_object(), "there is room again");
    let ledger = gated.ledger().to_owned();
    assert!(run.peer.finish(SOON).unwrap().status.success());
    let events = events(&ledger);
    assert_eq!(count(&events, "TOOL_CALL_PRE"), usize::try_from(id).unwrap() - 1);
}

/// A file system of 1 MiB, unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Self(at.to_owned()))
    }

    /// Writes until nothing more fits.
    fn fill(&self) -> PathBuf {
        use std::io::Write;
        let path = self.0.join("journal").join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [65536, 4096, 512, 1] {
            while file.write(&vec![0; size]).is_ok_and(|n| n > 0) {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn programs_that_cannot_run_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let gated = Gated::prepare(thoth(), folder.path(), ALLOW_ALL).unwrap();
    let missing = folder.path().join("missing");
    for (program, code, text) in [
        ("no-such-program-anywhere", 127, "looked in"),
        (missing.to_str().unwrap(), 127, "there is no file"),
        (plain.to_str().unwrap(), 126, "not an executable"),
    ] {
        let ended = StdioPeer::spawn(&Launch::new([program]).behind(&gated.launch())).unwrap().finish(SOON).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{program}");
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(stderr.contains(program) && stderr.contains(text), "{stderr}");
        assert!(ended.stdout.is_empty(), "stdout belongs to the protocol");
    }
}

/// A desktop hands over a short `PATH`. Programs that a version manager keeps under the home still start, and find the
/// interpreter beside them, as `npx` does.
#[test]
fn a_short_path_is_enough_for_a_program_and_its_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join(".nvm/versions/node/v22.1.0/bin");
    std::fs::create_dir_all(&bin).unwrap();
    let npx = script(&bin.join("thoth-test-npx"), "#!/usr/bin/env thoth-test-node\n");
    script(&bin.join("thoth-test-node"), "#!/bin/sh\nshift\necho \"PATH=$PATH\" >&2\nexec \"$@\"\n");
    let gated = Gated::prepare(thoth(), folder.path(), ALLOW_ALL).unwrap();
    let front = gated.launch().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
    for program in ["thoth-test-npx", npx.to_str().unwrap()] {
        let words = odd("echo", None);
        let server = words.words().iter().fold(Launch::new([program]), |launch, word| launch.arg(word));
        let mut peer = StdioPeer::spawn(&server.behind(&front)).unwrap();
        peer.send(format!("{}\n", call(1, "a")).as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&peer.receive(SOON).unwrap().expect("an answer")).unwrap();
        assert_eq!(answer["result"]["content"][0]["text"], "a", "{program}");
        let ended = peer.finish(SOON).unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(stderr.contains(&format!("PATH=/usr/bin:/bin:{}\n", bin.display())), "{program}: {stderr}");
    }
}

fn script(path: &Path, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

/// Hosts start the same command several times at once and probe it; none of them may get in another's way.
#[test]
fn many_short_sessions_share_one_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let gated = Gated::prepare(thoth(), folder.path(), ALLOW_ALL).unwrap();
    let mut peers: Vec<_> =
        (0..8).map(|_| StdioPeer::spawn(&odd("mute", None).behind(&gated.launch())).unwrap()).collect();
    for peer in &mut peers {
        peer.send(
            b"{\"jsonrpc\":\"2.0\",\"id\":\"server-discover-probe-1\",\"method\":\"server/discover\",\"params\":{}}\n",
        )
        .unwrap();
        assert!(peer.receive(SOON).unwrap().is_some());
    }
    for peer in peers {
        assert!(peer.finish(SOON).unwrap().status.success());
    }
    let events = events(gated.ledger());
    assert_eq!((count(&events, "SESSION_STARTED"), count(&events, "SESSION_ENDED")), (8, 8));
}

#[test]
fn secrets_reach_neither_the_server_nor_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let gated = Gated::prepare(thoth(), folder.path(), ALLOW_ALL).unwrap().flag("--api-key").flag("thoth_live_secret");
    let show =
        Launch::new(["sh", "-c", "env >&2; cat >/dev/null"]).behind(&gated.launch()).env("THOTH_API_KEY", "other");
    let ended = StdioPeer::spawn(&show).unwrap().finish(SOON).unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains("PATH=") && !stderr.contains("THOTH_"), "{stderr}");
    assert!(!format!("{:?}", events(gated.ledger())).contains("secret"));
}
