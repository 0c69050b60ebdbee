//! `thoth approvals` as a person and as a script use it, on calls that a real `thoth run` holds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail the test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_store::{Hold, Holds as _, SqliteHolds};
use thoth_testkit::bypass::call;
use thoth_testkit::gated::{Gated, events};
use thoth_testkit::pty::Pty;
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

const SOON: Duration = Duration::from_secs(60);

/// Every call needs a person; `$A` stands for what that takes.
const POLICY: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
approvals: { $A }
rules:
  - { name: ask, match: { tool: "*" }, approval: approve, risk_level: high }
"#;

/// A person's machine, with calls that are held.
struct Desk {
    folder: tempfile::TempDir,
    policy: String,
}

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}{}", self.stdout, self.stderr))
    }
}

impl Desk {
    fn new(approvals: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), policy: POLICY.replace("$A", approvals) }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Calls of one session, started by another process than this one, as a client would be. Returns what each was
    /// answered with. The server only writes down what it reads.
    fn calls(&self, calls: &[(&str, &str)]) -> Vec<Value> {
        self.calls_under(&Launch::new(["timeout", "600"]), calls)
    }

    fn calls_under(&self, client: &Launch, calls: &[(&str, &str)]) -> Vec<Value> {
        let mut peer = self.session(client, "ticket");
        for (id, (tool, arguments)) in (0..).zip(calls) {
            peer.send(&call(id, tool, arguments)).unwrap();
        }
        let ended = peer.finish(SOON).unwrap();
        let lines = ended.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        let answer = |id: usize| messages.iter().find(|message| message["id"] == json!(id)).cloned();
        (0..calls.len()).map(|id| answer(id).unwrap()).collect()
    }

    /// A session that a client of this kind has begun.
    fn session(&self, client: &Launch, way: &str) -> StdioPeer {
        let mut gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), self.folder.path(), &self.policy).unwrap();
        for flag in ["--server-name", "files", "--agent-id", "agent-7", "--approval", way] {
            gated = gated.flag(flag);
        }
        let server = Launch::new(["sh", "-c", "cat >> read-by-the-server"]).in_dir(self.folder.path());
        let mut peer = StdioPeer::spawn(&server.behind(&gated.launch()).behind(client)).unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
        peer.send(format!("{hello}\n").as_bytes()).unwrap();
        peer
    }

    /// One call that is held. Returns the first digits of its hold.
    fn held(&self, tool: &str, arguments: &str) -> String {
        short(&self.calls(&[(tool, arguments)])[0])
    }

    /// The first digits of the only hold, as soon as there is one.
    fn waiting(&self) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let holds = self.run(&["list", "--json"]).json();
            if let Some(id) = holds["holds"][0]["short_id"].as_str() {
                return id.to_owned();
            }
            assert!(Instant::now() < deadline);
        }
    }

    /// How often the server was told to call this tool. Nothing was read by one that is not up yet.
    fn went_out(&self, tool: &str) -> usize {
        let read = fs::read_to_string(self.folder.path().join("read-by-the-server")).unwrap_or_default();
        read.matches(&format!(r#""name":"{tool}""#)).count()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
        command.arg("approvals").args(words).env("THOTH_HOME", self.home()).stdin(Stdio::null());
        // What decides must not be what a test is started with.
        command.env("USER", "mallory").env("LOGNAME", "mallory").env("NO_COLOR", "1");
        command
    }

    /// Without a terminal.
    fn run(&self, words: &[&str]) -> Answer {
        let output = self.command(words).output().unwrap();
        Answer {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// In a terminal, where this is typed when the question stands there.
    fn typed(&self, words: &[&str], keys: &str) -> (i32, String) {
        let mut terminal = Pty::spawn(&mut self.command(words), 100).unwrap();
        if !keys.is_empty() {
            terminal.wait_for("[y/N] ").unwrap();
            terminal.keys(keys).unwrap();
        }
        let (status, seen) = terminal.finish().unwrap();
        (status.code().unwrap(), seen)
    }

    fn state(&self, id: &str) -> String {
        self.run(&["show", id, "--json"]).json()["hold"]["state"].as_str().unwrap().to_owned()
    }

    /// The kinds of the ledger's events about holds, in order. The ledger verifies.
    fn events(&self) -> Vec<(String, Value)> {
        let ledger = self.folder.path().join("ledger");
        let events = events(Path::new(env!("CARGO_BIN_EXE_thoth")), &ledger).into_iter();
        let of_holds = events.map(|event| (event["eventType"].as_str().unwrap().to_owned(), event));
        of_holds.filter(|(kind, _)| kind.starts_with("HOLD_") || kind.starts_with("GRANT_")).collect()
    }
}

fn short(refused: &Value) -> String {
    let token = refused["error"]["data"]["hold_token"].as_str().unwrap_or_else(|| panic!("not held: {refused}"));
    token.strip_prefix("hold_").unwrap()[..8].to_owned()
}

fn kinds(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(kind, _)| kind.as_str()).collect()
}

/// Nothing in it that a terminal would obey.
fn assert_harmless(text: &str) {
    let obeyed =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    assert!(!text.contains(obeyed), "{text:?}");
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn to_look_creates_nothing() {
    let desk = Desk::new("ttl: 15m");
    for (words, said) in [(&["list"][..], "no calls wait for approval\n"), (&["list", "--all"], "no calls are held\n")]
    {
        let answer = desk.run(words);
        assert_eq!((answer.code, &*answer.stdout, &*answer.stderr), (0, said, ""));
    }
    assert_eq!(desk.run(&["list", "--json"]).json(), json!({"schema_version": 1, "holds": []}));
    assert_eq!(desk.run(&["grants", "--json"]).json(), json!({"schema_version": 1, "grants": []}));
    let unknown = desk.run(&["approve", "1f0c"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("there is no hold `1f0c`"), "{}", unknown.stderr);
    for (words, said) in [
        (&["show", "1f"][..], "names no hold: give 4 to 32 of its hexadecimal digits"),
        (&["deny", "../../x"], "names no hold"),
        (&["approve", "1f0c", "--for", "30m"], "--for lets further calls of the tool pass, and needs to know which"),
        (&["approve", "1f0c", "--for", "soon", "--any-arguments"], "write it like `30m`"),
        (&["approve", "1f0c", "--match", "a=b"], "--for"),
        (&["approve"], "ID"),
    ] {
        let answer = desk.run(words);
        assert_eq!(answer.code, 2, "{words:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(said), "{words:?}: {}", answer.stderr);
    }
    assert!(!desk.home().exists(), "{:?}", files(desk.folder.path()));
}

/// Defends: an approval takes a terminal and a yes; it lets exactly one call through, and everything is in the ledger.
#[test]
fn an_approval_at_a_terminal_lets_one_call_through() {
    let desk = Desk::new("ttl: 15m");
    let call = [("write_file", r#"{"path":"/srv/a","text":"one\ntwo"}"#)];
    let id = desk.held(call[0].0, call[0].1);

    let list = desk.run(&["list"]);
    assert!(list.stdout.contains(&id) && list.stdout.contains(r#"path="/srv/a" text="one\ntwo""#), "{}", list.stdout);

    let refused = desk.run(&["approve", &id, "--yes"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("an approval must be given at a terminal"), "{}", refused.stderr);

    let (code, seen) = desk.typed(&["approve", &id], "n\r");
    assert_eq!(code, 1, "{seen}");
    assert!(seen.contains("was not approved; it still waits"), "{seen}");
    assert_eq!((desk.state(&id), desk.calls(&call)[0]["error"]["code"].clone()), ("pending".to_owned(), json!(-32002)));

    let (code, seen) = desk.typed(&["approve", &id], "y\r");
    assert_eq!(code, 0, "{seen}");
    for part in [
        r#""text": "one\n""#,
        "write_file of server files",
        "agent-7",
        "rule",
        "policy.yaml:5:",
        "the same call passes once until",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    let (code, again) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!(code, 1);
    assert!(again.contains("is approved already"), "{again}");

    assert_eq!(desk.went_out("write_file"), 0);
    desk.calls(&call);
    assert_eq!((desk.went_out("write_file"), desk.state(&id)), (1, "spent".to_owned()));
    assert_eq!(desk.calls(&call)[0]["error"]["code"], -32002);
    assert_eq!(desk.went_out("write_file"), 1);

    let events = desk.events();
    let kinds = kinds(&events);
    let of = |kind: &str| kinds.iter().filter(|known| **known == kind).count();
    assert_eq!([of("HOLD_CREATED"), of("HOLD_RESOLVED"), of("HOLD_SPENT")], [2, 1, 1], "{kinds:?}");
    let (_, resolved) = events.iter().find(|(kind, _)| kind == "HOLD_RESOLVED").unwrap();
    let text = resolved.to_string();
    // Who answered is what the system says, whatever the environment claims.
    assert!(text.contains("/dev/pts/") && text.contains("terminal") && !text.contains("mallory"), "{text}");
}

/// Defends: a call that waits goes out when it is approved, and whoever approved it is told so.
#[test]
fn a_waiting_call_goes_out() {
    let desk = Desk::new("ttl: 15m");
    let mut peer = desk.session(&Launch::new(["timeout", "600"]), "inline");
    peer.send(&call(1, "send", "{}")).unwrap();
    let id = desk.waiting();
    let (code, seen) = desk.typed(&["approve", &id], "y\r");
    assert_eq!(code, 0, "{seen}");
    // A client that closes gives up what has not gone out.
    let deadline = Instant::now() + SOON;
    while (desk.went_out("send"), &*desk.state(&id)) != (1, "spent") {
        assert!(Instant::now() < deadline, "{seen}");
    }
    peer.finish(SOON).unwrap();
    assert_eq!((desk.went_out("send"), desk.state(&id)), (1, "spent".to_owned()), "{seen}");
    // The sidecar is nearly always faster than we are; where it is not, we say what holds all the same.
    assert!(seen.contains("the waiting call went out") || seen.contains("the same call passes once until"), "{seen}");
}

/// Defends invariant 5: what the policy on disk blocks when a waiting call is approved does not go out on the approval,
/// however short a time before that the file was changed.
#[test]
fn a_policy_that_blocks_by_now_is_obeyed() {
    for _ in 0..3 {
        let desk = Desk::new("ttl: 15m");
        let mut peer = desk.session(&Launch::new(["timeout", "600"]), "inline");
        peer.send(&call(1, "send", "{}")).unwrap();
        let id = desk.waiting();
        let file = desk.folder.path().join("policy.yaml");
        let stricter = fs::read_to_string(&file).unwrap().replace("approval: approve", "approval: block");
        fs::write(desk.folder.path().join("new"), stricter).unwrap();
        fs::rename(desk.folder.path().join("new"), file).unwrap();
        let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
        // A client that closes gives up what waits, and is not answered.
        while !peer.receive(SOON).unwrap().is_none_or(|line| String::from_utf8_lossy(&line).contains(r#""id":1"#)) {}
        let ended = peer.finish(SOON).unwrap();
        let answered = String::from_utf8(ended.stdout).unwrap();
        assert!(answered.contains(r#""id":1"#) && answered.contains("-32001"), "{code} {seen} {answered}");
        assert_eq!(desk.went_out("send"), 0, "{seen}");
    }
}

/// Defends: a denial takes no terminal, stands, and can take an approval back.
#[test]
fn a_denial_is_remembered() {
    let desk = Desk::new("ttl: 15m");
    let call = [("send", "{}")];
    let id = desk.held("send", "{}");
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!(code, 0, "{seen}");
    let denied = desk.run(&["deny", &id, "--reason", "not today"]);
    assert_eq!(denied.code, 0, "{}", denied.stderr);
    assert!(denied.stdout.starts_with(&format!("denied {id}: the same call is refused until ")), "{}", denied.stdout);
    let refused = &desk.calls(&call)[0]["error"];
    assert_eq!((&refused["code"], &refused["data"]["reason_code"]), (&json!(-32001), &json!("approval_denied")));
    let again = desk.run(&["deny", &id]);
    assert_eq!((again.code, again.stderr.contains("is denied")), (1, true), "{}", again.stderr);
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!((code, seen.contains("is denied")), (1, true), "{seen}");
    assert!(desk.run(&["show", &id]).stdout.contains("not today"));
    assert_eq!(desk.went_out("send"), 0);
}

/// Defends: whatever runs under the client that asked cannot approve, terminal or not.
#[test]
fn the_governed_side_cannot_approve() {
    let desk = Desk::new("ttl: 15m");
    // This very process is the client now, and every terminal of this test is under it.
    let held = desk.calls_under(&Launch::default(), &[("send", "{}")]);
    let id = short(&held[0]);
    for words in [&["approve", &id][..], &["approve", &id, "--yes"]] {
        let (code, seen) = desk.typed(words, "");
        assert_eq!(code, 1, "{seen}");
        assert!(seen.contains("this approval comes from under the client that asked"), "{seen}");
    }
    assert_eq!(desk.state(&id), "pending");
    assert_eq!(desk.run(&["deny", &id]).code, 0);
}

/// Defends: an approval is for all that was sent, of which nothing is kept from whoever approves it; `_meta` is not of it.
#[test]
fn what_else_was_sent_is_shown_and_bound() {
    let desk = Desk::new("ttl: 15m");
    let ask = |more: &str| {
        let mut peer = desk.session(&Launch::new(["timeout", "600"]), "ticket");
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"send","arguments":{{}}{more}}}}}"#
        );
        peer.send(format!("{line}\n").as_bytes()).unwrap();
        let ended = peer.finish(SOON).unwrap();
        let lines = ended.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut messages = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        messages.find(|message| message["id"] == 1).unwrap()
    };
    let id = short(&ask(r#","extra":{"b":1,"a":"x\u202ey"},"_meta":{"n":1}"#));
    let shown = desk.run(&["show", &id]).stdout;
    assert!(shown.contains(r#"also sent   {"extra":{"a":"x\u{202e}y","b":1}}"#), "{shown}");
    assert_eq!(desk.run(&["show", &id, "--json"]).json()["hold"]["also_sent"]["extra"]["b"], 1);
    assert_eq!(short(&ask(r#","_meta":{"n":2},"extra":{"a":"x\u202ey", "b":1}"#)), id);
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!((code, seen.contains("also sent")), (0, true), "{seen}");
    for other in ["", r#","extra":{"b":2}"#, r#","task":{}"#] {
        assert_ne!(short(&ask(other)), id, "{other}");
    }
    assert_eq!((desk.went_out("send"), desk.state(&id)), (0, "approved".to_owned()));
}

/// Defends: a server cannot approve, whatever the gate above it is called.
#[cfg(target_os = "linux")]
#[test]
fn a_gate_under_another_name_is_a_gate() {
    let desk = Desk::new("terminal: false");
    let id = desk.held("send", "{}");
    let place = |name: &str| desk.folder.path().join(name);
    fs::copy(env!("CARGO_BIN_EXE_thoth"), place("thoth")).unwrap();
    fs::copy(place("thoth"), place("copied")).unwrap();
    fs::hard_link(place("thoth"), place("linked")).unwrap();
    for name in ["copied", "linked"] {
        let gate = Gated::prepare(place(name), desk.folder.path(), &desk.policy).unwrap();
        let server = Launch::new(["sh", "-c", r#"THOTH_HOME=$2 "$0" approvals approve "$1" 2> said; cat"#])
            .arg(place("thoth"))
            .arg(&id)
            .arg(desk.home())
            .in_dir(desk.folder.path());
        let peer = StdioPeer::spawn(&server.behind(&gate.launch()).behind(&Launch::new(["timeout", "600"]))).unwrap();
        peer.finish(SOON).unwrap();
        let said = fs::read_to_string(place("said")).unwrap();
        assert!(said.contains("comes from under a server that `thoth run` governs"), "{name}: {said}");
        assert_eq!(desk.state(&id), "pending", "{name}");
    }
}

/// Defends: a client that has something else ask for it, and approves that, gains nothing: neither the approval nor the
/// grant serves its own session.
#[test]
fn an_approval_from_under_a_client_does_not_serve_it() {
    let call = [("send", "{}")];
    for words in [&["--yes"][..], &["--yes", "--for", "30m", "--any-arguments"]] {
        let desk = Desk::new("grants: { longest: 1h }");
        // The client that asks is one that this process has started, and is gone when it is answered.
        let id = desk.held(call[0].0, call[0].1);
        let (code, seen) = desk.typed(&[&["approve", &id], words].concat(), "");
        assert_eq!((code, desk.state(&id)), (0, "approved".to_owned()), "{seen}");
        // This very process is the client now, which stands above the terminal in which it was approved.
        let again = short(&desk.calls_under(&Launch::default(), &call)[0]);
        assert_eq!((again != id, desk.went_out("send"), desk.state(&id)), (true, 0, "expired".to_owned()));
    }
}

/// Defends: from inside of a container that a client makes for the purpose, what stands above cannot be told, or is told
/// by another clock; nothing is approved from there.
#[cfg(target_os = "linux")]
#[test]
fn a_container_of_its_own_does_not_hide_the_client() {
    let desk = Desk::new("ttl: 15m");
    let held = desk.calls_under(&Launch::default(), &[("send", "{}")]);
    let id = short(&held[0]);
    for flags in [&["-p", "-f"][..], &["-p", "-f", "--mount-proc"], &["-T", "-f", "--boottime", "100000"]] {
        let unshare = |words: &[&std::ffi::OsStr]| {
            let mut command = desk.command(&[]);
            let mut made = Command::new("unshare");
            made.arg("--map-current-user").args(flags).args(words).stdin(Stdio::null());
            made.envs(command.stdin(Stdio::null()).get_envs().filter_map(|(name, value)| Some((name, value?))));
            made
        };
        if !unshare(&["true".as_ref()]).status().is_ok_and(|status| status.success()) {
            assert!(!rustix::process::geteuid().is_root(), "root can make namespaces");
            continue;
        }
        let thoth = env!("CARGO_BIN_EXE_thoth");
        let words = [thoth, "approvals", "approve", &id, "--yes"].map(std::ffi::OsStr::new);
        let (status, seen) = Pty::spawn(&mut unshare(&words), 100).unwrap().finish().unwrap();
        assert_eq!((status.code(), desk.state(&id)), (Some(1), "pending".to_owned()), "{flags:?} {seen}");
        assert!(seen.contains("it cannot be told what this runs under"), "{flags:?} {seen}");
    }
}

/// Defends: no argument, tool or agent name can talk to a terminal, imitate our lines, or pass for another word unmarked.
#[test]
fn a_hostile_call_is_shown_safely() {
    let desk = Desk::new("ttl: 15m");
    let big = format!(r#"{{"big":"{}","path":"/etc/passwd"}}"#, "b".repeat(1 << 20));
    let hostile = json!({
        "path": "/srv/\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{8}\u{9b}31m",
        "note": "fine\n\nrisk        low\n\u{202e}gnihtyna\u{2066}\u{200b}\u{e0041}",
        "to": "p\u{430}ypal.com",
        "k\u{202e}\n": {"\u{7f}": ["e\u{301}\u{301}\u{301}\u{301}"]},
        "pad": format!("{}risk        low", " ".repeat(400)),
    });
    let tool = r"re\u0430d\u202e_file\n\u001b[31m";
    let refused = desk.calls(&[(tool, &hostile.to_string()), ("store", &big)]);
    let (odd, long) = (short(&refused[0]), short(&refused[1]));

    let list = desk.run(&["list"]);
    assert_harmless(&list.stdout);
    assert_eq!(list.stdout.lines().count(), 4, "{}", list.stdout);
    let row = list.stdout.lines().find(|line| line.contains(&odd)).unwrap();
    assert!(row.starts_with('!') && row.contains(r"re\u{430}d\u{202e}"), "{row}");
    assert!(list.stdout.lines().find(|line| line.contains(&long)).unwrap().starts_with(' '), "{}", list.stdout);

    for words in [&["show", &odd][..], &["show", &odd, "--full"]] {
        let shown = desk.run(words);
        assert_harmless(&shown.stdout);
        assert_eq!(shown.stdout.lines().filter(|line| line.starts_with("risk")).count(), 1, "{}", shown.stdout);
        for part in [r"p\u{430}ypal.com", r"\u{1b}[2J", r"\u{202e}gnihtyna", "! what is written as", "! a name has"] {
            assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
        }
        let wide = shown.stdout.lines().filter(|line| line.chars().count() > 100).count();
        assert_eq!(wide, 0, "{}", shown.stdout);
    }
    // Colours are ours; there is nothing else in a terminal either.
    for words in [&["show", &odd][..], &["list"]] {
        let (_, seen) = desk.typed(words, "");
        assert_harmless(&seen.replace('\r', ""));
    }
    let exact: Value = desk.run(&["show", &odd, "--json"]).json();
    assert_eq!(exact["hold"]["arguments"], hostile);

    let started = Instant::now();
    let shown = desk.run(&["show", &long]).stdout;
    assert!(shown.contains("more bytes of this value are not shown") && shown.contains(r#""path": "/etc/passwd""#));
    assert!(shown.contains(&format!("`thoth approvals show {long} --full` shows all")));
    let full = desk.run(&["show", &long, "--full"]).stdout;
    assert!(full.matches('b').count() > 1 << 20);
    assert!(started.elapsed() < SOON);
    let (code, asked) = desk.typed(&["approve", &long], "y\r");
    assert_eq!((code, asked.contains("bytes of the arguments are not shown")), (0, true), "{asked}");
}

/// Defends: nobody answers another hold than the one that they mean.
#[test]
fn ids_are_unique_or_nothing_happens() {
    let desk = Desk::new("ttl: 15m");
    let calls: Vec<_> = (0..3).map(|number| ("send", format!(r#"{{"n":{number}}}"#))).collect();
    let calls: Vec<_> = calls.iter().map(|(tool, arguments)| (*tool, arguments.as_str())).collect();
    let ids: Vec<_> = desk.calls(&calls).iter().map(short).collect();
    // One of them is unknown: none is answered.
    let wrong = if ids.iter().any(|id| id.starts_with("ffff")) { "0000" } else { "ffff" };
    assert_eq!(desk.run(&["deny", &ids[0], wrong]).code, 1);
    assert_eq!(desk.state(&ids[0]), "pending");
    // Several at once, in capitals and with their prefix, too.
    let full = desk.run(&["show", &ids[1], "--json"]).json()["hold"]["id"].as_str().unwrap().to_owned();
    let denied = desk.run(&["deny", &ids[0].to_uppercase(), &full, &ids[0]]);
    assert_eq!((denied.code, denied.stdout.lines().count()), (0, 2), "{}{}", denied.stdout, denied.stderr);
    let mixed = desk.run(&["deny", &ids[0], &ids[2]]);
    assert_eq!((mixed.code, desk.state(&ids[2])), (1, "denied".to_owned()), "{}", mixed.stderr);
    assert_eq!(desk.run(&["list"]).stdout, "no calls wait for approval\n");
    assert_eq!(desk.run(&["list", "--all", "--json"]).json()["holds"].as_array().unwrap().len(), 3);
}

#[test]
fn one_account_is_not_two() {
    let desk = Desk::new("quorum: 2, approvers: [local_terminal, \"user:nobody\"]");
    let id = desk.held("send", "{}");
    let (code, seen) = desk.typed(&["approve", &id], "y\r");
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("1 of 2 approvals; it still needs another account"), "{seen}");
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!((code, seen.contains("has approved it already, and it takes 2 accounts")), (1, true), "{seen}");
    assert_eq!(desk.calls(&[("send", "{}")])[0]["error"]["code"], -32002);
    assert_eq!(kinds(&desk.events()).iter().filter(|kind| **kind == "HOLD_ANSWERED").count(), 1);
}

#[test]
fn whoever_the_policy_does_not_name_cannot_approve() {
    let desk = Desk::new("approvers: [\"user:nobody-of-this-name\"]");
    let id = desk.held("send", "{}");
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!((code, seen.contains("may not approve it")), (1, true), "{seen}");
    assert!(seen.contains("user:nobody-of-this-name"), "{seen}");
    assert_eq!(desk.state(&id), "pending");
}

#[test]
fn a_policy_can_trust_scripts() {
    let desk = Desk::new("terminal: false");
    let id = desk.held("send", "{}");
    let approved = desk.run(&["approve", &id]);
    assert_eq!(approved.code, 0, "{}", approved.stderr);
    desk.calls(&[("send", "{}")]);
    assert_eq!(desk.went_out("send"), 1);
}

#[test]
fn what_has_expired_is_not_approved() {
    let desk = Desk::new("ttl: 15m");
    let id = desk.held("send", "{}");
    let holds = SqliteHolds::new(desk.home().join("state.db"), desk.folder.path().join("ledger"));
    let token = holds.find(&id).unwrap()[0].token.clone();
    // Its time is over, and nobody has noted it yet.
    let end = &mut |hold: &mut Hold| {
        hold.ends_at = hold.created_at;
        Ok(())
    };
    holds.update(&token, end).unwrap();
    assert_eq!(desk.state(&id), "expired");
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!((code, seen.contains("expired at")), (1, true), "{seen}");
    assert_eq!(desk.run(&["deny", &id]).code, 1);
}

/// Defends: what cannot be recorded is not answered.
#[test]
fn without_its_ledger_nothing_is_answered() {
    let desk = Desk::new("ttl: 15m");
    let id = desk.held("send", "{}");
    let (ledger, away) = (desk.folder.path().join("ledger"), desk.folder.path().join("away"));
    fs::rename(&ledger, &away).unwrap();
    let (code, seen) = desk.typed(&["approve", &id, "--yes"], "");
    assert_eq!((code, seen.contains("could not be recorded")), (1, true), "{seen}");
    assert_eq!(desk.run(&["deny", &id]).code, 1);
    let shown = desk.run(&["show", &id]);
    assert_eq!((shown.code, shown.stderr.contains("that it was shown is not recorded")), (0, true), "{}", shown.stderr);
    assert!(!ledger.exists());
    fs::rename(&away, &ledger).unwrap();
    assert_eq!(desk.state(&id), "pending");
    assert_eq!(desk.run(&["deny", &id]).code, 0);
}

/// Defends: a grant takes a policy that allows it, covers what its patterns say, and ends when it is revoked.
#[test]
fn grants_are_given_listed_and_ended() {
    let none = Desk::new("ttl: 15m");
    let id = none.held("read", r#"{"path":"/srv/a"}"#);
    let (code, seen) = none.typed(&["approve", &id, "--yes", "--for", "5m", "--any-arguments"], "");
    assert_eq!((code, seen.contains("the policy allows no grants for such calls")), (1, true), "{seen}");
    assert_eq!(none.state(&id), "pending");

    let desk = Desk::new("grants: { longest: 30m }");
    let id = desk.held("read", r#"{"path":"/srv/a"}"#);
    for (words, said) in [
        (&["--for", "31m", "--any-arguments"][..], "a grant may last 30m at most"),
        (&["--for", "5m", "--match", "path=/etc/*"], "the held call itself does not match --match"),
    ] {
        let (code, seen) = desk.typed(&[&["approve", &id, "--yes"], words].concat(), "");
        assert_eq!((code, seen.contains(said)), (1, true), "{seen}");
        assert_eq!(desk.state(&id), "pending");
    }
    let (code, seen) = desk.typed(&["approve", &id, "--for", "5m", "--match", "path=/srv/*"], "y\r");
    assert_eq!((code, seen.contains("lets such calls pass until")), (0, true), "{seen}");
    let grants = desk.run(&["grants", "--json"]).json();
    let grant = grants["grants"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(grants["grants"][0]["patterns"], json!([{"argument": "path", "glob": "/srv/*"}]));
    let text = desk.run(&["grants"]).stdout;
    assert!(text.contains(&grant[..14]) && text.contains("where path is \"/srv/*\""), "{text}");

    let answers = desk.calls(&[("read", r#"{"path":"/srv/b"}"#), ("read", r#"{"path":"/etc/b"}"#)]);
    assert_eq!((desk.went_out("read"), &answers[1]["error"]["code"]), (1, &json!(-32002)));
    assert_eq!(desk.run(&["revoke", &grant[..12]]).code, 0);
    assert_eq!(desk.run(&["revoke", &grant]).code, 1);
    assert_eq!(desk.calls(&[("read", r#"{"path":"/srv/c"}"#)])[0]["error"]["code"], -32002);
    let events = desk.events();
    let kinds = kinds(&events);
    assert!(kinds.contains(&"GRANT_GIVEN") && kinds.contains(&"GRANT_REVOKED"), "{kinds:?}");
}
