//! The store of holds of a tenant, whose failures are told to whoever runs the server: the reasons of refusals go to
//! whoever calls, and are to have nothing of the server's folders.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_gate::hold::{Consulted, Hold, Question};
use thoth_gate::{Change, EvidenceError, Holds, HoldsError, Listed};
use thoth_types::{Grant, HoldToken};

use crate::complaints::Complaints;

/// Stands for a cause that was said elsewhere.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the server's own messages say why")]
struct ToldElsewhere;

/// A store of holds.
pub(crate) struct PrivateHolds {
    inner: Arc<dyn Holds>,
    complaints: Arc<Complaints>,
}

impl PrivateHolds {
    pub(crate) fn new(inner: Arc<dyn Holds>, complaints: Arc<Complaints>) -> Self {
        Self { inner, complaints }
    }

    fn told<T>(&self, outcome: Result<T, HoldsError>) -> Result<T, HoldsError> {
        outcome.map_err(|error| match error {
            HoldsError::Store(_) => {
                self.complaints.say(&error);
                HoldsError::Store(Box::new(ToldElsewhere))
            }
            HoldsError::Evidence(_) => {
                self.complaints.say(&error);
                HoldsError::Evidence(EvidenceError(Box::new(ToldElsewhere)))
            }
            error => error,
        })
    }
}

impl Holds for PrivateHolds {
    fn consult(&self, question: &Question<'_>, now: Timestamp) -> Result<Consulted, HoldsError> {
        self.told(self.inner.consult(question, now))
    }

    fn update(&self, token: &HoldToken, change: &mut Change<'_>) -> Result<Hold, HoldsError> {
        self.told(self.inner.update(token, change))
    }

    fn look(&self, token: &HoldToken) -> Result<Hold, HoldsError> {
        self.told(self.inner.look(token))
    }

    fn list(&self) -> Result<Vec<Hold>, HoldsError> {
        self.told(self.inner.list())
    }

    fn waiting(&self, now: Timestamp) -> Result<u64, HoldsError> {
        self.told(self.inner.waiting(now))
    }

    fn list_short(&self, longest: usize) -> Result<Vec<Listed>, HoldsError> {
        self.told(self.inner.list_short(longest))
    }

    fn lapsed(&self, now: Timestamp) -> Result<Vec<HoldToken>, HoldsError> {
        self.told(self.inner.lapsed(now))
    }

    fn grant(&self, grant: &Grant) -> Result<(), HoldsError> {
        self.told(self.inner.grant(grant))
    }

    fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, HoldsError> {
        self.told(self.inner.grants(now))
    }

    fn revoke(&self, id: &str) -> Result<(), HoldsError> {
        self.told(self.inner.revoke(id))
    }

    fn changed(&self) -> Result<bool, HoldsError> {
        self.told(self.inner.changed())
    }

    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError> {
        self.told(self.inner.count_violation(agent, now, since))
    }
}
