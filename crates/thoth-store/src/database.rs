//! One connection to the file, opened when it is first needed, and one transaction for each change.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Fault, StoreError};
use crate::file::{self, Identity, Settings};

/// The file of one installation, which many processes use at once.
///
/// Nothing is opened or created before the first use, and what only reads creates nothing. After a failure the next use
/// opens the file anew, as it does when another file took its place.
///
/// INVARIANT: whatever changes anything does so in one `BEGIN IMMEDIATE` transaction, from the reading of what is changed
/// to the `COMMIT`, which waits for the disk. Transactions of that kind run one after the other, over all processes, so
/// what one reads no other changes before it is written.
pub(crate) struct Database {
    path: PathBuf,
    settings: Settings,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    open: Option<Open>,
    /// How often the file was opened.
    openings: u64,
}

struct Open {
    connection: Connection,
    identity: Identity,
    /// How often this process has written.
    writes: u64,
}

impl Database {
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Self {
        Self { path, settings, slot: Mutex::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` on the open file. `None`: there is no file, and `create` is not set.
    fn with<T>(&self, create: bool, work: impl FnOnce(&mut Open) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let mut slot = self.lock();
        let Slot { open, openings } = &mut *slot;
        if open.as_ref().is_some_and(|open| Identity::of(&self.path) != Some(open.identity)) {
            // Somebody moved the file away: to write to it still would be to write where nobody reads.
            *open = None;
        }
        if open.is_none() {
            let opened = file::open(&self.path, self.settings, create)?;
            *openings += 1;
            *open = opened.map(|(connection, identity)| Open { connection, identity, writes: 0 });
        }
        let Some(file) = open.as_mut() else { return Ok(None) };
        work(file).map(Some).map_err(|fault| match fault.at(&self.path) {
            Ok(error) => {
                if error.ends_connection() {
                    *open = None;
                }
                error.into()
            }
            Err(fault) => fault,
        })
    }

    /// Reads in one statement. `None`: there is no file.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        self.with(false, |open| work(&open.connection))
    }

    /// Reads and writes with nobody in between. `None`: there is no file, and `create` is not set.
    pub(crate) fn write<T>(
        &self,
        create: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.with(create, |open| {
            let transaction = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            open.writes += 1;
            Ok(done)
        })
    }

    /// Whether the file can be written: something is, and is taken back. The file is begun if there never was one; one that
    /// was opened here and is gone is not begun anew.
    pub(crate) fn probe(&self) -> Result<(), Fault> {
        let was_opened = self.lock().openings > 0;
        let written = self.with(!was_opened, |open| {
            let transaction = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch("CREATE TABLE probe (bytes BLOB); INSERT INTO probe VALUES (zeroblob(8192));")?;
            // Else it would stay in memory and tell nothing of the disk.
            transaction.cache_flush()?;
            transaction.rollback()?;
            Ok(())
        })?;
        let gone = || StoreError::File {
            action: "find",
            path: self.path.clone(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        written.ok_or_else(|| gone().into())
    }

    /// Another number whenever anybody has written since, or the file is another one.
    pub(crate) fn version(&self) -> Result<Option<u64>, Fault> {
        let counters = self.with(false, |open| {
            let others: i64 = open.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
            Ok((others, open.writes))
        })?;
        let openings = self.lock().openings;
        Ok(counters.map(|counters| {
            let mut hasher = DefaultHasher::new();
            (openings, counters).hash(&mut hasher);
            hasher.finish()
        }))
    }
}

/// What is wrong with the file itself.
pub(crate) fn store(error: StoreError) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(error)
}
