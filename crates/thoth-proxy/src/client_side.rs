//! From the client to the server: every frame is parsed, every call is decided, and only permits go on.

use std::sync::Arc;

use thoth_audit::{EventType, RefusalFields};
use thoth_gate::{Answer, Gate, GateSession, Incident, Outcome, Outcomes, Permit, Refused, Round};
use thoth_mcp::{
    Decoder, Direction, Era, Frame, Framed, IdKey, InFlightError, Message, Notification, Refusal, RefusalCode, Request,
    Response, TaskMethod,
};
use thoth_types::json::{Limits, Value};
use thoth_types::{Arguments, Caller, ToolCall};

use crate::answer::{self, RefusalStyle};
use crate::clock;
use crate::notices::{NO_EVIDENCE, Repeated, say};
use crate::session::{Asked, Open, Session};

/// Handles what the client sends.
#[derive(Debug)]
pub(crate) struct ClientSide {
    gate: Arc<Gate>,
    gate_session: GateSession,
    session: Arc<Session>,
    decoder: Decoder,
    style: RefusalStyle,
    refused_frames: Repeated,
}

/// What comes of the frames that arrived together.
#[derive(Debug)]
pub(crate) struct Turn<'f> {
    /// For the upstream.
    pub(crate) permits: Vec<Permit<'f>>,
    /// For the client: complete lines.
    pub(crate) replies: Vec<u8>,
}

/// A call that waits for its ticket.
#[derive(Debug)]
struct Bound {
    key: IdKey,
    id: Box<[u8]>,
    era: Era,
}

/// The requests of an admitted frame, each with whether it is a call.
#[derive(Debug)]
struct Admitted {
    requests: Vec<(Bound, bool)>,
    is_batch: bool,
}

/// One turn in the making.
struct Making<'r, 'f> {
    round: Round<'r, 'f>,
    gate: &'r Gate,
    session: &'r Session,
    style: RefusalStyle,
    /// One entry per permit that carries tickets, in order.
    admitted: Vec<Admitted>,
    replies: Vec<u8>,
    incidents: Vec<Refusal>,
}

impl ClientSide {
    pub(crate) fn new(
        gate: Arc<Gate>,
        gate_session: GateSession,
        session: Arc<Session>,
        limits: Limits,
        style: RefusalStyle,
    ) -> Self {
        Self { gate, gate_session, session, decoder: Decoder::new(limits), style, refused_frames: Repeated::default() }
    }

    /// Who calls.
    pub(crate) const fn caller(&self) -> &Caller {
        self.gate_session.caller()
    }

    /// Decides everything that arrived together.
    pub(crate) fn turn<'f>(&mut self, frames: impl Iterator<Item = Framed<'f>>) -> Turn<'f> {
        let mut making = Making {
            round: self.gate.round(&mut self.gate_session),
            gate: &self.gate,
            session: &self.session,
            style: self.style,
            admitted: Vec::new(),
            replies: Vec::new(),
            incidents: Vec::new(),
        };
        for framed in frames {
            match framed {
                Framed::Refused(refusal) => making.refuse_frame(refusal),
                Framed::Line { whole, body } => {
                    let rule = self.session.lock().batch_rule();
                    match self.decoder.decode(body, Direction::ClientToServer, rule) {
                        Err(refusal) => making.refuse_frame(refusal),
                        Ok(Frame::One(message)) => making.one(&message, whole),
                        Ok(Frame::Batch(messages)) => making.batch(&messages, whole),
                    }
                }
            }
        }
        let (turn, incidents) = making.finish();
        self.record(&incidents);
        self.settle_abandoned();
        turn
    }

    /// Cancelled calls that had to give way to others have no answer: one that comes now is refused.
    fn settle_abandoned(&self) {
        let mut outcomes = Outcomes::default();
        for ticket in self.session.lock().take_abandoned() {
            outcomes.settle(self.caller(), &ticket, &Outcome::without_answer("no_answer"), clock::now());
        }
        if let Err(error) = self.gate.record(&mut outcomes) {
            NO_EVIDENCE.say(&format!("an outcome could not be recorded: {error}"));
        }
    }

    /// The client's input ended; a line without its newline is refused.
    pub(crate) fn unterminated(&self, refusal: &Refusal) {
        self.record(std::slice::from_ref(refusal));
    }

    fn record(&self, refusals: &[Refusal]) {
        for refusal in refusals {
            let Some(nth) = self.refused_frames.worth_showing() else { continue };
            say(&format!("refused a message from the client: {refusal}"));
            let detail = format!("{refusal} (number {nth} of this session)");
            let incident = Incident {
                kind: EventType::FrameRefused,
                detail: &detail,
                refusal: Some(refusal_fields(refusal, Direction::ClientToServer)),
            };
            if let Err(error) = self.gate.note(self.gate_session.caller(), &incident, clock::now()) {
                NO_EVIDENCE.say(&error.to_string());
            }
        }
    }
}

