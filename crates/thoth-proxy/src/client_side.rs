//! From the client to the server: every frame is parsed, every call is decided, and only permits go on.

use std::sync::Arc;

use thoth_audit::{EventType, RefusalFields};
use thoth_gate::{Gate, GateSession, Incident, Moment, Outcome, Outcomes};
use thoth_mcp::{Decoder, Direction, Frame, Framed, Refusal};
use thoth_types::json::{Limits, Value};
use thoth_types::{Caller, Requester};

use crate::answer::RefusalStyle;
use crate::approval::{ApprovalOptions, Client};
use crate::clock;
use crate::dialogues::Dialogues;
use crate::notices::{NO_EVIDENCE, Repeated, say};
use crate::notifier::Announcer;
use crate::sealed_state::Sealer;
use crate::session::Session;
use crate::turn::{Kept, Making, Setting, Turn};
use crate::waiting::WaitingRoom;

/// Handles what the client sends.
#[derive(Debug)]
pub(crate) struct ClientSide {
    pub(crate) gate: Arc<Gate>,
    pub(crate) gate_session: GateSession,
    pub(crate) session: Arc<Session>,
    decoder: Decoder,
    limits: Limits,
    pub(crate) style: RefusalStyle,
    pub(crate) approval: ApprovalOptions,
    pub(crate) clock: fn() -> Moment,
    pub(crate) kept: Kept,
    pub(crate) requester: Requester,
    pub(crate) ever_held: bool,
    pub(crate) next_sweep_us: u64,
    pub(crate) announcer: Option<Announcer>,
    refused_frames: Repeated,
}

impl ClientSide {
    pub(crate) fn new(
        gate: Arc<Gate>,
        gate_session: GateSession,
        session: Arc<Session>,
        limits: Limits,
        style: RefusalStyle,
        approval: ApprovalOptions,
        sealer: Sealer,
    ) -> Self {
        Self {
            gate,
            requester: gate_session.requester().clone(),
            gate_session,
            session,
            decoder: Decoder::new(limits),
            limits,
            style,
            approval,
            clock: clock::now,
            kept: Kept {
                room: WaitingRoom::default(),
                dialogues: Dialogues::new(sealer),
                client: Client::default(),
                remote: None,
                agreed: Vec::new(),
            },
            ever_held: false,
            next_sweep_us: 0,
            announcer: None,
            refused_frames: Repeated::default(),
        }
    }

    /// The same, which also tells of held calls beside the client.
    pub(crate) fn announcing(mut self, announcer: Option<Announcer>) -> Self {
        self.announcer = announcer;
        self
    }

    /// The same at the time that a test says.
    #[cfg(test)]
    pub(crate) fn with_clock(mut self, clock: fn() -> Moment) -> Self {
        self.clock = clock;
        self
    }

    /// Who calls.
    pub(crate) const fn caller(&self) -> &Caller {
        self.gate_session.caller()
    }

    /// Decides everything that arrived together.
    pub(crate) fn turn<'f>(&mut self, frames: impl Iterator<Item = Framed<'f>>) -> Turn<'f> {
        let Self { gate, gate_session, session, decoder, limits, style, clock, kept, requester, .. } = self;
        let at = Setting { gate, session, limits: *limits, style: *style, requester, clock: *clock };
        let mut making = Making::new(at, gate.round(gate_session), kept);
        for framed in frames {
            match framed {
                Framed::Refused(refusal) => making.refuse_frame(refusal),
                Framed::Line { whole, body } => {
                    let rule = session.lock().batch_rule();
                    match decoder.decode(body, Direction::ClientToServer, rule) {
                        Err(refusal) => making.refuse_frame(refusal),
                        Ok(Frame::One(message)) => making.one(&message, whole),
                        Ok(Frame::Batch(messages)) => making.batch(&messages, whole),
                    }
                }
            }
        }
        let (mut turn, rest) = making.finish();
        self.conclude(&mut turn, rest);
        turn
    }

    /// A round without frames.
    pub(crate) fn making(&mut self) -> Making<'_, 'static> {
        let Self { gate, gate_session, session, limits, style, clock, kept, requester, .. } = self;
        let at = Setting { gate, session, limits: *limits, style: *style, requester, clock: *clock };
        Making::new(at, gate.round(gate_session), kept)
    }

    /// Cancelled calls that had to give way to others have no answer: one that comes now is refused.
    pub(crate) fn settle_abandoned(&self) {
        let mut outcomes = Outcomes::default();
        for ticket in self.session.lock().take_abandoned() {
            outcomes.settle(self.caller(), &ticket, &Outcome::without_answer("no_answer"), clock::now());
        }
        if let Err(error) = self.gate.record(&mut outcomes) {
            NO_EVIDENCE.say(&format!("an outcome could not be recorded: {error}"));
        }
    }

    pub(crate) fn record(&self, refusals: &[Refusal]) {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use thoth_audit::{ContentKey, ContentMode, Leaves};
    use thoth_gate::{Evidence, EvidenceError, Standing};
    use thoth_mcp::{FrameBuffer, IdKey};
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
        let side = ClientSide::new(
            gate,
            gate_session,
            Arc::clone(&session),
            Limits::default(),
            RefusalStyle::default(),
            ApprovalOptions::default(),
            rehearsal::sealer(),
        );
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

    /// What a client says once, the server hears once.
    #[test]
    fn a_batch_goes_out_once() {
        let mut world = world();
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        for batch in
            [format!("[{},{note}]", request(1, "ping")), format!("[{note}]"), format!("[{}]", request(2, "tools/call"))]
        {
            assert_eq!(send(&mut world, &batch), (1, vec![]), "{batch}");
        }
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
