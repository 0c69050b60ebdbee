//! What came of the tests, for a person and for a script.

use serde_json::{Value as Json, json};
use thoth_policy::Policy;
use thoth_types::Place;
use thoth_types::display::harmless;

use super::{CaseResult, Held, Run, Verdict};
use crate::coverage::{Coverage, RuleCoverage};
use crate::mutate::Mutant;
use crate::report::{Tone, counted};

/// One line for a person: a word that a terminal may colour, and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub tone: Tone,
    /// The first word.
    pub word: &'static str,
    /// The rest.
    pub text: String,
}

/// Everything that is known of a policy's tests.
#[derive(Debug)]
pub struct Report<'r> {
    /// The policy.
    pub policy: &'r Policy,
    /// The tests of each file.
    pub runs: &'r [Run],
    /// What they reach, where that was asked.
    pub coverage: Option<&'r Coverage>,
    /// What they notice, where that was asked.
    pub mutants: Option<&'r [Mutant]>,
}

/// How many lists of what is missing are shown to a person.
const MOST_SHOWN: usize = 100;

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
    hold: usize,
    violated: usize,
    unknown: usize,
}

impl Counts {
    fn of(run: &Run) -> Self {
        let mut counts = Self::default();
        for case in &run.cases {
            match case.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
            }
        }
        for invariant in &run.invariants {
            match invariant.held {
                Held::Holds => counts.hold += 1,
                Held::Violated(_) => counts.violated += 1,
                Held::Unknown(_) => counts.unknown += 1,
            }
        }
        counts
    }

    fn and(self, other: &Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            hold: self.hold + other.hold,
            violated: self.violated + other.violated,
            unknown: self.unknown + other.unknown,
        }
    }

    fn show(&self) -> String {
        let all = [
            (self.passed, "passed", "passed"),
            (self.failed, "failed", "failed"),
            (self.skipped, "skipped", "skipped"),
            (self.hold, "invariant holds", "invariants hold"),
            (self.violated, "invariant does not hold", "invariants do not hold"),
            (self.unknown, "invariant could not be told", "invariants could not be told"),
        ];
        let said = all.iter().filter(|(count, ..)| *count > 0);
        let said = said.map(|(count, one, several)| format!("{count} {}", if *count == 1 { one } else { several }));
        said.collect::<Vec<_>>().join(", ")
    }
}

impl Report<'_> {
    /// Whether all tests passed, all invariants hold and, where that was asked, every change is noticed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.runs.iter().all(Run::passed)
            && self.mutants.is_none_or(|all| all.iter().all(|own| own.noticed_by.is_some() || !own.must_be_noticed()))
    }

    fn counts(&self) -> Counts {
        self.runs.iter().fold(Counts::default(), |all, run| all.and(&Counts::of(run)))
    }

    /// For a person: what failed in full, and the rest in numbers.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for run in self.runs {
            let (tone, word) = if run.passed() { (Tone::Good, "passed") } else { (Tone::Bad, "failed") };
            let title = if run.suite == run.file { String::new() } else { format!(" {}", harmless(&run.suite)) };
            lines.push(Line { tone, word, text: format!("{}{title}: {}", run.file, Counts::of(run).show()) });
            for case in &run.cases {
                case_lines(case, &mut lines);
            }
            for invariant in &run.invariants {
                let (word, why) = match &invariant.held {
                    Held::Holds => continue,
                    Held::Violated(call) => ("  violated", &call.shown),
                    Held::Unknown(why) => ("  unknown", why),
                };
                let text = format!("{}  {}", harmless(&invariant.name), invariant.place);
                lines.push(Line { tone: Tone::Bad, word, text });
                lines.push(Line { tone: Tone::Dim, word: "           ", text: harmless(why) });
            }
        }
        if let Some(coverage) = self.coverage {
            coverage_lines(coverage, &mut lines);
        }
        if let Some(mutants) = self.mutants {
            mutant_lines(mutants, &mut lines);
        }
        if self.runs.len() > 1 {
            let (tone, word) = if self.passed() { (Tone::Good, "passed") } else { (Tone::Bad, "failed") };
            lines.push(Line { tone, word, text: format!("all: {}", self.counts().show()) });
        }
        lines
    }

    /// One JSON object: `passed, policy_digest, counts, suites`, `coverage` and `mutants` where they were asked for.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let counts = self.counts();
        let mut report = json!({
            "passed": self.passed(),
            "policy_digest": self.policy.digest(),
            "counts": {
                "passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped,
                "invariants_hold": counts.hold, "invariants_violated": counts.violated,
                "invariants_unknown": counts.unknown,
            },
            "suites": self.runs.iter().map(run_json).collect::<Vec<_>>(),
        });
        if let Some(report) = report.as_object_mut() {
            if let Some(coverage) = self.coverage {
                report.insert("coverage".to_owned(), coverage_json(coverage));
            }
            if let Some(mutants) = self.mutants {
                let all = mutants.iter().map(|mutant| {
                    json!({
                        "rule": &*mutant.rule, "span": place_json(&mutant.place), "change": mutant.words,
                        "must_be_noticed": mutant.must_be_noticed(), "noticed_by": mutant.noticed_by,
                    })
                });
                report.insert("mutants".to_owned(), all.collect());
            }
        }
        report
    }
}

