//! The index of a ledger in a file of its own. It keeps nobody who decides calls waiting, and nothing waits for its disk.
//!
//! What is damaged, of a newer version or something else is taken away and made anew: all of it stands in the ledger.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::index::{
    Added, Agent, AgentFilter, Agents, Decision, DecisionFilter, Found, IndexPage, LedgerIndex, Record, Session,
    SessionFilter, ToolUse,
};
use super::{ServerError, index_rows as rows, refused, schema};
use crate::database::Database;
use crate::error::{Fault, StoreError};
use crate::file::Settings;

/// The index of one tenant's ledger. It is begun at the first use.
pub struct IndexFile {
    database: Database,
}

impl std::fmt::Debug for IndexFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexFile").field("path", &self.database.path()).finish_non_exhaustive()
    }
}

impl IndexFile {
    /// The index in the file `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let settings = Settings { schema: &schema::INDEX, is_remade: true, ..Settings::default() };
        Self { database: Database::new(path, settings) }
    }

    fn read<T: Default>(&self, work: impl Fn(&Connection) -> Result<T, Fault>) -> Result<T, ServerError> {
        let read = self.usable(|| self.database.read(&work));
        Ok(read?.unwrap_or_default())
    }

    fn write<T: Default>(&self, work: impl Fn(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, ServerError> {
        let written = self.usable(|| self.database.write(true, &work));
        Ok(written?.unwrap_or_default())
    }

    /// Once more with a new file, if this one cannot be used.
    fn usable<T>(&self, work: impl Fn() -> Result<T, Fault>) -> Result<T, ServerError> {
        match work() {
            Err(fault) if is_unusable(&fault) => {
                for end in ["-wal", "-shm", ""] {
                    let mut path = self.database.path().as_os_str().to_owned();
                    path.push(end);
                    // What cannot be removed is told by the next attempt.
                    drop(fs::remove_file(path));
                }
                work().map_err(refused)
            }
            outcome => outcome.map_err(refused),
        }
    }
}

fn is_unusable(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Damaged(_)
            | Fault::Store(
                StoreError::Damaged { .. }
                    | StoreError::Foreign { .. }
                    | StoreError::Newer { .. }
                    | StoreError::Unfit { .. }
            )
    )
}

impl LedgerIndex for IndexFile {
    fn indexed(&self, log: &str) -> Result<i64, ServerError> {
        let mark = self.read(rows::mark)?;
        match mark {
            Some((of, next)) if of == log => Ok(next),
            _ => self.write(|file| rows::begin(file, log)),
        }
    }

    fn add(&self, log: &str, from: i64, records: &[Record]) -> Result<(), ServerError> {
        let added = Added::of(records);
        let next = from.saturating_add(i64::try_from(records.len()).unwrap_or(i64::MAX));
        self.write(|file| rows::add(file, log, (from, next), &added))
    }

    fn decisions(&self, filter: &DecisionFilter<'_>, page: &IndexPage) -> Result<Found<Decision>, ServerError> {
        Ok(self.read(|file| rows::decisions(file, filter, page).map(Some))?.unwrap_or_else(none))
    }

    fn violation(&self, trace: &str) -> Result<Option<Decision>, ServerError> {
        self.read(|file| rows::violation(file, trace))
    }

    fn sessions(&self, filter: &SessionFilter<'_>, page: &IndexPage) -> Result<Found<Session>, ServerError> {
        Ok(self.read(|file| rows::sessions(file, filter, page).map(Some))?.unwrap_or_else(none))
    }

    fn session(&self, id: &str) -> Result<Option<Session>, ServerError> {
        self.read(|file| rows::session(file, id))
    }

    fn positions(&self, session: &str, from: i64, most: u32) -> Result<Vec<i64>, ServerError> {
        self.read(|file| rows::positions(file, session, from, most))
    }

    fn agents(&self, filter: &AgentFilter<'_>, beyond: Option<&str>, limit: u32) -> Result<Agents, ServerError> {
        self.read(|file| rows::agents(file, filter, beyond, limit))
    }

    fn agent(&self, id: &str) -> Result<Option<Agent>, ServerError> {
        self.read(|file| rows::agent(file, id))
    }

    fn tool_uses(&self, since: Timestamp) -> Result<Vec<ToolUse>, ServerError> {
        self.read(|file| rows::tool_uses(file, since))
    }
}

fn none<T>() -> Found<T> {
    Found { found: Vec::new(), next: None }
}
