//! Checkpoints: the signed head of a log (C2SP tlog-checkpoint).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::note::{NoteError, Signer, Verifier};

/// A log's head: how many leaves it has and their root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signed text is no checkpoint.
    #[error("the signed text is not a checkpoint: {0}")]
    Malformed(&'static str),
}

impl Checkpoint {
    /// The three lines that are signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    #[must_use]
    pub fn sign(&self, signer: &Signer) -> String {
        signer.sign(&self.text())
    }

    /// Opens a checkpoint of the log whose key this is. The origin must be the key's name.
    ///
    /// # Errors
    /// When it is not signed by the key or not a checkpoint of that log.
    pub fn open(note: &[u8], verifier: &Verifier) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(verifier.open(note)?)?;
        if checkpoint.origin != verifier.name() {
            return Err(CheckpointError::Malformed("the origin is not the key's name"));
        }
        Ok(checkpoint)
    }

    /// Reads the three lines. Extension lines are refused: nothing here writes or understands any.
    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Malformed("it does not have three lines"));
        };
        let size: u64 = size.parse().map_err(|_| CheckpointError::Malformed("the size is not a number"))?;
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| Hash::try_from(bytes).ok())
            .ok_or(CheckpointError::Malformed("the root is not 32 bytes in base64"))?;
        let checkpoint = Self { origin: origin.to_owned(), size, root };
        if checkpoint.text() != text {
            return Err(CheckpointError::Malformed("it is not in its one exact form"));
        }
        Ok(checkpoint)
    }
}
