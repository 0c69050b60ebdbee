//! The ledger of one tenant, as tables: an RFC 6962 log like the one in files, whose head is signed with every append.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use thoth_audit::tiles::MAX_ENTRY_BYTES;
use thoth_audit::{ContentKey, Leaves, LedgerError};
use thoth_gate::{Evidence, EvidenceError};

use crate::database::{Database, Lane};
use crate::error::{Fault, PostgresError};
use crate::ledger_rows::{self as rows, Opened};
use crate::queue::{Batch, Queue};

/// The ledger of a tenant, to which any number of servers append at once.
///
/// INVARIANT: whoever appends has the row of the ledger's head for themselves until the transaction is over. Events have
/// one order over all servers, positions have no gaps, and the signed head covers exactly what is there.
pub struct PostgresLedger {
    database: Arc<Database>,
    tenant: String,
    ledger: Opened,
    queue: Queue,
    /// The head that this process has signed or checked last.
    known: Mutex<Option<String>>,
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLedger").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PostgresLedger {
    /// The ledger of `tenant`. It is begun if there is none, with keys of its own that are kept beside it.
    ///
    /// # Errors
    /// If it cannot be read, or its head is not what was signed.
    pub fn open(database: Arc<Database>, tenant: &str) -> Result<Self, PostgresError> {
        let open = |database: &Database| {
            let found = database.read(Lane::Ledgers, |session| rows::open(session, tenant))?;
            if found.is_none() {
                database.write(Lane::Ledgers, |session| rows::create(session, tenant))?;
            }
            let found = found.map_or_else(
                || database.read(Lane::Ledgers, |session| rows::open(session, tenant)),
                |one| Ok(Some(one)),
            )?;
            let ledger = found.ok_or_else(|| PostgresError::Damaged(format!("the ledger of `{tenant}` is gone")))?;
            let head = database.read(Lane::Ledgers, |session| rows::head(session, tenant, &ledger, false, None))?;
            Ok((ledger, head.checkpoint))
        };
        let (ledger, checkpoint) = open(&database).map_err(Fault::of_ledger)?;
        let (queue, known) = (Queue::default(), Mutex::new(Some(checkpoint)));
        Ok(Self { database, tenant: tenant.to_owned(), ledger, queue, known })
    }

    /// The key under which content is hashed.
    #[must_use]
    pub const fn content_key(&self) -> &ContentKey {
        self.ledger.keys.content_key()
    }

    fn known(&self) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, leaves: &[&[u8]]) -> Result<(), PostgresError> {
        let signed = self.database.write(Lane::Ledgers, |session| {
            let known = self.known();
            let head = rows::head(session, &self.tenant, &self.ledger, true, known.as_deref())?;
            rows::append(session, &self.tenant, &self.ledger, head, leaves)
        });
        let signed = signed.map_err(Fault::of_ledger)?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(signed);
        Ok(())
    }
}

impl Evidence for PostgresLedger {
    /// If the connection ends in the middle of the commit, the leaves may be in the ledger all the same: then it has
    /// records of calls that were refused for lack of them.
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        if leaves.is_empty() {
            return Ok(());
        }
        if let Some(long) = leaves.iter().map(<[u8]>::len).find(|length| *length > MAX_ENTRY_BYTES) {
            return Err(EvidenceError(Box::new(LedgerError::TooLong(long))));
        }
        let batch = Batch::new(leaves.iter().map(Into::into).collect());
        Ok(self.queue.append(batch, |leaves| self.write(leaves))?)
    }
}
