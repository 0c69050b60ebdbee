//! The published OpenAPI document is the one of the contract, describes the routes that are served and no others, and says
//! what is really answered.

use std::collections::{BTreeMap, BTreeSet};

use thoth_api::contract::openapi::document;
use thoth_api::contract::route::Route;

use super::*;

/// The checked-in file is what is generated.
#[test]
fn the_published_document_is_up_to_date() {
    let generated = serde_json::to_string_pretty(&document().unwrap()).unwrap() + "\n";
    assert!(
        include_str!("../../../../../openapi/thoth.json") == generated,
        "renew it: cargo run -p thoth-api --features openapi --example openapi > openapi/thoth.json"
    );
}

/// The paths that a router has, however they came into it: it tells them in its `Debug`, and nowhere else.
fn paths(router: &Router) -> BTreeSet<String> {
    let told = format!("{router:?}");
    // What is answered at any other address has paths of its own there.
    let (told, _) = told.split_once("fallback_router").unwrap();
    told.split('"').filter(|text| text.starts_with('/')).map(str::to_owned).collect()
}

/// Every path and method of the document.
fn routes_of(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, methods): (&String, &Value)| {
        let methods: Vec<String> = methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(|method| (path.clone(), method)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

/// Defends: nothing is served that the document does not tell, and nothing is told that is not served.
#[tokio::test]
async fn what_is_served_is_what_is_described() {
    let world = World::with(Rates::default(), |server| server.with_logins(logins::unasked()));
    let mut served = BTreeSet::new();
    for path in paths(&world.router) {
        let filled = path.replace(['{', '}'], "");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let reply = world.ask(method, &filled, None, Body::empty()).await;
            assert_ne!(reply.status, 404, "{method} {path}");
            if reply.status != 405 {
                served.insert((path.clone(), method.to_owned()));
            }
        }
    }
    assert_eq!(served, routes_of(&document().unwrap()));
    let one_more = world.router.clone().route("/{tenant}/unheard", axum::routing::get(async || ""));
    assert_eq!(paths(&one_more).len(), paths(&world.router).len() + 1, "a route that comes in another way is seen");
}

/// A server, the document, its schemas with no member but those that they name, and what was seen of it.
struct Described {
    world: World,
    document: Value,
    closed: Value,
    seen: BTreeSet<(Route, u16)>,
}

/// No member that is not named: an answer with one is not described. `merged` parts of a schema stay open, because their
/// neighbours name the rest.
fn close(schemas: &Value, schema: &mut Value, merged: bool) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(|part| close(schemas, part, false)),
        Value::Object(members) => {
            for part in members.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(name) = part["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
                    *part = schemas[name].clone();
                }
                close(schemas, part, true);
            }
            let names_members = members.contains_key("properties") || members.contains_key("allOf");
            members.iter_mut().filter(|(key, _)| *key != "allOf").for_each(|(_, part)| close(schemas, part, false));
            if names_members && !merged && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}

