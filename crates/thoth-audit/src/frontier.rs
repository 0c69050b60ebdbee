//! The frontier of a tree: what is needed to append to it, and nothing else.

use crate::merkle::{Hash, empty_root, node_hash};

/// The roots of the perfect subtrees that a tree of some size is made of, the largest first: one for each bit that is set
/// in the size, so 64 hashes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// That of the tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// One that was written down: its hashes one after the other. `None`: a tree of this size has another number of them.
    /// Whether they are the right ones, [`Self::root`] tells beside a signed head.
    #[must_use]
    pub fn from_parts(size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let wanted = usize::try_from(size.count_ones()).ok()?;
        (rest.is_empty() && hashes.len() == wanted).then(|| Self { size, hashes: hashes.to_vec() })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes one after the other, as [`Self::from_parts`] takes them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.hashes.as_flattened()
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each bit that the addition carries over is a subtree that is complete now.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root of the tree (RFC 6962, 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut hashes = self.hashes.iter().rev();
        let Some(last) = hashes.next() else { return empty_root() };
        hashes.fold(*last, |right, left| node_hash(left, &right))
    }
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, root};

    /// Defends: a tree that is only ever appended to has the root of RFC 6962 at every size, also after each time that it
    /// was written down and read back.
    #[test]
    fn the_root_is_that_of_the_whole_tree() {
        let mut frontier = Frontier::new();
        let mut leaves: Vec<Hash> = Vec::new();
        for number in 0..600_u32 {
            assert_eq!(frontier.root(), root(leaves.as_slice(), leaves.len() as u64).unwrap(), "{number}");
            let leaf = leaf_hash(&number.to_be_bytes());
            leaves.push(leaf);
            frontier.push(leaf);
            frontier = Frontier::from_parts(frontier.size(), frontier.bytes()).unwrap();
        }
        assert_eq!(Frontier::from_parts(7, &[0; 64]), None);
        assert_eq!(Frontier::from_parts(3, &[0; 65]), None);
    }
}
