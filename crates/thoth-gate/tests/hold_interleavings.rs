//! Every order in which callers, approvers, a denier, the clock and the sweeper can meet at the holds of one call.
//!
//! A store runs transitions one after the other, so the orders of whole transitions are all there is. The search visits
//! every reachable state once, and judges each step against a record of its own of what people and calls did, which knows
//! nothing of the states that the holds say they are in.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use thoth_gate::hold::{Consulted, Hold, HoldState, Question, Step, VoteError, consult_all};
use thoth_testkit::holds_suite::{HeldCall, answer, at};
use thoth_types::{Grant, Vote};

const TTL: u32 = 2;
const LAST_TICK: i64 = 4;
const CALLERS: usize = 2;
const CALLS_EACH: u8 = 2;
const DENIER: usize = 2;

/// The transitions under test, so that wrong ones can be put in their place.
#[derive(Clone, Copy)]
struct Rules {
    consult: fn(&Question<'_>, &[Hold], &[Grant], Timestamp) -> Step,
    vote: fn(&mut Hold, &Vote) -> Result<(), VoteError>,
    give_back: fn(&mut Hold, &str),
    expire: fn(&mut Hold, Timestamp) -> bool,
}

const OURS: Rules = Rules { consult: consult_all, vote: Hold::vote, give_back: Hold::give_back, expire: Hold::expire };

/// What really happened to one hold.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Truth {
    made_at: i64,
    /// The accounts whose yes was taken.
    yes: Vec<u32>,
    /// When a no was taken.
    no_at: Option<i64>,
    /// The call that has it now, or that went out on it.
    user: Option<String>,
    gone_out: bool,
}

impl Truth {
    fn ends_at(&self) -> i64 {
        self.made_at + i64::from(TTL)
    }

    fn is_approved(&self, quorum: u8) -> bool {
        self.yes.len() >= usize::from(quorum) && self.no_at.is_none()
    }

    fn denies_at(&self, now: i64) -> bool {
        self.no_at.is_some_and(|at| now < at + i64::from(TTL))
    }
}

/// A caller between two steps.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Caller {
    calls: u8,
    /// The hold that its present call has used up: it goes out next, or gives it back.
    using: Option<usize>,
}

#[derive(Clone, Default)]
struct World {
    now: i64,
    holds: Vec<Hold>,
    truths: Vec<Truth>,
    callers: [Caller; CALLERS],
    /// Of the two approvers and the denier, who has answered.
    answered: [bool; 3],
}

/// Everything that makes one state differ from another.
type Key =
    (i64, Vec<(HoldState, Timestamp, Vec<(u32, bool)>, Option<String>)>, Vec<Truth>, [Caller; CALLERS], [bool; 3]);

#[derive(Clone, Copy, Debug)]
enum Action {
    Tick,
    Call(usize),
    GoOut(usize),
    GiveBack(usize),
    Answer { who: usize, hold: usize },
    Sweep(usize),
}

impl World {
    fn key(&self) -> Key {
        let hold = |hold: &Hold| {
            let votes = hold.votes.iter().map(|vote| (vote.approver.uid, vote.approves)).collect();
            (hold.state, hold.ends_at, votes, hold.spent_by.as_deref().map(str::to_owned))
        };
        let holds = self.holds.iter().map(hold).collect();
        (self.now, holds, self.truths.clone(), self.callers.clone(), self.answered)
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.now < LAST_TICK {
            actions.push(Action::Tick);
        }
        for (at, caller) in self.callers.iter().enumerate() {
            match caller.using {
                Some(_) => actions.extend([Action::GoOut(at), Action::GiveBack(at)]),
                None if caller.calls < CALLS_EACH => actions.push(Action::Call(at)),
                None => {}
            }
        }
        for hold in 0..self.holds.len() {
            actions.push(Action::Sweep(hold));
            actions.extend(
                (0..self.answered.len()).filter(|who| !self.answered[*who]).map(|who| Action::Answer { who, hold }),
            );
        }
        actions
    }

    fn call_id(&self, caller: usize) -> String {
        format!("{caller}.{}", self.callers[caller].calls)
    }

    fn open(&self) -> Vec<Hold> {
        let open = |hold: &&Hold| !matches!(hold.state, HoldState::Spent | HoldState::Expired);
        self.holds.iter().filter(open).cloned().collect()
    }

    fn consult(&self, rules: Rules, call: &HeldCall, spender: Option<&str>) -> Step {
        let token = self.holds.len() as u128 + 1;
        let question = Question {
            binding: &call.binding(),
            scope: &call.scope(),
            covers: &|_| true,
            requirement: &call.requirement,
            requester: &call.requester,
            spender,
            draft: &|| Some(call.hold(token, at(self.now))),
        };
        (rules.consult)(&question, &self.open(), &[], at(self.now))
    }

