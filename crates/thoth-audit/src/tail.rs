//! The latest events, as they come.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checkpoint::CheckpointError;
use crate::ledger::files::{during, open_regular, read_regular};
use crate::ledger::journal_name::is_journal;
use crate::ledger::lines::{self, Lines, Link};
use crate::ledger::lock::TreeLock;
use crate::ledger::state::{Mark, State, Status, key_name};
use crate::ledger::{FileError, JOURNAL_DIR, LedgerError, STATE_FILE, VKEY_FILE, read_vkey};
use crate::merkle::{Hash, leaf_hash};
use crate::tile_source::TileSource;
use crate::tiles::{self, TILE_WIDTH, TileKind};

const PATIENCE: Duration = Duration::from_secs(5);

/// Why events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory is no ledger, or in use.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The state is not good.
    #[error("the ledger's state is not acceptable: {0}")]
    State(#[from] CheckpointError),
    /// A bundle or journal is not good.
    #[error("`{0}` is damaged; verify the ledger")]
    Damaged(String),
}

/// Reads a ledger's events as they are appended, each once, by whichever process.
///
/// Events come in the order of the tree as far as they are in it, then journal by journal.
#[derive(Debug)]
pub struct Follower {
    dir: PathBuf,
    /// How far into the tree everything has been delivered.
    seen: u64,
    /// How far into each journal.
    journals: BTreeMap<String, (u64, Link)>,
    /// What was delivered from journals and is not in the tree yet, and how often.
    early: HashMap<Hash, u64>,
}

/// The last `count` events.
///
/// # Errors
/// When the ledger cannot be read.
pub fn last(dir: &Path, count: u64) -> Result<Vec<Vec<u8>>, TailError> {
    let mut events = Follower::last(dir, count)?.1;
    let surplus = events.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(events.split_off(surplus))
}

/// Where a ledger's tree ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEnd {
    /// The log's verifier key: its origin and public key, which no two logs share.
    pub log: String,
    /// How many leaves the tree has. What is only in journals is not in it yet.
    pub size: u64,
}

/// Where the tree of the ledger in a directory ends now.
///
/// # Errors
/// When the ledger cannot be read.
pub fn tree_end(dir: &Path) -> Result<TreeEnd, TailError> {
    let state = Follower::new(dir, 0).state()?.1;
    let path = dir.join(VKEY_FILE);
    let log = read_regular(&path).map_err(during("read", &path))?;
    Ok(TreeEnd { log: String::from_utf8_lossy(&log).trim_end().to_owned(), size: state.size })
}

/// Leaves of the tree from this one on, which is counted from 0, in order and at most as many as a tile has: each stays
/// where it is for good. Nothing where the tree ends before it.
///
/// # Errors
/// When the ledger cannot be read.
pub fn tree_part(dir: &Path, from: u64) -> Result<Vec<Vec<u8>>, TailError> {
    let _lock = match TreeLock::shared(dir, PATIENCE) {
        Ok(None) => return Err(LedgerError::Busy(dir.to_owned()).into()),
        lock => lock.ok(),
    };
    let size = Follower::new(dir, 0).state()?.1.size;
    let Some(tile) = TileSource::new(dir, size).tile_of(TileKind::Entries, from) else { return Ok(Vec::new()) };
    let path = dir.join(tile.path());
    let bundle = read_regular(&path).map_err(during("read", &path))?;
    let skip = usize::try_from(from % TILE_WIDTH).unwrap_or(usize::MAX);
    let leaves = tiles::entries(&bundle).skip(skip).map(|entry| entry.map(|(_, leaf)| leaf.to_vec()));
    let leaves: Vec<_> = leaves.collect::<Result<_, _>>().map_err(|_| TailError::Damaged(tile.path()))?;
    if leaves.is_empty() { Err(TailError::Damaged(tile.path())) } else { Ok(leaves) }
}

impl Follower {
    /// Starts with everything after the event at `from` of the tree, which is counted from 0.
    #[must_use]
    pub fn new(dir: &Path, from: u64) -> Self {
        Self { dir: dir.to_owned(), seen: from, journals: BTreeMap::new(), early: HashMap::new() }
    }

