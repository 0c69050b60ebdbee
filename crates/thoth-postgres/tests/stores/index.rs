//! The index of a ledger in tables, and the ledger as those see it who look at it.

use std::sync::Arc;

use thoth_audit::Leaves;
use thoth_audit::session_bundle::{Material, bundle, verify_bundle};
use thoth_audit::view::{LedgerView as _, check, prove};
use thoth_gate::Evidence as _;
use thoth_postgres::{PostgresIndex, PostgresLedger, PostgresView};
use thoth_store::server::index::{AgentFilter, Agents, LedgerIndex as _, Record};
use thoth_testkit::index_suite;
use thoth_testkit::postgres::cluster;

use super::server;

/// Defends: an index in PostgreSQL is that of every store, over several servers and with other tenants beside it.
#[test]
fn an_index_does_what_every_index_must() {
    let url = cluster().database();
    let beside = PostgresIndex::new(server(&url), "beside");
    assert_eq!(beside.indexed("log").unwrap(), 0);
    index_suite::cases(|number| PostgresIndex::new(server(&url), &format!("tenant-{number}")));
    assert_eq!(beside.agents(&AgentFilter::default(), None, 9).unwrap(), Agents::default());
}

fn leaf(number: usize) -> String {
    format!(
        r#"{{"agentId":"a","eventType":"TOOL_CALL_PRE","number":{number},"sessionId":"s{}","tenantId":"acme"}}"#,
        number % 7
    )
}

/// Defends: every event is proven and checked under the signed head, with the index behind, with it, and where it is gone; and
/// whatever is changed in the tables is found.
#[test]
fn a_ledger_is_checked_where_it_is_kept() {
    const EVENTS: usize = 1_000;
    let url = cluster().database();
    let database = server(&url);
    let ledger = PostgresLedger::open(Arc::clone(&database), "acme").unwrap();
    for batch in 0..4 {
        let mut leaves = Leaves::new();
        for number in batch * EVENTS / 4..(batch + 1) * EVENTS / 4 {
            leaves.push_canonical(leaf(number).as_bytes()).unwrap();
        }
        ledger.append(&leaves).unwrap();
    }
    let view = PostgresView::new(Arc::clone(&database), "acme");
    let index = PostgresIndex::new(Arc::clone(&database), "acme");
    let look = || {
        let mut found = None;
        let looked = view.look(&mut |snapshot| {
            found = Some((check(snapshot, 0, u64::MAX)?, snapshot.head().clone()));
            Ok(())
        });
        looked.map(|()| found.unwrap()).map_err(|error| error.to_string())
    };
    let (checked, head) = look().unwrap();
    assert_eq!((checked.good, checked.next, checked.breach), (1_000, 1_000, None));
    let log = head.verifier.to_vkey();
    let mut from = 0;
    for length in [3, 600, 397] {
        assert_eq!(index.indexed(&log).unwrap(), from);
        let records: Vec<Record> = (from..from + length)
            .map(|place| Record::of(place, leaf(usize::try_from(place).unwrap()).as_bytes()))
            .collect();
        index.add(&log, from, &records).unwrap();
        from += length;
        let checked = look().unwrap().0;
        assert_eq!((checked.good, checked.breach), (1_000, None), "{from}");
    }
    assert_eq!(cluster().sql(&url, "SELECT count(*) FROM thoth.subtrees"), "3");
    let places: Vec<u64> =
        index.positions("s3", 0, 2_000).unwrap().into_iter().map(|place| u64::try_from(place).unwrap()).collect();
    assert_eq!(places.len(), 143);
    view.look(&mut |snapshot| {
        let records = prove(snapshot, &places)?;
        let head = snapshot.head();
        let material = Material {
            tenant: "acme",
            session: "s3",
            checkpoint: &head.note,
            verifier: &head.verifier,
            records: &records,
            from: 0,
            next: None,
        };
        let bundle = bundle(&material, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(verify_bundle(bundle.as_bytes(), &head.verifier, None).unwrap().records, 143);
        Ok(())
    })
    .unwrap();
    for (number, (change, undo, place)) in [
        (
            "UPDATE thoth.entries SET leaf = replace(convert_from(leaf, 'UTF8'), '\"a\"', '\"b\"')::bytea WHERE position = 300",
            "UPDATE thoth.entries SET leaf = replace(convert_from(leaf, 'UTF8'), '\"b\"', '\"a\"')::bytea WHERE position = 300",
            256,
        ),
        (
            "UPDATE thoth.subtrees SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE number = 2",
            "UPDATE thoth.subtrees SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE number = 2",
            0,
        ),
        ("DELETE FROM thoth.subtrees", "SELECT 1", 1_000),
        ("UPDATE thoth.ledgers SET size = 999", "UPDATE thoth.ledgers SET size = 1000", 0),
        ("DELETE FROM thoth.entries WHERE position = 999", "SELECT 1", 0),
    ]
    .into_iter()
    .enumerate()
    {
        cluster().sql(&url, change);
        match look() {
            Ok((checked, _)) => {
                assert_eq!((checked.breach.is_none(), checked.next), (place == 1_000, place), "{number}: {checked:?}");
            }
            Err(_) => assert_eq!(number, 3, "the head itself"),
        }
        cluster().sql(&url, undo);
    }
}
