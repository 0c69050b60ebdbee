//! Policy bundles: they hold for whom they are, at once and in every process, only tighten, and every change is in the ledger.

use thoth_api::contract::policy_bundle::{DOCUMENT_DOMAIN, Document};
use thoth_audit::seal::SealOpener;
use thoth_policy::{Sources, load_together};

use super::*;

const AT: &str = "/acme/thoth/policy-bundles";
pub(super) const DENY: &str = "version: \"1\"\nrules:\n- { name: no_read, match: { tool: read }, approval: block }\n";
pub(super) const ASK: &str = "version: \"1\"\nrules:\n- { name: ask_read, match: { tool: read }, approval: approve }\n";
const LOOSE: &str =
    "version: \"1\"\ndefaults: { approval: auto }\nrules:\n- { name: any, match: { tool: \"*\" }, approval: auto }\n";

pub(super) fn upload(name: &str, policy: &str) -> Value {
    json!({ "name": name, "policy": policy })
}

struct Office {
    world: World,
    admin: String,
    key: String,
}

impl Office {
    fn new() -> Self {
        let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
        let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
        let key = world.key("acme", None, &[Permission::Execute], None);
        Self { world, admin, key }
    }

    /// Asks as an administrator.
    async fn ask(&self, method: &str, rest: &str, body: Value, status: u16) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.world.ask(method, &format!("{AT}{rest}"), Some(&self.admin), text).await;
        assert_eq!(reply.status, status, "{method} {rest} {body}: {}", reply.body);
        reply.body
    }

    /// Uploads and activates.
    async fn hold(&self, name: &str, policy: &str, assignments: &[&str]) {
        let mut body = upload(name, policy);
        body["assignments"] = json!(assignments);
        let made = self.ask("POST", "", body, 201).await;
        let version = json!({ "version": made["version"]["version"] });
        self.ask("POST", &format!("/{name}/activate"), version, 200).await;
    }

    /// Why a call is answered as it is.
    async fn why(&self, world: &World, tool: &str, agent: &str, endpoint: &str, fleet: &str) -> String {
        let mut question = question(tool);
        for (field, value) in [("agent_id", agent), ("endpoint_id", endpoint), ("fleet_id", fleet)] {
            question[field] = json!(value);
        }
        let reply = world.ask("POST", "/v1/enforce", Some(&self.key), question.to_string()).await;
        reply.body["decision_reason_code"].as_str().unwrap_or_else(|| panic!("{}", reply.body)).to_owned()
    }
}

/// Defends: a bundle holds for whom it is assigned to and for nobody else, from the next call on, in another process, too;
/// a machine's own fleet counts where the call does not name it.
#[tokio::test]
async fn bundles_hold_for_whom_they_are() {
    let office = Office::new();
    let second = office.world.beside(Mode::Block);
    let machine = json!({ "tenant_id": "acme", "endpoint_id": "m1", "hostname": "h", "fleet_id": "berlin" });
    let registered = office.world.ask("POST", "/v1/endpoints/register", Some(&office.key), machine.to_string()).await;
    assert_eq!(registered.status, 200);
    office.hold("deny", DENY, &[]).await;
    for (assignments, meant) in [
        (json!([]), [false, false, false, false]),
        (json!(["all"]), [true, true, true, true]),
        (json!(["agent:bot"]), [true, false, true, false]),
        (json!(["bot"]), [true, false, true, false]),
        (json!(["endpoint:m1"]), [false, true, false, false]),
        (json!(["fleet:berlin"]), [false, true, true, false]),
        (json!(["fleet:paris", "endpoint:m2", "agent:x"]), [false, false, false, false]),
    ] {
        office.ask("POST", "/deny/assignments", json!({ "assignments": assignments }), 200).await;
        for world in [&office.world, &second] {
            let callers = [("bot", "", ""), ("other", "m1", ""), ("bot", "m9", "berlin"), ("other", "m9", "")];
            for ((agent, endpoint, fleet), meant) in callers.into_iter().zip(meant) {
                let expected = if meant { "rule_block" } else { "default_auto" };
                let why = office.why(world, "read", agent, endpoint, fleet).await;
                assert_eq!(why, expected, "{assignments} {agent} {endpoint} {fleet}");
            }
        }
    }
    for bad in [json!(["odd:x"]), json!(["agent:"]), json!(["all", " "]), json!(vec!["all"; 300])] {
        office.ask("POST", "/deny/assignments", json!({ "assignments": bad }), 400).await;
    }
    let beta = office.world.key("beta", None, &[Permission::Read, Permission::Write], None);
    for path in ["/deny", "/deny/versions"] {
        let reply =
            office.world.ask("GET", &format!("/beta/thoth/policy-bundles{path}"), Some(&beta), Body::empty()).await;
        assert_fault(&reply, 404, "not_found", path);
    }
}

