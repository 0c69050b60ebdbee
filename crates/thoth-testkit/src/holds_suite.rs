//! What every store of holds must do, whatever it is made of, as cases and as a random history that two stores live
//! through side by side.

#![expect(clippy::unwrap_used, clippy::panic, reason = "it is called by tests, which it fails")]

use std::cell::Cell;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use thoth_gate::hold::{Consulted, Hold, HoldState, Question, Why};
use thoth_gate::{Holds, HoldsError};
use thoth_types::{
    AgentId, Approver, ApproverRule, Binding, Caller, Channel, Grant, GrantScope, HoldToken, Mode, ReasonCode,
    Requester, Requirement, RiskLevel, ServerName, SessionId, Vote,
};

/// One call that a person must agree to, as the gate would ask about it.
#[derive(Debug, Clone)]
pub struct HeldCall {
    /// Which call: another number is another binding.
    pub number: u16,
    /// The agent that makes it.
    pub agent: Option<AgentId>,
    /// The server.
    pub server: ServerName,
    /// What an approval takes.
    pub requirement: Requirement,
    /// On whose behalf.
    pub requester: Requester,
    /// What is called with.
    pub arguments: Arc<[u8]>,
}

impl HeldCall {
    /// A call by number, under a requirement that accounts 0 and 1000 can meet and that allows grants of an hour.
    #[must_use]
    pub fn new(number: u16) -> Self {
        Self {
            number,
            agent: "agent".parse().ok(),
            server: "files".parse().unwrap(),
            requirement: Requirement {
                approvers: vec![vec![ApproverRule::LocalTerminal, ApproverRule::Account("root".into())]],
                longest_grant_seconds: 3600,
                ..Requirement::default()
            },
            requester: Requester { account: "dev".into(), uid: 1000, user: None, client: None },
            arguments: format!(r#"{{"call":{number}}}"#).into_bytes().into(),
        }
    }

    /// The same call, for which this many accounts must agree.
    #[must_use]
    pub fn quorum(mut self, quorum: u8) -> Self {
        self.requirement.quorum = quorum;
        self
    }

    /// The same call, whose approval and denial last this long.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.requirement.ttl_seconds = seconds;
        self
    }

    /// What it is bound to.
    #[must_use]
    pub fn binding(&self) -> Binding {
        let mut binding = [7; 32];
        binding.iter_mut().zip(self.number.to_be_bytes()).for_each(|(to, from)| *to = from);
        Binding(binding)
    }

    /// What a grant for it names.
    #[must_use]
    pub fn scope(&self) -> GrantScope {
        GrantScope { tenant: None, agent: self.agent.clone(), server: self.server.clone(), tool: "write".into() }
    }

    /// The hold that would be made for it.
    #[must_use]
    pub fn hold(&self, token: u128, now: Timestamp) -> Hold {
        let caller = Caller {
            tenant: None,
            user: None,
            endpoint: None,
            agent: self.agent.clone(),
            session: SessionId::clone(&"session".parse().unwrap()),
            server: self.server.clone(),
            intent: None,
            approved_scope: Vec::new(),
            mode: Mode::Block,
        };
        Hold {
            token: HoldToken::new(token.to_be_bytes()),
            binding: self.binding(),
            caller,
            requester: self.requester.clone(),
            tool: "write".into(),
            arguments: Arc::clone(&self.arguments),
            call_id: format!("call-{token}").into(),
            trace_id: "trace".into(),
            also_sent: "".into(),
            enforcement_trace: None,
            modified: false,
            arguments_digest: "digest".into(),
            why: Why {
                reason: "asks".to_owned(),
                reason_code: ReasonCode::RuleApprove,
                rule: Some("write".into()),
                place: None,
                risk: RiskLevel::High,
                policy_digest: "policy".into(),
            },
            requirement: self.requirement.clone(),
            created_at: now,
            ends_at: now + SignedDuration::from_secs(i64::from(self.requirement.ttl_seconds)),
            state: HoldState::Pending,
            votes: Vec::new(),
            spent_by: None,
            shown: Vec::new(),
        }
    }

