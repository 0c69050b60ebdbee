//! Machines: who may tell of them, how they stand, and that no call of one in quarantine is let through.

use thoth_store::server::ServerStore;
use thoth_store::server::endpoints::{EndpointRecords as _, May};

use super::*;

const REGISTER: &str = "/v1/endpoints/register";
const CHECK_IN: &str = "/v1/endpoints/checkin";

pub(super) fn registration(id: &str) -> Value {
    json!({ "tenant_id": "acme", "endpoint_id": id, "hostname": "mac.local", "agent_ids": ["bot"] })
}

/// A key for one of a kind.
fn scoped(world: &World, scope_level: ScopeLevel, target: &str) -> String {
    let wanted = Create {
        name: None,
        scope_level,
        scope_target_id: Some(target.to_owned()),
        permissions: [Permission::Execute, Permission::Write].into_iter().collect(),
        ttl_seconds: None,
        jit_reason: None,
    };
    world.make_key("acme", &wanted)
}

fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (name, new) in changes {
        value[*name] = new.clone();
    }
    value
}

/// Defends invariant 6: a machine is told of by keys that speak for it only, and neither it nor another key of the governed
/// side takes it out of its fleet.
#[tokio::test]
async fn who_may_tell_of_a_machine() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let org = world.key("acme", None, &[Permission::Execute, Permission::Write], None);
    let (bot, machine) = (scoped(&world, ScopeLevel::Agent, "bot"), scoped(&world, ScopeLevel::Endpoint, "m1"));
    let (berlin, paris) = (scoped(&world, ScopeLevel::Fleet, "berlin"), scoped(&world, ScopeLevel::Fleet, "paris"));
    let third = scoped(&world, ScopeLevel::Agent, "third");
    let fleet = |name: &str| ("fleet_id", json!(name));
    let agents = |names: &[&str]| ("agent_ids", json!(names));
    let register = |id: &str, changes: &[(&str, Value)]| with(registration(id), changes);
    let check_in = |id: &str, changes: &[(&str, Value)]| {
        with(json!({ "tenant_id": "acme", "endpoint_id": id, "proxy_version": "0.2" }), changes)
    };
    for (number, (path, key, body, status)) in [
        (CHECK_IN, &machine, check_in("m1", &[]), 404),
        (REGISTER, &machine, register("m2", &[]), 403),
        (REGISTER, &machine, register("m1", &[fleet("berlin")]), 200),
        (REGISTER, &machine, register("m1", &[]), 200),
        (REGISTER, &machine, register("m1", &[fleet("paris")]), 403),
        (REGISTER, &org, register("m1", &[fleet("paris")]), 403),
        (REGISTER, &paris, register("m1", &[fleet("paris")]), 403),
        (REGISTER, &berlin, register("m1", &[fleet("berlin")]), 200),
        (REGISTER, &berlin, register("m1", &[]), 403),
        (REGISTER, &bot, register("m1", &[agents(&["bot", "other"])]), 403),
        (REGISTER, &bot, register("m1", &[agents(&[])]), 403),
        (REGISTER, &bot, register("m1", &[]), 200),
        (REGISTER, &machine, register("m1", &[agents(&["bot", "other"])]), 200),
        (REGISTER, &bot, register("m1", &[]), 200),
        (REGISTER, &bot, register("m1", &[fleet("paris")]), 403),
        (CHECK_IN, &machine, check_in("m1", &[]), 200),
        (CHECK_IN, &berlin, check_in("m1", &[]), 200),
        (CHECK_IN, &paris, check_in("m1", &[]), 404),
        (CHECK_IN, &bot, check_in("m1", &[]), 200),
        (CHECK_IN, &third, check_in("m1", &[]), 404),
        (CHECK_IN, &bot, check_in("m1", &[agents(&["other"])]), 403),
        (CHECK_IN, &machine, check_in("m1", &[("tenant_id", json!("other"))]), 403),
        (REGISTER, &admin, register("m1", &[fleet("paris")]), 200),
        (CHECK_IN, &paris, check_in("m1", &[]), 200),
        (REGISTER, &org, register("m3", &[("hostname", json!(" "))]), 400),
        (REGISTER, &org, register("m3", &[("hostname", json!("x".repeat(300)))]), 400),
        (REGISTER, &org, register(" m3", &[]), 400),
        (REGISTER, &org, register("m3", &[("os", json!("a\nb"))]), 400),
        (REGISTER, &org, register("m3", &[agents(&["a"; 65])]), 400),
        (REGISTER, &org, register("m3", &[("enrollment", json!("odd"))]), 400),
        (REGISTER, &org, json!({ "tenantId": "acme", "endpointId": "m3", "hostName": "h", "fleetId": "x" }), 200),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = world.ask("POST", path, Some(key), body.to_string()).await;
        assert_eq!(reply.status, status, "{number} {path} {body}: {}", reply.body);
        if status == 200 {
            assert_eq!(
                (&reply.body["status"], &reply.body["checkin_interval_seconds"]),
                (&json!("active"), &json!(60))
            );
        }
    }
    let shown = world.ask("GET", "/acme/thoth/endpoints/m1", Some(&admin), Body::empty()).await.body;
    assert_eq!((&shown["fleet_id"], &shown["proxy_version"]), (&json!("paris"), &json!("0.2")), "{shown}");
}

