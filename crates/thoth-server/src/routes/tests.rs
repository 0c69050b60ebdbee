//! Every route, with everything that can be wrong with a request, through the router itself.

use std::num::NonZeroU32;

use axum::body::Body;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_api::contract::key::{Create, Permission, ScopeLevel};
use thoth_postgres::{Database, DatabaseUrl};
use thoth_testkit::postgres::cluster;
use thoth_types::Mode;
use tower::ServiceExt as _;

use super::*;
use crate::{Options, Rates, Server, create_key, create_key_in};

mod document;
mod fleet;
mod health;
mod intents;
mod keys;
mod ledger;
mod lists;
mod logins;
mod matrix;
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
    /// Where the policy is, and everything else of a server on a folder.
    data: TempDir,
    /// Where a server on a database keeps everything else, and its URL.
    database: Option<(Arc<Database>, String)>,
}

/// What a server keeps everything in.
#[derive(Debug, Clone, Copy)]
enum Keeps {
    Folder,
    Postgres,
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
        Self::on(Keeps::Folder, rates, POLICY, Mode::Block, change)
    }

    /// The same, wherever it keeps things, under this policy.
    fn on(keeps: Keeps, rates: Rates, policy: &str, mode: Mode, change: impl FnOnce(Server) -> Server) -> Self {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("policy.yaml"), policy).unwrap();
        let database = match keeps {
            Keeps::Folder => None,
            Keeps::Postgres => {
                let url = cluster().database();
                Some((Database::new(&DatabaseUrl::parse(&url).unwrap()).unwrap(), url))
            }
        };
        let router = change(server(data.path(), database.as_ref(), rates, mode)).router();
        Self { router, data, database }
    }

    /// Another server on the same data.
    fn beside(&self, mode: Mode) -> Self {
        let router = server(self.data.path(), self.database.as_ref(), Rates::default(), mode).router();
        Self { router, data: tempfile::tempdir().unwrap(), database: None }
    }

    fn key(&self, tenant: &str, agent: Option<&str>, permissions: &[Permission], ttl: Option<u64>) -> String {
        self.make_key(
            tenant,
            &Create {
                name: None,
                scope_level: if agent.is_some() { ScopeLevel::Agent } else { ScopeLevel::Organization },
                scope_target_id: agent.map(str::to_owned),
                permissions: permissions.iter().copied().collect(),
                ttl_seconds: ttl,
                jit_reason: None,
            },
        )
    }

    /// A key as `thothd keys create` makes one.
    fn make_key(&self, tenant: &str, wanted: &Create) -> String {
        let tenant = tenant.parse().unwrap();
        let make = || match &self.database {
            None => create_key(self.data.path(), &tenant, wanted),
            Some((database, _)) => create_key_in(Arc::clone(database), &tenant, wanted),
        };
        // A database must not be waited for within an asynchronous task.
        let made = std::thread::scope(|scope| scope.spawn(make).join()).unwrap().unwrap();
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

fn server(data: &std::path::Path, database: Option<&(Arc<Database>, String)>, rates: Rates, mode: Mode) -> Server {
    let (data, policy) = (data.to_owned(), data.join("policy.yaml"));
    let options = Options { data, policy, mode, rates, access_log: false };
    match database {
        None => Server::new(options).unwrap(),
        Some((database, _)) => Server::on(Arc::clone(database), options).unwrap(),
    }
}

fn question(tool: &str) -> Value {
    json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
        "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool, "tool_args": { "a": 1 },
    })
}

/// An error is what the contract says, with the request's id; nothing of what was sent is in it.
fn assert_fault(reply: &Reply, status: u16, code: &str, about: &str) {
    assert_eq!((reply.status, &reply.body["error"]["code"]), (status, &json!(code)), "{about}: {}", reply.body);
    assert_eq!(reply.body["error"]["requestId"].as_str(), reply.headers[REQUEST_ID].to_str().ok(), "{about}");
    assert!(!reply.body.to_string().contains("s3cret"), "{about}: {}", reply.body);
    assert!(reply.body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{about}");
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
    let began = Instant::now();
    let mut reply = ask(&key, "acme").await;
    let mut passed = 0;
    while reply.body["decision"] == "ALLOW" {
        passed += 1;
        // Half a minute lets one more through.
        let most = 2 + began.elapsed().as_secs() / 30;
        assert!(passed <= most, "{passed} passed where {most} may");
        reply = ask(&key, "acme").await;
    }
    assert!(passed >= 2, "{}", reply.body);
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
        world.make_key("acme", &wanted)
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
