//! The published Python client, unmodified, governed by a real `thothd`. What it returns and raises decides.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail the test")]

#[path = "site/evidence.rs"]
mod evidence;
#[path = "site/restart.rs"]
mod restart;
#[path = "site/schemathesis.rs"]
mod schemathesis;
#[path = "site/thothd.rs"]
pub(crate) mod thothd;
#[path = "site/typed.rs"]
mod typed;

use serde_json::{Value, json};
use thothd::{Client, Thothd};

pub(crate) const POLICY: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
approvals: { approvers: [local_user], ttl: 15m, url: "https://approve.example/{hold}" }
rules:
  - { name: no_deleting, match: { tool: "delete*" }, approval: block, risk_level: critical }
  - { name: ask_first, match: { tool: "write*" }, approval: approve, risk_level: high }
"#;

/// A key of an agent, and one of whoever answers.
pub(crate) fn keys(site: &Thothd) -> (String, String) {
    let agent = site.key("acme", &["--agent-id", "bot", "--permission", "execute", "--permission", "write"]);
    let person =
        site.key("acme", &["--name", "ops", "--organization", "--permission", "read", "--permission", "write"]);
    (agent, person)
}

fn raised<'v>(told: &'v Value, name: &str) -> &'v Value {
    assert_eq!(told["ran"], 0, "{told}");
    told["raised"].get(name).expect("something raised")
}

/// What is allowed runs, and what is blocked does not, with a reason, a violation and an explanation.
#[test]
fn the_published_client_behind_the_gate_is_allowed_and_blocked() {
    let site = Thothd::start(POLICY, &[]);
    let (key, person) = keys(&site);
    let mut client = Client::start(&site, &key);
    let arguments = json!({ "path": "/a", "n": 9_007_199_254_740_993_u64 });
    assert_eq!(client.call("read_file", &arguments), json!({ "returned": arguments, "ran": 1 }));
    client.send(&json!({ "tool": "read_file", "args": {}, "async": true }));
    assert_eq!(client.told(), json!({ "returned": {}, "ran": 1 }));
    let told = client.call("delete_file", &json!({ "path": "/a" }));
    assert_eq!(raised(&told, "decision_reason_code"), "rule_block");
    assert_eq!(raised(&told, "matched_rule_ids"), &json!(["no_deleting"]));
    assert_eq!(raised(&told, "risk_score"), 87.0);
    let violation = raised(&told, "violation_id").as_str().expect("a violation");
    assert!(violation.starts_with("vio_"), "{told}");
    let explained = &told["explained"];
    assert_eq!(explained["violation_id"], violation);
    assert_eq!(explained["severity"], "critical");
    assert!(explained["why_it_was_blocked"].as_str().expect("a reason").contains("no_deleting"), "{told}");
    let events = client.end();
    assert_eq!(events["dropped"], 0, "{events}");
    let listed = site.ask("GET", "/acme/thoth/events?order=oldest", &person, None);
    let kinds: Vec<&str> =
        listed.body["data"].as_array().expect("a list").iter().filter_map(|e| e["event_type"].as_str()).collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    let (pre, post) = ("TOOL_CALL_PRE", "TOOL_CALL_POST");
    assert_eq!(sorted, ["TOOL_CALL_BLOCK", post, post, pre, pre, pre], "{}", listed.body);
}

/// A held call waits in the client until a person answers, with `thothctl` or over HTTP: approved it runs, once; denied it does
/// not.
#[test]
fn the_published_client_behind_the_gate_waits_for_a_person() {
    let site = Thothd::start(POLICY, &[]);
    let (key, person) = keys(&site);
    let mut client = Client::start(&site, &key);
    let arguments = json!({ "path": "/a" });
    for (decision, is_async, words) in [
        ("approve", false, Some(&["approvals", "approve", "--yes"][..])),
        ("deny", false, Some(&["approvals", "deny", "--reason", "not today"])),
        ("approve", true, None),
    ] {
        let arguments = json!({ "path": decision, "async": is_async });
        client.send(&json!({ "tool": "write_file", "args": arguments, "async": is_async }));
        let hold = client.waits_for();
        let listed = site.ask("GET", "/acme/thoth/approvals?status=pending", &person, None);
        assert_eq!(
            (&listed.body["total"], &listed.body["data"][0]["id"]),
            (&json!(1), &json!(hold)),
            "{}",
            listed.body
        );
        assert_eq!(listed.body["data"][0]["tool_args"], arguments);
        assert_eq!(site.resolve(&key, &hold, "approve").status, 403, "an agent approves nothing");
        if let Some(words) = words {
            let (code, said) = site.thothctl(&key, &[words, &[&hold]].concat());
            assert!(code == Some(1) && said.contains("(forbidden)"), "an agent's key: {said}");
            let (code, said) = site.thothctl(&person, &[words, &[&hold]].concat());
            assert_eq!(code, Some(0), "{said}");
        } else {
            let answered = site.resolve(&person, &hold, decision);
            assert_eq!(answered.status, 200, "{answered:?}");
        }
        let shown = site.ask("GET", &format!("/acme/thoth/approvals/{hold}"), &person, None);
        assert_eq!(shown.body["resolved_by"], "ops", "{shown:?}");
        let told = client.told();
        if decision == "approve" {
            assert_eq!(told, json!({ "returned": arguments, "ran": 1 }));
            let again = site.ask("GET", &format!("/v1/enforce/hold/{hold}"), &key, None);
            assert_eq!(again.body["resolution"], "BLOCK", "an approval lets one call through: {}", again.body);
            assert_eq!(site.resolve(&person, &hold, "approve").status, 409);
        } else {
            assert_eq!(raised(&told, "decision_reason_code"), "approval_denied");
            assert!(told["explained"]["what_happened"].as_str().expect("a text").contains("approval"), "{told}");
        }
    }
    // Denied, the same call is refused at once; the client's own time to wait is its own matter.
    let told = client.call("write_file", &json!({ "path": "deny", "async": false }));
    assert_eq!(raised(&told, "decision_reason_code"), "approval_denied");
    let mut client = Client::start(&site, &key).with(&json!({ "step_up_timeout_minutes": 0 }));
    let told = client.call("write_file", &arguments);
    assert!(raised(&told, "reason").as_str().expect("a reason").contains("no approver response"), "{told}");
}

