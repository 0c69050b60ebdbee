//! The server is killed in the middle: what was answered stays, and nothing passes twice.

use std::thread;

use serde_json::{Value, json};

use super::thothd::{Client, Thothd};
use super::{POLICY, keys, raised};

fn question(number: u32) -> Value {
    json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "dev@example.com", "session_id": format!("s{number}"),
        "approved_scope": [], "enforcement_mode": "block", "session_tool_calls": [], "tool_name": "write_file",
        "tool_args": { "number": number }, "enforcement_trace_id": "t", "action_attestation_id": "a",
    })
}

fn poll(site: &Thothd, key: &str, hold: &str) -> Value {
    site.ask("GET", &format!("/v1/enforce/hold/{hold}"), key, None).body
}

/// A hold survives the server, and so does its answer; the approval lets one call through, whoever asks how often.
#[test]
fn a_hold_survives_kill_9_and_its_approval_is_used_once() {
    let mut site = Thothd::start(POLICY, &["--polls-per-minute", "1000"]);
    let (key, person) = keys(&site);
    let held = site.ask("POST", "/v1/enforce", &key, Some(&question(1)));
    assert_eq!(held.body["decision"], "STEP_UP", "{held:?}");
    assert_eq!((&held.body["enforcement_trace_id"], &held.body["action_attestation_id"]), (&json!("t"), &json!("a")));
    let hold = held.body["hold_token"].as_str().expect("a hold").to_owned();
    site.kill();
    site.again();
    assert_eq!(poll(&site, &key, &hold)["resolved"], false, "it waits on");
    assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
    site.kill();
    site.again();
    let resolutions: Vec<Value> = thread::scope(|scope| {
        let ask = || poll(&site, &key, &hold)["resolution"].clone();
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let allowed = resolutions.iter().filter(|one| **one == "ALLOW").count();
    assert_eq!(allowed, 1, "{resolutions:?}");
    site.kill();
    site.again();
    assert_eq!(poll(&site, &key, &hold)["resolution"], "BLOCK");
    let listed = site.ask("GET", "/acme/thoth/approvals", &person, None).body;
    assert_eq!((&listed["total"], &listed["data"][0]["status"]), (&json!(1), &json!("spent")), "{listed}");
}

/// However the same call is asked for after an approval, by polls or made again in other sessions: it passes once.
#[test]
fn a_crowd_uses_an_approval_once() {
    let site = Thothd::start(POLICY, &["--polls-per-minute", "1000"]);
    let (key, person) = keys(&site);
    for round in 0..5 {
        let asked = |session: u32| {
            let mut asked = question(session);
            asked["tool_args"] = json!({ "round": round });
            site.ask("POST", "/v1/enforce", &key, Some(&asked)).body
        };
        let hold = asked(0)["hold_token"].as_str().expect("a hold").to_owned();
        assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
        let answers: Vec<Value> = thread::scope(|scope| {
            let polls = (0..4).map(|_| scope.spawn(|| poll(&site, &key, &hold)["resolution"].clone()));
            let polls: Vec<_> = polls.collect();
            let calls = (0..4).map(|number| scope.spawn(move || asked(number)["decision"].clone()));
            let calls: Vec<_> = calls.collect();
            polls.into_iter().chain(calls).map(|one| one.join().expect("an answer")).collect()
        });
        assert_eq!(answers.iter().filter(|one| **one == "ALLOW").count(), 1, "{answers:?}");
    }
}

/// What a person approved is decided anew by the policy of then, and what was taken out of it stays out: also after the
/// server was killed.
#[test]
fn an_approved_call_is_decided_anew() {
    let policy = format!("{POLICY}inspect: {{ secrets: redact }}\n");
    let mut site = Thothd::start(&policy, &[]);
    let (key, person) = keys(&site);
    let secret = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
    let hold = |number: u32| {
        let mut asked = question(number);
        asked["tool_args"] = json!({ "note": secret, "number": number });
        let held = site.ask("POST", "/v1/enforce", &key, Some(&asked)).body;
        let hold = held["hold_token"].as_str().expect("a hold").to_owned();
        assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
        hold
    };
    let (first, second) = (hold(1), hold(2));
    site.kill();
    site.again();
    let polled = poll(&site, &key, &first);
    assert_eq!(
        (&polled["resolution"], &polled["modified_tool_args"]["number"]),
        (&json!("MODIFY"), &json!(1)),
        "{polled}"
    );
    assert!(!polled.to_string().contains(&secret), "{polled}");
    let file = site.data().join("policy.yaml");
    std::fs::write(&file, policy.replace("approval: approve", "approval: block")).expect("a policy");
    let polled = poll(&site, &key, &second);
    assert_eq!(
        (&polled["resolution"], &polled["decision_reason_code"]),
        (&json!("BLOCK"), &json!("rule_block")),
        "{polled}"
    );
    std::fs::write(&file, policy).expect("a policy");
    assert_eq!(poll(&site, &key, &second)["resolution"], "MODIFY", "the approval was not used up");
}

/// The client's own waiting survives it, too, and the ledger has all of it and verifies.
#[test]
fn the_published_client_behind_the_gate_waits_through_a_restart() {
    let mut site = Thothd::start(POLICY, &[]);
    let (key, person) = keys(&site);
    let mut client = Client::start(&site, &key);
    client.send(&json!({ "tool": "write_file", "args": { "path": "/a" } }));
    let hold = client.waits_for();
    site.kill();
    site.again();
    assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
    assert_eq!(client.told(), json!({ "returned": { "path": "/a" }, "ran": 1 }));
    let told = client.call("delete_file", &json!({}));
    assert_eq!(raised(&told, "decision_reason_code"), "rule_block");
    site.stop();
    let events = site.ledger("acme");
    let has = |kind: &str| {
        let word = format!(r#""eventType":"{kind}""#);
        events.iter().filter(|leaf| leaf.contains(&word)).count()
    };
    for (kind, times) in
        [("HOLD_CREATED", 1), ("HOLD_RESOLVED", 1), ("HOLD_SPENT", 1), ("TOOL_CALL_PRE", 3), ("TOOL_CALL_BLOCK", 1)]
    {
        assert_eq!(has(kind), times, "{kind}");
    }
}
