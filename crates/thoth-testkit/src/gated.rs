//! `thoth run` as a test starts it: its own home, its own policy, its own ledger.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::stdio_peer::Launch;

/// A policy under which nothing is asked and nothing is refused.
pub const ALLOW_ALL: &str = "version: \"1\"\ndefaults:\n  approval: auto\n  risk_level: low\n";

/// One gate: a folder with its policy, home and ledger.
#[derive(Debug)]
pub struct Gated {
    binary: PathBuf,
    policy: PathBuf,
    home: PathBuf,
    ledger: PathBuf,
    flags: Vec<OsString>,
}

/// The policy for clients that call tools without having them listed first, as most tests do. A policy that says
/// something of tool integrity itself stays as it is.
fn calls_unlisted_tools(policy: &str) -> String {
    if policy.contains("integrity:") {
        policy.to_owned()
    } else {
        format!("{policy}integrity: {{ on_unlisted: allow }}\n")
    }
}

impl Gated {
    /// Prepares a gate in an empty folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn prepare(binary: impl Into<PathBuf>, folder: &Path, policy: &str) -> io::Result<Self> {
        let gated = Self {
            binary: binary.into(),
            policy: folder.join("policy.yaml"),
            home: folder.join("home"),
            ledger: folder.join("ledger"),
            flags: Vec::new(),
        };
        // Private whatever the umask: the gate refuses a home that others can write to.
        DirBuilder::new().recursive(true).mode(0o700).create(&gated.home)?;
        std::fs::write(&gated.policy, calls_unlisted_tools(policy))?;
        Ok(gated)
    }

    /// The same with one more flag for `thoth run`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<OsString>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// The words before the server's own: `thoth run … --`.
    #[must_use]
    pub fn launch(&self) -> Launch {
        let mut launch = Launch::new([&self.binary]).arg("run").arg("--policy").arg(&self.policy);
        launch = self.flags.iter().fold(launch.arg("--ledger").arg(&self.ledger), |launch, flag| launch.arg(flag));
        launch.arg("--").env("THOTH_HOME", &self.home)
    }

    /// The folder of its ledger.
    #[must_use]
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }
}
