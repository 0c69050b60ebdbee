//! A gate on a policy text, with a ledger and a store of holds that can be made to fail.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::hold::{Consulted, Hold, HoldState, Question};
use thoth_gate::{
    Answer, Change, Desk, Evidence, EvidenceError, Gate, GateSession, Holds, HoldsError, Moment, Permit, Refused,
    Standing,
};
use thoth_policy::{ScopeList, Sources};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_types::json::{Limits, Tape};
use thoth_types::{
    Approver, Arguments, Caller, Channel, Decision, Grant, GrantScope, HoldToken, Integrity, Listed, Mode, ReasonCode,
    Requester, ToolCall, Vote,
};

pub(crate) const POLICY: &str = r#"
version: "1"
defaults: { approval: block, risk_level: high }
approvals:
  approvers: [local_user]
  ttl: 10m
  grants: { longest: 30m }
  volatile: [ { tool: "write_note", arguments: [timeout, options.trace_id] } ]
rules:
  - { name: read, match: { tool: "read_*" }, approval: auto, risk_level: low }
  - { name: write, match: { tool: "write_*" }, approval: approve, risk_level: medium, reason: somebody must look }
  - { name: delete, match: { tool: "delete_*" }, approval: block, risk_level: critical, reason: gone is gone }
"#;

/// A ledger in memory that can be made to fail.
#[derive(Default)]
pub(crate) struct Memory {
    leaves: Mutex<Vec<String>>,
    pub(crate) broken: Mutex<bool>,
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

/// What is done to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    Consult,
    Spend,
    Update,
    Grant,
    Count,
}

/// A store that fails where it is told to, and in which another process may be faster.
#[derive(Default)]
pub(crate) struct Shaky {
    inner: MemoryHolds,
    pub(crate) failing: Mutex<BTreeSet<Use>>,
    pub(crate) uses: Mutex<Vec<Use>>,
    /// The hold that another process uses up just before it is used up here.
    pub(crate) stolen: Mutex<Option<HoldToken>>,
}

impl Shaky {
    fn used(&self, kind: Use) -> Result<(), HoldsError> {
        self.uses.lock().unwrap().push(kind);
        let fails = self.failing.lock().unwrap().contains(&kind);
        if fails { Err(HoldsError::Store("the disk is gone".into())) } else { Ok(()) }
    }
}

impl Holds for Shaky {
    fn consult(&self, question: &Question<'_>, now: Timestamp) -> Result<Consulted, HoldsError> {
        self.used(Use::Consult)?;
        if question.spender.is_some() {
            self.used(Use::Spend)?;
            let stolen = self.stolen.lock().unwrap();
            if let Some(token) = stolen.as_ref().filter(|token| self.look(token).unwrap().binding == *question.binding)
            {
                let steal = |hold: &mut Hold| {
                    hold.state = HoldState::Spent;
                    hold.spent_by = Some("another".into());
                    Ok(())
                };
                self.inner.update(token, &mut { steal })?;
            }
        }
        self.inner.consult(question, now)
    }

    fn update(&self, token: &HoldToken, change: &mut Change<'_>) -> Result<Hold, HoldsError> {
        self.used(Use::Update)?;
        self.inner.update(token, change)
    }

    fn look(&self, token: &HoldToken) -> Result<Hold, HoldsError> {
        self.inner.look(token)
    }

    fn list(&self) -> Result<Vec<Hold>, HoldsError> {
        self.inner.list()
    }

    fn lapsed(&self, now: Timestamp) -> Result<Vec<HoldToken>, HoldsError> {
        self.inner.lapsed(now)
    }

    fn grant(&self, grant: &Grant) -> Result<(), HoldsError> {
        self.used(Use::Grant)?;
        self.inner.grant(grant)
    }

    fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, HoldsError> {
        self.inner.grants(now)
    }

    fn revoke(&self, id: &str) -> Result<(), HoldsError> {
        self.inner.revoke(id)
    }

    fn changed(&self) -> Result<bool, HoldsError> {
        self.inner.changed()
    }

    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError> {
        self.used(Use::Count)?;
        self.inner.count_violation(agent, now, since)
    }
}

