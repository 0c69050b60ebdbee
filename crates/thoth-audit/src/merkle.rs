//! The Merkle tree of RFC 6962, section 2.1.
//!
//! Everything is computed from *perfect subtrees*: the hash of the `2^level` leaves that start at `index * 2^level`.
//! Where those come from (tiles on disk, a vector in a test) is the caller's business, through [`Subtrees`].

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 over `0x00` and the leaf's bytes (RFC 6962, 2.1).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(data);
    hasher.finalize().into()
}

/// The hash of an inner node: SHA-256 over `0x01` and both children (RFC 6962, 2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962, 2.1).
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Where perfect subtrees come from.
pub trait Subtrees {
    /// Why one could not be had.
    type Error;

    /// The hash over the `2^level` leaves from leaf `index * 2^level` on.
    ///
    /// # Errors
    /// When the source cannot say.
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The hash of a perfect subtree from its bottom row, whose length is a power of two. `None` for an empty row.
#[must_use]
pub fn perfect_root(row: &[Hash]) -> Option<Hash> {
    let mut row = row.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                _ => pair.first().copied().unwrap_or_default(),
            })
            .collect();
    }
    row.first().copied()
}

/// The hash of the leaves `from..to`, where `from` is a multiple of a power of two that is at least `to - from`, as
/// for every node that RFC 6962 names.
///
/// # Errors
/// When the source cannot deliver a subtree.
pub fn range_hash<S: Subtrees + ?Sized>(source: &S, from: u64, to: u64) -> Result<Hash, S::Error> {
    let count = to.saturating_sub(from);
    let mut parts = Vec::with_capacity(64);
    let mut start = from;
    for level in (0..64_u32).rev() {
        if count >> level & 1 == 1 {
            parts.push(source.subtree(level, start >> level)?);
            start += 1 << level;
        }
    }
    let Some(mut hash) = parts.pop() else { return Ok(empty_root()) };
    while let Some(left) = parts.pop() {
        hash = node_hash(&left, &hash);
    }
    Ok(hash)
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// When the source cannot deliver a subtree.
pub fn root<S: Subtrees + ?Sized>(source: &S, size: u64) -> Result<Hash, S::Error> {
    range_hash(source, 0, size)
}

/// The root of a tree from its right edge: for every tile level, from the leaves up, the hashes that are not yet under a
/// hash of the next level.
#[must_use]
pub fn edge_root<'h>(levels: impl Iterator<Item = &'h [Hash]>) -> Hash {
    let mut root: Option<Hash> = None;
    // From the right, which is the lowest level's last hash, to the left.
    for level in levels {
        let mut end = level.len();
        while end > 0 {
            let width = 1_usize << end.trailing_zeros();
            let row = level.get(end - width..end).unwrap_or_default();
            let left = perfect_root(row).unwrap_or_default();
            root = Some(root.map_or(left, |right| node_hash(&left, &right)));
            end -= width;
        }
    }
    root.unwrap_or_else(empty_root)
}

/// Leaf hashes in memory: for tests and small trees.
impl Subtrees for [Hash] {
    type Error = MissingLeaves;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, MissingLeaves> {
        let row = usize::try_from(index << level)
            .ok()
            .and_then(|from| 1_usize.checked_shl(level).and_then(|width| self.get(from..from.checked_add(width)?)));
        row.and_then(perfect_root).ok_or(MissingLeaves { level, index })
    }
}

/// The leaves in memory do not reach that far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no leaves for subtree {index} of level {level}")]
pub struct MissingLeaves {
    /// The level asked for.
    pub level: u32,
    /// The index asked for.
    pub index: u64,
}
