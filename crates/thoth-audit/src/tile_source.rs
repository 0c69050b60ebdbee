//! The tree on disk as a source of subtrees.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::ledger::FileError;
use crate::ledger::files::{during, read_regular};
use crate::merkle::{Hash, Subtrees, perfect_root};
use crate::tiles::{self, TILE_WIDTH, TileKind, TileRef};

/// Why a subtree could not be had from the tiles.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// A tile could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tile is not as long as the tree's size demands.
    #[error("`{0}` does not have the hashes that it should")]
    Short(String),
    /// The tree has no such subtree.
    #[error("the tree has no subtree {index} of level {level}")]
    OutOfTree {
        /// The level asked for.
        level: u32,
        /// The index asked for.
        index: u64,
    },
}

/// Reads tiles of a tree of a known size. The last tile read is kept.
#[derive(Debug)]
pub struct TileSource {
    root: PathBuf,
    size: u64,
    last: RefCell<Option<(TileRef, Vec<Hash>)>>,
}

impl TileSource {
    /// The tree of `size` leaves in a ledger's directory.
    #[must_use]
    pub fn new(root: &Path, size: u64) -> Self {
        Self { root: root.to_owned(), size, last: RefCell::new(None) }
    }

    /// The file that holds entry or hash `at` of a level of the tree.
    #[must_use]
    pub fn tile_of(&self, kind: TileKind, at: u64) -> Option<TileRef> {
        let level = match kind {
            TileKind::Entries => 0,
            TileKind::Hashes(level) => level,
        };
        let count = tiles::hashes_at(level, self.size);
        let index = at / TILE_WIDTH;
        (at < count).then(|| TileRef { kind, index, width: (count - index * TILE_WIDTH).min(TILE_WIDTH) })
    }
}

impl Subtrees for TileSource {
    type Error = TileError;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, TileError> {
        let outside = TileError::OutOfTree { level, index };
        let (tile_level, height) = (level / 8, level % 8);
        let first = index.checked_shl(height).filter(|first| first >> height == index);
        let tile = first.and_then(|first| Some((first, self.tile_of(TileKind::Hashes(tile_level), first)?)));
        let Some((first, tile)) = tile else { return Err(outside) };
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(have, _)| *have != tile) {
            let path = self.root.join(tile.path());
            let bytes = read_regular(&path).map_err(during("read", &path))?;
            let hashes: Vec<Hash> = tiles::hashes(&bytes).collect();
            if u64::try_from(hashes.len()).ok() != Some(tile.width) || bytes.len() % 32 != 0 {
                return Err(TileError::Short(tile.path()));
            }
            *last = Some((tile, hashes));
        }
        let row = last.as_ref().and_then(|(_, hashes)| {
            let from = usize::try_from(first % TILE_WIDTH).ok()?;
            hashes.get(from..from + (1 << height))
        });
        row.and_then(perfect_root).ok_or(outside)
    }
}
