//! Asks the policy what the tests ask.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use thoth_policy::{Explanation, History, Policy, Query, RateScope, Truth, counted_name};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Finding, HarmClasses, Place};

use super::{Call, Case, Expected, Held, Invariant, PastCall, Suite};
use crate::coverage::Coverage;

/// What an inspection of the arguments finds. It is an argument because this crate knows no inspection.
pub type Inspect<'i> = &'i dyn Fn(&Policy, &Query<'_>) -> Vec<Finding>;

/// Decides an invariant.
pub type Decide<'d> = &'d dyn Fn(&Policy, &Invariant) -> Held;

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The policy says what is expected.
    Passed,
    /// It says something else.
    Failed(Vec<Mismatch>),
    /// It was not run, and why.
    Skipped(String),
}

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What it is.
    pub what: &'static str,
    /// What was expected.
    pub expected: String,
    /// What the policy says.
    pub found: String,
}

/// How one test ended, and what the policy said.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The test.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The call in one line.
    pub call: String,
    /// How it ended.
    pub verdict: Verdict,
    /// The policy's answer; `None` where it was not asked.
    pub answer: Option<Box<Explanation>>,
    /// The rules whose `match` the call fits, or may fit.
    pub reached: Vec<Arc<str>>,
}

/// How one invariant came out.
#[derive(Debug, Clone)]
pub struct InvariantResult {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it holds.
    pub held: Held,
}

/// How the tests of one file ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// The file's title.
    pub suite: Arc<str>,
    /// The file.
    pub file: Arc<str>,
    /// The tests, in the order of the file.
    pub cases: Vec<CaseResult>,
    /// The invariants, in the order of the file.
    pub invariants: Vec<InvariantResult>,
}

impl Run {
    /// Whether nothing failed and every invariant is known to hold.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| !matches!(case.verdict, Verdict::Failed(_)))
            && self.invariants.iter().all(|invariant| invariant.held == Held::Holds)
    }
}

/// Runs the tests of one file, and notes in `coverage` what they reach.
pub fn run(policy: &Policy, suite: &Suite, inspect: Inspect<'_>, decide: Decide<'_>, coverage: &mut Coverage) -> Run {
    let cases = suite.cases.iter().map(|case| run_case(policy, case, inspect, coverage)).collect();
    let invariants = suite.invariants.iter().map(|invariant| InvariantResult {
        name: invariant.name.clone(),
        place: invariant.place.clone(),
        held: decide(policy, invariant),
    });
    Run { suite: Arc::clone(&suite.name), file: Arc::clone(&suite.file), cases, invariants: invariants.collect() }
}

fn run_case(policy: &Policy, case: &Case, inspect: Inspect<'_>, coverage: &mut Coverage) -> CaseResult {
    let mut result = CaseResult {
        name: case.name.clone(),
        place: case.place.clone(),
        call: case.call.to_string(),
        verdict: Verdict::Passed,
        answer: None,
        reached: Vec::new(),
    };
    if let Some(why) = &case.skipped {
        result.verdict = Verdict::Skipped(why.clone());
        return result;
    }
    let mut answer = match ask(policy, &case.call, inspect, true) {
        Ok(answer) => answer,
        Err(mismatch) => {
            result.verdict = Verdict::Failed(vec![mismatch]);
            return result;
        }
    };
    coverage.observe(&answer);
    let traces = answer.trace.take().unwrap_or_default();
    let fits =
        |trace: &&thoth_policy::RuleTrace| trace.conditions.first().is_none_or(|own| own.outcome != Truth::False);
    let timed = traces.iter().filter(fits).find(|trace| trace.timed).map(|trace| Arc::clone(&trace.rule));
    result.reached = traces.iter().filter(fits).map(|trace| Arc::clone(&trace.rule)).collect();
    let mut mismatches = differences(&case.expected, &answer);
    say_what_is_no_rule(policy, &case.expected, &mut mismatches);
    if let (None, Some(rule)) = (case.call.at, timed) {
        // Whatever was assumed here would make the test pass or fail on another day.
        mismatches = vec![Mismatch {
            what: "time",
            expected: "a test that says when: `at: 2026-11-20T22:00:00Z`".to_owned(),
            found: format!("rule `{rule}` looks at the clock"),
        }];
    }
    if !mismatches.is_empty() {
        result.verdict = Verdict::Failed(mismatches);
    }
    result.answer = Some(Box::new(answer));
    result
}

/// Whether the test would still pass under `policy`.
pub(crate) fn still_passes(policy: &Policy, case: &Case, inspect: Inspect<'_>) -> bool {
    ask(policy, &case.call, inspect, false).is_ok_and(|answer| differences(&case.expected, &answer).is_empty())
}