    /// Starts with the last `count` events, and returns at least these: the caller drops what is too many.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn last(dir: &Path, count: u64) -> Result<(Self, Vec<Vec<u8>>), TailError> {
        let size = Self::new(dir, 0).state()?.1.size;
        let mut follower = Self::new(dir, size.saturating_sub(count));
        let events = follower.poll()?;
        Ok((follower, events))
    }

    fn state(&self) -> Result<(String, State), TailError> {
        let none = || LedgerError::Damaged { file: self.dir.join(VKEY_FILE), reason: "it is missing".to_owned() };
        let verifier = read_vkey(&self.dir)?.ok_or_else(none)?;
        let path = self.dir.join(STATE_FILE);
        let note = read_regular(&path).map_err(during("read", &path))?;
        let state = State::open(&note, &verifier.renamed(&key_name(verifier.name())))?;
        Ok((verifier.name().to_owned(), state))
    }

    /// The events since the last call, in canonical bytes. Never waits for new ones.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn poll(&mut self) -> Result<Vec<Vec<u8>>, TailError> {
        let _lock = match TreeLock::shared(&self.dir, PATIENCE) {
            Ok(None) => return Err(LedgerError::Busy(self.dir.clone()).into()),
            // A copy without a lock file is one that nobody writes to.
            lock => lock.ok(),
        };
        let (origin, state) = self.state()?;
        let mut events = Vec::new();
        self.take_from_tree(state.size, &mut events)?;
        self.take_from_journals(&origin, &state, &mut events)?;
        Ok(events)
    }

    fn take_from_tree(&mut self, size: u64, events: &mut Vec<Vec<u8>>) -> Result<(), TailError> {
        let source = TileSource::new(&self.dir, size);
        while let Some(tile) = source.tile_of(TileKind::Entries, self.seen) {
            let path = self.dir.join(tile.path());
            let bundle = read_regular(&path).map_err(during("read", &path))?;
            let skip = usize::try_from(self.seen % TILE_WIDTH).unwrap_or(usize::MAX);
            let before = self.seen;
            for entry in tiles::entries(&bundle).skip(skip) {
                let (_, leaf) = entry.map_err(|_| TailError::Damaged(tile.path()))?;
                self.seen += 1;
                let delivered = self.early.get_mut(&leaf_hash(leaf)).filter(|times| **times > 0);
                match delivered {
                    Some(times) => *times -= 1,
                    None => events.push(leaf.to_vec()),
                }
            }
            if self.seen == before {
                return Err(TailError::Damaged(tile.path()));
            }
        }
        self.early.retain(|_, times| *times > 0);
        Ok(())
    }

    fn take_from_journals(&mut self, origin: &str, state: &State, events: &mut Vec<Vec<u8>>) -> Result<(), TailError> {
        let dir = self.dir.join(JOURNAL_DIR);
        let Ok(entries) = fs::read_dir(&dir) else { return Ok(()) };
        let mut names: Vec<String> =
            entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).filter(|n| is_journal(n)).collect();
        names.sort();
        self.journals.retain(|name, _| names.contains(name));
        for name in names {
            let genesis = Mark { offset: 0, chain: lines::genesis(origin, &name), status: Status::Open };
            let mark = state.journals.get(&name).copied().unwrap_or(genesis);
            if mark.status != Status::Open {
                continue;
            }
            let mut position = self.journals.get(&name).copied().unwrap_or((0, genesis.chain));
            if position.0 < mark.offset {
                position = (mark.offset, mark.chain);
            }
            let path = dir.join(&name);
            // It may have been closed by its writer; then the tree has it soon.
            let Ok(mut file) = open_regular(&path) else { continue };
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(position.0)).map_err(during("read", &path))?;
            file.read_to_end(&mut bytes).map_err(during("read", &path))?;
            let mut lines = Lines::new(&bytes, position.1);
            while let Some(line) = lines.next_leaf() {
                let leaf = line.map_err(|_| TailError::Damaged(format!("{JOURNAL_DIR}/{name}")))?;
                *self.early.entry(leaf_hash(leaf)).or_default() += 1;
                events.push(leaf.to_vec());
            }
            let (used, chain) = lines.boundary();
            self.journals.insert(name, (position.0 + u64::try_from(used).unwrap_or(u64::MAX), chain));
        }
        Ok(())
    }
}
