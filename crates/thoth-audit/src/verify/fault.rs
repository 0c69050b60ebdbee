//! What can be wrong with a ledger.

use std::fmt;

use super::Report;
use crate::checkpoint::CheckpointError;
use crate::ledger::LineError;
use crate::tile_source::TileError;

/// The first thing that is wrong with a ledger, and where.
#[derive(Debug, thiserror::Error)]
#[error("`{file}`{}: {fault}", Place(*offset, *index))]
pub struct VerifyError {
    /// The file, relative to the ledger's directory.
    pub file: String,
    /// The byte in that file, where that can be said.
    pub offset: Option<u64>,
    /// The event's index in the log, or the hash's in its level.
    pub index: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

struct Place(Option<u64>, Option<u64>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(Some(offset), Some(index)) => write!(f, " at byte {offset} (index {index})"),
            Self(Some(offset), None) => write!(f, " at byte {offset}"),
            Self(None, Some(index)) => write!(f, " at index {index}"),
            Self(None, None) => Ok(()),
        }
    }
}

/// What can be wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A tile cannot be read.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It should not be there.
    #[error("does not belong in a ledger")]
    Unexpected,
    /// An integration was interrupted. This is said only where everything else was found good: whatever is signed is
    /// there and verifies, and besides it there are at most the left-overs that such an interruption can leave.
    #[error(
        "an update of the ledger was interrupted; the {} events that are signed are whole; \
         any program that opens the ledger completes the update", .0.size
    )]
    Interrupted(Box<Report>),
    /// Somebody keeps the ledger locked.
    #[error("another process keeps the ledger locked")]
    Busy,
    /// It is no verifier key.
    #[error("is not a verifier key and a newline")]
    BadKey,
    /// It is not the key that was demanded.
    #[error("is not the key that was given")]
    OtherKey,
    /// A signed file is not good.
    #[error(transparent)]
    Signed(#[from] CheckpointError),
    /// The state and the checkpoint disagree.
    #[error("has another head than `state` (sizes {checkpoint} and {state})")]
    HeadsDiffer {
        /// The state's size.
        state: u64,
        /// The checkpoint's size.
        checkpoint: u64,
    },
    /// The file is too short or too long.
    #[error("has {found} entries or hashes instead of {expected}, or a part of one")]
    Width {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// An event is not in canonical form.
    #[error("the event is not in canonical form")]
    NotCanonical,
    /// An event does not have the hash that the tree has for it.
    #[error("the event does not have the hash that the tree records")]
    LeafHash,
    /// A hash is not that of the level below.
    #[error("the hash is not that of the level below")]
    TileHash,
    /// The tree does not have the root that was signed.
    #[error("the tree does not have the root that was signed")]
    Root,
    /// The ledger is shorter than it was.
    #[error("covers {now} events, but an earlier checkpoint covers {earlier}")]
    RolledBack {
        /// The earlier size.
        earlier: u64,
        /// The size now.
        now: u64,
    },
    /// The ledger's beginning is not what it was.
    #[error("is not an extension of the earlier checkpoint of {earlier} events")]
    NotAnExtension {
        /// The earlier size.
        earlier: u64,
    },
    /// A journal's line is not good.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A journal ends in the middle of a line, and its writer is gone.
    #[error("ends in the middle of a line; any program that opens the ledger repairs that")]
    Torn,
    /// The tree contains more or something else than the journal.
    #[error("does not agree with what was recorded from it")]
    NotAsRecorded,
    /// A journal from which events were recorded is gone.
    #[error("is missing, and was not fully recorded")]
    Vanished,
    /// A damaged journal was set aside.
    #[error("is a damaged journal that was set aside; look at it and take it away")]
    Quarantined,
}

impl Fault {
    /// A stable word for scripts.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Io(_) | Self::Tile(TileError::File(_)) => "unreadable",
            Self::Tile(TileError::Short(_) | TileError::OutOfTree { .. }) => "bad_tile",
            Self::Missing => "missing",
            Self::Unexpected => "unexpected_file",
            Self::Interrupted(_) => "interrupted",
            Self::Busy => "busy",
            Self::BadKey => "bad_key",
            Self::OtherKey => "other_key",
            Self::Signed(_) => "bad_signature",
            Self::HeadsDiffer { .. } => "heads_differ",
            Self::Width { .. } => "wrong_length",
            Self::NotCanonical => "not_canonical",
            Self::LeafHash => "leaf_hash",
            Self::TileHash => "tile_hash",
            Self::Root => "root",
            Self::RolledBack { .. } => "rolled_back",
            Self::NotAnExtension { .. } => "not_an_extension",
            Self::Line(_) => "bad_line",
            Self::Torn => "torn",
            Self::NotAsRecorded => "not_as_recorded",
            Self::Vanished => "vanished",
            Self::Quarantined => "quarantined",
        }
    }
}

impl VerifyError {
    pub(super) fn new(file: &str, fault: Fault) -> Self {
        Self { file: file.to_owned(), offset: None, index: None, fault }
    }

    pub(super) const fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    pub(super) const fn index(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }
}

/// Names the file of an error.
pub(super) fn at<E: Into<Fault>>(file: &str) -> impl FnOnce(E) -> VerifyError {
    move |error| VerifyError::new(file, error.into())
}
