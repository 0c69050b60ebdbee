//! Recorded calls under another policy.
//!
//! Each call is judged as it was made: with the session's past as the ledger has it, not as it would have been. Where the
//! record does not have an argument, the outcomes of conditions that it has stand in for it; what then is still open is
//! tried both ways, and the result is every answer that is possible. One answer is an exact one.
//!
//! What depends on the server (tool integrity) or on the operator's demands is taken from the record.

mod past;
mod possible;
mod recorded;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thoth_policy::{Policy, Query, ScopeList, Scratch};
use thoth_types::json::{Limits, Tape, Value};
use thoth_types::{Approval, Arguments, Finding, Place};

use self::past::Past;
pub use self::recorded::{Kept, RecordError, RecordedAnswer, RecordedCall, RecordedShadow};
pub use self::summary::{Group, ShadowGroup, Summary};

/// How a recorded answer compares with that of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The policy surely answers more loosely.
    Looser,
    /// It surely answers more strictly.
    Stricter,
    /// That depends on what the record does not have.
    Unknown,
    /// It surely answers the same.
    Unchanged,
}

impl Change {
    /// Every change, from what deserves most attention to what deserves least.
    pub const ALL: [Self; 4] = [Self::Looser, Self::Stricter, Self::Unknown, Self::Unchanged];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Looser => "looser",
            Self::Stricter => "stricter",
            Self::Unknown => "unknown",
            Self::Unchanged => "unchanged",
        }
    }

    fn between(old: Approval, new: &BTreeSet<Approval>) -> Self {
        if new.iter().all(|new| *new == old) {
            Self::Unchanged
        } else if new.iter().all(|new| *new > old) {
            Self::Stricter
        } else if new.iter().all(|new| *new < old) {
            Self::Looser
        } else {
            Self::Unknown
        }
    }
}

/// What the policy says of one recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// How that compares with what was answered.
    pub change: Change,
    /// What was answered.
    pub old: Approval,
    /// Every answer that is possible; a single one is exact.
    pub new: BTreeSet<Approval>,
    /// The rule that decides, where it is the same for every possible answer.
    pub rule: Option<Arc<str>>,
    /// Where that rule stands.
    pub place: Option<Place>,
    /// The conditions and arguments that would have to be known.
    pub needs: BTreeSet<String>,
    /// Whether what an inspection finds in arguments that are not kept was taken from the record.
    pub assumed: bool,
}

/// What an inspection of the arguments finds, for calls of which they are known.
pub type Inspect<'i> = dyn Fn(&Policy, &Query<'_>) -> Vec<Finding> + 'i;

/// Replays calls, which must come in the order in which they were recorded.
pub struct Replay<'p> {
    policy: &'p Policy,
    inspect: &'p Inspect<'p>,
    sessions: BTreeMap<String, Past>,
    scratch: Scratch,
}

impl std::fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("policy", &self.policy.digest()).finish_non_exhaustive()
    }
}

impl<'p> Replay<'p> {
    /// A replay under `policy`.
    #[must_use]
    pub fn new(policy: &'p Policy, inspect: &'p Inspect<'p>) -> Self {
        Self { policy, inspect, sessions: BTreeMap::new(), scratch: Scratch::deciding() }
    }

    /// How many sessions there were so far.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Replays the next call.
    pub fn call(&mut self, call: &RecordedCall) -> Replayed {
        let past = self.sessions.entry(call.session.clone()).or_default();
        past.allowed_before(call);
        let replayed = judge(self.policy, self.inspect, &mut self.scratch, call, past);
        past.remember(call);
        replayed
    }
}

/// What is kept of arguments, and whether that is all of them.
fn read<'t>(kept: &'t Kept, tape: &'t mut Tape) -> (Option<Value<'t>>, bool) {
    let text = match kept {
        Kept::Whole(text) | Kept::Partly(text) => text,
        Kept::Nothing => return (None, true),
        Kept::Unknown => return (None, false),
    };
    // It was read before it was recorded; what is not readable now is not known.
    let value = tape.parse(text.as_bytes(), &Limits::default()).ok();
    (value, value.is_some() && matches!(kept, Kept::Whole(_)))
}

fn judge(policy: &Policy, inspect: &Inspect<'_>, scratch: &mut Scratch, call: &RecordedCall, past: &Past) -> Replayed {
    let mut tape = Tape::new();
    let (arguments, whole) = read(&call.arguments, &mut tape);
    let query = Query {
        tool: &call.tool,
        server: &call.server,
        agent: call.agent.as_deref(),
        user: call.user.as_deref(),
        intent: call.intent.as_deref(),
        arguments: Arguments::new(arguments),
        now: call.at,
        history: past,
    };
    let mut findings = Vec::new();
    policy.identity(&query, &mut findings);
    policy.intent(&query, &mut findings);
    let scope = ScopeList::new(&call.approved_scope).unwrap_or_default();
    policy.scope(&query, &scope, &mut findings);
    findings.extend(past.over_limit(policy, &query));
    let mut needs = BTreeSet::new();
    let mut assumed = false;
    let edits;
    let mut least = call.answer.fixed;
    let mut most = least;
    if whole {
        policy.blocked_patterns(&query, &mut findings);
        let inspected = inspect(policy, &query);
        edits = inspected.iter().any(possible::is_edit);
        findings.extend(inspected);
    } else {
        edits = possible::edits(policy, call);
        let open = possible::inspection(policy, call);
        assumed = open.assumed;
        least = least.max(open.least);
        most = least.max(open.most);
        if most > least {
            needs.insert("an inspection of the arguments".to_owned());
        }
    }
    let sure = findings.iter().map(|finding| finding.approval).fold(least, Approval::max);
    let mut rules = possible::rules(policy, &query, scratch, call, whole, &mut needs);
    if edits && !call.observed {
        rules = possible::rules_again(policy, &query, scratch, call, &rules, &mut needs);
    }
    let old = call.answer.policy.max(call.answer.fixed);
    let inspected = Approval::ALL.iter().copied().filter(|answer| (least..=most).contains(answer));
    let mut new: BTreeSet<Approval> =
        inspected.flat_map(|found| rules.answers.iter().map(move |answer| (*answer).max(sure).max(found))).collect();
    // It is known what this very policy answered.
    if new.contains(&old) && call.answer.policy_digest == policy.digest() {
        new = BTreeSet::from([old]);
    }
    let change = Change::between(old, &new);
    if new.len() == 1 {
        needs.clear();
    }
    let decides = rules.rule.and_then(|id| policy.rule(id)).filter(|rule| rule.approval >= sure && most <= sure);
    Replayed {
        change,
        old,
        new,
        rule: decides.map(|rule| Arc::clone(&rule.name)),
        place: decides.map(|rule| rule.place.clone()),
        needs,
        assumed,
    }
}
