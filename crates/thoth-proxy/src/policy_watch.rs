//! Notices that the policy file has changed, between calls and without a thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thoth_gate::{Gate, Standing};

use crate::notices::say;

/// The most often that files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Loads the policy again if its files have changed: `None` when they have not.
pub type Reload = Box<dyn FnMut() -> Option<Result<Standing, String>> + Send>;

/// Looks for changes when traffic comes by. A bad file keeps the policy that is in force, and says so.
pub struct PolicyWatch {
    reload: Option<Reload>,
    last: Option<Instant>,
}

impl std::fmt::Debug for PolicyWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyWatch").field("active", &self.reload.is_some()).finish_non_exhaustive()
    }
}

impl PolicyWatch {
    /// Calls `reload` at most once a second, when traffic comes by.
    #[must_use]
    pub fn new(reload: Reload) -> Self {
        Self { reload: Some(reload), last: None }
    }

    /// Never looks.
    #[must_use]
    pub const fn never() -> Self {
        Self { reload: None, last: None }
    }

    pub(crate) fn look(&mut self, gate: &Arc<Gate>) {
        let Some(reload) = &mut self.reload else { return };
        if self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            return;
        }
        self.last = Some(Instant::now());
        match reload() {
            None => {}
            Some(Ok(standing)) => {
                say(&format!("the policy file changed; now in force: {}", standing.digest()));
                gate.replace(standing);
            }
            Some(Err(problem)) => {
                say(&format!("the policy file changed but is not valid; the previous one stays in force\n{problem}"));
            }
        }
    }
}