    /// Asks a store about it. `token` names the hold that may come of it.
    ///
    /// # Errors
    /// The store's.
    pub fn consult(
        &self,
        holds: &dyn Holds,
        token: u128,
        spender: Option<&str>,
        now: Timestamp,
    ) -> Result<Consulted, HoldsError> {
        let question = Question {
            binding: &self.binding(),
            scope: &self.scope(),
            covers: &|_| true,
            requirement: &self.requirement,
            requester: &self.requester,
            spender,
            draft: &|| (token != 0).then(|| self.hold(token, now)),
        };
        holds.consult(&question, now)
    }
}

/// The calls of `hold_worker`: every third one's holds end soon, and every fourth one needs two approvals.
#[must_use]
pub fn milled_call(number: u16) -> HeldCall {
    let call = HeldCall::new(number).quorum(if number.is_multiple_of(4) { 2 } else { 1 });
    call.ttl(if number.is_multiple_of(3) { 6 } else { 120 })
}

/// `seconds` after some instant.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A yes or no of account 1000 (`dev`) or any other (`root`), at a terminal.
#[must_use]
pub fn answer(uid: u32, approves: bool, at: Timestamp) -> Vote {
    let account = if uid == 1000 { "dev" } else { "root" };
    let approver = Approver { account: account.into(), uid };
    Vote { approver, approves, channel: Channel::Terminal, origin: "pts/1".to_owned(), at, line: Vec::new() }
}

/// Answers a hold.
///
/// # Errors
/// The store's, and that of the vote.
pub fn vote(holds: &dyn Holds, token: &HoldToken, vote: &Vote) -> Result<Hold, HoldsError> {
    holds.update(token, &mut |hold| Ok(hold.vote(vote)?))
}

/// A grant for a call.
#[must_use]
pub fn grant(call: &HeldCall, id: &str, given: Vote, hold: &HoldToken, ends_at: Timestamp) -> Grant {
    Grant {
        id: id.into(),
        scope: call.scope(),
        requester: call.requester.clone(),
        patterns: Vec::new(),
        given: vec![given],
        hold: hold.clone(),
        ends_at,
    }
}

/// What came of a question, in short: a word and the hold's or grant's name.
fn outcome(consulted: &Result<Consulted, HoldsError>) -> String {
    match consulted {
        Ok(Consulted::Granted(grant)) => format!("granted {}", grant.id),
        Ok(Consulted::Spent(hold)) => format!("spent {}", hold.token),
        Ok(Consulted::Approved(hold)) => format!("approved {}", hold.token),
        Ok(Consulted::Pending(hold)) => format!("pending {}", hold.token),
        Ok(Consulted::Created(hold, None)) => format!("created {}", hold.token),
        Ok(Consulted::Created(hold, Some(ended))) => format!("created {} for {}", hold.token, ended.token),
        Ok(Consulted::Denied(hold)) => format!("denied {}", hold.token),
        Err(error) => format!("error: {error}"),
    }
}

fn token(number: u128) -> HoldToken {
    HoldToken::new(number.to_be_bytes())
}

/// Runs all cases, each on a store of its own.
pub fn cases<H: Holds>(fresh: impl Fn() -> H) {
    for case in [
        one_approval_lets_one_call_through,
        a_denial_stands_until_its_end,
        what_ends_gives_way,
        what_is_given_back_serves_again,
        a_later_denial_goes_before_what_is_given_back,
        another_requirement_is_another_question,
        a_failed_change_changes_nothing,
        whole_holds_come_back,
        grants_serve_their_scope_until_they_end,
        changes_are_noticed,
        violations_are_counted_in_their_window,
    ] {
        case(&fresh());
    }
}

