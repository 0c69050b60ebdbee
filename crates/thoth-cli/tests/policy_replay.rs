//! Shadows and replays, with real sessions and their ledgers: what a replay says would have been answered is what is answered.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_testkit::gated::Gated;
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

const SOON: Duration = Duration::from_secs(60);

const LIVE: &str = "\
version: \"1\"
defaults: { approval: block }
integrity: { on_unlisted: allow }
rules:
  - { name: reads, match: { tool: \"read*\" }, approval: auto }
  - { name: etc, match: { tool: \"read*\" }, conditions: { path_under: { path: /etc } }, approval: block }
  - { name: tmp, match: { tool: \"read*\" }, conditions: { path_under: { path: /tmp } }, approval: block, mode: shadow }
";

const OTHER: &str = "\
version: \"1\"
defaults: { approval: approve }
integrity: { on_unlisted: allow }
gateway: { max_tool_calls: 4 }
rules:
  - { name: reads, match: { tool: \"read*\" }, approval: auto }
  - { name: tmp, match: { tool: \"read*\" }, conditions: { path_under: { path: /tmp } }, approval: block }
  - { name: deep, match: { tool: \"read*\" }, conditions: { param_gt: { depth: 3 } }, approval: block }
  - { name: after, match: { tool: read_last }, conditions: { after_call: read_first }, approval: approve }
";

fn thoth(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    let output = command.args(words).current_dir(folder).env("THOTH_HOME", folder.join("home")).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// One session through `gated`, in which these calls are made one after the other.
fn session(gated: &Gated, calls: &[(&str, Value)]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../thoth-testkit/fixtures/servers/odd.py");
    let server = Launch::new(["python3"]).arg(script).arg("echo");
    let mut peer = StdioPeer::spawn(&server.behind(&gated.launch())).unwrap();
    for (id, (tool, arguments)) in calls.iter().enumerate() {
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        peer.send(format!("{call}\n").as_bytes()).unwrap();
        peer.receive(SOON).unwrap().expect("an answer");
    }
    assert!(peer.finish(SOON).unwrap().status.success());
}

fn replayed(folder: &Path, policy: &str) -> Value {
    let (code, out, err) =
        thoth(folder, &["policy", "replay", "ledger", "--policy", policy, "--json", "--examples", "100"]);
    assert_eq!(code, Some(0), "{out}{err}");
    serde_json::from_str(&out).unwrap()
}

/// From what to what each call changed, by its id; for groups as replays and shadows give them.
fn changes(groups: &Value) -> BTreeMap<String, (Value, Value)> {
    let mut changes = BTreeMap::new();
    for group in groups.as_array().unwrap() {
        let new = if group["new"].is_array() { group["new"].clone() } else { json!([group["new"]]) };
        for call in group["examples"].as_array().unwrap() {
            changes.insert(call["call_id"].as_str().unwrap().to_owned(), (group["old"].clone(), new.clone()));
        }
    }
    changes
}

/// Defends replays: what they say of recorded calls is what the policy answered when it was asked in shadow, and under its
/// own policy nothing changes; with arguments in the ledger and without.
#[test]
fn a_replay_says_what_the_shadow_said() {
    let calls = [
        ("read", json!({"path": "/tmp/a"})),
        ("read", json!({"path": "/etc/a", "depth": 2})),
        ("write", json!({"path": "/srv/a"})),
        ("read_first", json!({"path": "/srv/a", "depth": 2})),
        ("read_last", json!({"path": "/srv/a", "depth": 2})),
        ("read", json!({"path": "/srv/a", "depth": 9})),
        ("read", json!({"path": "/srv/b", "depth": 2})),
        ("read", json!({"path": "/srv/b"})),
    ];
    for (content, exact) in [("full", true), ("none", false)] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        fs::write(folder.join("other.yaml"), OTHER).unwrap();
        let gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), folder, LIVE).unwrap();
        let gated = gated.flag("--content").flag(content).flag("--shadow-policy").flag(folder.join("other.yaml"));
        session(&gated, &calls);

        let same = replayed(folder, "policy.yaml");
        assert_eq!((&same["calls"], &same["unchanged"]), (&json!(8), &json!(8)), "{same}");
        let other = replayed(folder, "other.yaml");
        let asked = other["shadow"].as_array().unwrap();
        let shadow = asked.iter().find(|shadow| shadow["source"] == "policy").unwrap();
        assert_eq!(shadow["policy_digest"], other["policy_digest"]);
        assert_eq!(shadow["calls"], 8);
        let (found, said) = (changes(&other["changes"]), changes(&shadow["changes"]));
        if exact {
            assert_eq!(found, said);
            assert_eq!((&other["stricter"], &other["looser"], &other["unknown"]), (&json!(5), &json!(2), &json!(0)));
        } else {
            // Every answer of the shadow is possible.
            for (call, (old, new)) in &said {
                let (also_old, possible) = &found[call];
                assert_eq!(old, also_old);
                assert!(possible.as_array().unwrap().contains(&new[0]), "{call}: {possible} and not {new}");
            }
            let needs: Vec<&Value> = other["changes"].as_array().unwrap().iter().map(|group| &group["needs"]).collect();
            assert!(needs.contains(&&json!(["argument `depth`"])), "{needs:?}");
        }
        let rules = asked.iter().find(|shadow| shadow["source"] == "rules").unwrap();
        let groups: Vec<String> = rules["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| format!("{} {} -> {} by {}", group["calls"], group["old"], group["new"], group["rule"]))
            .collect();
        assert_eq!(groups, [r#"1 "auto" -> "block" by "tmp""#]);
    }
}

/// Defends "ledger-verified input": nothing of a damaged ledger is replayed, and the exit code says so.
#[test]
fn only_what_verifies_is_replayed() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    session(
        &Gated::prepare(env!("CARGO_BIN_EXE_thoth"), folder, LIVE).unwrap(),
        &[("read", json!({"path": "/tmp/a"}))],
    );
    let words = ["policy", "replay", "ledger", "--policy", "policy.yaml"];
    let (code, out, err) = thoth(folder, &words);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("replayed   1 call of 1 session\nledger     ledger (verified, "), "{out}");
    let entries = fs::read_dir(folder.join("ledger/tile/entries/000.p")).unwrap().next().unwrap().unwrap().path();
    let damaged = String::from_utf8_lossy(&fs::read(&entries).unwrap()).replace("/tmp/a", "/tmp/b");
    fs::write(&entries, damaged).unwrap();
    let (code, out, err) = thoth(folder, &words);
    assert_eq!((code, &*out), (Some(4), ""), "{err}");
    assert!(err.starts_with("error: not verified: ") && err.contains("nothing was replayed"), "{err}");
    let (code, out, _) = thoth(folder, &[&words[..], &["--json"]].concat());
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()["code"].clone()), (Some(4), json!("leaf_hash")));
    assert_eq!(thoth(folder, &["policy", "replay", "missing", "--policy", "policy.yaml"]).0, Some(1));
    assert_eq!(thoth(folder, &["policy", "replay", "ledger", "--policy", "missing.yaml"]).0, Some(3));
}

/// Defends "shadow decides nothing": an invalid policy in shadow is told once and stops nothing; a good one is asked from
/// then on.
#[test]
fn a_bad_policy_in_shadow_stops_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let path = folder.join("shadow.yaml");
    fs::write(&path, "rules: nonsense\n").unwrap();
    let gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), folder, "defaults: { approval: auto }\n").unwrap();
    let gated = gated.flag("--shadow-policy").flag(&path);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../thoth-testkit/fixtures/servers/odd.py");
    let mut peer = StdioPeer::spawn(&Launch::new(["python3"]).arg(script).arg("echo").behind(&gated.launch())).unwrap();
    let mut id = 0;
    let mut call = |peer: &mut StdioPeer| {
        id += 1;
        let call =
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t", "arguments": {}}});
        peer.send(format!("{call}\n").as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&peer.receive(SOON).unwrap().expect("an answer")).unwrap();
        assert!(answer["result"].is_object(), "{answer}");
    };
    call(&mut peer);
    let deadline = Instant::now() + SOON;
    while !peer.complaints().contains("nothing is in shadow") {
        assert!(Instant::now() < deadline, "{}", peer.complaints());
    }
    fs::write(folder.join("new"), "defaults: { approval: block }\n").unwrap();
    fs::rename(folder.join("new"), &path).unwrap();
    let deadline = Instant::now() + SOON;
    while !peer.complaints().contains("now in shadow: sha256:") {
        assert!(Instant::now() < deadline, "the policy in shadow was not noticed");
        call(&mut peer);
    }
    call(&mut peer);
    assert!(peer.finish(SOON).unwrap().status.success());
    let replayed = replayed(folder, "policy.yaml");
    assert_eq!(replayed["unchanged"], replayed["calls"]);
    let shadow = &replayed["shadow"][0];
    assert!(shadow["calls"].as_u64() >= Some(1), "{replayed}");
    assert_eq!((&shadow["changes"][0]["old"], &shadow["changes"][0]["new"]), (&json!("auto"), &json!("block")));
}
