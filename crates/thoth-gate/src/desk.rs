//! Where people answer holds: every answer is in the ledger before it takes effect.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_audit::{ContentKey, Leaves};
use thoth_types::{Channel, Grant, HoldToken, Vote};

use crate::evidence::Evidence;
use crate::hold::{Hold, HoldState};
use crate::hold_record;
use crate::holds::{Holds, HoldsError};

/// Shows holds and takes answers to them, on one store and one ledger.
#[derive(Clone)]
pub struct Desk {
    pub(crate) holds: Arc<dyn Holds>,
    pub(crate) evidence: Arc<dyn Evidence>,
    pub(crate) key: ContentKey,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk on this store and ledger.
    #[must_use]
    pub fn new(holds: Arc<dyn Holds>, evidence: Arc<dyn Evidence>, key: ContentKey) -> Self {
        Self { holds, evidence, key }
    }

    /// The store.
    #[must_use]
    pub fn holds(&self) -> &dyn Holds {
        &*self.holds
    }

    /// Takes an answer: checked, recorded, then written.
    ///
    /// # Errors
    /// If the answer does not count or could not be recorded or written; the hold is as it was then.
    pub fn vote(&self, token: &HoldToken, vote: &Vote) -> Result<Hold, HoldsError> {
        self.holds.update(token, &mut |hold| {
            hold.vote(vote)?;
            self.write(|leaves| hold_record::answered(leaves, hold, vote, &self.key))
        })
    }

    /// Notes that a hold was shown to somebody, the first time in this way.
    ///
    /// # Errors
    /// If it could not be recorded or written.
    pub fn shown(&self, token: &HoldToken, channel: Channel, origin: &str, now: Timestamp) -> Result<(), HoldsError> {
        if self.holds.look(token)?.shown.contains(&channel) {
            return Ok(());
        }
        self.holds
            .update(token, &mut |hold| {
                if hold.shown.contains(&channel) {
                    return Ok(());
                }
                hold.shown.push(channel);
                self.write(|leaves| hold_record::shown(leaves, hold, channel, origin, now, &self.key))
            })
            .map(drop)
    }

    /// Notes which holds have ended without an answer or unused. Returns how many.
    ///
    /// # Errors
    /// If one could not be recorded or written; those before it are.
    pub fn sweep(&self, now: Timestamp) -> Result<usize, HoldsError> {
        let lapsed = self.holds.lapsed(now)?;
        for token in &lapsed {
            self.holds.update(token, &mut |hold| {
                if !hold.expire(now) {
                    return Ok(());
                }
                self.write(|leaves| hold_record::expired(leaves, hold, now, &self.key))
            })?;
        }
        Ok(lapsed.len())
    }

    /// Gives leave for more calls like the one of an approved or used hold. The grant carries the hold's votes.
    ///
    /// # Errors
    /// If the hold is neither, its requirement allows no grant of this length, or it could not be recorded or written.
    pub fn grant(&self, grant: &Grant, now: Timestamp) -> Result<(), HoldsError> {
        let hold = self.holds.look(&grant.hold)?;
        let state = hold.state_at(now);
        if !matches!(state, HoldState::Approved | HoldState::Spent) {
            return Err(HoldsError::Vote(crate::hold::VoteError::Closed(state)));
        }
        let longest = crate::hold::later(now, hold.requirement.longest_grant_seconds);
        if grant.ends_at > longest || grant.ends_at <= now {
            return Err(HoldsError::Full(format!(
                "grants of this call may last {} seconds at most",
                hold.requirement.longest_grant_seconds
            )));
        }
        self.write(|leaves| hold_record::grant_given(leaves, &hold, grant, now, &self.key))?;
        self.holds.grant(grant)
    }

    /// Ends a grant.
    ///
    /// # Errors
    /// If there is none of this name, or it could not be recorded or written. A revocation that could not be recorded is
    /// carried out all the same: it tightens.
    pub fn revoke(&self, id: &str, by: &Vote) -> Result<(), HoldsError> {
        let known = self.holds.grants(by.at)?.into_iter().find(|grant| &*grant.id == id);
        let grant = known.ok_or_else(|| HoldsError::Unknown(format!("grant `{id}`")))?;
        self.holds.revoke(id)?;
        let hold = self.holds.look(&grant.hold)?;
        self.write(|leaves| hold_record::grant_revoked(leaves, &hold, &grant, by, &self.key))
    }

    fn write(&self, record: impl FnOnce(&mut Leaves)) -> Result<(), HoldsError> {
        let mut leaves = Leaves::default();
        record(&mut leaves);
        Ok(self.evidence.append(&leaves)?)
    }
}