/// Defends: agents with keys of their own share a machine. Each adds itself and tells what changes with time; none takes
/// another away, describes the machine anew, moves it, or ends its quarantine.
#[tokio::test]
async fn agents_share_a_machine() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let (one, two) = (scoped(&world, ScopeLevel::Agent, "bot"), scoped(&world, ScopeLevel::Agent, "two"));
    let tell = async |path: &str, key: &str, body: &Value| {
        let reply = world.ask("POST", path, Some(key), body.to_string()).await;
        assert_eq!(reply.status, 200, "{path} {body}: {}", reply.body);
        reply.body["status"].as_str().unwrap().to_owned()
    };
    let first = with(registration("m1"), &[("environment", json!("prod")), ("proxy_version", json!("1.0"))]);
    let second = with(
        registration("m1"),
        &[
            ("agent_ids", json!(["two"])),
            ("hostname", json!("elsewhere")),
            ("environment", json!("dev")),
            ("enforcement_mode", json!("off")),
            ("proxy_version", json!("1.1")),
        ],
    );
    let shown = async || {
        let shown = world.ask("GET", "/acme/thoth/endpoints/m1", Some(&admin), Body::empty()).await.body;
        ["agent_ids", "hostname", "environment", "enforcement_mode", "proxy_version"].map(|name| shown[name].clone())
    };
    assert_eq!(tell(REGISTER, &one, &first).await, "active");
    let [_, hostname, environment, mode, _] = shown().await;
    let expected =
        |version: &str| [json!(["bot", "two"]), hostname.clone(), environment.clone(), mode.clone(), json!(version)];
    assert_eq!(tell(REGISTER, &two, &second).await, "active");
    assert_eq!(shown().await, expected("1.1"));
    let check_in = |agent: &str, version: &str| json!({ "tenant_id": "acme", "endpoint_id": "m1", "agent_ids": [agent], "proxy_version": version });
    assert_eq!(tell(CHECK_IN, &two, &check_in("two", "1.2")).await, "active");
    assert_eq!(tell(CHECK_IN, &one, &check_in("bot", "1.3")).await, "active");
    assert_eq!(tell(REGISTER, &one, &first).await, "active");
    assert_eq!(shown().await, expected("1.0"));
    let quarantine = json!({ "quarantined": true }).to_string();
    let reply = world.ask("POST", "/acme/thoth/endpoints/m1/quarantine", Some(&admin), quarantine).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(tell(REGISTER, &two, &second).await, "quarantined");
    assert_eq!(tell(CHECK_IN, &one, &check_in("bot", "1.3")).await, "quarantined");
}

