//! Every client's file, as that client writes it: wrapped, read by that client, run for real, restored to the byte.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thoth_testkit::client_files::{CLIENT_FILES, ClientFile, Syntax, read, rewrite};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::machine::{Machine, Session};

const THOTH: &str = env!("CARGO_BIN_EXE_thoth");

/// A machine with one client's file in its place.
struct Case {
    file: &'static ClientFile,
    fixtures: Fixtures,
    machine: Machine,
    path: PathBuf,
    original: Vec<u8>,
}

impl Case {
    fn new(file: &'static ClientFile) -> Self {
        let fixtures = Fixtures::locate().unwrap();
        let machine = Machine::new(THOTH).unwrap();
        let original = fs::read(file.committed(&fixtures).unwrap()).unwrap();
        let path = place(&machine, file);
        machine.write(&path, &original).unwrap();
        Self { file, fixtures, machine, path, original }
    }

    fn thoth(&self, words: &[&str]) {
        let output = self.machine.run(words.iter().map(Path::new).chain([self.path.as_path()])).unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {words:?}: {said}", self.name());
    }

    fn wrap(&self) {
        self.thoth(&["wrap-config", "--thoth-bin", THOTH]);
    }

    fn unwrap(&self) {
        self.thoth(&["unwrap-config"]);
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    fn file(&self) -> (Syntax, &Path) {
        (self.file.syntax, &self.path)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.file.host, self.file.name)
    }
}

/// What the clients read in their files.
fn values(cases: &[Case]) -> Vec<Value> {
    let files: Vec<_> = cases.iter().map(Case::file).collect();
    read(&Fixtures::locate().unwrap(), &files).unwrap()
}

fn place(machine: &Machine, file: &ClientFile) -> PathBuf {
    file.path_below(&if file.of_project() { machine.project() } else { machine.home() })
}

/// The ways to a client's tables of servers; `*` is any name.
fn tables(host: &str) -> &'static [&'static [&'static str]] {
    match host {
        "claude-code" => &[&["mcpServers"], &["projects", "*", "mcpServers"]],
        "kiro" => &[&["mcpServers"], &["powers", "mcpServers"]],
        "vscode" => &[&["servers"]],
        "zed" => &[&["context_servers"]],
        "codex" => &[&["mcp_servers"]],
        "goose" => &[&["extensions"]],
        "opencode" => &[&["mcp"], &["mcp", "servers"]],
        _ => &[&["mcpServers"]],
    }
}

/// Calls `visit` with the name and the entry of every server of a file.
fn each_server(host: &str, value: &mut Value, visit: &mut dyn FnMut(&str, &mut Value)) {
    fn walk(value: &mut Value, way: &[&str], visit: &mut dyn FnMut(&str, &mut Value)) {
        match (way.split_first(), value) {
            (Some((&"*", rest)), Value::Object(members)) => {
                members.values_mut().for_each(|member| walk(member, rest, visit));
            }
            (Some((name, rest)), Value::Object(members)) => {
                if let Some(member) = members.get_mut(*name) {
                    walk(member, rest, visit);
                }
            }
            (None, Value::Object(entries)) => entries.iter_mut().for_each(|(name, entry)| visit(name, entry)),
            (None, Value::Array(entries)) => {
                for entry in entries {
                    let name = entry["name"].as_str().unwrap_or_default().to_owned();
                    visit(&name, entry);
                }
            }
            _ => {}
        }
    }
    tables(host).iter().for_each(|way| walk(value, way, visit));
}

fn field(host: &str, plain: &'static str) -> &'static str {
    match (host, plain) {
        ("goose", "command") => "cmd",
        ("goose", "env") => "envs",
        ("opencode", "env") => "environment",
        _ => plain,
    }
}

/// The words that an entry starts its server with, whichever of the three forms it has; `None` if it starts nothing.
fn words(host: &str, entry: &Value) -> Option<Vec<String>> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let command = &entry[field(host, "command")];
    match command {
        // Programs and arguments in one text: only a shell could start that.
        Value::String(program) if program.contains(" -") => None,
        Value::String(program) => Some([vec![program.clone()], texts(&entry["args"])].concat()),
        Value::Array(_) => Some(texts(command)),
        Value::Object(_) => Some([vec![command["path"].as_str()?.to_owned()], texts(&command["args"])].concat()),
        _ => None,
    }
}

