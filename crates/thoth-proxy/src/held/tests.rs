//! Held calls against a real gate and a store in memory. Time is what a test says it is.

mod dialogues;
mod histories;
mod modern;
mod waits;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::hold::{Hold, HoldState};
use thoth_gate::{Evidence, EvidenceError, Gate, GateSession, Moment, Standing};
use thoth_mcp::FrameBuffer;
use thoth_policy::{ScopeList, Sources};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_types::json::Limits;
use thoth_types::{Approver, Channel, Requester, Vote, Way};

use crate::answer::RefusalStyle;
use crate::approval::ApprovalOptions;
use crate::client_side::ClientSide;
use crate::rehearsal;
use crate::session::Session;
use crate::turn::Turn;

/// Asks about every call of a tool whose name begins with `t`; whoever sits at the machine may agree, also in a dialogue.
const POLICY: &str = r#"
version: "1"
defaults: { approval: auto }
rules:
  - { name: asks, match: { tool: "t*" }, approval: approve }
approvals: { approvers: [local_user], ttl: 15m }
"#;

const SECOND: u64 = 1_000_000;

thread_local! {
    static NOW_US: Cell<u64> = const { Cell::new(0) };
}

fn now() -> Moment {
    let us = NOW_US.get();
    let wall = Timestamp::from_microsecond(1_800_000_000_000_000 + i64::try_from(us).unwrap()).unwrap();
    Moment { wall, monotonic_us: us }
}

/// A ledger that can be full, and that shows what was written.
#[derive(Default)]
struct Disk {
    full: AtomicBool,
    text: std::sync::Mutex<String>,
}

impl Evidence for Disk {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(EvidenceError("full".into()));
        }
        let mut text = self.text.lock().unwrap();
        leaves.iter().for_each(|leaf| text.push_str(&String::from_utf8_lossy(leaf)));
        Ok(())
    }
}

impl Disk {
    fn count(&self, word: &str) -> usize {
        self.text.lock().unwrap().matches(word).count()
    }
}

struct World {
    disk: Arc<Disk>,
    gate: Arc<Gate>,
    session: Arc<Session>,
    side: ClientSide,
}

/// What went out.
#[derive(Debug, Default, PartialEq)]
struct Out {
    /// To the server, byte by byte.
    server: Vec<String>,
    /// To the client.
    client: Vec<Value>,
}

impl Out {
    fn of(turn: Turn<'_>) -> Self {
        let server = turn.permits.into_iter().map(|permit| String::from_utf8(permit.spend().into_owned()).unwrap());
        let lines = turn.replies.split_inclusive(|byte| *byte == b'\n');
        Self { server: server.collect(), client: lines.map(|line| serde_json::from_slice(line).unwrap()).collect() }
    }

    fn and(mut self, other: Self) -> Self {
        self.server.extend(other.server);
        self.client.extend(other.client);
        self
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The one answer to a request, by its id.
    fn answer(&self, id: u32) -> &Value {
        let mut answers = self.client.iter().filter(|message| message["id"] == json!(id));
        let answer = answers.next().unwrap_or_else(|| panic!("no answer to {id} in {self:?}"));
        assert!(answers.next().is_none(), "{self:?}");
        answer
    }
}

fn options(way: Option<Way>) -> ApprovalOptions {
    ApprovalOptions { way, ..ApprovalOptions::default() }
}

impl World {
    fn new(policy: &str, way: Option<Way>) -> Self {
        NOW_US.set(0);
        let disk = Arc::new(Disk::default());
        let evidence: Arc<dyn Evidence> = Arc::clone(&disk) as Arc<dyn Evidence>;
        let key = ContentKey::new([0; 32]);
        let gate =
            Gate::new(load(policy), evidence, ContentMode::None, key).with_holds(Arc::new(MemoryHolds::default()));
        let gate = Arc::new(gate);
        let session = Arc::new(Session::default());
        session.lock().negotiate("2025-11-25");
        let requester = Requester { account: "dev".into(), uid: 1000, user: None, client: None };
        let gate_session = GateSession::new(rehearsal::caller(), ScopeList::default(), [7; 8]).requested_by(requester);
        let side = ClientSide::new(
            Arc::clone(&gate),
            gate_session,
            Arc::clone(&session),
            Limits::default(),
            RefusalStyle::default(),
            options(way),
            rehearsal::sealer(),
        )
        .with_clock(now);
        Self { disk, gate, session, side }
    }

    /// Takes in what the client sends at once, and what follows from it without waiting.
    fn hear(&mut self, lines: &str) -> Out {
        let lines = format!("{lines}\n");
        let mut buffer = FrameBuffer::new(64 * 1024 * 1024);
        for chunk in lines.as_bytes().chunks(8 * 1024) {
            buffer.spare()[..chunk.len()].copy_from_slice(chunk);
            buffer.advance(chunk.len());
        }
        let out = Out::of(self.side.turn(buffer.frames()));
        out.and(self.look())
    }

    fn look(&mut self) -> Out {
        if self.side.waits() { Out::of(self.side.tick(|_| false)) } else { Out::default() }
    }

    /// Lets time pass, in steps of a second.
    fn pass(&mut self, seconds: u64) -> Out {
        let mut out = Out::default();
        for _ in 0..seconds {
            NOW_US.set(NOW_US.get() + SECOND);
            out = out.and(self.look());
        }
        out
    }

    /// Lets as much time pass as there is between two looks.
    fn blink(&mut self) -> Out {
        NOW_US.set(NOW_US.get() + crate::waiting::TICK_US);
        self.look()
    }

    /// All holds, oldest first.
    fn holds(&self) -> Vec<Hold> {
        let mut holds = self.gate.desk().holds().list().unwrap();
        holds.reverse();
        holds
    }

    fn states(&self) -> Vec<HoldState> {
        self.holds().iter().map(|hold| hold.state_at(now().wall)).collect()
    }

    /// Somebody at a terminal answers the latest hold.
    fn vote(&self, approves: bool) {
        let hold = self.holds().pop().unwrap();
        let approver = Approver { account: "dev".into(), uid: 1000 };
        let vote = Vote {
            approver,
            approves,
            channel: Channel::Terminal,
            origin: "tty".to_owned(),
            at: now().wall,
            line: Vec::new(),
        };
        self.gate.desk().vote(&hold.token, &vote).unwrap();
    }

    /// The client says what it can do.
    fn initialize(&mut self, capabilities: &str, name: &str) {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":"init","method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"clientInfo":{{"name":"{name}","version":"1"}}}}}}"#
        );
        assert_eq!(self.hear(&line).server.len(), 1);
    }
}

fn load(policy: &str) -> Standing {
    Standing::Valid(Box::new(thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap()))
}

/// A call in the spelling of a client that likes spaces.
fn call(id: u32, tool: &str) -> String {
    format!(
        r#"{{ "jsonrpc":"2.0", "id":{id}, "method":"tools/call", "params":{{"name":"{tool}", "arguments":{{"n": 1.0}}}} }}"#
    )
}

fn cancel(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}
