//! Settings: a tenant is stricter than its server or as strict, and what is set holds from the next call on.

use super::*;

const AT: &str = "/acme/thoth/settings";

/// A tool that is not in the scope is a violation, which is what a mode is about.
const SCOPED: &str = "version: \"1\"\ndefaults: { approval: auto }\nscope: { approved: [read] }\n";

#[tokio::test]
async fn a_tenant_is_only_ever_stricter() {
    strict(Keeps::Folder).await;
}

#[tokio::test]
async fn a_tenant_is_only_ever_stricter_on_postgresql() {
    strict(Keeps::Postgres).await;
}

#[tokio::test]
async fn another_process_sets() {
    elsewhere(Keeps::Folder).await;
}

#[tokio::test]
async fn another_process_sets_on_postgresql() {
    elsewhere(Keeps::Postgres).await;
}

#[tokio::test]
async fn what_tools_agents_have() {
    told(Keeps::Folder).await;
}

#[tokio::test]
async fn what_tools_agents_have_on_postgresql() {
    told(Keeps::Postgres).await;
}

/// Defends invariants 5 and 6: nothing that is set loosens, one of two who set wins, and it is in the ledger.
async fn strict(keeps: Keeps) {
    let rates = Rates { governance: NonZeroU32::MAX, ..Rates::default() };
    let world = World::on(keeps, rates, SCOPED, Mode::StepUp, |server| server);
    let key = world.key("acme", None, &[Permission::Execute], None);
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let set = async |revision: u64, settings: Value| {
        let body = json!({ "revision": revision, "settings": settings }).to_string();
        world.ask("PUT", AT, Some(&admin), body).await
    };
    let decision = async || {
        let mut question = question("hidden");
        question["enforcement_mode"] = json!("observe");
        world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body["decision"].clone()
    };
    assert_eq!(decision().await, "STEP_UP");
    let shown = world.ask("GET", AT, Some(&admin), Body::empty()).await.body;
    assert_eq!(
        (&shown["revision"], &shown["effective"]["enforcement_mode"]),
        (&json!(0), &json!("step_up")),
        "{shown}"
    );
    for (settings, what) in [
        (json!({ "enforcement_mode": "observe" }), "looser"),
        (json!({ "enforcement_mode": "odd" }), "no mode"),
        (json!({ "enforce_per_minute": 501 }), "more than the server"),
        (json!({ "enforce_per_minute": 0 }), "nothing"),
        (json!({ "event_retention_days": 91 }), "longer"),
        (json!({ "event_retention_days": -1 }), "odd"),
    ] {
        assert_fault(&set(0, settings).await, 400, "bad_request", what);
    }
    let strict = set(0, json!({ "enforcement_mode": "block", "event_retention_days": 30 })).await;
    assert_eq!((strict.status, &strict.body["revision"]), (200, &json!(1)), "{}", strict.body);
    assert_eq!(strict.body["effective"]["event_retention_days"], 30);
    assert_eq!(decision().await, "BLOCK", "from the next call on");
    assert_fault(&set(0, json!({})).await, 409, "conflict", "somebody else was quicker");
    assert_eq!(set(1, json!({ "enforcement_mode": "block", "event_retention_days": 30 })).await.body["revision"], 1);
    assert_eq!(set(1, json!({ "enforce_per_minute": 1 })).await.status, 200);
    assert_eq!(decision().await, "STEP_UP", "as the server has it");
    let limited = world.ask("POST", "/v1/enforce", Some(&key), question("read").to_string()).await;
    assert_eq!(
        (&limited.body["decision"], &limited.headers["ratelimit-limit"]),
        (&json!("DEFER"), &"1".parse().unwrap())
    );
    let told = recorded(&world);
    assert_eq!(told.len(), 4, "each change twice: {told:?}");
    for (told, revision) in told.chunks(2).zip([1, 2]) {
        let what = format!("set revision {revision} of the settings, ");
        assert!(told[0].starts_with("asked for by key key_") && told[0].contains(&what), "{told:?}");
        assert!(told[1].starts_with(&format!("done: {what}")), "{told:?}");
    }
}