fn one_approval_lets_one_call_through(holds: &dyn Holds) {
    let call = HeldCall::new(1);
    assert_eq!(outcome(&call.consult(holds, 1, Some("a"), at(0))), format!("created {}", token(1)));
    assert_eq!(outcome(&call.consult(holds, 2, Some("b"), at(1))), format!("pending {}", token(1)));
    assert_eq!(outcome(&HeldCall::new(2).consult(holds, 3, Some("c"), at(1))), format!("created {}", token(3)));
    assert_eq!(vote(holds, &token(1), &answer(1000, true, at(2))).unwrap().state, HoldState::Approved);
    // Whoever only asks uses nothing up.
    assert_eq!(outcome(&call.consult(holds, 4, None, at(3))), format!("approved {}", token(1)));
    assert_eq!(outcome(&call.consult(holds, 5, Some("d"), at(3))), format!("spent {}", token(1)));
    let spent = holds.look(&token(1)).unwrap();
    assert_eq!((spent.state, spent.spent_by.as_deref()), (HoldState::Spent, Some("d")));
    assert_eq!(outcome(&call.consult(holds, 6, Some("e"), at(3))), format!("created {}", token(6)));
    let kept: Vec<_> = holds.list().unwrap().into_iter().map(|hold| hold.token).collect();
    assert_eq!(kept, [token(6), token(3), token(1)]);
}

fn a_denial_stands_until_its_end(holds: &dyn Holds) {
    let call = HeldCall::new(1).ttl(10);
    assert_eq!(outcome(&call.consult(holds, 1, Some("a"), at(0))), format!("created {}", token(1)));
    vote(holds, &token(1), &answer(1000, true, at(1))).unwrap();
    assert_eq!(vote(holds, &token(1), &answer(0, false, at(5))).unwrap().state, HoldState::Denied);
    assert!(matches!(vote(holds, &token(1), &answer(0, true, at(6))), Err(HoldsError::Vote(_))));
    assert_eq!(outcome(&call.consult(holds, 2, Some("b"), at(14))), format!("denied {}", token(1)));
    assert_eq!(holds.lapsed(at(20)).unwrap(), []);
    assert_eq!(outcome(&call.consult(holds, 3, Some("c"), at(15))), format!("created {}", token(3)));
    assert_eq!(holds.look(&token(1)).unwrap().state, HoldState::Denied);
    // Two denials of one call, one after the other.
    vote(holds, &token(3), &answer(0, false, at(16))).unwrap();
    assert_eq!(outcome(&call.consult(holds, 4, Some("d"), at(20))), format!("denied {}", token(3)));
    assert_eq!(outcome(&call.consult(holds, 5, Some("e"), at(26))), format!("created {}", token(5)));
}

fn what_ends_gives_way(holds: &dyn Holds) {
    let call = HeldCall::new(1).ttl(10);
    assert_eq!(outcome(&call.consult(holds, 1, Some("a"), at(0))), format!("created {}", token(1)));
    vote(holds, &token(1), &answer(1000, true, at(1))).unwrap();
    assert_eq!(holds.lapsed(at(9)).unwrap(), []);
    assert_eq!(holds.lapsed(at(10)).unwrap(), [token(1)]);
    // Without a new hold, nothing is written.
    assert!(matches!(call.consult(holds, 0, Some("b"), at(10)), Err(HoldsError::Full(_))));
    assert_eq!(holds.look(&token(1)).unwrap().state, HoldState::Approved);
    assert_eq!(outcome(&call.consult(holds, 2, Some("c"), at(10))), format!("created {} for {}", token(2), token(1)));
    assert_eq!(holds.look(&token(1)).unwrap().state, HoldState::Expired);
    assert_eq!(holds.lapsed(at(10)).unwrap(), []);
    let expired = holds.update(&token(2), &mut |hold| {
        assert!(hold.expire(at(20)));
        Ok(())
    });
    assert_eq!(expired.unwrap().state, HoldState::Expired);
    assert_eq!(outcome(&call.consult(holds, 3, Some("d"), at(20))), format!("created {}", token(3)));
    // A clock that was put back by more than the time to live.
    assert_eq!(holds.lapsed(at(9)).unwrap(), [token(3)]);
}

fn give_back(holds: &dyn Holds, hold: &HoldToken, call_id: &str) -> HoldState {
    let given = holds.update(hold, &mut |hold| {
        hold.give_back(call_id);
        Ok(())
    });
    given.unwrap().state
}

