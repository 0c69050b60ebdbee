//! Sessions that must ask an enforcer: what is asked, what an answer is good for, and what is left alone meanwhile.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::hold::HoldState;
use thoth_gate::{Answer, Evidence, EvidenceError, Gate, GateSession, Holds as _, Moment, Refused, Standing, Unasked};
use thoth_policy::{ScopeList, Sources};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_types::json::{Limits, Tape};
use thoth_types::{
    AgentId, Approver, Arguments, Caller, Channel, Decision, Listed, Mode, ReasonCode, Remote, RemoteTold,
    RemoteVerdict, Requester, ServerName, SessionId, ToolCall, Vote,
};

const POLICY: &str = r#"
version: "1"
defaults: { approval: block, risk_level: high }
rules:
  - { name: read, match: { tool: "read_*" }, approval: auto, risk_level: low }
  - { name: write, match: { tool: "write_*" }, approval: approve, risk_level: medium }
  - { name: delete, match: { tool: "delete_*" }, approval: block, risk_level: critical }
gateway:
  max_tool_calls: 2
"#;

#[derive(Default)]
struct Memory(Mutex<Vec<Value>>);

impl Evidence for Memory {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        self.0.lock().unwrap().extend(leaves.iter().map(|leaf| serde_json::from_slice::<Value>(leaf).unwrap()));
        Ok(())
    }
}

struct World {
    memory: Arc<Memory>,
    holds: Arc<MemoryHolds>,
    gate: Gate,
    session: GateSession,
}

fn standing(policy: &str) -> Standing {
    Standing::Valid(Box::new(thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap()))
}

fn requester() -> Requester {
    Requester { account: "dev".into(), uid: 1000, user: None, client: None }
}

fn world(mode: Mode) -> World {
    let (memory, holds) = (Arc::new(Memory::default()), Arc::new(MemoryHolds::default()));
    let caller = Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: Some(AgentId::from_str("agent").unwrap()),
        session: SessionId::from_str("session").unwrap(),
        server: ServerName::from_str("files").unwrap(),
        intent: None,
        approved_scope: Vec::new(),
        mode,
    };
    let evidence: Arc<dyn Evidence> = Arc::clone(&memory) as Arc<dyn Evidence>;
    let key = ContentKey::new([1; 32]);
    let gate = Gate::new(standing(POLICY), evidence, ContentMode::Redacted, key).with_holds(holds.clone());
    let session =
        GateSession::new(caller, ScopeList::default(), [7; 8]).requested_by(requester()).asking_an_enforcer(true);
    World { memory, holds, gate, session }
}

fn at(second: i64) -> Moment {
    Moment { wall: jiff::Timestamp::from_second(1_790_000_000 + second).unwrap(), monotonic_us: 0 }
}

fn random() -> Option<[u8; 16]> {
    static NAMED: AtomicU64 = AtomicU64::new(0);
    Some((0x00ab_cdef_u128 << 96 | u128::from(NAMED.fetch_add(1, Ordering::Relaxed))).to_be_bytes())
}

impl World {
    /// Puts a call to the gate; what is answered, and whether a permit came of it.
    fn put(&mut self, tool: &str, arguments: &str, remote: Option<Remote>) -> (Answer, bool) {
        let mut tape = Tape::new();
        let arguments = Arguments::new(Some(tape.parse(arguments.as_bytes(), &Limits::default()).unwrap()));
        let call = ToolCall {
            tool: tool.into(),
            arguments,
            listed: Listed::Yes,
            integrity: None,
            retry_of: None,
            task: false,
            also_sent: Box::default(),
            enforcement_trace: None,
            remote: remote.map(Arc::new),
        };
        let mut round = self.gate.round(&mut self.session);
        let answer = round.admit(&call, b"frame".as_slice().into(), &random, at(0));
        let committed = round.commit();
        assert!(committed.error.is_none());
        (answer, !committed.permits.is_empty())
    }

    fn asked(&mut self, tool: &str, arguments: &str) -> Unasked {
        match self.put(tool, arguments, None) {
            (Answer::Unasked(unasked), false) => *unasked,
            other => panic!("{tool}: {other:?}"),
        }
    }

    fn refused(&mut self, tool: &str, arguments: &str, remote: Option<Remote>) -> Refused {
        match self.put(tool, arguments, remote) {
            (Answer::Refused(refused), false) => *refused,
            other => panic!("{tool}: {other:?}"),
        }
    }

    fn events(&self) -> Vec<Value> {
        self.memory.0.lock().unwrap().clone()
    }
}

