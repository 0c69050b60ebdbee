//! Every store of keys and events does the same; PostgreSQL is asked in its own crate.

use proptest::prelude::*;
use thoth_store::server::index::LedgerIndex as _;
use thoth_store::server::{IndexFile, ServerStore};
use thoth_testkit::records_suite::{cases, history, live};
use thoth_testkit::{fleet_suite, index_suite, tenant_suite};

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

#[test]
fn a_file_of_settings_and_tools_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    tenant_suite::cases(|number| ServerStore::new(folder.path().join(format!("{number}.db"))));
}

#[test]
fn an_index_in_a_file_does_what_every_index_must() {
    let folder = tempfile::tempdir().unwrap();
    index_suite::cases(|number| IndexFile::new(folder.path().join(format!("{number}.db"))));
}

/// Defends: an index that cannot be used is no obstacle: whatever stands in its place is taken away, and it is made anew.
#[test]
fn what_is_no_index_is_made_anew() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let target = folder.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    for number in 0..4 {
        let index = IndexFile::new(path.clone());
        match number {
            0 => {}
            1 => std::fs::write(&path, [7; 9000]).unwrap(),
            2 => {
                std::fs::remove_file(&path).unwrap();
                symlink(&target, &path).unwrap();
            }
            _ => {
                // A file of another kind.
                std::fs::remove_file(&path).unwrap();
                thoth_store::server::Records::open(&ServerStore::new(path.clone())).unwrap();
            }
        }
        assert_eq!(index.indexed("log").unwrap(), 0, "{number}");
        index.add("log", 0, &[]).unwrap();
        assert_eq!(index.indexed("log").unwrap(), 0, "{number}");
        let mode = std::fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{number}");
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
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
