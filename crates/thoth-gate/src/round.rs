//! One round: the frames that arrived together are decided, recorded with one write, and then permitted.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::Guard;
use thoth_audit::Leaves;
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Decision, ToolCall};

use crate::asked::Sent;
use crate::awaiting::Awaited;
use crate::decide::{Decided, Judged, conclude, judge};
use crate::deed::Deed;
use crate::directive::Directed;
use crate::evidence::EvidenceError;
use crate::facts::Moment;
use crate::gate::{Gate, Standing};
use crate::hold_record;
use crate::permit::{Permit, Ticket};
use crate::record;
use crate::session::GateSession;
use crate::stage;
use crate::stage::approval::{Approvals, Came, Random};
use crate::stage::remote::Unasked;
use crate::verdict::{Answer, Grounds, Refused};

/// Frames of one read, in order: decided, but not yet permitted.
#[derive(Debug)]
pub struct Round<'g, 'f> {
    gate: &'g Gate,
    standing: Guard<Arc<Standing>>,
    directed: Directed,
    session: &'g mut GateSession,
    leaves: Leaves,
    passing: Vec<(Cow<'f, [u8]>, Vec<Ticket>)>,
    deeds: Vec<Deed>,
    grounds: Vec<Grounds>,
}

/// A committed round.
#[derive(Debug)]
pub struct Committed<'f> {
    /// What may be forwarded, in the order in which it arrived.
    pub permits: Vec<Permit<'f>>,
    /// Calls that were decided ALLOW but may not go out because their evidence could not be written.
    pub withheld: Vec<Refused>,
    /// In sessions that tell: why each call was admitted, in order; nothing if they were withheld.
    pub grounds: Vec<Grounds>,
    /// Why the evidence could not be written, if it could not. Refusals of this round are unrecorded then, too.
    pub error: Option<EvidenceError>,
}

impl<'g, 'f> Round<'g, 'f> {
    pub(crate) fn open(gate: &'g Gate, session: &'g mut GateSession) -> Self {
        let mut leaves = std::mem::take(&mut session.leaves);
        leaves.clear();
        session.past.settle();
        Self {
            gate,
            standing: gate.standing.load(),
            directed: session.directives.now(),
            session,
            leaves,
            passing: Vec::new(),
            deeds: Vec::new(),
            grounds: Vec::new(),
        }
    }

    /// Lets a message through that is not a call: nothing is decided about it, and it keeps its place in the order.
    pub fn pass(&mut self, frame: &'f [u8]) {
        self.passing.push((frame.into(), Vec::new()));
    }

    /// Decides one call, whose whole frame is `frame`. `random` is asked for 16 random bytes only if a new hold is to be
    /// named; without them there is no hold, and the call is blocked.
    pub fn admit(&mut self, call: &ToolCall<'_>, frame: Cow<'f, [u8]>, random: &Random<'_>, now: Moment) -> Answer {
        let mut judged = judge(self.gate, &self.standing, self.session, call, Some(&frame), now);
        let Some(edited) = judged.edited.take() else { return self.close(call, judged, frame, random, now) };
        let mut tape = Tape::new();
        let limits = Limits { max_bytes: edited.arguments.len(), ..Limits::default() };
        // It was read before; without arguments, the call would be bound to others than it goes out with.
        let Ok(arguments) = tape.parse(&edited.arguments, &limits) else {
            return self.close(call, judged.unreadable(), frame, random, now);
        };
        let changed = ToolCall { arguments: Arguments::new(Some(arguments)), ..call.clone() };
        self.close(&changed, judged, Cow::Owned(edited.frame), random, now)
    }

    fn close(
        &mut self,
        call: &ToolCall<'_>,
        judged: Judged,
        frame: Cow<'f, [u8]>,
        random: &Random<'_>,
        now: Moment,
    ) -> Answer {
        let policies = (&**self.standing, &self.directed);
        let decided = conclude(self.gate, policies, self.session, call, judged, Approvals::spend(random), now);
        if decided.is_unasked {
            Answer::Unasked(Box::new(self.ask(&decided)))
        } else if decided.ruling.decision == Decision::Allow {
            let ticket = self.record_admitted(&decided, now);
            self.passing.push((frame, vec![ticket]));
            Answer::Admitted
        } else {
            Answer::Refused(Box::new(self.record_refused(&decided, now)))
        }
    }

    /// Remembers what the enforcer is to be asked about. Put to the gate again, it is the same violation.
    fn ask(&mut self, decided: &Decided<'_>) -> Unasked {
        if let (Some(binding), Some(number)) = (decided.binding, decided.violation) {
            self.session.asked.hold(binding, number);
        }
        let (call_id, trace_id) = (&decided.call_id, &decided.trace_id);
        if let Some(awaiting) = &mut self.session.awaiting {
            awaiting.put(Awaited {
                call_id: Arc::clone(call_id),
                trace_id: Arc::clone(trace_id),
                arguments_digest: Arc::clone(&decided.arguments_digest),
                is_recorded: false,
            });
        }
        let before = self.session.past.recent_names().iter().map(Arc::clone);
        Unasked {
            call_id: Arc::clone(call_id),
            trace_id: Arc::clone(trace_id),
            tool: Arc::clone(&decided.tool),
            arguments: decided.call.arguments.raw().into(),
            session_tool_calls: before.chain([Arc::clone(&decided.tool)]).collect(),
        }
    }