fn ask(policy: &Policy, call: &Call, inspect: Inspect<'_>, trace: bool) -> Result<Explanation, Mismatch> {
    let mut tape = Tape::new();
    let value = match &call.arguments {
        None => None,
        Some(text) => Some(tape.parse(text.as_bytes(), &Limits::default()).map_err(|error| Mismatch {
            what: "arguments",
            expected: "arguments that the gate would let through".to_owned(),
            found: error.to_string(),
        })?),
    };
    let now = call.at.unwrap_or(Timestamp::UNIX_EPOCH);
    let past = Past { calls: &call.history, labels: call.labels, now };
    let query = Query {
        tool: &call.tool,
        server: &call.server,
        agent: call.agent.as_deref(),
        user: call.user.as_deref(),
        intent: call.intent.as_deref(),
        arguments: Arguments::new(value),
        now,
        history: &past,
    };
    Ok(policy.explain_with(&query, inspect(policy, &query), trace))
}

/// The calls before, as the policy asks for them.
struct Past<'c> {
    calls: &'c [PastCall],
    labels: HarmClasses,
    now: Timestamp,
}

impl History for Past<'_> {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        self.calls.iter().any(|call| test(&call.tool, &call.server))
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: Timestamp) -> u64 {
        let counts = |call: &&PastCall| {
            let when = self.now.checked_sub(SignedDuration::from_secs(call.ago.into())).unwrap_or(Timestamp::MIN);
            when >= since && (scope != RateScope::Tool || counted_name(&call.tool) == counted_name(tool))
        };
        self.calls.iter().filter(counts).map(|call| call.times).fold(0, u64::saturating_add)
    }

    fn labels(&self) -> HarmClasses {
        self.labels
    }
}

/// A rule that is expected and does not exist was probably meant otherwise.
fn say_what_is_no_rule(policy: &Policy, expected: &Expected, mismatches: &mut [Mismatch]) {
    let names = || policy.rule_table().map(|(_, rule)| &*rule.name);
    for mismatch in mismatches {
        let wanted: Vec<&Arc<str>> = match mismatch.what {
            "rule" => expected.rule.iter().flatten().collect(),
            "matched" => expected.matched.iter().filter(|rule| ***rule == *mismatch.expected).collect(),
            _ => Vec::new(),
        };
        let Some(unknown) = wanted.into_iter().find(|wanted| !names().any(|name| *name == ***wanted)) else { continue };
        let near = crate::nearest::nearest(unknown, names())
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        mismatch.found.push_str(&format!(" (no rule is called `{unknown}`{near})"));
    }
}

fn differences(expected: &Expected, answer: &Explanation) -> Vec<Mismatch> {
    let mut all = Vec::new();
    let mut check = |what, holds: bool, expected: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
        if !holds {
            all.push(Mismatch { what, expected: expected.to_string(), found: found.to_string() });
        }
    };
    if let Some(approval) = expected.approval {
        check("approval", approval == answer.approval, &approval, &answer.approval);
    }
    if let Some(risk) = expected.risk {
        check("risk", risk == answer.risk_level, &risk, &answer.risk_level);
    }
    if let Some(rule) = &expected.rule {
        let show = |rule: &Option<Arc<str>>| rule.as_ref().map_or("no rule".to_owned(), |rule| format!("`{rule}`"));
        check("rule", *rule == answer.rule, &show(rule), &show(&answer.rule));
    }
    if let Some(code) = expected.code {
        check("reason_code", code == answer.reason_code, &code, &answer.reason_code);
    }
    if let Some(reason) = &expected.reason {
        check("reason", answer.reason.contains(&**reason), &format_args!("…{reason}…"), &answer.reason);
    }
    for rule in &expected.matched {
        let found: Vec<&str> = answer.matched.iter().map(|rule| &**rule).collect();
        check("matched", answer.matched.contains(rule), rule, &found.join(", "));
    }
    all
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} @ {}", self.tool, self.server)?;
        if let Some(agent) = &self.agent {
            write!(f, " by {agent}")?;
        }
        if let Some(arguments) = &self.arguments {
            write!(f, " {arguments}")?;
        }
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        if !self.history.is_empty() {
            let before = self.history.iter().map(|call| call.times).fold(0, u64::saturating_add);
            write!(f, " after {before} {}", if before == 1 { "call" } else { "calls" })?;
        }
        if !self.labels.is_empty() {
            write!(f, " in a session with {}", self.labels)?;
        }
        Ok(())
    }
}
