//! A policy that is loaded again when its files change.

use thoth_proxy::{Reload, Standing};
pub(crate) use thoth_shell::policy_files::{PolicyFiles, Problem};

/// Loads the policy again whenever one of its files has changed.
pub(crate) fn reloader(mut files: PolicyFiles) -> Reload {
    Box::new(move || {
        if !files.changed() {
            return None;
        }
        Some(files.load().map(|policy| Standing::Valid(Box::new(policy))).map_err(|problem| problem.rendered()))
    })
}
