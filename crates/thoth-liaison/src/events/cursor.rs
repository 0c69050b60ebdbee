//! How far the ledger was told, in a file: of each log its own.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thoth_audit::tail::{TailError, tree_end};

use crate::folder::{Folder, FolderError, name_of};

/// How its name begins and ends; between that stands the log.
const BEGINS: &str = "events-";
const ENDS: &str = ".json";

/// Whether a file of this name is one.
pub(crate) fn is_cursor(name: &str) -> bool {
    name.starts_with(BEGINS) && name.ends_with(ENDS)
}

/// That file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Where the ledger is.
    pub(crate) ledger: PathBuf,
    /// The leaf that comes next, from 0.
    pub(crate) next: u64,
    /// When the enforcer took events last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivered_at: Option<String>,
    /// What was wrong since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// How many events the enforcer did not take and never will.
    #[serde(default)]
    pub(crate) refused: u64,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_refused: Option<LastRefused>,
}

/// An event that the enforcer does not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRefused {
    /// Its id.
    pub(crate) event_id: String,
    /// What the enforcer says about it.
    pub(crate) message: String,
}

impl Kept {
    /// How many leaves wait, where the ledger can be read.
    pub(crate) fn pending(&self) -> Option<u64> {
        Some(tree_end(&self.ledger).ok()?.size.saturating_sub(self.next))
    }
}

/// The cursor of one log.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    folder: Folder,
    ledger: PathBuf,
    /// A short name of the log: of its origin and key, which no two logs share.
    pub(crate) log: String,
}

/// No cursor could be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CursorError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] TailError),
}

impl Cursor {
    /// The cursor of the ledger in a directory. A new one begins where the ledger ends now. This is called before the session
    /// records anything, so that whoever makes it, of several that begin together, leaves out nothing of any of them.
    pub(crate) fn open(folder: &Folder, ledger: &Path) -> Result<Self, CursorError> {
        let end = tree_end(ledger)?;
        // Whoever looks at the file may stand in another directory.
        let ledger = std::path::absolute(ledger).unwrap_or_else(|_| ledger.to_owned());
        let cursor = Self { folder: folder.clone(), ledger, log: name_of(&[&end.log]) };
        if !folder.has(&cursor.file()) {
            let kept = Kept { ledger: cursor.ledger.clone(), next: end.size, ..Kept::default() };
            folder.write_first(&cursor.file(), &kept)?;
        }
        Ok(cursor)
    }

    fn file(&self) -> String {
        format!("{BEGINS}{}{ENDS}", self.log)
    }

    /// The lock that whoever tells this log holds.
    pub(crate) fn lock(&self) -> String {
        format!("events-{}.lock", self.log)
    }

    pub(crate) fn read(&self) -> Result<Kept, FolderError> {
        // A ledger that was moved is the same log.
        // One that somebody has removed is not begun again at 0: the past would be told.
        let kept: Kept = self.folder.read(&self.file())?.ok_or_else(|| self.folder.missing(&self.file()))?;
        Ok(Kept { ledger: self.ledger.clone(), ..kept })
    }

    pub(crate) fn write(&self, kept: &Kept) -> Result<(), FolderError> {
        self.folder.write(&self.file(), kept)
    }
}
