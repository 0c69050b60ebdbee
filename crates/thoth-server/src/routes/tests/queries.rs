//! Queries: what is asked is answered, or it is said which member of it is wrong.

use std::collections::BTreeSet;

use thoth_api::contract::openapi::document;

use super::ledger::indexed;
use super::*;

/// Defends: no filter is passed over. A member that nobody knows, a word that is none, and a number out of its bounds are refused
/// at every route in the same way, by name, and no value comes back.
#[tokio::test]
async fn a_query_is_refused_by_its_member() {
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let reader = world.key("acme", None, &[Permission::Read], None);
    for (asked, told) in [
        ("decisions?outcom=blocked", "`outcom` is no member of this query; did you mean `outcome`?"),
        ("decisions?page=2", "`page` is no member of this query"),
        ("decisions?decision=s3cret", "`decision` wants one of ALLOW, BLOCK, STEP_UP, MODIFY, DEFER"),
        ("decisions?outcome=s3cret", "`outcome` wants one of allowed, needs_approval, blocked, deferred"),
        ("decisions?decision=ALLOW&outcome=blocked", "`decision` and `outcome` exclude each other"),
        ("decisions?agent_id=a&agentId=s3cret", "`agent_id` is given twice"),
        ("decisions?since=s3cret", "`since` is no instant"),
        ("decisions?order=s3cret", "`order` wants one of newest, oldest"),
        ("events?since=2026-01-01T00:00:00Z", "`since` is no member of this query"),
        ("events?user_id=u", "`user_id` is no member of this query"),
        ("agents?agent_id=bot", "`agent_id` is no member of this query"),
        ("approvals?agentId=bot", "`agentId` is no member of this query"),
        ("approvals?status=s3cret", "`status` wants one of pending, approved, denied, expired, spent"),
        ("approvals?page=0", "`page` is 1 or more"),
        ("approvals?per_page=201", "`limit` (or `per_page`) is 1 to 200"),
        ("events?limit=s3cret", "`limit` wants a whole number"),
        ("events?limit=1&per_page=1", "`limit` is given twice"),
        ("events?limit=0", "`limit` (or `per_page`) is 1 to 1000"),
        ("events?limit=1001", "`limit` (or `per_page`) is 1 to 1000"),
        ("decisions?limit=1001", "`limit` (or `per_page`) is 1 to 1000"),
        ("endpoints?limit=0", "`limit` (or `per_page`) is 1 to 1000"),
        ("sessions?limit=201", "`limit` (or `per_page`) is 1 to 200"),
        ("agents?perPage=0", "`limit` (or `per_page`) is 1 to 1000"),
        ("evidence/chain?limit=501", "`limit` (or `per_page`) is 1 to 500"),
        ("evidence/verify?limit=0", "`limit` (or `per_page`) is 1 to 20000"),
        ("mcp/inventory/report?window_hours=0", "`window_hours` is 1 to 2160"),
        ("settings?revision=1", "`revision` is no member of this query: it takes none"),
        ("api-keys?scope_level=agent", "`scope_level` is no member of this query: it takes none"),
    ] {
        let reply = world.ask("GET", &format!("/acme/thoth/{asked}"), Some(&reader), Body::empty()).await;
        assert_fault(&reply, 400, "bad_request", asked);
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(told), "{asked}: {message}");
    }
}

/// Defends: what clients of any version poll with keeps none of them from the answer.
#[tokio::test]
async fn a_poll_is_not_refused_for_what_else_it_says() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let held = world.ask("POST", "/v1/enforce", Some(&key), question("write").to_string()).await.body;
    let poll = format!("/v1/enforce/hold/{}?wait=0&client=x", held["hold_token"].as_str().unwrap());
    assert_eq!(world.ask("GET", &poll, Some(&key), Body::empty()).await.body["resolved"], false);
}

/// Defends: the other spellings ask the same, and an outcome is what the rows say it is.
#[tokio::test]
async fn every_spelling_asks_the_same() {
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    for tool in ["read", "rm", "write", "read"] {
        world.ask("POST", "/v1/enforce", Some(&key), question(tool).to_string()).await;
    }
    let all = indexed(&world, &reader, 4).await;
    let all = all["data"].as_array().unwrap();
    let ask = async |query: &str| {
        let reply = world.ask("GET", &format!("/acme/thoth/decisions?{query}"), Some(&reader), Body::empty()).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        reply.body["data"].as_array().unwrap().clone()
    };
    for (outcome, rows) in [("allowed", 2), ("needs_approval", 1), ("blocked", 1), ("deferred", 0)] {
        let found = ask(&format!("outcome={outcome}")).await;
        assert_eq!(found.len(), rows, "{outcome}");
        assert!(found.iter().all(|row| row["outcome"] == outcome), "{outcome}: {found:?}");
        assert!(found.iter().all(|row| all.contains(row)), "{outcome}: {found:?}");
    }
    let blocked = ask("decision=BLOCK").await;
    for query in [
        "decision=DENY",
        "decision=block&outcome=blocked",
        "reasonCode=rule_block",
        "decisionReasonCode=rule_block",
        "decision_reason_code=rule_block",
        "toolName=rm&perPage=10",
    ] {
        assert_eq!(ask(query).await, blocked, "{query}");
    }
    assert_eq!(ask("perPage=1").await.len(), 1);
}

/// Defends: of a refusal of which nobody knows how risky it was, nobody is told that it was the worst.
#[tokio::test]
async fn an_unknown_refusal_is_not_critical() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let told = async |question: Value| world.ask("POST", "/v1/explain", Some(&key), question.to_string()).await.body;
    let mut asked = question("rm");
    assert_eq!(told(asked.clone()).await["severity"], "unknown");
    asked["risk_score"] = json!(90);
    assert_eq!(told(asked).await["severity"], "critical");
}

/// Defends: a route that reads its query is told as one that does, and every other of an organisation refuses one.
#[test]
fn what_is_asked_is_what_is_described() {
    use thoth_api::contract::route::Route;
    let document = document().unwrap();
    let described: BTreeSet<Route> = Route::ALL
        .iter()
        .copied()
        .filter(|route| {
            let operation = &document["paths"][route.path()][route.method().as_str().to_lowercase()];
            let parameters = operation["parameters"].as_array().unwrap();
            route.path().starts_with("/{tenant}/") && parameters.iter().any(|parameter| parameter["in"] == "query")
        })
        .collect();
    assert_eq!(described, BTreeSet::from_iter(ASKED.iter().copied()));
}
