//! The store by its promises: its file, its faults, its limits, and what comes back from it.

mod faults;
mod limits;
mod migrations;
mod pins;
mod round_trip;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::file::Settings;
use crate::schema::Schema;
use crate::{SqliteHolds, schema};

/// A folder of its own, and stores in it.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    fn store(&self) -> SqliteHolds {
        SqliteHolds::new(self.path(), self.folder.path().join("ledger"))
    }

    /// The same, used in another way.
    fn store_with(&self, settings: Settings) -> SqliteHolds {
        SqliteHolds::with(self.path(), self.folder.path().join("ledger"), settings)
    }

    /// The file as somebody with a database shell has it.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

/// An empty database in memory, of our format.
fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::bring_up_to_date(&mut connection, &schema::HOLDS, Path::new("memory")).unwrap();
    connection
}

/// Makes a file of this format as it grew: each format's migration, and then the rows that a file could first have with it.
pub(crate) fn grown(path: &Path, schema: &Schema, rows: &[&str], format: usize) {
    assert_eq!(rows.len(), schema.migrations.len(), "each format has rows of its own");
    let file = Connection::open(path).unwrap();
    for (migration, rows) in schema.migrations.iter().zip(rows).take(format) {
        file.execute_batch(migration).unwrap();
        file.execute_batch(rows).unwrap();
    }
    file.pragma_update(None, "application_id", schema.application_id).unwrap();
    file.pragma_update(None, "user_version", i64::try_from(format).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