fn answer(unasked: &Unasked, verdict: RemoteVerdict, code: ReasonCode) -> Remote {
    Remote {
        verdict,
        code,
        reason: "so it says".to_owned(),
        call_id: Arc::clone(&unasked.call_id),
        trace_id: Arc::clone(&unasked.trace_id),
        retry_after_seconds: None,
        modified_digest: None,
        told: RemoteTold::default(),
    }
}

fn allow(unasked: &Unasked) -> Remote {
    answer(unasked, RemoteVerdict::Allow, ReasonCode::RuleAuto)
}

/// Defends invariants 1 and 5: in no mode does a call go out that was not asked about, and asking uses nothing up: no
/// record, no budget, no violation, no approval.
#[test]
fn nothing_goes_out_unasked() {
    for mode in Mode::ALL {
        let mut world = world(*mode);
        for _ in 0..10 {
            let unasked = world.asked("read_a", "{}");
            assert_eq!((&*unasked.tool, &*unasked.arguments), ("read_a", b"{}".as_slice()));
            assert_eq!(unasked.session_tool_calls.len(), 1, "no call has gone out");
        }
        assert!(world.events().is_empty(), "{mode}");
        // What is refused here is nobody's question.
        assert_eq!(world.refused("delete_a", "{}", None).reason_code, ReasonCode::RuleBlock);
    }
    let mut world = world(Mode::Progressive);
    for _ in 0..10 {
        // The first violation warns, and is the first one however often it is looked at.
        world.asked("unknown", "{}");
    }
}

