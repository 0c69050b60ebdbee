//! Stage 6, policy rules.

use thoth_policy::{Policy, Query, Scratch};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Finding};

use crate::facts::Facts;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, scratch: &mut Scratch, findings: &mut Vec<Finding>) {
    let verdict = policy.rules(&facts.query, scratch);
    findings.push(policy.rules_finding(&verdict));
}

/// The same over the arguments that would go out instead. Both must be let through: what is taken out neither switches a
/// rule off nor another one on.
pub(crate) fn run_again(
    policy: &Policy,
    facts: &Facts<'_>,
    edited: &[u8],
    scratch: &mut Scratch,
    findings: &mut Vec<Finding>,
) {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: edited.len(), ..Limits::default() };
    // It was read before. Without arguments, what looks at them cannot be decided, which tightens.
    let arguments = Arguments::new(tape.parse(edited, &limits).ok());
    let again = policy.rules_finding(&policy.rules(&Query { arguments, ..facts.query }, scratch));
    let before = policy.rules_finding(&policy.rules(&facts.query, scratch));
    if again.approval > before.approval {
        policy.rules(&Query { arguments, ..facts.query }, scratch);
        findings.push(again);
    }
}