fn case_lines(case: &CaseResult, lines: &mut Vec<Line>) {
    match &case.verdict {
        Verdict::Passed => {}
        Verdict::Skipped(why) => {
            let text = format!("{}: {}", harmless(&case.name), harmless(why));
            lines.push(Line { tone: Tone::Care, word: "  skipped", text });
        }
        Verdict::Failed(mismatches) => {
            let text = format!("{}  {}", harmless(&case.name), case.place);
            lines.push(Line { tone: Tone::Bad, word: "  failed", text });
            let mut rows: Vec<(&str, String)> = mismatches
                .iter()
                .map(|own| (own.what, format!("expected {}, found {}", own.expected, own.found)))
                .collect();
            rows.push(("call", case.call.clone()));
            if let Some(answer) = &case.answer {
                let by = match (&answer.rule, &answer.place) {
                    (Some(rule), Some(place)) => format!("{rule} ({place})"),
                    (None, Some(place)) => format!("{} ({place})", answer.reason),
                    _ => answer.reason.clone(),
                };
                rows.push(("decided", format!("{} by {by}", answer.approval)));
            }
            let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
            lines.extend(rows.into_iter().map(|(what, text)| Line {
                tone: Tone::Dim,
                word: "   ",
                text: format!("{what:width$}  {}", harmless(&text)),
            }));
        }
    }
}

fn coverage_lines(coverage: &Coverage, lines: &mut Vec<Line>) {
    let ((decided, rules), (seen, outcomes)) = (coverage.decisions(), coverage.outcomes());
    let full = decided == rules && seen == outcomes;
    let decides = if decided == 1 { "decides" } else { "decide" };
    let mut text = format!("{decided} of {} {decides} a test", counted(rules, "rule"));
    if outcomes > 0 {
        text.push_str(&format!(", {seen} of {} of conditions seen", counted(outcomes, "outcome")));
    }
    if coverage.defaults == 0 {
        text.push_str("; no test reaches the defaults");
    }
    lines.push(Line { tone: if full { Tone::Good } else { Tone::Care }, word: "coverage", text });
    let mut missing = Vec::new();
    for rule in &coverage.rules {
        let name = harmless(&rule.name);
        if rule.decided == 0 {
            let what = if rule.matched == 0 { "matches no test" } else { "decides no test" };
            missing.push(format!("{name} {what}  {}", rule.place));
        }
        for condition in &rule.conditions {
            let text = harmless(&condition.text);
            match (condition.held > 0, condition.failed > 0) {
                (true, true) => {}
                (true, false) => missing.push(format!("{name}: `{text}` never fails  {}", rule.place)),
                (false, true) => missing.push(format!("{name}: `{text}` never holds  {}", rule.place)),
                (false, false) => missing.push(format!("{name}: `{text}` never holds and never fails  {}", rule.place)),
            }
        }
    }
    shortened(missing, Tone::Care, "  missing", lines);
}