/// What wrapping makes of an entry, said a second time and as plainly as possible.
fn wrapped(host: &str, name: &str, entry: &mut Value) {
    let Some(original) = words(host, entry) else { return };
    let (command, list) = (field(host, "command"), entry[field(host, "command")].is_array());
    let inner = if entry[command].is_object() { &mut entry[command] } else { &mut *entry };
    let added = if inner["args"].is_array() || list { "--wrapped" } else { "--wrapped=args" };
    let mut all: Vec<String> =
        [THOTH, "run", "--agent-id", host, "--server-name", name, added, "--"].map(str::to_owned).to_vec();
    all.extend(original);
    if list {
        inner[command] = json!(all);
    } else {
        let program = if inner["path"].is_string() { "path" } else { command };
        inner[program] = json!(all[0]);
        inner["args"] = json!(all[1..]);
    }
}

/// What wrapping makes of a whole file, and how many of its entries start a server and how many do not.
fn all_wrapped(host: &str, original: &Value) -> (Value, (usize, usize)) {
    let mut expected = original.clone();
    let mut count = (0, 0);
    each_server(host, &mut expected, &mut |name, entry| {
        // The older place of OpenCode's servers holds their newer table.
        if (host, name) == ("opencode", "servers") {
            return;
        }
        *(if words(host, entry).is_some() { &mut count.0 } else { &mut count.1 }) += 1;
        wrapped(host, name, entry);
    });
    (expected, count)
}

/// Each client reads what wrapping wrote, finds its servers behind the gate and everything else as it was; undoing it
/// gives back every byte. Also after the client wrote the file anew, which keeps the value and nothing else.
#[test]
fn every_client_reads_its_wrapped_file_and_leads_to_the_gate() {
    let cases: Vec<Case> = CLIENT_FILES.iter().map(Case::new).collect();
    let originals = values(&cases);
    cases.iter().for_each(Case::wrap);
    let once = values(&cases);
    for ((case, original), once) in cases.iter().zip(&originals).zip(&once) {
        let (expected, count) = all_wrapped(case.file.host, original);
        assert_eq!(count, (case.file.started, case.file.others), "{}", case.name());
        assert_eq!(*once, expected, "{}", case.name());
        let bytes = case.bytes();
        case.wrap();
        assert!(case.bytes() == bytes, "{}: wrapping twice is wrapping once", case.name());
        case.unwrap();
        assert!(case.bytes() == case.original, "{}: not restored:\n{}", case.name(), case.text());
        case.wrap();
    }

    let files: Vec<_> = cases.iter().map(Case::file).collect();
    rewrite(&Fixtures::locate().unwrap(), &files).unwrap();
    assert_eq!(values(&cases), once, "the test's own rewriting");
    cases.iter().for_each(Case::unwrap);
    for ((case, original), restored) in cases.iter().zip(&originals).zip(values(&cases)) {
        assert_eq!(restored, *original, "{}", case.name());
    }
}

impl Case {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// What the client's own parser says about starting the first server with `memory` in its name.
    fn memory(&self) -> (Vec<String>, Vec<(String, String)>) {
        let mut found = None;
        let host = self.file.host;
        let mut value = values(std::slice::from_ref(self)).remove(0);
        each_server(host, &mut value, &mut |name, entry| {
            if name.contains("memory") && found.is_none() {
                let own = &entry[field(host, "env")];
                let variables = own.as_object().into_iter().flatten();
                let variables = variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
                found = words(host, entry).map(|words| (words, variables.collect()));
            }
        });
        found.unwrap_or_else(|| panic!("{}: no server `memory`", self.name()))
    }
}

/// So that `npx` finds its packages in the folder that it is started in, and asks no registry for anything.
const NPMRC: &str = "offline=true\nupdate-notifier=false\n";