/// A hold that nobody answers ends, and the client is told so.
#[test]
fn the_published_client_behind_the_gate_is_told_that_time_is_over() {
    let site = Thothd::start(&POLICY.replace("15m", "10s"), &[]);
    let (key, person) = keys(&site);
    let mut client = Client::start(&site, &key);
    let told = client.call("write_file", &json!({ "path": "/a" }));
    assert_eq!(raised(&told, "reason"), "nobody approved this call in time");
    let listed = site.ask("GET", "/acme/thoth/approvals?status=expired", &person, None);
    assert_eq!(listed.body["total"], 1, "{}", listed.body);
}

/// What the policy has taken out of the arguments, the client's tool never sees: at once, and after an approval.
#[test]
fn the_published_client_behind_the_gate_runs_redacted_arguments() {
    let policy = format!("{POLICY}inspect: {{ secrets: redact }}\n");
    let site = Thothd::start(&policy, &[]);
    let (key, person) = keys(&site);
    let mut client = Client::start(&site, &key);
    let secret = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
    let arguments = json!({ "note": format!("use {secret} for this"), "keep": [1, 2.50, null] });
    for tool in ["read_file", "write_file"] {
        client.send(&json!({ "tool": tool, "args": arguments }));
        if tool == "write_file" {
            let hold = client.waits_for();
            let listed = site.ask("GET", "/acme/thoth/approvals?status=pending", &person, None);
            assert!(!listed.body.to_string().contains(&secret), "a person is shown what would run");
            assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
        }
        let told = client.told();
        assert_eq!(told["ran"], 1, "{told}");
        assert!(!told.to_string().contains(&secret), "{told}");
        assert_eq!(told["returned"]["keep"], arguments["keep"]);
        assert!(told["returned"]["note"].as_str().expect("a note").ends_with("for this"), "{told}");
    }
}

/// An event that is sent twice, as a client does that got no answer, is there once.
#[test]
fn the_published_client_behind_the_gate_sends_events_twice() {
    let site = Thothd::start(POLICY, &[]);
    let (key, person) = keys(&site);
    let mut client = Client::start(&site, &key);
    client.send(&json!({ "events": 3 }));
    assert_eq!(client.told()["delivered"], json!([3, 3]));
    let listed = site.ask("GET", "/acme/thoth/events?session_id=twice", &person, None);
    assert_eq!(listed.body["data"].as_array().expect("a list").len(), 3, "{}", listed.body);
}

/// Without a good key, and beyond the limit, nothing runs.
#[test]
fn the_published_client_behind_the_gate_is_refused() {
    let site = Thothd::start(POLICY, &["--enforce-per-minute", "2"]);
    let (key, person) = keys(&site);
    let expired = site.key("acme", &["--organization", "--permission", "execute", "--ttl-seconds", "1"]);
    let made = site.ask(
        "POST",
        "/acme/thoth/api-keys",
        &person,
        Some(&json!({
            "scope_level": "organization", "permissions": ["execute"],
        })),
    );
    assert_eq!(made.status, 201, "{made:?}");
    let revoked = made.body["api_key"].as_str().expect("a key").to_owned();
    let path = format!("/acme/thoth/api-keys/{}", made.body["id"].as_str().expect("an id"));
    assert_eq!(site.ask("DELETE", &path, &person, None).status, 200);
    let other_agent = site.key("acme", &["--agent-id", "another", "--permission", "execute"]);
    let other_tenant = site.key("other", &["--organization", "--permission", "execute"]);
    // Its time is over once the server says so.
    while site.ask("GET", "/v1/enforce/hold/hold_0", &expired, None).status != 401 {}
    for (key, status) in [
        ("nobodys", 401),
        (&*expired, 401),
        (&*revoked, 401),
        (&*person, 403),
        (&*other_agent, 403),
        (&*other_tenant, 403),
    ] {
        let mut client = Client::start(&site, key);
        let told = client.call("read_file", &json!({}));
        let reason = raised(&told, "reason").as_str().expect("a reason");
        assert_eq!(reason, format!("enforcer rejected request (status={status})"), "{told}");
    }
    let mut client = Client::start(&site, &key);
    let mut told = client.call("read_file", &json!({}));
    // Some of the keys above were good for the limit, and it fills up again while we look.
    for _ in 0..10 {
        if told["ran"] == 0 {
            break;
        }
        told = client.call("read_file", &json!({}));
    }
    assert_eq!(raised(&told, "decision_reason_code"), "rate_limited", "{told}");
}
