//! No bypass: whatever the bytes are, a tool runs only if the ledger holds an allowed record of that very call.
//!
//! Real servers on four SDKs, whose tools write down each time that they run. The same rows are sent to them directly
//! as well, and some of the hidden calls do run there: the test can fail.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thoth_testkit::bypass::{ROWS, Row, Sdk, call};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::gated::{Gated, events_once_repaired};
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

/// Longer than anything here takes; only a test that hangs meets it.
const SOON: Duration = Duration::from_secs(120);

/// `safe` may be called; nothing else may.
const ONLY_SAFE: &str = "version: \"1\"
defaults: { approval: block, risk_level: high }
rules:
  - name: safe-is-allowed
    match: { tool: safe }
    approval: auto
    risk_level: low
";

/// What one row did.
struct Outcome {
    row: &'static Row,
    /// What the tools wrote down because of it, a line each; `Err` holds a line that is not JSON.
    tally: Vec<Result<Value, String>>,
    /// Whether an ordinary call after the row was still answered.
    survived: bool,
}

impl Outcome {
    /// Calls other than the ordinary ones.
    fn hidden(&self) -> usize {
        let ordinary = |line: &Value| line.pointer("/arguments/ordinary").is_some();
        self.tally.iter().filter(|line| !line.as_ref().is_ok_and(ordinary)).count()
    }
}

fn server(sdk: Sdk, fixtures: &Fixtures, tally: &Path) -> Launch {
    let program = |name: &str| fixtures.program(&format!("servers/{name}")).unwrap();
    let node = |name: &str| Launch::new(["node"]).arg(program(name)).env("NODE_PATH", fixtures.node_modules().unwrap());
    let python = |version: u8, name: &str| {
        Launch::new([fixtures.python(version).unwrap()]).arg(program(name)).env("PYTHONDONTWRITEBYTECODE", "1")
    };
    let launch = match sdk {
        Sdk::TypeScript1 => node("tally_ts1.cjs"),
        Sdk::TypeScript2 => node("tally_ts2.cjs"),
        Sdk::Python1 => python(1, "tally_py1.py"),
        Sdk::Python2 => python(2, "tally_py2.py"),
    };
    launch.env("TALLY", tally)
}

/// A server with a session open, and how much of its tally has been read.
struct Session {
    peer: StdioPeer,
    read: usize,
}

impl Session {
    fn open(launch: &Launch, tally: &Path) -> Self {
        let mut peer = StdioPeer::spawn(launch).unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "rows", "version": "1"}}});
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        peer.send(format!("{hello}\n{ready}\n").as_bytes()).unwrap();
        assert!(answered(&mut peer, &json!("hello")), "no handshake: {}", peer.complaints());
        Self { peer, read: fs::read_to_string(tally).unwrap_or_default().lines().count() }
    }

    /// Sends a row twice, hiding the forbidden tool and the allowed one, then ordinary calls that must be answered.
    /// A server that gives up closes its input; that shows in the ordinary calls.
    fn send(&mut self, row: &Row, first_id: u64) -> bool {
        let bytes = [(row.bytes)("danger", first_id), (row.bytes)("safe", first_id + 10)];
        bytes.iter().all(|bytes| self.peer.send(bytes).is_ok())
            && [first_id + 20, first_id + 21].iter().all(|id| {
                self.peer.send(&call(*id, "safe", r#"{"ordinary":true}"#)).is_ok()
                    && answered(&mut self.peer, &json!(id))
            })
    }
}

/// What the tools have written down after the lines already read.
fn new_lines(tally: &Path, read: usize) -> Vec<Result<Value, String>> {
    let text = fs::read_to_string(tally).unwrap_or_default();
    let parsed = |line: &str| serde_json::from_str(line).map_err(|_| line.chars().take(200).collect());
    text.lines().skip(read).map(parsed).collect()
}

/// Sends every row, in one session for as long as the server bears it.
fn run_all(launch: &Launch, tally: &Path) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut session: Option<Session> = None;
    for (row, first_id) in ROWS.iter().zip((1_000..).step_by(1_000)) {
        let mut current = match session.take() {
            Some(current) if !row.ends_input => current,
            _ => Session::open(launch, tally),
        };
        if row.ends_input {
            current.peer.send(&(row.bytes)("danger", first_id)).unwrap();
            let Session { peer, read } = current;
            peer.finish(SOON).unwrap_or_else(|error| panic!("{}: {error}", row.name));
            outcomes.push(Outcome { row, tally: new_lines(tally, read), survived: true });
            continue;
        }
        let survived = current.send(row, first_id);
        let tally = new_lines(tally, current.read);
        current.read += tally.len();
        outcomes.push(Outcome { row, tally, survived });
        session = survived.then_some(current);
    }
    if let Some(session) = session {
        session.peer.finish(SOON).unwrap();
    }
    outcomes
}

/// Reads until the answer to an id; `false` when the output ends first.
fn answered(peer: &mut StdioPeer, id: &Value) -> bool {
    while let Some(line) = peer.receive(SOON).unwrap() {
        let message: Value = serde_json::from_slice(&line).unwrap_or_default();
        if message.get("id") == Some(id) && message.get("method").is_none() {
            return true;
        }
    }
    false
}

