//! The questions of ours that a client's user is asked, and what has become of them.
//!
//! Owned by the client's direction. Their ids are random and known to nobody but the client: what answers them is taken
//! out of the conversation and reaches no server.

use std::collections::VecDeque;
use std::sync::Arc;

use thoth_gate::hold::Hold;
use thoth_mcp::{Elicitation, IdKey, cancelled_notification, elicitation_complete, elicitation_request};
use thoth_types::HoldToken;

use crate::elicitation;
use crate::sealed_state::{NONCE_BYTES, Sealer};

/// How many questions that are over, and how many that are out in the modern era, are remembered. Beyond, the oldest are
/// forgotten: a late answer is then refused as one that nobody asked for.
const REMEMBERED: usize = 1024;

/// A question that the client was asked by a request of ours, in the legacy era.
#[derive(Debug)]
struct Dialogue {
    /// The token of the request's id, quotes included.
    id: String,
    key: IdKey,
    hold: HoldToken,
    /// The name of the question, where the client was given an address.
    address: Option<String>,
    /// The client has agreed to go to the address.
    answered: bool,
}

/// What a response of the client is to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Not ours.
    No,
    /// Ours, and nobody waits for it any more.
    Late,
    /// The answer to the form, or to the address, that was shown for this hold.
    Open { hold: HoldToken, address: bool },
}

/// A question that a modern client carries, until it comes back.
#[derive(Debug)]
struct Round {
    nonce: [u8; NONCE_BYTES],
    first_call: Arc<str>,
}

/// All questions of one session.
#[derive(Debug)]
pub(crate) struct Dialogues {
    pub(crate) sealer: Sealer,
    open: Vec<Dialogue>,
    over: VecDeque<IdKey>,
    rounds: VecDeque<Round>,
    /// Holds about which the client was asked and its user has said neither yes nor no.
    unanswered: VecDeque<HoldToken>,
}

impl Dialogues {
    pub(crate) const fn new(sealer: Sealer) -> Self {
        Self { sealer, open: Vec::new(), over: VecDeque::new(), rounds: VecDeque::new(), unanswered: VecDeque::new() }
    }

    /// Whether the client is being asked about this hold.
    pub(crate) fn is_open_for(&self, hold: &HoldToken) -> bool {
        self.open.iter().any(|dialogue| dialogue.hold == *hold)
    }

    /// Whether the client must not be asked about this hold again.
    pub(crate) fn was_in_vain(&self, hold: &HoldToken) -> bool {
        self.unanswered.contains(hold)
    }

    /// The client is not asked about this hold again.
    pub(crate) fn note_in_vain(&mut self, hold: &HoldToken) {
        if !self.unanswered.contains(hold) {
            remember(&mut self.unanswered, hold.clone());
        }
    }

    /// Asks: the request for the client. `to_address` sends its user to the policy's address. Nothing without randomness.
    pub(crate) fn ask(
        &mut self,
        hold: &Hold,
        to_address: bool,
        random: &dyn Fn() -> Option<[u8; 16]>,
    ) -> Option<Vec<u8>> {
        let id = elicitation::request_id(random()?);
        let address = if to_address { Some(format!("{:032x}", u128::from_be_bytes(random()?))) } else { None };
        let elicitation: Elicitation = match &address {
            Some(name) => elicitation::address(hold, name)?,
            None => elicitation::question(hold),
        };
        let line = elicitation_request(id.as_bytes(), &elicitation);
        let key = IdKey::text(id.trim_matches('"'));
        self.open.push(Dialogue { id, key, hold: hold.token.clone(), address, answered: false });
        Some(line)
    }

    /// Whether the client was ever asked by a request.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.over.is_empty()
    }

    /// Takes a response of the client in.
    pub(crate) fn answered(&mut self, key: &IdKey) -> Answered {
        if self.over.contains(key) {
            return Answered::Late;
        }
        let Some(dialogue) = self.open.iter_mut().find(|dialogue| dialogue.key == *key) else { return Answered::No };
        if std::mem::replace(&mut dialogue.answered, true) {
            return Answered::Late;
        }
        Answered::Open { hold: dialogue.hold.clone(), address: dialogue.address.is_some() }
    }

    /// Ends the questions that no call waits for any more, and those that were answered with a word: what the client is
    /// told about them.
    pub(crate) fn close(&mut self, still_waits: impl Fn(&HoldToken) -> bool, replies: &mut Vec<u8>) {
        let Self { open, over, .. } = self;
        for dialogue in open.extract_if(.., |dialogue| !still_waits(&dialogue.hold)) {
            if !dialogue.answered {
                replies.extend(cancelled_notification(dialogue.id.as_bytes(), "Thoth no longer needs the answer"));
            }
            if let Some(name) = &dialogue.address {
                replies.extend(elicitation_complete(name));
            }
            remember(over, dialogue.key);
        }
    }

    /// Notes a question that a modern client is given.
    pub(crate) fn begin_round(&mut self, nonce: [u8; NONCE_BYTES], first_call: &Arc<str>) {
        remember(&mut self.rounds, Round { nonce, first_call: Arc::clone(first_call) });
    }

    /// Takes such a question back, once: the id of the call that it was about.
    pub(crate) fn end_round(&mut self, nonce: &[u8; NONCE_BYTES]) -> Option<Arc<str>> {
        let at = self.rounds.iter().position(|round| round.nonce == *nonce)?;
        self.rounds.remove(at).map(|round| round.first_call)
    }
}

fn remember<T>(list: &mut VecDeque<T>, new: T) {
    if list.len() >= REMEMBERED {
        list.pop_front();
    }
    list.push_back(new);
}