    /// Takes one step, or says which promise it breaks.
    fn step(&mut self, rules: Rules, call: &HeldCall, action: Action) -> Result<(), String> {
        match action {
            Action::Tick => self.now += 1,
            Action::Call(caller) => {
                self.callers[caller].calls += 1;
                let call_id = self.call_id(caller);
                let step = self.consult(rules, call, Some(&call_id));
                let before: Vec<_> = self.holds.iter().map(|hold| hold.state_at(at(self.now))).collect();
                if let Some(changed) = step.changed {
                    let place = self.holds.iter().position(|hold| hold.token == changed.token).unwrap();
                    self.holds[place] = changed;
                }
                if let Some(created) = step.created {
                    self.holds.push(created);
                    self.truths.push(Truth { made_at: self.now, ..Truth::default() });
                }
                match step.consulted {
                    Some(Consulted::Spent(hold)) => {
                        let place = self.holds.iter().position(|other| other.token == hold.token).unwrap();
                        self.use_up(caller, place, call.requirement.quorum)?;
                    }
                    Some(Consulted::Created(..)) if before.contains(&HoldState::Pending) => {
                        return Err("it is asked twice at once".to_owned());
                    }
                    Some(Consulted::Denied(_)) if !self.truths.iter().any(|truth| truth.denies_at(self.now)) => {
                        return Err("denied without a denial".to_owned());
                    }
                    Some(Consulted::Granted(_) | Consulted::Approved(_)) | None => {
                        return Err("an answer that cannot be".to_owned());
                    }
                    Some(Consulted::Pending(_) | Consulted::Created(..) | Consulted::Denied(_)) => {}
                }
            }
            Action::GoOut(caller) => {
                let hold = self.callers[caller].using.take().unwrap();
                self.truths[hold].gone_out = true;
            }
            Action::GiveBack(caller) => {
                let call_id = self.call_id(caller);
                let hold = self.callers[caller].using.take().unwrap();
                (rules.give_back)(&mut self.holds[hold], &call_id);
                self.truths[hold].user = None;
            }
            Action::Answer { who, hold } => self.answer(rules, call.requirement.quorum, who, hold)?,
            Action::Sweep(hold) => {
                let truth = &self.truths[hold];
                let over = truth.no_at.is_none() && truth.user.is_none() && self.now >= truth.ends_at();
                if (rules.expire)(&mut self.holds[hold], at(self.now)) && !over {
                    return Err("it was taken for ended".to_owned());
                }
            }
        }
        self.check(rules, call)
    }

    fn use_up(&mut self, caller: usize, hold: usize, quorum: u8) -> Result<(), String> {
        let call_id = self.call_id(caller);
        let (now, truth) = (self.now, &mut self.truths[hold]);
        if truth.user.is_some() || truth.gone_out {
            return Err(format!("hold {hold} is used up twice"));
        }
        if truth.no_at.is_some() {
            return Err(format!("hold {hold} is used up after a denial"));
        }
        if now >= truth.ends_at() {
            return Err(format!("hold {hold} is used up after its end"));
        }
        if !truth.is_approved(quorum) {
            return Err(format!("hold {hold} is used up, and too few have agreed"));
        }
        truth.user = Some(call_id);
        self.callers[caller].using = Some(hold);
        if self.truths.iter().any(|truth| truth.denies_at(now)) {
            return Err("a call passes that is denied".to_owned());
        }
        Ok(())
    }

    fn answer(&mut self, rules: Rules, quorum: u8, who: usize, hold: usize) -> Result<(), String> {
        self.answered[who] = true;
        let uid = if who == 0 { 1000 } else { 0 };
        let (now, truth) = (self.now, &mut self.truths[hold]);
        let taken = (rules.vote)(&mut self.holds[hold], &answer(uid, who != DENIER, at(now))).is_ok();
        let closed = truth.no_at.is_some() || truth.user.is_some() || now >= truth.ends_at();
        let complete = who != DENIER && truth.is_approved(quorum);
        if taken == (closed || complete) {
            return Err(format!("the answer {who} to hold {hold} was {}", if taken { "taken" } else { "lost" }));
        }
        match (taken, who) {
            (false, _) => {}
            (true, DENIER) => truth.no_at = Some(now),
            (true, _) => truth.yes.push(uid),
        }
        Ok(())
    }

    /// What must hold in every state.
    fn check(&self, rules: Rules, call: &HeldCall) -> Result<(), String> {
        let quorum = call.requirement.quorum;
        let serves = |truth: &Truth| {
            truth.is_approved(quorum) && truth.user.is_none() && !truth.gone_out && self.now < truth.ends_at()
        };
        for (hold, truth) in self.holds.iter().zip(&self.truths) {
            if serves(truth) && hold.state_at(at(self.now)) != HoldState::Approved {
                return Err(format!("the approval of {} is lost: it is {}", hold.token, hold.state.as_str()));
            }
        }
        let denied = self.truths.iter().any(|truth| truth.denies_at(self.now));
        let approved = self.truths.iter().any(serves);
        // What the next call would meet, and what somebody who only asks.
        for spender in [Some("probe"), None] {
            let met = self.consult(rules, call, spender).consulted;
            let good = match met {
                Some(Consulted::Denied(_)) => denied,
                Some(Consulted::Spent(_)) => approved && !denied && spender.is_some(),
                Some(Consulted::Approved(_)) => approved && !denied && spender.is_none(),
                Some(Consulted::Pending(_) | Consulted::Created(..)) => !approved && !denied,
                Some(Consulted::Granted(_)) | None => false,
            };
            if !good {
                return Err(format!("denied: {denied}, approved: {approved}, and the next call meets {met:?}"));
            }
        }
        Ok(())
    }
}

