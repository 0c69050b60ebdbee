//! Ledgers: one order over all servers, signed with each append, and any change is found.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use thoth_audit::{Leaves, VerifyOptions, verify};
use thoth_gate::Evidence as _;
use thoth_postgres::{Database, ExportError, PostgresLedger, export};
use thoth_testkit::independent_verifier::verify_ledger;
use thoth_testkit::postgres::cluster;

use super::server;

fn leaves(name: &str, numbers: std::ops::Range<usize>) -> Leaves {
    let mut leaves = Leaves::new();
    for number in numbers {
        let leaf = format!(r#"{{"eventType":"TOOL_CALL_PRE","name":"{name}","number":{number}}}"#);
        leaves.push_canonical(leaf.as_bytes()).unwrap();
    }
    leaves
}

/// The ledger's events, from a directory that two verifiers have found good.
fn exported(database: &Database, tenant: &str) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let told = export(database, tenant, &dir).unwrap();
    let report = verify(&dir, &VerifyOptions::default()).unwrap();
    assert_eq!((report.size, report.pending, &report.origin), (told.size, 0, &told.origin));
    let found = verify_ledger(&dir).unwrap().leaves;
    assert_eq!(u64::try_from(found.len()).unwrap(), told.size);
    found.into_iter().map(|leaf| String::from_utf8(leaf).unwrap()).collect()
}

