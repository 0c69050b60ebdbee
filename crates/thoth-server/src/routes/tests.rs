//! Every route, with everything that can be wrong with a request, through the router itself.

use std::num::NonZeroU32;

use axum::body::Body;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_api::contract::key::{Create, Permission, ScopeLevel};
use thoth_types::Mode;
use tower::ServiceExt as _;

use super::*;
use crate::{Options, Rates, Server, create_key};

mod document;
mod fleet;
mod health;
mod intents;
mod keys;
mod ledger;
mod lists;
mod logins;
mod policies;
mod queries;
mod receipts;
mod settings;
mod trouble;

const POLICY: &str = "version: \"1\"\ndefaults: { approval: auto }\n\
    rules: [{ name: ask, match: { tool: write }, approval: approve }, { name: no, match: { tool: rm }, approval: block, \
    controls: [\"soc2:CC6.1\", \"hipaa:164.502(b)\", \"hipaa:164.312(a)\"] }]\n";

struct World {
    router: Router,
    data: TempDir,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl World {
    fn new(rates: Rates) -> Self {
        Self::with(rates, |server| server)
    }

    /// The same, of a server that something was done to.
    fn with(rates: Rates, change: impl FnOnce(Server) -> Server) -> Self {
        let data = tempfile::tempdir().unwrap();
        let policy = data.path().join("policy.yaml");
        std::fs::write(&policy, POLICY).unwrap();
        let server =
            Server::new(Options { data: data.path().to_owned(), policy, mode: Mode::Block, rates, access_log: false })
                .unwrap();
        Self { router: change(server).router(), data }
    }

    fn key(&self, tenant: &str, agent: Option<&str>, permissions: &[Permission], ttl: Option<u64>) -> String {
        let wanted = Create {
            name: None,
            scope_level: if agent.is_some() { ScopeLevel::Agent } else { ScopeLevel::Organization },
            scope_target_id: agent.map(str::to_owned),
            permissions: permissions.iter().copied().collect(),
            ttl_seconds: ttl,
            jit_reason: None,
        };
        let made = create_key(self.data.path(), &tenant.parse().unwrap(), &wanted).unwrap();
        made.api_key.expose_secret().to_owned()
    }

    async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: impl Into<Body>) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Reply { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }
}

/// Who may use a route, and a body that it takes.
struct Route {
    method: &'static str,
    path: &'static str,
    permission: Permission,
    /// Whether its tenant is in the path; else it is in the body, if anywhere.
    in_path: bool,
    body: Option<Value>,
    good: u16,
}

fn question(tool: &str) -> Value {
    json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
        "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool, "tool_args": { "a": 1 },
    })
}