/// Defends invariant 6: whatever a bundle says, no call is answered more loosely than by the server's own policy, also after
/// that changes; and a set that cannot hold together with it refuses.
#[tokio::test]
async fn bundles_only_tighten() {
    let office = Office::new();
    let file = office.world.data.path().join("policy.yaml");
    let why = async |tool: &str| office.why(&office.world, tool, "bot", "", "").await;
    office.hold("loose", LOOSE, &["all"]).await;
    assert_eq!([why("rm").await, why("write").await, why("read").await], ["rule_block", "rule_approve", "rule_auto"]);
    std::fs::write(&file, POLICY.replace("approval: auto }", "approval: approve }")).unwrap();
    assert_eq!([why("rm").await, why("read").await], ["rule_block", "default_approve"]);
    std::fs::write(&file, "version: 7").unwrap();
    assert_eq!(why("read").await, "default_approve", "a policy that is not valid changes nothing");
    // A rule of the bundle's name: none can be told from the other.
    std::fs::write(&file, POLICY.replace("name: ask", "name: any")).unwrap();
    assert_eq!(why("read").await, "policy_invalid");
    std::fs::write(&file, POLICY).unwrap();
    assert_eq!(why("read").await, "rule_auto");
    for (name, text, expected) in [
        ("clash", LOOSE.to_owned(), "two rules are called `any`"),
        ("own", DENY.replace("no_read", "no"), "two rules are called `no`"),
    ] {
        office.ask("POST", "", upload(name, &text), 201).await;
        let refused = office.ask("POST", &format!("/{name}/activate"), json!({ "version": 1 }), 409).await;
        assert!(refused["error"]["message"].as_str().unwrap().contains(expected), "{refused}");
        assert_eq!(why("read").await, "rule_auto");
    }
}

/// Defends: what is not valid is refused with its place and nothing of it is kept; what is odd is told.
#[tokio::test]
async fn what_is_wrong_is_told_and_not_kept() {
    let office = Office::new();
    for (text, place, expected) in [
        ("version: \"1\"\nruls: []\n".to_owned(), "pay.yaml:2:1", "ruls: []"),
        (format!("{DENY}include: other.yaml\n"), "pay.yaml:4:1", "one text"),
        (format!("{DENY}evaluation: first-match\n"), "pay.yaml:4:13", "cannot hold"),
        (format!("{DENY}integrity: {{ on_unlisted: allow }}\n"), "pay.yaml:4:1", "belongs"),
        (DENY.replace("approval: block", "approval: block, override: [no]"), "pay.yaml:3", "no rule is called"),
        ("x".repeat(300_000), "", "longer than"),
    ] {
        let refused = office.ask("POST", "", upload("pay", &text), 400).await;
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(place) && message.contains(expected), "{message}");
    }
    for name in ["", "Pay", "validate", "effective", "../x", &"x".repeat(65)] {
        office.ask("POST", "", upload(name, DENY), 400).await;
    }
    assert_eq!(office.ask("GET", "", Value::Null, 200).await["total"], 0);
    let odd = format!("{DENY}- {{ name: never, match: {{ tool: read }}, approval: approve }}\n");
    let report = office.ask("POST", "/validate", json!({ "policy": odd, "name": "pay" }), 200).await;
    let about: Vec<&Value> = report["findings"].as_array().unwrap().iter().filter(|f| f["rule"] == "never").collect();
    assert_eq!((&report["valid"], &report["warned"]), (&json!(true), &json!(true)), "{report}");
    assert!(about.iter().any(|finding| finding.to_string().contains("never_decisive")), "{report}");
    assert!(report["text"].as_str().unwrap().contains("pay.yaml:4"), "{report}");
    let clean = office
        .ask("POST", "/validate", json!({ "policy": "version: \"1\"\ngateway: { denied_tools: [rm] }\n" }), 200)
        .await;
    assert_eq!((&clean["findings"], &clean["warned"]), (&json!([]), &json!(false)), "{clean}");
}

