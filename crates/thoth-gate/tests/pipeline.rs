//! The pipeline as a whole, on a policy text and an in-memory ledger.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::{
    Answer, Evidence, EvidenceError, Gate, GateSession, Moment, Outcome, Outcomes, Preflight, Quarantine, Standing,
};
use thoth_policy::{ScopeList, Sources};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_types::json::{Limits, Tape};
use thoth_types::{AgentId, Arguments, Caller, Decision, Listed, Mode, ReasonCode, ServerName, SessionId, ToolCall};

const POLICY: &str = r#"
version: "1"
defaults: { approval: block, risk_level: high }
rules:
  - { name: read, match: { tool: "read_*" }, approval: auto, risk_level: low }
  - { name: write, match: { tool: "write_*" }, approval: approve, risk_level: medium }
  - { name: delete, match: { tool: "delete_*" }, approval: block, risk_level: critical, reason: gone is gone }
gateway:
  max_tool_calls: 4
tools:
  read_rarely: { max_calls_per_minute: 2 }
"#;

/// A ledger in memory that can be made to fail.
#[derive(Default)]
struct Memory {
    leaves: Mutex<Vec<String>>,
    broken: Mutex<bool>,
}

impl Evidence for Memory {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        if *self.broken.lock().unwrap() {
            return Err(EvidenceError("disk full".into()));
        }
        let texts = leaves.iter().map(|leaf| String::from_utf8(leaf.to_vec()).unwrap());
        self.leaves.lock().unwrap().extend(texts);
        Ok(())
    }
}

impl Memory {
    fn events(&self) -> Vec<serde_json::Value> {
        self.leaves.lock().unwrap().iter().map(|leaf| serde_json::from_str(leaf).unwrap()).collect()
    }
}

struct World {
    memory: Arc<Memory>,
    gate: Gate,
    session: GateSession,
}

fn world(policy: &str, mode: Mode) -> World {
    let memory = Arc::new(Memory::default());
    let standing = Standing::Valid(Box::new(thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap()));
    let evidence: Arc<dyn Evidence> = Arc::clone(&memory) as Arc<dyn Evidence>;
    World {
        gate: Gate::new(standing, evidence, ContentMode::Redacted, ContentKey::new([1; 32]))
            .with_holds(Arc::new(MemoryHolds::default())),
        memory,
        session: session(mode),
    }
}

fn session(mode: Mode) -> GateSession {
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
    GateSession::new(caller, ScopeList::default(), [7; 8])
}

fn at(second: i64) -> Moment {
    Moment {
        wall: jiff::Timestamp::from_second(1_790_000_000 + second).unwrap(),
        monotonic_us: u64::try_from(second).unwrap() * 1_000_000,
    }
}

fn named(tool: &str) -> ToolCall<'_> {
    ToolCall {
        tool: tool.into(),
        arguments: Arguments::NONE,
        listed: Listed::Yes,
        integrity: None,
        retry_of: None,
        task: false,
        remote: None,
        also_sent: Box::default(),
        enforcement_trace: None,
    }
}

/// Names holds one after the other.
fn random() -> Option<[u8; 16]> {
    static NAMED: AtomicU64 = AtomicU64::new(0);
    Some((0x00ab_cdef_u128 << 96 | u128::from(NAMED.fetch_add(1, Ordering::Relaxed))).to_be_bytes())
}

/// One call in a round of its own: what was answered, and how many permits came of it.
fn call(world: &mut World, tool: &str, now: Moment) -> (Option<(Decision, ReasonCode)>, usize) {
    let call = named(tool);
    let mut round = world.gate.round(&mut world.session);
    let answer = match round.admit(&call, b"frame\n".as_slice().into(), &random, now) {
        Answer::Admitted => None,
        Answer::Refused(refused) => Some((refused.decision, refused.reason_code)),
        Answer::Unasked(_) => panic!("no enforcer is asked here"),
    };
    let committed = round.commit();
    let spent: Vec<_> = committed.permits.into_iter().map(thoth_gate::Permit::spend).collect();
    assert!(spent.iter().all(|bytes| **bytes == *b"frame\n"));
    let withheld = committed.withheld.first().map(|refused| (refused.decision, refused.reason_code));
    (answer.or(withheld), spent.len())
}