fn mutant_lines(mutants: &[Mutant], lines: &mut Vec<Line>) {
    let show = |mutant: &Mutant| format!("{}: {}  {}", harmless(&mutant.rule), harmless(&mutant.words), mutant.place);
    let unnoticed: Vec<&Mutant> = mutants.iter().filter(|mutant| mutant.noticed_by.is_none()).collect();
    let (bad, perhaps): (Vec<&Mutant>, Vec<&Mutant>) = unnoticed.iter().partition(|mutant| mutant.must_be_noticed());
    let tone = match (bad.is_empty(), perhaps.is_empty()) {
        (true, true) => Tone::Good,
        (true, false) => Tone::Care,
        (false, _) => Tone::Bad,
    };
    let noticed = mutants.len() - unnoticed.len();
    let are = if noticed == 1 { "is" } else { "are" };
    let text = format!("{noticed} of {} of rules {are} noticed", counted(mutants.len(), "change"));
    lines.push(Line { tone, word: "mutants", text });
    shortened(bad.into_iter().map(show).collect(), Tone::Bad, "  unnoticed", lines);
    let text = |mutant: &Mutant| format!("{} (or no call needs it)", show(mutant));
    shortened(perhaps.into_iter().map(text).collect(), Tone::Care, "  unnoticed", lines);
}

fn shortened(texts: Vec<String>, tone: Tone, word: &'static str, lines: &mut Vec<Line>) {
    let rest = texts.len().saturating_sub(MOST_SHOWN);
    lines.extend(texts.into_iter().take(MOST_SHOWN).map(|text| Line { tone, word, text }));
    if rest > 0 {
        lines.push(Line { tone: Tone::Dim, word: "  …", text: format!("and {rest} more") });
    }
}

fn place_json(place: &Place) -> Json {
    json!({"file": &*place.file, "line": place.line, "column": place.column})
}

fn run_json(run: &Run) -> Json {
    let cases = run.cases.iter().map(|case| {
        let (verdict, why, mismatches) = match &case.verdict {
            Verdict::Passed => ("passed", None, &[][..]),
            Verdict::Failed(mismatches) => ("failed", None, mismatches.as_slice()),
            Verdict::Skipped(why) => ("skipped", Some(why), &[][..]),
        };
        let mismatches: Vec<Json> = mismatches
            .iter()
            .map(|own| json!({"what": own.what, "expected": own.expected, "found": own.found}))
            .collect();
        let answer = case.answer.as_ref();
        json!({
            "name": case.name, "span": place_json(&case.place), "call": case.call, "verdict": verdict,
            "skip_reason": why, "mismatches": mismatches,
            "approval": answer.map(|own| own.approval.as_str()),
            "risk_level": answer.map(|own| own.risk_level.as_str()),
            "rule": answer.and_then(|own| own.rule.as_deref()),
            "reason_code": answer.map(|own| own.reason_code.as_str()),
        })
    });
    let invariants = run.invariants.iter().map(|invariant| {
        let (held, why) = match &invariant.held {
            Held::Holds => ("holds", None),
            Held::Violated(call) => ("violated", Some(&call.whole)),
            Held::Unknown(why) => ("unknown", Some(why)),
        };
        json!({"name": invariant.name, "span": place_json(&invariant.place), "verdict": held, "detail": why})
    });
    json!({
        "suite": &*run.suite, "file": &*run.file,
        "cases": cases.collect::<Vec<_>>(), "invariants": invariants.collect::<Vec<_>>(),
    })
}

fn coverage_json(coverage: &Coverage) -> Json {
    let ((decided, rules), (seen, outcomes)) = (coverage.decisions(), coverage.outcomes());
    let rule = |rule: &RuleCoverage| {
        let conditions = rule.conditions.iter().map(
            |own| json!({"condition": own.text, "held": own.held, "failed": own.failed, "undecided": own.undecided}),
        );
        json!({
            "rule": &*rule.name, "span": place_json(&rule.place), "approval": rule.approval.as_str(),
            "matched": rule.matched, "decided": rule.decided, "conditions": conditions.collect::<Vec<_>>(),
        })
    };
    json!({
        "rules_decided": decided, "rules": rules, "outcomes_seen": seen, "outcomes": outcomes,
        "decided_by_defaults": coverage.defaults,
        "by_rule": coverage.rules.iter().map(rule).collect::<Vec<_>>(),
    })
}