/// Names holds one after the other.
pub(crate) fn random() -> Option<[u8; 16]> {
    static NAMED: AtomicU64 = AtomicU64::new(1);
    Some(u128::from(NAMED.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
}

pub(crate) fn at(second: i64) -> Moment {
    Moment { wall: time(second), monotonic_us: u64::try_from(second).unwrap_or_default() * 1_000_000 }
}

pub(crate) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn requester() -> Requester {
    Requester { account: "dev".into(), uid: 1000, user: None, client: None }
}

pub(crate) fn caller(mode: Mode) -> Caller {
    Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: Some("agent".parse().unwrap()),
        session: "session".parse().unwrap(),
        server: "files".parse().unwrap(),
        intent: None,
        approved_scope: Vec::new(),
        mode,
    }
}

pub(crate) fn session(caller: Caller) -> GateSession {
    GateSession::new(caller, ScopeList::default(), [7; 8]).requested_by(requester())
}

pub(crate) fn standing(policy: &str) -> Standing {
    Standing::Valid(Box::new(thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap()))
}

/// An answer of the account `uid`, in a terminal.
pub(crate) fn vote(uid: u32, approves: bool, second: i64) -> Vote {
    let account = if uid == 1000 { "dev".into() } else { format!("account{uid}").into() };
    let approver = Approver { account, uid };
    Vote {
        approver,
        approves,
        channel: Channel::Terminal,
        origin: "pts/1".to_owned(),
        at: time(second),
        line: Vec::new(),
    }
}

pub(crate) struct World {
    pub(crate) ledger: Arc<Memory>,
    pub(crate) holds: Arc<Shaky>,
    pub(crate) gate: Gate,
    pub(crate) session: GateSession,
    /// What is known of the tools that are called.
    pub(crate) integrity: Option<Arc<Integrity>>,
}

/// What was answered: nothing for a call that went out.
pub(crate) type Answered = Option<Box<Refused>>;

/// The same in short.
pub(crate) fn short(answered: &Answered) -> Option<(Decision, ReasonCode)> {
    answered.as_ref().map(|refused| (refused.decision, refused.reason_code))
}

pub(crate) const ASKS: Option<(Decision, ReasonCode)> = Some((Decision::StepUp, ReasonCode::RuleApprove));
pub(crate) const BATCH: Option<(Decision, ReasonCode)> = Some((Decision::Block, ReasonCode::BatchRefused));

impl World {
    pub(crate) fn new(policy: &str, mode: Mode) -> Self {
        let ledger = Arc::new(Memory::default());
        let holds = Arc::new(Shaky::default());
        let evidence: Arc<dyn Evidence> = Arc::clone(&ledger) as Arc<dyn Evidence>;
        let gate = Gate::new(standing(policy), evidence, ContentMode::Redacted, ContentKey::new([1; 32]))
            .with_holds(Arc::clone(&holds) as Arc<dyn Holds>);
        Self { ledger, holds, gate, session: session(caller(mode)), integrity: None }
    }

    /// One call in a round of its own.
    pub(crate) fn call(&mut self, tool: &str, arguments: &str, second: i64) -> Answered {
        self.retry(tool, arguments, None, second)
    }

    /// The same as a retry of another.
    pub(crate) fn retry(&mut self, tool: &str, arguments: &str, retry_of: Option<&str>, second: i64) -> Answered {
        let mut tape = Tape::new();
        let arguments = Arguments::new(Some(tape.parse(arguments.as_bytes(), &Limits::default()).unwrap()));
        let retry_of = retry_of.map(str::to_owned);
        let call = ToolCall {
            tool: tool.into(),
            arguments,
            listed: Listed::Yes,
            integrity: self.integrity.clone(),
            retry_of,
            task: false,
            remote: None,
            also_sent: Box::default(),
            enforcement_trace: None,
        };
        let mut round = self.gate.round(&mut self.session);
        let answer = round.admit(&call, b"frame\n".as_slice().into(), &random, at(second));
        let committed = round.commit();
        let went: Vec<_> = committed.permits.into_iter().map(Permit::spend).collect();
        match (answer, committed.withheld.into_iter().next()) {
            (Answer::Refused(refused), None) => {
                assert!(went.is_empty());
                Some(refused)
            }
            (Answer::Admitted, Some(refused)) => {
                assert!(went.is_empty());
                Some(Box::new(refused))
            }
            (Answer::Admitted, None) => {
                assert_eq!(went, [b"frame\n".as_slice()]);
                None
            }
            (Answer::Refused(_) | Answer::Unasked(_), _) => panic!("refused twice, or not at all"),
        }
    }

    /// A batch in a round of its own: the answers, and whether it went out.
    pub(crate) fn batch(&mut self, calls: &[(&str, &str)], second: i64) -> (Vec<Option<(Decision, ReasonCode)>>, bool) {
        let mut tapes: Vec<_> = calls.iter().map(|_| Tape::new()).collect();
        let parsed = tapes.iter_mut().zip(calls).map(|(tape, (tool, arguments))| {
            let arguments = Arguments::new(Some(tape.parse(arguments.as_bytes(), &Limits::default()).unwrap()));
            ToolCall {
                tool: (*tool).into(),
                arguments,
                listed: Listed::Yes,
                integrity: None,
                retry_of: None,
                task: false,
                remote: None,
                also_sent: Box::default(),
                enforcement_trace: None,
            }
        });
        let parsed: Vec<_> = parsed.collect();
        let mut round = self.gate.round(&mut self.session);
        let answers =
            round.admit_batch(&parsed, b"batch\n", &random, at(second)).into_iter().map(|answer| match answer {
                Answer::Admitted => None,
                Answer::Refused(refused) => Some((refused.decision, refused.reason_code)),
                Answer::Unasked(_) => panic!("no enforcer is asked here"),
            });
        let answers = answers.collect();
        (answers, round.commit().permits.len() == 1)
    }

    pub(crate) fn desk(&self) -> &Desk {
        self.gate.desk()
    }

    /// The newest hold.
    pub(crate) fn newest(&self) -> Hold {
        self.holds.list().unwrap().remove(0)
    }

    /// Answers the newest hold.
    pub(crate) fn answer(&self, approves: bool, second: i64) -> HoldToken {
        let hold = self.newest();
        self.desk().vote(&hold.token, &vote(1000, approves, second)).unwrap();
        hold.token
    }

    /// Makes a call that asks, and approves it.
    pub(crate) fn approved(&mut self, tool: &str, arguments: &str, second: i64) -> HoldToken {
        assert_eq!(short(&self.call(tool, arguments, second)), ASKS);
        self.answer(true, second)
    }

    pub(crate) fn state(&self, token: &HoldToken) -> HoldState {
        self.holds.look(token).unwrap().state
    }

    /// A wish for a grant on a hold.
    pub(crate) fn wish(&self, token: &HoldToken, patterns: &[(&str, &str)], ends: i64) -> Grant {
        let hold = self.holds.look(token).unwrap();
        let pattern = |(argument, glob): &(&str, &str)| thoth_types::ArgumentPattern {
            argument: (*argument).to_owned(),
            glob: (*glob).to_owned(),
        };
        Grant {
            id: "grant_00000000000000000000000000000001".into(),
            scope: GrantScope {
                tenant: None,
                agent: hold.caller.agent.clone(),
                server: hold.caller.server.clone(),
                tool: Arc::clone(&hold.tool),
            },
            requester: hold.requester.clone(),
            patterns: patterns.iter().map(pattern).collect(),
            given: Vec::new(),
            hold: token.clone(),
            ends_at: time(ends),
        }
    }

    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        self.ledger.leaves.lock().unwrap().iter().map(|leaf| serde_json::from_str(leaf).unwrap()).collect()
    }

    /// The events of one type, in order.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<serde_json::Value> {
        self.events().into_iter().filter(|event| event["eventType"] == kind).collect()
    }

    pub(crate) fn last_decision(&self) -> serde_json::Value {
        self.events_of("TOOL_CALL_PRE").pop().unwrap()
    }

    pub(crate) fn fail(&self, kinds: &[Use]) {
        *self.holds.failing.lock().unwrap() = kinds.iter().copied().collect();
    }

    pub(crate) fn break_ledger(&self, broken: bool) {
        *self.ledger.broken.lock().unwrap() = broken;
    }
}
