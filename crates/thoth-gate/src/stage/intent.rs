//! Stage 2, session intent: only what the session was opened for.

use thoth_policy::Policy;
use thoth_types::Finding;

use crate::facts::Facts;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    policy.intent(&facts.query, findings);
}
