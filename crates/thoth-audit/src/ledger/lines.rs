//! The lines of a journal: one leaf each, chained by hashes.
//!
//! `<64 hex digits> <canonical JSON>\n`, where the digits are SHA-256 over the previous line's hash and the leaf. The
//! first line follows a hash that is made of the log's origin and the journal's name, so a journal cannot be passed
//! off as another.

use sha2::{Digest, Sha256};

use crate::merkle::Hash;
use crate::tiles::MAX_ENTRY_BYTES;

/// What stands before the leaf: the hash and a space.
const HEAD: usize = 65;
/// The longest line, its newline included.
pub(crate) const MAX_LINE: usize = HEAD + MAX_ENTRY_BYTES + 1;

/// The hash before the first line.
pub(crate) fn genesis(origin: &str, journal: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"thoth journal v1\n");
    hasher.update(origin.as_bytes());
    hasher.update(b"\n");
    hasher.update(journal.as_bytes());
    hasher.finalize().into()
}

fn next(previous: &Hash, leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(leaf);
    hasher.finalize().into()
}

/// Appends the line for a leaf and returns its hash.
pub(crate) fn push(out: &mut Vec<u8>, previous: &Hash, leaf: &[u8]) -> Hash {
    let hash = next(previous, leaf);
    crate::hex::push(out, &hash);
    out.push(b' ');
    out.extend_from_slice(leaf);
    out.push(b'\n');
    hash
}

/// Why a complete line does not belong where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not of the form above.
    #[error("not a journal line")]
    Malformed,
    /// Its hash does not follow from the line before and its leaf.
    #[error("the hash chain is broken")]
    BrokenChain,
}

/// Reads complete lines from a part of a journal.
#[derive(Debug)]
pub(crate) struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    chain: Hash,
}

impl<'b> Lines<'b> {
    /// Starts at a boundary whose hash is `chain`.
    pub(crate) const fn new(bytes: &'b [u8], chain: Hash) -> Self {
        Self { bytes, at: 0, chain }
    }

    /// How many bytes have been read as good lines, and the hash there.
    pub(crate) const fn boundary(&self) -> (usize, Hash) {
        (self.at, self.chain)
    }

    /// The next leaf; `None` when no complete line is left.
    pub(crate) fn next_leaf(&mut self) -> Option<Result<&'b [u8], LineError>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest.get(..MAX_LINE.min(rest.len())).unwrap_or_default()) else {
            return (rest.len() >= MAX_LINE).then_some(Err(LineError::Malformed));
        };
        let line = rest.get(..end).unwrap_or_default();
        let parts = line.split_at_checked(HEAD).and_then(|(head, leaf)| {
            let digits = head.strip_suffix(b" ")?;
            Some((crate::hex::decode32(digits)?, leaf))
        });
        let Some((hash, leaf)) = parts else { return Some(Err(LineError::Malformed)) };
        if hash != next(&self.chain, leaf) {
            return Some(Err(LineError::BrokenChain));
        }
        self.chain = hash;
        self.at += end + 1;
        Some(Ok(leaf))
    }
}
