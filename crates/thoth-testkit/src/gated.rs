//! `thoth run` as a test starts it: its own home, its own policy, its own ledger; and what it has recorded.

#![expect(clippy::panic, reason = "it is called by tests, which it fails")]

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stdio_peer::Launch;

/// A policy under which nothing is asked and nothing is refused.
pub const ALLOW_ALL: &str = "version: \"1\"\ndefaults:\n  approval: auto\n  risk_level: low\n";

/// Longer than any update of a ledger takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// With what `thoth audit verify` ends where an update of the ledger is under way, or was interrupted.
pub(crate) const INTERRUPTED: Option<i32> = Some(5);

/// Every event of a ledger, which verifies: at once, or when the update is over that a running session is in the middle of.
///
/// # Panics
/// When it does not verify.
#[must_use]
pub fn events(thoth: &Path, ledger: &Path) -> Vec<Value> {
    let run = |words: &[&str]| audit(thoth, words, ledger).output().unwrap_or_else(|error| panic!("{error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let deadline = Instant::now() + PATIENCE;
    let mut verified: Output = run(&["verify"]);
    while verified.status.code() == INTERRUPTED && Instant::now() < deadline {
        verified = run(&["verify"]);
    }
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    let tail = run(&["tail", "--json", "-n", "10000000"]);
    assert!(tail.status.success(), "{}", text(&tail.stderr));
    let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text(&tail.stdout).lines().map(event).collect()
}

/// The same where a session may have been killed, also in the middle of an update: the ledger verifies once that is completed, as
/// the next session would complete it.
///
/// # Panics
/// When it does not verify.
#[must_use]
pub fn events_once_repaired(thoth: &Path, ledger: &Path, home: &Path) -> Vec<Value> {
    let run = |word: &str| audit(thoth, &[word], ledger).env("THOTH_HOME", home).output();
    let run = |word: &str| run(word).unwrap_or_else(|error| panic!("{error}"));
    // Nothing is repaired where nothing was interrupted.
    if run("verify").status.code() == INTERRUPTED {
        let repaired = run("repair");
        assert!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
    }
    events(thoth, ledger)
}

fn audit(thoth: &Path, words: &[&str], ledger: &Path) -> Command {
    let mut command = Command::new(thoth);
    command.arg("audit").args(words).arg(ledger);
    command
}

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

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder of its ledger.
    #[must_use]
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }
}
