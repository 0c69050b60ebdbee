//! The holds of this installation, and the desk at which they are answered.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use nix::unistd::{Gid, Uid, setegid, seteuid};
use thoth_audit::ledger::VKEY_FILE;
use thoth_audit::{Ledger, LedgerKeys, LedgerOptions};
use thoth_store::{Desk, Hold, HoldState, Holds as _, HoldsError, SqliteHolds};
use thoth_types::{Grant, HoldToken};

use thoth_shell::exit::Failure;
use thoth_shell::home::Home;
use thoth_shell::terminal::{harmless_text, note};

/// Fewer digits than this are too easily another hold's.
const FEWEST_DIGITS: usize = 4;

/// What is held.
#[derive(Debug)]
pub(crate) struct Store {
    home: Home,
    holds: Arc<SqliteHolds>,
}

/// A desk, and the ledger that it writes to.
#[derive(Debug)]
pub(crate) struct OpenDesk {
    pub(crate) desk: Desk,
    ledger: Arc<Ledger>,
}

impl Store {
    /// Finds the store. Nothing is created, and where there is none, nothing is held.
    ///
    /// Root works in another account's home as that account: files of root would be in its way. Whatever must be known of
    /// this process has to be found out before.
    pub(crate) fn locate() -> Result<Self, Failure> {
        let home = Home::locate()?;
        if Uid::effective().is_root()
            && let Ok(owner) = std::fs::metadata(home.path())
            && owner.uid() != 0
        {
            let become_owner = setegid(Gid::from_raw(owner.gid())).and_then(|()| seteuid(Uid::from_raw(owner.uid())));
            become_owner.map_err(|error| {
                let path = harmless_text(&home.path().to_string_lossy());
                Failure::failed(format!("cannot work as the owner of `{path}`: {error}"))
            })?;
        }
        let holds = Arc::new(SqliteHolds::new(home.state(), home.ledger()));
        Ok(Self { home, holds })
    }

    /// The ledger that sessions use where nothing else is said.
    pub(crate) fn usual_ledger(&self) -> PathBuf {
        self.home.ledger()
    }

    pub(crate) fn holds(&self) -> &SqliteHolds {
        &self.holds
    }

    /// All holds, newest first.
    pub(crate) fn list(&self) -> Result<Vec<Hold>, Failure> {
        self.holds.list().map_err(|error| failed(&error))
    }

    /// The grants that have not ended, newest first.
    pub(crate) fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, Failure> {
        self.holds.grants(now).map_err(|error| failed(&error))
    }

    /// The hold that somebody means by the first digits of its token.
    pub(crate) fn find(&self, id: &str) -> Result<Hold, Failure> {
        let shown = harmless_text(id);
        let lower = id.to_ascii_lowercase();
        let digits = lower.strip_prefix("hold_").unwrap_or(&lower);
        if digits.len() < FEWEST_DIGITS || digits.len() > 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failure::usage(format!("`{shown}` names no hold: give 4 to 32 of its hexadecimal digits"))
                .hint("`thoth approvals list` has them"));
        }
        let mut found = self.holds.find(digits).map_err(|error| failed(&error))?;
        let now = Timestamp::now();
        // One that can be answered is meant before those that are over.
        if found.iter().filter(|hold| hold.state_at(now) == HoldState::Pending).count() == 1 {
            found.retain(|hold| hold.state_at(now) == HoldState::Pending);
        }
        match found.as_slice() {
            [hold] => Ok(hold.clone()),
            [] => Err(Failure::failed(format!("there is no hold `{shown}`"))
                .detail("code", "unknown_hold")
                .hint("`thoth approvals list --all` has those that there are")),
            several => {
                let names: Vec<String> = several.iter().take(10).map(candidate).collect();
                Err(Failure::failed(format!("{} holds begin with `{shown}`", several.len()))
                    .detail("code", "ambiguous_hold")
                    .detail("candidates", several.iter().map(|hold| hold.token.as_str()).collect::<Vec<_>>())
                    .hint(format_args!("give more digits:\n    {}", names.join("\n    "))))
            }
        }
    }

    /// The desk for a hold, on the ledger that has its records. Without it nothing can be answered.
    pub(crate) fn desk(&self, token: &HoldToken) -> Result<OpenDesk, Failure> {
        let directory = self.holds.ledger_of(token).map_err(|error| failed(&error))?;
        let (ledger, keys) = self.ledger(&directory, token.short())?;
        let holds: Arc<SqliteHolds> = Arc::clone(&self.holds);
        let desk = Desk::new(holds, Arc::<Ledger>::clone(&ledger), keys.content_key().clone());
        Ok(OpenDesk { desk, ledger })
    }

    /// The ledger in which an answer about `what` is recorded.
    pub(crate) fn ledger(&self, directory: &Path, what: &str) -> Result<(Arc<Ledger>, LedgerKeys), Failure> {
        let shown = harmless_text(&directory.to_string_lossy());
        let unrecorded = |why: &dyn std::fmt::Display| {
            Failure::failed(format!(
                "{what} cannot be answered: the answer could not be recorded in the ledger `{shown}`: {why}"
            ))
            .detail("code", "unrecorded")
            .hint("`thoth audit verify` and `thoth doctor` say what is wrong with it; nothing is answered without a record")
        };
        // A new ledger in its place would have answers to calls that it knows nothing of.
        if !directory.join(VKEY_FILE).is_file() {
            return Err(unrecorded(&"it is not there"));
        }
        let keys = LedgerKeys::load(&self.home.keys(), directory).map_err(|error| unrecorded(&error))?;
        keys.ok_or_else(|| unrecorded(&"its keys are not there"))?;
        // Makes a content key where that was destroyed, as a session would.
        let keys = LedgerKeys::load_or_create(&self.home.keys(), directory).map_err(|error| unrecorded(&error))?;
        let ledger = Ledger::open(directory, &keys, LedgerOptions::default()).map_err(|error| unrecorded(&error))?;
        Ok((Arc::new(ledger), keys))
    }
}

impl OpenDesk {
    /// Brings the ledger up to date. What cannot be done now, the next session does.
    pub(crate) fn close(self) {
        self.close_silently().unwrap_or_else(note);
    }

    /// The same, where nothing can be printed.
    pub(crate) fn close_silently(self) -> Result<(), String> {
        let late = |error| format!("the ledger was not brought up to date: {error}; the next session will do it");
        self.ledger.close().map_err(late)
    }
}

fn candidate(hold: &Hold) -> String {
    let tool = thoth_shell::cells::cell(&hold.tool, 40);
    format!("{}  {}  {tool}", hold.token, hold.state_at(Timestamp::now()).as_str())
}

/// The store could not do it.
pub(crate) fn failed(error: &HoldsError) -> Failure {
    let message = match error {
        HoldsError::Evidence(error) => format!("nothing was answered: it could not be recorded: {error}"),
        error => error.to_string(),
    };
    Failure::failed(harmless_text(&message)).detail("code", "store")
}