/// Defends invariant 4: what any thread of any server appended is in the ledger once, whole batches together and each
/// thread's in its order; the copy verifies with our verifier and with an independent one.
#[test]
fn servers_append_to_one_ledger() {
    const THREADS: usize = 4;
    const BATCHES: usize = 20;
    let url = cluster().database();
    let servers: Vec<_> = (0..3).map(|_| server(&url)).collect();
    thread::scope(|scope| {
        for (at, database) in servers.iter().enumerate() {
            // Each opens it, so that they race for beginning it, too.
            let ledger = Arc::new(PostgresLedger::open(Arc::clone(database), "acme").unwrap());
            for thread in 0..THREADS {
                let ledger = Arc::clone(&ledger);
                scope.spawn(move || {
                    let name = format!("{at}.{thread}");
                    for batch in 0..BATCHES {
                        ledger.append(&leaves(&name, batch * 3..batch * 3 + 3)).unwrap();
                    }
                });
            }
        }
    });
    let events = exported(&servers[0], "acme");
    assert_eq!(events.len(), 3 * THREADS * BATCHES * 3);
    let mut next: HashMap<String, usize> = HashMap::new();
    for batch in events.chunks(3) {
        let name = batch[0].split('"').nth(7).unwrap();
        for event in batch {
            let number = next.entry(name.to_owned()).or_default();
            assert!(event.ends_with(&format!(r#""name":"{name}","number":{number}}}"#)), "{event}");
            *number += 1;
        }
    }
    assert_eq!(cluster().sql(&url, "SELECT count(*) FROM thoth.ledgers"), "1");
}

/// Defends: an append that was cut off is all there or not at all, the ledger verifies after each, and tenants have ledgers,
/// keys and names of their own.
#[test]
fn cuts_lose_nothing_that_was_answered() {
    let url = cluster().database();
    let database = server(&url);
    let ledger = PostgresLedger::open(Arc::clone(&database), "acme").unwrap();
    let mut answered = 0;
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut answered = Vec::new();
            for batch in 0..120 {
                let name = batch.to_string();
                if ledger.append(&leaves(&name, 0..2)).is_ok() {
                    answered.push(name);
                }
            }
            answered
        });
        while !writer.is_finished() {
            cluster().cut(&url);
        }
        let names = writer.join().unwrap();
        answered = names.len();
        let events = exported(&database, "acme");
        assert_eq!(events.len() % 2, 0, "whole batches");
        for name in &names {
            let has = events.iter().filter(|event| event.contains(&format!(r#""name":"{name}""#))).count();
            assert_eq!(has, 2, "{name}");
        }
    });
    assert!(answered > 0);
    let other = PostgresLedger::open(Arc::clone(&database), "beta").unwrap();
    other.append(&leaves("b", 0..1)).unwrap();
    assert_eq!(exported(&database, "beta").len(), 1);
    let keys =
        "SELECT count(DISTINCT signing_key), count(DISTINCT content_key), count(DISTINCT origin) FROM thoth.ledgers";
    assert_eq!(cluster().sql(&url, keys), "2|2|2");
    assert!(!format!("{ledger:?} {database:?}").contains("key"));
}

/// Defends: whatever was changed in the tables without the key is found by who writes on, or by who makes a copy, and no copy
/// of it is a ledger.
#[test]
fn tampering_is_found() {
    let url = cluster().database();
    let database = server(&url);
    PostgresLedger::open(Arc::clone(&database), "acme").unwrap().append(&leaves("a", 0..300)).unwrap();
    cluster().sql(
        &url,
        "CREATE TABLE kept_entries AS TABLE thoth.entries; CREATE TABLE kept_ledgers AS TABLE thoth.ledgers",
    );
    let hash = |position: u32| format!("sha256('\\x00'::bytea || leaf) WHERE position = {position}");
    let copied = "found by who copies";
    let written = "found by who writes, too";
    for (change, by, says) in [
        ("UPDATE thoth.entries SET leaf = 'x' WHERE position = 7".to_owned(), copied, "event 7 of the ledger"),
        (
            format!("UPDATE thoth.entries SET leaf = replace(encode(leaf, 'escape'), '\"a\"', '\"b\"')::bytea WHERE position = 7;
                     UPDATE thoth.entries SET leaf_hash = {}", hash(7)),
            copied,
            "are not those that were signed",
        ),
        ("DELETE FROM thoth.entries WHERE position = 299".to_owned(), copied, "has 299 events, and its signed head 300"),
        ("DELETE FROM thoth.entries WHERE position = 5".to_owned(), copied, "lacks event 5"),
        (
            "INSERT INTO thoth.entries SELECT tenant, 300, leaf_hash, leaf FROM thoth.entries WHERE position = 0".to_owned(),
            copied,
            "has 301 events",
        ),
        ("UPDATE thoth.ledgers SET size = 299".to_owned(), written, "is no head"),
        ("UPDATE thoth.ledgers SET frontier = set_byte(frontier, 3, 7)".to_owned(), written, "not what was signed"),
        ("UPDATE thoth.ledgers SET checkpoint = replace(checkpoint, '300', '301')".to_owned(), written, "signature"),
        ("UPDATE thoth.ledgers SET signing_key = sha256('x')".to_owned(), written, "no signature by"),
        ("UPDATE thoth.ledgers SET origin = 'other'".to_owned(), written, "no signature by"),
    ] {
        cluster().sql(&url, &change);
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("ledger");
        let error = export(&database, "acme", &dir).unwrap_err();
        assert!(matches!(error, ExportError::Postgres(_)) && error.to_string().contains(says), "{change}: {error}");
        assert!(verify(&dir, &VerifyOptions::default()).is_err(), "{change}");
        if by == written {
            let ledger = PostgresLedger::open(Arc::clone(&database), "acme");
            assert!(ledger.is_err(), "{change}");
        }
        cluster().sql(
            &url,
            "TRUNCATE thoth.entries, thoth.ledgers; INSERT INTO thoth.ledgers TABLE kept_ledgers;
             INSERT INTO thoth.entries TABLE kept_entries",
        );
    }
    assert_eq!(exported(&database, "acme").len(), 300, "put back, it is good");
    let nobody = export(&database, "nobody", std::path::Path::new("/nowhere")).unwrap_err();
    assert!(matches!(nobody, ExportError::None), "{nobody}");
}

/// Defends: a server whose ledger was put back behind its back, to a state that was signed once, does not go on from what it
/// remembers, and leaves no gap.
#[test]
fn a_ledger_that_was_put_back_goes_on_from_there() {
    let url = cluster().database();
    let database = server(&url);
    let ledger = PostgresLedger::open(Arc::clone(&database), "acme").unwrap();
    ledger.append(&leaves("a", 0..3)).unwrap();
    cluster().sql(&url, "CREATE TABLE kept AS TABLE thoth.ledgers");
    ledger.append(&leaves("b", 0..3)).unwrap();
    cluster().sql(
        &url,
        "UPDATE thoth.ledgers SET (size, frontier, checkpoint) = (SELECT size, frontier, checkpoint FROM kept);
         DELETE FROM thoth.entries WHERE position >= 3",
    );
    ledger.append(&leaves("c", 0..1)).unwrap();
    assert_eq!(exported(&database, "acme").len(), 4);
}
