//! Why a ledger refuses.

use std::fmt;
use std::path::{Path, PathBuf};

use super::VKEY_FILE;
use super::files::FileError;
use super::lines::LineError;
use crate::checkpoint::CheckpointError;
use crate::tiles::MAX_ENTRY_BYTES;

/// Why a ledger could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger belongs to another key.
    #[error(
        "the ledger `{}` is signed with another key than {}; restore the key that it was begun with, or move the ledger \
         away as evidence, which still verifies, and begin a new one", dir.display(), Shown(key.as_deref())
    )]
    WrongKey {
        /// The ledger.
        dir: PathBuf,
        /// The file that the other key is in.
        key: Option<PathBuf>,
    },
    /// The directory has events, but not the key that they are signed with.
    #[error(
        "`{}` is missing, and `{}` holds events; restore the file, or move the directory away as evidence and begin a \
         new ledger", dir.join(VKEY_FILE).display(), dir.display()
    )]
    Headless {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory holds something else.
    #[error("`{}` is not empty and not a ledger (it has `{found}`); choose another directory", dir.display())]
    NotALedger {
        /// The directory.
        dir: PathBuf,
        /// A file in it.
        found: String,
    },
    /// A file of the ledger is not what it was written as.
    #[error("`{}` is damaged: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A signed file of the ledger is not what it was written as.
    #[error("`{}` is not acceptable: {source}", file.display())]
    Unsigned {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// A journal has a line that does not belong there. What stands before it is in the tree; the rest is not.
    #[error("journal `{journal}` is damaged at byte {offset}: {source}")]
    Journal {
        /// The journal's file name.
        journal: String,
        /// Where.
        offset: u64,
        /// What is wrong there.
        source: LineError,
    },
    /// A journal has become shorter than what was already read from it.
    #[error("journal `{journal}` is cut: byte {offset} was there before")]
    JournalCut {
        /// The journal's file name.
        journal: String,
        /// How far it had been read.
        offset: u64,
    },
    /// An event is too long.
    #[error("an event has {0} bytes; the most is {MAX_ENTRY_BYTES}")]
    TooLong(usize),
    /// The bytes are no RFC 8785 form of a JSON object.
    #[error("the event is not in canonical form")]
    NotCanonical,
    /// An earlier write failed half-way and could not be taken back.
    #[error("the journal is unusable after an earlier write error; restart to begin a new one")]
    Poisoned,
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// Another process keeps the tree locked. Nothing is lost: the events stand in the journal.
    #[error("another process keeps the ledger `{}` locked", .0.display())]
    Busy(PathBuf),
    /// The system has no randomness to offer.
    #[error("cannot get random bytes from the system: {0}")]
    NoRandomness(String),
    /// The background thread could not be started.
    #[error("cannot start the ledger's thread: {0}")]
    NoThread(std::io::Error),
}

/// A key's file in a message.
struct Shown<'p>(Option<&'p Path>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "`{}`", path.display()),
            None => f.write_str("the one given"),
        }
    }
}
