//! Calls on their way to the enforcer and back to the gate.
//!
//! The gate says which call must be asked about, and decides again what comes of it: here an answer is only carried.

use std::borrow::Cow;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use thoth_gate::{Answer, GateSession, Moment, Refused};
use thoth_mcp::{BatchRule, Decoder, Direction, Frame, Message, Request};
use thoth_types::{Arguments, RemoteVerdict, ToolCall, Way};

use crate::answer;
use crate::blocking::Blocking;
use crate::client_side::ClientSide;
use crate::notices::say;
use crate::remote::{Decider, Questioner, RemoteOptions, Said, Waiting, Wake, with_arguments};
use crate::session::{Asked, Open};
use crate::turn::{Making, Turn, body_of, random};
use crate::waiting::{Bound, TICK_US};

/// How long the client's input is waited for at a time while calls wait here.
const TICK: Duration = Duration::from_micros(TICK_US);
/// The same while calls wait for the enforcer only, whose answer wakes us: for the progress that clients are told.
const SLOW_TICK: Duration = Duration::from_millis(250);

impl Making<'_, '_> {
    /// Has the enforcer asked about a call. Where that cannot be, the call goes back to the gate at once, with what takes
    /// the place of an answer. A call that says which trace it is part of has the enforcer told so.
    pub(crate) fn ask(&mut self, call: Waiting, traceparent: Option<&str>) {
        let now = (self.at.clock)();
        let Some(decider) = &mut self.kept.remote else { return self.answered(call, Said::busy()) };
        let request = decider.questioner.ask(&call.unasked, now);
        if let Err(instead) = decider.ask(call, (request, traceparent), now) {
            let (call, said) = *instead;
            self.answered(call, said);
        }
    }

    /// Puts a call to the gate together with what the enforcer says of it.
    pub(crate) fn answered(&mut self, call: Waiting, mut said: Said) {
        if !self.waits(&call.bound) {
            return;
        }
        let Waiting { bound, mut line, unasked, retry_of, heartbeat } = call;
        let mut digest = None;
        if let Some(arguments) = said.modified.take() {
            match self.modified(&line, arguments.text()) {
                Some((other, own)) => (line, digest) = (other.into(), Some(own)),
                None => said = said.unusable(),
            }
        }
        let mut decoder = Decoder::new(self.at.limits);
        let frame = decoder.decode(body_of(&line), Direction::ClientToServer, BatchRule::Refuse);
        let Ok(Frame::One(Message::Request(request))) = frame else { return self.lose(&bound) };
        let Ok(view) = request.tool_call() else { return self.lose(&bound) };
        let (listed, integrity) = self.at.session.facts(&view.name, (self.at.clock)());
        let tool_call = ToolCall {
            listed,
            integrity,
            retry_of,
            task: view.task,
            also_sent: view.also_sent,
            enforcement_trace: None,
            arguments: Arguments::new(view.arguments),
            tool: view.name,
            remote: Some(Arc::new(said.about(&unasked, digest))),
        };
        match self.put(&tool_call, Cow::Owned(line.to_vec()), &random) {
            Answer::Admitted => self.admitted(bound),
            Answer::Unasked(_) => self.lose(&bound),
            Answer::Refused(refused) if is_held_there(&refused) => {
                let retry_of = Some(refused.call_id.to_string());
                self.kept.agreed.push((Waiting { bound, line, unasked, retry_of, heartbeat }, refused));
            }
            Answer::Refused(refused) => self.held(&request, &line, refused),
        }
    }

    /// The line with the arguments that the enforcer wants instead, and their digest; nothing if that is no call.
    fn modified(&self, line: &[u8], arguments: &str) -> Option<(Vec<u8>, String)> {
        let mut decoder = Decoder::new(self.at.limits);
        let one = |decoder: &mut Decoder, line: &[u8]| -> Option<Vec<u8>> {
            let frame = decoder.decode(body_of(line), Direction::ClientToServer, BatchRule::Refuse);
            let Ok(Frame::One(Message::Request(request))) = frame else { return None };
            with_arguments(line, &request, arguments)
        };
        let other = one(&mut decoder, line)?;
        let frame = decoder.decode(body_of(&other), Direction::ClientToServer, BatchRule::Refuse);
        let Ok(Frame::One(Message::Request(request))) = frame else { return None };
        let digest = digest(self, &request)?;
        Some((other, digest))
    }

    /// Whether the client still waits for this call, which has not gone out.
    pub(crate) fn waits(&self, bound: &Bound) -> bool {
        let waits = |open: &Open| matches!(open.asked, Asked::Call(None)) && !open.cancelled;
        self.at.session.lock().from_client.get(&bound.key).is_some_and(waits)
    }

