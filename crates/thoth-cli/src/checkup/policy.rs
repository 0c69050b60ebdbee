//! The policy file.

use std::path::Path;

use super::Check;
use crate::policy_files::PolicyFiles;

const NAME: &str = "policy";

/// What was found out about the policy.
pub(crate) struct PolicyState {
    pub(crate) check: Check,
    /// The digest of a valid policy.
    pub(crate) digest: Option<String>,
}

/// Loads the policy as `thoth run` would.
pub(crate) fn policy(path: &Path) -> PolicyState {
    let shown = path.display();
    if !path.exists() {
        let check = Check::skipped(NAME, format!("there is no {shown} yet; the first `thoth run` writes a starter"));
        return PolicyState { check, digest: None };
    }
    match PolicyFiles::new(path.to_owned()).load() {
        Err(problem) => {
            let check = Check::failure(
                NAME,
                format!("invalid, so that every call is refused: {}", problem.first()),
                format!("run `thoth policy check {shown}` and correct what it names"),
            );
            PolicyState { check, digest: None }
        }
        Ok(loaded) => {
            let digest = loaded.digest().to_owned();
            let warnings = loaded.warnings();
            let check = match warnings.first() {
                None => Check::ok(NAME, format!("{shown}, {} rules", loaded.rule_table().count())),
                Some(first) => Check::warning(
                    NAME,
                    format!("{shown}, {} warnings: {first}", warnings.len()),
                    format!("run `thoth policy check {shown}`"),
                ),
            };
            PolicyState { check, digest: Some(digest) }
        }
    }
}
