//! Stage 4 in the pipeline, and what becomes of definitions at the desk for pins.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::{Arc, Mutex};

use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::pin::Approval;
use thoth_gate::{Answer, Evidence, EvidenceError, Gate, GateSession, Moment, PinsError, Standing};
use thoth_policy::{ScopeList, Sources};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_testkit::memory_pins::MemoryPins;
use thoth_testkit::pins_suite::seen;
use thoth_types::{
    Arguments, Caller, Channel, Decision, Integrity, Listed, Mode, PinState, Severity, Threat, ToolCall,
};

/// A ledger in memory that can be made to fail.
#[derive(Default)]
struct Memory {
    leaves: Mutex<Vec<serde_json::Value>>,
    broken: Mutex<bool>,
}

impl Evidence for Memory {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        if *self.broken.lock().unwrap() {
            return Err(EvidenceError("disk full".into()));
        }
        self.leaves
            .lock()
            .unwrap()
            .extend(leaves.iter().map(|leaf| serde_json::from_slice::<serde_json::Value>(leaf).unwrap()));
        Ok(())
    }
}

impl Memory {
    fn kinds(&self) -> Vec<String> {
        let leaves = self.leaves.lock().unwrap();
        leaves.iter().map(|leaf| leaf["eventType"].as_str().unwrap().to_owned()).collect()
    }
}

fn gate(memory: &Arc<Memory>) -> Gate {
    let policy = "version: \"1\"\ndefaults: { approval: auto }\n";
    let policy = thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap();
    let evidence: Arc<dyn Evidence> = Arc::clone(memory) as Arc<dyn Evidence>;
    Gate::new(Standing::Valid(Box::new(policy)), evidence, ContentMode::None, ContentKey::new([1; 32]))
        .with_holds(Arc::new(MemoryHolds::default()))
        .with_pins(Arc::new(MemoryPins::default()))
}

fn caller(mode: Mode) -> Caller {
    Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: "agent".parse().ok(),
        session: "session".parse().unwrap(),
        server: "files".parse().unwrap(),
        intent: None,
        approved_scope: Vec::new(),
        mode,
    }
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// Defends: a failed pin is never softened by a mode; what is asked about is, as any other question.
#[test]
fn no_mode_softens_a_failed_pin() {
    use Decision::{Allow, Block, StepUp};
    let pinned = |pin| Integrity { pin: Some(pin), ..Integrity::default() };
    let threat = Threat { severity: Severity::Critical, rule: "r".into(), message: "m".into() };
    let poisoned = Integrity { threat: Some(threat), ..pinned(PinState::Approved) };
    let unknown = Integrity { problem: Some("x".into()), ..Integrity::default() };
    // What is known; what is answered in the modes block, step_up, progressive and observe.
    let cases = [
        (pinned(PinState::Approved), [Allow; 4], "default_auto"),
        (pinned(PinState::Quarantined), [Block; 4], "tool_quarantined"),
        (pinned(PinState::Revoked), [Block; 4], "tool_revoked"),
        (poisoned, [Block; 4], "tool_poisoned"),
        (unknown, [Block; 4], "integrity_unavailable"),
        (pinned(PinState::Pending), [StepUp, StepUp, StepUp, Allow], "tool_not_approved"),
    ];
    for (known, expected, code) in cases {
        let modes = [Mode::Block, Mode::StepUp, Mode::Progressive, Mode::Observe];
        for (mode, expected) in modes.into_iter().zip(expected) {
            let memory = Arc::new(Memory::default());
            let gate = gate(&memory);
            let mut session = GateSession::new(caller(mode), ScopeList::default(), [7; 8]);
            let call = ToolCall {
                also_sent: Box::default(),
                enforcement_trace: None,
                tool: "read".into(),
                arguments: Arguments::NONE,
                listed: Listed::Yes,
                integrity: Some(Arc::new(known.clone())),
                retry_of: None,
                task: false,
                remote: None,
            };
            let mut round = gate.round(&mut session);
            let now = Moment { wall: at(0), monotonic_us: 0 };
            let answer = match round.admit(&call, b"frame\n".as_slice().into(), &|| Some([7; 16]), now) {
                Answer::Admitted => Allow,
                Answer::Refused(refused) => refused.decision,
                Answer::Unasked(_) => panic!("no enforcer is asked here"),
            };
            let permits = round.commit().permits.len();
            assert_eq!((answer, permits), (expected, usize::from(expected == Allow)), "{mode} {known:?}");
            // The reason is in the record, and the stage's finding among the others.
            let leaves = memory.leaves.lock().unwrap();
            assert_eq!(leaves[0]["reasonCode"], code, "{mode} {}", leaves[0]);
        }
    }
}

fn approval(by: &str) -> Approval {
    Approval {
        by: Some(by.into()),
        channel: Some(Channel::Terminal),
        origin: "tty".into(),
        at: at(5),
        accepted: Arc::from([]),
    }
}

/// Defends invariant 4 for pins: a change is recorded before it counts, and what cannot be recorded does not happen.
#[test]
fn what_is_not_recorded_is_not_pinned() {
    let memory = Arc::new(Memory::default());
    let gate = gate(&memory);
    let (desk, caller) = (gate.pin_desk(), caller(Mode::Block));
    let (old, new) = (seen("files", "read", "{}", true), seen("files", "read", "{\"x\":1}", true));
    let broken = |is: bool| *memory.broken.lock().unwrap() = is;
    let state = || desk.pins().look(&old.key).unwrap().map(|pin| pin.state());
    broken(true);
    assert!(matches!(desk.observe(&caller, std::slice::from_ref(&old), at(0)), Err(PinsError::Evidence(_))));
    assert_eq!(state(), None);
    broken(false);
    desk.observe(&caller, std::slice::from_ref(&old), at(0)).unwrap();
    broken(true);
    assert!(desk.observe(&caller, std::slice::from_ref(&new), at(1)).is_err());
    assert_eq!(state(), Some(PinState::Approved));
    // What needs no record does not fail for want of one.
    assert!(desk.observe(&caller, std::slice::from_ref(&old), at(1)).unwrap().news.is_empty());
    broken(false);
    desk.observe(&caller, std::slice::from_ref(&new), at(2)).unwrap();
    broken(true);
    let looked_at = new.fingerprint.digest;
    assert!(matches!(desk.approve(&caller, &old.key, looked_at, &approval("dev")), Err(PinsError::Evidence(_))));
    assert!(matches!(desk.revoke(&caller, &old.key, &approval("dev")), Err(PinsError::Evidence(_))));
    assert_eq!(state(), Some(PinState::Quarantined));
    broken(false);
    desk.approve(&caller, &old.key, looked_at, &approval("dev")).unwrap();
    desk.revoke(&caller, &old.key, &approval("ops")).unwrap();
    assert_eq!(state(), Some(PinState::Revoked));
    assert_eq!(memory.kinds(), ["TOOL_PINNED", "TOOL_CHANGED", "PIN_APPROVED", "PIN_REVOKED"]);
    let leaves = memory.leaves.lock().unwrap();
    assert_eq!((&leaves[2]["approver"], &leaves[2]["pinDigest"]), (&"dev".into(), &looked_at.to_string().into()));
    assert_eq!(leaves[3]["approver"], "ops");
}
