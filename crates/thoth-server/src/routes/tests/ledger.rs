//! What the ledger has: found behind it, and what is wrong with it is said.

use thoth_store::server::IndexFile;
use thoth_store::server::index::{LedgerIndex as _, Record};

use super::*;

/// Waits until so many decisions are listed.
pub(super) async fn indexed(world: &World, reader: &str, most: usize) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let list = world.ask("GET", "/acme/thoth/decisions?limit=1000", Some(reader), Body::empty()).await.body;
        if list["data"].as_array().is_some_and(|data| data.len() >= most) {
            return list;
        }
        assert!(Instant::now() < deadline, "{list}");
        tokio::task::yield_now().await;
    }
}

/// Defends: a ledger that was changed is said to be so, in the place where it was; what is known of it is listed on.
#[tokio::test]
async fn a_changed_ledger_is_told() {
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    for tool in ["read", "rm", "read"] {
        assert_eq!(world.ask("POST", "/v1/enforce", Some(&key), question(tool).to_string()).await.status, 200);
    }
    indexed(&world, &reader, 3).await;
    let verify = async || world.ask("GET", "/acme/thoth/evidence/verify", Some(&reader), Body::empty()).await.body;
    let good = verify().await;
    assert_eq!((&good["verified"], &good["breach_detail"]), (&json!(true), &Value::Null), "{good}");
    let ledger = world.data.path().join("tenants/acme/ledger");
    let size = good["chain_head"]["size"].as_u64().unwrap();
    for (file, sequence) in [(format!("tile/entries/000.p/{size}"), json!(0)), ("checkpoint".to_owned(), Value::Null)] {
        let path = ledger.join(&file);
        let bytes = std::fs::read(&path).unwrap();
        let mut bad = bytes.clone();
        bad[100] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let told = verify().await;
        assert_eq!((&told["verified"], &told["breach_sequence"]), (&json!(false), &sequence), "{file}: {told}");
        assert!(told["breach_detail"].is_string(), "{told}");
        assert!(!told.to_string().contains(world.data.path().to_str().unwrap()), "folders of the server: {told}");
        assert_eq!(indexed(&world, &reader, 3).await["data"].as_array().unwrap().len(), 3);
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(verify().await["verified"], true);
}

/// Defends: what an index says is not shown beside a record that is not of it.
#[tokio::test]
async fn an_index_that_is_wrong_is_not_believed() {
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    let ask = async |path: &str| world.ask("GET", &format!("/acme/thoth/{path}"), Some(&reader), Body::empty()).await;
    world.ask("POST", "/v1/enforce", Some(&key), question("rm").to_string()).await;
    let good = indexed(&world, &reader, 1).await["data"][0]["violation_id"].as_str().unwrap().to_owned();
    let size = async || ask("evidence/chain").await.body["head"].clone();
    let index = IndexFile::new(world.data.path().join("tenants/acme/index.db"));
    let log = size().await["vkey"].as_str().unwrap().to_owned();
    let next = index.indexed(&log).unwrap();
    let other = json!({
        "agentId": "bot", "callId": "c", "decision": "BLOCK", "eventType": "TOOL_CALL_PRE", "sessionId": "s",
        "occurredAt": "2026-01-31T12:00:00Z", "toolName": "rm", "traceId": "other",
    });
    // The place of the next record, taken before anybody can index that.
    index.add(&log, next, &[Record::of(next, other.to_string().as_bytes())]).unwrap();
    world.ask("POST", "/v1/enforce", Some(&key), question("rm").to_string()).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while size().await["size"].as_i64().unwrap() <= next {
        assert!(Instant::now() < deadline, "the ledger does not grow");
        tokio::task::yield_now().await;
    }
    assert_fault(&ask("violations/vio_other").await, 500, "internal_error", "a record of something else");
    assert_eq!(ask(&format!("violations/{good}")).await.status, 200);
}

/// Defends: an index that was deleted is made anew from the ledger.
#[tokio::test]
async fn a_lost_index_is_made_anew() {
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    for tool in ["read", "rm", "read", "write"] {
        world.ask("POST", "/v1/enforce", Some(&key), question(tool).to_string()).await;
    }
    let before = indexed(&world, &reader, 4).await;
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(world.data.path().join(format!("tenants/acme/index.db{end}"))));
    }
    assert_eq!(indexed(&world, &reader, 4).await, before);
}