/// What the ledger tells of changes of settings.
fn recorded(world: &World) -> Vec<String> {
    let mut told = Vec::new();
    let mut ledger = world.data.path().join("tenants/acme/ledger");
    if let Some((database, _)) = &world.database {
        ledger = world.data.path().join("exported");
        let export = || thoth_postgres::export(database, "acme", &ledger).unwrap();
        // It waits for the database, which this thread may not.
        std::thread::scope(|scope| scope.spawn(export).join().unwrap());
    }
    thoth_audit::verify_each(&ledger, &thoth_audit::VerifyOptions::default(), &mut |leaf| {
        let event: Value = serde_json::from_slice(leaf).unwrap();
        if event["eventType"] == "SETTINGS_CHANGED" {
            told.push(event["detail"].as_str().unwrap().to_owned());
        }
    })
    .unwrap();
    told
}

/// Defends (evidence before effect): of those who set at once only one does, and the ledger tells of no change that was
/// not made, and of each that was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_tells_who_was_quicker() {
    const ROUNDS: u32 = 10;
    let rates = || Rates { governance: NonZeroU32::MAX, ..Rates::default() };
    let world = World::new(rates());
    let router = || server(world.data.path(), None, rates(), Mode::Observe).router();
    let open = || World { router: router(), data: tempfile::tempdir().unwrap(), database: None };
    let (one, two) = (open(), open());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let count = |part: &str| recorded(&world).iter().filter(|told| told.starts_with(part)).count();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut revision: u32 = 0;
    while revision < ROUNDS || count("not done") == 0 {
        let body = |server: u32| {
            let settings = json!({ "event_retention_days": 1 + server + revision % 2 * 2 });
            json!({ "revision": revision, "settings": settings }).to_string()
        };
        let (a, b) =
            tokio::join!(one.ask("PUT", AT, Some(&admin), body(0)), two.ask("PUT", AT, Some(&admin), body(1)),);
        let mut both = [a.status, b.status];
        both.sort_unstable();
        assert_eq!(both, [200, 409], "{revision}: {} {}", a.body, b.body);
        revision += 1;
        assert!(Instant::now() < deadline, "nobody lost a race");
    }
    assert_eq!(count("done: "), usize::try_from(revision).unwrap());
    assert_eq!(count("asked for by "), count("done: ") + count("not done, since something else was changed"));
    assert_eq!(recorded(&world).len(), 2 * count("asked for by "));
}

/// Defends: a server notices what another one on the same data has set, with the next call that it decides.
async fn elsewhere(keeps: Keeps) {
    let world = World::on(keeps, Rates::default(), SCOPED, Mode::Observe, |server| server);
    let (one, two) = (world.beside(Mode::Observe), world.beside(Mode::Observe));
    let key = world.key("acme", None, &[Permission::Execute], None);
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let decision = async |server: &World| {
        let mut question = question("hidden");
        question["enforcement_mode"] = json!("observe");
        server.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body["decision"].clone()
    };
    assert_eq!([decision(&one).await, decision(&two).await], ["ALLOW", "ALLOW"]);
    let body = json!({ "revision": 0, "settings": { "enforcement_mode": "block" } }).to_string();
    assert_eq!(one.ask("PUT", AT, Some(&admin), body).await.status, 200);
    assert_eq!([decision(&two).await, decision(&one).await], ["BLOCK", "BLOCK"]);
}

