//! The governed side: what stands in a workspace or an environment loosens nothing, and what passes through the gate
//! is not repeated on standard error.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thoth_testkit::bypass::call;
use thoth_testkit::gated::{ALLOW_ALL, Gated};
use thoth_testkit::stdio_peer::{Ended, Launch, StdioPeer};

/// Longer than anything here takes; only a test that hangs meets it.
const SOON: Duration = Duration::from_secs(120);

/// A server that writes down what it reads, in the folder that it runs in, and answers nothing.
fn note_taker(workspace: &Path) -> Launch {
    Launch::new(["sh", "-c", "cat > read-by-the-server"]).in_dir(workspace)
}

/// A handshake and these lines through a gate; returns how it ended and what the server read.
fn send(launch: &Launch, workspace: &Path, lines: &[&[u8]]) -> (Ended, String) {
    let mut peer = StdioPeer::spawn(launch).unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    peer.send(format!("{hello}\n").as_bytes()).unwrap();
    for line in lines {
        peer.send(line).unwrap();
    }
    let ended = peer.finish(SOON).unwrap();
    (ended, fs::read_to_string(workspace.join("read-by-the-server")).unwrap())
}

/// The codes of the errors that the client received, without those that say that the server never answered.
fn error_codes(stdout: &[u8]) -> Vec<i64> {
    let lines = stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let messages = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let codes = messages.filter_map(|message| message.pointer("/error/code")?.as_i64());
    codes.filter(|code| *code != -32603).collect()
}

/// Defends invariant 6: the starter policy of the home decides, whatever the workspace and the environment offer.
#[test]
fn a_policy_in_the_workspace_or_the_environment_is_not_read() {
    let scratch = tempfile::tempdir().unwrap();
    let (home, workspace) = (scratch.path().join("home"), scratch.path().join("workspace"));
    fs::create_dir_all(workspace.join(".thoth")).unwrap();
    for place in ["policy.yaml", "thoth.yaml", ".thoth.yaml", ".thoth/policy.yaml"] {
        fs::write(workspace.join(place), ALLOW_ALL).unwrap();
    }
    let lenient = workspace.join("policy.yaml");
    let gate = Launch::new([env!("CARGO_BIN_EXE_thoth"), "run", "--approval", "ticket", "--"])
        .env("THOTH_HOME", &home)
        .env("THOTH_POLICY", &lenient)
        .env("THOTH_ENFORCEMENT_MODE", "observe")
        .env("THOTH_MODE", "observe");
    let launch = note_taker(&workspace).behind(&gate);
    let (ended, read) = send(&launch, &workspace, &[&call(1, "delete_everything", "{}"), &call(2, "send_money", "{}")]);
    assert!(!read.contains("tools/call"), "the server read {read}");
    assert_eq!(error_codes(&ended.stdout), [-32001, -32002], "{}", String::from_utf8_lossy(&ended.stdout));
    assert!(home.join("policy.yaml").exists());
}

/// Defends invariant 7: stdout carries messages only, and stderr neither arguments nor secrets, whether a call is
/// allowed, blocked or refused as malformed.
#[test]
fn diagnostics_go_to_standard_error_without_arguments() {
    let secret = "sk-live-0123456789abcdef0123456789abcdef";
    let arguments = format!(r#"{{"token":"{secret}","note":"the-argument-itself"}}"#);
    let malformed = call(3, "pay", &arguments.replace("note", "token"));
    for (policy, codes) in [(ALLOW_ALL, vec![-32600]), ("not: [a policy", vec![-32001, -32600])] {
        let scratch = tempfile::tempdir().unwrap();
        let gate = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), scratch.path(), policy).unwrap();
        let gate = gate.flag("--api-key").flag(secret).launch();
        let launch = note_taker(scratch.path()).behind(&gate);
        let lines = [&call(1, "pay", &arguments)[..], &malformed];
        let (ended, _) = send(&launch, scratch.path(), &lines);
        assert_eq!(error_codes(&ended.stdout), codes, "{}", String::from_utf8_lossy(&ended.stdout));
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(!stderr.contains(secret) && !stderr.contains("the-argument-itself"), "{stderr}");
        let stdout = String::from_utf8(ended.stdout).unwrap();
        assert!(!stdout.contains(secret) && !stdout.contains("the-argument-itself"), "{stdout}");
        if policy != ALLOW_ALL {
            assert!(stderr.contains("policy.yaml"), "an invalid policy is not reported: {stderr}");
        }
    }
}
