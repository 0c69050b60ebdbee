//! Notices that a policy file has changed, between calls and without a thread.

use std::sync::Arc;

use thoth_gate::{Directives, Gate, Standing};

use crate::notices::say;

/// Loads the policy again if its files have changed: `None` when they have not.
pub type Reload = Box<dyn FnMut() -> Option<Result<Standing, String>> + Send>;

/// Looks for changes when traffic comes by. A bad file keeps the policy that is in force, and says so.
pub struct PolicyWatch {
    reload: Option<Reload>,
    shadow: Option<Reload>,
    directives: Directives,
    /// What was last seen there.
    seen: Option<(Arc<str>, bool)>,
}

impl std::fmt::Debug for PolicyWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyWatch")
            .field("active", &self.reload.is_some())
            .field("shadow", &self.shadow.is_some())
            .finish_non_exhaustive()
    }
}

impl PolicyWatch {
    /// Calls `reload` now and then, when traffic comes by.
    #[must_use]
    pub fn new(reload: Reload) -> Self {
        Self { reload: Some(reload), ..Self::never() }
    }

    /// The same with a policy that is asked beside the one in force.
    #[must_use]
    pub fn beside(mut self, reload: Reload) -> Self {
        self.shadow = Some(reload);
        self
    }

    /// Never looks.
    #[must_use]
    pub fn never() -> Self {
        Self { reload: None, shadow: None, directives: Directives::default(), seen: None }
    }

    /// The same, which also sees when the enforcer's own policy becomes another one.
    pub(crate) fn heeding(mut self, directives: Directives) -> Self {
        self.directives = directives;
        self
    }

    /// What has become of the enforcer's own policy, for the record.
    pub(crate) fn look_above(&mut self) -> Option<String> {
        let current = self.directives.current();
        if current == self.seen {
            return None;
        }
        let detail = match &current {
            Some((digest, true)) => {
                format!("the enforcer's policy: {digest}; calls that it allows are not asked about")
            }
            Some((digest, false)) => format!("the enforcer's policy: {digest}; each call is asked about"),
            None => "the enforcer's policy is not known here; each call is asked about".to_owned(),
        };
        self.seen = current;
        Some(detail)
    }

    /// Puts a changed policy in force, and returns what happened, for the record.
    pub(crate) fn look(&mut self, gate: &Gate) -> Option<String> {
        match self.reload.as_mut()?()? {
            Ok(standing) => {
                gate.replace(standing);
                let detail = format!("the policy file changed; now in force: {}", gate.policy_digest());
                say(&detail);
                Some(detail)
            }
            Err(problem) => {
                let detail = "the policy file changed but is not valid; the previous one stays in force";
                say(&format!("{detail}\n{problem}"));
                Some(detail.to_owned())
            }
        }
    }

    /// Has a changed policy asked beside the one in force, and returns what happened, for the record. One that is not
    /// valid refuses nothing: it has no say.
    pub(crate) fn look_beside(&mut self, gate: &Gate) -> Option<String> {
        match self.shadow.as_mut()?()? {
            Ok(Standing::Valid(policy)) => {
                let detail = format!("now in shadow: {}", policy.digest());
                gate.watch(*policy);
                say(&detail);
                Some(detail)
            }
            Ok(Standing::Invalid { reason: problem }) | Err(problem) => {
                let detail = match gate.shadow_digest() {
                    Some(digest) => format!("the policy in shadow is not valid; {digest} stays there"),
                    None => "the policy in shadow is not valid; nothing is in shadow".to_owned(),
                };
                say(&format!("{detail}\n{problem}"));
                Some(detail)
            }
        }
    }
}