/// By what the state of a multi-round trip is recognised when it comes back. Of its text, not of its bytes: a client may
/// escape other characters than the server did.
pub(crate) fn state_digest(gate: &Gate, request_state: Value<'_>) -> String {
    gate.digest(request_state.as_str().unwrap_or_default().as_bytes())
}

/// A refused frame as its record shows it.
pub(crate) fn refusal_fields(refusal: &Refusal, direction: Direction) -> RefusalFields<'static> {
    RefusalFields {
        code: refusal.code.as_str(),
        from: match direction {
            Direction::ClientToServer => "client",
            Direction::ServerToClient => "server",
        },
        offset: u64::try_from(refusal.offset).unwrap_or(u64::MAX),
        bytes: u64::try_from(refusal.length).unwrap_or(u64::MAX),
    }
}

impl<'f> Making<'_, 'f> {
    fn refuse_frame(&mut self, refusal: Refusal) {
        if let Some(reply) = refusal.response() {
            self.replies.extend_from_slice(&reply);
        }
        self.incidents.push(refusal);
    }

    fn one(&mut self, message: &Message<'_>, whole: &'f [u8]) {
        match message {
            Message::Request(request) => self.request(request, whole),
            Message::Notification(notification) => match self.cancel(notification) {
                Ok(()) => self.round.pass(whole),
                Err(refusal) => self.refuse_frame(refusal),
            },
            Message::Response(response) => {
                let known = response.id.is_none_or(|id| self.session.lock().from_server.remove(&id.key()).is_some());
                if known {
                    self.round.pass(whole);
                } else {
                    self.refuse_frame(response.refuse(RefusalCode::UnsolicitedResponse, 0));
                }
            }
        }
    }

    /// A cancelled request may still be answered; until then its id is taken, unless the client uses it again.
    fn cancel(&self, notification: &Notification<'_>) -> Result<(), Refusal> {
        if let Some(cancelled) = notification.cancelled().transpose()?
            && let Some(id) = cancelled.request_id
            && let Some(open) = self.session.lock().from_client.get_mut(&id.key())
        {
            open.cancelled = true;
        }
        Ok(())
    }

    fn request(&mut self, request: &Request<'_>, whole: &'f [u8]) {
        let call = match self.open(request) {
            Ok(call) => call,
            Err(refusal) => return self.refuse_frame(refusal),
        };
        let Some(call) = call else { return self.round.pass(whole) };
        match self.round.admit(&call, whole.into(), &random, clock::now()) {
            Answer::Admitted => {
                self.admitted.push(Admitted { requests: vec![(Bound::of(request), true)], is_batch: false });
            }
            Answer::Refused(refused) => self.refuse_call(&Bound::of(request), &refused),
        }
    }

    /// Notes the request as open; for a tool call, returns what is to be decided.
    fn open<'m>(&self, request: &Request<'m>) -> Result<Option<ToolCall<'m>>, Refusal> {
        let view = if request.method == "tools/call" { Some(request.tool_call()?) } else { None };
        let asked = match &*request.method {
            "tools/call" => Asked::Call(None),
            "initialize" => Asked::Initialize,
            "tools/list" => {
                Asked::ToolsList { first: request.params.and_then(|params| params.get("cursor")).is_none() }
            }
            _ => request.task_request().transpose()?.map_or(Asked::Other, |task| Asked::Task {
                result: task.method == TaskMethod::Result,
                id: task.task_id.into_owned(),
            }),
        };
        let mut state = self.session.lock();
        state
            .open_from_client(request.id.key(), Open { id: request.id.raw().into(), asked, cancelled: false })
            .map_err(|error| refuse_in_flight(request, &error))?;
        Ok(view.map(|view| ToolCall {
            listed: state.listed(&view.name),
            retry_of: view.request_state.and_then(|s| state.continues(&state_digest(self.gate, s))),
            task: view.task,
            arguments: Arguments::new(view.arguments),
            tool: view.name,
        }))
    }

    /// A batch goes out whole or not at all.
    fn batch(&mut self, messages: &[Message<'_>], whole: &'f [u8]) {
        let mut opened = Vec::new();
        let mut calls = Vec::new();
        let mut answered = Vec::new();
        for message in messages {
            let taken = match message {
                Message::Request(request) => self.open(request).map(|call| {
                    opened.push((Bound::of(request), call.is_some()));
                    calls.extend(call);
                }),
                Message::Response(Response { id: None, .. }) => Ok(()),
                Message::Response(response @ Response { id: Some(id), .. }) => {
                    let known = self.session.lock().from_server.get(&id.key()).is_some();
                    let first = known && !answered.contains(&id.key());
                    answered.push(id.key());
                    if first { Ok(()) } else { Err(response.refuse(RefusalCode::UnsolicitedResponse, 0)) }
                }
                Message::Notification(notification) => notification.cancelled().transpose().map(drop),
            };
            if let Err(refusal) = taken {
                return self.refuse_batch(messages, &opened, refusal);
            }
        }
        let answers = self.round.admit_batch(&calls, whole, &random, clock::now());
        let refused: Vec<_> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Answer::Admitted => None,
                Answer::Refused(refused) => Some(*refused),
            })
            .collect();
        if refused.is_empty() {
            // Only now: what a batch that stays here answers or calls off is still to be answered or called off.
            let mut state = self.session.lock();
            for key in &answered {
                state.from_server.remove(key);
            }
            drop(state);
            for message in messages {
                if let Message::Notification(notification) = message {
                    // It was read above, so that it can be read.
                    drop(self.cancel(notification));
                }
            }
            if calls.is_empty() {
                self.round.pass(whole);
            } else {
                self.admitted.push(Admitted { requests: opened, is_batch: true });
            }
            return;
        }
        self.close_all(&opened);
        self.replies.extend(answer::refused_batch(self.style, &ids(&opened), &refused));
    }

    /// Refuses a batch because of one of its messages. All of its requests are answered, except under ids that belong to
    /// other requests.
    fn refuse_batch(&mut self, messages: &[Message<'_>], opened: &[(Bound, bool)], refusal: Refusal) {
        self.close_all(opened);
        let state = self.session.lock();
        let waiting = messages.iter().filter_map(|message| match message {
            Message::Request(request) if state.from_client.get(&request.id.key()).is_none() => {
                Some((Bound::of(request), false))
            }
            _ => None,
        });
        let waiting: Vec<_> = waiting.collect();
        drop(state);
        if !waiting.is_empty() {
            self.replies.extend(answer::refused_batch(self.style, &ids(&waiting), &[]));
        }
        self.incidents.push(refusal);
    }

    fn close_all(&self, opened: &[(Bound, bool)]) {
        let mut state = self.session.lock();
        for (bound, _) in opened {
            state.from_client.remove(&bound.key);
        }
    }

    fn refuse_call(&mut self, bound: &Bound, refused: &Refused) {
        self.session.lock().from_client.remove(&bound.key);
        self.replies.extend(answer::refusal(self.style, &bound.id, bound.era, refused));
    }

    /// Commits the round, and hands every ticket to the open request that it belongs to before anything is forwarded:
    /// the answer may be faster than we are.
    fn finish(self) -> (Turn<'f>, Vec<Refusal>) {
        let Self { round, session, style, admitted, mut replies, incidents, .. } = self;
        let mut committed = round.commit();
        if let Some(error) = &committed.error {
            NO_EVIDENCE.say(&error.to_string());
            let mut state = session.lock();
            let mut withheld = committed.withheld.drain(..);
            for Admitted { requests, is_batch } in &admitted {
                let calls = requests.iter().filter(|(_, is_call)| *is_call);
                let refused: Vec<_> = withheld.by_ref().take(calls.count()).collect();
                for (bound, _) in requests {
                    state.from_client.remove(&bound.key);
                }
                match (requests.first(), refused.first()) {
                    (Some((bound, _)), Some(refused)) if !is_batch => {
                        replies.extend(answer::refusal(style, &bound.id, bound.era, refused));
                    }
                    _ => replies.extend(answer::refused_batch(style, &ids(requests), &refused)),
                }
            }
        } else if !admitted.is_empty() {
            let mut state = session.lock();
            let calls = admitted.iter().flat_map(|frame| &frame.requests).filter(|(_, is_call)| *is_call);
            let tickets = committed.permits.iter().flat_map(Permit::tickets);
            for ((bound, _), ticket) in calls.zip(tickets) {
                if let Some(open) = state.from_client.get_mut(&bound.key) {
                    open.asked = Asked::Call(Some(ticket.clone()));
                }
            }
        }
        (Turn { permits: committed.permits, replies }, incidents)
    }
}

