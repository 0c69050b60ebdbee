//! A policy that is edited while a session serves calls.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_policy::{Sources, load};
use thoth_testkit::gated::{Gated, events};
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

const SOON: Duration = Duration::from_secs(60);
/// Calls that are on their way at once.
const AT_ONCE: u64 = 40;
const EDITS: usize = 3;

/// Version `n` of the policy. Two rules decide, so that a call decided by half of one version and half of another would
/// name rules of both.
fn version(n: usize) -> String {
    let (even, odd) = if n.is_multiple_of(2) { ("auto", "block") } else { ("block", "auto") };
    format!(
        "version: \"1\"\ndefaults: {{ approval: block }}\nintegrity: {{ on_unlisted: allow }}\nrules:\n  \
         - {{ name: any-{n}, match: {{ tool: \"*\" }}, approval: auto }}\n  \
         - {{ name: even-{n}, match: {{ tool: even }}, approval: {even} }}\n  \
         - {{ name: odd-{n}, match: {{ tool: odd }}, approval: {odd} }}\n"
    )
}

fn digest(text: &str) -> String {
    load("p", &Sources::one("p", text)).unwrap().digest().to_owned()
}

struct Traffic {
    peer: StdioPeer,
    made: u64,
    /// What the client was told, by the call's number.
    told: BTreeMap<u64, bool>,
}

impl Traffic {
    /// Makes calls; `meanwhile` happens while they are on their way. Whether the tool `even` was let through last.
    fn round(&mut self, meanwhile: impl FnOnce()) -> bool {
        let mut lines = String::new();
        for _ in 0..AT_ONCE {
            self.made += 1;
            let tool = if self.made.is_multiple_of(2) { "even" } else { "odd" };
            let params = json!({"name": tool, "arguments": {"n": self.made}});
            let call = json!({"jsonrpc": "2.0", "id": self.made, "method": "tools/call", "params": params});
            lines.push_str(&format!("{call}\n"));
        }
        self.peer.send(lines.as_bytes()).unwrap();
        meanwhile();
        for _ in 0..AT_ONCE {
            let line = self.peer.receive(SOON).unwrap().expect("an answer");
            let answer: Value = serde_json::from_slice(&line).unwrap();
            self.told.insert(answer["id"].as_u64().unwrap(), answer["result"].is_object());
        }
        self.told[&self.made]
    }

    /// Goes on until something has come to pass; the deadline is only there to fail.
    fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self, bool) -> bool) {
        let deadline = Instant::now() + SOON;
        loop {
            let even = self.round(|| {});
            if so(self, even) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}");
        }
    }

    fn complaints(&mut self, words: &str) -> usize {
        self.peer.complaints().matches(words).count()
    }
}

/// Puts a whole file in another's place, as an editor should.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Defends an edit under traffic: each call is decided by one version, whose digest stands in its record, and its answer is
/// that version's; versions follow each other in the order of the edits; a broken edit changes nothing and is told once.
#[test]
fn every_call_is_decided_by_one_version() {
    const BROKEN: &str = "the policy file changed but is not valid";
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let (policy, shadow) = (folder.join("policy.yaml"), folder.join("shadow.yaml"));
    fs::write(&shadow, version(100)).unwrap();
    let gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), folder, &version(0)).unwrap();
    let gated = gated.flag("--shadow-policy").flag(&shadow);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../thoth-testkit/fixtures/servers/odd.py");
    let server = Launch::new(["python3"]).arg(script).arg("echo");
    let peer = StdioPeer::spawn(&server.behind(&gated.launch())).unwrap();
    let mut traffic = Traffic { peer, made: 0, told: BTreeMap::new() };

    assert!(traffic.round(|| {}), "the first version is in force");
    for n in 1..=EDITS {
        traffic.round(|| replace(&policy, &version(n)));
        traffic.until("an edit was not noticed", |_, even| even == n.is_multiple_of(2));
        traffic.round(|| replace(&policy, &format!("{}nonsense: {n}\n", version(n + 1))));
        traffic.until("a broken edit was not noticed", |traffic, _| traffic.complaints(BROKEN) == n);
        // The files are looked at together: once this edit was noticed, the broken file was looked at again.
        replace(&shadow, &version(100 + n));
        let noticed = format!("now in shadow: {}", digest(&version(100 + n)));
        traffic.until("the policies were not looked at", |traffic, _| traffic.complaints(&noticed) == 1);
        assert_eq!(traffic.complaints(BROKEN), n, "each broken edit is told once");
    }
    let (told, ledger) = (traffic.told, gated.ledger().to_owned());
    assert!(traffic.peer.finish(SOON).unwrap().status.success());

    let known: BTreeMap<String, usize> = (0..=EDITS).map(|n| (digest(&version(n)), n)).collect();
    let events = events(Path::new(env!("CARGO_BIN_EXE_thoth")), &ledger);
    let mut latest = 0;
    let mut decided = 0;
    for event in events.iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE") {
        let version = known[event["policyDigest"].as_str().unwrap()];
        assert!(version >= latest, "version {version} after {latest}");
        latest = version;
        let matched: Vec<&str> = event["matched"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let tool = event["toolName"].as_str().unwrap();
        let mut expected = [format!("any-{version}"), format!("{tool}-{version}")];
        let mut found = matched.clone();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        let allowed = version.is_multiple_of(2) == (tool == "even");
        assert_eq!(event["decision"], if allowed { "ALLOW" } else { "BLOCK" });
        let arguments: Value = serde_json::from_str(event["content"].as_str().unwrap()).unwrap();
        assert_eq!(told[&arguments["n"].as_u64().unwrap()], allowed);
        decided += 1;
    }
    assert_eq!((decided, latest), (told.len(), EDITS));
    let loaded = |words: &str| {
        let of_policies = events.iter().filter(|event| event["eventType"] == "POLICY_LOADED");
        of_policies.filter(|event| event["detail"].as_str().is_some_and(|detail| detail.contains(words))).count()
    };
    assert_eq!((loaded("now in force: "), loaded(BROKEN), loaded("now in shadow: ")), (EDITS, EDITS, EDITS));
}
