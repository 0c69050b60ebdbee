//! The calls that wait for the enforcer, or for a person whom the enforcer asks.
//!
//! Owned by the client's direction and touched by no other thread. As in the waiting room, nothing can be forwarded from
//! here: a call that leaves goes through the gate once more, as a new call of the same bytes.

use std::io;
use std::sync::Arc;

use thoth_api::Traceparent;
use thoth_api::contract::enforce::Request;
use thoth_endpoint::settings::FailureDecision;
use thoth_gate::{Moment, Refused, Unasked};
use thoth_mcp::IdKey;
use tokio::sync::oneshot;

use super::RemoteOptions;
use super::asker::{Answer, Asker, Question, Wake};
use super::breaker::Breaker;
use super::question::Questioner;
use super::reading::Said;
use crate::heartbeat::Heartbeat;
use crate::waiting::Bound;

/// Calls that may wait at once, and their bytes altogether. What goes beyond is refused.
const MAX_CALLS: usize = 64;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) bound: Bound,
    /// The whole line as it would go out if the enforcer says yes, but for what the local policy takes out of it.
    pub(crate) line: Arc<[u8]>,
    /// What the enforcer is asked about.
    pub(crate) unasked: Unasked,
    /// The call that it continues.
    pub(crate) retry_of: Option<String>,
    /// Tells the client that it waits.
    pub(crate) heartbeat: Heartbeat,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.line.len() + self.unasked.arguments.len()
    }
}

/// How a call waits.
#[derive(Debug)]
enum For {
    /// For the decision.
    Decision,
    /// For a person, until then; then the client gets this refusal, by which it can come back.
    Person { until_us: u64, refused: Box<Refused> },
}

#[derive(Debug)]
struct Place {
    serial: u64,
    call: Waiting,
    waits: For,
    /// Dropped with the place: then nobody asks any more.
    _asked: oneshot::Sender<()>,
}

/// Asks about the calls of one session.
#[derive(Debug)]
pub(crate) struct Decider {
    pub(crate) questioner: Questioner,
    failure: FailureDecision,
    asker: Asker,
    breaker: Breaker,
    places: Vec<Place>,
    bytes: usize,
    serial: u64,
}

impl Decider {
    /// Starts the thread that asks.
    pub(crate) fn start(options: RemoteOptions, questioner: Questioner) -> io::Result<Self> {
        let RemoteOptions { enforcer, within, failure, .. } = options;
        Ok(Self {
            questioner,
            failure,
            asker: Asker::start(enforcer, within, failure)?,
            breaker: Breaker::default(),
            places: Vec::new(),
            bytes: 0,
            serial: 0,
        })
    }

    /// Becomes readable when there is an answer.
    pub(crate) const fn wake(&self) -> &Wake {
        self.asker.wake()
    }

    /// Whether any call waits here, for whatever.
    pub(crate) const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether any call waits for the enforcer itself, which never takes long.
    pub(crate) fn is_asking(&self) -> bool {
        self.places.iter().any(|place| matches!(place.waits, For::Decision))
    }

    /// Asks about a call, which waits then.
    ///
    /// # Errors
    /// Hands it back with what takes the place of an answer.
    pub(crate) fn ask(
        &mut self,
        call: Waiting,
        (request, traceparent): (Request, Option<&str>),
        now: Moment,
    ) -> Result<(), Box<(Waiting, Said)>> {
        if !self.has_room_for(&call) {
            return Err(Box::new((call, Said::busy())));
        }
        if !self.breaker.may_ask(now.monotonic_us) {
            let why = "it did not answer several times in a row, and is tried again soon";
            return Err(Box::new((call, Said::outage(self.failure, why))));
        }
        let traceparent = traceparent.and_then(Traceparent::parse);
        let question = Question::Call(Box::new(request), traceparent);
        self.enter(call, question, For::Decision).map_err(|call| Box::new((*call, Said::busy())))
    }

    /// Lets a call wait for a person whom the enforcer asks under this token.
    ///
    /// # Errors
    /// Hands back what to refuse it with.
    pub(crate) fn hold(
        &mut self,
        call: Waiting,
        token: &str,
        until_us: u64,
        refused: Box<Refused>,
    ) -> Result<(), Box<Refused>> {
        if !self.has_room_for(&call) {
            return Err(refused);
        }
        let waits = For::Person { until_us, refused: refused.clone() };
        self.enter(call, Question::Hold(token.to_owned()), waits).map_err(|_| refused)
    }

    fn has_room_for(&self, call: &Waiting) -> bool {
        self.places.len() < MAX_CALLS && self.bytes.saturating_add(call.bytes()) <= MAX_BYTES
    }

    fn enter(&mut self, call: Waiting, question: Question, waits: For) -> Result<(), Box<Waiting>> {
        self.serial += 1;
        let Some(asked) = self.asker.ask(self.serial, question) else { return Err(Box::new(call)) };
        self.bytes = self.bytes.saturating_add(call.bytes());
        self.places.push(Place { serial: self.serial, call, waits, _asked: asked });
        Ok(())
    }

    /// Takes out the calls that were answered, each with the answer.
    pub(crate) fn answered(&mut self, now: Moment) -> Vec<(Waiting, Said)> {
        if self.places.is_empty() {
            return Vec::new();
        }
        self.asker.calm();
        let mut answered = Vec::new();
        while let Some(Answer { serial, said, answered: is_there }) = self.asker.next() {
            match is_there {
                Some(true) => self.breaker.succeeded(),
                Some(false) => self.breaker.failed(now.monotonic_us),
                None => {}
            }
            let places = self.take(|place| place.serial == serial);
            answered.extend(places.into_iter().map(|place| (place.call, said.clone())));
        }
        answered
    }

    /// Takes out the calls that have waited for a person long enough, each with its refusal.
    pub(crate) fn overdue(&mut self, now: Moment) -> Vec<(Waiting, Box<Refused>)> {
        let over = |waits: &For| matches!(waits, For::Person { until_us, .. } if now.monotonic_us >= *until_us);
        let places = self.take(|place| over(&place.waits));
        let refused = places.into_iter().filter_map(|place| match place.waits {
            For::Person { refused, .. } => Some((place.call, refused)),
            For::Decision => None,
        });
        refused.collect()
    }

    /// The client no longer wants the call with this id. Whether it was here; it never went out then.
    pub(crate) fn leave(&mut self, key: &IdKey) -> bool {
        !self.take(|place| place.call.bound.key == *key).is_empty()
    }

    /// What the client hears about those that wait for a person.
    pub(crate) fn progress(&mut self, now: Moment, replies: &mut Vec<u8>) {
        for place in &mut self.places {
            if let For::Person { refused, .. } = &place.waits {
                let token = refused.remote.as_ref().and_then(|remote| remote.told.hold_token.as_deref());
                let message = format!("Waiting for approval at the enforcer: {}", token.unwrap_or_default());
                replies.extend(place.call.heartbeat.beat(now, &message).unwrap_or_default());
            }
        }
    }

    fn take(&mut self, mut taken: impl FnMut(&Place) -> bool) -> Vec<Place> {
        let places: Vec<_> = self.places.extract_if(.., |place| taken(place)).collect();
        self.bytes = self.bytes.saturating_sub(places.iter().map(|place| place.call.bytes()).sum());
        places
    }
}