fn what_is_given_back_serves_again(holds: &dyn Holds) {
    let call = HeldCall::new(1);
    call.consult(holds, 1, Some("a"), at(0)).unwrap();
    vote(holds, &token(1), &answer(1000, true, at(1))).unwrap();
    assert_eq!(outcome(&call.consult(holds, 2, Some("b"), at(2))), format!("spent {}", token(1)));
    assert_eq!(give_back(holds, &token(1), "other"), HoldState::Spent);
    // In between, the same call was asked again.
    assert_eq!(outcome(&call.consult(holds, 3, Some("c"), at(2))), format!("created {}", token(3)));
    assert_eq!(give_back(holds, &token(1), "b"), HoldState::Approved);
    assert_eq!(outcome(&call.consult(holds, 4, Some("d"), at(3))), format!("spent {}", token(1)));
    assert_eq!(outcome(&call.consult(holds, 5, Some("e"), at(3))), format!("pending {}", token(3)));
    vote(holds, &token(3), &answer(1000, true, at(4))).unwrap();
    assert_eq!(outcome(&call.consult(holds, 6, Some("f"), at(5))), format!("spent {}", token(3)));
    assert_eq!(outcome(&call.consult(holds, 7, Some("g"), at(5))), format!("created {}", token(7)));
}

fn a_later_denial_goes_before_what_is_given_back(holds: &dyn Holds) {
    let call = HeldCall::new(1);
    call.consult(holds, 1, Some("a"), at(0)).unwrap();
    vote(holds, &token(1), &answer(1000, true, at(1))).unwrap();
    call.consult(holds, 2, Some("b"), at(2)).unwrap();
    call.consult(holds, 3, Some("c"), at(2)).unwrap();
    vote(holds, &token(3), &answer(1000, false, at(3))).unwrap();
    assert_eq!(give_back(holds, &token(1), "b"), HoldState::Approved);
    assert_eq!(outcome(&call.consult(holds, 4, Some("d"), at(3))), format!("denied {}", token(3)));
}

fn another_requirement_is_another_question(holds: &dyn Holds) {
    let one = HeldCall::new(1);
    let two = HeldCall::new(1).quorum(2);
    one.consult(holds, 1, Some("a"), at(0)).unwrap();
    vote(holds, &token(1), &answer(1000, true, at(1))).unwrap();
    assert_eq!(outcome(&two.consult(holds, 2, Some("b"), at(2))), format!("created {} for {}", token(2), token(1)));
    vote(holds, &token(2), &answer(1000, true, at(3))).unwrap();
    assert_eq!(outcome(&two.consult(holds, 3, Some("c"), at(3))), format!("pending {}", token(2)));
    vote(holds, &token(2), &answer(0, true, at(3))).unwrap();
    // Two have agreed where one is enough.
    assert_eq!(outcome(&one.consult(holds, 4, Some("d"), at(3))), format!("spent {}", token(2)));
}

fn a_failed_change_changes_nothing(holds: &dyn Holds) {
    HeldCall::new(1).consult(holds, 1, None, at(0)).unwrap();
    let before = format!("{:?}", holds.look(&token(1)).unwrap());
    let failed = holds.update(&token(1), &mut |hold| {
        hold.vote(&answer(1000, true, at(1))).unwrap();
        Err(HoldsError::Full("no".to_owned()))
    });
    assert!(matches!(failed, Err(HoldsError::Full(_))));
    assert_eq!(format!("{:?}", holds.look(&token(1)).unwrap()), before);
    assert!(matches!(holds.look(&token(2)), Err(HoldsError::Unknown(_))));
    assert!(matches!(vote(holds, &token(2), &answer(0, true, at(1))), Err(HoldsError::Unknown(_))));
    assert!(matches!(holds.revoke("grant_1"), Err(HoldsError::Unknown(_))));
}

fn whole_holds_come_back(holds: &dyn Holds) {
    let call = HeldCall { agent: None, arguments: Arc::from(&b"{}"[..]), ..HeldCall::new(1) };
    let Ok(Consulted::Created(made, None)) = call.consult(holds, 1, None, at(0)) else { panic!("not created") };
    assert_eq!(format!("{:?}", holds.look(&token(1)).unwrap()), format!("{made:?}"));
    let changed = vote(holds, &token(1), &answer(0, true, at(1))).unwrap();
    assert_eq!(format!("{:?}", holds.list().unwrap()), format!("[{changed:?}]"));
    for (longest, shown) in [(2, &b"{}"[..]), (1, b"")] {
        let listed = holds.list_short(longest).unwrap();
        let expected = Hold { arguments: Arc::from(shown), ..changed.clone() };
        let found: Vec<_> =
            listed.into_iter().map(|listed| (format!("{:?}", listed.hold), listed.argument_bytes)).collect();
        assert_eq!(found, [(format!("{expected:?}"), 2)], "{longest}");
        let arguments: Vec<_> =
            holds.list_short(longest).unwrap().into_iter().map(|listed| listed.hold.arguments).collect();
        assert_eq!(arguments, [Arc::<[u8]>::from(shown)], "{longest}");
    }
}

