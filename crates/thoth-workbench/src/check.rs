//! What is odd about a policy: rules that cannot matter, and calls that slip through.

use jiff::Timestamp;
use thoth_policy::Policy;
use thoth_types::{Approval, Place};

use crate::call::Call;
use crate::finding::{Finding, FindingKind, Related, Severity};
use crate::goal::{Goal, Source, View};
use crate::model::{Rule, RuleRef, Side, Space, is_timed};
use crate::region::Wish;
use crate::search::Outcome;
use crate::tools::KnownTools;

mod bypass;
mod matters;
mod overlap;
mod schema;

/// What to look at beside the policy.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Calls from this time on count.
    pub from: Timestamp,
    /// The tools that there are, if that is known.
    pub tools: Option<KnownTools>,
}

/// All findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// In the order of the files.
    pub findings: Vec<Finding>,
    /// What was not decided, one line each.
    pub undecided: Vec<String>,
    /// Whether the policy looks at the clock: calls are told with their time then.
    pub timed: bool,
    /// Steps that it took.
    pub steps: u64,
}

impl Report {
    /// Whether something is probably not as it was meant.
    #[must_use]
    pub fn has_warnings(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity >= Severity::Warning)
    }

    /// Whether everything that is looked for was decided.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.undecided.is_empty()
    }
}

/// Steps for all questions about one policy.
const BUDGET: u64 = 48_000_000;

/// Checks a policy.
#[must_use]
pub fn check(policy: &Policy, options: &CheckOptions) -> Report {
    let mut space = Space::new(&[policy], options.from, BUDGET);
    let mut checker = Checker { policy, options, findings: Vec::new(), undecided: Vec::new() };
    if !space.times.complete {
        checker.undecided.push("time: there are too many different windows".to_owned());
    }
    if space.sides.iter().any(Side::has_odd_names) {
        checker.undecided.push("names of tools that read otherwise than they are written".to_owned());
    }
    let count = space.sides.first().map(|side| side.rules.len()).unwrap_or_default();
    for rule in 0..count {
        checker.rule(&mut space, rule);
    }
    checker.overlaps(&mut space);
    checker.defaults(&mut space);
    checker.tools(&space);
    checker.loader();
    if space.steps.are_spent() {
        checker.undecided.push("the steps that a check may take are used up".to_owned());
    }
    let line = |finding: &Finding| {
        let place = finding.place.as_ref();
        let file = place.and_then(|place| policy.files().iter().position(|file| *file == place.file));
        (file, place.map(|place| (place.line, place.column)), finding.kind)
    };
    checker.findings.sort_by_key(line);
    Report {
        findings: checker.findings,
        undecided: checker.undecided,
        timed: is_timed(policy),
        steps: space.steps.taken(),
    }
}

struct Checker<'p> {
    policy: &'p Policy,
    options: &'p CheckOptions,
    findings: Vec<Finding>,
    undecided: Vec<String>,
}