/// Defends: versions stay, each change says who made it, in the ledger, and the version before comes back.
#[tokio::test]
async fn versions_and_the_way_back() {
    let office = Office::new();
    let why = async || office.why(&office.world, "read", "bot", "", "").await;
    office.hold("pay", DENY, &["all"]).await;
    office.hold("pay", ASK, &["all"]).await;
    assert_eq!(why().await, "rule_approve");
    office.ask("POST", "/pay/rollback", Value::Null, 200).await;
    assert_eq!(why().await, "rule_block");
    office.ask("POST", "/pay/rollback", Value::Null, 409).await;
    let shown = office.ask("GET", "/pay?version=2", Value::Null, 200).await;
    assert_eq!((&shown["version"]["policy"], &shown["bundle"]["active_version"]), (&json!(ASK), &json!(1)));
    office.ask("DELETE", "/pay", Value::Null, 409).await;
    office.ask("POST", "/pay/deactivate", Value::Null, 200).await;
    assert_eq!(why().await, "default_auto");
    let gone = office.ask("DELETE", "/pay", Value::Null, 200).await;
    office.ask("GET", "/pay", Value::Null, 404).await;
    let by_id = format!("/{}", gone["bundle_id"].as_str().unwrap());
    assert!(office.ask("GET", &by_id, Value::Null, 200).await["bundle"]["deleted_at"].is_string());
    let mut told = Vec::new();
    let ledger = office.world.data.path().join("tenants/acme/ledger");
    thoth_audit::verify_each(&ledger, &thoth_audit::VerifyOptions::default(), &mut |leaf| {
        let event: Value = serde_json::from_slice(leaf).unwrap();
        if event["eventType"] == "POLICY_BUNDLE_CHANGED" {
            told.push(event["detail"].as_str().unwrap().to_owned());
        }
    })
    .unwrap();
    let expected = ["activate", "activate", "roll back to", "deactivate", "delete"];
    assert_eq!(told.len(), 2 * expected.len(), "{told:?}");
    for (told, expected) in told.chunks(2).zip(expected) {
        let asked = told[0].strip_prefix("asked for by key key_").unwrap();
        assert!(asked.contains(&format!(": {expected} ")), "{told:?}");
        let done = told[1].strip_prefix("done: ").unwrap();
        assert!(done.starts_with(&format!("{expected} ")) && done.contains(", as key key_"), "{told:?}");
    }
}

