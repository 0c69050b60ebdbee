//! The stages, in the order in which they run; each is one file and knows nothing of the others.

use thoth_policy::{Policy, Query};
use thoth_types::Finding;

pub(crate) mod approval;
pub(crate) mod document;
pub(crate) mod evidence;
pub(crate) mod identity;
pub(crate) mod inspection;
pub(crate) mod integrity;
pub(crate) mod intent;
pub(crate) mod limits;
pub(crate) mod mode;
pub(crate) mod preflight;
pub(crate) mod remote;
pub(crate) mod rules;
pub(crate) mod scope;
pub(crate) mod shadow;

/// What the inspection of the arguments would find, for an explanation: nothing is decided.
#[must_use]
pub fn foresee(policy: &Policy, query: &Query<'_>) -> Vec<Finding> {
    inspection::foresee(policy, query)
}
