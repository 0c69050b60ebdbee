//! Every route and every wrong principal: who gets in and who does not, and in which words.

use Permission::{Execute, Read, Write};

use super::*;

/// One route, who may use it, and a body that it takes.
pub(super) struct Case {
    pub(super) route: Route,
    pub(super) method: &'static str,
    pub(super) path: String,
    /// Of these permissions one is enough.
    pub(super) accepts: &'static [Permission],
    pub(super) body: Option<Value>,
    /// How it is answered to those who may use it.
    pub(super) good: u16,
}

impl Case {
    /// Whether it takes a key for the whole organization.
    fn governs(&self) -> bool {
        self.route.path().starts_with("/{tenant}/") && !matches!(self.route, Route::TellTools | Route::AddEndpoint)
    }

    /// What is asked, for whoever reads of a failure.
    fn about(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn text(&self) -> String {
        self.body.as_ref().map(Value::to_string).unwrap_or_default()
    }
}

/// Every route that takes a key.
pub(super) fn routes() -> Vec<Case> {
    let told = |route: &Route| needs(*route).map(|needs| (*route, needs));
    let case = |(route, (accepts, body, good)): (Route, Needs)| {
        // The agent that does what it may, and its machine, and that machine's fleet.
        let query = if route == Route::FetchPolicy { "?agent_id=bot&endpoint_id=m1&fleet_id=f1" } else { "" };
        Case { route, method: route.method().as_str(), path: filled(route) + query, accepts, body, good }
    };
    Route::ALL.iter().filter_map(told).map(case).collect()
}

/// Its path, with what is not there for what stands in braces, but the tenant.
fn filled(route: Route) -> String {
    let hold = "hold_00000000000000000000000000000000";
    route.path().replace("{tenant}", "acme").replace("{token}", hold).replace("{id}", "none")
}

type Needs = (&'static [Permission], Option<Value>, u16);

/// Of which permissions a route takes one, with what body, and how it answers then; nothing where it takes no key. A route
/// that is not listed does not compile.
fn needs(route: Route) -> Option<Needs> {
    let machine = |mut body: Value| {
        body["endpoint_id"] = json!("m1");
        body["fleet_id"] = json!("f1");
        body
    };
    let event = json!({ "tenant_id": "acme", "session_id": "s", "event_type": "TOOL_CALL_PRE", "agent_id": "bot" });
    let tools = json!({ "agent_id": "bot", "source": "python_sdk", "tools": [{ "name": "read", "input_schema": {} }] });
    let key = json!({ "scope_level": "agent", "scope_target_id": "bot", "permissions": ["execute"] });
    let (reads, writes, executes) = (&[Read], &[Write], &[Execute]);
    let reports = &[Execute, Write];
    let needs: Needs = match route {
        Route::Healthz | Route::Readyz | Route::ShowLogin => return None,
        Route::Enforce | Route::Explain => (executes, Some(machine(question("read"))), 200),
        Route::Poll => (executes, None, 404),
        Route::TellEvents => (writes, Some(json!([machine(event)])), 202),
        Route::RegisterEndpoint | Route::AddEndpoint | Route::CheckInEndpoint => {
            (reports, Some(machine(fleet::registration("m1"))), 200)
        }
        Route::TellTools => (reports, Some(tools), 200),
        Route::FetchPolicy => (executes, None, 200),
        Route::ListApprovals
        | Route::ListKeys
        | Route::ListEvents
        | Route::ListEndpoints
        | Route::CountEndpoints
        | Route::ListBundles
        | Route::ShowEffective
        | Route::ListDecisions
        | Route::ListViolations
        | Route::ListSessions
        | Route::ListAgents
        | Route::ShowChain
        | Route::VerifyChain
        | Route::VerifyGovernanceChain
        | Route::ReportTools
        | Route::ShowSettings => (reads, None, 200),
        Route::ShowApproval
        | Route::ShowEndpoint
        | Route::ShowBundle
        | Route::ListBundleVersions
        | Route::ShowViolation
        | Route::ShowSession
        | Route::ExportSession
        | Route::ShowAgent => (reads, None, 404),
        Route::ResolveApproval => (writes, Some(json!({ "decision": "approve" })), 404),
        Route::AuthorizeKey => (reads, Some(json!({ "api_key": "thoth_live_0", "permission": "read" })), 404),
        Route::CreateKey => (writes, Some(key), 201),
        Route::RotateKey | Route::RevokeKey | Route::DeleteBundle | Route::DeactivateBundle | Route::RollBackBundle => {
            (writes, None, 404)
        }
        Route::QuarantineEndpoint => (writes, Some(json!({ "quarantined": true })), 404),
        Route::UploadBundle => (writes, Some(policies::upload("pay", policies::DENY)), 201),
        Route::ValidateBundle => (writes, Some(json!({ "policy": "" })), 200),
        Route::ActivateBundle => (writes, Some(json!({ "version": 1 })), 404),
        Route::AssignBundle => (writes, Some(json!({ "assignments": [] })), 404),
        Route::ChangeSettings => (writes, Some(json!({ "revision": 0, "settings": {} })), 200),
    };
    Some(needs)
}

/// Somebody with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// Of the whole organization, with this permission only.
    Only(Permission),
    /// Of the whole organization, with all permissions.
    Everything,
    /// Of the whole of another tenant, with this permission only.
    Foreign(Permission),
    /// With all permissions, for the agent, machine or fleet that is asked about.
    Own(ScopeLevel),
    /// The same for another one.
    Other(ScopeLevel),
}

const LESS: [ScopeLevel; 3] = [ScopeLevel::Agent, ScopeLevel::Endpoint, ScopeLevel::Fleet];

/// A key of everybody.
fn principals(world: &World) -> Vec<(Who, String)> {
    let all = |who: Who, tenant: &str, scope_level: ScopeLevel, target: Option<&str>, permissions: &[Permission]| {
        let wanted = Create {
            name: None,
            scope_level,
            scope_target_id: target.map(str::to_owned),
            permissions: permissions.iter().copied().collect(),
            ttl_seconds: None,
            jit_reason: None,
        };
        (who, world.make_key(tenant, &wanted))
    };
    let organization = ScopeLevel::Organization;
    let mut made = vec![all(Who::Everything, "acme", organization, None, Permission::ALL)];
    for only in Permission::ALL {
        made.push(all(Who::Only(*only), "acme", organization, None, &[*only]));
        made.push(all(Who::Foreign(*only), "other", organization, None, &[*only]));
    }
    for (level, (own, other)) in LESS.into_iter().zip([("bot", "other"), ("m1", "m2"), ("f1", "f2")]) {
        made.push(all(Who::Own(level), "acme", level, Some(own), Permission::ALL));
        made.push(all(Who::Other(level), "acme", level, Some(other), Permission::ALL));
    }
    made
}

/// How somebody who asks is answered.
fn expected(case: &Case, who: Who) -> u16 {
    let less_than_it_takes = match who {
        Who::Only(permission) => !case.accepts.contains(&permission),
        Who::Foreign(permission) => case.governs() || !case.accepts.contains(&permission),
        // What may have calls decided looks, and answers nothing.
        Who::Everything => case.governs() && case.accepts == [Write],
        Who::Own(_) | Who::Other(_) => case.governs(),
    };
    match (case.route, who) {
        _ if less_than_it_takes => 403,
        (_, Who::Only(_) | Who::Everything) => case.good,
        // It names no tenant: whoever asks gets that of their own.
        (Route::FetchPolicy, Who::Foreign(_)) => case.good,
        // A held call of somebody else is not there, and whoever asks for it learns no more.
        (Route::Poll, _) => 404,
        // What agents have is told by them.
        (Route::TellTools, Who::Own(ScopeLevel::Endpoint | ScopeLevel::Fleet)) => 403,
        (_, Who::Own(_)) => case.good,
        // Where it says for which agent it explains, it says so to any machine: it was the machine that was told no.
        (Route::Explain, Who::Other(ScopeLevel::Endpoint | ScopeLevel::Fleet)) => 200,
        // Nor is the machine of somebody else there.
        (Route::CheckInEndpoint, Who::Other(ScopeLevel::Endpoint | ScopeLevel::Fleet)) => 404,
        (_, Who::Foreign(_) | Who::Other(_)) => 403,
    }
}

fn code_of(status: u16) -> &'static str {
    match status {
        403 => "forbidden",
        404 => "not_found",
        _ => "",
    }
}

