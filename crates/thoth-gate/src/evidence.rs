//! What the gate needs from a ledger.

use thoth_audit::Leaves;

/// Where evidence goes. Implemented by the file ledger, and by memory in tests.
pub trait Evidence: Send + Sync {
    /// Appends all the leaves, or none that counts. When it returns `Ok`, they survive what the ledger's durability
    /// setting says they survive.
    ///
    /// # Errors
    /// If they could not be written; the gate then refuses the calls.
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError>;

    /// Appends records of what has already happened. They must survive the death of our processes, but nothing waits for
    /// a disk on their account.
    ///
    /// # Errors
    /// If they could not be written.
    fn append_outcomes(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        self.append(leaves)
    }

    /// The latest trouble that did not stop an append but that a person should know of, once.
    fn take_problem(&self) -> Option<EvidenceError> {
        None
    }

    /// Brings what was appended into its final form, at the end. Nothing is lost without it.
    ///
    /// # Errors
    /// If that was not possible; whoever opens the ledger next does it.
    fn close(&self) -> Result<(), EvidenceError> {
        Ok(())
    }
}

/// Evidence could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the evidence could not be written: {0}")]
pub struct EvidenceError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl Evidence for thoth_audit::Ledger {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        Self::append(self, leaves).map_err(|error| EvidenceError(Box::new(error)))
    }

    fn append_outcomes(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        self.append_unsynced(leaves).map_err(|error| EvidenceError(Box::new(error)))
    }

    fn take_problem(&self) -> Option<EvidenceError> {
        Self::take_problem(self).map(|error| EvidenceError(Box::new(error)))
    }

    fn close(&self) -> Result<(), EvidenceError> {
        Self::close(self).map_err(|error| EvidenceError(Box::new(error)))
    }
}
