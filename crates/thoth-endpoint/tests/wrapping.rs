//! Files of clients, put under `thoth run` and back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;

use thoth_endpoint::document::{Document, Format};
use thoth_endpoint::entry::{Entry, Reason, State, entries};
use thoth_endpoint::hosts::{Recognised, Shape, recognise};
use thoth_endpoint::rewrite::{Change, MAX_SERVERS, Rewrite, WrapError};
use thoth_endpoint::unwrap::unwrap;
use thoth_endpoint::wrap::{WrapOptions, wrap};

fn recognised(path: &str, text: &str) -> Recognised {
    recognise(path, text).unwrap_or_else(|| panic!("{path} is not recognised"))
}

fn parse(format: Format, text: &str) -> Document {
    Document::parse(format, text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn options() -> WrapOptions {
    WrapOptions { default_agent: "cursor".to_owned(), ..WrapOptions::default() }
}

/// Wraps, checks that wrapping again changes nothing and that unwrapping restores every byte.
fn wrapped_with(path: &str, text: &str, options: &WrapOptions) -> Rewrite {
    let Recognised { shape, format, .. } = recognised(path, text);
    let rewrite = wrap(&parse(format, text), shape, options).unwrap();
    let document = parse(format, &rewrite.text);
    let again = wrap(&document, shape, options).unwrap();
    assert!(!again.is_changed(), "{:#?}\n{}", again, rewrite.text);
    assert_eq!(again.text, rewrite.text);
    assert_eq!(unwrap(&document, shape, &[]).unwrap().text, text);
    rewrite
}

fn wrapped(path: &str, text: &str) -> String {
    let rewrite = wrapped_with(path, text, &options());
    for outcome in &rewrite.outcomes {
        assert_eq!((&outcome.change, outcome.warnings.len()), (&Change::Wrapped, 0), "{outcome:?}\n{text}");
    }
    rewrite.text
}

fn entry(path: &str, text: &str) -> Entry {
    let Recognised { shape, format, .. } = recognised(path, text);
    let found = entries(&parse(format, text), shape);
    assert_eq!(found.len(), 1, "{found:?}\n{text}");
    found.into_iter().next().unwrap()
}

#[test]
fn an_entry_as_most_clients_write_it() {
    let text = r#"{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/data"],
      "env": { "TOKEN": "s3cret" }
    }
  }
}
"#;
    insta::assert_snapshot!(wrapped("/home/me/.cursor/mcp.json", text));
}

/// Comments, trailing commas, tabs, CRLF, a BOM, no arguments, escapes, and arguments that are no texts.
#[test]
fn odd_ways_of_writing() {
    for text in [
        "\u{feff}{\r\n\t\"mcpServers\": {\r\n\t\t// mine\r\n\t\t\"a\": {\"command\": \"x\"}, // last\r\n\t}\r\n}\r\n",
        r#"{"mcpServers":{"a":{"command":"x","args":[]},"b":{"args":["1",],"command":"y",},},}"#,
        r#"{"mcpServers":{"a":{"command":"\u006epx","args":[1,true,"\"q\"",/* c */null]}}}"#,
        "{\n  \"mcpServers\": {\n    \"a\": {\n      \"args\": [\n        // first\n        \"1\" // one\n      ],\n      \"command\": \"x\"\n    }\n  }\n}",
        r#"{"mcpServers": {"a": {"type": "stdio", "command": "${workspaceFolder}/x", "args": ["${env:A}", "$B"]}}}"#,
        r#"{"mcpServers": {"a": {"command": "cmd", "args": ["/c", "npx", "-y", "x"], "disabled": true}}}"#,
        r#"{"mcpServers": {"-x": {"command": "y", "env": {}}, "": {"command": "z"}}, "mcpServers": {"-x": {"command": "y"}}}"#,
    ] {
        let rewrite = wrapped_with("/home/me/.cursor/mcp.json", text, &options());
        assert!(rewrite.outcomes.iter().all(|outcome| outcome.change == Change::Wrapped), "{rewrite:?}\n{text}");
        let env =
            WrapOptions { env: vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "\"".to_owned())], ..options() };
        wrapped_with("/home/me/.cursor/mcp.json", text, &env);
    }
}