fn grants_serve_their_scope_until_they_end(holds: &dyn Holds) {
    let call = HeldCall::new(1);
    call.consult(holds, 1, Some("a"), at(0)).unwrap();
    let given = |at| answer(1000, true, at);
    holds.grant(&grant(&call, "grant_1", given(at(1)), &token(1), at(10))).unwrap();
    assert_eq!(outcome(&call.consult(holds, 2, Some("b"), at(9))), "granted grant_1");
    assert_eq!(outcome(&HeldCall::new(2).consult(holds, 3, Some("c"), at(9))), "granted grant_1");
    assert_eq!(outcome(&call.consult(holds, 4, Some("d"), at(10))), format!("pending {}", token(1)));
    holds.grant(&grant(&call, "grant_2", given(at(11)), &token(1), at(20))).unwrap();
    holds.grant(&grant(&call, "grant_3", given(at(11)), &token(1), at(30))).unwrap();
    let names = |now| holds.grants(now).unwrap().iter().map(|grant| grant.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(at(12)), ["grant_3", "grant_2"]);
    assert_eq!(names(at(20)), ["grant_3"]);
    let elsewhere = HeldCall { server: "mail".parse().unwrap(), ..HeldCall::new(3) };
    assert_eq!(outcome(&elsewhere.consult(holds, 5, Some("e"), at(12))), format!("created {}", token(5)));
    let nobody = HeldCall { agent: None, ..HeldCall::new(4) };
    assert_eq!(outcome(&nobody.consult(holds, 6, Some("f"), at(12))), format!("created {}", token(6)));
    // A denial of this very call goes before.
    vote(holds, &token(1), &answer(1000, false, at(12))).unwrap();
    assert_eq!(outcome(&call.consult(holds, 7, Some("g"), at(13))), format!("denied {}", token(1)));
    holds.revoke("grant_3").unwrap();
    assert_eq!(names(at(20)), Vec::<String>::new());
    assert!(matches!(holds.revoke("grant_3"), Err(HoldsError::Unknown(_))));
}

fn changes_are_noticed(holds: &dyn Holds) {
    HeldCall::new(1).consult(holds, 1, None, at(0)).unwrap();
    holds.changed().unwrap();
    assert!(!holds.changed().unwrap());
    vote(holds, &token(1), &answer(1000, true, at(1))).unwrap();
    assert!(holds.changed().unwrap());
    assert!(!holds.changed().unwrap());
}

fn violations_are_counted_in_their_window(holds: &dyn Holds) {
    for (agent, now, since, count) in
        [("a", 0, 0, 1), ("a", 1, 0, 2), ("b", 1, 0, 1), ("a", 5, 1, 2), ("a", 5, 5, 2), ("a", 6, 0, 5), ("b", 9, 2, 1)]
    {
        assert_eq!(holds.count_violation(agent, at(now), at(since)).unwrap(), count, "{agent} {now} {since}");
    }
}

/// One step of a history.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A call is made, or only asked about.
    Call {
        /// Which.
        number: u16,
        /// How many accounts must agree to it.
        quorum: u8,
        /// Whether an approval is used up.
        spends: bool,
    },
    /// Somebody answers one of the holds so far.
    Answer {
        /// Which of them.
        hold: usize,
        /// By which account.
        uid: u32,
        /// Yes or no.
        approves: bool,
    },
    /// A call that had used a hold up did not go out.
    GiveBack(usize),
    /// The end of a hold is noted.
    Sweep,
    /// Time goes by; now and then backwards.
    Wait(i64),
    /// A grant is given.
    Grant {
        /// For the scope of this call.
        number: u16,
        /// For how long.
        seconds: i64,
    },
    /// The newest grant is taken back.
    Revoke,
    /// A violation is counted.
    Violation {
        /// Of one of the agents.
        agent: bool,
        /// Over the last seconds.
        window: i64,
    },
}