/// The headers of answers that the contract is about.
const TOLD: [&str; 6] =
    ["x-request-id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "WWW-Authenticate"];

impl Described {
    fn new(world: World) -> Self {
        let document = document().unwrap();
        let mut closed = document["components"]["schemas"].clone();
        close(&document["components"]["schemas"], &mut closed, false);
        Self { world, document, closed, seen: BTreeSet::new() }
    }

    /// The thing itself, where there is a reference to it.
    fn at<'d>(&'d self, thing: &'d Value) -> &'d Value {
        let Some(name) = thing["$ref"].as_str() else { return thing };
        self.document.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name} is not there"))
    }

    fn assert_fits(&self, content: &Value, body: &Value, about: &str) {
        let mut schema = content["application/json"]["schema"].clone();
        assert!(schema.is_object(), "{about}: {content}");
        schema["components"] = json!({ "schemas": self.closed });
        let validator = jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{about}: {error}"));
        let wrong: Vec<String> =
            validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{about}: {wrong:#?}\n{body}");
        if body.is_object() {
            let mut odd = body.clone();
            odd["zzzzz"] = json!(1);
            assert!(!validator.is_valid(&odd), "{about}: the schema takes anything");
        }
    }

    /// Asks, and holds what went and what came against the document.
    async fn ask(&mut self, route: Route, at: &str, key: &str, body: Value, status: u16) -> Value {
        let (method, about) = (route.method().as_str(), format!("{route:?} {at}"));
        let key = Some(key).filter(|key| !key.is_empty());
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.world.ask(method, at, key, text).await;
        assert_eq!(reply.status, status, "{about}: {}", reply.body);
        let operation = &self.document["paths"][route.path()][method.to_lowercase()];
        if status < 300 && !body.is_null() {
            self.assert_fits(&operation["requestBody"]["content"], &body, &about);
        }
        let response = self.at(&operation["responses"][status.to_string()]);
        assert!(response.is_object(), "{about}: {status} is not described");
        let headers = response["headers"].as_object().unwrap();
        for name in TOLD {
            let (described, came) = (headers.get(name), reply.headers.contains_key(name));
            assert!(described.is_some() || !came, "{about}: {status} has {name}");
            let surely = described.is_some_and(|header| {
                self.at(header)["required"] == true || name.starts_with("RateLimit") && matches!(status, ..300 | 429)
            });
            assert!(came || !surely, "{about}: {status} without {name}");
        }
        assert!(headers.keys().all(|name| TOLD.contains(&&**name)), "{headers:?}");
        let kind = reply.headers[header::CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap();
        assert!(response["content"][kind].is_object(), "{about}: {status} is {kind}");
        if kind == "application/json" {
            self.assert_fits(&response["content"], &reply.body, &about);
        }
        self.seen.insert((route, status));
        reply.body
    }

    /// Every decision that there is, by its word, and every way to be turned away.
    async fn decisions(&mut self, agent: &str, admin: &str) -> BTreeMap<String, Vec<Value>> {
        const AT: &str = "/v1/enforce";
        let mut decided = BTreeMap::<String, Vec<Value>>::new();
        let secret = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
        for (tool, argument) in [
            ("read", "1"),
            ("rm", "1"),
            ("write", "1"),
            ("write", "2"),
            ("often", "1"),
            ("often", "1"),
            ("read", &secret),
        ] {
            let mut question = question(tool);
            question["tool_args"] = json!({ "text": argument });
            question["action_attestation_id"] = json!("a1");
            let answer = self.ask(Route::Enforce, AT, agent, question, 200).await;
            decided.entry(answer["decision"].as_str().unwrap().to_owned()).or_default().push(answer);
        }
        assert_eq!(Vec::from_iter(decided.keys()), ["ALLOW", "BLOCK", "DEFER", "MODIFY", "STEP_UP"]);
        self.ask(Route::Enforce, AT, agent, json!({ "agent_id": 7 }), 400).await;
        self.ask(Route::Enforce, AT, "", question("read"), 401).await;
        self.ask(Route::Enforce, AT, admin, question("read"), 403).await;
        self.ask(Route::Enforce, AT, agent, json!("x".repeat(MAX_BODY)), 413).await;
        decided
    }

    /// Two held calls, of which one is approved and one denied.
    async fn answers_of_people(&mut self, agent: &str, admin: &str, held: &[Value]) {
        let holds: Vec<&str> = held.iter().map(|held| held["hold_token"].as_str().unwrap()).collect();
        let polls: Vec<String> = holds.iter().map(|hold| format!("/v1/enforce/hold/{hold}")).collect();
        let list = "/acme/thoth/approvals";
        self.ask(Route::Poll, &polls[0], agent, Value::Null, 200).await;
        self.ask(Route::ListApprovals, &format!("{list}?status=pending&per_page=1"), admin, Value::Null, 200).await;
        self.ask(Route::ListApprovals, &format!("{list}?status=odd"), admin, Value::Null, 400).await;
        self.ask(Route::ShowApproval, &format!("{list}/{}", holds[0]), admin, Value::Null, 200).await;
        for (index, decision, status) in [(0, "approve", 200), (1, "deny", 200), (1, "approve", 409)] {
            let resolve = format!("{list}/{}/resolve", holds[index]);
            let answer = json!({ "decision": decision, "reason": "known" });
            self.ask(Route::ResolveApproval, &resolve, admin, answer, status).await;
        }
        for (poll, expected) in polls.iter().zip(["ALLOW", "BLOCK"]) {
            let polled = self.ask(Route::Poll, poll, agent, Value::Null, 200).await;
            assert_eq!(polled["resolution"], expected, "{polled}");
        }
        self.ask(Route::Poll, "/v1/enforce/hold/none", agent, Value::Null, 404).await;
        self.ask(Route::Poll, "/v1/enforce/hold/%ff", agent, Value::Null, 400).await;
        // On a machine that is slow some have been let through again by now.
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.world.ask("GET", &polls[0], Some(agent), String::new()).await.status != 429 {
            assert!(Instant::now() < deadline, "nothing is too many");
        }
        self.ask(Route::Poll, &polls[0], agent, Value::Null, 429).await;
        let all = self.ask(Route::ListApprovals, list, admin, Value::Null, 200).await;
        assert_eq!(all["total"], 2, "{all}");
    }
}

impl Described {
    /// A bundle from upload to deletion.
    async fn bundles(&mut self, agent: &str, admin: &str) {
        let at = "/acme/thoth/policy-bundles";
        let odd = json!({ "policy": "version: 7", "name": "odd" });
        let report = self.ask(Route::ValidateBundle, &format!("{at}/validate"), admin, odd, 200).await;
        assert_eq!((&report["valid"], &report["errors"][0]["line"]), (&json!(false), &json!(1)), "{report}");
        let mut upload = policies::upload("pay", policies::DENY);
        upload["description"] = json!("no payments");
        upload["assignments"] = json!(["all"]);
        upload["decisions"] = json!("local");
        let made = self.ask(Route::UploadBundle, at, admin, upload, 201).await;
        let one = format!("{at}/{}", made["bundle"]["bundle_id"].as_str().unwrap());
        self.ask(Route::UploadBundle, at, admin, policies::upload("pay", "version: 7"), 400).await;
        self.ask(Route::RollBackBundle, &format!("{one}/rollback"), admin, Value::Null, 409).await;
        self.ask(Route::ActivateBundle, &format!("{one}/activate"), admin, json!({ "version": 1 }), 200).await;
        self.ask(Route::ActivateBundle, &format!("{one}/activate"), admin, json!({ "version": 9 }), 404).await;
        self.ask(Route::UploadBundle, at, admin, policies::upload("pay", policies::ASK), 201).await;
        self.ask(Route::ActivateBundle, &format!("{one}/activate"), admin, json!({ "version": 2 }), 200).await;
        self.ask(Route::RollBackBundle, &format!("{one}/rollback"), admin, Value::Null, 200).await;
        self.ask(Route::FetchPolicy, "/v1/policy-bundle?agent_id=bot&endpoint_id=m1", agent, Value::Null, 200).await;
        self.ask(Route::ShowEffective, &format!("{at}/effective?agent_id=bot"), admin, Value::Null, 200).await;
        let machine = json!({ "tenant_id": "acme", "endpoint_id": "m1" });
        let seen = self.ask(Route::CheckInEndpoint, "/v1/endpoints/checkin", agent, machine, 200).await;
        assert_eq!(seen["policy"]["version"], 1, "{seen}");
        let nobody = json!({ "assignments": [] });
        self.ask(Route::AssignBundle, &format!("{one}/assignments"), admin, nobody, 200).await;
        self.ask(Route::ListBundles, at, admin, Value::Null, 200).await;
        self.ask(Route::ShowBundle, &format!("{one}?version=2"), admin, Value::Null, 200).await;
        self.ask(Route::ListBundleVersions, &format!("{one}/versions"), admin, Value::Null, 200).await;
        self.ask(Route::DeleteBundle, &one, admin, Value::Null, 409).await;
        self.ask(Route::DeactivateBundle, &format!("{one}/deactivate"), admin, Value::Null, 200).await;
        self.ask(Route::DeleteBundle, &one, admin, Value::Null, 200).await;
    }
}

impl Described {
    /// What the ledger has, once the index has it.
    async fn ledger(&mut self, admin: &str) {
        ledger::indexed(&self.world, admin, 8).await;
        let at = "/acme/thoth";
        self.ask(Route::ListDecisions, &format!("{at}/decisions?limit=3"), admin, Value::Null, 200).await;
        self.ask(Route::ListDecisions, &format!("{at}/decisions?since=odd"), admin, Value::Null, 400).await;
        let all =
            self.ask(Route::ListDecisions, &format!("{at}/decisions?order=oldest"), admin, Value::Null, 200).await;
        let words: BTreeSet<&str> =
            all["data"].as_array().unwrap().iter().filter_map(|row| row["decision"].as_str()).collect();
        assert_eq!(Vec::from_iter(words), ["ALLOW", "BLOCK", "DEFER", "MODIFY", "STEP_UP"], "as they were answered");
        let violations = self.ask(Route::ListViolations, &format!("{at}/violations"), admin, Value::Null, 200).await;
        let one = violations["data"][0]["violation_id"].as_str().unwrap();
        self.ask(Route::ShowViolation, &format!("{at}/violations/{one}"), admin, Value::Null, 200).await;
        let tools =
            json!({ "agent_id": "bot", "tools": [{ "name": "read", "description": "d", "input_schema": { "a": 1 } }] });
        self.ask(Route::TellTools, &format!("{at}/tool-inventory"), admin, tools, 200).await;
        self.ask(Route::ReportTools, &format!("{at}/mcp/inventory/report"), admin, Value::Null, 200).await;
        let set = json!({ "revision": 0, "settings": { "enforcement_mode": "block", "event_retention_days": 9 } });
        self.ask(Route::ChangeSettings, &format!("{at}/settings"), admin, set.clone(), 200).await;
        self.ask(
            Route::ChangeSettings,
            &format!("{at}/settings"),
            admin,
            json!({ "revision": 0, "settings": {} }),
            409,
        )
        .await;
        self.ask(Route::ShowSettings, &format!("{at}/settings"), admin, Value::Null, 200).await;
        self.ask(Route::ListSessions, &format!("{at}/sessions"), admin, Value::Null, 200).await;
        self.ask(Route::ShowSession, &format!("{at}/sessions/s"), admin, Value::Null, 200).await;
        self.ask(Route::ExportSession, &format!("{at}/sessions/s/evidence-bundle"), admin, Value::Null, 200).await;
        self.ask(
            Route::ListAgents,
            &format!("{at}/agents?limit=1&since=2020-01-01T00:00:00Z"),
            admin,
            Value::Null,
            200,
        )
        .await;
        self.ask(Route::ShowAgent, &format!("{at}/agents/bot"), admin, Value::Null, 200).await;
        self.ask(Route::ShowChain, &format!("{at}/evidence/chain?limit=3"), admin, Value::Null, 200).await;
        let other = "/acme/governance/evidence/verify-chain";
        self.ask(Route::VerifyGovernanceChain, other, admin, Value::Null, 200).await;
        self.ask(Route::VerifyChain, &format!("{at}/evidence/verify"), admin, Value::Null, 200).await;
    }
}

/// Defends: what is really answered, on every route and with every decision, is what the document says, with no member
/// more; and the requests that clients send are those that it describes.
#[tokio::test]
async fn answers_are_as_described() {
    let (polls, governance) = (NonZeroU32::new(4).unwrap(), NonZeroU32::MAX);
    let rates = Rates { polls, governance, ..Rates::default() };
    let world = World::with(rates, |server| server.with_logins(logins::unasked()));
    let policy = format!("{POLICY}tools: {{ often: {{ max_calls_per_minute: 1 }} }}\ninspect: {{ secrets: redact }}\n");
    std::fs::write(world.data.path().join("policy.yaml"), policy).unwrap();
    let agent = world.key("acme", Some("bot"), &[Permission::Execute, Permission::Write], None);
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let mut described = Described::new(world);
    described.ask(Route::Healthz, "/healthz", "", Value::Null, 200).await;
    described.ask(Route::Readyz, "/readyz", "", Value::Null, 200).await;
    described.ask(Route::ShowLogin, "/v1/auth/config", "", Value::Null, 200).await;
    let decided = described.decisions(&agent, &admin).await;
    described.answers_of_people(&agent, &admin, &decided["STEP_UP"]).await;

    let mut why = question("rm");
    for absent in ["tool_args", "approved_scope", "enforcement_mode", "session_tool_calls"] {
        why.as_object_mut().unwrap().remove(absent);
    }
    why["violation_id"] = decided["BLOCK"][0]["violation_id"].clone();
    described.ask(Route::Explain, "/v1/explain", &agent, why, 200).await;

    let event = |tenant: &str| json!({ "tenant_id": tenant, "session_id": "s", "event_type": "TOOL_CALL_PRE", "agent_id": "bot", "more": 1 });
    let batch = json!([event("acme"), event("other")]);
    let receipt = described.ask(Route::TellEvents, "/v1/events/batch", &agent, batch, 202).await;
    assert_eq!(receipt["rejected"][0]["index"], 1, "{receipt}");
    let events = described.ask(Route::ListEvents, "/acme/thoth/events?order=oldest", &admin, Value::Null, 200).await;
    assert_eq!(events["data"][0]["more"], 1, "{events}");

    let keys = "/acme/thoth/api-keys";
    let wanted =
        json!({ "scope_level": "agent", "scope_target_id": "b", "permissions": ["execute"], "ttl_seconds": 60 });
    let made = described.ask(Route::CreateKey, keys, &admin, wanted, 201).await;
    let made = format!("{keys}/{}", made["id"].as_str().unwrap());
    let rotated = format!("{made}/rotate");
    let grace = json!({ "grace_seconds": 60 });
    described.ask(Route::RotateKey, &rotated, &admin, grace.clone(), 201).await;
    described.ask(Route::RotateKey, &format!("{keys}/key_none/rotate"), &admin, grace.clone(), 404).await;
    let asked =
        json!({ "api_key": "thoth_live_0", "permission": "execute", "resource_type": "agent", "resource_id": "b" });
    described.ask(Route::AuthorizeKey, &format!("{made}/authorize"), &admin, asked.clone(), 200).await;
    described.ask(Route::AuthorizeKey, &format!("{keys}/key_none/authorize"), &admin, asked, 404).await;
    described.ask(Route::RevokeKey, &made, &admin, Value::Null, 200).await;
    described.ask(Route::RotateKey, &rotated, &admin, grace, 409).await;
    described.ask(Route::RevokeKey, &format!("{keys}/key_none"), &admin, Value::Null, 404).await;
    described.ask(Route::ListKeys, keys, &admin, Value::Null, 200).await;

    let machine = json!({
        "tenant_id": "acme", "endpoint_id": "m1", "hostname": "h", "os": "linux", "enrollment": "jamf", "fleet_id": "f",
        "agent_ids": ["bot"], "enforcement_mode": "enforce", "proxy_version": "1",
    });
    described.ask(Route::AddEndpoint, "/acme/thoth/endpoints", &agent, machine.clone(), 200).await;
    described.ask(Route::RegisterEndpoint, "/v1/endpoints/register", &agent, machine, 200).await;
    let seen = json!({ "tenant_id": "acme", "endpoint_id": "m1", "policy_digest": "sha256:1", "events_pending": 2 });
    described.ask(Route::CheckInEndpoint, "/v1/endpoints/checkin", &agent, seen, 200).await;
    let machines = "/acme/thoth/endpoints";
    let quarantine = json!({ "quarantined": true, "reason": "lost" });
    described.ask(Route::QuarantineEndpoint, &format!("{machines}/m1/quarantine"), &admin, quarantine, 200).await;
    described.ask(Route::ShowEndpoint, &format!("{machines}/m1"), &admin, Value::Null, 200).await;
    described.ask(Route::ListEndpoints, &format!("{machines}?status=quarantined"), &admin, Value::Null, 200).await;
    described.ask(Route::CountEndpoints, &format!("{machines}/stats"), &admin, Value::Null, 200).await;
    described.bundles(&agent, &admin).await;
    described.ledger(&admin).await;

    let done = described.seen.iter().filter(|(_, status)| *status < 300).map(|(route, _)| *route);
    assert_eq!(
        BTreeSet::from_iter(done),
        BTreeSet::from_iter(Route::ALL.iter().copied()),
        "routes that were not asked"
    );
    let errors: BTreeSet<u16> =
        described.seen.iter().map(|(_, status)| *status).filter(|status| *status >= 300).collect();
    assert_eq!(Vec::from_iter(errors), [400, 401, 403, 404, 409, 413, 429]);
}

/// Defends invariant 6 on paper: the permission that the document names is the one that is asked for.
#[tokio::test]
async fn permissions_are_as_described() {
    let world = World::new(Rates::default());
    let document = document().unwrap();
    let without = |lacking: Permission| {
        let others: Vec<Permission> = Permission::ALL.iter().copied().filter(|other| *other != lacking).collect();
        world.key("acme", None, &others, None)
    };
    let keys: Vec<_> = Permission::ALL.iter().map(|permission| without(*permission)).collect();
    // Where one of several is enough.
    let alone: Vec<_> = Permission::ALL.iter().map(|only| world.key("acme", None, &[*only], None)).collect();
    for route in Route::ALL {
        let method = route.method().as_str();
        let filled = route.path().replace("{tenant}", "acme").replace(['{', '}'], "");
        let mut needs = "Takes no key.".to_owned();
        for key in keys.iter().chain(&alone) {
            let reply = world.ask(method, &filled, Some(key), Body::empty()).await;
            let message = reply.body["error"]["message"].as_str().unwrap_or_default().to_owned();
            if let Some(lacking) = message.strip_prefix("the API key has not the permission ") {
                needs = format!("Takes a key with {lacking}.");
            }
        }
        let operation = &document["paths"][route.path()][method.to_lowercase()];
        assert!(operation["description"].as_str().unwrap().starts_with(&needs), "{route:?}: {needs} {operation}");
        assert_eq!(operation["security"].is_array(), needs == "Takes no key.", "{route:?}");
    }
}

/// Every reference of the document leads somewhere, and no text in it is one for Rust's own documentation.
#[test]
fn the_document_is_whole() {
    let document = document().unwrap();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    assert!(!text.contains("[`"), "a link to an item");
}
