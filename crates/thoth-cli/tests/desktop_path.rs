//! Servers whose programs only the user's shell knows: a desktop starts the client with a `PATH` that lacks them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::{Value, json};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::machine::{Machine, Session};

/// The real file of a program of the test's own environment.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    fs::canonicalize(found.unwrap()).unwrap()
}

/// Node.js and its programs lie where nvm puts them, and `PATH` has a shell and nothing else: the programs are found all
/// the same, and so is `node`, which both of them ask for by name.
#[test]
fn what_only_a_version_manager_has_goes_through_the_gate() {
    let fixtures = Fixtures::locate().unwrap();
    let modules = fixtures.node_modules().unwrap();
    let machine = Machine::new(env!("CARGO_BIN_EXE_thoth")).unwrap();
    let system = machine.home().join("system");
    fs::create_dir(&system).unwrap();
    symlink(program("sh"), system.join("sh")).unwrap();
    let machine = machine.with_path(system.to_str().unwrap());
    let bin = machine.home().join(".nvm/versions/node/v22.23.3/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(fixtures.node_22().unwrap(), bin.join("node")).unwrap();
    symlink(program("npx"), bin.join("npx")).unwrap();
    symlink(modules.join(".bin/mcp-server-memory"), bin.join("mcp-server-memory")).unwrap();
    machine.write(&machine.home().join(".npmrc"), b"offline=true\nupdate-notifier=false\n").unwrap();

    let config = machine.home().join(".config/Claude/claude_desktop_config.json");
    let npx = ["-y", "@modelcontextprotocol/server-memory"];
    let servers = json!({"mcpServers": {
        "by name": {"command": "mcp-server-memory", "args": []},
        "by path": {"command": bin.join("npx"), "args": npx},
    }});
    machine.write(&config, servers.to_string().as_bytes()).unwrap();
    let output = machine.run(["wrap-config"]).unwrap();
    assert!(output.status.success(), "{output:?}");

    let wrapped: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    for name in ["by name", "by path"] {
        let entry = &wrapped["mcpServers"][name];
        let words = [&entry["command"]].into_iter().chain(entry["args"].as_array().unwrap());
        let words: Vec<String> = words.map(|word| word.as_str().unwrap().to_owned()).collect();
        let launch = machine.launch(&words, &[]).in_dir(modules.parent().unwrap());
        let mut session = Session::open(&launch).unwrap();
        assert!(session.call("read_graph").unwrap()["result"]["content"].is_array(), "{name}");
        session.close().unwrap();
    }
    let governed = machine.ledger().unwrap().into_iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE");
    assert_eq!(governed.map(|call| call["serverName"].clone()).collect::<Vec<_>>(), ["by name", "by path"]);
}
