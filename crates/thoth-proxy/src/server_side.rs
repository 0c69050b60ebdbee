//! From the server to the client: every frame is parsed by the same rules, and outcomes are recorded before the
//! client sees them.

#[cfg(test)]
mod listing_tests;
mod listings;
#[cfg(test)]
mod question_tests;
mod questions;
#[cfg(test)]
mod result_tests;
mod results;
mod tasks;

use std::borrow::Cow;
use std::sync::{Arc, MutexGuard};

use thoth_audit::EventType;
use thoth_gate::{Gate, Incident, Outcome, Outcomes, ResultFound, SessionLabels, Ticket};
use thoth_mcp::{
    CallResult, Decoder, Direction, Edit, Frame, Framed, IdKey, Message, Notification, Refusal, RefusalCode,
    RefusedShape, Request, Response, ResultType, apply,
};
use thoth_types::json::Limits;
use thoth_types::{Caller, InspectAction};

use crate::answer;
use crate::client_side::{refusal_fields, state_digest};
use crate::clock;
use crate::complaints;
use crate::notices::{NO_EVIDENCE, Repeated, say};
use crate::session::{Asked, Open, Session, State};
use crate::turn::refuse_in_flight;

/// Handles what the server sends.
#[derive(Debug)]
pub(crate) struct ServerSide {
    gate: Arc<Gate>,
    caller: Caller,
    labels: SessionLabels,
    session: Arc<Session>,
    decoder: Decoder,
    outcomes: Outcomes,
    refused_frames: Repeated,
}

/// What comes of the frames that arrived together.
#[derive(Debug, Default)]
pub(crate) struct Delivery<'f> {
    /// For the client: what passed, in order; the original bytes but for what is kept from it.
    pub(crate) frames: Vec<Cow<'f, [u8]>>,
    /// For the client, after that: answers that Thoth gives in the server's place.
    pub(crate) replies: Vec<u8>,
    /// For the server: errors about requests of its own that were refused.
    pub(crate) complaints: Vec<u8>,
}

impl ServerSide {
    pub(crate) fn new(
        gate: Arc<Gate>,
        caller: Caller,
        labels: SessionLabels,
        session: Arc<Session>,
        limits: Limits,
    ) -> Self {
        Self {
            gate,
            caller,
            labels,
            session,
            decoder: Decoder::new(limits),
            outcomes: Outcomes::default(),
            refused_frames: Repeated::default(),
        }
    }

    /// Inspects everything that arrived together.
    pub(crate) fn deliver<'f>(&mut self, frames: impl Iterator<Item = Framed<'f>>) -> Delivery<'f> {
        let Self { gate, caller, labels, session, decoder, outcomes, refused_frames } = self;
        let mut inspection = Inspection { gate, caller, labels, session, outcomes, listed: None, edits: Vec::new() };
        let mut delivery = Delivery::default();
        let mut refused = Vec::new();
        for framed in frames {
            let verdict = match framed {
                Framed::Refused(refusal) => Err(refusal),
                Framed::Line { whole, body } => {
                    let rule = session.lock().batch_rule();
                    decoder
                        .decode(body, Direction::ServerToClient, rule)
                        .and_then(|frame| inspection.frame(&frame, whole.len(), &mut delivery))
                        .map(|()| match std::mem::take(&mut inspection.edits) {
                            edits if edits.is_empty() => Cow::Borrowed(whole),
                            edits => Cow::Owned(apply(whole, edits)),
                        })
                }
            };
            match verdict {
                Ok(whole) => delivery.frames.push(whole),
                Err(refusal) => {
                    inspection.edits.clear();
                    inspection.refuse(&refusal, &mut delivery);
                    refused.push(refusal);
                }
            }
        }
        let listed = inspection.listed;
        if let Err(error) = gate.record(outcomes) {
            NO_EVIDENCE.say(&format!("an outcome could not be recorded: {error}"));
        }
        if let Some(count) = listed {
            let detail = format!("{count} tools");
            note(gate, caller, &Incident { kind: EventType::ToolsListed, detail: &detail, refusal: None });
        }
        for refusal in &refused {
            record(gate, caller, refused_frames, refusal);
        }
        delivery
    }

    /// The server's output ended; a line without its newline is refused.
    pub(crate) fn unterminated(&self, refusal: &Refusal) {
        record(&self.gate, &self.caller, &self.refused_frames, refusal);
    }

    /// Settles whatever is still open, and returns the answers for the client.
    pub(crate) fn close(gate: &Gate, caller: &Caller, session: &Session, how: &str) -> Vec<u8> {
        let mut replies = Vec::new();
        let mut outcomes = Outcomes::default();
        for (_, open) in session.lock().from_client.drain() {
            if !open.cancelled {
                replies.extend(match open.asked {
                    Asked::Call(None) => answer::never_sent(&open.id),
                    _ => answer::upstream_gone(&open.id, how),
                });
            }
            if let Asked::Call(Some(ticket)) = &open.asked {
                outcomes.settle(caller, ticket, &Outcome::without_answer("no_answer"), clock::now());
            }
        }
        if let Err(error) = gate.record(&mut outcomes) {
            NO_EVIDENCE.say(&error.to_string());
        }
        replies
    }
}

