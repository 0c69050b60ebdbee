//! What the operator demands of one session beside the policy.

use std::collections::BTreeSet;

use thoth_types::ReasonCode;

/// Demands that hold for every call of a session, known when it begins. They can only tighten: no mode softens them, and
/// a call that passes them is decided by the policy as any other. The default demands nothing.
#[derive(Debug, Clone, Default)]
pub struct Preflight {
    pub(crate) refusal: Option<(ReasonCode, String)>,
    pub(crate) tools: Option<BTreeSet<String>>,
}

impl Preflight {
    /// Every call is refused, for this reason. The first reason given counts.
    #[must_use]
    pub fn refuse_all(mut self, code: ReasonCode, reason: String) -> Self {
        self.refusal.get_or_insert((code, reason));
        self
    }

    /// Only these tools may be called, by their exact names: the ones that the session's intent needs.
    #[must_use]
    pub fn only(mut self, tools: BTreeSet<String>) -> Self {
        self.tools = Some(match self.tools {
            Some(known) => known.intersection(&tools).cloned().collect(),
            None => tools,
        });
        self
    }
}
