//! What the README says under "Govern my machine", done by a new user: a Claude Desktop file, the README's commands in a
//! shell, and the MCP inspector's command line as the client, which reads the same file.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::machine::{DESKTOP_PATH, Machine};
use thoth_testkit::pty::Pty;

/// A Claude Desktop file. `MEMORY` stands for the path of the server's own file.
const CONFIG: &str = r#"{
  "mcpServers": {
    "memory": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-memory"],
      "env": {"MEMORY_FILE_PATH": "MEMORY"}
    },
    "search": { "url": "https://example.org/mcp" }
  },
  "globalShortcut": "Ctrl+Space"
}"#;

const NO_ENTITIES: &str = r#"{"entities": []}"#;

/// A new user's machine: Claude Desktop is configured, Thoth is where `cargo install` puts it and has never run.
struct NewUser {
    machine: Machine,
    fixtures: Fixtures,
    config: PathBuf,
    original: String,
}

impl NewUser {
    fn new() -> Self {
        let machine = Machine::new(env!("CARGO_BIN_EXE_thoth")).unwrap();
        let config = machine.home().join(".config/Claude/claude_desktop_config.json");
        let original = CONFIG.replace("MEMORY\"", &format!("{}\"", machine.home().join("memory.jsonl").display()));
        machine.write(&config, original.as_bytes()).unwrap();
        // `npx` finds its packages in the folder that it is started in, and asks no registry for anything.
        machine.write(&machine.home().join(".npmrc"), b"offline=true\nupdate-notifier=false\n").unwrap();
        let user = Self { machine, fixtures: Fixtures::locate().unwrap(), config, original };
        fs::create_dir_all(user.installed().parent().unwrap()).unwrap();
        symlink(user.machine.thoth(), user.installed()).unwrap();
        user
    }

    fn installed(&self) -> PathBuf {
        self.machine.home().join(".cargo/bin/thoth")
    }

    /// A line for the user's shell.
    fn typed(&self, line: &str) -> Command {
        let path = format!("{}:{DESKTOP_PATH}", self.installed().parent().unwrap().display());
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line).current_dir(self.machine.project()).env_clear();
        command.env("PATH", path).env("HOME", self.machine.home());
        command
    }

    /// Types a line into the user's shell.
    fn shell(&self, line: &str) -> String {
        let output = self.typed(line).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        // Warnings have an exit code of their own, and a machine that runs tests deserves some.
        let warned = line == "thoth doctor" && shown.contains(" 0 failed");
        assert!(output.status.success() || warned, "{line}: {shown}{}", String::from_utf8_lossy(&output.stderr));
        shown
    }

    /// Has the client call what asks, and approves it in the queue that fills a terminal.
    fn approve_in(&self, line: &str) {
        let mut terminal = Pty::spawn(self.typed(line).env("TERM", "xterm"), 100).unwrap();
        let called = std::thread::scope(|scope| {
            let call = scope.spawn(|| self.call("create_entities", NO_ENTITIES));
            for (shown, key) in
                [("create_entities", "a"), ("Approve create_entities on memory", "y"), ("gone out", "q")]
            {
                terminal.wait_for(shown).unwrap();
                terminal.keys(key).unwrap();
            }
            call.join().unwrap()
        });
        let (status, seen) = terminal.finish().unwrap();
        assert!(status.success(), "{seen}");
        called.unwrap();
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

    /// Calls a tool; an answer is `Ok`, a refusal is `Err`, both as the inspector shows them.
    fn call(&self, tool: &str, arguments: &str) -> Result<String, String> {
        let output = self.inspect(&["--method", "tools/call", "--tool-name", tool, "--tool-args-json", arguments]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn calls(&self) -> Vec<String> {
        let keys = ["agentId", "toolName", "enforcementMode", "decision"];
        let words = |call: &Value| keys.map(|key| call[key].as_str().unwrap_or("-").to_owned()).join(" ");
        let events = self.machine.ledger().unwrap();
        events.iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE").map(words).collect()
    }
}

/// The commands of the README's section, without their comments.
fn commands() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("Govern my machine\n")).unwrap();
    let typed = section.lines().filter_map(|line| line.strip_prefix("$ "));
    typed.map(|line| line.split('#').next().unwrap_or_default().trim()).collect()
}

/// Runs every command of the README in its order, and looks at what each of them is there for.
#[test]
fn the_readmes_commands_lead_the_inspector_through_the_gate() {
    let user = NewUser::new();
    let file = || fs::read_to_string(&user.config).unwrap();
    let delete = || user.call("delete_entities", r#"{"entityNames": []}"#);
    let mut looked_at = Vec::new();
    for command in commands() {
        // A build; what it installs is there.
        if command == "cargo install --locked --path crates/thoth-cli" {
            continue;
        }
        looked_at.push(command);
        if command == "thoth approvals watch" {
            user.approve_in(command);
            continue;
        }
        let shown = user.shell(command);
        match command {
            "thoth wrap-config --dry-run" => {
                assert!(shown.contains("+      \"args\": [\"run\", "), "{shown}");
                assert_eq!(file(), user.original, "a dry run changes nothing");
            }
            "thoth wrap-config" => {
                let program = format!("\"command\": {:?}", user.installed());
                assert!(file().contains(&program), "the desktop finds no `thoth` by name: {}", file());
                let listed = user.inspect(&["--method", "tools/list"]);
                assert!(String::from_utf8_lossy(&listed.stdout).contains("read_graph"), "{listed:?}");
                assert!(user.call("read_graph", "{}").unwrap().contains("entities"));
                assert!(delete().unwrap_err().contains("`delete_entities` blocked"), "the reason reaches the client");
            }
            "thoth status" => {
                let governed = |line: &str| line.starts_with("memory") && line.contains('✓');
                assert!(shown.lines().any(governed) && shown.contains("`search` (Claude Desktop, "), "{shown}");
            }
            "thoth wrap-config --enforcement-mode observe" => {
                user.call("create_entities", NO_ENTITIES).unwrap();
                delete().unwrap_err();
            }
            "thoth unwrap-config" => {
                assert_eq!(file(), user.original, "every byte is back");
                assert!(user.call("read_graph", "{}").is_ok());
            }
            _ => assert!(looked_at.pop().is_some(), "it ran, which is all that is asked of it"),
        }
    }
    assert_eq!(looked_at.len(), 6, "the README shows the whole way there and back: {looked_at:?}");
    assert_eq!(
        user.calls(),
        [
            "claude-desktop read_graph block ALLOW",
            "claude-desktop delete_entities block BLOCK",
            "claude-desktop create_entities block STEP_UP",
            "claude-desktop create_entities block ALLOW",
            "claude-desktop create_entities observe ALLOW",
            "claude-desktop delete_entities observe BLOCK",
        ],
        "what is governed is recorded, and nothing else"
    );
}
