//! What a client's user answers to our questions: voted at the desk, and taken out of what goes to the server.

use std::sync::Arc;

use thoth_gate::HoldsError;
use thoth_gate::hold::{Hold, HoldState, VoteError};
use thoth_mcp::{
    BatchRule, Decoder, Direction, ElicitAction, Frame, Message, RefusalCode, Request, Response, ToolCallView,
};
use thoth_types::{Approver, Arguments, Channel, HoldToken, Vote};

use crate::answer;
use crate::approval::name_of;
use crate::dialogues::Answered;
use crate::elicitation::{Answer, Retry, read_answer};
use crate::notices::NO_EVIDENCE;
use crate::sealed_state::State;
use crate::turn::{Making, body_of};

impl Making<'_, '_> {
    /// Takes in what answers a question of ours. Whether it does: it is then for nobody else.
    pub(crate) fn is_for_us(&mut self, response: &Response<'_>) -> bool {
        let Some(id) = response.id.filter(|_| !self.kept.dialogues.is_empty()) else { return false };
        let (hold, address) = match self.kept.dialogues.answered(&id.key()) {
            Answered::No => return false,
            Answered::Late => return true,
            Answered::Open { hold, address } => (hold, address),
        };
        let result = response.elicit_result().and_then(Result::ok);
        if address && result.is_some_and(|result| result.action == ElicitAction::Accept) {
            // To go to the address is not to approve: the call waits on.
            return true;
        }
        let name = self.kept.client.name().to_owned();
        let counted = self.vote(&hold, read_answer(result), &name);
        self.kept.room.answered(&hold, counted);
        true
    }

    /// Takes an answer to the desk. Whether it counts, or another one did before; otherwise the client is not asked about
    /// this hold again.
    fn vote(&mut self, hold: &HoldToken, answer: Answer, name: &str) -> bool {
        let requester = self.at.requester;
        let vote = Vote {
            approver: Approver { account: Arc::clone(&requester.account), uid: requester.uid },
            approves: answer == Answer::Approve,
            channel: Channel::Client,
            origin: name.to_owned(),
            at: (self.at.clock)().wall,
            line: Vec::new(),
        };
        let counted = answer != Answer::NoAnswer
            && match self.at.gate.desk().vote(hold, &vote) {
                Ok(_) | Err(HoldsError::Vote(VoteError::Closed(_))) => true,
                Err(error) => {
                    NO_EVIDENCE.say(&format!("an answer to a held call could not be taken: {error}"));
                    false
                }
            };
        if !counted {
            self.kept.dialogues.note_in_vain(hold);
        }
        counted
    }

    /// What of ours a call brings back.
    pub(crate) fn retry_of_ours(&self, view: &ToolCallView<'_>) -> Option<Retry> {
        if view.request_state.is_none() && view.input_responses.is_none() {
            return None;
        }
        Retry::read(view, &self.kept.dialogues.sealer, (self.at.clock)().wall)
    }

    /// A modern call that is made again with what is ours: that is cut out, and what is left is a call like any other.
    pub(crate) fn retry(&mut self, request: &Request<'_>, whole: &[u8], retry: &Retry) {
        let line = retry.cut(whole, request);
        let mut decoder = Decoder::new(self.at.limits);
        let frame = decoder.decode(body_of(&line), Direction::ClientToServer, BatchRule::Refuse);
        let Ok(Frame::One(Message::Request(request))) = frame else {
            return self.refuse_frame(request.refuse(RefusalCode::BadParams, 0));
        };
        let view = match request.tool_call() {
            Ok(view) => view,
            Err(refusal) => return self.refuse_frame(refusal),
        };
        let continued = match retry {
            Retry::Leftover => None,
            Retry::Stale => return self.refuse_retry(&request, None),
            Retry::Answered(state, answer) => match self.asked_about(state, &view) {
                Ok(first_call) => {
                    let name = request.meta().map(|meta| name_of(meta.client_info())).unwrap_or_default();
                    self.vote(&state.hold, *answer, &name);
                    // Whatever the answer was, it was given.
                    self.kept.dialogues.note_in_vain(&state.hold);
                    Some(first_call)
                }
                Err(hold) => return self.refuse_retry(&request, hold.as_deref()),
            },
        };
        match self.open(&request, Some(view)) {
            Err(refusal) => self.refuse_frame(refusal),
            Ok(None) => {}
            Ok(Some(mut call)) => {
                if let Some(first_call) = continued {
                    call.retry_of = Some(first_call.to_string());
                }
                self.admit(&request, &call, line.clone().into());
            }
        }
    }

    /// The call that the state's question was about, if it is this one and comes back for the first time.
    ///
    /// # Errors
    /// Otherwise the hold that it names, if it still waits.
    fn asked_about(&mut self, state: &State, view: &ToolCallView<'_>) -> Result<Arc<str>, Option<Box<Hold>>> {
        let first_call = self.kept.dialogues.end_round(&state.nonce);
        let Ok(hold) = self.at.gate.desk().holds().look(&state.hold) else { return Err(None) };
        let digest = self.at.gate.call_digest(&view.name, Arguments::new(view.arguments));
        let same = hold.binding == state.binding && *hold.arguments_digest == *digest;
        let pending = hold.state_at((self.at.clock)().wall) == HoldState::Pending;
        first_call.filter(|_| same).ok_or_else(|| pending.then(|| Box::new(hold)))
    }

    /// Refuses what claims to answer a question of ours and does not.
    fn refuse_retry(&mut self, request: &Request<'_>, hold: Option<&Hold>) {
        self.replies.extend(answer::bad_retry(request.id.raw(), hold));
        self.incidents.push(request.refuse(RefusalCode::BadParams, 0));
    }
}