impl Bound {
    fn of(request: &Request<'_>) -> Self {
        Self { key: request.id.key(), id: request.id.raw().into(), era: request.era }
    }
}

fn ids(requests: &[(Bound, bool)]) -> Vec<(&[u8], Era, bool)> {
    requests.iter().map(|(bound, is_call)| (&*bound.id, bound.era, *is_call)).collect()
}

pub(crate) fn refuse_in_flight(request: &Request<'_>, error: &InFlightError) -> Refusal {
    match error {
        InFlightError::InUse => request.refuse_reused_id(),
        InFlightError::Full { .. } => request.refuse(RefusalCode::TooManyInFlight, 0),
    }
}

/// 128 random bits, for naming a hold. Without randomness there is no name that nobody can guess, and no hold.
fn random() -> Option<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).is_ok().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use thoth_audit::{ContentKey, ContentMode, Leaves};
    use thoth_gate::{Evidence, EvidenceError, Standing};
    use thoth_mcp::FrameBuffer;
    use thoth_policy::{ScopeList, Sources};

    use super::*;
    use crate::rehearsal;

    #[derive(Default)]
    struct Disk {
        full: AtomicBool,
        outcomes: AtomicUsize,
    }

    impl Evidence for Disk {
        fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
            let unanswered = |leaf: &&[u8]| String::from_utf8_lossy(leaf).contains(r#""outcome":"no_answer""#);
            self.outcomes.fetch_add(leaves.iter().filter(unanswered).count(), Ordering::Relaxed);
            if self.full.load(Ordering::Relaxed) { Err(EvidenceError("full".into())) } else { Ok(()) }
        }
    }

    struct World {
        disk: Arc<Disk>,
        session: Arc<Session>,
        side: ClientSide,
    }

    /// A session of the revision that has batches, under a policy that allows everything.
    fn world() -> World {
        let policy = "version: \"1\"\ndefaults: { approval: auto }\n";
        let policy = thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap();
        let (disk, session) = (Arc::new(Disk::default()), Arc::new(Session::default()));
        let evidence: Arc<dyn Evidence> = Arc::clone(&disk) as Arc<dyn Evidence>;
        let key = ContentKey::new([0; 32]);
        let gate = Arc::new(Gate::new(Standing::Valid(Box::new(policy)), evidence, ContentMode::None, key));
        let caller = rehearsal::caller();
        session.lock().negotiate("2025-03-26");
        let gate_session = GateSession::new(caller, ScopeList::default(), [7; 8]);
        let side =
            ClientSide::new(gate, gate_session, Arc::clone(&session), Limits::default(), RefusalStyle::default());
        World { disk, session, side }
    }

    fn request(id: u32, method: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"t"}}}}"#)
    }

    /// Sends one line; returns how many frames go out, and the ids that Thoth answers.
    fn send(world: &mut World, line: &str) -> (usize, Vec<u64>) {
        let line = format!("{line}\n");
        let mut buffer = FrameBuffer::new(10_000);
        buffer.spare()[..line.len()].copy_from_slice(line.as_bytes());
        buffer.advance(line.len());
        let turn = world.side.turn(buffer.frames());
        let mut ids = Vec::new();
        for line in turn.replies.split_inclusive(|byte| *byte == b'\n') {
            let reply: serde_json::Value = serde_json::from_slice(line).unwrap();
            let answers = reply.as_array().cloned().unwrap_or_else(|| vec![reply]);
            ids.extend(answers.iter().map(|answer| answer["id"].as_u64().unwrap()));
        }
        (turn.permits.len(), ids)
    }

    /// Invariant 4, and nobody is left waiting: a batch that cannot be recorded stays here with all of its requests.
    #[test]
    fn an_unrecorded_batch_is_answered_whole() {
        let mut world = world();
        world.disk.full.store(true, Ordering::Relaxed);
        let batch = format!("[{},{},{}]", request(1, "ping"), request(2, "tools/call"), request(3, "tools/list"));
        assert_eq!(send(&mut world, &batch), (0, vec![1, 2, 3]));
        assert!(world.session.lock().from_client.is_empty());
        assert_eq!(send(&mut world, &request(2, "tools/call")), (0, vec![2]));
        world.disk.full.store(false, Ordering::Relaxed);
        assert_eq!(send(&mut world, &batch), (1, vec![]));
        assert_eq!(world.session.lock().from_client.len(), 3);
    }

    /// A batch that is refused for one of its messages answers all of its requests, but never under the id of another
    /// open one, and changes nothing: what it would have called off goes on.
    #[test]
    fn a_refused_batch_is_answered_and_changes_nothing() {
        let mut world = world();
        assert_eq!(send(&mut world, &request(5, "tools/call")), (1, vec![]));
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
        let batch = |last: &str| format!("[{},{cancel},{last},{}]", request(6, "ping"), request(7, "tools/call"));
        for last in [request(5, "ping"), r#"{"jsonrpc":"2.0","id":9,"result":{}}"#.to_owned()] {
            assert_eq!(send(&mut world, &batch(&last)), (0, vec![6, 7]), "{last}");
            assert!(world.session.lock().client_waits(), "{last}");
            assert_eq!(world.session.lock().from_client.len(), 1, "{last}");
        }
        assert_eq!(send(&mut world, &batch(&request(8, "ping"))), (1, vec![]));
        assert!(world.session.lock().from_client.get(&IdKey::integer(5)).is_some_and(|open| open.cancelled));
    }

    /// Evidence is complete: each call that went out has an outcome, also when it was called off and had to give way.
    #[test]
    fn cancelled_calls_that_give_way_have_an_outcome() {
        const CALLS: u32 = 4096;
        let mut world = world();
        for id in 0..CALLS {
            let cancel =
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#);
            let lines = format!("{}\n{cancel}", request(id, "tools/call"));
            assert_eq!(send(&mut world, &lines).0, 2);
        }
        assert_eq!(world.disk.outcomes.load(Ordering::Relaxed), 0, "they may still be answered");
        assert_eq!(send(&mut world, &request(CALLS, "tools/call")), (1, vec![]));
        assert_eq!(world.disk.outcomes.load(Ordering::Relaxed), 4096);
        assert_eq!(world.session.lock().from_client.len(), 1);
    }
}
