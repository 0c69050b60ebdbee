//! Where people answer holds: every answer is in the ledger before it takes effect.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_audit::{ContentKey, Leaves};
use thoth_policy::ArgumentPatterns;
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Channel, Grant, GrantScope, HoldToken, Requirement, Vote};

use crate::evidence::Evidence;
use crate::hold::{Hold, HoldState, VoteError, later, lives};
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
        let mut ended = 0;
        for token in &self.holds.lapsed(now)? {
            let mut news = false;
            let swept = self.holds.update(token, &mut |hold| {
                news = hold.expire(now);
                if news { self.write(|leaves| hold_record::expired(leaves, hold, now, &self.key)) } else { Ok(()) }
            });
            match swept {
                Ok(_) => ended += usize::from(news),
                // Another process has cleaned up in between.
                Err(HoldsError::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// Gives leave for more calls like the one of an approved or used hold, as somebody who approved it asks: `grant` says
    /// under which name, for which arguments and until when. Whose calls it covers and who gave it is what the hold says,
    /// whatever `grant` says of that. The time counts from the approval, and an approval that is not used yet ends with
    /// the grant at the latest. Returns the grant as it was given.
    ///
    /// # Errors
    /// If the hold is neither approved nor used, its requirement allows no such grant, `grant` would not cover the held
    /// call itself, or it could not be recorded or written.
    pub fn grant(&self, grant: &Grant, now: Timestamp) -> Result<Grant, HoldsError> {
        let mut given = None;
        self.holds.update(&grant.hold, &mut |hold| {
            let leave = leave(hold, grant, now)?;
            if hold.state == HoldState::Approved {
                hold.ends_at = hold.ends_at.min(leave.ends_at);
            }
            self.write(|leaves| hold_record::grant_given(leaves, hold, &leave, now, &self.key))?;
            given = Some(leave);
            Ok(())
        })?;
        let given = given.ok_or_else(|| HoldsError::Unknown(format!("hold `{}`", grant.hold)))?;
        self.holds.grant(&given)?;
        Ok(given)
    }

    /// Ends a grant, and the approval that it came with, if no call has used that.
    ///
    /// # Errors
    /// If there is none of this name, or it could not be recorded or written. A revocation that could not be recorded is
    /// carried out all the same: it tightens.
    pub fn revoke(&self, id: &str, by: &Vote) -> Result<(), HoldsError> {
        let known = self.holds.grants(by.at)?.into_iter().find(|grant| &*grant.id == id);
        let grant = known.ok_or_else(|| HoldsError::Unknown(format!("grant `{id}`")))?;
        self.holds.revoke(id)?;
        let hold = self.holds.look(&grant.hold)?;
        let recorded = self.write(|leaves| hold_record::grant_revoked(leaves, &hold, &grant, by, &self.key));
        if hold.state_at(by.at) == HoldState::Approved {
            self.holds.update(&grant.hold, &mut |hold| {
                if hold.state != HoldState::Approved {
                    return Ok(());
                }
                hold.withdraw();
                self.write(|leaves| hold_record::expired(leaves, hold, by.at, &self.key))
            })?;
        }
        recorded
    }

    fn write(&self, record: impl FnOnce(&mut Leaves)) -> Result<(), HoldsError> {
        let mut leaves = Leaves::default();
        record(&mut leaves);
        Ok(self.evidence.append(&leaves)?)
    }
}

/// The grant that a hold allows, as `wanted`.
fn leave(hold: &Hold, wanted: &Grant, now: Timestamp) -> Result<Grant, HoldsError> {
    let refuse = |why: String| Err(HoldsError::NotGranted(why));
    let state = hold.state_at(now);
    if !matches!(state, HoldState::Approved | HoldState::Spent) {
        return Err(VoteError::Closed(state).into());
    }
    let Requirement { longest_grant_seconds: longest, quorum, .. } = hold.requirement;
    if longest == 0 {
        return refuse("the policy allows no grants for such calls".to_owned());
    }
    if quorum > 1 {
        // None of the accounts has agreed to more than the one call, whoever asks for the grant.
        return refuse(format!("calls that {quorum} accounts must approve are approved one by one"));
    }
    if wanted.ends_at > later(now, longest) {
        return refuse(format!("grants for such calls may last {longest} seconds at most"));
    }
    let given: Vec<Vote> = hold.votes.iter().filter(|vote| vote.approves).cloned().collect();
    let Some(given_at) = given.iter().map(|vote| vote.at).max() else {
        return Err(VoteError::Closed(state).into());
    };
    let ends_at = wanted.ends_at.min(later(given_at, longest));
    if !lives(given_at, ends_at, now) {
        return refuse("it was approved too long ago for a grant, or the grant would end at once".to_owned());
    }
    match ArgumentPatterns::compile(&wanted.patterns) {
        Err(error) => return refuse(error.to_string()),
        Ok(patterns) if !covers_held(&patterns, hold) => {
            return refuse("the patterns do not cover the held call itself".to_owned());
        }
        Ok(_) => {}
    }
    let caller = &hold.caller;
    Ok(Grant {
        id: Arc::clone(&wanted.id),
        scope: GrantScope {
            tenant: caller.tenant.clone(),
            agent: caller.agent.clone(),
            server: caller.server.clone(),
            tool: Arc::clone(&hold.tool),
        },
        requester: hold.requester.clone(),
        patterns: wanted.patterns.clone(),
        given,
        hold: hold.token.clone(),
        ends_at,
    })
}

fn covers_held(patterns: &ArgumentPatterns, hold: &Hold) -> bool {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
    tape.parse(&hold.arguments, &limits).is_ok_and(|value| patterns.matches(Arguments::new(Some(value))))
}
