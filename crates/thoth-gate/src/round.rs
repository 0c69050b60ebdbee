//! One round: the frames that arrived together are decided, recorded with one write, and then permitted.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::Guard;
use thoth_audit::Leaves;
use thoth_types::{Decision, HoldToken, ToolCall};

use crate::decide::{Decided, decide};
use crate::evidence::EvidenceError;
use crate::facts::Moment;
use crate::gate::{Gate, Standing};
use crate::hold_record;
use crate::permit::{Permit, Ticket};
use crate::record;
use crate::session::GateSession;
use crate::stage;
use crate::stage::approval::{Approvals, Random};
use crate::verdict::{Answer, Refused};

/// Frames of one read, in order: decided, but not yet permitted.
#[derive(Debug)]
pub struct Round<'g, 'f> {
    gate: &'g Gate,
    standing: Guard<Arc<Standing>>,
    session: &'g mut GateSession,
    leaves: Leaves,
    passing: Vec<(Cow<'f, [u8]>, Vec<Ticket>)>,
    /// Approvals that this round uses up.
    spent: Vec<(HoldToken, Arc<str>)>,
}

/// A committed round.
#[derive(Debug)]
pub struct Committed<'f> {
    /// What may be forwarded, in the order in which it arrived.
    pub permits: Vec<Permit<'f>>,
    /// Calls that were decided ALLOW but may not go out because their evidence could not be written.
    pub withheld: Vec<Refused>,
    /// Why the evidence could not be written, if it could not. Refusals of this round are unrecorded then, too.
    pub error: Option<EvidenceError>,
}

impl<'g, 'f> Round<'g, 'f> {
    pub(crate) fn open(gate: &'g Gate, session: &'g mut GateSession) -> Self {
        let mut leaves = std::mem::take(&mut session.leaves);
        leaves.clear();
        session.past.settle();
        Self { gate, standing: gate.standing.load(), session, leaves, passing: Vec::new(), spent: Vec::new() }
    }

    /// Lets a message through that is not a call: nothing is decided about it, and it keeps its place in the order.
    pub fn pass(&mut self, frame: &'f [u8]) {
        self.passing.push((frame.into(), Vec::new()));
    }

    /// Decides one call, whose whole frame is `frame`. `random` is asked for 16 random bytes only if a new hold is to be
    /// named; without them there is no hold, and the call is blocked.
    pub fn admit(&mut self, call: &ToolCall<'_>, frame: Cow<'f, [u8]>, random: &Random<'_>, now: Moment) -> Answer {
        let decided = decide(self.gate, &self.standing, self.session, call, Approvals::spend(random), now);
        if decided.ruling.decision == Decision::Allow {
            let ticket = self.record_admitted(&decided, now);
            self.passing.push((frame, vec![ticket]));
            Answer::Admitted
        } else {
            Answer::Refused(Box::new(self.record_refused(&decided, now)))
        }
    }

    /// Decides all the calls of a batch whose whole frame is `frame`. The batch goes out whole or not at all: one
    /// refusal refuses them all. The answers are in the order of the calls.
    pub fn admit_batch(
        &mut self,
        calls: &[ToolCall<'_>],
        frame: &'f [u8],
        random: &Random<'_>,
        now: Moment,
    ) -> Vec<Answer> {
        let mark = self.session.past.mark();
        let decided: Vec<_> = calls
            .iter()
            .map(|call| decide(self.gate, &self.standing, self.session, call, Approvals::spend(random), now))
            .collect();
        if decided.iter().all(|one| one.ruling.decision == Decision::Allow) {
            let tickets = decided.iter().map(|one| self.record_admitted(one, now)).collect();
            self.passing.push((frame.into(), tickets));
            return calls.iter().map(|_| Answer::Admitted).collect();
        }
        self.session.past.disown(mark);
        decided
            .into_iter()
            .map(|mut one| {
                if one.ruling.decision == Decision::Allow {
                    one.refuse_for_batch();
                }
                Answer::Refused(Box::new(self.record_refused(&one, now)))
            })
            .collect()
    }

    /// Writes the evidence of the whole round with one append, then mints its permits.
    pub fn commit(self) -> Committed<'f> {
        let Self { gate, session, mut leaves, passing, spent, .. } = self;
        let written = if leaves.is_empty() { Ok(()) } else { gate.append(&leaves) };
        leaves.clear();
        session.leaves = leaves;
        if written.is_err() {
            session.past.disown(0);
            for (token, call_id) in spent {
                // If even that fails, the approval is lost, which is the strict side.
                drop(gate.desk.holds.update(&token, &mut |hold| {
                    hold.give_back(&call_id);
                    Ok(())
                }));
            }
        }
        stage::evidence::run(written, passing)
    }

    fn record_admitted(&mut self, decided: &Decided<'_>, now: Moment) -> Ticket {
        let hold = decided.hold.as_ref().map(|hold| hold_record::token_digest(&self.gate.desk.key, hold));
        record::intent(&mut self.leaves, self.session, decided, hold.as_deref(), self.standing.digest(), now);
        if let Some(hold) = &decided.hold {
            hold_record::spent(&mut self.leaves, hold, &decided.call_id, now.wall, &self.gate.desk.key);
            self.spent.push((hold.token.clone(), Arc::clone(&decided.call_id)));
        }
        decided.ticket(now)
    }

    fn record_refused(&mut self, decided: &Decided<'_>, now: Moment) -> Refused {
        let refused = decided.refused();
        let hold = decided.hold.as_ref().map(|hold| hold_record::token_digest(&self.gate.desk.key, hold));
        let policy = self.standing.digest();
        record::refusal(&mut self.leaves, self.session, decided, &refused, hold.as_deref(), policy, now);
        refused
    }
}