fn record(gate: &Gate, caller: &Caller, refused_frames: &Repeated, refusal: &Refusal) {
    let Some(nth) = refused_frames.worth_showing() else { return };
    say(&format!("refused a message from the server: {refusal}"));
    let detail = format!("{refusal} (number {nth} of this session)");
    let refusal = Some(refusal_fields(refusal, Direction::ServerToClient));
    note(gate, caller, &Incident { kind: EventType::FrameRefused, detail: &detail, refusal });
}

fn note(gate: &Gate, caller: &Caller, incident: &Incident<'_>) {
    if let Err(error) = gate.note(caller, incident, clock::now()) {
        NO_EVIDENCE.say(&error.to_string());
    }
}

/// One delivery in the making.
struct Inspection<'r> {
    gate: &'r Gate,
    caller: &'r Caller,
    labels: &'r SessionLabels,
    session: &'r Session,
    outcomes: &'r mut Outcomes,
    /// How many tools the server has, if it has just told all of them.
    listed: Option<usize>,
    /// What the client does not get of the frame in hand, or gets otherwise.
    edits: Vec<Edit>,
}

impl Inspection<'_> {
    fn frame(&mut self, frame: &Frame<'_>, bytes: usize, delivery: &mut Delivery<'_>) -> Result<(), Refusal> {
        // A batch passes whole or not at all, so nothing is taken note of before all of it was found good.
        let (mut waiting, mut own) = (Vec::new(), Vec::new());
        if let Frame::Batch(messages) = frame {
            own = self.asked_in(messages);
            let mut answered = Vec::new();
            let mut verdict = Ok(());
            for message in messages {
                verdict = verdict.and_then(|()| self.check(message, &answered));
                if let Message::Response(Response { id: Some(id), .. }) = message {
                    answered.push(id.key());
                }
            }
            if let Err(refusal) = verdict {
                for key in &answered {
                    self.fail(key, refusal.code, delivery);
                }
                self.refuse_requests(&own, &refusal, delivery);
                return Err(refusal);
            }
            let state = self.session.lock();
            let open = answered.into_iter().filter_map(|key| {
                let open = state.from_client.get(&key)?;
                Some((open.id.clone(), open.cancelled, key))
            });
            waiting.extend(open);
        }
        let taken = frame.messages().iter().try_for_each(|message| match message {
            Message::Response(response) => self.answer(response, bytes),
            Message::Request(request) => self.open(request),
            Message::Notification(notification) => self.notification(notification, bytes),
        });
        // What one of them carries can still keep it from passing, and with it those that were taken note of by then.
        if let Err(refusal) = &taken {
            for (id, cancelled, key) in waiting {
                let is_closed = self.session.lock().from_client.get(&key).is_none();
                if !is_closed {
                    self.fail(&key, refusal.code, delivery);
                } else if !cancelled {
                    delivery.replies.extend(answer::answer_refused(&id, refusal.code.as_str()));
                }
            }
            self.refuse_requests(&own, refusal, delivery);
        }
        taken
    }

    /// The server's own requests in a batch, but for those under ids that belong to other requests.
    fn asked_in(&self, messages: &[Message<'_>]) -> Vec<(IdKey, Box<[u8]>)> {
        let state = self.session.lock();
        let asked = messages.iter().filter_map(|message| match message {
            Message::Request(request) => Some((request.id.key(), request.id.raw().into())),
            _ => None,
        });
        asked.filter(|(key, _)| state.from_server.get(key).is_none()).collect()
    }

    /// Answers the server's requests of a batch that goes nowhere. The one that is refused itself is answered with the refusal.
    fn refuse_requests(&self, asked: &[(IdKey, Box<[u8]>)], refusal: &Refusal, delivery: &mut Delivery<'_>) {
        let mut state = self.session.lock();
        for (key, id) in asked {
            state.from_server.remove(key);
            if refusal.shape != RefusedShape::Request || refusal.id.as_ref() != Some(id) {
                delivery.complaints.extend(answer::other_refused(id));
            }
        }
    }

    /// Whether a message of a batch would pass, without taking note of it, after the batch has `answered` these.
    fn check(&self, message: &Message<'_>, answered: &[IdKey]) -> Result<(), Refusal> {
        let state = self.session.lock();
        match message {
            Message::Response(response) => {
                let Some(id) = response.id else { return Ok(()) };
                let key = id.key();
                let Some(open) = state.answerable(&key).filter(|_| !answered.contains(&key)) else {
                    return Err(response.refuse(RefusalCode::UnsolicitedResponse, 0));
                };
                match &open.asked {
                    Asked::Initialize => response.initialize_result().transpose().map(drop),
                    Asked::ToolsList { .. } => response.tools_list().transpose().map(drop),
                    Asked::Call(_) | Asked::Task { result: true, .. } => response.call_result().transpose().map(drop),
                    Asked::Task { result: false, .. } => response.task_state().transpose().map(drop),
                    Asked::List { listing, .. } => response.listing(*listing).transpose().map(drop),
                    Asked::Discover => response.instructions().transpose().map(drop),
                    Asked::Content(_) => response.input_requests().map(drop),
                    Asked::Other => Ok(()),
                }
            }
            Message::Request(request) => {
                let reused = state.from_server.get(&request.id.key()).is_some_and(|open| !open.cancelled);
                // What is asked is scanned, which must not hold up the other direction.
                drop(state);
                if reused { Err(request.refuse_reused_id()) } else { self.question(request) }
            }
            Message::Notification(notification) => {
                notification.cancelled().transpose()?;
                notification.task_state().transpose().map(drop)
            }
        }
    }

    /// A server's own request: its answer will be let through once.
    fn open(&self, request: &Request<'_>) -> Result<(), Refusal> {
        self.question(request)?;
        let open = Open { id: request.id.raw().into(), asked: Asked::Other, cancelled: false };
        let opened = self.session.lock().open_from_server(request.id.key(), open);
        opened.map_err(|error| refuse_in_flight(request, &error))
    }

    fn notification(&mut self, notification: &Notification<'_>, bytes: usize) -> Result<(), Refusal> {
        if let Some(cancelled) = notification.cancelled().transpose()? {
            if let Some(id) = cancelled.request_id
                && let Some(open) = self.session.lock().from_server.get_mut(&id.key())
            {
                open.cancelled = true;
            }
        } else if let Some(task) = notification.task_state().transpose()? {
            self.task(&task, bytes, || notification.refuse(RefusalCode::Withheld, 0))?;
        } else if notification.method == "notifications/tools/list_changed" {
            self.session.lock().offers.list_changed();
        }
        Ok(())
    }

    fn answer(&mut self, response: &Response<'_>, bytes: usize) -> Result<(), Refusal> {
        // Only errors may come without an id: the server could not read what it was sent.
        let Some(id) = response.id else { return self.demanded(response) };
        let session = self.session;
        let mut state = session.lock();
        let Some(asked) = state.answerable(&id.key()).map(|open| open.asked.clone()) else {
            return Err(response.refuse(RefusalCode::UnsolicitedResponse, 0));
        };
        // Until all of its governed members are read, the request stays open: a refusal then answers it.
        let mut passes = Ok(());
        if response.error().is_some() {
            state = self.unlocked(state, |own| passes = own.demanded(response));
        }
        passes?;
        match asked {
            Asked::Initialize => {
                if let Some(result) = response.initialize_result().transpose()? {
                    state.negotiate(&result.protocol_version);
                    let tools = result.capabilities.and_then(|can| can.get("tools"));
                    let tells = tools.and_then(|tools| tools.get("listChanged")).and_then(|tells| tells.as_bool());
                    state.tells_changes = tells == Some(true);
                    state = self.unlocked(state, |own| own.instructions(response, result.instructions.as_deref()));
                }
            }
            Asked::Discover => {
                let text = response.instructions().transpose()?;
                state = self.unlocked(state, |own| own.instructions(response, text.as_deref()));
            }
            Asked::ToolsList { first } => {
                if let Some(page) = response.tools_list().transpose()? {
                    state = self.unlocked(state, |own| own.tools(response, &page, first));
                }
            }
            Asked::List { listing, first } => {
                if let Some(page) = response.listing(listing).transpose()? {
                    state = self.unlocked(state, |own| own.listing(response, (listing, first), &page));
                }
            }
            Asked::Call(Some(ticket)) => {
                let view = response.call_result().transpose()?;
                let mut found = Ok(None);
                state = self.unlocked(state, |own| found = own.call_answer(ticket.tool(), response, view.as_ref()));
                self.called(&mut state, ticket, view.as_ref(), bytes, found?.as_ref());
            }
            Asked::Task { id: task, result: true } => {
                // The answer to `tasks/result` is the call's own. Asked again, it is inspected again.
                let view = response.call_result().transpose()?;
                let tool = state.tool_of_task(&task).unwrap_or_default();
                let mut found = Ok(None);
                state = self.unlocked(state, |own| found = own.call_answer(&tool, response, view.as_ref()));
                let found = found?;
                if let Some(ticket) = state.end_task(&task) {
                    let outcome = outcome_of(view.as_ref(), bytes);
                    let outcome = Outcome { task_id: Some(&task), found: found.as_ref(), ..outcome };
                    self.outcomes.settle(self.caller, &ticket, &outcome, clock::now());
                }
            }
            Asked::Task { result: false, .. } => {
                if let Some(task) = response.task_state().transpose()? {
                    let mut passes = Ok(());
                    let refuse = || response.refuse(RefusalCode::Withheld, 0);
                    state = self.unlocked(state, |own| passes = own.task(&task, bytes, refuse));
                    passes?;
                }
            }
            Asked::Content(method) => {
                let mut passes = Ok(());
                state = self.unlocked(state, |own| passes = own.content(method, response));
                passes?;
            }
            Asked::Call(None) | Asked::Other => {}
        }
        state.from_client.remove(&id.key());
        Ok(())
    }

    /// Does what may wait for the store of pins without holding up the other direction. Meanwhile the request stays open:
    /// only this direction can answer it.
    fn unlocked<'s>(&mut self, state: MutexGuard<'s, State>, work: impl FnOnce(&mut Self)) -> MutexGuard<'s, State>
    where
        Self: 's,
    {
        drop(state);
        work(self);
        self.session.lock()
    }

    fn called(
        &mut self,
        state: &mut State,
        ticket: Ticket,
        view: Option<&CallResult<'_>>,
        bytes: usize,
        found: Option<&ResultFound>,
    ) {
        let outcome = Outcome { found, ..outcome_of(view, bytes) };
        self.outcomes.settle(self.caller, &ticket, &outcome, clock::now());
        // What is held back begins nothing that the client could go on with.
        let held_back = found.is_some_and(|found| found.action == InspectAction::Block);
        let Some(view) = view.filter(|_| !held_back) else { return };
        match (&view.result_type, &view.task_id, view.request_state) {
            (ResultType::Task, Some(task), _) => state.begin_task(task, ticket),
            (ResultType::InputRequired, _, Some(request_state)) => {
                state.begin_round_trip(state_digest(self.gate, request_state), ticket.call_id());
            }
            _ => {}
        }
    }

    /// A frame that two readers could read differently reaches nobody. If it can be told what it answered, the client
    /// learns that no answer will come; if it was a request, the server learns that it was refused.
    fn refuse(&mut self, refusal: &Refusal, delivery: &mut Delivery<'_>) {
        delivery.complaints.extend(complaints::about(refusal, self.session));
        if let Some(key) = refusal.id_key().filter(|_| refusal.shape != RefusedShape::Request) {
            self.fail(&key, refusal.code, delivery);
        }
    }

    /// Tells the client that the answer to its request was refused, if the request is open.
    fn fail(&mut self, key: &IdKey, code: RefusalCode, delivery: &mut Delivery<'_>) {
        let mut state = self.session.lock();
        if state.answerable(key).is_none() {
            return;
        }
        let Some(open) = state.from_client.remove(key) else { return };
        drop(state);
        if !open.cancelled {
            delivery.replies.extend(answer::answer_refused(&open.id, code.as_str()));
        }
        if let Asked::Call(Some(ticket)) = &open.asked {
            self.outcomes.settle(self.caller, ticket, &Outcome::without_answer("answer_refused"), clock::now());
        }
    }
}