const UNLIMITED: Rates = Rates {
    enforce: NonZeroU32::MAX,
    events: NonZeroU32::MAX,
    polls: NonZeroU32::MAX,
    endpoints: NonZeroU32::MAX,
    governance: NonZeroU32::MAX,
};

#[tokio::test]
async fn every_route_and_everything_wrong() {
    matrix(Keeps::Folder).await;
}

#[tokio::test]
async fn every_route_and_everything_wrong_on_postgresql() {
    matrix(Keeps::Postgres).await;
}

#[tokio::test]
async fn keys_end() {
    ending(Keeps::Folder).await;
}

#[tokio::test]
async fn keys_end_on_postgresql() {
    ending(Keeps::Postgres).await;
}

/// Defends invariants 5 and 6 at the door: for every route, who gets in and who does not, and in which words.
async fn matrix(keeps: Keeps) {
    let world = World::on(keeps, UNLIMITED, POLICY, Mode::Block, |server| server);
    let principals = principals(&world);
    let long = "x".repeat(MAX_BODY + 1);
    for case in routes() {
        let (about, text) = (case.about(), case.text());
        let ask = async |key: Option<&str>, body: &str| world.ask(case.method, &case.path, key, body.to_owned()).await;
        // Those who may are first: of the others none is to be told that something is not there yet.
        let mut asking: Vec<_> = principals.iter().map(|(who, key)| (expected(&case, *who), *who, key)).collect();
        asking.sort();
        for (status, who, key) in &asking {
            let (about, reply) = (format!("{about}, {who:?}"), ask(Some(key), &text).await);
            if *status == case.good {
                assert_eq!(reply.status, case.good, "{about}: {}", reply.body);
                assert!(reply.headers.contains_key("ratelimit-remaining"), "{about}");
                let tenant = if matches!(who, Who::Foreign(_)) { "other" } else { "acme" };
                assert!(case.route != Route::FetchPolicy || reply.body["tenant_id"] == tenant, "{about}");
            } else {
                assert_fault(&reply, *status, code_of(*status), &about);
            }
        }
        for (key, why) in [(None, "none"), (Some("s3cret"), "unknown"), (Some(""), "empty")] {
            let reply = ask(key, &text).await;
            assert_fault(&reply, 401, "unauthorized", &format!("{about}, key {why}"));
            assert!(reply.headers.contains_key(header::WWW_AUTHENTICATE), "{about}");
        }
        let own = &principals.iter().find(|(who, _)| *who == Who::Only(case.accepts[0])).unwrap().1;
        if case.body.is_some() {
            assert_fault(&ask(Some(own), &long).await, 413, "payload_too_large", &about);
            for bad in
                ["", "{", "[1", "\u{1}", "{\"s3cret\": s3cret}", "\"s3cret\"", "[]x", "{\"decision\":\"s3cret\"}"]
            {
                assert_fault(&ask(Some(own), bad).await, 400, "bad_request", &format!("{about}, {bad:?}"));
            }
        }
        let odd = world.ask("PATCH", &case.path, Some(own), Body::empty()).await;
        assert_fault(&odd, 405, "method_not_allowed", &about);
    }
    let reader = &principals.iter().find(|(who, _)| *who == Who::Only(Read)).unwrap().1;
    assert_fault(&world.ask("GET", "/v2", Some(reader), Body::empty()).await, 404, "not_found", "no such route");
    for route in Route::ALL.iter().filter(|route| needs(**route).is_none()) {
        let statuses = async |key: Option<&str>| world.ask("GET", route.path(), key, Body::empty()).await.status;
        let to_nobody = statuses(None).await;
        for (who, key) in &principals {
            assert_eq!(statuses(Some(key)).await, to_nobody, "{route:?} asks nobody who they are: {who:?}");
        }
    }
}

/// A key ends when its time is over, and at once when it is taken back, on every route.
async fn ending(keeps: Keeps) {
    // It is asked until a second is over.
    let world = World::on(keeps, UNLIMITED, POLICY, Mode::Block, |server| server);
    let admin = world.key("acme", None, &[Read, Write], None);
    for case in routes() {
        let about = case.about();
        let made = json!({ "scope_level": "organization", "permissions": [case.accepts[0]] });
        let made = world.ask("POST", "/acme/thoth/api-keys", Some(&admin), made.to_string()).await.body;
        let (key, id) = (made["api_key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
        let ask = async || world.ask(case.method, &case.path, Some(&key), case.text()).await;
        assert_eq!(ask().await.status, case.good, "{about}");
        let gone = world.ask("DELETE", &format!("/acme/thoth/api-keys/{id}"), Some(&admin), Body::empty()).await;
        assert_eq!((gone.status, gone.body["revoked_at"].is_string()), (200, true), "{}", gone.body);
        assert_fault(&ask().await, 401, "unauthorized", &about);
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
