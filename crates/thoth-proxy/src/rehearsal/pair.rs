//! Both directions of one session, with no process and no pipe between them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value;
use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::pin::Pin;
use thoth_gate::{
    Evidence, EvidenceError, Gate, GateSession, PinChange, PinKey, PinRecord, Pins, PinsError, Seen, SessionLabels,
    Standing,
};
use thoth_mcp::FrameBuffer;
use thoth_policy::{ScopeList, Sources};
use thoth_testkit::memory_pins::MemoryPins;
use thoth_types::json::Limits;
use thoth_types::{Fingerprint, ItemKind, ServerName, Severity, Threat};

use super::{caller, sealer};
use crate::answer::RefusalStyle;
use crate::approval::ApprovalOptions;
use crate::client_side::ClientSide;
use crate::server_side::ServerSide;
use crate::session::Session;
use crate::warden::Warden;

/// A scanner that finds what says so.
pub(crate) fn scan(_: ItemKind, fingerprint: &Fingerprint) -> Vec<Threat> {
    let severities = [("EVIL", Severity::Critical), ("ODD", Severity::Warning)];
    let found = severities.into_iter().filter(|(word, _)| fingerprint.definition.contains(word));
    found.map(|(word, severity)| Threat { severity, rule: word.into(), message: "found".into() }).collect()
}

/// A ledger in memory.
#[derive(Debug, Default)]
struct Records(Mutex<Vec<Value>>);

impl Evidence for Records {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        let leaves = leaves.iter().map(|leaf| serde_json::from_slice(leaf).unwrap());
        self.0.lock().unwrap().extend(leaves);
        Ok(())
    }
}

/// Pins that can be made to fail.
#[derive(Debug, Default)]
pub(crate) struct FlakyPins {
    pub(crate) pins: MemoryPins,
    /// Nothing that is shown can be taken in.
    pub(crate) refuses: AtomicBool,
    /// How often one pin was asked for.
    pub(crate) looks: AtomicUsize,
}

impl Pins for FlakyPins {
    fn observe(&self, seen: &[Seen], record: &mut PinRecord<'_>, now: Timestamp) -> Result<Vec<Arc<Pin>>, PinsError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(PinsError::Store("busy".into()));
        }
        self.pins.observe(seen, record, now)
    }

    fn update(&self, key: &PinKey, change: &mut PinChange<'_>) -> Result<Pin, PinsError> {
        self.pins.update(key, change)
    }

    fn add(&self, pin: &Pin, record: &mut PinRecord<'_>) -> Result<bool, PinsError> {
        self.pins.add(pin, record)
    }

    fn look(&self, key: &PinKey) -> Result<Option<Pin>, PinsError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.pins.look(key)
    }

    fn list(&self, server: Option<&ServerName>) -> Result<Vec<Pin>, PinsError> {
        self.pins.list(server)
    }

    fn version(&self) -> Result<u64, PinsError> {
        self.pins.version()
    }
}

/// One session.
pub(crate) struct Pair {
    pub(crate) pins: Arc<FlakyPins>,
    pub(crate) session: Arc<Session>,
    client: ClientSide,
    server: ServerSide,
    records: Arc<Records>,
}

impl Pair {
    /// Under a policy that allows every call, with these lines behind it.
    pub(crate) fn under(policy: &str) -> Self {
        Self::on(policy, Arc::default())
    }

    /// The same beside other sessions, which share the pins.
    pub(crate) fn on(policy: &str, pins: Arc<FlakyPins>) -> Self {
        let policy = format!("version: \"1\"\ndefaults: {{ approval: auto }}\n{policy}\n");
        let policy = thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap();
        let records = Arc::new(Records::default());
        let (evidence, key) = (Arc::clone(&records) as Arc<dyn Evidence>, ContentKey::new([0; 32]));
        let gate = Gate::new(Standing::Valid(Box::new(policy)), evidence, ContentMode::None, key);
        let gate = Arc::new(gate.with_pins(Arc::clone(&pins) as Arc<dyn Pins>));
        let session = Arc::new(Session::guarded(Warden::new(Arc::clone(&gate), caller(), scan)));
        session.lock().negotiate("2025-03-26");
        let gate_session = GateSession::new(caller(), ScopeList::default(), [7; 8]);
        let client = ClientSide::new(
            Arc::clone(&gate),
            gate_session,
            Arc::clone(&session),
            Limits::default(),
            RefusalStyle::default(),
            ApprovalOptions::default(),
            sealer(),
        );
        let labels = SessionLabels::default();
        let server = ServerSide::new(gate, caller(), labels, Arc::clone(&session), Limits::default());
        Self { pins, session, client, server, records }
    }

    /// The client asks: whether that goes out, or else what it is answered.
    pub(crate) fn ask(&mut self, id: u32, method: &str, params: &Value) -> Result<(), Value> {
        let request = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let line = format!("{request}\n");
        let buffer = filled(&line);
        let turn = self.client.turn(buffer.frames());
        match turn.permits.len() {
            0 => Err(serde_json::from_slice(&turn.replies).unwrap()),
            _ => Ok(()),
        }
    }

    /// The server says something: what the client gets of it, what Thoth tells the client, and what it tells the server.
    pub(crate) fn say(&mut self, message: &Value) -> (String, String, String) {
        let line = format!("{message}\n");
        let buffer = filled(&line);
        let delivery = self.server.deliver(buffer.frames());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(delivery.frames.concat()), text(delivery.replies), text(delivery.complaints))
    }

    /// The client asks and the server answers: what the client gets.
    pub(crate) fn trade(&mut self, method: &str, params: &Value, answer: &Value) -> Value {
        self.ask(1, method, params).unwrap();
        let mut message = serde_json::json!({"jsonrpc": "2.0", "id": 1});
        message.as_object_mut().unwrap().extend(answer.as_object().cloned().unwrap());
        let (frames, replies, _) = self.say(&message);
        serde_json::from_str(&(frames + &replies)).unwrap()
    }

    /// Why a call of this tool is refused; nothing for one that goes out and is answered.
    pub(crate) fn refusal(&mut self, tool: &str) -> Option<String> {
        let params = serde_json::json!({"name": tool});
        match self.ask(1, "tools/call", &params) {
            Err(answer) => Some(answer["error"]["data"]["reason_code"].as_str().unwrap().to_owned()),
            Ok(()) => {
                self.say(&serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}));
                None
            }
        }
    }

    /// Whether a request is refused because what it asks for is kept from the client; else it goes out and is answered.
    pub(crate) fn is_withheld(&mut self, method: &str, params: &Value) -> bool {
        match self.ask(1, method, params) {
            Err(answer) => {
                assert!(answer.to_string().contains("withheld") || answer["error"]["code"] == -32001, "{answer}");
                true
            }
            Ok(()) => {
                self.say(&serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
                false
            }
        }
    }

    /// What was recorded of this kind.
    pub(crate) fn recorded(&self, kind: &str) -> Vec<Value> {
        let records = self.records.0.lock().unwrap();
        records.iter().filter(|record| record["eventType"] == kind).cloned().collect()
    }
}

fn filled(line: &str) -> FrameBuffer {
    let mut buffer = FrameBuffer::new(1_000_000);
    buffer.spare()[..line.len()].copy_from_slice(line.as_bytes());
    buffer.advance(line.len());
    buffer
}
