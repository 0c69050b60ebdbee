//! Stage 1, identity: the agent must be known where the policy says so, and must not be blocked.

use thoth_policy::Policy;
use thoth_types::Finding;

use crate::facts::Facts;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    policy.identity(&facts.query, findings);
}