/// What holds for a machine is told to keys that speak for it, or for its fleet, and to no other fleet's.
#[tokio::test]
async fn who_hears_what_holds_for_a_machine() {
    let world = World::new(Rates::default());
    let org = world.key("acme", None, &[Permission::Execute, Permission::Write], None);
    let (mine, other) = (scoped(&world, ScopeLevel::Endpoint, "m1"), scoped(&world, ScopeLevel::Endpoint, "m2"));
    let (berlin, paris) = (scoped(&world, ScopeLevel::Fleet, "berlin"), scoped(&world, ScopeLevel::Fleet, "paris"));
    let body = with(registration("m1"), &[("fleet_id", json!("berlin"))]);
    assert_eq!(world.ask("POST", REGISTER, Some(&org), body.to_string()).await.status, 200);
    for (key, query, status) in [
        (&mine, "", 200),
        (&mine, "?fleet_id=berlin", 200),
        (&mine, "?fleet_id=paris", 403),
        (&other, "", 200),
        (&other, "?endpoint_id=m1", 403),
        (&other, "?fleet_id=berlin", 403),
        (&berlin, "", 200),
        (&berlin, "?endpoint_id=m1", 200),
        (&berlin, "?endpoint_id=m9", 200),
        (&paris, "?endpoint_id=m1", 403),
        (&paris, "?fleet_id=berlin", 403),
        (&org, "?endpoint_id=m1", 200),
    ] {
        let reply = world.ask("GET", &format!("/v1/policy-bundle{query}"), Some(key), Body::empty()).await;
        assert_eq!(reply.status, status, "{query}: {}", reply.body);
    }
}

/// Defends: no call of a machine in quarantine is let through, in any mode, on any server of the data directory, and whatever
/// the machine says; each refusal is in the ledger, and so is who began and ended it. Approvals are not used up by it.
#[tokio::test]
async fn a_quarantine_holds_from_the_next_call_on() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let key = world.key("acme", None, &[Permission::Execute], None);
    let second = world.beside(Mode::Observe);
    let call = |tool: &str, machine: Option<&str>, mode: &str| {
        let endpoint = machine.map_or(Value::Null, |machine| json!(machine));
        with(question(tool), &[("endpoint_id", endpoint), ("enforcement_mode", json!(mode))])
    };
    let codes = async |machine: Option<&str>| {
        let mut codes = Vec::new();
        for (world, mode) in [(&world, "block"), (&second, "observe")] {
            let reply = world.ask("POST", "/v1/enforce", Some(&key), call("read", machine, mode).to_string()).await;
            codes.push(reply.body["decision_reason_code"].as_str().unwrap().to_owned());
        }
        codes
    };
    let quarantine = async |on: bool| {
        let body = json!({ "quarantined": on, "reason": "lost" }).to_string();
        let reply = world.ask("POST", "/acme/thoth/endpoints/m1/quarantine", Some(&admin), body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    };
    assert_eq!(world.ask("POST", REGISTER, Some(&key), registration("m1").to_string()).await.status, 200);
    assert_eq!(codes(Some("m1")).await, ["default_auto", "default_auto"]);
    let held = world.ask("POST", "/v1/enforce", Some(&key), call("write", Some("m1"), "block").to_string()).await.body;
    let hold = held["hold_token"].as_str().unwrap().to_owned();
    let resolve = format!("/acme/thoth/approvals/{hold}/resolve");
    world.ask("POST", &resolve, Some(&admin), json!({ "decision": "approve" }).to_string()).await;

    let quarantined = quarantine(true).await;
    assert_eq!((&quarantined["status"], &quarantined["quarantine_reason"]), (&json!("quarantined"), &json!("lost")));
    assert_eq!(quarantine(true).await["quarantined_at"], quarantined["quarantined_at"], "it is not begun anew");
    assert_eq!(codes(Some("m1")).await, ["endpoint_quarantined", "endpoint_quarantined"]);
    assert_eq!(codes(Some("m2")).await, ["default_auto", "default_auto"]);
    assert_eq!(codes(None).await, ["default_auto", "default_auto"]);
    let again = world.ask("POST", REGISTER, Some(&key), registration("m1").to_string()).await.body;
    assert_eq!(again["status"], "quarantined", "{again}");
    let poll = format!("/v1/enforce/hold/{hold}");
    let polled = world.ask("GET", &poll, Some(&key), Body::empty()).await.body;
    assert_eq!(
        (&polled["resolution"], &polled["decision_reason_code"]),
        (&json!("BLOCK"), &json!("endpoint_quarantined"))
    );
    assert!(!polled.to_string().contains("lost"), "why is for administrators: {polled}");

    quarantine(false).await;
    assert_eq!(codes(Some("m1")).await, ["default_auto", "default_auto"]);
    let polled = world.ask("GET", &poll, Some(&key), Body::empty()).await.body;
    assert_eq!(polled["resolution"], "ALLOW", "{polled}");

    let folder = world.data.path().join("tenants/acme/ledger");
    let mut kinds = Vec::new();
    let mut refused = 0;
    thoth_audit::verify_each(&folder, &thoth_audit::VerifyOptions::default(), &mut |leaf| {
        let event: Value = serde_json::from_slice(leaf).unwrap();
        if event["eventType"].as_str().unwrap().starts_with("ENDPOINT_") {
            assert!(event["detail"].as_str().unwrap().contains("key_"), "{event}");
            kinds.push(event["eventType"].as_str().unwrap().to_owned());
        }
        let is_refusal = event["eventType"] == "TOOL_CALL_BLOCK" && event["reasonCode"] == "endpoint_quarantined";
        refused += usize::from(is_refusal);
    })
    .unwrap();
    // Each is asked for, and done.
    let expected = ["ENDPOINT_QUARANTINED", "ENDPOINT_QUARANTINED", "ENDPOINT_RELEASED", "ENDPOINT_RELEASED"];
    assert_eq!((kinds, refused), (expected.map(str::to_owned).to_vec(), 3));
}

