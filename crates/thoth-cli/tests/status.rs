//! What `thoth status` says of machines in good order, half governed, broken, and empty.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;

use serde_json::Value;
use thoth_testkit::machine::Machine;

const THOTH: &str = env!("CARGO_BIN_EXE_thoth");

/// A machine with these files, some below `project`.
fn machine(files: &[(&str, &str)]) -> Machine {
    let machine = Machine::new(THOTH).unwrap();
    for (path, content) in files {
        let path = match path.strip_prefix("project/") {
            Some(path) => machine.project().join(path),
            None => machine.home().join(path),
        };
        machine.write(&path, content.as_bytes()).unwrap();
    }
    machine
}

/// Exit code and output, without the machine's own paths.
fn told(machine: &Machine, words: &[&str]) -> (i32, String) {
    let output = machine.run(words).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(machine.project().to_str().unwrap(), "PROJECT");
    (output.status.code().unwrap(), text.replace(machine.home().to_str().unwrap(), "HOME").replace(THOTH, "THOTH"))
}

fn status(machine: &Machine) -> (i32, String) {
    told(machine, &["status"])
}

const DESKTOP: &str = ".config/Claude/claude_desktop_config.json";
/// On two lines: the first grows by the length of this program's path.
const FILES: &str = r#"{"mcpServers": {"files": {"command": "npx", "args": ["-y", "files", "/"]},
"git": {"command": "uvx", "args": ["git"], "disabled": true}}}"#;