/// Histories in which calls, answers, ends and returns meet often.
pub fn history() -> impl Strategy<Value = Vec<Happening>> {
    let call = (1..4_u16, 1..=2_u8, prop::bool::weighted(0.8)).prop_map(|(number, quorum, spends)| Happening::Call {
        number,
        quorum,
        spends,
    });
    let answer = (0..12_usize, prop::sample::select(vec![1000, 0]), prop::bool::weighted(0.8))
        .prop_map(|(hold, uid, approves)| Happening::Answer { hold, uid, approves });
    let step = prop_oneof![
        6 => call,
        5 => answer,
        3 => (0..12_usize).prop_map(Happening::GiveBack),
        1 => Just(Happening::Sweep),
        3 => (-3..8_i64).prop_map(Happening::Wait),
        1 => (1..4_u16, 1..20_i64).prop_map(|(number, seconds)| Happening::Grant { number, seconds }),
        1 => Just(Happening::Revoke),
        1 => (any::<bool>(), 1..20_i64).prop_map(|(agent, window)| Happening::Violation { agent, window }),
    ];
    prop::collection::vec(step, 1..50)
}

/// Lives through a history, and writes down everything that can be seen of it.
#[must_use]
pub fn live(holds: &dyn Holds, history: &[Happening]) -> Vec<String> {
    let now = Cell::new(0);
    let mut seen = Vec::new();
    let mut made: Vec<HoldToken> = Vec::new();
    let mut spenders: Vec<(HoldToken, String)> = Vec::new();
    for (step, happening) in (1_u128..).zip(history) {
        let time = at(now.get());
        let name = format!("call-{step}");
        match happening {
            Happening::Call { number, quorum, spends } => {
                let call = HeldCall::new(*number).quorum(*quorum).ttl(10);
                let consulted = call.consult(holds, step, spends.then_some(&*name), time);
                match &consulted {
                    Ok(Consulted::Created(hold, _)) => made.push(hold.token.clone()),
                    Ok(Consulted::Spent(hold)) => spenders.push((hold.token.clone(), name)),
                    _ => {}
                }
                seen.push(outcome(&consulted));
            }
            Happening::Answer { hold, uid, approves } => {
                // Counted from the newest: those are open more often.
                if let Some(token) = made.iter().rev().nth(*hold / 3) {
                    seen.push(format!("{:?}", vote(holds, token, &answer(*uid, *approves, time))));
                }
            }
            Happening::GiveBack(which) => {
                if let Some((token, call_id)) = spenders.iter().rev().nth(*which / 3) {
                    seen.push(format!("{:?}", give_back(holds, token, call_id)));
                }
            }
            Happening::Sweep => {
                for token in holds.lapsed(time).unwrap() {
                    let expired = holds.update(&token, &mut |hold| {
                        assert!(hold.expire(time), "{token} has not lapsed");
                        Ok(())
                    });
                    seen.push(format!("{expired:?}"));
                }
            }
            Happening::Wait(seconds) => now.set(now.get() + seconds),
            Happening::Grant { number, seconds } => {
                let ends_at = at(now.get() + seconds);
                let id = format!("grant_{step}");
                holds
                    .grant(&grant(&HeldCall::new(*number), &id, answer(0, true, time), &token(step), ends_at))
                    .unwrap();
            }
            Happening::Revoke => {
                if let Some(grant) = holds.grants(time).unwrap().first() {
                    holds.revoke(&grant.id).unwrap();
                }
            }
            Happening::Violation { agent, window } => {
                let agent = if *agent { "a" } else { "b" };
                seen.push(format!("{:?}", holds.count_violation(agent, time, at(now.get() - window))));
            }
        }
        seen.push(format!("{:?} {:?} {:?}", holds.lapsed(time), holds.waiting(time), holds.grants(time)));
    }
    seen.push(format!("{:?}", holds.list()));
    seen
}
