//! What tests reach: which rules decided a call, and which conditions were seen to hold and to fail.

use std::collections::HashMap;
use std::sync::Arc;

use thoth_policy::{Explanation, Policy, Truth};
use thoth_types::{Approval, Place, ReasonCode};

/// What the tests reach of one policy.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// The rules that are in force, in the order of the files.
    pub rules: Vec<RuleCoverage>,
    /// How many tests the defaults decided.
    pub defaults: usize,
    by_name: HashMap<Arc<str>, usize>,
}

/// What the tests reach of one rule.
#[derive(Debug, Clone)]
pub struct RuleCoverage {
    /// The rule.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What it asks for.
    pub approval: Approval,
    /// How many tests it matched.
    pub matched: usize,
    /// How many tests it decided.
    pub decided: usize,
    /// Its conditions.
    pub conditions: Vec<ConditionCoverage>,
}

/// How one condition came out over all tests that fit the rule's `match`.
#[derive(Debug, Clone)]
pub struct ConditionCoverage {
    /// The condition in one line.
    pub text: String,
    /// How often it held.
    pub held: usize,
    /// How often it failed.
    pub failed: usize,
    /// How often it could not be decided.
    pub undecided: usize,
}

/// By what places are sorted: the order of the policy's files.
pub(crate) fn order(policy: &Policy, place: &Place) -> (Option<usize>, u32, u32) {
    (policy.files().iter().position(|file| *file == place.file), place.line, place.column)
}

impl Coverage {
    /// Nothing reached yet.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let mut table: Vec<_> = policy.rule_table().filter(|(_, rule)| rule.enforced).collect();
        table.sort_by_key(|(_, rule)| order(policy, &rule.place));
        let rules: Vec<RuleCoverage> = table
            .into_iter()
            .map(|(id, rule)| RuleCoverage {
                name: Arc::clone(&rule.name),
                place: rule.place.clone(),
                approval: rule.approval,
                matched: 0,
                decided: 0,
                conditions: policy
                    .conditions(id)
                    .into_iter()
                    .map(|text| ConditionCoverage { text, held: 0, failed: 0, undecided: 0 })
                    .collect(),
            })
            .collect();
        let by_name = rules.iter().enumerate().map(|(index, rule)| (Arc::clone(&rule.name), index)).collect();
        Self { rules, defaults: 0, by_name }
    }

    /// Counts one answer, which has a trace.
    pub fn observe(&mut self, answer: &Explanation) {
        let by_rule =
            matches!(answer.reason_code, ReasonCode::RuleAuto | ReasonCode::RuleApprove | ReasonCode::RuleBlock);
        let by_default = matches!(
            answer.reason_code,
            ReasonCode::DefaultAuto | ReasonCode::DefaultApprove | ReasonCode::DefaultBlock
        );
        self.defaults += usize::from(by_default);
        for name in &answer.matched {
            if let Some(rule) = self.rule(name) {
                rule.matched += 1;
            }
        }
        if let Some(rule) = answer.rule.as_ref().filter(|_| by_rule).and_then(|name| self.rule(name)) {
            rule.decided += 1;
        }
        for trace in answer.trace.iter().flatten() {
            // A condition of a rule that is not about this call shows nothing.
            if trace.conditions.first().is_some_and(|own| own.outcome == Truth::False) {
                continue;
            }
            let Some(rule) = self.rule(&trace.rule) else { continue };
            let own = trace.conditions.len().saturating_sub(rule.conditions.len());
            for (condition, seen) in rule.conditions.iter_mut().zip(trace.conditions.iter().skip(own)) {
                match seen.outcome {
                    Truth::True => condition.held += 1,
                    Truth::False => condition.failed += 1,
                    Truth::Error => condition.undecided += 1,
                }
            }
        }
    }

    fn rule(&mut self, name: &str) -> Option<&mut RuleCoverage> {
        self.by_name.get(name).and_then(|index| self.rules.get_mut(*index))
    }

    /// How many rules decided a test, and how many there are.
    #[must_use]
    pub fn decisions(&self) -> (usize, usize) {
        (self.rules.iter().filter(|rule| rule.decided > 0).count(), self.rules.len())
    }

    /// How many outcomes of conditions were seen, and how many there are: each can hold and fail.
    #[must_use]
    pub fn outcomes(&self) -> (usize, usize) {
        let all = self.rules.iter().flat_map(|rule| &rule.conditions);
        all.fold((0, 0), |(seen, of), own| (seen + usize::from(own.held > 0) + usize::from(own.failed > 0), of + 2))
    }
}