/// Whoever has to say why a call passes is told what its record says, and a session that was forgotten and comes back uses
/// no id of a call twice.
#[test]
fn a_session_can_tell_and_count_on() {
    let mut world = world(POLICY, Mode::Block);
    world.session = session(Mode::Block).numbered_after(41).telling();
    let call = named("read_file");
    for number in [42, 43] {
        let mut round = world.gate.round(&mut world.session);
        assert!(matches!(round.admit(&call, b"frame\n".as_slice().into(), &random, at(0)), Answer::Admitted));
        let mut committed = round.commit();
        let (grounds, permit) = (committed.grounds.pop().unwrap(), committed.permits.pop().unwrap());
        assert_eq!((grounds.decision, grounds.reason_code), (Decision::Allow, ReasonCode::RuleAuto));
        assert_eq!(grounds.matched.first(), grounds.rule.as_ref());
        assert_eq!(permit.tickets().first().unwrap().call_id(), format!("session-{number}"));
        drop(permit.spend());
    }
}

/// Invariant 3: every decision has its reason, and the record says the same as the answer.
#[test]
fn answers_and_records_agree() {
    let mut world = world(POLICY, Mode::Block);
    let cases = [
        ("read_file", None, "ALLOW", "rule_auto"),
        ("write_file", Some((Decision::StepUp, ReasonCode::RuleApprove)), "STEP_UP", "rule_approve"),
        ("delete_file", Some((Decision::Block, ReasonCode::RuleBlock)), "BLOCK", "rule_block"),
        ("other", Some((Decision::Block, ReasonCode::DefaultBlock)), "BLOCK", "default_block"),
    ];
    for (tool, answer, decision, code) in cases {
        let before = world.memory.events().len();
        let (answered, permits) = call(&mut world, tool, at(0));
        assert_eq!((answered, permits), (answer, usize::from(answer.is_none())), "{tool}");
        let events = world.memory.events();
        let new = &events[before..];
        assert_eq!(new[0]["eventType"], "TOOL_CALL_PRE", "{tool}");
        assert_eq!(new[0]["toolName"], tool);
        assert!(new.iter().all(|e| e["decision"] == decision && e["reasonCode"] == code), "{tool}: {new:?}");
        assert_eq!(new.len(), if answer.is_none() { 1 } else { 2 }, "{tool}");
    }
}

/// Invariant 4, evidence before effect: what cannot be recorded does not go out, and messages that are no calls do.
#[test]
fn unrecorded_calls_do_not_go_out() {
    let mut world = world(POLICY, Mode::Observe);
    *world.memory.broken.lock().unwrap() = true;
    let call = named("read_file");
    let mut round = world.gate.round(&mut world.session);
    round.pass(b"ping\n");
    assert!(matches!(round.admit(&call, b"call\n".as_slice().into(), &random, at(0)), Answer::Admitted));
    let committed = round.commit();
    assert!(committed.error.is_some());
    assert_eq!(committed.withheld[0].reason_code, ReasonCode::EvidenceUnavailable);
    let passed: Vec<_> = committed.permits.into_iter().map(thoth_gate::Permit::spend).collect();
    assert_eq!(passed, [b"ping\n".as_slice()]);
}

/// Invariant 5: a policy that is not there blocks everything, in every mode.
#[test]
fn an_invalid_policy_blocks_in_every_mode() {
    for mode in Mode::ALL {
        let mut world = world(POLICY, *mode);
        world.gate.replace(Standing::Invalid { reason: "broken".to_owned() });
        assert_eq!(
            call(&mut world, "read_file", at(0)),
            (Some((Decision::Block, ReasonCode::PolicyInvalid)), 0),
            "{mode}"
        );
    }
}

/// Invariant 5: in quarantine every call is refused, in every mode and from the next call on; out of it, each is decided as
/// before.
#[test]
fn a_quarantine_refuses_every_call() {
    for mode in Mode::ALL {
        let mut world = world(POLICY, *mode);
        let quarantine = Quarantine::default();
        world.session = session(*mode).heeding(quarantine.clone());
        let refused = (Some((Decision::Block, ReasonCode::EndpointQuarantined)), 0);
        for (change, tool, expected) in [
            (None, "read_a", (None, 1)),
            (Some(true), "read_a", refused),
            (Some(true), "delete_a", refused),
            (Some(false), "read_a", (None, 1)),
        ] {
            change.map(|change| quarantine.set(change));
            assert_eq!(call(&mut world, tool, at(0)), expected, "{mode} {change:?} {tool}");
        }
        assert!(quarantine.set(true) && !quarantine.set(true), "it says whether that is new");
    }
}

