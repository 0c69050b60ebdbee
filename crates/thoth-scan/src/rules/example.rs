//! The examples of a rule, held against it.

use thoth_text::Text;

use super::{Concepts, Rule, RuleSet, Scratch};
use crate::role::Role;

/// Whether a rule finds something in a text, in a role that it applies to.
pub(super) fn finds(set: &RuleSet, rule: &Rule, example: &str) -> bool {
    let prose = rule.roles.iter().copied().find(|role| !role.is_identifier());
    let role = prose.or(rule.roles.first().copied()).unwrap_or(Role::Description);
    let mut scratch = Scratch::default();
    let mut matched = Vec::new();
    // A description is about what its first sentence says.
    let alone = matches!(rule.roles.first(), Some(Role::ParameterText | Role::ParameterName));
    let own = if alone { Concepts::default() } else { set.purpose(example, false, &mut scratch) };
    set.evaluate(&Text::read(example), role, &own, &mut scratch, &mut matched);
    matched.iter().any(|found| found.rule.id == rule.id && !found.mentioned)
}
