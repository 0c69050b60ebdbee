//! The right edge of the tree: what is needed to append to it.

use std::path::Path;

use super::files::{self, FileError, Store, during};
use crate::merkle::{Hash, edge_root, leaf_hash, perfect_root};
use crate::tiles::{self, TILE_WIDTH, TileKind, TileRef};

/// The partial tile of every level and the partial bundle.
#[derive(Debug)]
pub(crate) struct Edge {
    size: u64,
    bundle: Vec<u8>,
    levels: Vec<Level>,
}

#[derive(Debug, Default)]
struct Level {
    hashes: Vec<Hash>,
    changed: bool,
}

/// Why the edge of a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EdgeError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{0}` is damaged")]
    Damaged(String),
}

impl Edge {
    /// Reads the edge of the tree of `size` leaves.
    pub(crate) fn load(root: &Path, size: u64) -> Result<Self, EdgeError> {
        let mut edge = Self { size, bundle: Vec::new(), levels: Vec::new() };
        let mut level = 0;
        while tiles::hashes_at(level, size) > 0 {
            edge.levels.push(Level::default());
            level += 1;
        }
        for tile in tiles::partials(size) {
            let path = root.join(tile.path());
            let bytes = files::read_regular(&path).map_err(during("read", &path))?;
            match tile.kind {
                TileKind::Entries => {
                    let good = tiles::entries(&bytes).take_while(Result::is_ok).count();
                    if u64::try_from(good).ok() != Some(tile.width) || tiles::entries(&bytes).any(|e| e.is_err()) {
                        return Err(EdgeError::Damaged(tile.path()));
                    }
                    edge.bundle = bytes;
                }
                TileKind::Hashes(level) => {
                    let hashes: Vec<Hash> = tiles::hashes(&bytes).collect();
                    if u64::try_from(hashes.len()).ok() != Some(tile.width) || bytes.len() % 32 != 0 {
                        return Err(EdgeError::Damaged(tile.path()));
                    }
                    if let Some(slot) = usize::try_from(level).ok().and_then(|l| edge.levels.get_mut(l)) {
                        slot.hashes = hashes;
                    }
                }
            }
        }
        Ok(edge)
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Hash {
        edge_root(self.levels.iter().map(|level| level.hashes.as_slice()))
    }

    /// Appends a leaf; tiles that become full are written.
    pub(crate) fn push(&mut self, store: &mut Store, leaf: &[u8]) -> Result<(), FileError> {
        if !tiles::push_entry(&mut self.bundle, leaf) {
            let error = std::io::Error::new(std::io::ErrorKind::InvalidData, "the event is too long for an entry");
            return Err(during("append to", store.root())(error));
        }
        self.size += 1;
        let mut carry = leaf_hash(leaf);
        let mut level = 0_u32;
        loop {
            let at = usize::try_from(level).unwrap_or(usize::MAX);
            if at >= self.levels.len() {
                self.levels.push(Level::default());
            }
            let Some(slot) = self.levels.get_mut(at) else { return Ok(()) };
            slot.hashes.push(carry);
            slot.changed = true;
            if slot.hashes.len() < 256 {
                return Ok(());
            }
            let index = tiles::hashes_at(level, self.size) / TILE_WIDTH - 1;
            let full = std::mem::take(&mut slot.hashes);
            slot.changed = false;
            if level == 0 {
                let tile = TileRef { kind: TileKind::Entries, index, width: TILE_WIDTH };
                store.write(&tile.path(), &self.bundle)?;
                self.bundle.clear();
            }
            let tile = TileRef { kind: TileKind::Hashes(level), index, width: TILE_WIDTH };
            store.write(&tile.path(), full.as_flattened())?;
            carry = perfect_root(&full).unwrap_or_default();
            level += 1;
        }
    }

    /// Writes the partial tiles that have changed.
    pub(crate) fn write_partials(&mut self, store: &mut Store) -> Result<(), FileError> {
        for tile in tiles::partials(self.size) {
            let level = match tile.kind {
                TileKind::Entries => 0,
                TileKind::Hashes(level) => level,
            };
            let Some(slot) = usize::try_from(level).ok().and_then(|l| self.levels.get_mut(l)) else { continue };
            if !slot.changed {
                continue;
            }
            match tile.kind {
                // The bundle comes before the hashes of its level, so the mark is still set for it.
                TileKind::Entries => store.write(&tile.path(), &self.bundle)?,
                TileKind::Hashes(_) => {
                    slot.changed = false;
                    store.write(&tile.path(), slot.hashes.as_flattened())?;
                }
            }
        }
        Ok(())
    }
}