/// Invariant 5: what the operator demands of a session is stricter than any mode and any policy, and allows nothing.
#[test]
fn a_preflight_only_tightens() {
    let only = |tools: &[&str]| Preflight::default().only(tools.iter().map(|tool| (*tool).to_owned()).collect());
    let blocked = |code| Some((Decision::Block, code));
    let not_for_intent = blocked(ReasonCode::ToolNotAllowedForSessionIntent);
    let ancestor = blocked(ReasonCode::LineageAncestorBlocked);
    let refuse = |preflight: Preflight| preflight.refuse_all(ReasonCode::LineageAncestorBlocked, "why".to_owned());
    for mode in Mode::ALL {
        let cases = [
            (Preflight::default(), "read_a", None),
            (only(&["read_a", "delete_a", "write_a"]), "read_a", None),
            (only(&["read_a", "delete_a", "write_a"]), "delete_a", blocked(ReasonCode::RuleBlock)),
            (only(&["read_a"]), "read_b", not_for_intent),
            (only(&["read_a"]), "read_a ", not_for_intent),
            (only(&["read_a"]), "READ_A", not_for_intent),
            (only(&["read_*"]), "read_a", not_for_intent),
            // The preflight's reason is told, also where the policy has one.
            (only(&["read_a"]), "delete_a", not_for_intent),
            (only(&[]), "read_a", not_for_intent),
            (only(&["read_a"]).only(["read_b".to_owned()].into()), "read_a", not_for_intent),
            (refuse(Preflight::default()), "read_a", ancestor),
            (refuse(only(&["read_a"])), "read_b", ancestor),
            (refuse(Preflight::default()), "delete_a", ancestor),
        ];
        for (preflight, tool, answer) in cases {
            let mut world = world(POLICY, *mode);
            world.session = session(*mode).under(preflight.clone());
            let answered = call(&mut world, tool, at(0));
            assert_eq!(answered, (answer, usize::from(answer.is_none())), "{mode} {tool} {preflight:?}");
        }
        // What passes is decided as it would be without.
        for tool in ["read_a", "write_a", "delete_a", "other"] {
            let (mut free, mut bound) = (world(POLICY, *mode), world(POLICY, *mode));
            bound.session = session(*mode).under(only(&["read_a", "write_a", "delete_a", "other"]));
            assert_eq!(call(&mut bound, tool, at(0)), call(&mut free, tool, at(0)), "{mode} {tool}");
        }
    }
    let mut told = world(POLICY, Mode::Observe);
    told.session = session(Mode::Observe).under(refuse(Preflight::default()));
    call(&mut told, "delete_a", at(0));
    let events = told.memory.events();
    assert_eq!((&events[0]["reasonCode"], &events[0]["reason"]), (&"lineage_ancestor_blocked".into(), &"why".into()));
    assert_eq!(events[0]["findings"].as_array().unwrap().len(), 2, "{}", events[0]);
}

#[test]
fn limits_count_allowed_calls_only() {
    let mut world = world(POLICY, Mode::Block);
    assert_eq!(call(&mut world, "delete_file", at(0)).1, 0);
    assert_eq!(call(&mut world, "read_rarely", at(1)).1, 1);
    assert_eq!(call(&mut world, "read_rarely", at(2)).1, 1);
    for spelling in ["read_rarely", "read_rarely ", "read_rarely\u{200b}"] {
        let refused = (Some((Decision::Block, ReasonCode::RateLimited)), 0);
        assert_eq!(
            call(&mut world, spelling, at(3)),
            refused,
            "{spelling:?}: another spelling has no window of its own"
        );
    }
    assert_eq!(call(&mut world, "read_rarely", at(62)).1, 1, "the window has moved on");
    assert_eq!(call(&mut world, "read_file", at(63)).1, 1);
    assert_eq!(call(&mut world, "read_file", at(64)), (Some((Decision::Block, ReasonCode::BudgetExhausted)), 0));
}

#[test]
fn a_batch_goes_out_whole_or_not_at_all() {
    let mut world = world(POLICY, Mode::Block);
    let calls = [named("read_a"), named("delete_b"), named("read_c")];
    let mut round = world.gate.round(&mut world.session);
    let codes: Vec<_> = round
        .admit_batch(&calls, b"batch\n", &random, at(0))
        .into_iter()
        .map(|answer| match answer {
            Answer::Admitted => None,
            Answer::Refused(refused) => Some(refused.reason_code),
            Answer::Unasked(_) => panic!("no enforcer is asked here"),
        })
        .collect();
    let expected = [ReasonCode::BatchRefused, ReasonCode::RuleBlock, ReasonCode::BatchRefused].map(Some);
    assert_eq!(codes, expected);
    assert!(round.commit().permits.is_empty());
    let events = world.memory.events();
    assert!(events.iter().all(|event| event["decision"] == "BLOCK"), "{events:?}");

    let mut round = world.gate.round(&mut world.session);
    let answers = round.admit_batch(&[named("read_a"), named("read_c")], b"batch\n", &random, at(0));
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Admitted)));
    let committed = round.commit();
    assert_eq!(committed.permits.len(), 1);
    assert_eq!(committed.permits[0].tickets().len(), 2);
}