fn routes() -> Vec<Route> {
    use Permission::{Execute, Read, Write};
    let hold = "/v1/enforce/hold/hold_00000000000000000000000000000000";
    let show = "/acme/thoth/approvals/hold_00000000000000000000000000000000";
    let resolve = "/acme/thoth/approvals/hold_00000000000000000000000000000000/resolve";
    let event = json!([{ "tenant_id": "acme", "session_id": "s", "event_type": "TOOL_CALL_PRE", "agent_id": "bot" }]);
    let tools = json!({ "agent_id": "bot", "source": "python_sdk", "tools": [{ "name": "read", "input_schema": {} }] });
    let key = json!({ "scope_level": "agent", "scope_target_id": "bot", "permissions": ["execute"] });
    let route = |method, path, permission, in_path, body, good| Route { method, path, permission, in_path, body, good };
    vec![
        route("POST", "/v1/enforce", Execute, false, Some(question("read")), 200),
        route("POST", "/v1/explain", Execute, false, Some(question("read")), 200),
        route("GET", hold, Execute, false, None, 404),
        route("POST", "/v1/events/batch", Write, false, Some(event), 202),
        route("GET", "/acme/thoth/approvals", Read, true, None, 200),
        route("GET", show, Read, true, None, 404),
        route("POST", resolve, Write, true, Some(json!({ "decision": "approve" })), 404),
        route("GET", "/acme/thoth/api-keys", Read, true, None, 200),
        route("POST", "/acme/thoth/api-keys", Write, true, Some(key), 201),
        route("DELETE", "/acme/thoth/api-keys/key_none", Write, true, None, 404),
        route("POST", "/acme/thoth/api-keys/key_none/rotate", Write, true, None, 404),
        route("GET", "/acme/thoth/events", Read, true, None, 200),
        route("POST", "/v1/endpoints/register", Execute, false, Some(fleet::registration("m1")), 200),
        route("POST", "/v1/endpoints/checkin", Execute, false, Some(fleet::registration("m1")), 200),
        route("GET", "/acme/thoth/endpoints", Read, true, None, 200),
        route(
            "POST",
            "/acme/thoth/endpoints",
            Execute,
            true,
            Some(json!({ "endpoint_id": "m1", "hostname": "h" })),
            200,
        ),
        route("GET", "/acme/thoth/endpoints/stats", Read, true, None, 200),
        route("GET", "/acme/thoth/endpoints/m2", Read, true, None, 404),
        route("POST", "/acme/thoth/endpoints/m2/quarantine", Write, true, Some(json!({ "quarantined": true })), 404),
        route("GET", "/acme/thoth/policy-bundles", Read, true, None, 200),
        route("POST", "/acme/thoth/policy-bundles", Write, true, Some(policies::upload("pay", policies::DENY)), 201),
        route("POST", "/acme/thoth/policy-bundles/validate", Write, true, Some(json!({ "policy": "" })), 200),
        route("GET", "/acme/thoth/policy-bundles/effective", Read, true, None, 200),
        route("GET", "/acme/thoth/policy-bundles/none", Read, true, None, 404),
        route("DELETE", "/acme/thoth/policy-bundles/none", Write, true, None, 404),
        route("GET", "/acme/thoth/policy-bundles/none/versions", Read, true, None, 404),
        route("POST", "/acme/thoth/policy-bundles/none/activate", Write, true, Some(json!({ "version": 1 })), 404),
        route("POST", "/acme/thoth/policy-bundles/none/deactivate", Write, true, None, 404),
        route("POST", "/acme/thoth/policy-bundles/none/rollback", Write, true, None, 404),
        route(
            "POST",
            "/acme/thoth/policy-bundles/none/assignments",
            Write,
            true,
            Some(json!({ "assignments": [] })),
            404,
        ),
        route("POST", "/acme/thoth/tool-inventory", Execute, false, Some(tools), 200),
        route("GET", "/acme/thoth/mcp/inventory/report", Read, true, None, 200),
        route("GET", "/acme/thoth/settings", Read, true, None, 200),
        route("PUT", "/acme/thoth/settings", Write, true, Some(json!({ "revision": 0, "settings": {} })), 200),
        route("GET", "/acme/thoth/decisions", Read, true, None, 200),
        route("GET", "/acme/thoth/violations", Read, true, None, 200),
        route("GET", "/acme/thoth/violations/none", Read, true, None, 404),
        route("GET", "/acme/thoth/sessions", Read, true, None, 200),
        route("GET", "/acme/thoth/sessions/none", Read, true, None, 404),
        route("GET", "/acme/thoth/sessions/none/evidence-bundle", Read, true, None, 404),
        route("GET", "/acme/thoth/agents", Read, true, None, 200),
        route("GET", "/acme/thoth/agents/none", Read, true, None, 404),
        route("GET", "/acme/thoth/evidence/chain", Read, true, None, 200),
        route("GET", "/acme/thoth/evidence/verify", Read, true, None, 200),
        route("GET", "/acme/governance/evidence/verify-chain", Read, true, None, 200),
        route("GET", "/v1/policy-bundle?agent_id=bot", Execute, false, None, 200),
    ]
}

fn code_of(status: u16) -> &'static str {
    match status {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        413 => "payload_too_large",
        429 => "rate_limited",
        _ => "",
    }
}

