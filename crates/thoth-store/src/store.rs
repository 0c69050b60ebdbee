//! The store: one connection, opened when it is first needed, and one transaction for each change.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use thoth_gate::hold::{Consulted, Hold, Question};
use thoth_gate::{Change, Holds, HoldsError};
use thoth_types::{Grant, HoldToken};

use crate::error::{Fault, StoreError};
use crate::file::{self, Identity, Settings};
use crate::rows::{self, nanoseconds};
use crate::{call, room};

/// How many digits of a token tell enough to look for it.
const MIN_DIGITS: usize = 4;

/// The holds of one installation, in one SQLite file that many processes use at once.
///
/// Nothing is opened or created before the first use, and what only reads creates nothing. After a failure the next use
/// opens the file anew, as it does when another file took its place.
///
/// INVARIANT: whatever changes holds, grants or counts does so in one `BEGIN IMMEDIATE` transaction, from the reading of
/// what is changed to the `COMMIT`, which waits for the disk. Transactions of that kind run one after the other, over all
/// processes, so what one reads no other changes before it is written.
pub struct SqliteHolds {
    path: PathBuf,
    ledger: PathBuf,
    pub(crate) settings: Settings,
    open: Mutex<Option<Open>>,
}

struct Open {
    connection: Connection,
    identity: Identity,
    /// How often this process has written.
    writes: u64,
    /// The counter of other processes' writes, and our own, when last asked.
    seen: Option<(i64, u64)>,
}

impl fmt::Debug for SqliteHolds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteHolds").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteHolds {
    /// The store in the file `path`. Holds made through it have their records in the ledger in the folder `ledger`.
    #[must_use]
    pub fn new(path: PathBuf, ledger: PathBuf) -> Self {
        Self { path, ledger, settings: Settings::default(), open: Mutex::new(None) }
    }

    /// The folder of the ledger that has a hold's records: that of the sidecar that made it.
    ///
    /// # Errors
    /// If there is no hold of this name, or it cannot be read.
    pub fn ledger_of(&self, token: &HoldToken) -> Result<PathBuf, HoldsError> {
        self.read(|connection| rows::ledger_of(connection, token))?.ok_or_else(|| absent(token))
    }

    /// The holds whose token begins like this, with or without `hold_`, newest first. Of fewer than four digits, or of
    /// anything but digits of tokens, none.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn find(&self, prefix: &str) -> Result<Vec<Hold>, HoldsError> {
        let digits = prefix.strip_prefix("hold_").unwrap_or(prefix);
        let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits.len() < MIN_DIGITS || !is_hex {
            return Ok(Vec::new());
        }
        Ok(self.read(|connection| rows::holds_like(connection, digits))?.unwrap_or_default())
    }

    /// Reads the whole file in search of damage. A file that is not there has none.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn check(&self) -> Result<(), HoldsError> {
        let found: Option<String> = self.read(|connection| {
            Ok(connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0))?)
        })?;
        match found {
            Some(found) if found != "ok" => Err(store(StoreError::Damaged { path: self.path.clone(), what: found })),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` on the open file. `None`: there is no file, and `create` is not set.
    fn with<T>(&self, create: bool, work: impl FnOnce(&mut Open) -> Result<T, Fault>) -> Result<Option<T>, HoldsError> {
        let mut slot = self.lock();
        if slot.as_ref().is_some_and(|open| Identity::of(&self.path) != Some(open.identity)) {
            // Somebody moved the file away: to write to it still would be to write where nobody reads.
            *slot = None;
        }
        if slot.is_none() {
            *slot = file::open(&self.path, self.settings, create).map_err(store)?.map(|(connection, identity)| Open {
                connection,
                identity,
                writes: 0,
                seen: None,
            });
        }
        let Some(open) = slot.as_mut() else { return Ok(None) };
        work(open).map(Some).map_err(|fault| match fault.at(&self.path) {
            Ok(error) => {
                if error.ends_connection() {
                    *slot = None;
                }
                store(error)
            }
            Err(error) => error,
        })
    }

    /// Reads in one statement. `None`: there is no file.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<Option<T>, HoldsError> {
        self.with(false, |open| work(&open.connection))
    }

    /// Reads and writes with nobody in between. `None`: there is no file, and `create` is not set.
    fn write<T>(
        &self,
        create: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, HoldsError> {
        self.with(create, |open| {
            let transaction = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            open.writes += 1;
            Ok(done)
        })
    }
}

impl Holds for SqliteHolds {
    fn consult(&self, question: &Question<'_>, now: Timestamp) -> Result<Consulted, HoldsError> {
        self.write(true, |transaction| call::consult(transaction, question, &self.ledger, now))?
            .ok_or(HoldsError::Absent)
    }

    /// `change` must not come back to this store: its connection is in use.
    fn update(&self, token: &HoldToken, change: &mut Change<'_>) -> Result<Hold, HoldsError> {
        self.write(false, |transaction| {
            let mut hold = rows::hold(transaction, token)?;
            change(&mut hold)?;
            rows::rewrite(transaction, &hold, None)?;
            Ok(hold)
        })?
        .ok_or_else(|| absent(token))
    }

    fn look(&self, token: &HoldToken) -> Result<Hold, HoldsError> {
        self.read(|connection| rows::hold(connection, token))?.ok_or_else(|| absent(token))
    }

    fn list(&self) -> Result<Vec<Hold>, HoldsError> {
        Ok(self.read(rows::holds)?.unwrap_or_default())
    }

    fn lapsed(&self, now: Timestamp) -> Result<Vec<HoldToken>, HoldsError> {
        let lapsed = self.read(|connection| rows::lapsed(connection, &self.ledger, nanoseconds(now)?))?;
        Ok(lapsed.unwrap_or_default())
    }

    fn grant(&self, grant: &Grant) -> Result<(), HoldsError> {
        self.write(true, |transaction| rows::insert_grant(transaction, grant)).map(drop)
    }

    fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, HoldsError> {
        Ok(self.read(|connection| rows::grants(connection, nanoseconds(now)?))?.unwrap_or_default())
    }

    fn revoke(&self, id: &str) -> Result<(), HoldsError> {
        self.write(false, |transaction| rows::delete_grant(transaction, id))?
            .ok_or_else(|| HoldsError::Unknown(format!("grant `{id}`")))
    }

    fn changed(&self) -> Result<bool, HoldsError> {
        let news = self.with(false, |open| {
            let others = open.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
            let now = Some((others, open.writes));
            let news = open.seen != now;
            open.seen = now;
            Ok(news)
        })?;
        Ok(news.unwrap_or(false))
    }

    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError> {
        self.write(true, |transaction| room::count_violation(transaction, agent, now, since))?.ok_or(HoldsError::Absent)
    }
}

fn absent(token: &HoldToken) -> HoldsError {
    HoldsError::Unknown(format!("hold `{token}`"))
}

fn store(error: StoreError) -> HoldsError {
    HoldsError::Store(Box::new(error))
}