    /// Decides all the calls of a batch whose whole frame is `frame`. The batch goes out whole or not at all: one
    /// refusal refuses them all, and then no approval is used up. The answers are in the order of the calls.
    pub fn admit_batch(
        &mut self,
        calls: &[ToolCall<'_>],
        frame: &'f [u8],
        random: &Random<'_>,
        now: Moment,
    ) -> Vec<Answer> {
        let mark = self.session.past.mark();
        let mut decided: Vec<_> = calls
            .iter()
            .map(|call| {
                let judged = judge(self.gate, &self.standing, self.session, call, None, now);
                let policies = (&**self.standing, &self.directed);
                conclude(self.gate, policies, self.session, call, judged, Approvals::peek(random), now)
            })
            .collect();
        decided.iter_mut().filter(|one| one.is_unasked).for_each(Decided::refuse_unasked);
        if all_allowed(&decided) && self.spend_all(&mut decided, random, now) {
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
                    // Made again with the batch, it is the same violation.
                    if let (Some(binding), Some(number)) = (one.binding, one.violation) {
                        self.session.asked.hold(binding, number);
                    }
                }
                Answer::Refused(Box::new(self.record_refused(&one, now)))
            })
            .collect()
    }

    /// Uses up the approvals of a batch, each of which was found good: all of them or none.
    fn spend_all(&mut self, decided: &mut [Decided<'_>], random: &Random<'_>, now: Moment) -> bool {
        let mut tokens = HashSet::new();
        for one in decided.iter_mut() {
            if one.approval().is_some_and(|token| !tokens.insert(token.clone())) {
                one.refuse_for_repetition();
            }
        }
        if !all_allowed(decided) {
            return false;
        }
        let mut spent = 0;
        for one in decided.iter_mut() {
            if one.approval().is_some() {
                stage::approval::run(self.gate, self.session, one, Approvals::spend(random), now);
            }
            if one.ruling.decision != Decision::Allow {
                break;
            }
            spent += 1;
        }
        if spent == decided.len() {
            return true;
        }
        // Another process was faster with one of them.
        for deed in decided.iter().take(spent).filter_map(Deed::of) {
            deed.undo(self.gate, self.session);
        }
        false
    }

    /// Writes the evidence of the whole round with one append, then mints its permits.
    ///
    /// INVARIANT (at most once): an approval is used up in the store before its call is recorded, and recorded before the
    /// call goes out. If the process dies in between, the approval is lost, and the call must be approved again. If the
    /// record cannot be written, the approval is given back.
    pub fn commit(self) -> Committed<'f> {
        let Self { gate, session, mut leaves, passing, deeds, grounds, .. } = self;
        let written = if leaves.is_empty() { Ok(()) } else { gate.append(&leaves) };
        leaves.clear();
        session.leaves = leaves;
        if written.is_err() {
            session.past.disown(0);
        }
        for deed in deeds {
            if written.is_ok() {
                deed.stand(session);
            } else {
                deed.undo(gate, session);
            }
        }
        let recorded = written.is_ok();
        let mut committed = stage::evidence::run(written, passing);
        if recorded {
            committed.grounds = grounds;
        }
        committed
    }

    fn record_admitted(&mut self, decided: &Decided<'_>, now: Moment) -> Ticket {
        let key = &self.gate.desk.key;
        record::intent(&mut self.leaves, self.session, decided, self.standing.digest(), key, now);
        if let Some(binding) = decided.binding {
            if let Some(Came::Spent(hold)) = decided.came() {
                hold_record::spent(&mut self.leaves, hold, &decided.call_id, now.wall, key);
            }
            let retry_of = decided.call.retry_of.as_deref();
            let continued = || retry_of.and_then(|id| self.session.asked.take_sent(id)).map(Deed::Continued);
            self.deeds.extend(Deed::of(decided).or_else(continued));
            self.deeds.push(Deed::Sent(Sent {
                call_id: Arc::clone(&decided.call_id),
                binding,
                violation: decided.violation,
                approval: decided.asking.as_ref().and_then(|asking| asking.used()),
            }));
        }
        if self.session.tells {
            self.grounds.push(decided.grounds());
        }
        decided.ticket(now)
    }

    fn record_refused(&mut self, decided: &Decided<'_>, now: Moment) -> Refused {
        let refused = decided.refused();
        let key = &self.gate.desk.key;
        if let Some(Came::HeldAnew(hold, ended)) = decided.came() {
            if let Some(ended) = ended {
                hold_record::expired(&mut self.leaves, ended, now.wall, key);
            }
            self.deeds.push(Deed::Held(hold.token.clone()));
        }
        record::refusal(&mut self.leaves, self.session, decided, self.standing.digest(), key, now);
        refused
    }
}

fn all_allowed(decided: &[Decided<'_>]) -> bool {
    decided.iter().all(|one| one.ruling.decision == Decision::Allow)
}