/// How a machine stands is told by when it was seen last; lists have pages and come to an end, and the counts agree.
#[tokio::test]
async fn how_machines_stand() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let store = ServerStore::new(world.data.path().join("thothd.db"));
    let now = jiff::Timestamp::now();
    for (id, minutes, version, enrollment, fleet, mode) in [
        ("now", 0, Some("1.10.0"), Some("jamf"), Some("a"), Some("enforce")),
        ("late", 2, Some("1.9"), Some("manual"), Some("a"), Some("shadow")),
        ("gone", 10, Some("1.10"), None, Some("b"), None),
        ("stale", 60 * 25, None, Some("unmanaged"), None, Some("enforce")),
        ("bad", 0, Some("1.9.9"), None, None, None),
    ] {
        let told = thoth_store::server::endpoints::Told {
            hostname: id.to_owned(),
            proxy_version: version.map(str::to_owned),
            enrollment: enrollment.map(str::to_owned),
            fleet: fleet.map(str::to_owned),
            environment: Some("prod".to_owned()),
            enforcement_mode: mode.map(str::to_owned),
            ..Default::default()
        };
        let then = now - jiff::SignedDuration::from_mins(minutes);
        store.register_endpoint("acme", id, &told, &|_| May::Change, then).unwrap().unwrap();
        store.register_endpoint("beta", id, &told, &|_| May::Change, then).unwrap().unwrap();
    }
    let quarantine = "/acme/thoth/endpoints/bad/quarantine";
    world.ask("POST", quarantine, Some(&admin), json!({ "quarantined": true }).to_string()).await;
    let list = async |query: &str| {
        let reply = world.ask("GET", &format!("/acme/thoth/endpoints{query}"), Some(&admin), Body::empty()).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        let rows = reply.body["data"].as_array().unwrap();
        let ids: Vec<String> = rows.iter().map(|row| row["endpoint_id"].as_str().unwrap().to_owned()).collect();
        let next = reply.body["next_cursor"].as_str().unwrap_or_default().to_owned();
        (ids.join(" "), next)
    };
    for (query, expected) in [
        ("", "bad stale gone late now"),
        ("?status=online", "late now"),
        ("?status=offline", "gone"),
        ("?status=stale", "stale"),
        ("?status=quarantined", "bad"),
        ("?fleet_id=a", "late now"),
        ("?fleet_id=a&status=online&env=prod", "late now"),
        ("?env=dev", ""),
    ] {
        assert_eq!(list(query).await, (expected.to_owned(), String::new()), "{query}");
    }
    let (mut pages, mut next) = (Vec::new(), String::new());
    while pages.len() < 5 {
        let (page, cursor) = list(&format!("?limit=2{next}")).await;
        pages.push(page);
        if cursor.is_empty() {
            break;
        }
        next = format!("&cursor={cursor}");
    }
    assert_eq!(pages, ["bad stale", "gone late", "now"]);
    let odd = world.ask("GET", "/acme/thoth/endpoints?cursor=odd", Some(&admin), Body::empty()).await;
    assert_fault(&odd, 400, "bad_request", "an odd cursor");
    let stats = world.ask("GET", "/acme/thoth/endpoints/stats", Some(&admin), Body::empty()).await.body;
    let expected = json!({
        "total": 5, "managed": 2, "unmanaged": 3, "online": 2, "quarantined": 1, "stale": 1, "at_risk": 2,
        "proxy_outdated": 2, "latest_version": "1.10.0",
    });
    assert_eq!(stats, expected);
}