/// Holds a session with a governed memory server: reading it works, deleting is refused, and the ledger has both under
/// the client's name.
fn assert_governed(case: &Case, memory: &(Vec<String>, Vec<(String, String)>)) {
    let (words, env) = memory;
    let node = case.fixtures.node_modules().unwrap();
    let launch = case.machine.launch(words, env).in_dir(node.parent().expect("it lies in a folder"));
    let mut session = Session::open(&launch).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
    let tools = session.ask("tools/list", &json!({})).unwrap();
    let tools = tools["result"]["tools"].as_array().expect("a list of tools");
    assert!(tools.iter().any(|tool| tool["name"] == "read_graph"), "{}", case.name());
    assert!(session.call("read_graph").unwrap()["result"]["content"].is_array(), "{}", case.name());
    assert_eq!(session.call("delete_entities").unwrap()["error"]["code"], -32001, "{}", case.name());
    session.close().unwrap();

    let calls: Vec<Value> =
        case.machine.ledger().unwrap().into_iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE").collect();
    let seen: Vec<_> = calls.iter().map(|call| (&call["toolName"], &call["decision"])).collect();
    assert_eq!(seen, [(&json!("read_graph"), &json!("ALLOW")), (&json!("delete_entities"), &json!("BLOCK"))]);
    for call in &calls {
        assert_eq!(call["agentId"], case.file.host);
        assert!(call["serverName"].as_str().unwrap().contains("memory"));
    }
}

/// What each client takes out of its wrapped file starts a real server behind the gate. The environment is a desktop's:
/// `PATH=/usr/bin:/bin`, and the server is started by `npx`.
#[test]
fn what_every_client_starts_from_its_wrapped_file_goes_through_the_gate() {
    let mut formats = Vec::new();
    for file in CLIENT_FILES.iter().filter(|file| file.runs_here()) {
        let case = Case::new(file);
        case.machine.write(&case.machine.home().join(".npmrc"), NPMRC.as_bytes()).unwrap();
        case.wrap();
        assert_governed(&case, &case.memory());
        formats.push((file.host, file.syntax));
    }
    let hosts: std::collections::BTreeSet<_> = formats.iter().map(|(host, _)| *host).collect();
    let all: std::collections::BTreeSet<_> = CLIENT_FILES.iter().map(|file| file.host).collect();
    assert_eq!(hosts, all, "every client is among them");
    for syntax in [Syntax::Json, Syntax::Jsonc, Syntax::Toml, Syntax::Yaml] {
        assert!(formats.iter().any(|(_, known)| *known == syntax), "{syntax:?}");
    }
}

/// One command governs a machine that has every client, and one undoes it: every file is found where it is, `status`
/// knows each server, a second run has nothing to do, and every byte comes back.
#[test]
fn one_command_puts_a_whole_machine_behind_the_gate_and_one_undoes_it() {
    let fixtures = Fixtures::locate().unwrap();
    let machine = Machine::new(THOTH).unwrap();
    let files: Vec<&ClientFile> = CLIENT_FILES.iter().filter(|file| file.runs_here()).collect();
    let original = |file: &ClientFile| fs::read(file.committed(&fixtures).unwrap()).unwrap();
    for file in &files {
        machine.write(&place(&machine, file), &original(file)).unwrap();
    }
    let run = |words: &[&str]| machine.run(words).unwrap();
    let governed = || -> (usize, usize) {
        let status = run(&["status", "--json"]);
        assert!(status.status.success(), "{status:?}");
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let servers = status["servers"].as_array().unwrap();
        (servers.iter().filter(|server| server["governed"] == true).count(), servers.len())
    };
    let started: usize = files.iter().map(|file| file.started).sum();
    let all = started + files.iter().map(|file| file.others).sum::<usize>();
    assert_eq!(governed(), (0, all));

    assert_eq!(run(&["wrap-config", "--check"]).status.code(), Some(1), "there is something to do");
    let wrapped = run(&["wrap-config"]);
    assert!(wrapped.status.success(), "{wrapped:?}");
    assert_eq!(governed(), (started, all));
    assert_eq!(run(&["wrap-config", "--check"]).status.code(), Some(0), "there is nothing to do");

    let unwrapped = run(&["unwrap-config"]);
    assert!(unwrapped.status.success(), "{unwrapped:?}");
    for file in &files {
        assert!(fs::read(place(&machine, file)).unwrap() == original(file), "{}/{}", file.host, file.name);
    }
}
