//! Whether tests notice: each rule is changed in turn, and some test must fail.

use std::collections::HashMap;
use std::sync::Arc;

use thoth_policy::{Policy, RuleChange, RuleId, RuleInfo};
use thoth_types::{Approval, Place};

use crate::coverage::order;
use crate::suite::{Case, Decide, Held, Inspect, Run, Suite, Verdict, still_passes};

/// One changed policy.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The rule that was changed.
    pub rule: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What was changed.
    pub change: RuleChange,
    /// What was changed, in words.
    pub words: String,
    /// The first test or invariant that fails then; `None`: nobody notices.
    pub noticed_by: Option<String>,
}

impl Mutant {
    /// Whether some test must notice it. A condition may be one that no call needs, where another rule is stricter.
    #[must_use]
    pub const fn must_be_noticed(&self) -> bool {
        !matches!(self.change, RuleChange::WithoutCondition(_))
    }
}

/// Changes each rule that is in force in every way, and says which changes the tests notice. `runs` are the tests run
/// on the policy as it is, in the order of `suites`; only tests that passed can notice anything.
#[must_use]
pub fn mutate(
    policy: &Policy,
    suites: &[Suite],
    runs: &[Run],
    inspect: Inspect<'_>,
    decide: Decide<'_>,
) -> Vec<Mutant> {
    // Only calls that a rule is about can come out otherwise when it changes.
    let mut reach: HashMap<&str, Vec<&Case>> = HashMap::new();
    for (suite, run) in suites.iter().zip(runs) {
        for (case, result) in suite.cases.iter().zip(&run.cases).filter(|(_, result)| result.verdict == Verdict::Passed)
        {
            for rule in &result.reached {
                reach.entry(rule).or_default().push(case);
            }
        }
    }
    let holding: Vec<_> = suites
        .iter()
        .zip(runs)
        .flat_map(|(suite, run)| suite.invariants.iter().zip(&run.invariants))
        .filter(|(_, result)| result.held == Held::Holds)
        .map(|(invariant, _)| invariant)
        .collect();
    let mut rules: Vec<(RuleId, &RuleInfo)> = policy.rule_table().filter(|(_, rule)| rule.enforced).collect();
    rules.sort_by_key(|(_, rule)| order(policy, &rule.place));
    let mut mutants = Vec::new();
    for (id, rule) in rules {
        let cases = reach.get(&*rule.name).map_or(&[][..], Vec::as_slice);
        for (change, words) in changes(policy, id, rule) {
            let variant = (!cases.is_empty() || !holding.is_empty()).then(|| policy.variant(id, change)).flatten();
            let noticed_by = variant.and_then(|variant| {
                let by_case = cases.iter().find(|case| !still_passes(&variant, case, inspect));
                by_case.map(|case| case.name.clone()).or_else(|| {
                    let violated = |own: &&&crate::suite::Invariant| matches!(decide(&variant, own), Held::Violated(_));
                    holding.iter().find(violated).map(|invariant| invariant.name.clone())
                })
            });
            let (rule, place) = (Arc::clone(&rule.name), rule.place.clone());
            mutants.push(Mutant { rule, place, change, words, noticed_by });
        }
    }
    mutants
}

/// Everything that can be changed about a rule.
fn changes(policy: &Policy, id: RuleId, rule: &RuleInfo) -> Vec<(RuleChange, String)> {
    let mut all = vec![(RuleChange::Off, "dropped".to_owned())];
    for approval in Approval::ALL.iter().filter(|approval| **approval != rule.approval) {
        all.push((RuleChange::Approval(*approval), format!("{} becomes {approval}", rule.approval)));
    }
    let conditions = policy.conditions(id).into_iter().enumerate();
    all.extend(conditions.map(|(index, text)| (RuleChange::WithoutCondition(index), format!("without `{text}`"))));
    all
}
