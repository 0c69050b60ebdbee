//! Whether a rule matters: whether any answer would be another without it.

use thoth_types::Approval;

use super::{Checker, named, related};
use crate::call::Call;
use crate::finding::{FindingKind, Severity};
use crate::goal::{Goal, Source, View};
use crate::model::{RuleRef, Space};
use crate::region::Wish;
use crate::search::Outcome;

/// What some questions came to together.
#[derive(Default)]
struct Answers {
    found: Option<Call>,
    unknown: bool,
    in_the_way: std::collections::BTreeSet<RuleRef>,
}

impl Answers {
    fn take(&mut self, outcome: Outcome) {
        self.found = self.found.take().or(outcome.found.map(|(call, _)| call));
        self.unknown |= outcome.unknown;
        self.in_the_way.extend(outcome.in_the_way);
    }
}

impl Checker<'_> {
    /// Reports a rule that does not matter. A call in which it does, otherwise.
    pub(super) fn matters(&mut self, space: &mut Space<'_>, at: RuleRef) -> Option<Call> {
        let first_match = space.sides.first().is_some_and(|side| side.first_match);
        if first_match {
            return self.decides_first(space, at);
        }
        let answers = changes_something(space, at);
        if answers.found.is_some() {
            return answers.found;
        }
        let rule = space.rule(at)?;
        // Whoever is asked is asked because of it.
        if rule.outline.demand().is_some() {
            return None;
        }
        let name = rule.name().to_owned();
        if answers.unknown {
            self.open(Some(&name), FindingKind::NeverDecisive);
            return None;
        }
        let others = related(space, answers.in_the_way.iter().copied().filter(|other| *other != at));
        let allowed_anyway = rule.approval == Approval::Auto && self.policy.default_answer().0 == Approval::Auto;
        let (severity, by) = match () {
            () if allowed_anyway => (Severity::Note, "`defaults` allow them".to_owned()),
            () if others.is_empty() => (Severity::Warning, "lists of tools answer for all of them".to_owned()),
            () => (Severity::Warning, format!("{} answer for all of them", named(&others))),
        };
        let rule = space.rule(at)?;
        let message =
            format!("rule `{name}` never decides: every call that it matches gets the same answer without it; {by}");
        let mut finding = self.finding(
            rule,
            FindingKind::NeverDecisive,
            severity,
            message,
            "remove it, or narrow the rules that cover it; its risk level is all that it can add",
        );
        finding.related = others;
        self.findings.push(finding);
        None
    }

    fn decides_first(&mut self, space: &mut Space<'_>, at: RuleRef) -> Option<Call> {
        let goal = Goal { source: Some((View::whole(0), Source::Rule(at.rule))), below: None, or_default: false };
        let region = space.region_of(&[(at, Wish::Applies)]);
        let outcome = space.seek(&goal, region);
        if let Some((call, _)) = outcome.found {
            return Some(call);
        }
        let rule = space.rule(at)?;
        if outcome.unknown {
            self.open(Some(rule.name()), FindingKind::Shadowed);
            return None;
        }
        let others = related(space, outcome.in_the_way);
        let message = format!(
            "rule `{}` never decides: earlier rules take every call that it matches, {}",
            rule.name(),
            named(&others)
        );
        let remedy = "move it before them, or remove it; with `evaluation: strictest` order makes no difference";
        let mut finding = self.finding(rule, FindingKind::Shadowed, Severity::Warning, message, remedy);
        finding.related = others;
        self.findings.push(finding);
        None
    }
}

/// Looks for a call that is answered otherwise without the rule. That the defaults would give the same answer does not
/// count: it would be for another reason, which a mode may soften.
fn changes_something(space: &mut Space<'_>, at: RuleRef) -> Answers {
    let mut answers = Answers::default();
    let Some(side) = space.sides.first() else { return answers };
    let default = side.default;
    let Some(rule) = side.rules.get(at.rule) else { return answers };
    let (approval, overridden) = (rule.approval, rule.overrides.clone());
    let (whole, without) = (View::whole(0), View { side: 0, without: Some(at.rule) });
    let own = Some((whole, Source::Rule(at.rule)));
    let mut questions = Vec::new();
    if approval > Approval::Auto {
        let goal = Goal { source: own, below: Some((without, approval)), or_default: true };
        questions.push((goal, vec![(at, Wish::Applies)]));
        if default > approval {
            let goal = Goal { source: own, below: Some((without, default)), or_default: false };
            questions.push((goal, vec![(at, Wish::Undecided)]));
        }
    }
    if default > approval {
        let goal = Goal { source: Some((without, Source::Default)), below: Some((whole, default)), or_default: false };
        questions.push((goal, vec![(at, Wish::Applies)]));
    }
    for other in overridden {
        let Some(limit) = space.sides.first().and_then(|side| side.rules.get(other)).map(|rule| rule.approval) else {
            continue;
        };
        let goal =
            Goal { source: Some((without, Source::Rule(other))), below: Some((whole, limit)), or_default: false };
        let overridden = RuleRef { side: 0, rule: other };
        questions.push((goal, vec![(at, Wish::Holds), (overridden, Wish::Applies)]));
        // What it overrides may hold all others to the defaults, by not being decided.
        if limit > Approval::Auto && default > limit {
            let goal = Goal { below: Some((whole, default)), ..goal };
            questions.push((goal, vec![(at, Wish::Holds), (overridden, Wish::Undecided)]));
        }
    }
    for (goal, musts) in questions {
        if space.steps.are_spent() {
            answers.unknown = true;
            break;
        }
        let region = space.region_of(&musts);
        answers.take(space.seek(&goal, region));
        if answers.found.is_some() {
            break;
        }
    }
    answers
}