#[tokio::test]
async fn agents_are_found_by_their_machines() {
    agents_of_machines(Keeps::Folder).await;
}

#[tokio::test]
async fn agents_are_found_by_their_machines_on_postgresql() {
    agents_of_machines(Keeps::Postgres).await;
}

/// Defends: an agent is listed by the machines that say they have it and by when it called, each once and in pages; one that a
/// machine tells of and that never called is not.
async fn agents_of_machines(keeps: Keeps) {
    let rates = Rates { governance: NonZeroU32::MAX, ..Rates::default() };
    let world = World::on(keeps, rates, POLICY, Mode::Block, |server| server);
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let org = world.key("acme", None, &[Permission::Execute, Permission::Write], None);
    for (id, environment, fleet, agents) in
        [("m1", "prod", "berlin", json!(["a1", "a2"])), ("m2", "dev", "paris", json!(["a2", "a3", "never"]))]
    {
        let told = [("environment", json!(environment)), ("fleet_id", json!(fleet)), ("agent_ids", agents)];
        assert_eq!(
            world.ask("POST", REGISTER, Some(&org), with(registration(id), &told).to_string()).await.status,
            200
        );
    }
    let quarantine = json!({ "quarantined": true }).to_string();
    assert_eq!(world.ask("POST", "/acme/thoth/endpoints/m2/quarantine", Some(&admin), quarantine).await.status, 200);
    for agent in ["a1", "a2", "a3", "a4"] {
        let asked = with(question("read"), &[("agent_id", json!(agent))]);
        assert_eq!(world.ask("POST", "/v1/enforce", Some(&org), asked.to_string()).await.status, 200);
    }
    ledger::indexed(&world, &admin, 4).await;
    let ask = async |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/acme/thoth/agents?limit=1{query}{cursor}");
            let reply = world.ask("GET", &path, Some(&admin), Body::empty()).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            let page = reply.body["data"].as_array().unwrap();
            found.extend(page.iter().map(|row| row["agent_id"].as_str().unwrap().to_owned()));
            let Some(next) = reply.body["next_cursor"].as_str() else { return found };
            cursor = format!("&cursor={next}");
        }
    };
    for (query, expected) in [
        ("", &["a1", "a2", "a3", "a4"][..]),
        ("&env=prod", &["a1", "a2"]),
        ("&environment=dev", &["a2", "a3"]),
        ("&fleet_id=paris", &["a2", "a3"]),
        ("&endpointId=m1", &["a1", "a2"]),
        ("&status=quarantined", &["a2", "a3"]),
        ("&status=online", &["a1", "a2"]),
        ("&status=stale", &[]),
        ("&env=prod&fleet_id=paris", &[]),
        ("&env=prod&fleet_id=berlin&endpoint_id=m1&status=online", &["a1", "a2"]),
        ("&endpoint_id=%00", &[]),
        ("&since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&fleet_id=berlin", &["a1", "a2"]),
        ("&since=2100-01-01T00:00:00Z", &[]),
        ("&until=2020-01-01T00:00:00Z&fleet_id=berlin", &[]),
    ] {
        assert_eq!(ask(query).await, expected, "{query}");
    }
    for query in ["status=odd", "since=noon", "env=a&environment=b"] {
        let path = format!("/acme/thoth/agents?{query}");
        assert_fault(&world.ask("GET", &path, Some(&admin), Body::empty()).await, 400, "bad_request", query);
    }
}
