//! Held calls, from the end of the round that held them: who is asked how, what goes out again, what is given up.

use thoth_gate::Moment;
use thoth_gate::hold::Hold;
use thoth_mcp::{Era, Refusal, input_required_result};
use thoth_types::{Caller, Channel, HoldToken, Way};

use crate::answer;
use crate::approval::{Chosen, choose};
use crate::client_side::ClientSide;
use crate::elicitation;
use crate::notices::NO_EVIDENCE;
use crate::sealed_state::{NONCE_BYTES, State};
use crate::turn::{Kept, Rest, Turn, random};
use crate::waiting::Parked;

/// How often it is looked, at most, which holds have ended without an answer.
const SWEEP_US: u64 = 5_000_000;

impl ClientSide {
    /// Whether any call waits here, so that [`Self::tick`] must be called again soon.
    pub(crate) fn waits(&self) -> bool {
        !self.kept.room.is_empty() || self.wake().is_some()
    }

    /// Looks after the calls that wait: those whose hold was answered are put to the gate again, those whose time is over
    /// become tickets. Does nothing unless it is time to. `look` puts a policy in force that has changed on disk, and says
    /// whether it has: it runs before the gate is asked about a call that was answered, since what was blocked before the
    /// answer must not go out on it.
    pub(crate) fn tick(&mut self, look: impl FnOnce(&Caller) -> bool) -> Turn<'static> {
        let now = (self.clock)();
        let told = self.told(now);
        let is_due = self.kept.room.is_due(now);
        if !is_due && told.is_empty() && self.wake().is_none() {
            return Turn::default();
        }
        let ripe = if is_due { self.kept.room.ripe(self.gate.desk().holds(), now) } else { Vec::new() };
        let mut turn = Turn::default();
        if !ripe.is_empty() || !told.is_empty() {
            if look(self.caller()) {
                self.rules_changed();
            }
            let mut making = self.making();
            for call in ripe {
                making.again(call);
            }
            for (call, said) in told {
                making.answered(call, said);
            }
            let (made, rest) = making.finish();
            turn = made;
            // One of them may have used up what another still waits for.
            self.kept.room.hurry();
            self.conclude(&mut turn, rest);
        }
        self.tend_remote(now, &mut turn);
        for call in self.kept.room.overdue(now) {
            if self.kept.dialogues.is_open_for(&call.hold.token) {
                self.kept.dialogues.note_in_vain(&call.hold.token);
            }
            self.give_up(call, now, &mut turn.replies);
        }
        self.kept.room.progress(now, &mut turn.replies);
        self.close_dialogues(&mut turn.replies);
        turn
    }

    /// What follows once a round is committed.
    pub(crate) fn conclude(&mut self, turn: &mut Turn<'_>, rest: Rest) {
        let Rest { incidents, shown, recorded } = rest;
        self.record(&incidents);
        self.settle_abandoned();
        if shown.is_empty() && self.kept.room.fresh.is_empty() && self.kept.agreed.is_empty() {
            return self.close_dialogues(&mut turn.replies);
        }
        let now = (self.clock)();
        for hold in shown {
            self.announce(&hold);
            self.note_shown(&hold, Channel::Ticket, self.kept.client.name(), now);
        }
        for call in std::mem::take(&mut self.kept.room.fresh) {
            self.place(call, recorded, now, &mut turn.replies);
        }
        self.place_remote(recorded, now, &mut turn.replies);
        self.kept.room.progress(now, &mut turn.replies);
        self.close_dialogues(&mut turn.replies);
    }

    /// Ends the dialogues whose calls have gone their way.
    fn close_dialogues(&mut self, replies: &mut Vec<u8>) {
        let Kept { room, dialogues, .. } = &mut self.kept;
        dialogues.close(|hold| room.waits_for(hold), replies);
    }

    /// Chooses how a call waits that was just held.
    fn place(&mut self, mut call: Parked, recorded: bool, now: Moment, replies: &mut Vec<u8>) {
        self.ever_held = true;
        if recorded {
            self.announce(&call.hold.token);
        }
        let timeout = self.approval.hold_timeout;
        let deadline = now.monotonic_us.saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
        call.deadline_us.get_or_insert(deadline);
        let way = self.approval.way.or_else(|| self.gate.way()).unwrap_or(Way::Auto);
        let asked = self.kept.dialogues.was_in_vain(&call.hold.token);
        let chosen = choose(way, timeout, &call.reach, &call.hold, &self.requester, asked);
        // Nobody can answer what is not in the ledger.
        if !recorded || chosen == Chosen::Ticket {
            return self.give_up(call, now, replies);
        }
        if chosen == Chosen::Form && call.reach.era == Era::Modern {
            return self.send_back(call, now, replies);
        }
        if !self.kept.room.has_room_for(&call) {
            return self.give_up(call, now, replies);
        }
        let ask = matches!(chosen, Chosen::Form | Chosen::Url) && !self.kept.dialogues.is_open_for(&call.hold.token);
        if ask && let Some(question) = self.kept.dialogues.ask(&call.hold, chosen == Chosen::Url, &random) {
            self.note_shown(&call.hold.token, Channel::Client, &call.reach.name, now);
            replies.extend(question);
        }
        self.kept.room.enter(call);
    }

    /// Answers a modern call with the question. Its client makes the call again, with the answer.
    fn send_back(&mut self, call: Parked, now: Moment, replies: &mut Vec<u8>) {
        let mut nonce = [0; NONCE_BYTES];
        let named = getrandom::fill(&mut nonce).is_ok();
        let Hold { token, binding, ends_at, .. } = &*call.hold;
        let state = State { hold: token.clone(), binding: *binding, expires_at: *ends_at, nonce };
        let Some(sealed) = self.kept.dialogues.sealer.seal(&state).filter(|_| named) else {
            return self.give_up(call, now, replies);
        };
        if self.session.lock().from_client.remove(&call.bound.key).is_none() {
            return;
        }
        self.kept.dialogues.begin_round(nonce, &call.first_call);
        self.note_shown(token, Channel::Client, &call.reach.name, now);
        let question = elicitation::question(&call.hold);
        replies.extend(input_required_result(&call.bound.id, &elicitation::key(&call.hold), &question, &sealed));
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
        self.note_shown(&call.hold.token, Channel::Ticket, &call.reach.name, now);
    }

    /// Lets the person at this machine know. Nothing waits for that.
    fn announce(&self, hold: &HoldToken) {
        if let Some(announcer) = &self.announcer {
            announcer.held(hold);
        }
    }

    /// Records where a hold was shown, to the client of this name. What shows it goes out all the same.
    fn note_shown(&self, hold: &HoldToken, channel: Channel, name: &str, now: Moment) {
        if let Err(error) = self.gate.desk().shown(hold, channel, name, now.wall) {
            NO_EVIDENCE.say(&format!("it could not be recorded where a held call was shown: {error}"));
        }
    }

    /// Another policy is in force, which may say something else of the calls that wait.
    pub(crate) const fn rules_changed(&mut self) {
        self.kept.room.rules_changed();
    }

    /// Notes which holds have ended, now and then, in sessions that ever held a call.
    pub(crate) fn sweep(&mut self) {
        self.session.refresh();
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

#[cfg(test)]
mod tests;
