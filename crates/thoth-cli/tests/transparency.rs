//! Transparency: with a policy that allows everything, nobody can tell from the bytes that the gate is there.
//!
//! Each server holds the same conversation three times: twice directly, which shows what differs anyway, and once
//! behind `thoth run`. The third must equal the others, and within it both ends must have seen the same bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::fs;
use std::path::Path;

use serde_json::json;
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::gated::{ALLOW_ALL, Gated};
use thoth_testkit::stdio_peer::Launch;
use thoth_testkit::transcript::{Comparison, Recording, Revision, Script};

/// One server and what must be true of the conversation with it.
struct Case<'c> {
    server: Launch,
    script: Script,
    /// Makes the server's files as they are at the start of every conversation.
    reset: &'c dyn Fn(),
    /// Uses that the conversation must contain, or the test would prove too little.
    uses: &'c [&'c str],
    /// How many different uses there must be at least.
    at_least: usize,
    /// Methods of the server with random content.
    random: &'c [&'c str],
}

/// Defends invariant 2: what was inspected is what is forwarded, in both directions, unchanged.
fn assert_transparent(scratch: &Path, case: &Case<'_>) {
    let gate = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), scratch, ALLOW_ALL).unwrap().launch();
    let record = |between: Option<&Launch>| {
        (case.reset)();
        Recording::make(&case.server, between, &case.script, scratch).unwrap()
    };
    let (first, second, through) = (record(None), record(None), record(Some(&gate)));

    assert_same_bytes("what the client sent and what the server read", &through.sent, &through.server_read);
    assert_same_bytes("what the server wrote and what the client received", &through.server_wrote, &through.received);

    let compared = Comparison::between(&first.received, &second.received, &through.received, case.random)
        .unwrap_or_else(|difference| panic!("{difference}"));
    println!("{compared:?}, {} uses: {:?}", through.used.len(), through.used);
    assert_eq!(first.used, through.used);
    assert!(compared.exact >= 3 * (compared.masked + compared.unstable), "{compared:?} compares too little");
    for needed in case.uses {
        assert!(through.used.contains(*needed), "the conversation lacks `{needed}`: {:?}", through.used);
    }
    assert!(through.used.len() >= case.at_least, "{} uses: {:?}", through.used.len(), through.used);
}

fn assert_same_bytes(what: &str, left: &[u8], right: &[u8]) {
    let at = left.iter().zip(right).position(|(a, b)| a != b).unwrap_or(left.len().min(right.len()));
    let around =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[at.saturating_sub(80)..bytes.len().min(at + 200)]).into_owned();
    assert!(left == right, "{what} differ at byte {at}: `{}` and `{}`", around(left), around(right));
}

fn node(fixtures: &Fixtures, server: &str) -> Launch {
    Launch::new(["node"]).arg(fixtures.npm_server(server).unwrap())
}

