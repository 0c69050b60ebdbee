//! Stage 3, deny list and approved scope: the policy's, and the one that this session was started with.

use thoth_policy::Policy;
use thoth_types::Finding;

use crate::facts::Facts;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    policy.scope(&facts.query, facts.scope, findings);
}
