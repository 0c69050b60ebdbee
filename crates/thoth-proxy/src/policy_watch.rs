//! Notices that the policy file has changed, between calls and without a thread.

use thoth_gate::{Gate, Standing};

use crate::notices::say;

/// Loads the policy again if its files have changed: `None` when they have not.
pub type Reload = Box<dyn FnMut() -> Option<Result<Standing, String>> + Send>;

/// Looks for changes when traffic comes by. A bad file keeps the policy that is in force, and says so.
pub struct PolicyWatch {
    reload: Option<Reload>,
}

impl std::fmt::Debug for PolicyWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyWatch").field("active", &self.reload.is_some()).finish_non_exhaustive()
    }
}

impl PolicyWatch {
    /// Calls `reload` now and then, when traffic comes by.
    #[must_use]
    pub fn new(reload: Reload) -> Self {
        Self { reload: Some(reload) }
    }

    /// Never looks.
    #[must_use]
    pub const fn never() -> Self {
        Self { reload: None }
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
}
