//! The store of holds and grants.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use thoth_gate::hold::{Consulted, Hold, Question};
use thoth_gate::{Change, Holds, HoldsError, Listed};
use thoth_types::{Grant, HoldToken};

use crate::database::{Database, store};
use crate::error::{Fault, StoreError};
use crate::file::Settings;
use crate::pins::SqlitePins;
use crate::rows::{self, nanoseconds};
use crate::{call, room};

/// How many digits of a token tell enough to look for it.
const MIN_DIGITS: usize = 4;

/// The holds of one installation, in one SQLite file that many processes use at once.
///
/// Every change is one transaction: see [`Database`].
pub struct SqliteHolds {
    database: Arc<Database>,
    ledger: PathBuf,
    /// What was current when last asked.
    seen: Mutex<Option<u64>>,
}

impl fmt::Debug for SqliteHolds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteHolds").field("path", &self.database.path()).finish_non_exhaustive()
    }
}

impl SqliteHolds {
    /// The store in the file `path`. Holds made through it have their records in the ledger in the folder `ledger`.
    #[must_use]
    pub fn new(path: PathBuf, ledger: PathBuf) -> Self {
        Self::with(path, ledger, Settings::default())
    }

    pub(crate) fn with(path: PathBuf, ledger: PathBuf, settings: Settings) -> Self {
        Self { database: Arc::new(Database::new(path, settings)), ledger, seen: Mutex::default() }
    }

    /// The pins in the same file.
    #[must_use]
    pub fn pins(&self) -> SqlitePins {
        SqlitePins::new(Arc::clone(&self.database), self.ledger.clone())
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
            Some(found) if found != "ok" => {
                let path = self.database.path().to_owned();
                Err(refused(StoreError::Damaged { path, what: found }.into()))
            }
            _ => Ok(()),
        }
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<Option<T>, HoldsError> {
        self.database.read(work).map_err(refused)
    }

    fn write<T>(
        &self,
        create: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, HoldsError> {
        self.database.write(create, work).map_err(refused)
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

    fn waiting(&self, now: Timestamp) -> Result<u64, HoldsError> {
        let waiting = self.read(|connection| rows::waiting(connection, nanoseconds(now)?))?;
        Ok(waiting.unwrap_or_default())
    }

    fn list_short(&self, longest: usize) -> Result<Vec<Listed>, HoldsError> {
        let longest = i64::try_from(longest).unwrap_or(i64::MAX);
        Ok(self.read(|connection| rows::short_holds(connection, longest))?.unwrap_or_default())
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
        let version = self.database.version().map_err(refused)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let news = version.is_some() && *seen != version;
        *seen = version;
        Ok(news)
    }

    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError> {
        self.write(true, |transaction| room::count_violation(transaction, agent, now, since))?.ok_or(HoldsError::Absent)
    }
}

fn absent(token: &HoldToken) -> HoldsError {
    HoldsError::Unknown(format!("hold `{token}`"))
}

/// What went wrong, in the words of holds.
fn refused(fault: Fault) -> HoldsError {
    match fault.complete() {
        Ok(error) => HoldsError::Store(store(error)),
        Err(Fault::Holds(error)) => error,
        Err(fault) => HoldsError::Store(fault.to_string().into()),
    }
}