/// Defends invariant 5: an answer lets the one call through that was asked about, once, and with these arguments; the
/// record has the ids that the enforcer was told.
#[test]
fn an_answer_counts_once_and_for_its_call() {
    let mut world = world(Mode::Block);
    let unasked = world.asked("read_a", r#"{"n":1}"#);
    let made_up = Remote { call_id: "session-99".into(), ..allow(&unasked) };
    assert_eq!(world.refused("read_a", r#"{"n":1}"#, Some(made_up)).reason_code, ReasonCode::EnforcerNotAsked);
    let (admitted, permitted) = world.put("read_a", r#"{"n":1}"#, Some(allow(&unasked)));
    assert!(matches!(admitted, Answer::Admitted) && permitted);
    let again = world.refused("read_a", r#"{"n":1}"#, Some(allow(&unasked)));
    assert_eq!(again.reason_code, ReasonCode::EnforcerNotAsked, "once");
    let pre = world.events().into_iter().rfind(|event| event["decision"] == "ALLOW").unwrap();
    assert_eq!((&pre["callId"], &pre["traceId"]), (&Value::from(&*unasked.call_id), &Value::from(&*unasked.trace_id)));
    assert_eq!((&pre["enforcerAttestationId"], &pre["enforcerTraceId"]), (&pre["callId"], &pre["traceId"]));
    for (tool, arguments) in [("read_a", r#"{"n":2}"#), ("read_b", r#"{"n":1}"#), ("read_a", r#"{"n":1.0}"#)] {
        let unasked = world.asked("read_a", r#"{"n":1}"#);
        let refused = world.refused(tool, arguments, Some(allow(&unasked)));
        assert_eq!(refused.reason_code, ReasonCode::EnforcerNotAsked, "{tool} {arguments}");
    }
}

/// What each answer comes to. Only allowing ones let the call through, and no mode softens the others.
#[test]
fn the_table_of_verdicts() {
    use RemoteVerdict::{Ask, Block, Defer, Hold};
    for mode in Mode::ALL {
        for (verdict, code, decision) in [
            (Block, ReasonCode::EnforcerBlock, Decision::Block),
            (Block, ReasonCode::EnforcerFallbackBlock, Decision::Block),
            (Hold, ReasonCode::EnforcerStepUp, Decision::StepUp),
            (Defer, ReasonCode::EnforcerDefer, Decision::Defer),
            (Ask, ReasonCode::EnforcerFallbackStepUp, Decision::StepUp),
        ] {
            let mut world = world(*mode);
            let unasked = world.asked("read_a", "{}");
            let remote = Remote { retry_after_seconds: Some(9), ..answer(&unasked, verdict, code) };
            let refused = world.refused("read_a", "{}", Some(remote));
            assert_eq!((refused.decision, refused.reason_code), (decision, code), "{mode} {verdict:?}");
            assert_eq!(
                refused.hold.is_some(),
                verdict == Ask,
                "a person is asked here only where nobody is asked there"
            );
            assert_eq!(refused.remote.unwrap().verdict, verdict);
            assert_eq!(world.events()[0]["reasonCode"], code.as_str());
        }
    }
    let mut world = world(Mode::Block);
    let unasked = world.asked("read_a", "{}");
    let fallback = answer(&unasked, RemoteVerdict::Allow, ReasonCode::EnforcerFallbackAllow);
    assert!(world.put("read_a", "{}", Some(fallback)).1);
    assert_eq!(world.events()[0]["reasonCode"], "enforcer_fallback_allow");
}

/// Defends invariant 2: other arguments go out if they are the enforcer's, and no others.
#[test]
fn changed_arguments_are_the_enforcers() {
    for (put, permitted) in [(r#"{"n":2}"#, true), (r#"{"n":1}"#, false), (r#"{"n":3}"#, false)] {
        let mut world = world(Mode::Block);
        let unasked = world.asked("read_a", r#"{"n":1}"#);
        let mut tape = Tape::new();
        let theirs = Arguments::new(Some(tape.parse(br#"{"n":2}"#, &Limits::default()).unwrap()));
        let digest = world.gate.call_digest("read_a", theirs);
        let remote = answer(&unasked, RemoteVerdict::Modify, ReasonCode::EnforcerModify);
        let remote = Remote { modified_digest: Some(digest.into()), ..remote };
        assert_eq!(world.put("read_a", put, Some(remote)).1, permitted, "{put}");
        assert_eq!(world.events()[0]["decision"], if permitted { "MODIFY" } else { "BLOCK" });
    }
}

/// Defends that an approval is used up by the call that goes out, and not by the question; and that whoever approves here
/// does not approve for the enforcer.
#[test]
fn an_approval_here_is_kept_for_the_answer() {
    for (verdict, code, permitted) in [
        (RemoteVerdict::Allow, ReasonCode::RuleAuto, true),
        (RemoteVerdict::Block, ReasonCode::EnforcerBlock, false),
        (RemoteVerdict::Hold, ReasonCode::EnforcerStepUp, false),
    ] {
        let mut world = world(Mode::Block);
        let held = world.refused("write_a", "{}", None);
        assert_eq!(held.decision, Decision::StepUp);
        let token = held.hold.unwrap().token;
        let vote = Vote {
            approver: Approver { account: "dev".into(), uid: 1000 },
            approves: true,
            channel: Channel::Terminal,
            origin: "tty".to_owned(),
            at: at(0).wall,
            line: Vec::new(),
        };
        world.gate.desk().vote(&token, &vote).unwrap();
        let unasked = world.asked("write_a", "{}");
        assert_eq!(world.holds.look(&token).unwrap().state, HoldState::Approved);
        assert_eq!(world.put("write_a", "{}", Some(answer(&unasked, verdict, code))).1, permitted, "{verdict:?}");
        let state = if permitted { HoldState::Spent } else { HoldState::Approved };
        assert_eq!(world.holds.look(&token).unwrap().state, state, "{verdict:?}");
    }
}

/// Defends invariant 5: what the policy says by then holds, whatever the enforcer has said meanwhile.
#[test]
fn the_policy_of_then_decides() {
    let mut world = world(Mode::Block);
    let unasked = world.asked("read_a", "{}");
    world.gate.replace(standing("version: \"1\"\ndefaults: { approval: block }\n"));
    assert_eq!(world.refused("read_a", "{}", Some(allow(&unasked))).reason_code, ReasonCode::DefaultBlock);
    let reason = "broken".to_owned();
    world.gate.replace(Standing::Invalid { reason });
    assert_eq!(world.refused("read_a", "{}", None).reason_code, ReasonCode::PolicyInvalid);
}

/// What a call that waits there has recorded is one call, and what comes of it another.
#[test]
fn a_call_that_waited_there_goes_out_under_a_new_id() {
    let mut world = world(Mode::Block);
    let unasked = world.asked("read_a", "{}");
    let hold = answer(&unasked, RemoteVerdict::Hold, ReasonCode::EnforcerStepUp);
    assert_eq!(*world.refused("read_a", "{}", Some(hold)).call_id, *unasked.call_id);
    assert!(world.put("read_a", "{}", Some(allow(&unasked))).1);
    assert_eq!(world.refused("read_a", "{}", Some(allow(&unasked))).reason_code, ReasonCode::EnforcerNotAsked);
    let events = world.events();
    let ids: Vec<&Value> = events.iter().map(|event| &event["eventId"]).collect();
    let distinct: std::collections::HashSet<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    let went = events.iter().find(|event| event["decision"] == "ALLOW").unwrap();
    assert_ne!(went["callId"], went["enforcerAttestationId"]);
}