#[test]
fn server_filesystem_is_the_same_behind_the_gate() {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(scratch.path()).unwrap().join("files");
    let reset = || {
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(root.join("inner")).unwrap();
        fs::write(root.join("a.txt"), "first line\nsecond line\nthird line\n").unwrap();
        fs::write(root.join("b.txt"), "übung\n").unwrap();
        fs::write(root.join("dot.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    };
    let at = |name: &str| root.join(name).to_string_lossy().into_owned();
    let script = Script::everything(Revision::Legacy)
        .call("read_file", [json!({"path": at("a.txt")}), json!({"path": at("a.txt"), "head": 1}), json!({})])
        .call("read_text_file", [json!({"path": at("b.txt")}), json!({"path": at("../outside")})])
        .call("read_media_file", [json!({"path": at("dot.png")})])
        .call("read_multiple_files", [json!({"paths": [at("a.txt"), at("none")]})])
        .call("write_file", [json!({"path": at("new.txt"), "content": "\u{2028} \"quoted\" \\ line\n"})])
        .call(
            "edit_file",
            [
                json!({"path": at("a.txt"), "edits": [{"oldText": "second", "newText": "2nd"}], "dryRun": true}),
                json!({"path": at("a.txt"), "edits": [{"oldText": "second", "newText": "2nd"}]}),
            ],
        )
        .call("create_directory", [json!({"path": at("made")})])
        .call("list_directory", [json!({"path": at("inner")})])
        .call("list_directory_with_sizes", [json!({"path": at("inner"), "sortBy": "name"})])
        .call("directory_tree", [json!({"path": at("inner")})])
        .call("move_file", [json!({"source": at("b.txt"), "destination": at("c.txt")})])
        .call("search_files", [json!({"path": at("inner"), "pattern": "*.txt"})])
        .call("get_file_info", [json!({"path": at("a.txt")})]);
    let server = node(&fixtures, "server-filesystem").arg(&root);
    let uses = ["tools/call read_file", "tools/call write_file", "tools/call edit_file", "tools/call no_such_tool"];
    let case = Case { server, script, reset: &reset, uses: &uses, at_least: 26, random: &[] };
    assert_transparent(scratch.path(), &case);
}

#[test]
fn server_everything_is_the_same_behind_the_gate() {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let script = Script::everything(Revision::Legacy)
        .call(
            "gzip-file-as-resource",
            [json!({"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"})],
        )
        .call("trigger-long-running-operation", [json!({"duration": 1, "steps": 3})])
        // Only as a task: a plain call takes as long as the research pretends to.
        .call("simulate-research-query", [])
        // What is switched on is switched off again, or the server would never end.
        .call("toggle-simulated-logging", [json!({}), json!({})])
        .call("toggle-subscriber-updates", [json!({}), json!({})])
        .cancel("trigger-long-running-operation", json!({"duration": 2, "steps": 2}));
    let uses = [
        "tools/call echo",
        "tools/call trigger-sampling-request",
        "tools/call trigger-elicitation-request",
        "tools/call get-roots-list",
        "resources/subscribe demo://resource/static/document/features.md",
        "prompts/get args-prompt",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "notifications/cancelled",
        "no/such/method",
    ];
    let preload = fixtures.program("servers/end_with_input.cjs").unwrap();
    let everything = fixtures.npm_server("server-everything").unwrap();
    let server = Launch::new(["node", "--require"]).arg(preload).arg(everything).arg("stdio");
    let case = Case { server, script, reset: &|| {}, uses: &uses, at_least: 50, random: &["notifications/message"] };
    assert_transparent(scratch.path(), &case);
}

#[test]
fn server_memory_is_the_same_behind_the_gate() {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let memory = scratch.path().join("memory.jsonl");
    let entity = json!({"name": "Ada", "entityType": "person", "observations": ["counts", "\u{1F9EE}"]});
    let relation = json!({"from": "Ada", "to": "Charles", "relationType": "knows"});
    let script = Script::everything(Revision::Legacy)
        .call("create_entities", [json!({"entities": [entity]})])
        .call("create_relations", [json!({"relations": [relation]})])
        .call("add_observations", [json!({"observations": [{"entityName": "Ada", "contents": ["writes"]}]})])
        .call("search_nodes", [json!({"query": "Ada"})])
        .call("open_nodes", [json!({"names": ["Ada"]})]);
    let server = node(&fixtures, "server-memory").env("MEMORY_FILE_PATH", &memory);
    let uses = ["tools/call create_entities", "tools/call read_graph", "tools/call delete_entities"];
    let reset = || drop(fs::remove_file(&memory));
    let case = Case { server, script, reset: &reset, uses: &uses, at_least: 25, random: &[] };
    assert_transparent(scratch.path(), &case);
}

/// The everything-server example of the Python SDK, which speaks both eras.
fn python_everything(fixtures: &Fixtures) -> Launch {
    let start = "from mcp_everything_server.server import mcp; mcp.run('stdio')";
    // The hash seed decides the order in which this server names missing arguments.
    let python = Launch::new([fixtures.python(2).unwrap()]).env("PYTHONHASHSEED", "0");
    python.arg("-c").arg(start).in_dir(fixtures.python_everything_server().unwrap())
}

#[test]
fn the_python_everything_server_is_the_same_behind_the_gate_in_the_legacy_era() {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let script = Script::everything(Revision::Legacy);
    let uses = [
        "tools/call test_sampling",
        "tools/call test_elicitation",
        "tools/call test_tool_with_progress",
        "tools/call test_tool_with_logging",
        "resources/read test://static-binary",
        "prompts/get test_prompt_with_embedded_resource",
    ];
    let case =
        Case { server: python_everything(&fixtures), script, reset: &|| {}, uses: &uses, at_least: 55, random: &[] };
    assert_transparent(scratch.path(), &case);
}

#[test]
fn the_python_everything_server_is_the_same_behind_the_gate_in_the_modern_era() {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let script = Script::everything(Revision::Modern);
    let uses = [
        "server/discover",
        "subscriptions/listen",
        "tools/call test_input_required_result_multi_round",
        "tools/call test_streaming_elicitation",
        "prompts/get test_input_required_result_prompt",
    ];
    let case =
        Case { server: python_everything(&fixtures), script, reset: &|| {}, uses: &uses, at_least: 50, random: &[] };
    assert_transparent(scratch.path(), &case);
}