/// Visits every state. Returns how many there are, or the shortest way to a broken promise.
fn explore(rules: Rules, quorum: u8) -> Result<usize, String> {
    let call = HeldCall::new(1).ttl(TTL).quorum(quorum);
    let start = World::default();
    let mut ways: HashMap<Key, usize> = HashMap::from([(start.key(), 0)]);
    let mut steps: Vec<Option<(usize, Action)>> = vec![None];
    let mut queue = VecDeque::from([(start, 0)]);
    while let Some((world, number)) = queue.pop_front() {
        for action in world.actions() {
            let mut next = world.clone();
            if let Err(broken) = next.step(rules, &call, action) {
                let mut way = vec![format!("{action:?}: {broken}")];
                let mut at = number;
                while let Some((before, action)) = steps[at] {
                    way.push(format!("{action:?}"));
                    at = before;
                }
                way.reverse();
                return Err(way.join("\n"));
            }
            let count = ways.len();
            if *ways.entry(next.key()).or_insert(count) == count {
                steps.push(Some((number, action)));
                queue.push_back((next, count));
            }
        }
    }
    Ok(ways.len())
}

/// Invariants, in every order: a hold is used up by one call at a time and never again once that went out; never after a
/// denial or its end; never with too few approvals; a call that is denied does not pass while that stands; an approval
/// that was taken serves until it is used, denied or over; no call is asked twice at once.
#[test]
fn every_order_keeps_the_promises() {
    for quorum in [1, 2] {
        let states = explore(OURS, quorum).unwrap_or_else(|way| panic!("quorum {quorum}:\n{way}"));
        // A search that stops early would find nothing.
        assert!(states > 10_000, "quorum {quorum}: {states} states");
    }
}

/// The search finds what is wrong, if anything is.
#[test]
fn wrong_transitions_are_found() {
    fn spends_nothing(question: &Question<'_>, open: &[Hold], grants: &[Grant], now: Timestamp) -> Step {
        let mut step = consult_all(question, open, grants, now);
        step.changed = step.changed.filter(|hold| hold.state != HoldState::Spent);
        step
    }
    fn never_ends(question: &Question<'_>, open: &[Hold], grants: &[Grant], now: Timestamp) -> Step {
        let day = SignedDuration::from_hours(24);
        let open: Vec<_> = open.iter().map(|hold| Hold { ends_at: hold.ends_at + day, ..hold.clone() }).collect();
        consult_all(question, &open, grants, now)
    }
    fn only_the_newest(question: &Question<'_>, open: &[Hold], grants: &[Grant], now: Timestamp) -> Step {
        consult_all(question, open.last().map(std::slice::from_ref).unwrap_or_default(), grants, now)
    }
    fn forgets_denials(question: &Question<'_>, open: &[Hold], grants: &[Grant], now: Timestamp) -> Step {
        let open: Vec<_> = open.iter().filter(|hold| hold.state != HoldState::Denied).cloned().collect();
        consult_all(question, &open, grants, now)
    }
    fn one_is_enough(hold: &mut Hold, vote: &Vote) -> Result<(), VoteError> {
        hold.vote(vote)?;
        hold.state = if vote.approves { HoldState::Approved } else { hold.state };
        Ok(())
    }
    fn approves_the_denied(hold: &mut Hold, vote: &Vote) -> Result<(), VoteError> {
        if vote.approves && hold.state == HoldState::Denied {
            hold.state = HoldState::Approved;
        }
        hold.vote(vote)
    }
    fn keeps_what_comes_back(_: &mut Hold, _: &str) {}
    fn gives_back_for_ever(hold: &mut Hold, call_id: &str) {
        hold.give_back(call_id);
        hold.ends_at += SignedDuration::from_secs(2);
    }
    fn ends_early(hold: &mut Hold, now: Timestamp) -> bool {
        hold.expire(now + SignedDuration::from_secs(1))
    }
    for (name, quorum, rules) in [
        ("spends nothing", 1, Rules { consult: spends_nothing, ..OURS }),
        ("never ends", 1, Rules { consult: never_ends, ..OURS }),
        ("only the newest", 1, Rules { consult: only_the_newest, ..OURS }),
        ("forgets denials", 1, Rules { consult: forgets_denials, ..OURS }),
        ("one is enough", 2, Rules { vote: one_is_enough, ..OURS }),
        ("approves the denied", 1, Rules { vote: approves_the_denied, ..OURS }),
        ("keeps what comes back", 1, Rules { give_back: keeps_what_comes_back, ..OURS }),
        ("gives back for ever", 1, Rules { give_back: gives_back_for_ever, ..OURS }),
        ("ends early", 1, Rules { expire: ends_early, ..OURS }),
    ] {
        assert!(explore(rules, quorum).is_err(), "{name} was not found");
    }
}
