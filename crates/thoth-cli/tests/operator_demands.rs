//! What an operator demands of every session in the environment: stricter than any policy and any mode, never looser.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use thoth_testkit::gated::{ALLOW_ALL, Gated};
use thoth_testkit::stdio_peer::{Ended, Launch, StdioPeer};

/// Longer than anything here takes; only a test that hangs meets it.
const SOON: Duration = Duration::from_secs(120);

const INTENT_TOOLS: &str = "THOTH_INTENT_TOOL_ALLOWLIST";
const ANCESTORS: &str = "THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS";
const UPSTREAMS: &str = "THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES";

fn thoth() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_thoth"))
}

/// A gate in the most lenient mode, over a policy that allows everything.
fn lenient(folder: &Path, flags: &[&str]) -> Gated {
    let gated = Gated::prepare(thoth(), folder, ALLOW_ALL).unwrap().flag("--enforcement-mode").flag("observe");
    flags.iter().fold(gated, |gated, flag| gated.flag(*flag))
}

/// A server that answers every call with its name, and writes down what it read.
fn echo(read: &Path) -> Launch {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../thoth-testkit/fixtures/servers/odd.py");
    Launch::new(["python3"]).arg(script).arg("echo").arg(read)
}

/// Calls tools one after the other; returns for each the reason code of its refusal, and how it all ended.
fn outcomes(launch: &Launch, tools: &[&str]) -> (Vec<Option<String>>, Ended) {
    let mut peer = StdioPeer::spawn(launch).unwrap();
    let outcomes = tools.iter().enumerate().map(|(id, tool)| {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}});
        peer.send(format!("{call}\n").as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&peer.receive(SOON).unwrap().unwrap()).unwrap();
        let code = answer.pointer("/error/data/reason_code").and_then(Value::as_str);
        assert_eq!(code.is_none(), answer.get("result").is_some(), "{answer}");
        code.map(str::to_owned)
    });
    let outcomes = outcomes.collect();
    (outcomes, peer.finish(SOON).unwrap())
}

fn events(ledger: &Path) -> Vec<Value> {
    let tail = Command::new(thoth()).args(["audit", "tail", "--json", "-n", "100"]).arg(ledger).output().unwrap();
    String::from_utf8(tail.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_intent_has_its_tools_and_no_others() {
    const REFUSED: Option<&str> = Some("tool_not_allowed_for_session_intent");
    for (intent, read, list) in [
        (Some("triage"), None, REFUSED),
        (Some("testing"), REFUSED, None),
        (Some("other"), REFUSED, REFUSED),
        // A session without an intent is left to the policy.
        (None, None, None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let flags: Vec<_> = intent.into_iter().flat_map(|intent| ["--session-intent", intent]).collect();
        let gated = lenient(folder.path(), &flags);
        let file = folder.path().join("read");
        let front = gated.launch().env(INTENT_TOOLS, "triage=read_file,testing=list|run");
        let (codes, ended) = outcomes(&echo(&file).behind(&front), &["read_file", "list"]);
        assert_eq!(codes.iter().map(Option::as_deref).collect::<Vec<_>>(), [read, list], "{intent:?}");
        assert!(ended.status.success());
        let passed = std::fs::read_to_string(file).unwrap_or_default().lines().count();
        assert_eq!(passed, [read, list].iter().filter(|code| code.is_none()).count(), "{intent:?}");
    }
}

/// The test's own process is above the session.
#[test]
fn no_call_is_allowed_under_a_blocked_process() {
    let folder = tempfile::tempdir().unwrap();
    let gated = lenient(folder.path(), &[]);
    let file = folder.path().join("read");
    let above = std::env::current_exe().unwrap();
    let above = above.file_name().unwrap().to_str().unwrap().to_uppercase();
    let launch = |tokens: &str| echo(&file).behind(&gated.launch().env(ANCESTORS, tokens));
    assert_eq!(outcomes(&launch("no-such-process"), &["read_file"]).0, [None]);
    let (codes, ended) = outcomes(&launch(&format!("no-such-process,{above}")), &["read_file"]);
    assert_eq!(codes, [Some("lineage_ancestor_blocked".to_owned())]);
    assert!(String::from_utf8(ended.stderr).unwrap().contains("every call is refused: the session was started under"));
    let events = events(gated.ledger());
    let block = events.iter().find(|event| event["eventType"] == "TOOL_CALL_BLOCK").unwrap();
    assert_eq!((&block["decision"], &block["reasonCode"]), (&json!("BLOCK"), &json!("lineage_ancestor_blocked")));
}

/// A program acts as soon as it runs: a blocked one never does.
#[test]
fn a_blocked_program_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let gated = lenient(folder.path(), &[]);
    let trace = folder.path().join("trace");
    let server = Launch::new(["touch"]).arg(&trace);
    let refused = server.behind(&gated.launch().env(UPSTREAMS, "curl, TOUCH"));
    let ended = StdioPeer::spawn(&refused).unwrap().finish(SOON).unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(126), "{stderr}");
    assert!(stderr.contains("matches `TOUCH`") && stderr.contains("lineage_upstream_binary_blocked"), "{stderr}");
    assert!(!trace.exists() && ended.stdout.is_empty());
    let events = events(gated.ledger());
    let detail = events.last().unwrap()["detail"].as_str().unwrap();
    assert!(detail.contains("was not started") && detail.contains("lineage_upstream_binary_blocked"), "{detail}");
    let allowed = server.behind(&gated.launch().env(UPSTREAMS, "curl"));
    assert!(StdioPeer::spawn(&allowed).unwrap().finish(SOON).unwrap().status.success());
    assert!(trace.exists());
}

/// A demand that cannot be read is not taken for none.
#[test]
fn a_text_that_cannot_be_read_keeps_the_server_from_starting() {
    for (variable, text, told) in [
        (INTENT_TOOLS, "triage=read_file,testing", ["character 18", "`testing` has no `=`"]),
        (ANCESTORS, "a,,b", ["character 3", "the token is empty"]),
        (UPSTREAMS, "a,", ["character 3", "the token is empty"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let gated = lenient(folder.path(), &[]);
        let trace = folder.path().join("trace");
        let launch = Launch::new(["touch"]).arg(&trace).behind(&gated.launch().env(variable, text));
        let ended = StdioPeer::spawn(&launch).unwrap().finish(SOON).unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{stderr}");
        assert!(told.iter().chain([&variable]).all(|part| stderr.contains(part)), "{stderr}");
        assert!(!trace.exists());
    }
}
