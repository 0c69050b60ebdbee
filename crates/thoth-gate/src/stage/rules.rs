//! Stage 6, policy rules.

use thoth_policy::{Policy, Scratch};
use thoth_types::Finding;

use crate::facts::Facts;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, scratch: &mut Scratch, findings: &mut Vec<Finding>) {
    let verdict = policy.rules(&facts.query, scratch);
    findings.push(policy.rules_finding(&verdict));
}
