//! Every store of keys and events does the same; PostgreSQL is asked in its own crate.

use proptest::prelude::*;
use thoth_store::server::ServerStore;
use thoth_testkit::fleet_suite;
use thoth_testkit::records_suite::{cases, history, live};

#[test]
fn a_file_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    cases(|number| ServerStore::new(folder.path().join(format!("{number}.db"))));
}

#[test]
fn a_file_of_machines_and_bundles_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    fleet_suite::cases(|number| ServerStore::new(folder.path().join(format!("{number}.db"))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends: the file is its model, over two stores of it and over reopening.
    #[test]
    fn a_file_is_its_model(history in history()) {
        let folder = tempfile::tempdir().unwrap();
        live(history, || ServerStore::new(folder.path().join("thothd.db")))?;
    }
}
