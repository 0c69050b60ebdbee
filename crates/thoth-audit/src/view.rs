//! A ledger as those see it who look at it while others write: one signed head, and what is under it. Whatever a ledger is
//! made of, it is checked and proven here in one way.
//!
//! It changes nothing. None of the hashes above the leaves is believed: a part is good if its events, with these hashes, make
//! up the signed root.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thoth_types::json::{Limits, Tape};

use crate::checkpoint::Checkpoint;
use crate::ledger::files::{during, read_regular};
use crate::ledger::lock::{TreeLock, give_way};
use crate::ledger::{CHECKPOINT_FILE, FileError, LedgerError, VKEY_FILE, read_vkey};
use crate::merkle::{Hash, Subtrees, leaf_hash, perfect_root};
use crate::note::Verifier;
use crate::proof;
use crate::tile_source::{TileError, TileSource};
use crate::tiles::{self, MAX_ENTRY_BYTES, TILE_WIDTH, TileKind};

const PATIENCE: Duration = Duration::from_secs(5);

/// Why a ledger cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It is not what it was written as.
    #[error("{0}")]
    Damaged(String),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(Box<dyn std::error::Error + Send + Sync>),
}

impl From<FileError> for ViewError {
    fn from(error: FileError) -> Self {
        Self::Unreadable(Box::new(error))
    }
}

impl From<LedgerError> for ViewError {
    fn from(error: LedgerError) -> Self {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match error {
            // Whoever is told does not keep the folder.
            LedgerError::Damaged { file, reason } => Self::Damaged(format!("`{}`: {reason}", name(&file))),
            error => Self::Unreadable(Box::new(error)),
        }
    }
}

/// A signed head whose signature is good.
#[derive(Debug, Clone)]
pub struct Head {
    /// As it stands in the ledger.
    pub note: String,
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// By which key.
    pub verifier: Verifier,
}

/// A ledger at one moment.
pub trait Snapshot {
    /// Its head.
    fn head(&self) -> &Head;

    /// The events from `from` on to the end of their 256, or of the tree. `from` is in the tree.
    ///
    /// # Errors
    /// When one is missing, or cannot be read.
    fn leaves(&self, from: u64) -> Result<Vec<Vec<u8>>, ViewError>;

    /// The recorded hash over `2^level` leaves.
    ///
    /// # Errors
    /// When it is missing, or cannot be read.
    fn recorded(&self, level: u32, index: u64) -> Result<Hash, ViewError>;
}

/// A ledger that can be looked at.
pub trait LedgerView: fmt::Debug + Send + Sync {
    /// Looks at it as it is now. What is seen does not change meanwhile, and the ledger's own upkeep may wait for it.
    ///
    /// # Errors
    /// When it cannot be read, its head is not good, or `work` says so.
    fn look(&self, work: &mut dyn FnMut(&dyn Snapshot) -> Result<(), ViewError>) -> Result<(), ViewError>;
}

struct Recorded<'s>(&'s dyn Snapshot);

impl Subtrees for Recorded<'_> {
    type Error = ViewError;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, ViewError> {
        self.0.recorded(level, index)
    }
}

/// An event, with the way from it to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub leaf: Vec<u8>,
    /// The audit path, leaf side first.
    pub path: Vec<Hash>,
}

/// The proofs of some events, in ascending order, under the head of `snapshot`. Each was checked.
///
/// # Errors
/// When there is no such event, or the ledger does not agree with itself.
pub fn prove(snapshot: &dyn Snapshot, indices: &[u64]) -> Result<Vec<Proven>, ViewError> {
    let Checkpoint { size, root, .. } = snapshot.head().checkpoint;
    let mut read: Option<(u64, Vec<Vec<u8>>)> = None;
    let mut proven = Vec::with_capacity(indices.len());
    for &index in indices {
        let broken = |what: &str| ViewError::Damaged(format!("event {index} {what}"));
        if index >= size {
            return Err(broken("is not under the head"));
        }
        let first = index / TILE_WIDTH * TILE_WIDTH;
        if read.as_ref().is_none_or(|(from, _)| *from != first) {
            read = Some((first, snapshot.leaves(first)?));
        }
        let within = usize::try_from(index - first).unwrap_or(usize::MAX);
        let leaf = read.as_ref().and_then(|(_, leaves)| leaves.get(within));
        let leaf = leaf.cloned().ok_or_else(|| broken("is missing"))?;
        let path = proof::inclusion(&Recorded(snapshot), index, size)?;
        if !proof::verify_inclusion(&leaf_hash(&leaf), index, size, &path, &root) {
            return Err(broken("is not the one that was signed"));
        }
        proven.push(Proven { index, leaf, path });
    }
    Ok(proven)
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The first event of those that it may concern.
    pub index: u64,
    /// What it is.
    pub what: String,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The first event that was not checked.
    pub next: u64,
    /// How many were found good.
    pub good: u64,
    /// What is wrong; nothing beyond was checked then.
    pub breach: Option<Breach>,
}