/// An error is what the contract says, with the request's id; nothing of what was sent is in it.
fn assert_fault(reply: &Reply, status: u16, code: &str, about: &str) {
    assert_eq!((reply.status, &reply.body["error"]["code"]), (status, &json!(code)), "{about}: {}", reply.body);
    assert_eq!(reply.body["error"]["requestId"].as_str(), reply.headers[REQUEST_ID].to_str().ok(), "{about}");
    assert!(!reply.body.to_string().contains("s3cret"), "{about}: {}", reply.body);
    assert!(reply.body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{about}");
}

/// Defends invariants 5 and 6 at the door: for every route, who gets in and who does not, and in which words.
#[tokio::test]
async fn every_route_and_everything_wrong() {
    use Permission::{Execute, Read, Write};
    let world = World::new(Rates::default());
    let all = |tenant, permission| world.key(tenant, None, &[permission], None);
    let (reader, writer, executor) = (all("acme", Read), all("acme", Write), all("acme", Execute));
    let everything = world.key("acme", None, Permission::ALL, None);
    let bot = world.key("acme", Some("bot"), Permission::ALL, None);
    let other_bot = world.key("acme", Some("other"), Permission::ALL, None);
    let long = "x".repeat(MAX_BODY + 1);
    for Route { method, path, permission, in_path, body, good } in routes() {
        let about = format!("{method} {path}");
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let (own, wrong) = match permission {
            Read => (&reader, &writer),
            Write => (&writer, &executor),
            Execute => (&executor, &reader),
        };
        let ask = async |key: Option<&str>, body: &str| world.ask(method, path, key, body.to_owned()).await;
        let reply = ask(Some(own), &text).await;
        assert_eq!(reply.status, good, "{about}: {}", reply.body);
        assert!(reply.headers.contains_key("ratelimit-remaining"), "{about}");
        for (key, why) in [(None, "none"), (Some("s3cret"), "unknown"), (Some(""), "empty")] {
            let reply = ask(key, &text).await;
            assert_fault(&reply, 401, "unauthorized", &format!("{about}, key {why}"));
            assert!(reply.headers.contains_key(header::WWW_AUTHENTICATE), "{about}");
        }
        assert_fault(&ask(Some(wrong), &text).await, 403, "forbidden", &format!("{about}, no permission"));
        let foreign = all("other", permission);
        let reply = ask(Some(&foreign), &text).await;
        // A held call of another tenant is not there, and whoever asks for it learns no more.
        let expected = if path.starts_with("/v1/enforce/hold") { 404 } else { 403 };
        if path.starts_with("/v1/policy-bundle") {
            // It names no tenant: whoever asks gets that of their own.
            assert_eq!((reply.status, &reply.body["tenant_id"]), (200, &json!("other")), "{about}");
        } else {
            assert_fault(&reply, expected, code_of(expected), &format!("{about}, another tenant"));
        }
        // A key for one agent does what that agent does, and nothing else; one for another does not even that.
        let expected = if in_path { 403 } else { good };
        assert_eq!(ask(Some(&bot), &text).await.status, expected, "{about}, agent");
        if body.is_some() || in_path {
            assert_eq!(ask(Some(&other_bot), &text).await.status, 403, "{about}, another agent");
        }
        if in_path && permission == Write {
            assert_fault(&ask(Some(&everything), &text).await, 403, "forbidden", &format!("{about}, governed"));
        }
        if body.is_some() {
            assert_fault(&ask(Some(own), &long).await, 413, "payload_too_large", &about);
            for bad in
                ["", "{", "[1", "\u{1}", "{\"s3cret\": s3cret}", "\"s3cret\"", "[]x", "{\"decision\":\"s3cret\"}"]
            {
                assert_fault(&ask(Some(own), bad).await, 400, "bad_request", &format!("{about}, {bad:?}"));
            }
        }
        let odd = world.ask("PATCH", path, Some(own), Body::empty()).await;
        assert_fault(&odd, 405, "method_not_allowed", &about);
    }
    assert_fault(&world.ask("GET", "/v2", Some(&reader), Body::empty()).await, 404, "not_found", "no such route");
}

/// A key ends when its time is over, and at once when it is taken back, on every route.
#[tokio::test]
async fn keys_end() {
    // It is asked until a second is over.
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    for Route { method, path, permission, in_path, body, good } in routes() {
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let about = format!("{method} {path}");
        let made = json!({ "scope_level": "organization", "permissions": [permission] });
        let made = world.ask("POST", "/acme/thoth/api-keys", Some(&admin), made.to_string()).await.body;
        let (key, id) = (made["api_key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
        assert_eq!(world.ask(method, path, Some(&key), text.clone()).await.status, good, "{about} {in_path}");
        let gone = world.ask("DELETE", &format!("/acme/thoth/api-keys/{id}"), Some(&admin), Body::empty()).await;
        assert_eq!((gone.status, gone.body["revoked_at"].is_string()), (200, true), "{}", gone.body);
        assert_fault(&world.ask(method, path, Some(&key), text.clone()).await, 401, "unauthorized", &about);
    }
    let listed = world.ask("GET", "/acme/thoth/api-keys", Some(&admin), Body::empty()).await.body;
    assert_eq!(listed["total"], routes().len() + 2, "{listed}");
    assert!(!listed.to_string().contains("thoth_org_"), "a key is seen once: {listed}");
    let short = world.key("acme", None, Permission::ALL, Some(1));
    let expired = async || world.ask("GET", "/acme/thoth/events", Some(&short), Body::empty()).await;
    let mut reply = expired().await;
    while reply.status == 200 {
        reply = expired().await;
    }
    assert_fault(&reply, 401, "key_expired", "its second is over");
}

/// One call too many is put off, and not refused as an outage would be, and other tenants do not feel it.
#[tokio::test]
async fn limits_are_per_tenant() {
    let two = NonZeroU32::new(2).unwrap();
    let world = World::new(Rates { enforce: two, ..Rates::default() });
    let key = world.key("acme", None, &[Permission::Execute], None);
    let ask = async |key: &str, tenant: &str| {
        let mut question = question("read");
        question["tenant_id"] = json!(tenant);
        world.ask("POST", "/v1/enforce", Some(key), question.to_string()).await
    };
    let statuses = [ask(&key, "acme").await.status, ask(&key, "acme").await.status];
    assert_eq!(statuses, [200, 200]);
    let reply = ask(&key, "acme").await;
    // A client that is set to go on without a server would take a 429 for an outage, and the agent brings it about itself.
    assert_eq!((reply.status, &reply.body["decision"]), (200, &json!("DEFER")), "{}", reply.body);
    assert_eq!(reply.body["decision_reason_code"], "rate_limited", "{}", reply.body);
    let wait = reply.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(reply.body["defer_timeout_seconds"], wait, "{}", reply.body);
    assert_eq!(reply.headers["ratelimit-limit"], "2");
    let other = world.key("other", None, &[Permission::Execute], None);
    assert_eq!(ask(&other, "other").await.status, 200);
}

/// What a request may not be, beyond its shape: each is refused whole, in words that do not repeat it.
#[tokio::test]
async fn requests_that_are_not_decided() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let cases: [(&str, Value); 15] = [
        ("agent_id", json!("")),
        ("agent_id", json!("s3cret\n")),
        ("user_id", json!("x".repeat(600))),
        ("session_id", json!(" s3cret")),
        ("session_id", json!(7)),
        ("tool_name", json!("")),
        ("tool_name", json!("x".repeat(600))),
        ("tool_args", json!("s3cret")),
        ("tool_args", json!([1])),
        ("approved_scope", json!(["[s3cret"])),
        ("approved_scope", json!(vec!["a"; 2000])),
        ("approved_scope", json!(["x".repeat(40_000)])),
        ("identity_binding", json!({ "agent_id": "s3cret" })),
        ("purpose", json!("x".repeat(600))),
        ("enforcement_mode", json!("s3cret")),
    ];
    for (field, value) in cases {
        let mut question = question("read");
        question[field] = value;
        let reply = world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await;
        assert_fault(&reply, 400, "bad_request", field);
    }
    let twice = question("read").to_string().replace(r#""a":1"#, r#""a":1,"a":2"#);
    assert_fault(
        &world.ask("POST", "/v1/enforce", Some(&key), twice).await,
        400,
        "bad_request",
        "two readers, two calls",
    );
}

/// Whatever a byte of a question is instead: it is decided or refused, and nothing breaks. What is refused as no question is
/// not repeated.
#[tokio::test]
async fn mutated_questions_break_nothing() {
    let world = World::new(Rates { enforce: NonZeroU32::MAX, ..Rates::default() });
    let key = world.key("acme", None, &[Permission::Execute], None);
    let good = question("write").to_string().replace("\"u\"", "\"s3cret\"").into_bytes();
    let mut statuses = std::collections::BTreeSet::new();
    for at in 0..good.len() {
        for byte in [b'"', b'{', b'\\', 0, 0xff, b'9'] {
            let mut bad = good.clone();
            bad[at] = byte;
            for bad in [bad, good[..at].to_vec()] {
                let reply = world.ask("POST", "/v1/enforce", Some(&key), bad).await;
                statuses.insert(reply.status);
                assert!(reply.status == 200 || !reply.body.to_string().contains("s3cret"), "{}", reply.body);
            }
        }
    }
    assert_eq!(Vec::from_iter(statuses), [200, 400, 403]);
}

/// A poll that waits is answered as soon as somebody answers the hold, and one of another agent sees nothing.
#[tokio::test]
async fn a_poll_waits_for_the_answer() {
    let world = World::new(Rates::default());
    let key = world.key("acme", Some("bot"), &[Permission::Execute], None);
    let other = world.key("acme", Some("other"), &[Permission::Execute], None);
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let held = world.ask("POST", "/v1/enforce", Some(&key), question("write").to_string()).await;
    assert_eq!(held.body["decision"], "STEP_UP", "{}", held.body);
    let hold = held.body["hold_token"].as_str().unwrap().to_owned();
    let path = format!("/v1/enforce/hold/{hold}?wait=30");
    assert_fault(&world.ask("GET", &path, Some(&other), Body::empty()).await, 404, "not_found", "another agent");
    let began = std::time::Instant::now();
    let answer = async {
        let resolve = format!("/acme/thoth/approvals/{hold}/resolve");
        world.ask("POST", &resolve, Some(&admin), json!({ "decision": "deny" }).to_string()).await
    };
    let (polled, answered) = tokio::join!(world.ask("GET", &path, Some(&key), Body::empty()), answer);
    assert_eq!((answered.status, polled.status), (200, 200), "{} {}", answered.body, polled.body);
    assert_eq!(
        (&polled.body["resolved"], &polled.body["resolution"]),
        (&json!(true), &json!("BLOCK")),
        "{}",
        polled.body
    );
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for its whole time");
}

/// Defends invariant 5: a changed policy holds for the next call, one that is not valid changes nothing, and where there
/// never was a valid one everything is refused.
#[tokio::test]
async fn a_changed_policy_holds_at_once() {
    let world = World::new(Rates::default());
    let file = world.data.path().join("policy.yaml");
    let key = world.key("acme", None, &[Permission::Execute], None);
    let later = world.key("later", None, &[Permission::Execute], None);
    let ask = async |key: &str, tenant: &str| {
        let mut question = question("read");
        question["tenant_id"] = json!(tenant);
        let body = world.ask("POST", "/v1/enforce", Some(key), question.to_string()).await.body;
        body["decision_reason_code"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask(&key, "acme").await, "default_auto");
    std::fs::write(&file, POLICY.replace("auto", "block")).unwrap();
    assert_eq!(ask(&key, "acme").await, "default_block");
    std::fs::write(&file, "version: 7").unwrap();
    assert_eq!(ask(&key, "acme").await, "default_block");
    assert_eq!(ask(&later, "later").await, "policy_invalid", "it begins now");
    std::fs::write(&file, POLICY).unwrap();
    assert_eq!([ask(&key, "acme").await, ask(&later, "later").await], ["default_auto", "default_auto"]);
}

/// Where several must agree, they are several: of keys of these names, each once.
#[tokio::test]
async fn a_quorum_of_keys() {
    let world = World::new(Rates::default());
    let policy = format!("{POLICY}approvals: {{ approvers: [\"user:alice\", \"user:bob\"], quorum: 2 }}\n");
    std::fs::write(world.data.path().join("policy.yaml"), policy).unwrap();
    let key = world.key("acme", None, &[Permission::Execute], None);
    let named = |name: &str| {
        let permissions = [Permission::Read, Permission::Write].into_iter().collect();
        let scope_level = ScopeLevel::Organization;
        let name = Some(name.to_owned());
        let wanted =
            Create { name, scope_level, scope_target_id: None, permissions, ttl_seconds: None, jit_reason: None };
        let made = create_key(world.data.path(), &"acme".parse().unwrap(), &wanted).unwrap();
        made.api_key.expose_secret().to_owned()
    };
    let (alice, bob, mallory) = (named("alice"), named("bob"), named("mallory"));
    let held = world.ask("POST", "/v1/enforce", Some(&key), question("write").to_string()).await.body;
    let hold = held["hold_token"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned();
    let resolve = format!("/acme/thoth/approvals/{hold}/resolve");
    for (who, status, state) in
        [(&mallory, 403, ""), (&alice, 200, "pending"), (&alice, 403, ""), (&bob, 200, "approved"), (&bob, 409, "")]
    {
        let reply = world.ask("POST", &resolve, Some(who), json!({ "decision": "approve" }).to_string()).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(reply.body["status"].as_str().unwrap_or_default(), state, "{}", reply.body);
    }
    let polled = world.ask("GET", &format!("/v1/enforce/hold/{hold}"), Some(&key), Body::empty()).await.body;
    assert_eq!(polled["resolution"], "ALLOW", "{polled}");
    assert!(polled["reason"].as_str().unwrap().contains("alice and bob"), "{polled}");
}

/// What the matching rule serves is in the answer and in the record.
#[tokio::test]
async fn controls_are_told_and_recorded() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let controls = json!(["hipaa:164.312(a)", "hipaa:164.502(b)", "soc2:CC6.1"]);
    for (tool, controls, regimes) in [("rm", &controls, json!(["hipaa", "soc2"])), ("read", &Value::Null, Value::Null)]
    {
        let body = world.ask("POST", "/v1/enforce", Some(&key), question(tool).to_string()).await.body;
        assert_eq!((&body["matched_control_ids"], &body["regulatory_regimes"]), (controls, &regimes), "{body}");
    }
    let mut records = thoth_audit::tail::Follower::new(&world.data.path().join("tenants/acme/ledger"), 0);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut found = Vec::new();
    // The ledger brings its tree up to date in its own time.
    while found.len() < 3 && Instant::now() < deadline {
        for record in records.poll().unwrap() {
            let record: Value = serde_json::from_slice(&record).unwrap();
            found.push((record["toolName"].clone(), record["controlIds"].clone()));
        }
        tokio::task::yield_now().await;
    }
    // The question and the refusal are two records of the blocked call.
    let rm = (json!("rm"), controls);
    assert_eq!(found, [rm.clone(), rm, (json!("read"), Value::Null)]);
}

/// The limits of the policy are told as DEFER, with when to come back; the mode only tightens.
#[tokio::test]
async fn what_the_answers_say() {
    let world = World::new(Rates::default());
    let limited = format!(
        "{POLICY}tools: {{ often: {{ max_calls_per_minute: 1 }} }}\nscope: {{ approved: [read, rm, write, often] }}\n"
    );
    std::fs::write(world.data.path().join("policy.yaml"), limited).unwrap();
    let key = world.key("acme", None, &[Permission::Execute], None);
    let ask = async |tool: &str, mode: &str| {
        let mut question = question(tool);
        question["enforcement_mode"] = json!(mode);
        world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body
    };
    for (tool, mode, decision) in [
        ("read", "block", "ALLOW"),
        ("rm", "observe", "BLOCK"),
        ("often", "block", "ALLOW"),
        ("often", "block", "DEFER"),
        ("hidden", "observe", "BLOCK"),
        ("hidden", "step_up", "BLOCK"),
    ] {
        let body = ask(tool, mode).await;
        assert_eq!(body["decision"], decision, "{tool} {mode}: {body}");
        assert_eq!(body["authorization_decision"], decision);
        assert!(body["reason"].is_string() && body["decision_reason_code"].is_string(), "{body}");
        assert_eq!(body["defer_timeout_seconds"].is_u64(), decision == "DEFER", "{body}");
        assert_eq!(body["violation_id"].is_string(), decision == "BLOCK", "{body}");
        assert!(!body.to_string().contains(world.data.path().to_str().unwrap()), "folders of the server: {body}");
    }
}
