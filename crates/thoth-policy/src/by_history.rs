//! Whether it takes the whole history of a session to say that a call may run.

use thoth_types::Approval;

use crate::condition::Condition;
use crate::policy::Policy;
use crate::rule::Rule;

impl Policy {
    /// Whether some rule that allows or asks looks at what the session called before. Where none does, whoever knows only
    /// some of the earlier calls asks about each call that whoever knows all of them asks about: what such rules refuse, and
    /// the limits, can then be looked after by another one.
    #[must_use]
    pub fn asks_by_history(&self) -> bool {
        let looks_back =
            |condition: &Condition| matches!(condition, Condition::Rate { .. } | Condition::AfterCall { .. });
        let asks = |rule: &Rule| rule.info.enforced && rule.info.approval < Approval::Block;
        self.rules.iter().filter(|rule| asks(rule)).any(|rule| rule.conditions.iter().any(looks_back))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Sources, load};

    /// Which rules make a policy one that asks by history.
    #[test]
    fn the_table_of_rules() {
        for (rule, expected) in [
            ("approval: auto", false),
            ("approval: block, conditions: { rate: { limit: 5, window: 1m } }", false),
            ("approval: block, conditions: { after_call: { tool: x } }", false),
            ("approval: approve, conditions: { labels: [secrets] }", false),
            ("approval: approve, conditions: { rate: { limit: 5, window: 1m } }", true),
            ("approval: auto, conditions: { after_call: { tool: x } }", true),
            ("approval: approve, mode: shadow, conditions: { rate: { limit: 5, window: 1m } }", false),
        ] {
            let text = format!("version: \"1\"\nrules:\n- {{ name: a, match: {{ tool: t }}, {rule} }}\n");
            let policy = load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{rule}: {error}"));
            assert_eq!(policy.asks_by_history(), expected, "{rule}");
        }
    }
}
