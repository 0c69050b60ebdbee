//! Policies with one rule changed, against which the tests of a policy are held.

use std::sync::Arc;

use thoth_types::Approval;

use crate::condition::Condition;
use crate::index::Index;
use crate::policy::Policy;
use crate::rule::RuleId;

/// One way to change a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleChange {
    /// The rule never matches.
    Off,
    /// The rule asks for something else.
    Approval(Approval),
    /// The rule without one of its conditions, counted from zero.
    WithoutCondition(usize),
}

impl Policy {
    /// The same policy with one rule changed; `None` where there is nothing to change. Its digest stays that of the
    /// files: it is for finding out whether a test notices, and never for deciding a call.
    #[must_use]
    pub fn variant(&self, id: RuleId, change: RuleChange) -> Option<Self> {
        let mut rules = self.rules.clone();
        let rule = rules.get_mut(id.0 as usize).filter(|rule| rule.info.enforced)?;
        match change {
            RuleChange::Off => rule.info.enforced = false,
            RuleChange::Approval(approval) if approval == rule.info.approval => return None,
            RuleChange::Approval(approval) => rule.info.approval = approval,
            RuleChange::WithoutCondition(index) => {
                rule.conditions.get(index)?;
                let left = rule.conditions.iter().enumerate().filter(|(own, _)| *own != index);
                rule.conditions = left.map(|(_, condition)| condition.clone()).collect();
                rule.info.conditions = rule.conditions.len();
            }
        }
        Some(Self {
            digest: Arc::clone(&self.digest),
            evaluation: self.evaluation,
            defaults: self.defaults,
            parts: self.parts.clone(),
            index: Index::build(&rules, |rule| rule.info.enforced),
            // Tests ask what is enforced.
            shadow_index: None,
            rules,
            lists: self.lists.clone(),
            approvals: self.approvals.clone(),
            progressive: self.progressive,
            integrity: self.integrity.clone(),
            inspect: self.inspect.clone(),
            blocked_patterns: self.blocked_patterns.clone(),
            has_overrides: self.has_overrides,
            highest_risk: self.highest_risk,
            warnings: Vec::new(),
            files: self.files.clone(),
        })
    }

    /// The conditions of a rule, each in one line, in the order in which traces show them.
    #[must_use]
    pub fn conditions(&self, id: RuleId) -> Vec<String> {
        self.get(id).map(|rule| rule.conditions.iter().map(Condition::show).collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use thoth_types::Arguments;
    use thoth_types::json::{Limits, Tape};

    use super::*;
    use crate::query::Query;
    use crate::source::Sources;

    const FILE: &str = "\
defaults: {approval: approve}
rules:
  - {name: reads, match: {tool: 'read_*'}, approval: auto, risk_level: low}
  - name: big
    match: {tool: pay}
    conditions: {param_gt: {amount: 100}, param_eq: {currency: EUR}}
    approval: block
";

    /// Each change has the effect that its name says, and no other.
    #[test]
    fn a_variant_differs_in_one_rule() {
        let policy = crate::load("p.yaml", &Sources::one("p.yaml", FILE)).unwrap();
        let id = |name: &str| policy.rule_table().find(|(_, rule)| &*rule.name == name).unwrap().0;
        let answer = |policy: &Policy, tool: &str, json: &str| {
            let mut tape = Tape::new();
            let value = tape.parse(json.as_bytes(), &Limits::default()).unwrap();
            let query = Query { arguments: Arguments::new(Some(value)), ..Query::new(tool, "s") };
            policy.explain(&query, false).approval
        };
        let big = r#"{"amount": 200, "currency": "EUR"}"#;
        let dollars = r#"{"amount": 200, "currency": "USD"}"#;
        let small = r#"{"amount": 1, "currency": "EUR"}"#;
        let answers = |policy: &Policy| {
            let pays = [big, dollars, small].map(|json| answer(policy, "pay", json).as_str());
            [answer(policy, "read_file", "{}").as_str(), pays[0], pays[1], pays[2]].join(" ")
        };
        for (rule, change, expected) in [
            ("reads", RuleChange::Off, "approve block approve approve"),
            ("reads", RuleChange::Approval(Approval::Block), "block block approve approve"),
            ("big", RuleChange::Off, "auto approve approve approve"),
            ("big", RuleChange::Approval(Approval::Auto), "auto auto approve approve"),
            ("big", RuleChange::WithoutCondition(0), "auto block approve block"),
            ("big", RuleChange::WithoutCondition(1), "auto block block approve"),
        ] {
            let variant = policy.variant(id(rule), change).unwrap();
            assert_eq!(answers(&variant), expected, "{rule} {change:?}");
            assert_eq!(answers(&policy), "auto block approve approve");
        }
        assert!(policy.variant(id("big"), RuleChange::Approval(Approval::Block)).is_none());
        assert!(policy.variant(id("big"), RuleChange::WithoutCondition(2)).is_none());
        assert_eq!(policy.conditions(id("big")).len(), 2);
    }
}
