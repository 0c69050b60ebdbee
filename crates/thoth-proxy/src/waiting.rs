//! The waiting room: held calls whose frames stay here, byte by byte, until somebody has answered or their time is over.
//!
//! Owned by the client's direction and touched by no other thread. Nothing in it can be forwarded from here: a call that
//! leaves it goes through the gate once more, as a new call of the same bytes.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_gate::hold::{Hold, HoldState};
use thoth_gate::{Holds, HoldsError, Moment, Refused};
use thoth_mcp::{Era, IdKey};
use thoth_types::{Decision, Grant, HoldToken};

use crate::approval::Reach;
use crate::heartbeat::Heartbeat;

/// Calls that may wait at once, and their bytes altogether. What goes beyond is refused with a ticket.
const MAX_CALLS: usize = 64;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How often it is looked whether anybody has answered.
pub(crate) const TICK_US: u64 = 10_000;
/// How often the holds are read although the store says that nothing has changed.
const LOOK_US: u64 = 1_000_000;
/// A request, as far as answering it takes.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) key: IdKey,
    pub(crate) id: Box<[u8]>,
    pub(crate) era: Era,
}

/// A held call.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) bound: Bound,
    /// The whole line as the client sent it.
    pub(crate) line: Arc<[u8]>,
    /// Tells the client that it waits.
    pub(crate) heartbeat: Heartbeat,
    /// How the client can be asked.
    pub(crate) reach: Reach,
    /// What the gate said last, for the ticket.
    pub(crate) refused: Box<Refused>,
    /// The hold that it waits for.
    pub(crate) hold: Box<Hold>,
    /// The call's id when it came, which links what becomes of it to its beginning.
    pub(crate) first_call: Arc<str>,
    /// When the waiting is over, on the monotonic clock; set once, however many holds it waits for.
    pub(crate) deadline_us: Option<u64>,
    /// The client's user was asked and said neither yes nor no.
    in_vain: bool,
    /// The latest grant with which it was tried.
    tried: Option<Arc<str>>,
}

impl Parked {
    /// A call that was just held.
    ///
    /// # Errors
    /// Hands it back if there is no hold to wait for.
    pub(crate) fn new(
        bound: Bound,
        line: Arc<[u8]>,
        heartbeat: Heartbeat,
        reach: Reach,
        refused: Box<Refused>,
    ) -> Result<Self, (Bound, Box<Refused>)> {
        let Some(hold) = refused.hold.clone() else { return Err((bound, refused)) };
        let first_call = Arc::clone(&refused.call_id);
        Ok(Self {
            bound,
            line,
            heartbeat,
            reach,
            refused,
            hold,
            first_call,
            deadline_us: None,
            in_vain: false,
            tried: None,
        })
    }

    fn is_over(&self, now: Moment) -> bool {
        self.in_vain
            || self.deadline_us.is_some_and(|deadline| now.monotonic_us >= deadline)
            || now.wall >= self.hold.ends_at
    }

    fn bytes(&self) -> usize {
        self.line.len() + self.hold.arguments.len()
    }

    /// The notification that it waits, if one is due.
    fn progress(&mut self, now: Moment) -> Option<Vec<u8>> {
        let message = format!("Waiting for approval: `thoth approvals approve {}`", self.hold.token.short());
        self.heartbeat.beat(now, &message)
    }

    /// Whether a grant of this scope was given that it was not tried with.
    fn is_newly_covered(&mut self, grants: &[Grant]) -> bool {
        let caller = &self.hold.caller;
        let fits = |grant: &&Grant| {
            grant.scope.tool == self.hold.tool
                && grant.scope.server == caller.server
                && grant.scope.agent == caller.agent
                && grant.scope.tenant == caller.tenant
        };
        let newest = grants.iter().find(fits).map(|grant| &grant.id);
        let news = newest.is_some() && newest != self.tried.as_ref();
        if news {
            self.tried = newest.cloned();
        }
        news
    }
}

/// The calls of one session that wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    /// Held in this turn; how they wait is still to be chosen.
    pub(crate) fresh: Vec<Parked>,
    parked: Vec<Parked>,
    bytes: usize,
    next_tick_us: u64,
    next_look_us: u64,
    /// Another policy is in force.
    other_rules: bool,
}

