//! What the gate needs from a store of holds.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_types::{Grant, HoldToken};

use crate::evidence::EvidenceError;
use crate::hold::{Consulted, Hold, HoldState, Question, VoteError};

/// A change of one hold. If it fails, nothing is changed.
pub type Change<'c> = dyn FnMut(&mut Hold) -> Result<(), HoldsError> + 'c;

/// A hold in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The hold; its arguments are empty where they are too long.
    pub hold: Hold,
    /// How long they are.
    pub argument_bytes: usize,
}

/// Where holds are kept, for all processes of one installation.
///
/// INVARIANT: [`Self::consult`] and [`Self::update`] are atomic and in one order across processes, and what they have
/// written survives the death of any process, before they return. An approval is therefore used up at most once.
pub trait Holds: Send + Sync {
    /// Answers a question with [`crate::hold::consult`], and writes what comes of it.
    ///
    /// # Errors
    /// If it cannot be answered for sure; the gate then refuses the call.
    fn consult(&self, question: &Question<'_>, now: Timestamp) -> Result<Consulted, HoldsError>;

    /// Changes a hold: nobody else sees or changes it between the moment at which `change` gets it and the moment at
    /// which its result is written.
    ///
    /// # Errors
    /// If there is none of this name, `change` fails, or it could not be written.
    fn update(&self, token: &HoldToken, change: &mut Change<'_>) -> Result<Hold, HoldsError>;

    /// One hold.
    ///
    /// # Errors
    /// If there is none of this name, or it cannot be read.
    fn look(&self, token: &HoldToken) -> Result<Hold, HoldsError>;

    /// All holds that are kept, newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn list(&self) -> Result<Vec<Hold>, HoldsError>;

    /// How many holds wait for a person.
    ///
    /// # Errors
    /// If they cannot be read.
    fn waiting(&self, now: Timestamp) -> Result<u64, HoldsError> {
        let waits = |hold: &&Hold| hold.state_at(now) == HoldState::Pending;
        Ok(u64::try_from(self.list()?.iter().filter(waits).count()).unwrap_or(u64::MAX))
    }

    /// The same without arguments of more than so many bytes, which a store need not read.
    ///
    /// # Errors
    /// If they cannot be read.
    fn list_short(&self, longest: usize) -> Result<Vec<Listed>, HoldsError> {
        let short = |mut hold: Hold| {
            let argument_bytes = hold.arguments.len();
            if argument_bytes > longest {
                hold.arguments = Arc::default();
            }
            Listed { hold, argument_bytes }
        };
        Ok(self.list()?.into_iter().map(short).collect())
    }

    /// The holds of this store's own ledger whose time was over before anybody noted it.
    ///
    /// # Errors
    /// If they cannot be read.
    fn lapsed(&self, now: Timestamp) -> Result<Vec<HoldToken>, HoldsError>;

    /// Keeps a grant.
    ///
    /// # Errors
    /// If it could not be written.
    fn grant(&self, grant: &Grant) -> Result<(), HoldsError>;

    /// The grants that have not ended, newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, HoldsError>;

    /// Ends a grant at once.
    ///
    /// # Errors
    /// If there is none of this name, or it could not be written.
    fn revoke(&self, id: &str) -> Result<(), HoldsError>;

    /// Whether another process has changed anything since this was last asked. Cheap enough to ask a hundred times a
    /// second; may say yes when nothing changed, never the other way round.
    ///
    /// # Errors
    /// If it cannot be told.
    fn changed(&self) -> Result<bool, HoldsError>;

    /// Counts one violation of `agent`, and says how many it now has since `since`.
    ///
    /// # Errors
    /// If it could not be counted; the gate then takes it for one too many.
    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError>;
}

/// A store of holds could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HoldsError {
    /// There is none.
    #[error("holds are not kept here")]
    Absent,
    /// Nothing of this name.
    #[error("there is no {0}")]
    Unknown(String),
    /// Too much waits for an answer already.
    #[error("{0}")]
    Full(String),
    /// A grant was not given.
    #[error("{0}")]
    NotGranted(String),
    /// An answer was not taken.
    #[error(transparent)]
    Vote(#[from] VoteError),
    /// What must be recorded could not be.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Reading or writing failed.
    #[error("the store of holds failed: {0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// No store: whatever needs a person is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHolds;

impl Holds for NoHolds {
    fn consult(&self, _: &Question<'_>, _: Timestamp) -> Result<Consulted, HoldsError> {
        Err(HoldsError::Absent)
    }

    fn update(&self, _: &HoldToken, _: &mut Change<'_>) -> Result<Hold, HoldsError> {
        Err(HoldsError::Absent)
    }

    fn look(&self, _: &HoldToken) -> Result<Hold, HoldsError> {
        Err(HoldsError::Absent)
    }

    fn list(&self) -> Result<Vec<Hold>, HoldsError> {
        Err(HoldsError::Absent)
    }

    fn lapsed(&self, _: Timestamp) -> Result<Vec<HoldToken>, HoldsError> {
        Ok(Vec::new())
    }

    fn grant(&self, _: &Grant) -> Result<(), HoldsError> {
        Err(HoldsError::Absent)
    }

    fn grants(&self, _: Timestamp) -> Result<Vec<Grant>, HoldsError> {
        Err(HoldsError::Absent)
    }

    fn revoke(&self, _: &str) -> Result<(), HoldsError> {
        Err(HoldsError::Absent)
    }

    fn changed(&self) -> Result<bool, HoldsError> {
        Ok(false)
    }

    fn count_violation(&self, _: &str, _: Timestamp, _: Timestamp) -> Result<u32, HoldsError> {
        Err(HoldsError::Absent)
    }
}
