//! Rules that answer the same calls differently.

use std::collections::HashMap;

use thoth_policy::outline::Glob;
use thoth_types::Approval;

use super::{Checker, named, related};
use crate::call::Call;
use crate::finding::{FindingKind, Severity};
use crate::goal::{Goal, Source, View};
use crate::model::{Rule, RuleRef, Space};
use crate::region::Wish;

/// How many pairs are looked at in all, and for one rule.
const MOST_PAIRS: usize = 30_000;
const MOST_OF_RULE: usize = 64;

impl Checker<'_> {
    pub(super) fn overlaps(&mut self, space: &mut Space<'_>) {
        let Some(side) = space.sides.first() else { return };
        let first_match = side.first_match;
        let kind = if first_match { FindingKind::PartiallyShadowed } else { FindingKind::Conflict };
        let partners = partners(&side.rules, first_match);
        let mut left = MOST_PAIRS;
        let (mut cut_short, mut pairs_open) = (0_usize, 0_usize);
        for (index, looser) in partners {
            let at = RuleRef { side: 0, rule: index };
            let mut witness: Option<Call> = None;
            let mut others = Vec::new();
            cut_short += usize::from(looser.len() > MOST_OF_RULE.min(left));
            for other in looser.into_iter().take(MOST_OF_RULE.min(left)) {
                left -= 1;
                let other = RuleRef { side: 0, rule: other };
                // The one that decides: the earlier rule where order counts, else the stricter one.
                let deciding = if first_match { other.rule } else { index };
                let source = Some((View::whole(0), Source::Rule(deciding)));
                let limit = space.rule(at).map(|rule| rule.approval).filter(|_| first_match);
                let below = limit.map(|limit| (View::whole(0), limit));
                let goal = Goal { source, below, or_default: false };
                let region = space.region_of(&[(at, Wish::Applies), (other, Wish::Holds)]);
                let outcome = space.seek(&goal, region);
                if let Some((call, _)) = outcome.found {
                    others.push(other);
                    witness.get_or_insert(call);
                } else {
                    pairs_open += usize::from(outcome.unknown);
                }
            }
            let (Some(call), Some(rule)) = (witness, space.rule(at)) else { continue };
            let others = related(space, others);
            self.overlap(rule, first_match, kind, others, call);
        }
        if pairs_open > 0 {
            self.undecided.push(format!("{}: {pairs_open} pairs of rules", kind.as_str()));
        }
        if cut_short > 0 {
            self.undecided.push(format!(
                "{}: {cut_short} rules were compared with {MOST_OF_RULE} looser rules each and not with all",
                kind.as_str()
            ));
        }
    }

    fn overlap(
        &mut self,
        rule: &Rule<'_>,
        first_match: bool,
        kind: FindingKind,
        others: Vec<crate::finding::Related>,
        call: Call,
    ) {
        // One that never decides at all has been reported as such.
        let reported = [FindingKind::Shadowed, FindingKind::NeverDecisive, FindingKind::Unreachable];
        let name = rule.name();
        if self.findings.iter().any(|known| known.rule.as_deref() == Some(name) && reported.contains(&known.kind)) {
            return;
        }
        let approval = rule.approval;
        let (severity, message, remedy) = if first_match {
            let message = format!(
                "rule `{name}` ({approval}) is partially shadowed by {}, which come before it and are looser",
                named(&others)
            );
            (
                Severity::Warning,
                message,
                "move it before them, or use `evaluation: strictest`, where order makes no difference",
            )
        } else {
            let message =
                format!("rule `{name}` ({approval}) takes calls from {}; the stricter answer holds", named(&others));
            (Severity::Note, message, "nothing, if that is meant; otherwise narrow one of them, or add `except`")
        };
        let mut finding = self.finding(rule, kind, severity, message, remedy);
        finding.related = others;
        self.add_with(finding, call, |answer| if first_match { answer < approval } else { answer >= approval });
    }
}

/// For each rule the looser ones that may fit some of its calls; with `first_match` only earlier ones, and without rules
/// that are for every call: such a one stands at the end on purpose.
fn partners(rules: &[Rule<'_>], first_match: bool) -> Vec<(usize, Vec<usize>)> {
    let exact = |rule: &Rule<'_>| -> Option<Vec<String>> {
        let tool = &rule.outline.matcher().tool;
        rule.block.tool?;
        tool.any
            .iter()
            .map(|glob| Glob::exact(glob).map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .filter(|all| !all.is_empty())
    };
    let names: Vec<Option<Vec<String>>> = rules.iter().map(exact).collect();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut open: Vec<usize> = Vec::new();
    for (index, names) in names.iter().enumerate() {
        match names {
            Some(names) => names.iter().for_each(|name| by_name.entry(name).or_default().push(index)),
            None => open.push(index),
        }
    }
    let mut all = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.approval == Approval::Auto || rule.is_for_every_call() {
            continue;
        }
        let fits = |other: &usize| {
            rules.get(*other).is_some_and(|other| other.approval < rule.approval && !other.is_for_every_call())
                && (!first_match || *other < index)
        };
        let mut looser: Vec<usize> = match names.get(index) {
            Some(Some(own)) => {
                let same = own.iter().filter_map(|name| by_name.get(&**name)).flatten().copied();
                let by_glob = open.iter().copied().filter(|other| {
                    rules
                        .get(*other)
                        .is_some_and(|other| own.iter().any(|name| other.outline.matcher().tool.matches(name)))
                });
                same.chain(by_glob).filter(fits).collect()
            }
            _ => {
                let tool = &rule.outline.matcher().tool;
                let exact = by_name.iter().filter(|(name, _)| tool.matches(name)).flat_map(|(_, rules)| rules).copied();
                exact.chain(open.iter().copied()).filter(fits).collect()
            }
        };
        looser.sort_unstable();
        looser.dedup();
        if !looser.is_empty() {
            all.push((index, looser));
        }
    }
    all
}
