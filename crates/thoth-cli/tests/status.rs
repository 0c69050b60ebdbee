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
      `db` (Claude Code, ~/.claude.json:1:139): the client starts it directly
        -> run `thoth wrap-config`
      `far` (Claude Code, ~/.claude.json:1:17): remote server at mcp.example.com
        -> this version governs stdio servers: bridge it with a stdio client such as `npx mcp-remote URL` and wrap that, or put it behind an HTTP gateway
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

/// An executable file.
fn program(path: &std::path::Path) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy("/bin/true", path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A text without the columns of places, which depend on how long the path of the program under test is.
fn without_columns(text: &str) -> String {
    let mut parts = text.split(":1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ":1" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// The servers of the project's `.mcp.json`, and their commands.
fn commands(machine: &Machine) -> Vec<String> {
    let text = fs::read_to_string(machine.project().join(".mcp.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let place = |text: &str| {
        let text = text.replace(THOTH, "THOTH").replace(machine.project().to_str().unwrap(), "PROJECT");
        text.replace(machine.home().to_str().unwrap(), "HOME")
    };
    let servers = json.get("mcpServers").unwrap().as_object().unwrap();
    servers.iter().map(|(name, entry)| format!("{name} {}", place(entry["command"].as_str().unwrap()))).collect()
}

/// Defends: a program that comes with a project is not taken for the gate, is put right like one that is gone, and other
/// entries of the file keep the program that they have.
#[test]
fn a_project_brings_no_gate_of_its_own() {
    let machine = machine(&[("project/.git/HEAD", "")]);
    let planted = program(&machine.project().join("tools/thoth"));
    let mine = program(&machine.home().join("bin/thoth-2"));
    let linked = machine.project().join("thoth");
    std::os::unix::fs::symlink(&mine, &linked).unwrap();
    let servers = [
        ("gone", "/gone/thoth"),
        ("linked", linked.to_str().unwrap()),
        ("mine", &mine),
        ("planted", &planted),
        ("this", THOTH),
        ("view", "/dev/fd/../cwd/tools/thoth"),
    ];
    let servers: serde_json::Map<String, Value> = servers
        .iter()
        .map(|(name, program)| {
            ((*name).to_owned(), serde_json::json!({"command": program, "args": ["run", "--wrapped", "--", "x"]}))
        })
        .collect();
    let text = serde_json::json!({ "mcpServers": servers }).to_string();
    machine.write(&machine.project().join(".mcp.json"), text.as_bytes()).unwrap();
    let (_, text) = status(&machine);
    let text = without_columns(text.split("  servers given by").next().unwrap());
    insta::assert_snapshot!(text, @"
    Server   Governed  Agent ID  Session Intent  Enforcement  Client       Scope
    gone     ✓         —         —               block        Claude Code  project
    linked   —         —         —               —            Claude Code  project
    mine     ✓         —         —               block        Claude Code  project
    planted  —         —         —               —            Claude Code  project
    this     ✓         —         —               block        Claude Code  project
    view     —         —         —               —            Claude Code  project

    Governed, but not able to start:
      `gone` (Claude Code, PROJECT/.mcp.json:1): there is no program `/gone/thoth`
        -> run `thoth wrap-config`, which writes the path of this one

    Not governed:
      `linked` (Claude Code, PROJECT/.mcp.json:1): started by another program than this `thoth`: PROJECT/thoth
      `planted` (Claude Code, PROJECT/.mcp.json:1): started by another program than this `thoth`: PROJECT/tools/thoth
      `view` (Claude Code, PROJECT/.mcp.json:1): started by another program than this `thoth`: /dev/fd/../cwd/tools/thoth
        -> run `thoth wrap-config` in its project, or `thoth wrap-config --all` anywhere
    ");
    let json: Value = serde_json::from_str(&told(&machine, &["status", "--json"]).1).unwrap();
    let planted = json["servers"].as_array().unwrap().iter().find(|one| one["server"] == "planted").unwrap();
    assert_eq!((&planted["governed"], &planted["code"]), (&false.into(), &"foreign".into()));
    assert_eq!(told(&machine, &["wrap-config", "--check"]).0, 1);
    assert_eq!(told(&machine, &["wrap-config"]).0, 0);
    assert_eq!(
        commands(&machine),
        ["gone THOTH", "linked THOTH", "mine HOME/bin/thoth-2", "planted THOTH", "this THOTH", "view THOTH"]
    );
    assert_eq!(told(&machine, &["wrap-config", "--check"]).0, 0);
    assert!(!status(&machine).1.contains("started by"));
}

/// Defends: what an entry says about its own gate is shown by name, and in a project's file it keeps `--check` from
/// calling that good.
#[test]
fn settings_of_entries_are_named() {
    let run = |flags: &str, env: &str| {
        let flags =
            flags.split(' ').filter(|flag| !flag.is_empty()).map(|flag| format!("\"{flag}\", ")).collect::<String>();
        format!(r#"{{"command": "{THOTH}", "args": ["run", {flags}"--", "x"], "env": {{{env}}}}}"#)
    };
    let user = format!(
        r#"{{"mcpServers": {{"mode": {}, "path": {}}}}}"#,
        run("--policy /etc/p.yaml --ledger /srv/l", r#""THOTH_FAIL_OPEN": "hush""#),
        run("", r#""PATH": "/hush""#)
    );
    let project = format!(
        r#"{{"mcpServers": {{"home": {}, "records": {}, "rules": {}, "outside": {}, "path": {}}}}}"#,
        run("", r#""THOTH_HOME": "/hush", "A": "b""#),
        run("--ledger=/hush --content none", ""),
        run("--policy team.yaml", ""),
        run("--policy /etc/p.yaml", ""),
        run("", r#""PATH": "/hush""#)
    );
    let machine = machine(&[(DESKTOP, &user), ("project/.mcp.json", &project)]);
    let (_, text) = status(&machine);
    assert!(!text.contains("hush"), "{text}");
    let text = text.split_once("\n\n").unwrap().1.split("\n\n").next().unwrap();
    insta::assert_snapshot!(without_columns(text), @"
    Governed, with settings of their own:
      `mode` (Claude Desktop, ~/.config/Claude/claude_desktop_config.json:1): THOTH_FAIL_OPEN
        -> remove them from the entry if they are not yours: they decide how it is governed
      `home` (Claude Code, PROJECT/.mcp.json:1): THOTH_HOME
      `records` (Claude Code, PROJECT/.mcp.json:1): --ledger, --content
      `rules` (Claude Code, PROJECT/.mcp.json:1): --policy
        -> remove them from the entry: whoever can change the project's file would decide how it is governed
    ");
    let json: Value = serde_json::from_str(&told(&machine, &["status", "--json"]).1).unwrap();
    let own = |at: usize| json["servers"].get(at).unwrap()["own_settings"].to_string();
    assert_eq!((own(0), own(1)), (r#"["THOTH_FAIL_OPEN"]"#.to_owned(), "null".to_owned()));
    let (code, text) = told(&machine, &["wrap-config", "--check", "--host", "claude-code"]);
    assert_eq!(code, 1, "{text}");
    insta::assert_snapshot!(without_columns(&text), @"
    Claude Code  PROJECT/.mcp.json  4 unchanged, 1 cannot be wrapped

    not governed: `home` in PROJECT/.mcp.json:1: it sets THOTH_HOME, which would govern the gate itself
      -> remove the variable from the entry; use `thoth wrap-config --env` for settings of yours
    settings of its own: `records` in PROJECT/.mcp.json:1: --ledger, --content
    settings of its own: `rules` in PROJECT/.mcp.json:1: --policy
      -> remove them from the entry: whoever can change the project's file would decide how it is governed
    ");
    let only =
        |server: &str| told(&machine, &["wrap-config", "--check", "--host", "claude-code", "--server", server]).0;
    let codes = ["home", "records", "rules", "outside", "path"].map(only);
    assert_eq!(codes, [1, 1, 1, 0, 0]);
    assert_eq!(told(&machine, &["wrap-config", "--check", "--host", "claude-desktop"]).0, 0);
}

/// Defends: a server of a project that would set its own gate is not said to be put right by wrapping it.
#[test]
fn servers_that_would_set_their_gate_are_not_promised() {
    let file = r#"{"mcpServers": {"a": {"command": "x", "env": {"THOTH_HOME": "/hush"}}}}"#;
    let machine = machine(&[("project/.mcp.json", file)]);
    let (_, text) = status(&machine);
    assert!(text.contains("it sets THOTH_HOME, which would govern the gate itself"), "{text}");
    assert!(!text.contains("thoth wrap-config` in its project"), "{text}");
    assert_eq!(told(&machine, &["wrap-config", "--check"]).0, 1);
}

/// Defends: what does not start is not shown as working.
#[test]
fn arguments_that_thoth_run_refuses() {
    for (flags, why) in [
        (r#""--bogus""#, "unexpected argument '--bogus' found"),
        (r#""--help""#, "it asks for help or the version"),
        (r#""--enforcement-mode", "bogus""#, "invalid value 'bogus' for '--enforcement-mode <MODE>'"),
        (r#""--durability", "power", "--durability", "power""#, "cannot be used multiple times"),
    ] {
        let entry =
            format!(r#"{{"mcpServers": {{"a": {{"command": "{THOTH}", "args": ["run", {flags}, "--", "sh"]}}}}}}"#);
        let machine = machine(&[(".cursor/mcp.json", &entry)]);
        let (_, text) = status(&machine);
        assert!(text.contains("does not take its arguments: ") && text.contains(why), "{flags}\n{text}");
        assert_eq!(machine.run(["health"]).unwrap().status.code(), Some(1), "{flags}");
    }
}