/// The shapes that differ: where servers are, what fields are called, and commands that are lists or tables.
#[test]
fn shapes() {
    let mut all = String::new();
    for (path, text) in [
        (
            "/h/.claude.json",
            r#"{"mcpServers": {"a": {"command": "x"}}, "projects": {"/p": {"mcpServers": {"a": {"command": "y"}}}}}"#,
        ),
        ("/p/.vscode/mcp.json", r#"{"servers": {"a": {"type": "stdio", "command": "x"}}, "inputs": []}"#),
        ("/p/x.code-workspace", r#"{"settings": {"mcp": {"servers": {"a": {"command": "x"}}}}}"#),
        (
            "/p/.devcontainer/devcontainer.json",
            r#"{"customizations": {"vscode": {"mcp": {"servers": {"a": {"command": "x"}}}}}}"#,
        ),
        (
            "/h/.config/zed/settings.json",
            r#"{"context_servers": {"a": {"source": "custom", "command": "x", "args": ["1"]}}}"#,
        ),
        (
            "/h/.config/zed/settings.json",
            r#"{"context_servers": {"a": {"command": {"path": "x", "args": ["1"], "env": null}, "settings": {}}}}"#,
        ),
        ("/p/opencode.json", r#"{"mcp": {"a": {"type": "local", "command": ["x", "1"], "enabled": true}}}"#),
        (
            "/p/opencode.json",
            r#"{"mcp": {"timeout": {"startup": 5}, "servers": {"a": {"type": "local", "command": ["x"]}}}}"#,
        ),
        ("/h/.kiro/settings/mcp.json", r#"{"mcpServers": {}, "powers": {"mcpServers": {"a": {"command": "x"}}}}"#),
    ] {
        all += &format!("{path}\n{}\n\n", wrapped(path, text));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn not_wrappable() {
    let cursor = "/h/.cursor/mcp.json";
    for (path, entry_text, code, reason) in [
        (
            cursor,
            r#"{"url": "https://user:hush@mcp.example.org:8443/hush?key=hush"}"#,
            "remote",
            "remote server at mcp.example.org:8443",
        ),
        (cursor, r#"{"url": "https://${HUSH}/x"}"#, "remote", "remote server"),
        (cursor, r#"{"serverUrl": "https://a.example"}"#, "remote", "remote server at a.example"),
        (cursor, r#"{"httpUrl": "https://a.example/mcp", "timeout": 5}"#, "remote", "remote server at a.example"),
        (
            cursor,
            r#"{"type": "streamable-http", "url": "https://a.example/mcp"}"#,
            "remote",
            "remote server at a.example",
        ),
        (
            cursor,
            r#"{"type": "sse", "url": "https://a.example/mcp", "command": "x"}"#,
            "remote",
            "remote server at a.example",
        ),
        (cursor, r#"{"type": "http"}"#, "remote", "remote server"),
        (cursor, r#"{"type": "sdk"}"#, "built_in", "it is part of the client (type `sdk`)"),
        (cursor, "{}", "no_command", "it has no command"),
        (cursor, r#"{"command": " "}"#, "no_command", "it has no command"),
        (cursor, r#"{"command": null}"#, "no_command", "it has no command"),
        (cursor, r#"{"command": 5}"#, "malformed", "its command is not a text"),
        (cursor, r#"{"command": "x", "args": "y"}"#, "malformed", "its arguments are not a list"),
        (cursor, "null", "malformed", "it is not a table"),
        (
            cursor,
            r#"{"command": "x", "httpUrl": "https://hush.example"}"#,
            "malformed",
            "it has both a command and an address",
        ),
        (
            cursor,
            r#"{"command": "thoth", "args": ["run", "--", "x"], "url": "https://hush.example"}"#,
            "malformed",
            "it has both a command and an address",
        ),
        (
            cursor,
            r#"{"type": "custom", "command": "x", "endpoint": "https://hush.example"}"#,
            "malformed",
            "it has both a command and an address",
        ),
        (cursor, r#"{"command": "npx -y x"}"#, "command_line", "its command is a whole command line"),
        (
            cursor,
            r#"{"command": "thoth", "args": ["demo-server"]}"#,
            "thoth",
            "it is Thoth itself, without a server behind `--`",
        ),
        (
            cursor,
            r#"{"command": "/bin/thoth", "args": ["run", "--"]}"#,
            "thoth",
            "it is Thoth itself, without a server behind `--`",
        ),
        (
            "/h/.config/zed/settings.json",
            r#"{"source": "extension", "settings": {}}"#,
            "extension",
            "an extension of the client starts it",
        ),
        ("/h/.config/zed/settings.json", r#"{"settings": {}}"#, "extension", "an extension of the client starts it"),
        (
            "/p/opencode.json",
            r#"{"type": "remote", "url": "https://a.example"}"#,
            "remote",
            "remote server at a.example",
        ),
        ("/p/opencode.json", r#"{"type": "local", "command": []}"#, "no_command", "it has no command"),
    ] {
        let key = if path.contains("zed") {
            "context_servers"
        } else if path.contains("opencode") {
            "mcp"
        } else {
            "mcpServers"
        };
        let text = format!("{{\"{key}\": {{\"s\": {entry_text}}}}}");
        let State::NotWrappable(found) = entry(path, &text).state else { panic!("{text}") };
        assert_eq!((found.code(), found.to_string()), (code, reason.to_owned()), "{text}");
        assert!(!found.remedy().is_empty());
        let rewrite = wrapped_with(path, &text, &options());
        assert_eq!((rewrite.outcomes[0].change.clone(), rewrite.text), (Change::Skipped(found), text));
    }
}

#[test]
fn commands_that_only_look_like_command_lines() {
    for command in [r"C:\\Program Files\\nodejs\\node.exe", "/opt/my tools/x", "./my server"] {
        let text = format!(r#"{{"mcpServers": {{"s": {{"command": "{command}"}}}}}}"#);
        assert!(matches!(entry("/h/.cursor/mcp.json", &text).state, State::Plain(_)), "{command}");
        wrapped("/h/.cursor/mcp.json", &text);
    }
}

/// Where it is said that the command counts, or where there is no address behind the name, a server is like any other.
#[test]
fn a_command_beside_an_address_that_does_not_count() {
    for beside in [
        r#""type": "stdio", "url": "https://a.example""#,
        r#""transport": "STDIO", "httpUrl": "https://a.example""#,
        r#""type": "local", "uri": "https://a.example""#,
        r#""url": null, "serverUrl": "", "httpUrl": " ""#,
    ] {
        wrapped("/h/.cursor/mcp.json", &format!(r#"{{"mcpServers": {{"s": {{"command": "x", {beside}}}}}}}"#));
    }
}

const ONE: &str = r#"{"mcpServers": {"s": {"command": "npx", "args": ["-y", "x"], "env": {"MINE": "1"}}}}"#;

/// Chosen values are written, unchosen ones stay, and a server's own variables win.
#[test]
fn wrapping_again() {
    let shape = recognised("/h/.cursor/mcp.json", ONE).shape;
    let env =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    let first = WrapOptions {
        thoth: Some("/bin/thoth".to_owned()),
        tenant_id: Some("acme".to_owned()),
        intents: BTreeMap::from([("s".to_owned(), "support".to_owned())]),
        session_intent: Some("other".to_owned()),
        env: env(&[("MINE", "2"), ("OURS", "2")]),
        ..options()
    };
    let rewrite = wrapped_with("/h/.cursor/mcp.json", ONE, &first);
    assert_eq!(rewrite.outcomes[0].warnings, ["its environment variable `MINE` keeps its own value"]);
    let mut text = rewrite.text;
    for (again, change, contains) in [
        (options(), Change::Unchanged, r#""env": {"MINE": "1", "OURS": "2"}"#),
        (WrapOptions { agent_id: Some("cursor".to_owned()), ..options() }, Change::Unchanged, "acme"),
        (
            WrapOptions { enforcement_mode: Some("observe".to_owned()), ..options() },
            Change::Updated,
            r#""--tenant-id", "acme", "--enforcement-mode", "observe", "--session-intent", "support""#,
        ),
        (WrapOptions { env: env(&[("OURS", "3")]), ..options() }, Change::Updated, r#""OURS": "3""#),
        (
            WrapOptions { env: env(&[("MORE", "4")]), ..options() },
            Change::Updated,
            r#""MINE": "1", "OURS": "3", "MORE": "4"}"#,
        ),
        (WrapOptions { env: env(&[("MINE", "1")]), ..options() }, Change::Unchanged, "--wrapped=env.OURS,env.MORE"),
        (WrapOptions { thoth: Some("thoth".to_owned()), ..options() }, Change::Updated, r#""command": "thoth""#),
        (
            WrapOptions { servers: vec!["t".to_owned()], thoth: Some("thoth-0".to_owned()), ..options() },
            Change::Unchanged,
            "thoth",
        ),
    ] {
        let rewrite = wrap(&parse(Format::Json, &text), shape, &again).unwrap();
        if again.servers.is_empty() {
            assert_eq!(rewrite.outcomes[0].change, change, "{again:?}");
        } else {
            assert!(rewrite.outcomes.is_empty());
        }
        text = rewrite.text;
        assert!(text.contains(contains), "{contains}\n{text}");
        assert_eq!(unwrap(&parse(Format::Json, &text), shape, &[]).unwrap().text, ONE);
    }
}

/// Entries that were edited by hand, or written by hand from the beginning.
#[test]
fn unwrapping_what_people_edited() {
    for (text, expected) in [
        (
            r#"{"mcpServers":{"s":{"command":"thoth","args":["run","--","npx","-y","x"]}}}"#,
            r#"{"mcpServers":{"s":{"command":"npx","args":["-y","x"]}}}"#,
        ),
        (
            r#"{"mcpServers":{"s":{"command":"thoth","args":["run","--wrapped=args","--","npx","--new"]}}}"#,
            r#"{"mcpServers":{"s":{"command":"npx","args":["--new"]}}}"#,
        ),
        (
            r#"{"mcpServers":{"s":{"command":"thoth","args":["run","--wrapped=args,env,env.A","--","npx"],"env":{"A":"changed","B":"1"}}}}"#,
            r#"{"mcpServers":{"s":{"command":"npx","env":{"B":"1"}}}}"#,
        ),
        (
            r#"{"mcpServers":{"s":{"command":"thoth","args":["run","--wrapped=args,env,env.A","--","npx"],"env":{"A":"changed"}}}}"#,
            r#"{"mcpServers":{"s":{"command":"npx"}}}"#,
        ),
        (
            r#"{"mcpServers":{"s":{"command":"thoth","args":["run","--wrapped=args,env,env.A","--","npx"]}}}"#,
            r#"{"mcpServers":{"s":{"command":"npx"}}}"#,
        ),
        (
            r#"{"mcpServers":{"s":{"command":"thoth","args":["run","--max-message",5000,"--","npx"]}}}"#,
            r#"{"mcpServers":{"s":{"command":"npx","args":[]}}}"#,
        ),
    ] {
        let shape = recognised("/h/.cursor/mcp.json", text).shape;
        let rewrite = unwrap(&parse(Format::Json, text), shape, &[]).unwrap();
        assert_eq!((rewrite.text.as_str(), &rewrite.outcomes[0].change), (expected, &Change::Restored));
    }
}

#[test]
fn one_server_of_several() {
    let text = r#"{"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}}"#;
    let shape = recognised("/h/.cursor/mcp.json", text).shape;
    let only = |server: &str| WrapOptions { servers: vec![server.to_owned()], ..options() };
    let one = wrap(&parse(Format::Json, text), shape, &only("b")).unwrap();
    assert_eq!(one.outcomes.len(), 1);
    assert!(one.text.contains(r#""a": {"command": "x"}"#));
    let both = wrap(&parse(Format::Json, &one.text), shape, &options()).unwrap();
    let back = unwrap(&parse(Format::Json, &both.text), shape, &["a".to_owned()]).unwrap();
    assert_eq!(back.text, one.text);
}

#[test]
fn names_of_variables() {
    let shape = recognised("/h/.cursor/mcp.json", ONE).shape;
    for name in ["", "A=B", "A,B", "A\n"] {
        let bad = WrapOptions { env: vec![(name.to_owned(), String::new())], ..options() };
        assert!(matches!(wrap(&parse(Format::Json, ONE), shape, &bad), Err(WrapError::VariableName(_))), "{name:?}");
    }
}

/// Defends: nothing is written that would not be taken for governed when it is read again.
#[test]
fn programs_that_are_not_ours() {
    let shape = recognised("/h/.cursor/mcp.json", ONE).shape;
    for program in ["bash", "./thoth", "/opt/x/node", "${workspaceFolder}/thoth", ""] {
        let chosen = Some(program.to_owned());
        for bad in [
            WrapOptions { thoth: chosen.clone(), ..options() },
            WrapOptions { default_thoth: chosen.clone(), ..options() },
        ] {
            let said = wrap(&parse(Format::Json, ONE), shape, &bad).unwrap_err();
            assert_eq!(said, WrapError::Program(program.to_owned()));
        }
    }
}

/// Defends: a cloned project cannot have its own words taken for a governed server; it is wrapped like any other.
#[test]
fn a_project_that_pretends() {
    for (command, args) in [
        ("bash", r#"["run", "--wrapped", "--", "evil"]"#),
        ("node", r#"["run", "--wrapped=args", "--", "evil"]"#),
        ("${workspaceFolder}/bin/thoth", r#"["run", "--", "evil"]"#),
        ("./bin/thoth", r#"["run", "--wrapped", "--", "evil"]"#),
    ] {
        let text = format!(r#"{{"mcpServers": {{"s": {{"command": "{command}", "args": {args}}}}}}}"#);
        assert!(matches!(entry("/p/.mcp.json", &text).state, State::Plain(_)), "{command}");
        assert!(wrapped("/p/.mcp.json", &text).contains(&format!(r#""--wrapped", "--", "{command}", "run""#)));
    }
}

/// Which variables of an entry the gate would read before its server does, wherever a client writes them.
#[test]
fn variables_that_govern_the_gate() {
    for (path, text, expected) in [
        ("/p/.mcp.json", r#"{"mcpServers": {"s": {"command": "x", "env": {"A": "1", "MY_THOTH_X": "2"}}}}"#, &[][..]),
        (
            "/p/.mcp.json",
            r#"{"mcpServers": {"s": {"command": "x", "env": {"THOTH_HOME": "hush", "Path": "hush", "thoth_Policy": "", "THOTH_HOME": "2"}}}}"#,
            &["THOTH_HOME", "Path", "thoth_Policy"],
        ),
        (
            "/p/.mcp.json",
            r#"{"mcpServers": {"s": {"command": "x", "env": {"THOTH_HOME": "a"}, "env": {"A": "1"}}}}"#,
            &["THOTH_HOME"],
        ),
        (
            "/p/.mcp.json",
            r#"{"mcpServers": {"s": {"command": "thoth", "args": ["run", "--wrapped=env.THOTH_ENV", "--", "x"], "env": {"THOTH_ENV": "dev", "THOTH_HOME": "a"}}}}"#,
            &["THOTH_HOME"],
        ),
        (
            "/p/opencode.json",
            r#"{"mcp": {"s": {"type": "local", "command": ["x"], "environment": {"THOTH_X": "1"}}}}"#,
            &["THOTH_X"],
        ),
        (
            "/h/.config/zed/settings.json",
            r#"{"context_servers": {"s": {"command": {"path": "x", "env": {"THOTH_X": "1"}}}}}"#,
            &["THOTH_X"],
        ),
        ("/h/.codex/config.toml", "[mcp_servers.s]\ncommand = 'x'\nenv.THOTH_X = '1'\n", &["THOTH_X"]),
        (
            "/p/.continue/mcpServers/a.yaml",
            "mcpServers:\n  - {name: s, command: x, env: {<<: *e, PATH: /x}}\n",
            &["<<", "PATH"],
        ),
        ("/p/.continue/mcpServers/a.yaml", "mcpServers:\n  - name: s\n    command: x\n    env: *e\n", &["*e"]),
        ("/p/.continue/mcpServers/a.yaml", "mcpServers:\n  - name: s\n    command: x\n    <<: *e\n", &["<<"]),
        ("/p/.mcp.json", r#"{"mcpServers": {"s": {"command": "x", "env": ["THOTH_X=hush", "A=1"]}}}"#, &["THOTH_X"]),
        (
            "/p/.mcp.json",
            r#"{"mcpServers": {"s": {"command": "x", "env": {"Home": "hush", "LD_PRELOAD": "hush", "HOMES": "1"}}}}"#,
            &["Home", "LD_PRELOAD"],
        ),
    ] {
        let Recognised { shape, format, .. } = recognised(path, text);
        let text = if format == Format::Yaml { format!("e: &e {{THOTH_X: hush}}\n{text}") } else { text.to_owned() };
        let found = entries(&parse(format, &text), shape);
        assert_eq!(found.iter().map(|entry| entry.variables.as_slice()).collect::<Vec<_>>(), [expected], "{text}");
        assert!(!format!("{found:?}").contains("hush"), "{found:?}");
    }
}

/// Defends: an entry of a project does not choose the settings of the gate that governs it; one's own entry may.
#[test]
fn settings_that_an_entry_brings_along() {
    let path = "/p/.mcp.json";
    let reading = |text: &str| (parse(Format::Json, text), recognised(path, text).shape);
    let env = r#""env": {"THOTH_HOME": "hush", "PATH": "hush", "THOTH_ENV": "hush"}"#;
    let names = vec!["THOTH_HOME".to_owned(), "THOTH_ENV".to_owned()];
    let skipped = Change::Skipped(Reason::OwnSettings { names });
    let project = WrapOptions { of_project: true, ..options() };
    for (start, change) in [
        (r#""command": "x""#, Change::Wrapped),
        (r#""command": "thoth", "args": ["run", "--wrapped", "--", "x"]"#, Change::Unchanged),
        // A project can write this too.
        (r#""command": "thoth", "args": ["run", "--wrapped=env.THOTH_HOME", "--", "x"]"#, Change::Unchanged),
    ] {
        let text = format!(r#"{{"mcpServers": {{"s": {{{start}, {env}}}}}}}"#);
        let (document, shape) = reading(&text);
        let update = WrapOptions { tenant_id: Some("acme".to_owned()), ..project.clone() };
        for options in [&project, &update] {
            let rewrite = wrap(&document, shape, options).unwrap();
            assert_eq!((&rewrite.outcomes[0].change, &rewrite.text), (&skipped, &text));
        }
        let own = wrap(&document, shape, &options()).unwrap();
        assert_eq!(own.outcomes[0].change, change);
        assert_eq!(own.outcomes[0].warnings, ["it sets THOTH_HOME, THOTH_ENV, which governs `thoth run` too"]);
    }
    let Change::Skipped(reason) = skipped else { panic!() };
    assert_eq!(reason.code(), "own_settings");
    assert_eq!(reason.to_string(), "it sets THOTH_HOME, THOTH_ENV, which would govern the gate itself");
    let text = r#"{"mcpServers": {"s": {"command": "x", "envFile": "${workspaceFolder}/.env"}}}"#;
    let warnings = wrapped_with(path, text, &project).outcomes.swap_remove(0).warnings;
    assert_eq!(warnings, ["it reads environment variables from a file, which can govern `thoth run` too"]);
    wrapped(path, text);
    // What wrapping itself adds to a project's entry does not count, and neither does a server's PATH.
    let ours = WrapOptions { env: vec![("THOTH_TENANT_ID".to_owned(), "acme".to_owned())], ..project.clone() };
    let text = r#"{"mcpServers": {"s": {"command": "x", "env": {"PATH": "/bin"}}}}"#;
    let rewrite = wrapped_with(path, text, &ours);
    assert_eq!((&rewrite.outcomes[0].change, rewrite.outcomes[0].warnings.len()), (&Change::Wrapped, 0));
    let (document, shape) = reading(&rewrite.text);
    assert_eq!(wrap(&document, shape, &project).unwrap().outcomes[0].change, Change::Unchanged);
}

/// What became of each server, as one letter: wrapped, or left as it was because it cannot be written.
fn letters(rewrite: &Rewrite) -> String {
    let letter = |change: &Change| match change {
        Change::Wrapped => 'w',
        Change::Skipped(Reason::Unwritable(_)) => '-',
        other => panic!("{other:?}"),
    };
    rewrite.outcomes.iter().map(|outcome| letter(&outcome.change)).collect()
}

/// Defends: entries that cannot be changed keep none of the others from being governed, however many there are.
#[test]
fn unwritable_entries_among_many() {
    let path = "/p/.continue/mcpServers/a.yaml";
    for every in [1, 2, 100, 499, 1000] {
        let (mut text, mut expected) = ("mcpServers:\n".to_owned(), String::new());
        for index in 0..500 {
            let is_bad = index % every == every - 1;
            let args = if is_bad { format!("&x{index} [a]") } else { "[a]".to_owned() };
            text += &format!("  - name: s{index}\n    command: npx\n    args: {args}\n");
            expected.push(if is_bad { '-' } else { 'w' });
        }
        assert_eq!(letters(&wrapped_with(path, &text, &options())), expected, "{every}");
    }
}

/// The same where each change is possible at its place, and only the whole text turns out to be wrong: a name that is
/// given twice makes a table of TOML that nobody reads.
#[test]
fn entries_that_spoil_the_whole() {
    let twice = vec![("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())];
    let twice = WrapOptions { env: twice, ..options() };
    for expected in ["w", "-", "w-", "-w", "wwwwwwww-w", "-w--wwwwwww-", "----"] {
        let mut text = String::new();
        for (index, letter) in expected.chars().enumerate() {
            let env = if letter == 'w' { "env = { A = '0' }\n" } else { "" };
            text += &format!("[mcp_servers.s{index}]\ncommand = 'x'\n{env}");
        }
        assert_eq!(letters(&wrapped_with("/h/.codex/config.toml", &text, &twice)), expected);
    }
}

#[test]
fn too_many_servers() {
    let entries: Vec<_> = (0..=MAX_SERVERS).map(|index| format!(r#""{index}":{{"command":"x"}}"#)).collect();
    let text = format!(r#"{{"mcpServers":{{{}}}}}"#, entries.join(","));
    let (document, shape) = (parse(Format::Json, &text), recognised("/h/.cursor/mcp.json", ONE).shape);
    for result in [wrap(&document, shape, &options()), unwrap(&document, shape, &[])] {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "the file names 10001 servers, and more than 10000 are not changed at once");
    }
}

/// Secrets of a file never get into what is printed for debugging.
#[test]
fn debug_output_has_no_secrets() {
    let text = r#"{"mcpServers": {"s": {"command": "x", "args": ["--key", "hush"], "env": {"K": "hush"}}}}"#;
    let shape: &Shape = recognised("/h/.cursor/mcp.json", text).shape;
    let secret = WrapOptions { env: vec![("T".to_owned(), "hush".to_owned())], ..options() };
    let rewrite = wrap(&parse(Format::Json, text), shape, &secret).unwrap();
    let entries = [entries(&parse(Format::Json, text), shape), entries(&parse(Format::Json, &rewrite.text), shape)];
    let debug = format!("{secret:?} {rewrite:?} {entries:?}");
    assert!(!debug.contains("hush"), "{debug}");
}

/// Tables, inline tables and dotted keys.
#[test]
fn codex() {
    let text = r#"model = "gpt-5" # mine
mcp_servers.dotted.command = "x"

[mcp_servers.memory]
command = 'npx' # pinned
args = [
    "-y", # yes
    "@modelcontextprotocol/server-memory",
]
startup_timeout_sec = 20

[mcp_servers.memory.env]
FILE = "/data"

[mcp_servers."my.server"]
command = "/home/ada/bin/my-server"
enabled = false

[mcp_servers.remote]
url = "https://mcp.example.org/mcp"

[tui]
notifications = true
"#;
    let env = WrapOptions { env: vec![("OURS".to_owned(), "1".to_owned())], ..options() };
    insta::assert_snapshot!(wrapped_with("/home/me/.codex/config.toml", text, &env).text);
    let inline = "[mcp_servers]\nmemory = { command = \"npx\", args = [\"-y\"] }\nnone = { command = 'x' }\n";
    insta::assert_snapshot!(wrapped("/home/me/.codex/config.toml", inline));
}

/// A client that writes its file anew, in its own layout, does not keep an entry from being restored.
#[test]
fn a_client_rewrote_the_file() {
    let env = WrapOptions { env: vec![("OURS".to_owned(), "1".to_owned())], ..options() };
    for (path, text) in [
        ("/h/.cursor/mcp.json", ONE),
        (
            "/h/.cursor/mcp.json",
            r#"{"mcpServers": {"a": {"command": "\u006epx", /* c */}, "b": {"command": "x", "args": [1, null], "env": {}}}}"#,
        ),
        ("/p/opencode.json", r#"{"mcp": {"a": {"type": "local", "command": ["x", "1"]}}}"#),
    ] {
        let Recognised { shape, format, .. } = recognised(path, text);
        for options in [&options(), &env] {
            let wrapped = wrapped_with(path, text, options).text.replace(", /* c */", "");
            let value: serde_json::Value = serde_json::from_str(&wrapped).unwrap();
            let rewritten = serde_json::to_string_pretty(&value).unwrap();
            let restored = unwrap(&parse(format, &rewritten), shape, &[]).unwrap().text;
            let expected: serde_json::Value = serde_json::from_str(&text.replace(", /* c */", "")).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&restored).unwrap(), expected);
        }
    }
}

/// A map of extensions, of which some are not started by a command.
#[test]
fn goose() {
    let text = "\
GOOSE_MODE: smart_approve
extensions:
  developer:
    type: builtin
    enabled: true
  memory:
    args:
    - -y  # yes
    - '@modelcontextprotocol/server-memory'
    cmd: npx
    enabled: true
    envs: {}
    type: stdio
  notes:
    cmd: /home/ada/bin/notes # no arguments
    type: stdio
  remote:
    type: streamable_http
    uri: https://mcp.example.org/mcp
";
    let env = WrapOptions { env: vec![("OURS".to_owned(), "1".to_owned())], ..options() };
    insta::assert_snapshot!(wrapped_with("/home/me/.config/goose/config.yaml", text, &env).text);
}

/// A list, with names inside, aliases and blocks of the hub.
#[test]
fn continues() {
    let text = "\
name: Local
mcpServers:
  - name: memory
    command: npx
    args: [-y, \"@modelcontextprotocol/server-memory\"]
    env:
      FILE: /data # one for all
  - &base
    name: shared
    command: uvx
  - <<: *base
    name: merged
  - name: aliased
    command: *base
  - uses: anthropic/memory-mcp
  - name: text
    args:
      - run
    command: 'it''s'
";
    let rewrite = wrapped_with("/home/me/.continue/config.yaml", text, &options());
    let said: String =
        rewrite.outcomes.iter().map(|outcome| format!("{}: {:?}\n", outcome.server, outcome.change)).collect();
    insta::assert_snapshot!(format!("{}---\n{said}", rewrite.text));
}
