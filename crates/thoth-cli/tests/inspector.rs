//! What the README says under "Govern my machine", done by a new user: a Claude Desktop file, our commands, and the MCP
//! inspector's command line as the client, which reads the same file.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::machine::{DESKTOP_PATH, Machine};

const CONFIG: &str = r#"{
  "mcpServers": {
    "memory": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-memory"]
    },
    "search": { "url": "https://example.org/mcp" }
  },
  "globalShortcut": "Ctrl+Space"
}"#;

/// A new user's machine: Claude Desktop is configured, Thoth has never run.
struct NewUser {
    machine: Machine,
    fixtures: Fixtures,
    config: PathBuf,
}

impl NewUser {
    fn new() -> Self {
        let machine = Machine::new(env!("CARGO_BIN_EXE_thoth")).unwrap();
        let config = machine.home().join(".config/Claude/claude_desktop_config.json");
        machine.write(&config, CONFIG.as_bytes()).unwrap();
        // `npx` finds its packages in the folder that it is started in, and asks no registry for anything.
        machine.write(&machine.home().join(".npmrc"), b"offline=true\nupdate-notifier=false\n").unwrap();
        Self { machine, fixtures: Fixtures::locate().unwrap(), config }
    }

    fn thoth(&self, words: &[&str]) -> String {
        let output = self.machine.run(words).unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The inspector, started from a desktop: it knows nothing of Thoth.
    fn inspect(&self, words: &[&str]) -> Output {
        let modules = self.fixtures.node_modules().unwrap();
        let launcher = modules.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
        let mut command = Command::new(self.fixtures.node_22().unwrap());
        command.arg(launcher).args(["--cli", "--format", "json", "--server", "memory", "--config"]).arg(&self.config);
        command.args(words).current_dir(modules.parent().unwrap()).env_clear();
        command.env("PATH", DESKTOP_PATH).env("HOME", self.machine.home()).env("MCP_INSPECTOR_SECRET_STORE", "memory");
        command.output().unwrap()
    }

    fn call(&self, tool: &str, arguments: &str) -> Output {
        self.inspect(&["--method", "tools/call", "--tool-name", tool, "--tool-args-json", arguments])
    }

    fn calls(&self) -> Vec<String> {
        let words =
            |call: &Value| ["agentId", "toolName", "decision"].map(|key| call[key].as_str().unwrap_or("-").to_owned());
        let events = self.machine.ledger().unwrap();
        let calls = events.iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE");
        calls.map(|call| words(call).join(" ")).collect()
    }
}

#[test]
fn the_inspector_goes_through_the_gate() {
    let user = NewUser::new();
    user.thoth(&["wrap-config"]);
    assert_ne!(fs::read(&user.config).unwrap(), CONFIG.as_bytes());
    let status = user.thoth(&["status"]);
    assert!(status.contains("memory") && status.contains("search"), "{status}");

    let listed = user.inspect(&["--method", "tools/list"]);
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("read_graph"), "{listed:?}");
    let read = user.call("read_graph", "{}");
    assert!(read.status.success() && String::from_utf8_lossy(&read.stdout).contains("entities"), "{read:?}");
    let blocked = user.call("delete_entities", r#"{"entityNames": ["a"]}"#);
    assert!(!blocked.status.success(), "{blocked:?}");
    let told = String::from_utf8_lossy(&blocked.stderr).contains("`delete_entities` blocked");
    assert!(told, "the reason reaches the client: {blocked:?}");
    assert_eq!(user.calls(), ["claude-desktop read_graph ALLOW", "claude-desktop delete_entities BLOCK"]);

    user.thoth(&["unwrap-config"]);
    assert_eq!(fs::read(&user.config).unwrap(), CONFIG.as_bytes(), "every byte is back");
    let read = user.call("read_graph", "{}");
    assert!(read.status.success(), "{read:?}");
    assert_eq!(user.calls().len(), 2, "what is not governed is not recorded");
}
