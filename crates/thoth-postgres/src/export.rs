//! A ledger as a directory of tiles, which anybody verifies who has no database.

use std::path::Path;

use thoth_audit::merkle::leaf_hash;
use thoth_audit::{LedgerCopy, LedgerError};

use crate::database::Database;
use crate::error::{Fault, PostgresError};
use crate::ledger_rows as rows;
use crate::session::damaged;

/// How many events are read at once: 64 KiB each at the most.
const CHUNK: i64 = 256;

/// Why a ledger was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The tenant has no ledger.
    #[error("the tenant has no ledger")]
    None,
    /// The database, or what is in it.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The directory.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The log's name.
    pub origin: String,
    /// How many events.
    pub size: u64,
}

/// Writes the ledger of `tenant`, as it is now, into the directory `dir`, which must be empty or not there. Every event is
/// checked against its hash, and all of them against the signed head, before the directory becomes a ledger.
///
/// # Errors
/// If there is no ledger, it was tampered with, or the directory cannot be written; then what was written is no ledger.
pub fn export(database: &Database, tenant: &str, dir: &Path) -> Result<Exported, ExportError> {
    let mut failure = None;
    let exported = database.snapshot(|session| {
        let Some(ledger) = rows::open(session, tenant)? else { return Ok(None) };
        let head = rows::head(session, tenant, &ledger, false, None)?;
        let mut copy = match LedgerCopy::create(dir, &ledger.origin, &ledger.keys) {
            Ok(copy) => copy,
            Err(error) => {
                failure = Some(error);
                return Ok(None);
            }
        };
        let mut next: i64 = 0;
        loop {
            let entries = rows::entries(session, tenant, next, CHUNK)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                if entry.position != next {
                    return Err(damaged(format!("the ledger of `{tenant}` lacks event {next}")));
                }
                if leaf_hash(&entry.leaf).as_slice() != entry.leaf_hash {
                    return Err(damaged(format!("event {next} of the ledger of `{tenant}` was changed")));
                }
                if let Err(error) = copy.push(&entry.leaf) {
                    failure = Some(error);
                    return Ok(None);
                }
                next += 1;
            }
        }
        let (size, root) = copy.head();
        if size != head.frontier.size() {
            let signed = head.frontier.size();
            return Err(damaged(format!("the ledger of `{tenant}` has {size} events, and its signed head {signed}")));
        }
        if root != head.frontier.root() {
            return Err(damaged(format!("the events of the ledger of `{tenant}` are not those that were signed")));
        }
        match copy.finish() {
            Ok(()) => Ok(Some(Exported { origin: ledger.origin, size })),
            Err(error) => {
                failure = Some(error);
                Ok(None)
            }
        }
    });
    let exported = exported.map_err(Fault::of_ledger)?;
    match failure {
        Some(error) => Err(error.into()),
        None => exported.ok_or(ExportError::None),
    }
}