fn outcome_of<'a>(view: Option<&'a CallResult<'_>>, bytes: usize) -> Outcome<'a> {
    let kind = match view {
        None => "error",
        Some(view) => match view.result_type {
            ResultType::Task => "task",
            ResultType::InputRequired => "input_required",
            _ if view.is_error => "tool_error",
            _ => "result",
        },
    };
    Outcome { kind, result_bytes: wide(bytes), task_id: view.and_then(|view| view.task_id.as_deref()), found: None }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use thoth_audit::{ContentKey, ContentMode};
    use thoth_gate::Standing;
    use thoth_mcp::FrameBuffer;

    use super::*;
    use crate::rehearsal::{self, Nowhere};

    fn server_side(session: &Arc<Session>) -> ServerSide {
        let standing = Standing::Invalid { reason: "unused".to_owned() };
        let gate = Gate::new(standing, Arc::new(Nowhere), ContentMode::None, ContentKey::new([0; 32]));
        let caller = rehearsal::caller();
        ServerSide::new(Arc::new(gate), caller, SessionLabels::default(), Arc::clone(session), Limits::default())
    }

    fn open(session: &Session, id: i64, asked: Asked) {
        let open = Open { id: id.to_string().as_bytes().into(), asked, cancelled: false };
        session.lock().open_from_client(IdKey::integer(id), open).unwrap();
    }

    /// What a client gets of one line: how many frames, and Thoth's own answers.
    fn deliver(side: &mut ServerSide, line: &str) -> (usize, String) {
        let mut buffer = FrameBuffer::new(10_000);
        buffer.spare()[..line.len()].copy_from_slice(line.as_bytes());
        buffer.advance(line.len());
        let delivery = side.deliver(buffer.frames());
        (delivery.frames.len(), String::from_utf8(delivery.replies).unwrap())
    }

    /// Invariants 1 and 4: a call that has not gone out has no answer, and a server that guesses its id cannot make it
    /// disappear from our books either.
    #[test]
    fn a_call_that_has_not_gone_out_cannot_be_answered() {
        let session = Arc::new(Session::default());
        let mut side = server_side(&session);
        session.lock().negotiate("2025-03-26");
        open(&session, 1, Asked::Call(None));
        for line in [
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}\n",
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}]\n",
        ] {
            assert_eq!(deliver(&mut side, line), (0, String::new()), "{line}");
            assert!(session.lock().from_client.get(&IdKey::integer(1)).is_some(), "{line}");
        }
    }

    /// Every request that a refused batch answered is answered with an error, however its id is written.
    #[test]
    fn refused_answers_reach_their_requests() {
        let session = Arc::new(Session::default());
        let mut side = server_side(&session);
        session.lock().negotiate("2025-03-26");
        for (line, answers) in [
            ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n", 1),
            ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}]\n", 1),
            ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{}}]\n", 0),
            ("{\"jsonrpc\":\"2.0\",\"id\":1.0,\"result\":5}\n", 1),
        ] {
            for id in [1, 2] {
                drop(session.lock().from_client.remove(&IdKey::integer(id)));
                open(&session, id, Asked::Other);
            }
            let (frames, replies) = deliver(&mut side, line);
            assert_eq!((frames, replies.lines().count()), (usize::from(answers == 0), answers), "{line}: {replies}");
        }
    }
}