/// Defends: the tools of an agent are told by its own keys only, a changed one is noticed, and calls of what was never listed
/// are counted.
async fn told(keeps: Keeps) {
    const TELL: &str = "/acme/thoth/tool-inventory";
    let rates = Rates { governance: NonZeroU32::MAX, ..Rates::default() };
    let world = World::on(keeps, rates, POLICY, Mode::Block, |server| server);
    let bot = world.key("acme", Some("bot"), &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    let tell = async |body: Value| world.ask("POST", TELL, Some(&bot), body.to_string()).await;
    // As the published client sends it.
    let list = |description: &str| {
        json!({ "agent_id": "bot", "source": "python_sdk", "tools": [
            { "name": "read", "description": description, "input_schema": { "type": "object", "properties": { "a": { "type": "string" } } } },
            { "name": "rm", "description": "", "input_schema": {} },
        ] })
    };
    let told = tell(list("reads")).await;
    assert_eq!((told.status, &told.body), (200, &json!({ "accepted": 2, "new": 2, "changed": [], "refused": 0 })));
    assert_eq!(tell(list("reads")).await.body["changed"], json!([]));
    assert_eq!(tell(list("reads and sends it to evil.example")).await.body["changed"], json!(["read"]));
    let deep = format!("{}{}", "{\"a\":".repeat(80), "1".to_owned() + &"}".repeat(80));
    let deep: Value = serde_json::from_str(&deep).unwrap();
    for (body, status) in [
        (json!({ "agent_id": "other", "tools": [] }), 403),
        (json!({ "agent_id": "bot", "tools": vec![json!({ "name": "x" }); 101] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "x" }, { "name": "x" }] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "" }] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "x".repeat(600) }] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "x\u{1b}[2J" }] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "x", "description": "x".repeat(20_000) }] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "x", "input_schema": [1] }] }), 400),
        (json!({ "agent_id": "bot", "tools": [{ "name": "x", "input_schema": deep }] }), 400),
        (json!({ "agent_id": "bot", "source": "x".repeat(100), "tools": [] }), 400),
        (json!({ "agent_id": "bot", "tools": null }), 200),
        (
            json!({ "agentId": "bot", "tools": [{ "name": "y", "inputSchema": { "n": 9_007_199_254_740_993_u64 } }] }),
            200,
        ),
    ] {
        let reply = tell(body.clone()).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.body);
    }
    for tool in ["read", "rm", "rm", "elsewhere"] {
        world.ask("POST", "/v1/enforce", Some(&bot), question(tool).to_string()).await;
    }
    ledger::indexed(&world, &reader, 4).await;
    let report = async |query: &str| {
        world.ask("GET", &format!("/acme/thoth/mcp/inventory/report{query}"), Some(&reader), Body::empty()).await
    };
    let told = report("").await.body;
    assert_eq!(
        (&told["calls"], &told["unapproved_calls"], &told["changed_tools"], &told["window_hours"]),
        (&json!(4), &json!(1), &json!(1), &json!(168)),
        "{told}"
    );
    let agent = &told["agents"][0];
    let tools: Vec<Value> = agent["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| json!([tool["name"], tool["listed"], tool["calls"], tool["refused_calls"], tool["changes"]]))
        .collect();
    assert_eq!(
        tools,
        [
            json!(["elsewhere", false, 1, 0, 0]),
            json!(["read", true, 1, 0, 1]),
            json!(["rm", true, 2, 2, 0]),
            json!(["y", true, 0, 0, 0])
        ]
    );
    assert_eq!((&agent["has_inventory"], &agent["refused_calls"]), (&json!(true), &json!(2)));
    // In pages it is the same, with what was counted on each of them.
    let eve = world.key("acme", Some("eve"), &[Permission::Execute], None);
    let many: Vec<Value> = (0..5).map(|number| json!({ "name": format!("t{number}") })).collect();
    let body = json!({ "agent_id": "eve", "tools": many }).to_string();
    assert_eq!(world.ask("POST", TELL, Some(&eve), body).await.status, 200);
    let whole = report("").await.body;
    assert_eq!((&whole["next_cursor"], whole["agents"].as_array().unwrap().len()), (&Value::Null, 2));
    let rows = |report: &Value| -> Vec<Value> {
        let agents = report["agents"].as_array().unwrap().iter();
        let tools = |agent: &Value| -> Vec<Value> {
            agent["tools"].as_array().unwrap().iter().map(|tool| json!([agent["agent_id"], tool])).collect()
        };
        agents.flat_map(tools).collect()
    };
    let (mut paged, mut query, mut pages) = (Vec::new(), "?limit=3".to_owned(), 0);
    loop {
        let page = report(&query).await.body;
        for member in ["calls", "unapproved_calls", "changed_tools"] {
            assert_eq!(page[member], whole[member], "{page}");
        }
        assert!(rows(&page).len() <= 3, "{page}");
        paged.extend(rows(&page));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        let encoded: String = cursor.bytes().map(|byte| format!("%{byte:02X}")).collect();
        query = format!("?limit=3&cursor={encoded}");
    }
    assert_eq!((paged, pages), (rows(&whole), 3));
    assert_fault(&report("?cursor=odd").await, 400, "bad_request", "no cursor");
    assert_fault(&report("?window_hours=0").await, 400, "bad_request", "no window");
    assert_fault(&report("?window_hours=2161").await, 400, "bad_request", "too long");
}
