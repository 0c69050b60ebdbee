//! Stage 4, tool integrity: the tool is listed, is the one that was approved, and its definition carries no attack.
//!
//! What is known of it was found out when the server listed it: here it is only looked up.

use thoth_policy::Policy;
use thoth_types::Finding;

use crate::facts::Facts;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    if let Some(known) = &facts.call.integrity {
        policy.integrity(&facts.query, facts.call.listed, known, findings);
    }
}