impl WaitingRoom {
    /// Whether nothing waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    pub(crate) fn has_room_for(&self, call: &Parked) -> bool {
        self.parked.len() < MAX_CALLS && self.bytes.saturating_add(call.bytes()) <= MAX_BYTES
    }

    /// Lets a call wait.
    pub(crate) fn enter(&mut self, call: Parked) {
        self.bytes = self.bytes.saturating_add(call.bytes());
        self.parked.push(call);
    }

    /// Takes a call in again that the gate still holds. If that is by another hold, because somebody else has used the
    /// approval or more is asked for now, it is chosen anew how it waits.
    ///
    /// # Errors
    /// Hands it back if the gate says that it is to be refused.
    pub(crate) fn again(&mut self, mut call: Parked, refused: Box<Refused>) -> Result<(), (Bound, Box<Refused>)> {
        let hold = refused.hold.clone().filter(|_| refused.decision == Decision::StepUp);
        let Some(hold) = hold else { return Err((call.bound, refused)) };
        let same = hold.token == call.hold.token;
        (call.hold, call.refused) = (hold, refused);
        call.in_vain &= same;
        if same {
            self.enter(call);
        } else {
            self.fresh.push(call);
        }
        Ok(())
    }

    /// The client no longer wants the call with this id. Whether it was here; it never went out then.
    pub(crate) fn leave(&mut self, key: &IdKey) -> bool {
        if self.fresh.is_empty() && self.parked.is_empty() {
            return false;
        }
        let fresh = self.fresh.len();
        self.fresh.retain(|call| call.bound.key != *key);
        !self.take(|call| call.bound.key == *key).is_empty() || self.fresh.len() < fresh
    }

    /// Whether any call waits for this hold.
    pub(crate) fn waits_for(&self, hold: &HoldToken) -> bool {
        self.parked.iter().any(|call| call.hold.token == *hold)
    }

    /// The next look is due at once: something was answered or used here, which a store does not tell us as news.
    pub(crate) const fn hurry(&mut self) {
        self.next_tick_us = 0;
        self.next_look_us = 0;
    }

    /// Another policy is in force: the gate is asked about every call again.
    pub(crate) const fn rules_changed(&mut self) {
        self.other_rules = true;
        self.hurry();
    }

    /// Whether it is time to look.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        !self.parked.is_empty() && now.monotonic_us >= self.next_tick_us
    }

    /// Takes out the calls that the gate is to be asked about again: their hold is no longer pending, or a grant was given.
    pub(crate) fn ripe(&mut self, holds: &dyn Holds, now: Moment) -> Vec<Parked> {
        self.next_tick_us = now.monotonic_us.saturating_add(TICK_US);
        // A store that cannot tell is read now and then all the same, and at the latest when a call's time is over.
        let news = holds.changed().unwrap_or(false);
        let last_look = self.parked.iter().any(|call| call.is_over(now));
        if !news && !last_look && now.monotonic_us < self.next_look_us {
            return Vec::new();
        }
        self.next_look_us = now.monotonic_us.saturating_add(LOOK_US);
        if std::mem::take(&mut self.other_rules) {
            return self.take(|_| true);
        }
        let grants = holds.grants(now.wall).unwrap_or_default();
        let mut known: Vec<(HoldToken, bool)> = Vec::new();
        self.take(|call| {
            let token = &call.hold.token;
            let resolved = known.iter().find(|(seen, _)| seen == token).map(|(_, resolved)| *resolved);
            let resolved = resolved.unwrap_or_else(|| {
                let resolved = is_resolved(&holds.look(token), call.hold.ends_at, now.wall);
                known.push((token.clone(), resolved));
                resolved
            });
            // Asked in any case, so that it is remembered which grant it was tried with.
            call.is_newly_covered(&grants) || resolved
        })
    }

    /// Takes out the calls that have waited long enough.
    pub(crate) fn overdue(&mut self, now: Moment) -> Vec<Parked> {
        if self.parked.iter().any(|call| call.is_over(now)) { self.take(|call| call.is_over(now)) } else { Vec::new() }
    }

    /// The client was asked about this hold and has answered. If that counts, the hold is looked at at once; otherwise the
    /// calls that wait for it have waited long enough.
    pub(crate) fn answered(&mut self, hold: &HoldToken, counted: bool) {
        for call in self.parked.iter_mut().filter(|call| call.hold.token == *hold) {
            call.in_vain |= !counted;
        }
        self.hurry();
    }

    /// What the client hears about those that still wait.
    pub(crate) fn progress(&mut self, now: Moment, replies: &mut Vec<u8>) {
        for line in self.parked.iter_mut().filter_map(|call| call.progress(now)) {
            replies.extend(line);
        }
    }

    fn take(&mut self, taken: impl FnMut(&mut Parked) -> bool) -> Vec<Parked> {
        let calls: Vec<_> = self.parked.extract_if(.., taken).collect();
        self.bytes = self.bytes.saturating_sub(calls.iter().map(Parked::bytes).sum());
        calls
    }
}

/// Whether the gate would now say something else than to wait for a hold that was to end at `end`. One whose time is over
/// is not put to it: the call would be held anew, and a person asked again who has just let it pass. One that ended before
/// has given way to another.
fn is_resolved(look: &Result<Hold, HoldsError>, end: Timestamp, now: Timestamp) -> bool {
    match look {
        Ok(hold) => match hold.state_at(now) {
            HoldState::Pending => false,
            HoldState::Expired => now < end,
            HoldState::Approved | HoldState::Denied | HoldState::Spent => true,
        },
        Err(HoldsError::Unknown(_)) => true,
        Err(_) => false,
    }
}
