//! Held calls, from the end of the round that held them: who is asked how, what goes out again, what is given up.

use thoth_gate::Moment;
use thoth_mcp::Refusal;
use thoth_types::{Channel, HoldToken, Way};

use crate::answer;
use crate::approval::{Chosen, choose};
use crate::client_side::ClientSide;
use crate::notices::NO_EVIDENCE;
use crate::turn::{Rest, Turn};
use crate::waiting::Parked;

/// How often it is looked, at most, which holds have ended without an answer.
const SWEEP_US: u64 = 5_000_000;

impl ClientSide {
    /// Whether any call waits here, so that [`Self::tick`] must be called again soon.
    pub(crate) const fn waits(&self) -> bool {
        !self.room.is_empty()
    }

    /// Looks after the calls that wait: those whose hold was answered are put to the gate again, those whose time is over
    /// become tickets. Does nothing unless it is time to.
    pub(crate) fn tick(&mut self) -> Turn<'static> {
        let now = (self.clock)();
        if !self.room.is_due(now) {
            return Turn::default();
        }
        let ripe = self.room.ripe(self.gate.desk().holds(), now);
        let mut turn = Turn::default();
        if !ripe.is_empty() {
            let mut making = self.making();
            for call in ripe {
                making.again(call);
            }
            let (made, rest) = making.finish();
            turn = made;
            // One of them may have used up what another still waits for.
            self.room.hurry();
            self.conclude(&mut turn, rest);
        }
        for call in self.room.overdue(now) {
            self.give_up(call, now, &mut turn.replies);
        }
        self.room.progress(now, &mut turn.replies);
        turn
    }

    /// What follows once a round is committed.
    pub(crate) fn conclude(&mut self, turn: &mut Turn<'_>, rest: Rest) {
        let Rest { incidents, shown, recorded } = rest;
        self.record(&incidents);
        self.settle_abandoned();
        if shown.is_empty() && self.room.fresh.is_empty() {
            return;
        }
        let now = (self.clock)();
        for hold in shown {
            self.note_shown(&hold, Channel::Ticket, now);
        }
        for call in std::mem::take(&mut self.room.fresh) {
            self.place(call, recorded, now, &mut turn.replies);
        }
        self.room.progress(now, &mut turn.replies);
    }

    /// Chooses how a call waits that was just held.
    fn place(&mut self, mut call: Parked, recorded: bool, now: Moment, replies: &mut Vec<u8>) {
        self.ever_held = true;
        let timeout = self.approval.hold_timeout;
        let deadline = now.monotonic_us.saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
        call.deadline_us.get_or_insert(deadline);
        let way = self.approval.way.unwrap_or(Way::Auto);
        let chosen = choose(way, timeout, &call.reach, &call.hold, self.gate_session.requester(), false);
        // Nobody can answer what is not in the ledger.
        if !recorded || chosen == Chosen::Ticket || !self.room.has_room_for(&call) {
            return self.give_up(call, now, replies);
        }
        self.room.enter(call);
    }

    /// Refuses a held call: the ticket names the hold, by which somebody may still agree to it.
    fn give_up(&self, mut call: Parked, now: Moment, replies: &mut Vec<u8>) {
        if self.session.lock().from_client.remove(&call.bound.key).is_none() {
            // It was answered when the session ended.
            return;
        }
        if now.wall >= call.hold.ends_at {
            // Nobody can answer it any more.
            call.refused.hold = None;
            call.refused.reason.push_str("; nobody agreed to it in time");
            replies.extend(answer::refusal(self.style, &call.bound.id, call.bound.era, &call.refused));
            return;
        }
        replies.extend(answer::refusal(self.style, &call.bound.id, call.bound.era, &call.refused));
        self.note_shown(&call.hold.token, Channel::Ticket, now);
    }

    /// Records where a hold was shown. The refusal that shows it goes out all the same.
    fn note_shown(&self, hold: &HoldToken, channel: Channel, now: Moment) {
        if let Err(error) = self.gate.desk().shown(hold, channel, self.client.name(), now.wall) {
            NO_EVIDENCE.say(&format!("it could not be recorded where a held call was shown: {error}"));
        }
    }

    /// Notes which holds have ended, now and then, in sessions that ever held a call.
    pub(crate) fn sweep(&mut self) {
        let now = (self.clock)();
        if !self.ever_held || now.monotonic_us < self.next_sweep_us {
            return;
        }
        self.next_sweep_us = now.monotonic_us.saturating_add(SWEEP_US);
        if let Err(error) = self.gate.desk().sweep(now.wall) {
            NO_EVIDENCE.say(&format!("it could not be recorded which held calls have ended: {error}"));
        }
    }

    /// The client's input ended; a line without its newline is refused.
    pub(crate) fn unterminated(&self, refusal: &Refusal) {
        self.record(std::slice::from_ref(refusal));
    }
}