#[test]
fn a_machine_in_good_order() {
    let machine = machine(&[
        (DESKTOP, FILES),
        (".codex/config.toml", "[mcp_servers.notes]\ncommand = \"notes\"\n"),
        (".config/goose/config.yaml", "extensions:\n  clock:\n    type: stdio\n    cmd: clock\n    args: []\n"),
        ("project/.cursor/mcp.json", r#"{"mcpServers": {"files": {"command": "x"}}}"#),
    ]);
    assert_eq!(told(&machine, &["wrap-config", "--session-intent", "review"]).0, 0);
    let (code, text) = status(&machine);
    assert_eq!(code, 0);
    insta::assert_snapshot!(text, @"
    Server  Governed  Agent ID        Session Intent  Enforcement  Client          Scope
    files   ✓         claude-desktop  review          block        Claude Desktop  user
    git     ✓         claude-desktop  review          block        Claude Desktop  user
    files   ✓         cursor          review          block        Cursor          project
    notes   ✓         codex           review          block        Codex           user
    clock   ✓         goose           review          block        Goose           user

    Not governed:
      connectors of Claude Desktop, if there are any: connectors are called from the vendor's cloud and never pass this machine
        -> register the address of a governed gateway as the connector
    ");
}

fn half_governed() -> Machine {
    let machine = machine(&[
        (DESKTOP, FILES),
        (
            ".claude.json",
            r#"{"mcpServers": {"far": {"type": "http", "url": "https://user:hush@mcp.example.com/x?key=hush"}}, "projects": {"/src/app": {"mcpServers": {"db": {"command": "db"}}}}}"#,
        ),
        (".config/Claude/Claude Extensions/ant.dir.files/manifest.json", "{}"),
        ("project/.mcp.json", r#"{"mcpServers": {"shared": {"command": "x", "env": {"KEY": "hush"}}}}"#),
    ]);
    assert_eq!(told(&machine, &["wrap-config", "--server", "files", "--enforcement-mode", "observe"]).0, 0);
    machine
}

#[test]
fn a_half_governed_machine() {
    let machine = half_governed();
    let (code, text) = status(&machine);
    assert_eq!(code, 0);
    assert!(!text.contains("hush"), "{text}");
    insta::assert_snapshot!(text, @"
    Server  Governed  Agent ID        Session Intent  Enforcement  Client          Scope
    files   ✓         claude-desktop  —               observe      Claude Desktop  user
    git     —         —               —               —            Claude Desktop  user
    far     —         —               —               —            Claude Code     user
    db      —         —               —               —            Claude Code     local /src/app
    shared  —         —               —               —            Claude Code     project

    Not governed:
      `git` (Claude Desktop, ~/.config/Claude/claude_desktop_config.json:2:1): the client starts it directly
        -> run `thoth wrap-config`
      `far` (Claude Code, ~/.claude.json:1:17): remote server at mcp.example.com
        -> this version governs stdio servers: bridge it with a stdio client such as `npx mcp-remote URL` and wrap that, or put it behind an HTTP gateway
      `db` (Claude Code, ~/.claude.json:1:139): the client starts it directly
        -> run `thoth wrap-config`
      `shared` (Claude Code, PROJECT/.mcp.json:1:17): the client starts it directly
        -> run `thoth wrap-config` in its project, or `thoth wrap-config --all` anywhere
      desktop extensions of Claude Desktop (~/.config/Claude/Claude Extensions/ant.dir.files/manifest.json): a desktop extension is started from its own bundle, and the application checks the bundle's digest
        -> remove the extension and configure its server in claude_desktop_config.json, or block extensions by policy
      connectors of Claude Desktop, if there are any: connectors are called from the vendor's cloud and never pass this machine
        -> register the address of a governed gateway as the connector
      servers given by `--mcp-config` of Claude Code, if there are any: such servers are named on the client's command line
        -> wrap the file that is given there: `thoth wrap-config FILE`
    ");
}

#[test]
fn a_broken_machine() {
    let gone = r#"{"mcpServers": {"a": {"command": "/gone/thoth", "args": ["run", "--agent-id", "cursor", "--", "x"]}, "b\u001b[2J\u202e": {"command": "y"}}}"#;
    let machine = machine(&[
        (DESKTOP, "{\n  \"mcpServers\": {\n"),
        (".codex/config.toml", "[mcp_servers.notes\ncommand = \"notes\"\n"),
        (".config/goose/config.yaml", "extensions:\n  clock: [\n"),
        (".cursor/mcp.json", gone),
        (".gemini/settings.json", "\u{0}\u{1}"),
    ]);
    fs::create_dir_all(machine.home().join(".codeium/windsurf/mcp_config.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", machine.home().join(".claude.json")).unwrap();
    let (code, text) = status(&machine);
    assert_eq!(code, 1);
    insta::assert_snapshot!(text, @r#"
    Server              Governed  Agent ID  Session Intent  Enforcement  Client  Scope
    a                   ✓         cursor    —               block        Cursor  user
    b\u{1b}[2J\u{202e}  —         —         —               —            Cursor  user

    Governed, but not able to start:
      `a` (Cursor, ~/.cursor/mcp.json:1:17): there is no program `/gone/thoth`
        -> run `thoth wrap-config`, which writes the path of this one

    Not governed:
      `b\u{1b}[2J\u{202e}` (Cursor, ~/.cursor/mcp.json:1:102): the client starts it directly
        -> run `thoth wrap-config`
      connectors of Claude Desktop, if there are any: connectors are called from the vendor's cloud and never pass this machine
        -> register the address of a governed gateway as the connector
      servers given by `--mcp-config` of Claude Code, if there are any: such servers are named on the client's command line
        -> wrap the file that is given there: `thoth wrap-config FILE`

    Cannot be read:
      HOME/.config/Claude/claude_desktop_config.json:2:17: this `{` is never closed
        -> correct the file, then run this again
      `HOME/.claude.json` is a link to a file that does not exist
      HOME/.codex/config.toml:1:19: unclosed table, expected `]`
        -> correct the file, then run this again
      HOME/.gemini/settings.json: written in UTF-16, not UTF-8; save it as UTF-8
        -> correct the file, then run this again
      HOME/.config/goose/config.yaml:2:10: unclosed bracket '['
        -> correct the file, then run this again
    "#);
}

#[test]
fn an_empty_machine() {
    let empty = machine(&[]);
    let (code, text) = status(&empty);
    insta::assert_snapshot!(format!("{code}\n{text}"), @"
    0
    no MCP client was found on this machine
        -> install one, or name its file: `thoth status FILE`. Known are claude-desktop, claude-code, cursor, vscode, windsurf, zed, codex, gemini-cli, cline, continue, junie, lm-studio, goose, amazon-q, kiro, copilot-cli, opencode
    ");
    assert_eq!(told(&empty, &["wrap-config"]).0, 0);
    let unused = machine(&[(DESKTOP, "{}"), (".codex/config.toml", "model = \"x\"\n")]);
    let (code, text) = status(&unused);
    insta::assert_snapshot!(format!("{code}\n{text}"), @"
    0
    no MCP servers are configured; clients found: Claude Desktop, Codex
        -> add a server in a client, then run `thoth wrap-config`

    Not governed:
      connectors of Claude Desktop, if there are any: connectors are called from the vendor's cloud and never pass this machine
        -> register the address of a governed gateway as the connector
    ");
}

/// Defends: scripts get the same, one entry each, under names that stay.
#[test]
fn status_for_scripts() {
    let machine = half_governed();
    let (code, json) = told(&machine, &["status", "--json"]);
    assert_eq!(code, 0);
    assert!(!json.contains("hush"), "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    let count = |name: &str| json[name].as_array().unwrap().len();
    assert_eq!(
        (count("servers"), count("not_governed"), count("errors"), &json["schema_version"]),
        (5, 3, 0, &1.into())
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&[&json["servers"][0], &json["servers"][2], &json["not_governed"][0]]).unwrap(), @r#"
    [
      {
        "agent_id": "claude-desktop",
        "client": "claude-desktop",
        "column": 17,
        "disabled": false,
        "enforcement_mode": "observe",
        "governed": true,
        "group": null,
        "line": 1,
        "path": "HOME/.config/Claude/claude_desktop_config.json",
        "policy": null,
        "program": "THOTH",
        "scope": "user",
        "server": "files",
        "session_intent": null,
        "starts": true,
        "tenant_id": null
      },
      {
        "agent_id": null,
        "client": "claude-code",
        "code": "remote",
        "column": 17,
        "disabled": false,
        "enforcement_mode": null,
        "governed": false,
        "group": null,
        "line": 1,
        "path": "HOME/.claude.json",
        "reason": "remote server at mcp.example.com",
        "remedy": "this version governs stdio servers: bridge it with a stdio client such as `npx mcp-remote URL` and wrap that, or put it behind an HTTP gateway",
        "scope": "user",
        "server": "far",
        "session_intent": null
      },
      {
        "client": "claude-desktop",
        "path": "HOME/.config/Claude/Claude Extensions/ant.dir.files/manifest.json",
        "reason": "a desktop extension is started from its own bundle, and the application checks the bundle's digest",
        "remedy": "remove the extension and configure its server in claude_desktop_config.json, or block extensions by policy",
        "what": "desktop extensions"
      }
    ]
    "#);
}
