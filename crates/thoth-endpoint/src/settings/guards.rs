//! As whom the gate may run.

/// What is demanded of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards {
    /// It must not run as root.
    pub non_root: bool,
    /// Nothing was written about root: it may run as root, and that is worth a warning.
    pub unguarded: bool,
    /// It must run as the user of this name.
    pub user: Option<String>,
    /// It must run as the user of this number.
    pub uid: Option<u32>,
}

/// As whom the process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The number of the user whose rights it has.
    pub uid: u32,
    /// That user's name, if the system knows one.
    pub user: Option<String>,
}

/// A guard that the process violates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It runs as root.
    #[error(
        "this runs as root, which `THOTH_REQUIRE_NON_ROOT` forbids (by default where `THOTH_ENV` says `staging` or `prod`)"
    )]
    Root,
    /// It runs as somebody else.
    #[error("this runs as {actual}, and `THOTH_EXPECTED_PROXY_USER` demands `{}`", .expected.escape_debug())]
    User {
        /// The name that was demanded.
        expected: String,
        /// As whom it runs.
        actual: String,
    },
    /// It runs as somebody else, by number.
    #[error("this runs as user {actual}, and `THOTH_EXPECTED_PROXY_UID` demands {expected}")]
    Uid {
        /// The number that was demanded.
        expected: u32,
        /// As whom it runs.
        actual: u32,
    },
}

impl Guards {
    /// Holds the guards against a process. A user without a name violates a demand for a name.
    ///
    /// # Errors
    /// The first guard that is violated.
    pub fn check(&self, process: &Process) -> Result<(), GuardError> {
        if self.non_root && process.uid == 0 {
            return Err(GuardError::Root);
        }
        if let Some(expected) = self.uid.filter(|uid| *uid != process.uid) {
            return Err(GuardError::Uid { expected, actual: process.uid });
        }
        match &self.user {
            Some(expected) if process.user.as_ref() != Some(expected) => {
                let name = process.user.as_ref().map(|name| format!("`{}`", name.escape_debug()));
                let actual = name.unwrap_or_else(|| format!("user {}, who has no name", process.uid));
                Err(GuardError::User { expected: expected.clone(), actual })
            }
            _ => Ok(()),
        }
    }

    /// What `thoth doctor` says about a process that no guard stops.
    #[must_use]
    pub const fn warning(&self, process: &Process) -> Option<&'static str> {
        if self.unguarded && process.uid == 0 {
            Some("this runs as root; set THOTH_REQUIRE_NON_ROOT=true, or write THOTH_ENV, to forbid that")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who may run under which guards.
    #[test]
    fn the_table_of_guards() {
        let process = |uid, user: &str| Process { uid, user: (!user.is_empty()).then(|| user.to_owned()) };
        let guards = |non_root, user: &str, uid| Guards {
            non_root,
            unguarded: false,
            user: (!user.is_empty()).then(|| user.to_owned()),
            uid,
        };
        let mut seen = String::new();
        for (guards, process) in [
            (guards(false, "", None), process(0, "root")),
            (guards(true, "", None), process(0, "")),
            (guards(true, "", None), process(1, "ada")),
            (guards(true, "ada", Some(1)), process(1, "ada")),
            (guards(false, "ada", None), process(1, "bob")),
            (guards(false, "ada", None), process(1, "")),
            (guards(false, "", Some(7)), process(1, "ada")),
            (guards(false, "", Some(0)), process(0, "root")),
        ] {
            let verdict = guards.check(&process).map_or_else(|error| error.to_string(), |()| "runs".to_owned());
            seen += &format!("{verdict}\n");
        }
        insta::assert_snapshot!(seen, @"
        runs
        this runs as root, which `THOTH_REQUIRE_NON_ROOT` forbids (by default where `THOTH_ENV` says `staging` or `prod`)
        runs
        runs
        this runs as `bob`, and `THOTH_EXPECTED_PROXY_USER` demands `ada`
        this runs as user 1, who has no name, and `THOTH_EXPECTED_PROXY_USER` demands `ada`
        this runs as user 1, and `THOTH_EXPECTED_PROXY_UID` demands 7
        runs
        ");
        let open = Guards { unguarded: true, ..Guards::default() };
        assert!(open.warning(&process(0, "root")).is_some() && open.warning(&process(1, "ada")).is_none());
    }
}