impl Checker<'_> {
    fn add(&mut self, rule: &Rule<'_>, kind: FindingKind, severity: Severity, message: String, remedy: &str) {
        let finding = self.finding(rule, kind, severity, message, remedy);
        self.findings.push(finding);
    }

    /// A finding with a call, which the policy must answer as claimed; otherwise the question stays open.
    fn add_with(&mut self, space: &Space<'_>, finding: Finding, call: Call, claimed: impl Fn(Approval) -> bool) {
        match answer(space, &call) {
            Some(answer) if claimed(answer) => {
                self.findings.push(Finding { witness: Some((call, answer)), ..finding });
            }
            _ => self.open(finding.rule.as_deref(), finding.kind),
        }
    }

    fn open(&mut self, rule: Option<&str>, kind: FindingKind) {
        let about = rule.map_or_else(|| "the policy".to_owned(), |rule| format!("rule `{rule}`"));
        self.undecided.push(format!("{about}: {}", kind.as_str()));
    }

    /// What can be said of one rule.
    fn rule(&mut self, space: &mut Space<'_>, index: usize) {
        let at = RuleRef { side: 0, rule: index };
        let any = Goal { source: None, below: None, or_default: false };
        let region = space.region_of(&[(at, Wish::Holds)]);
        let Outcome { found, unknown, .. } = space.seek(&any, region);
        let Some((sample, _)) = found else {
            if unknown {
                self.open(space.rule(at).map(Rule::name), FindingKind::Unreachable);
            } else {
                self.unreachable(space, at);
            }
            return;
        };
        let deciding = self.matters(space, at);
        let Some(rule) = space.rule(at) else { return };
        if rule.is_for_every_call() {
            self.catch_all(space, rule, sample);
        }
        if let Some(deciding) = deciding {
            self.bypasses(space, at, &deciding);
        }
    }

    fn unreachable(&mut self, space: &mut Space<'_>, at: RuleRef) {
        let any = Goal { source: None, below: None, or_default: false };
        let region = space.region_of(&[(at, Wish::Applies)]);
        let Outcome { found, unknown, .. } = space.seek(&any, region);
        let Some(rule) = space.rule(at) else { return };
        let name = rule.name();
        let expired = rule.outline.info().expires.filter(|end| *end <= self.options.from);
        let (message, remedy) = match expired {
            Some(end) => (format!("rule `{name}` expired at {end}"), "remove it, or change `expires`"),
            None if found.is_some() || unknown => (
                format!("no call surely matches rule `{name}`; only calls that cannot be decided count"),
                "its conditions contradict each other or its `match`: change or remove it",
            ),
            None => (
                format!("no call matches rule `{name}`"),
                "its `match`, `except`, times and conditions contradict each other: change or remove it",
            ),
        };
        self.add(rule, FindingKind::Unreachable, Severity::Warning, message, remedy);
    }

    fn catch_all(&mut self, space: &Space<'_>, rule: &Rule<'_>, sample: Call) {
        let name = rule.name();
        let (default, _) = self.policy.default_answer();
        let strictest = self.policy.evaluation() == thoth_policy::Evaluation::Strictest;
        let approval = rule.approval;
        let (severity, message, remedy) = if approval < default {
            let message = format!(
                "rule `{name}` answers `{approval}` for every call, so that `{default}` of `defaults` never holds"
            );
            (Severity::Warning, message, "name the tools that are meant, or change `defaults`")
        } else if approval == Approval::Block && strictest {
            let message = format!("rule `{name}` blocks every call, whatever the other rules say");
            (
                Severity::Warning,
                message,
                "move it to `defaults: {approval: block}`; here the strictest rule wins, not the first",
            )
        } else {
            let message = format!("rule `{name}` is for every call");
            (Severity::Note, message, "`defaults` says the same with less: it holds where no rule matches")
        };
        // The loader says the same without a call.
        let finding = self.finding(rule, FindingKind::CatchAll, severity, message, remedy);
        self.add_with(space, finding, sample, |_| true);
    }

    fn finding(
        &self,
        rule: &Rule<'_>,
        kind: FindingKind,
        severity: Severity,
        message: String,
        remedy: &str,
    ) -> Finding {
        Finding {
            kind,
            severity,
            message,
            rule: Some(rule.name().to_owned()),
            place: Some(rule.outline.info().place.clone()),
            related: Vec::new(),
            witness: None,
            remedy: remedy.to_owned(),
        }
    }

    /// What no rule names.
    fn defaults(&mut self, space: &mut Space<'_>) {
        if self.policy.default_answer().0 != Approval::Auto {
            return;
        }
        let goal = Goal {
            source: Some((View::whole(0), Source::Default)),
            below: Some((View::whole(0), Approval::Approve)),
            or_default: false,
        };
        let Outcome { found, unknown, .. } = space.seek(&goal, Some(space.everything()));
        let finding = Finding {
            kind: FindingKind::AllowByDefault,
            severity: Severity::Warning,
            message: "`defaults` let every call run that no rule matches".to_owned(),
            rule: None,
            place: self.policy.files().first().map(|file| Place { file: file.clone(), line: 1, column: 1 }),
            related: Vec::new(),
            witness: None,
            remedy: "write `defaults: {approval: approve}` or `block`, and name what may run".to_owned(),
        };
        match found {
            Some((call, _)) => self.add_with(space, finding, call, |answer| answer == Approval::Auto),
            None if unknown => self.open(None, FindingKind::AllowByDefault),
            None => {}
        }
    }

    /// What the loader found, less what is said here with a call.
    fn loader(&mut self) {
        let said = |place: Option<&Place>, kinds: &[FindingKind]| {
            self.findings.iter().any(|finding| finding.place.as_ref() == place && kinds.contains(&finding.kind))
        };
        let mut more = Vec::new();
        for warning in self.policy.warnings() {
            let place = warning.place.as_ref();
            let same = (warning.message.contains("every call") && said(place, &[FindingKind::CatchAll]))
                || (warning.message.contains("letter case") && said(place, &[FindingKind::CaseBypass]));
            if !same {
                more.push(Finding {
                    kind: FindingKind::Lint,
                    severity: Severity::Warning,
                    message: warning.message.clone(),
                    rule: None,
                    place: warning.place.clone(),
                    related: Vec::new(),
                    witness: None,
                    remedy: warning.help.clone().unwrap_or_default(),
                });
            }
        }
        self.findings.extend(more);
    }
}

/// What the policy answers, if there are steps left to ask it.
fn answer(space: &Space<'_>, call: &Call) -> Option<Approval> {
    space.answers(call, &space.steps)?.first().copied()
}

fn related(space: &Space<'_>, rules: impl IntoIterator<Item = RuleRef>) -> Vec<Related> {
    let known = rules.into_iter().filter_map(|at| space.rule(at));
    known.map(|rule| Related { rule: rule.name().to_owned(), place: rule.outline.info().place.clone() }).collect()
}

/// Some names for a sentence.
fn named(related: &[Related]) -> String {
    const MOST: usize = 5;
    let names: Vec<String> = related.iter().take(MOST).map(|related| format!("`{}`", related.rule)).collect();
    let more = related.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