/// Defends: what a sidecar gets is sealed, is for whom it was asked, and is the very policy that the server decides by; what
/// the key does not speak for is refused; an unchanged one is not sent again.
#[tokio::test]
async fn a_sidecar_gets_what_holds() {
    let office = Office::new();
    std::fs::write(office.world.data.path().join("more.yaml"), "version: \"1\"\nscope: { approved: [read, write] }\n")
        .unwrap();
    std::fs::write(office.world.data.path().join("policy.yaml"), format!("{POLICY}include: more.yaml\n")).unwrap();
    let machine = json!({ "tenant_id": "acme", "endpoint_id": "m1", "hostname": "h", "fleet_id": "berlin" });
    let told = office.world.ask("POST", "/v1/endpoints/register", Some(&office.key), machine.to_string()).await.body;
    let opener = SealOpener::parse(told["signing_key"]["public_key"].as_str().unwrap()).unwrap();
    office.hold("deny", DENY, &["fleet:berlin"]).await;
    office.hold("ask", ASK, &["agent:bot"]).await;
    let get = async |key: &str, query: &str, etag: Option<&str>| {
        let mut request = Request::builder().uri(format!("/v1/policy-bundle{query}")).header("x-api-key", key);
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        let response = office.world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let etag = response.headers().get(header::ETAG).map(|etag| etag.to_str().unwrap().to_owned());
        (status, etag, to_bytes(response.into_body(), usize::MAX).await.unwrap())
    };
    let query = "?agent_id=bot&endpoint_id=m1";
    let (status, etag, bytes) = get(&office.key, query, None).await;
    assert_eq!(status, 200);
    opener.open(DOCUMENT_DOMAIN, &bytes).unwrap();
    let document: Document = serde_json::from_slice(&bytes).unwrap();
    let names: Vec<&str> = document.policy.iter().map(|text| &*text.name).collect();
    assert_eq!((document.own_texts, document.bundles.len(), document.sequence), (2, 2, 2));
    assert!(names.starts_with(&["policy.yaml", "more.yaml"]) && names.contains(&"deny@1.yaml"), "{names:?}");
    assert_eq!(document.fleet_id.as_deref(), Some("berlin"));
    let sources = document.policy.iter().fold(Sources::new(), |all, text| all.with(&text.name, text.text.clone()));
    let policy = load_together(names[0], &names[document.own_texts as usize..], &sources).unwrap();
    let effective = office.ask("GET", &format!("/effective{query}"), Value::Null, 200).await;
    assert_eq!((policy.digest(), &json!(document.policy_digest)), (&*document.policy_digest, &effective["digest"]));

    let (status, again, _) = get(&office.key, query, etag.as_deref()).await;
    // Now and then a new span of time begins in between.
    assert!(status == 304 && again == etag || status == 200 && again != etag, "{status}");
    let bot = office.world.key("acme", Some("bot"), &[Permission::Execute], None);
    assert_eq!(get(&bot, "", None).await.0, 200, "for whom the key is");
    assert_eq!(get(&bot, "?agent_id=other", None).await.0, 403);
    assert_eq!(get(&office.admin, "", None).await.0, 403);
    let quarantine = json!({ "quarantined": true }).to_string();
    let path = "/acme/thoth/endpoints/m1/quarantine";
    office.world.ask("POST", path, Some(&office.admin), quarantine).await;
    let (status, _, bytes) = get(&office.key, query, etag.as_deref()).await;
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((status, &document["status"], &document["decisions"]), (200, &json!("quarantined"), &json!("remote")));
}

/// Defends: nothing of an upload is passed over that would come to something else: another language, a standing that an upload does
/// not bring about, and for whom a bundle is that is there already.
#[tokio::test]
async fn an_upload_says_what_it_means() {
    let office = Office::new();
    let with = |name: &str, value: Value| {
        let mut upload = upload("pay", DENY);
        upload[name] = value;
        upload
    };
    for (name, value) in [("framework", "OPA"), ("framework", "cedar"), ("status", "active"), ("status", "paused")] {
        let told = office.ask("POST", "", with(name, json!(value)), 400).await;
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("`{name}` is `")), "{message}");
    }
    office.ask("POST", "", with("framework", json!("THOTH")), 201).await;
    office.ask("POST", "", with("status", json!("staged")), 201).await;
    let told = office.ask("POST", "", with("assignments", json!(["agent:bot"])), 409).await;
    assert!(told["error"]["message"].as_str().unwrap().contains("assign it by itself"), "{told}");
    let told = office.ask("POST", "", with("assignments", json!(["all"])), 201).await;
    assert_eq!((&told["version"]["version"], &told["bundle"]["assignments"]), (&json!(1), &json!(["all"])), "{told}");
}