/// The calls that the ledger says were allowed, as tool and arguments.
fn allowed(gate: &Gated) -> Vec<(String, Value)> {
    // Clients kill what does not end as fast as they would like.
    let thoth = Path::new(env!("CARGO_BIN_EXE_thoth"));
    let events = events_once_repaired(thoth, gate.ledger(), gate.home()).into_iter();
    let text = |event: &Value, key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    events
        .filter(|event| text(event, "eventType") == "TOOL_CALL_PRE" && text(event, "decision") == "ALLOW")
        .map(|event| {
            let content = text(&event, "content");
            let arguments = if content.is_empty() { json!({}) } else { serde_json::from_str(&content).unwrap() };
            (text(&event, "toolName"), arguments)
        })
        .collect()
}

/// What a server hands to a tool, given what it was sent: JavaScript rounds numbers, and its SDKs drop `__proto__`.
fn as_seen_by(sdk: Sdk, value: Value) -> Value {
    let javascript = matches!(sdk, Sdk::TypeScript1 | Sdk::TypeScript2);
    match value {
        Value::Null if !javascript => json!({}),
        Value::Number(number) if javascript => json!(number.as_f64()),
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(key, _)| !(javascript && key == "__proto__"));
            Value::Object(kept.map(|(key, inner)| (key, as_seen_by(sdk, inner))).collect())
        }
        other => other,
    }
}

/// Defends invariants 1, 2 and 4: no tool runs without an allowed record of exactly that tool with exactly those
/// arguments, and none that the policy forbids runs at all.
fn assert_nothing_unrecorded(sdk: Sdk) {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let tally = scratch.path().join("tally");
    let gate = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), scratch.path(), ONLY_SAFE).unwrap();
    let outcomes = run_all(&server(sdk, &fixtures, &tally).behind(&gate.launch()), &tally);
    let mut records: Vec<_> = allowed(&gate);
    for (_, arguments) in &mut records {
        *arguments = as_seen_by(sdk, arguments.take());
    }
    let mut wrong = Vec::new();
    for Outcome { row, tally, survived } in &outcomes {
        for line in tally {
            let recorded = line.as_ref().ok().and_then(|line| {
                let arguments = as_seen_by(sdk, line["arguments"].clone());
                records.iter().position(|record| line["tool"] == record.0.as_str() && arguments == record.1)
            });
            match recorded {
                Some(position) => drop(records.swap_remove(position)),
                None => wrong.push(format!("{}: ran without a record: {line:?}", row.name)),
            }
            if line.as_ref().is_ok_and(|line| line["tool"] != "safe") {
                wrong.push(format!("{}: a forbidden tool ran: {line:?}", row.name));
            }
        }
        if !survived {
            wrong.push(format!("{}: the session did not survive", row.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let ran: usize = outcomes.iter().map(|outcome| outcome.tally.len()).sum();
    assert!(ran >= 2 * (ROWS.len() - 1), "only {ran} calls ran, so the rows proved little");
}

/// The rows are real: without the gate, the servers that the table names do run the hidden calls.
fn assert_hidden_calls_run(sdk: Sdk) {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let tally = scratch.path().join("tally");
    let outcomes = run_all(&server(sdk, &fixtures, &tally), &tally);
    let as_said = |outcome: &&Outcome| (outcome.hidden() > 0) == outcome.row.runs_on.contains(&sdk);
    let wrong: Vec<String> = outcomes
        .iter()
        .filter(|outcome| !as_said(outcome))
        .map(|outcome| format!("{}: {} hidden calls ran", outcome.row.name, outcome.hidden()))
        .collect();
    assert!(wrong.is_empty(), "not as the table says: {wrong:#?}");
}

#[test]
fn nothing_unrecorded_runs_on_the_typescript_sdk_1_behind_the_gate() {
    assert_nothing_unrecorded(Sdk::TypeScript1);
}

#[test]
fn nothing_unrecorded_runs_on_the_typescript_sdk_2_behind_the_gate() {
    assert_nothing_unrecorded(Sdk::TypeScript2);
}

#[test]
fn nothing_unrecorded_runs_on_the_python_sdk_1_behind_the_gate() {
    assert_nothing_unrecorded(Sdk::Python1);
}

#[test]
fn nothing_unrecorded_runs_on_the_python_sdk_2_behind_the_gate() {
    assert_nothing_unrecorded(Sdk::Python2);
}

#[test]
fn hidden_calls_run_on_the_typescript_sdk_1_without_the_gate() {
    assert_hidden_calls_run(Sdk::TypeScript1);
}

#[test]
fn hidden_calls_run_on_the_typescript_sdk_2_without_the_gate() {
    assert_hidden_calls_run(Sdk::TypeScript2);
}

#[test]
fn hidden_calls_run_on_the_python_sdk_1_without_the_gate() {
    assert_hidden_calls_run(Sdk::Python1);
}

#[test]
fn hidden_calls_run_on_the_python_sdk_2_without_the_gate() {
    assert_hidden_calls_run(Sdk::Python2);
}
