//! Every store of holds does the same.

use proptest::prelude::*;
use thoth_store::SqliteHolds;
use thoth_testkit::holds_suite::{cases, history, live};
use thoth_testkit::memory_holds::MemoryHolds;

#[test]
fn holds_in_memory_do_what_every_store_must() {
    cases(MemoryHolds::default);
}

#[test]
fn holds_on_disk_do_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    cases(|| {
        count.set(count.get() + 1);
        SqliteHolds::new(folder.path().join(format!("{}.db", count.get())), folder.path().join("ledger"))
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariant: what is on disk behaves like the simplest thing that could, through any history: several holds of one
    /// call, returns, denials, grants, ends, a clock that goes back, and processes that take turns.
    #[test]
    fn the_file_is_like_memory(history in history()) {
        let folder = tempfile::tempdir().unwrap();
        let store = || SqliteHolds::new(folder.path().join("state.db"), folder.path().join("ledger"));
        let seen = live(&store(), &history);
        prop_assert_eq!(seen, live(&MemoryHolds::default(), &history));
    }
}