/// Checks the events from `from` on, at least `most` of them if there are so many: each one's form and its hash, and that all of
/// them with their neighbours make up the signed root. They are checked 256 at a time, as they are kept.
///
/// # Errors
/// When the ledger cannot be read.
pub fn check(snapshot: &dyn Snapshot, from: u64, most: u64) -> Result<Checked, ViewError> {
    let size = snapshot.head().checkpoint.size;
    let mut first = from.min(size) / TILE_WIDTH * TILE_WIDTH;
    let mut checked = Checked { next: first, good: 0, breach: None };
    while first < size && checked.good < most {
        let count = TILE_WIDTH.min(size - first);
        match check_part(snapshot, first, count) {
            Ok(()) => {}
            Err(ViewError::Damaged(what)) => {
                checked.breach = Some(Breach { index: first, what });
                return Ok(checked);
            }
            Err(error) => return Err(error),
        }
        first += count;
        (checked.next, checked.good) = (first, checked.good + count);
    }
    Ok(checked)
}

/// How many events are checked in one look, about.
const TURN: u64 = 2_048;

/// A later look at a ledger, as one that looked before would have seen it: what is under a head stays as it is.
struct AsOf<'s> {
    snapshot: &'s dyn Snapshot,
    head: &'s Head,
}

impl Snapshot for AsOf<'_> {
    fn head(&self) -> &Head {
        self.head
    }

    fn leaves(&self, from: u64) -> Result<Vec<Vec<u8>>, ViewError> {
        let mut leaves = self.snapshot.leaves(from)?;
        let count = self.head.checkpoint.size.saturating_sub(from);
        leaves.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(leaves)
    }

    fn recorded(&self, level: u32, index: u64) -> Result<Hash, ViewError> {
        self.snapshot.recorded(level, index)
    }
}

/// Checks events as [`check`] does, all of them under the head of the first look, which is the other thing returned. It looks
/// anew for every 2,048 of them: whoever keeps the ledger waits for a part of the check, and not for all of it.
///
/// # Errors
/// When the ledger cannot be read, or has become shorter meanwhile.
pub fn check_in_turns(view: &dyn LedgerView, from: u64, most: u64) -> Result<(Checked, Head), ViewError> {
    let mut seen: Option<(Checked, Head)> = None;
    loop {
        let mut turn = None;
        view.look(&mut |snapshot| {
            let (before, head) = match &seen {
                Some((checked, head)) => (Some(checked), head),
                None => (None, snapshot.head()),
            };
            if snapshot.head().checkpoint.size < head.checkpoint.size {
                return Err(ViewError::Damaged("the ledger has become shorter while it was checked".to_owned()));
            }
            let (next, good) = before.map_or((from, 0), |checked| (checked.next, checked.good));
            let mut checked = check(&AsOf { snapshot, head }, next, most.saturating_sub(good).min(TURN))?;
            checked.good += good;
            turn = Some((checked, head.clone()));
            Ok(())
        })?;
        let Some((checked, head)) = turn else {
            return Err(ViewError::Damaged("the ledger was not looked at".to_owned()));
        };
        if checked.breach.is_some() || checked.next >= head.checkpoint.size || checked.good >= most {
            return Ok((checked, head));
        }
        seen = Some((checked, head));
        give_way();
    }
}

/// The events of one part as they are, and above them what is recorded.
struct Part<'s> {
    snapshot: &'s dyn Snapshot,
    first: u64,
    hashes: Vec<Hash>,
}

impl Subtrees for Part<'_> {
    type Error = ViewError;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, ViewError> {
        let from = index.checked_shl(level).and_then(|from| from.checked_sub(self.first));
        let row = from.and_then(|from| {
            let from = usize::try_from(from).ok()?;
            self.hashes.get(from..from.checked_add(1_usize.checked_shl(level)?)?)
        });
        row.and_then(perfect_root).map_or_else(|| self.snapshot.recorded(level, index), Ok)
    }
}

