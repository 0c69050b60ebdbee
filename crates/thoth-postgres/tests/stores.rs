//! What is kept in PostgreSQL does what every store must, over connections of several servers, and through failures.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "stores/bounds.rs"]
mod bounds;
#[path = "stores/failures.rs"]
mod failures;
#[path = "stores/index.rs"]
mod index;
#[path = "stores/ledgers.rs"]
mod ledgers;
#[path = "stores/races.rs"]
mod races;
#[path = "stores/turns.rs"]
mod turns;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use thoth_postgres::{Database, DatabaseUrl, PostgresHolds, PostgresRecords};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_testkit::postgres::cluster;
use thoth_testkit::{fleet_suite, holds_suite, records_suite, tenant_suite};

/// Another server on the database.
fn server(url: &str) -> Arc<Database> {
    Database::new(&DatabaseUrl::parse(url).unwrap()).unwrap()
}

/// Runs a property on as many cases as fit beside everything else.
fn property<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new(config).run(&strategy, test).unwrap();
}

/// Defends invariants 1 and 5: holds in PostgreSQL are those of every store, in every case and through any history, and
/// tenants of one database see nothing of each other.
#[test]
fn holds_do_what_every_store_must() {
    let database = server(&cluster().database());
    let count = std::cell::Cell::new(0);
    let next = || {
        count.set(count.get() + 1);
        format!("tenant-{}", count.get())
    };
    holds_suite::cases(|| PostgresHolds::new(Arc::clone(&database), &next()));
    property(24, holds_suite::history(), |history| {
        // Each tenant sees only its own, so the database is as good as new.
        let seen = holds_suite::live(&PostgresHolds::new(Arc::clone(&database), &next()), &history);
        prop_assert_eq!(seen, holds_suite::live(&MemoryHolds::default(), &history));
        Ok(())
    });
}

/// Defends: machines and policy bundles in PostgreSQL are those of every store, over several servers.
#[test]
fn machines_and_bundles_do_what_every_store_must() {
    let urls: Vec<String> = (0..fleet_suite::CASES).map(|_| cluster().database()).collect();
    fleet_suite::cases(|number| PostgresRecords::new(server(&urls[number])));
}

/// Defends: settings and agents' tools in PostgreSQL are those of every store, over several servers.
#[test]
fn settings_and_tools_do_what_every_store_must() {
    let urls: Vec<String> = (0..tenant_suite::CASES).map(|_| cluster().database()).collect();
    tenant_suite::cases(|number| PostgresRecords::new(server(&urls[number])));
}

/// Defends: keys and events in PostgreSQL are those of every store, over several servers.
#[test]
fn records_do_what_every_store_must() {
    let urls: Vec<String> = (0..5).map(|_| cluster().database()).collect();
    records_suite::cases(|number| PostgresRecords::new(server(&urls[number])));
    let url = cluster().database();
    // Both are connected once; opening anew is what the cases above do.
    let servers = [server(&url), server(&url)];
    let turn = std::cell::Cell::new(0);
    property(16, records_suite::history(), |history| {
        cluster().sql(
            &url,
            "DO $$ BEGIN IF to_regclass('thoth.keys') IS NOT NULL THEN \
            TRUNCATE thoth.keys, thoth.events, thoth.event_rooms; END IF; END $$",
        );
        records_suite::live(history, || {
            turn.set(turn.get() + 1);
            PostgresRecords::new(Arc::clone(&servers[turn.get() % 2]))
        })
    });
}