#[test]
fn outcomes_join_their_intents() {
    let mut world = world(&format!("{POLICY}inspect: {{ secrets: {{ arguments: allow }} }}\n"), Mode::Block);
    let mut tape = Tape::new();
    let arguments = tape.parse(br#"{"path":"/a","password":"hunter2"}"#, &Limits::default()).unwrap();
    let call = ToolCall { arguments: Arguments::new(Some(arguments)), ..named("read_file") };
    let mut round = world.gate.round(&mut world.session);
    round.admit(&call, b"call\n".as_slice().into(), &random, at(0));
    let ticket = round.commit().permits[0].tickets()[0].clone();
    let mut outcomes = Outcomes::default();
    let outcome = Outcome { kind: "result", result_bytes: 12, task_id: None, found: None };
    outcomes.settle(world.session.caller(), &ticket, &outcome, at(2));
    world.gate.record(&mut outcomes).unwrap();
    let events = world.memory.events();
    assert_eq!(events[1]["eventType"], "TOOL_CALL_POST");
    assert_eq!(events[1]["callId"], events[0]["callId"]);
    assert_eq!(events[1]["argumentsDigest"], events[0]["argumentsDigest"]);
    assert_eq!(events[1]["durationUs"], 2_000_000);
    assert!(!events.iter().any(|event| event.to_string().contains("hunter2")), "secrets never reach the ledger");
}

const AFTER: &str = r#"
version: "1"
defaults: { approval: block }
rules:
  - { name: read, match: { tool: "read_*" }, approval: auto }
  - { name: deploy, match: { tool: deploy }, conditions: { after_call: read_tests }, approval: auto }
"#;

/// Invariant 5: a call that did not go out did not come before anything, whatever kept it.
#[test]
fn history_holds_only_what_went_out() {
    let deployed = |world: &mut World| call(world, "deploy", at(9)).1 == 1;
    let mut refused_batch = world(AFTER, Mode::Block);
    let mut round = refused_batch.gate.round(&mut refused_batch.session);
    round.admit_batch(&[named("read_tests"), named("other")], b"batch\n", &random, at(0));
    assert!(round.commit().permits.is_empty());
    assert!(!deployed(&mut refused_batch));

    let mut unrecorded = world(AFTER, Mode::Block);
    *unrecorded.memory.broken.lock().unwrap() = true;
    assert_eq!(call(&mut unrecorded, "read_tests", at(0)).1, 0);
    *unrecorded.memory.broken.lock().unwrap() = false;
    assert!(!deployed(&mut unrecorded));

    assert_eq!(call(&mut unrecorded, "read_tests", at(1)).1, 1);
    // What went out stays, also when a later round fails.
    *unrecorded.memory.broken.lock().unwrap() = true;
    assert_eq!(call(&mut unrecorded, "read_tests", at(2)).1, 0);
    *unrecorded.memory.broken.lock().unwrap() = false;
    assert!(deployed(&mut unrecorded));
}

/// Invariant 5: what was called is never forgotten, in either direction; rather is one more tool refused.
#[test]
fn many_different_tools_loosen_nothing() {
    let mut world = world(AFTER, Mode::Observe);
    for number in 0..4096 {
        assert_eq!(call(&mut world, &format!("read_{number}"), at(number)).1, 1);
    }
    let refused = Some((Decision::Block, ReasonCode::BudgetExhausted));
    assert_eq!(call(&mut world, "read_tests", at(5000)), (refused, 0));
    assert_eq!(call(&mut world, "read_7", at(5001)).1, 1);
}

/// Invariant 5: a flood of other calls does not wash away the count of a limited tool.
#[test]
fn a_flood_hides_no_calls_from_a_limit() {
    let policy = POLICY.replace("max_tool_calls: 4", "max_tool_calls: 100000");
    let mut world = world(&policy, Mode::Block);
    for _ in 0..2 {
        assert_eq!(call(&mut world, "read_rarely", at(0)).1, 1);
    }
    let mut round = world.gate.round(&mut world.session);
    for _ in 0..20_000 {
        assert!(matches!(
            round.admit(&named("read_file"), b"frame\n".as_slice().into(), &random, at(1)),
            Answer::Admitted
        ));
    }
    assert_eq!(round.commit().permits.len(), 20_000);
    assert_eq!(call(&mut world, "read_rarely", at(2)), (Some((Decision::Block, ReasonCode::RateLimited)), 0));
    assert_eq!(call(&mut world, "read_rarely", at(62)).1, 1, "the window has moved on");
}