    /// Ends a call that cannot be read again after it was read before.
    fn lose(&mut self, bound: &Bound) {
        self.at.session.lock().from_client.remove(&bound.key);
        self.replies.extend(answer::never_sent(&bound.id));
    }
}

fn digest(making: &Making<'_, '_>, request: &Request<'_>) -> Option<String> {
    let view = request.tool_call().ok()?;
    view.arguments.filter(|arguments| arguments.is_object())?;
    Some(making.at.gate.call_digest(&view.name, Arguments::new(view.arguments)))
}

/// Whether a person whom the enforcer asks can still agree to it.
fn is_held_there(refused: &Refused) -> bool {
    refused.remote.as_ref().is_some_and(|remote| remote.verdict == RemoteVerdict::Hold)
}

impl ClientSide {
    /// The same, which asks an enforcer.
    pub(crate) fn asking(mut self, decider: Option<Decider>) -> Self {
        self.kept.remote = decider;
        self
    }

    /// Becomes readable when there is an answer of the enforcer, where any call waits for one.
    pub(crate) fn wake(&self) -> Option<&Wake> {
        self.kept.remote.as_ref().filter(|decider| !decider.is_empty()).map(Decider::wake)
    }

    /// Waits until the client says something, an answer comes, or it is time to look. Whether the client does.
    pub(crate) fn hears<T: AsFd>(&self, client: &Blocking<T>) -> bool {
        match self.wake() {
            None => client.is_readable_within(TICK),
            // What is held by the local policy is in a store that does not wake us.
            Some(wake) if !self.kept.room.is_empty() => client.is_readable_before(wake, TICK),
            Some(wake) => client.is_readable_before(wake, SLOW_TICK),
        }
    }

    /// The same once the client says no more.
    pub(crate) fn hears_an_answer(&self) {
        if let Some(wake) = self.wake() {
            wake.wait(SLOW_TICK);
        }
    }

    /// Whether any call waits for the enforcer's decision, which is there soon.
    pub(crate) fn is_asking(&self) -> bool {
        self.kept.remote.as_ref().is_some_and(Decider::is_asking)
    }

    /// The calls that the enforcer has answered.
    pub(crate) fn told(&mut self, now: Moment) -> Vec<(Waiting, Said)> {
        self.kept.remote.as_mut().map(|decider| decider.answered(now)).unwrap_or_default()
    }

    /// Ends the waiting of calls for a person whom the enforcer asks, and tells the clients of the others.
    pub(crate) fn tend_remote(&mut self, now: Moment, turn: &mut Turn<'_>) {
        let Some(decider) = &mut self.kept.remote else { return };
        let overdue = decider.overdue(now);
        decider.progress(now, &mut turn.replies);
        for (call, refused) in overdue {
            self.refuse_held_there(&call.bound, &refused, &mut turn.replies);
        }
    }

    /// Chooses how the calls wait to which a person is to agree whom the enforcer asks: by the rules for those that are held
    /// here, except that the client cannot be asked.
    pub(crate) fn place_remote(&mut self, recorded: bool, now: Moment, replies: &mut Vec<u8>) {
        for (call, refused) in std::mem::take(&mut self.kept.agreed) {
            let timeout = self.approval.hold_timeout;
            let way = self.approval.way.or_else(|| self.gate.way()).unwrap_or(Way::Auto);
            let token = refused.remote.as_ref().and_then(|remote| remote.told.hold_token.clone());
            let bound = call.bound.clone();
            let waits = recorded && way != Way::Ticket && !timeout.is_zero();
            let until_us = now.monotonic_us.saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
            let given_up = match (&mut self.kept.remote, token.filter(|_| waits)) {
                (Some(decider), Some(token)) => decider.hold(call, &token, until_us, refused).err(),
                _ => Some(refused),
            };
            if let Some(refused) = given_up {
                self.refuse_held_there(&bound, &refused, replies);
            }
        }
        if let Some(decider) = &mut self.kept.remote {
            decider.progress(now, replies);
        }
    }

    fn refuse_held_there(&self, bound: &Bound, refused: &Refused, replies: &mut Vec<u8>) {
        // It was answered when the session ended, or the client no longer wants it.
        if self.session.lock().from_client.remove(&bound.key).is_some() {
            replies.extend(answer::refusal(self.style, &bound.id, bound.era, refused));
        }
    }
}

/// Starts what asks the enforcer. Without it every call is refused: the session must ask, and nobody can be asked.
pub(crate) fn start(options: RemoteOptions, session: &GateSession) -> Option<Decider> {
    let (caller, requester) = (session.caller().clone(), session.requester().clone());
    let fleet = options.fleet.clone();
    let questioner = Questioner { caller, requester, environment: options.environment, fleet };
    Decider::start(options, questioner)
        .inspect_err(|error| say(&format!("the enforcer cannot be asked, and every call is refused: {error}")))
        .ok()
}
