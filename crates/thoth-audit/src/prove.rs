//! Proofs that an event is in the ledger, for people who do not have the ledger.
//!
//! The text form is C2SP tlog-proof: `c2sp.org/tlog-proof@v1`, `extra` with the leaf in base64, `index`, the audit
//! path, a blank line, and the checkpoint as it stands in the ledger.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::json::Object;
use crate::ledger::files::{during, read_regular};
use crate::ledger::lock::TreeLock;
use crate::ledger::{CHECKPOINT_FILE, FileError, LedgerError, VKEY_FILE, read_vkey};
use crate::merkle::{Hash, leaf_hash};
use crate::note::Verifier;
use crate::proof;
use crate::tile_source::{TileError, TileSource};
use crate::tiles::{self, TileKind};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory is no ledger, or in use.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A tile is missing or damaged.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The checkpoint is not good.
    #[error("the ledger's checkpoint is not acceptable: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// There is no such event under the checkpoint.
    #[error("there is no event {index}: the checkpoint covers {size} events, counted from 0")]
    NoSuchEvent {
        /// What was asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// The ledger does not agree with itself.
    #[error("the proof of event {0} does not hold; verify the ledger")]
    Inconsistent(u64),
    /// The text is no proof.
    #[error("not a {HEADER} text: {0}")]
    Malformed(&'static str),
}

/// That an event is at an index of a log with a signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The event's index.
    pub index: u64,
    /// The event's bytes.
    pub leaf: Vec<u8>,
    /// The audit path, leaf side first.
    pub path: Vec<Hash>,
    /// The signed checkpoint, as it stands in the ledger.
    pub checkpoint: String,
}

/// Makes the proof for the event at `index`, and checks it.
///
/// # Errors
/// When there is no such event yet (it may still be in a journal), or the ledger is damaged.
pub fn inclusion(dir: &Path, index: u64) -> Result<InclusionProof, ProveError> {
    let _lock = match TreeLock::shared(dir, PATIENCE) {
        Ok(Some(lock)) => Some(lock),
        Ok(None) => return Err(LedgerError::Busy(dir.to_owned()).into()),
        // A copy without a lock file is one that nobody writes to.
        Err(_) => None,
    };
    let missing = || LedgerError::Damaged { file: dir.join(VKEY_FILE), reason: "it is missing".to_owned() };
    let verifier = read_vkey(dir)?.ok_or_else(missing)?;
    let path = dir.join(CHECKPOINT_FILE);
    let note = read_regular(&path).map_err(during("read", &path))?;
    let note = String::from_utf8_lossy(&note).into_owned();
    let head = Checkpoint::open(note.as_bytes(), &verifier)?;
    let source = TileSource::new(dir, head.size);
    let Some(tile) = source.tile_of(TileKind::Entries, index) else {
        return Err(ProveError::NoSuchEvent { index, size: head.size });
    };
    let bundle_path = dir.join(tile.path());
    let bundle = read_regular(&bundle_path).map_err(during("read", &bundle_path))?;
    let within = usize::try_from(index % tiles::TILE_WIDTH).unwrap_or(usize::MAX);
    let leaf = tiles::entries(&bundle).nth(within).and_then(Result::ok).map(|(_, leaf)| leaf.to_vec());
    let leaf = leaf.ok_or(ProveError::Inconsistent(index))?;
    let path = proof::inclusion(&source, index, head.size)?;
    let proof = InclusionProof { index, leaf, path, checkpoint: note };
    proof.verify(&verifier)?;
    Ok(proof)
}

impl InclusionProof {
    /// Checks the proof with nothing but the log's public key.
    ///
    /// # Errors
    /// When the checkpoint is not signed by that key, or the leaf is not at that index under it.
    pub fn verify(&self, verifier: &Verifier) -> Result<Checkpoint, ProveError> {
        let head = Checkpoint::open(self.checkpoint.as_bytes(), verifier)?;
        if !proof::verify_inclusion(&leaf_hash(&self.leaf), self.index, head.size, &self.path, &head.root) {
            return Err(ProveError::Inconsistent(self.index));
        }
        Ok(head)
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nextra {}\nindex {}\n", STANDARD.encode(&self.leaf), self.index);
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads the text form. Check what comes out with [`Self::verify`].
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn parse(text: &str) -> Result<Self, ProveError> {
        let bad = ProveError::Malformed;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(bad("no blank line"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(bad("wrong first line"));
        }
        let leaf = lines.next().and_then(|l| l.strip_prefix("extra ")).and_then(|l| STANDARD.decode(l).ok());
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).and_then(|i| i.parse().ok());
        let path: Option<Vec<Hash>> =
            lines.map(|line| STANDARD.decode(line).ok().and_then(|hash| Hash::try_from(hash).ok())).collect();
        let proof = Self {
            index: index.ok_or(bad("no index"))?,
            leaf: leaf.ok_or(bad("no leaf"))?,
            path: path.ok_or(bad("a hash is not 32 bytes in base64"))?,
            checkpoint: checkpoint.to_owned(),
        };
        if proof.to_text() == text { Ok(proof) } else { Err(bad("it is not in its one exact form")) }
    }

    /// The same as one JSON object: `checkpoint, index, leaf, leafHash, path`, hashes in base64.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        let mut o = Object::open(&mut out);
        o.text("checkpoint", &self.checkpoint, usize::MAX);
        o.number("index", self.index);
        o.text("leaf", &String::from_utf8_lossy(&self.leaf), usize::MAX);
        o.word("leafHash", &STANDARD.encode(leaf_hash(&self.leaf)));
        let path: Vec<String> = self.path.iter().map(|hash| STANDARD.encode(hash)).collect();
        o.texts("path", path.iter().map(String::as_str), usize::MAX, usize::MAX);
        o.close();
        String::from_utf8(out).unwrap_or_default()
    }
}