fn check_part(snapshot: &dyn Snapshot, first: u64, count: u64) -> Result<(), ViewError> {
    let damaged = |index: u64, what: &str| ViewError::Damaged(format!("event {index}: {what}"));
    let leaves = snapshot.leaves(first)?;
    if u64::try_from(leaves.len()).ok() != Some(count) {
        return Err(damaged(first, "there are other events than the head says"));
    }
    let mut hashes = Vec::with_capacity(leaves.len());
    for (index, leaf) in (first..).zip(&leaves) {
        if !is_canonical(leaf) {
            return Err(damaged(index, "it is not in the form of RFC 8785"));
        }
        let hash = leaf_hash(leaf);
        if snapshot.recorded(0, index)? != hash {
            return Err(damaged(index, "it does not have the hash that the tree records"));
        }
        hashes.push(hash);
    }
    let Some(hash) = hashes.first().copied() else { return Ok(()) };
    let part = Part { snapshot, first, hashes };
    let Checkpoint { size, root, .. } = snapshot.head().checkpoint;
    let path = proof::inclusion(&part, first, size)?;
    if proof::verify_inclusion(&hash, first, size, &path, &root) {
        return Ok(());
    }
    Err(damaged(first, "it and those that follow do not make up the signed root"))
}

/// Whether these are the bytes of an event: an object in the one form of RFC 8785.
#[must_use]
pub fn is_canonical(leaf: &[u8]) -> bool {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: MAX_ENTRY_BYTES, ..Limits::default() };
    let Ok(value) = tape.parse(leaf, &limits) else { return false };
    let mut form = Vec::with_capacity(leaf.len());
    crate::canonical::jcs(value, &mut form);
    value.is_object() && form == leaf
}

/// A ledger in a directory.
#[derive(Debug)]
pub struct FileView {
    dir: PathBuf,
}

impl FileView {
    /// The ledger in `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl LedgerView for FileView {
    fn look(&self, work: &mut dyn FnMut(&dyn Snapshot) -> Result<(), ViewError>) -> Result<(), ViewError> {
        let _lock = match TreeLock::shared(&self.dir, PATIENCE) {
            Ok(None) => return Err(LedgerError::Busy(self.dir.clone()).into()),
            // A copy without a lock file is one that nobody writes to.
            lock => lock.ok(),
        };
        let missing = || LedgerError::Damaged { file: self.dir.join(VKEY_FILE), reason: "it is missing".to_owned() };
        let verifier = read_vkey(&self.dir)?.ok_or_else(missing)?;
        let path = self.dir.join(CHECKPOINT_FILE);
        let note = read_regular(&path).map_err(during("read", &path))?;
        let bad = |error: &dyn fmt::Display| ViewError::Damaged(format!("the signed head: {error}"));
        let checkpoint = Checkpoint::open(&note, &verifier).map_err(|error| bad(&error))?;
        let note = String::from_utf8(note).map_err(|error| bad(&error))?;
        let source = TileSource::new(&self.dir, checkpoint.size);
        work(&Tree { dir: &self.dir, source, head: Head { note, checkpoint, verifier } })
    }
}

struct Tree<'v> {
    dir: &'v Path,
    source: TileSource,
    head: Head,
}

/// A file that is gone is damage, and no reason to try again later.
fn of_tile(path: &str, error: FileError) -> ViewError {
    if error.source.kind() == std::io::ErrorKind::NotFound {
        ViewError::Damaged(format!("`{path}` is missing"))
    } else {
        error.into()
    }
}

impl Snapshot for Tree<'_> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn leaves(&self, from: u64) -> Result<Vec<Vec<u8>>, ViewError> {
        let Some(tile) = self.source.tile_of(TileKind::Entries, from) else { return Ok(Vec::new()) };
        let path = self.dir.join(tile.path());
        let bundle = read_regular(&path).map_err(during("read", &path));
        let bundle = bundle.map_err(|error| of_tile(&tile.path(), error))?;
        let skip = usize::try_from(from % TILE_WIDTH).unwrap_or(usize::MAX);
        let leaves: Result<Vec<_>, _> =
            tiles::entries(&bundle).map(|entry| entry.map(|(_, leaf)| leaf.to_vec())).collect();
        let mut leaves = leaves.map_err(|at| ViewError::Damaged(format!("`{}` at byte {at}", tile.path())))?;
        if u64::try_from(leaves.len()).ok() != Some(tile.width) {
            return Err(ViewError::Damaged(format!("`{}` does not have the events that it should", tile.path())));
        }
        Ok(leaves.split_off(skip.min(leaves.len())))
    }

    fn recorded(&self, level: u32, index: u64) -> Result<Hash, ViewError> {
        self.source.subtree(level, index).map_err(|error| match error {
            TileError::File(error) => of_tile("a file of hashes", error),
            error => ViewError::Damaged(error.to_string()),
        })
    }
}
