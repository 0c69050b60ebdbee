//! A ledger in tables, as those see it who look at it.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use thoth_audit::checkpoint::Checkpoint;
use thoth_audit::merkle::{Hash, Subtrees, perfect_root};
use thoth_audit::tiles::TILE_WIDTH;
use thoth_audit::view::{Head, LedgerView, Snapshot, ViewError};

use crate::database::Database;
use crate::error::{Fault, PostgresError};
use crate::session::{Session, damaged};
use crate::{ledger_rows as rows, subtrees};

/// The ledger of a tenant, to look at.
pub struct PostgresView {
    database: Arc<Database>,
    tenant: String,
}

impl fmt::Debug for PostgresView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresView").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PostgresView {
    /// That of `tenant`.
    #[must_use]
    pub fn new(database: Arc<Database>, tenant: &str) -> Self {
        Self { database, tenant: tenant.to_owned() }
    }
}

fn told(error: PostgresError) -> ViewError {
    match error {
        PostgresError::Damaged(what) => ViewError::Damaged(what),
        error => ViewError::Unreadable(Box::new(error)),
    }
}

impl LedgerView for PostgresView {
    fn look(&self, work: &mut dyn FnMut(&dyn Snapshot) -> Result<(), ViewError>) -> Result<(), ViewError> {
        let mut outcome = Ok(());
        let looked = self.database.snapshot(|session| {
            let ledger = rows::open(session, &self.tenant)?
                .ok_or_else(|| damaged(format!("the ledger of `{}` is gone", self.tenant)))?;
            let head = rows::head(session, &self.tenant, &ledger, false, None)?;
            let checkpoint =
                Checkpoint { origin: ledger.origin, size: head.frontier.size(), root: head.frontier.root() };
            let head = Head { note: head.checkpoint, checkpoint, verifier: ledger.verifier };
            let seen = Seen { session, tenant: &self.tenant, head, last: RefCell::default() };
            outcome = work(&seen);
            Ok(())
        });
        looked.map_err(|fault| told(Fault::of_ledger(fault)))?;
        outcome
    }
}

struct Seen<'s> {
    session: &'s Session<'s>,
    tenant: &'s str,
    head: Head,
    /// The hashes that were read last: of which level, from which on.
    last: RefCell<Option<(u32, u64, Vec<Hash>)>>,
}

impl Subtrees for Seen<'_> {
    type Error = ViewError;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, ViewError> {
        let outside = || ViewError::Damaged(format!("the tree has no subtree {index} of level {level}"));
        let (kept, height) = (level / 8 * 8, level % 8);
        let first = index.checked_shl(height).filter(|first| first >> height == index).ok_or_else(outside)?;
        let count = self.head.checkpoint.size.checked_shr(kept).unwrap_or_default();
        let start = first / TILE_WIDTH * TILE_WIDTH;
        let end = start.saturating_add(TILE_WIDTH).min(count);
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(level, from, _)| (*level, *from) != (kept, start)) {
            let number = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
            let read = subtrees::row(self.session, self.tenant, kept, number(start), number(end));
            *last = Some((kept, start, read.map_err(|fault| told(Fault::of_ledger(fault)))?));
        }
        let row = last.as_ref().and_then(|(_, start, hashes)| {
            let from = usize::try_from(first - start).ok()?;
            hashes.get(from..from + (1 << height))
        });
        row.and_then(perfect_root).ok_or_else(outside)
    }
}

impl Snapshot for Seen<'_> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn leaves(&self, from: u64) -> Result<Vec<Vec<u8>>, ViewError> {
        let end = (from / TILE_WIDTH + 1).saturating_mul(TILE_WIDTH).min(self.head.checkpoint.size);
        let most = i64::try_from(end.saturating_sub(from)).unwrap_or_default();
        let start = i64::try_from(from).unwrap_or(i64::MAX);
        let read = rows::entries(self.session, self.tenant, start, most);
        let read = read.map_err(|fault| told(Fault::of_ledger(fault)))?;
        let mut leaves = Vec::with_capacity(read.len());
        for (position, entry) in (start..).zip(read) {
            if entry.position != position {
                return Err(ViewError::Damaged(format!("event {position} is missing")));
            }
            leaves.push(entry.leaf);
        }
        if i64::try_from(leaves.len()).ok() == Some(most) {
            Ok(leaves)
        } else {
            Err(ViewError::Damaged(format!("an event between {from} and {end} is missing")))
        }
    }

    fn recorded(&self, level: u32, index: u64) -> Result<Hash, ViewError> {
        self.subtree(level, index)
    }
}
