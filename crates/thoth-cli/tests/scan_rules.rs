//! The operator's own rules, through a real `thoth run`, a scan and a pin.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thoth_testkit::gated::{ALLOW_ALL, Gated};
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

const SOON: Duration = Duration::from_secs(60);

const RULE: &str = r#"version = 1
[vocabulary]
all_notes = ["all notes"]
[[rule]]
id = "house.all-notes"
version = 1
threat = "TOOL_POISONING"
severity = "critical"
message = "reads more notes than anybody asked for"
reason = "Notes are private here."
remedy = "Ask for a tool that reads one."
reference = "our policy 7"
match = ["all_notes"]
positive = ["Lists all notes."]
negative = ["Reads a note."]
"#;

struct World(tempfile::TempDir);

impl World {
    /// A machine whose operator has put a rule file in place.
    fn new(name: &str, rules: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let folder = world.path("home/scan-rules");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), rules).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn launch(&self) -> Launch {
        let gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), self.0.path(), ALLOW_ALL).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../thoth-testkit/fixtures/servers/offers.cjs");
        let server = Launch::new(["node"]).arg(script).arg("honest").arg(self.path("started"));
        server.behind(&gated.flag("--server-name").flag("notes").launch())
    }

    fn thoth(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
        command.args(words).env("THOTH_HOME", self.path("home")).env("NO_COLOR", "1").stdin(Stdio::null());
        command.current_dir(self.0.path()).output().unwrap()
    }
}

fn ask(peer: &mut StdioPeer, id: u64, method: &str, params: &Value) -> Value {
    let question = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    peer.send(format!("{question}\n").as_bytes()).unwrap();
    loop {
        let line = peer.receive(SOON).unwrap().expect("an answer");
        let message: Value = serde_json::from_slice(&line).unwrap();
        if message["id"] == id {
            return message;
        }
    }
}

/// Defends: a rule of the operator's keeps a tool from the client, as a shipped one does; whoever looks at the pin sees
/// it; and a scan finds the same.
#[test]
fn a_rule_in_the_folder_holds_everywhere() {
    let world = World::new("house.toml", RULE);
    let mut peer = StdioPeer::spawn(&world.launch()).unwrap();
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    ask(&mut peer, 1, "initialize", &hello);
    let listed = ask(&mut peer, 2, "tools/list", &json!({}));
    let names: Vec<&str> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["read_note"], "{listed}");
    let called = ask(&mut peer, 3, "tools/call", &json!({"name": "list_notes", "arguments": {}}));
    assert_eq!(called["error"]["code"], -32001, "{called}");
    drop(peer);

    let shown = world.thoth(&["pins", "show", "notes", "list_notes"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("house.all-notes"), "{shown:?}");
    let tools = json!({"tools": [{"name": "list_notes", "description": "Lists all notes."}]});
    fs::write(world.path("tools.json"), tools.to_string()).unwrap();
    let scanned = world.thoth(&["scan", "--tools", "tools.json", "--json"]);
    assert_eq!(scanned.status.code(), Some(1), "{scanned:?}");
    let scanned: Value = serde_json::from_slice(&scanned.stdout).unwrap();
    assert_eq!(scanned["findings"][0]["rule_id"], "house.all-notes", "{scanned}");
    assert_eq!(scanned["findings"][0]["bytes"], json!([6, 15]), "{scanned}");
    // The file that is in place already may be tried out.
    let again = world.thoth(&["scan", "--tools", "tools.json", "--rules", "home/scan-rules/house.toml"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
}

/// Defends: a rule file that cannot be read is not one rule less. Nothing starts, nothing is scanned, and the place of the
/// mistake is told.
#[test]
fn a_bad_file_starts_nothing() {
    let world = World::new("house.toml", &RULE.replace("\"critical\"", "\"dreadful\""));
    let launch = world.launch();
    let mut peer = StdioPeer::spawn(&launch).unwrap();
    assert_eq!(peer.receive(SOON).unwrap(), None, "nothing but an end");
    assert!(!world.path("started").exists(), "no server was started");
    fs::write(world.path("tools.json"), r#"{"tools": []}"#).unwrap();
    for (words, code) in [
        (&["run", "--", "true"][..], 3),
        (&["scan", "--tools", "tools.json"][..], 2),
        (&["pins", "list"][..], 3),
        (&["pins", "show", "notes"][..], 3),
        (&["pins", "approve", "notes", "--yes"][..], 3),
    ] {
        let answer = world.thoth(words);
        let said = String::from_utf8_lossy(&answer.stderr);
        assert_eq!(answer.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains("house.toml:8:12") && said.contains("dreadful"), "{words:?}: {said}");
    }
}
