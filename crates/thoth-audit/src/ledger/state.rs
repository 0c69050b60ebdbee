//! What has been folded into the tree: its head, and how far into each journal that reaches.
//!
//! The file is a signed note under the name `<origin>/state`:
//!
//! ```text
//! <origin>/state
//! <size>
//! <root, base64>
//! journal <name> <offset> <chain checksum, hex> open|done|broken
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lines::{self, Link};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::Hash;
use crate::note::{Signer, Verifier};

/// What is known of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// More may follow.
    Open,
    /// All of it is in the tree; its file may go.
    Done,
    /// It is damaged behind the offset and set aside.
    Broken,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Broken => "broken",
        }
    }
}

/// How far a journal is folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: u64,
    pub(crate) chain: Link,
    pub(crate) status: Status,
}

/// The content of the `state` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) journals: BTreeMap<String, Mark>,
}

/// The name under which a log's state is signed.
pub(crate) fn key_name(origin: &str) -> String {
    format!("{origin}/state")
}

impl State {
    pub(crate) fn empty() -> Self {
        Self { size: 0, root: crate::merkle::empty_root(), journals: BTreeMap::new() }
    }

    pub(crate) fn checkpoint(&self, origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: self.size, root: self.root }
    }

    fn text(&self, name: &str) -> String {
        let mut text = format!("{name}\n{}\n{}\n", self.size, STANDARD.encode(self.root));
        for (journal, mark) in &self.journals {
            let chain = lines::digits(mark.chain);
            // Writing into a string cannot fail.
            let _ = writeln!(text, "journal {journal} {} {chain} {}", mark.offset, mark.status.as_str());
        }
        text
    }

    /// The signed note.
    pub(crate) fn sign(&self, name: &str, signer: &Signer) -> String {
        signer.sign(&self.text(name))
    }

    /// Opens the signed note.
    pub(crate) fn open(note: &[u8], verifier: &Verifier) -> Result<Self, CheckpointError> {
        let text = verifier.open(note)?;
        let state = Self::parse(text).ok_or(CheckpointError::Malformed("it is not a ledger's state"))?;
        if state.text(verifier.name()) != text {
            return Err(CheckpointError::Malformed("it is not in its one exact form"));
        }
        Ok(state)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let size = lines.next()?.parse().ok()?;
        let root = Hash::try_from(STANDARD.decode(lines.next()?).ok()?).ok()?;
        let mut journals = BTreeMap::new();
        for line in lines {
            let mut words = line.strip_prefix("journal ")?.split(' ');
            let name = words.next()?.to_owned();
            let offset = words.next()?.parse().ok()?;
            let chain = lines::parse_digits(words.next()?)?;
            let status = words.next()?;
            let status = [Status::Open, Status::Done, Status::Broken].into_iter().find(|s| s.as_str() == status)?;
            journals.insert(name, Mark { offset, chain, status });
        }
        Some(Self { size, root, journals })
    }
}
