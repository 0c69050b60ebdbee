//! What the sidecar tells the enforcer beside asking: the machine, and everything that is in the ledger.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_testkit::plain_http::ask;

use crate::decisions::{HERE, THERE};
use crate::site::{Asking, Keeps, Session, Thothd, eventually, refused, text};

const REVISION: &str = "2025-06-18";

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// A key of the agent that may also send events.
fn key(site: &Thothd) -> String {
    site.key(&["--agent-id", "bot", "--permission", "execute", "--permission", "write"])
}

/// How a laptop asks that goes on alone while the enforcer is away.
fn asking(site: &Thothd, key: String) -> Asking {
    Asking::of(site.url(), key)
        .var("THOTH_ENDPOINT_ID", "laptop")
        .var("THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC", "1")
        .var("THOTH_ENV", "dev")
        .var("THOTH_ENFORCER_FAILURE_DECISION", "allow")
}

/// What an administrator does.
pub(crate) fn govern(site: &Thothd, key: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
    let (url, body) = (site.url(), body.map(Value::to_string).unwrap_or_default());
    let headers = format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\n");
    let text = ask(url.trim_start_matches("http://"), (method, path), &headers, &body).unwrap();
    assert!(text.starts_with("HTTP/1.1 20"), "{text}");
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

pub(crate) fn administrator(site: &Thothd) -> String {
    site.key(&["--name", "ops", "--organization", "--permission", "read", "--permission", "write"])
}

/// The ids of the records that the enforcer was told of, in the order in which it took them.
fn told(site: &Thothd, key: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/acme/thoth/events?order=oldest&limit=1000{cursor}");
        let page = govern(site, key, "GET", &path, None);
        let events = page["data"].as_array().unwrap();
        if events.is_empty() {
            return ids;
        }
        ids.extend(events.iter().map(|event| event["metadata"]["event_id"].as_str().unwrap().to_owned()));
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
}

/// The ids of the agent's records in the ledger, in order.
fn recorded(events: &[Value]) -> Vec<String> {
    let own = events.iter().filter(|event| event["agentId"] == "bot");
    own.map(|event| event["eventId"].as_str().unwrap().to_owned()).collect()
}

/// What `thoth health` says of the reports of a home.
fn health(folder: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    let output = command.args(["health", "--json"]).env("THOTH_HOME", folder.join("home")).output().unwrap();
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = &health["reports"][0];
    assert_eq!((&report["tenant_id"], &report["agent_id"]), (&json!("acme"), &json!("bot")), "{health}");
    report.clone()
}

/// The ledger's events, once the enforcer was told of all of them. A session waits no more than a moment for that at its end;
/// what it could not tell, the next one does, which records some itself.
fn once_all_is_told(folder: &Arc<TempDir>, asking: &Asking, mut events: Vec<Value>) -> Vec<Value> {
    eventually("not all is told", || {
        let kept = health(folder.path());
        if kept["events_pending"] == 0 && kept["errors"] == json!([]) {
            return true;
        }
        events = Session::begin_at(folder, REVISION, HERE, asking).end();
        false
    });
    events
}

#[test]
fn a_quarantine_reaches_the_sidecar() {
    quarantined(Keeps::Files);
}

/// Defends invariant 5: the enforcer knows the machine; once it puts it into quarantine every call is refused here, also while
/// the enforcer is away and in sessions that begin then, until it says otherwise.
pub(crate) fn quarantined(keeps: Keeps) {
    let mut site = Thothd::start_on(keeps, THERE);
    let (ops, folder) = (administrator(&site), folder());
    let asking = asking(&site, key(&site));
    let welcome = json!({"name": "welcome"});
    let mut session = Session::begin_at(&folder, REVISION, HERE, &asking);
    assert_eq!(text(&session.call("read_note", &welcome)), "Welcome to the notes server.");
    eventually("the machine does not register", || {
        let listed = govern(&site, &ops, "GET", "/acme/thoth/endpoints?status=online", None);
        listed["data"][0]["endpoint_id"] == "laptop" && listed["data"][0]["agent_ids"] == json!(["bot"])
    });
    let quarantine = |site: &Thothd, quarantined: bool| {
        let body = json!({"quarantined": quarantined, "reason": "test"});
        govern(site, &ops, "POST", "/acme/thoth/endpoints/laptop/quarantine", Some(&body));
    };
    quarantine(&site, true);
    let blocked = (-32001, "endpoint_quarantined");
    eventually("the quarantine is not heard", || refused(&session.call("read_note", &welcome)) == blocked);
    site.kill();
    assert_eq!(refused(&session.call("read_note", &welcome)), blocked);
    let ran = session.ran("read_note");
    session.end();
    let mut next = Session::begin_at(&folder, REVISION, HERE, &asking);
    assert_eq!(refused(&next.call("read_note", &welcome)), blocked, "it is remembered");
    site.again();
    assert_eq!(refused(&next.call("read_note", &welcome)), blocked);
    quarantine(&site, false);
    eventually("the release is not heard", || next.call("read_note", &welcome)["result"].is_object());
    assert_eq!(next.ran("read_note"), ran + 1);
    next.end();
}

#[test]
fn every_record_is_told_once_and_in_order() {
    told_once(Keeps::Files);
}

/// Defends invariant 4: what is in the ledger is what is told, each record once and in order, though the enforcer is killed in
/// the middle of it and two sessions share the ledger.
pub(crate) fn told_once(keeps: Keeps) {
    let mut site = Thothd::start_on(keeps, THERE);
    let (ops, folder) = (administrator(&site), folder());
    let asking = asking(&site, key(&site));
    let welcome = json!({"name": "welcome"});
    let mut session = Session::begin_at(&folder, REVISION, HERE, &asking);
    for call in 0..200 {
        match call {
            50 => site.kill(),
            150 => site.again(),
            _ => {}
        }
        assert!(session.call("read_note", &welcome)["result"].is_object());
    }
    let events = session.end();
    assert!(events.len() > 400);
    // The last try may have been while the enforcer was coming back; then the next session tells the rest.
    let mut both = [0; 2].map(|_| Session::begin_at(&folder, REVISION, HERE, &asking));
    for _ in 0..20 {
        for session in &mut both {
            assert!(session.call("read_note", &welcome)["result"].is_object());
            assert_eq!(refused(&session.call("list_notes", &json!({}))).1, "rule_block");
        }
    }
    let [first, second] = both;
    first.end();
    second.end();
    // Of two that end together, the one that told may not have seen the last records of the other.
    let events = Session::begin_at(&folder, REVISION, HERE, &asking).end();
    let events = once_all_is_told(&folder, &asking, events);
    assert_eq!(told(&site, &ops), recorded(&events));
    let kept = health(folder.path());
    assert_eq!((&kept["events_pending"], &kept["events_refused"]), (&json!(0), &json!(0)), "{kept}");
    assert_eq!((&kept["errors"], kept["events_delivered_at"].is_string()), (&json!([]), true), "{kept}");
}

/// Defends invariant 4: what a session could not tell because it was killed, or because its key may not, the next one tells.
#[test]
fn the_next_session_tells_the_rest() {
    let mut site = Thothd::start(THERE);
    let (ops, folder) = (administrator(&site), folder());
    let welcome = json!({"name": "welcome"});
    let may_not = asking(&site, site.agent_key());
    let mut session = Session::begin_at(&folder, REVISION, HERE, &may_not);
    assert!(session.call("read_note", &welcome)["result"].is_object());
    // The end does not wait for long until it is heard that it may not.
    eventually("it is not heard that it may not", || health(folder.path())["errors"][0].is_string());
    session.end();
    assert!(told(&site, &ops).is_empty());
    let kept = health(folder.path());
    assert!(kept["errors"][0].as_str().unwrap().contains("403") && kept["events_pending"].as_u64() > Some(0), "{kept}");

    let asking = asking(&site, key(&site));
    site.kill();
    let mut session = Session::begin_at(&folder, REVISION, HERE, &asking);
    for _ in 0..20 {
        assert!(session.call("read_note", &welcome)["result"].is_object());
    }
    session.kill();
    site.again();
    let mut session = Session::begin_at(&folder, REVISION, HERE, &asking);
    assert!(session.call("read_note", &welcome)["result"].is_object());
    let events = once_all_is_told(&folder, &asking, session.end());
    assert_eq!(told(&site, &ops), recorded(&events));
}

/// An event that the enforcer never takes is noted and stops none of the others.
#[test]
fn a_refused_event_is_skipped() {
    let site = Thothd::start(THERE);
    let (ops, folder) = (administrator(&site), folder());
    let asking = asking(&site, key(&site));
    let mut session = Session::begin_at(&folder, REVISION, HERE, &asking);
    let long = "x".repeat(600);
    session.call(&long, &json!({}));
    assert!(session.call("read_note", &json!({"name": "welcome"}))["result"].is_object());
    let events = once_all_is_told(&folder, &asking, session.end());
    let short: Vec<Value> = events.iter().filter(|event| event["toolName"] != *long).cloned().collect();
    assert!(short.len() < events.len());
    assert_eq!(told(&site, &ops), recorded(&short));
    assert_eq!(health(folder.path())["events_refused"], events.len() - short.len());
}
