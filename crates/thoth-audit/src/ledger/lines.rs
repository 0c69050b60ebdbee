//! The lines of a journal: one leaf each, chained by checksums.
//!
//! `<8 hex digits> <canonical JSON>\n`, where the digits are the CRC-32 of the previous line's checksum and the leaf.
//! The first line follows a checksum that is made of the log's origin and the journal's name, so a journal is not
//! mistaken for another.
//!
//! The chain finds damage: torn, lost, moved and changed lines. It is not what makes the ledger tamper-evident. Without
//! a key no chain could be: whoever can change a line can compute the rest anew. The signed tree does that as soon as
//! the line is folded in, about a second later; a cryptographic hash here would only cost its time on every call.

use crc32fast::Hasher;

use crate::tiles::MAX_ENTRY_BYTES;

/// What a line's checksum follows from, besides its leaf.
pub(crate) type Link = u32;

/// What stands before the leaf: the checksum and a space.
const HEAD: usize = 9;
/// The longest line, its newline included.
pub(crate) const MAX_LINE: usize = HEAD + MAX_ENTRY_BYTES + 1;

/// The checksum before the first line.
pub(crate) fn genesis(origin: &str, journal: &str) -> Link {
    let mut hasher = Hasher::new();
    hasher.update(b"thoth journal v1\n");
    hasher.update(origin.as_bytes());
    hasher.update(b"\n");
    hasher.update(journal.as_bytes());
    hasher.finalize()
}

fn next(previous: Link, leaf: &[u8]) -> Link {
    let mut hasher = Hasher::new();
    hasher.update(&previous.to_be_bytes());
    hasher.update(leaf);
    hasher.finalize()
}

/// A checksum as it is written.
pub(crate) fn digits(link: Link) -> String {
    crate::hex::encode(&link.to_be_bytes())
}

/// Reads what [`digits`] writes, and nothing else.
pub(crate) fn parse_digits(text: &str) -> Option<Link> {
    let link = Link::from_str_radix(text, 16).ok()?;
    (digits(link) == text).then_some(link)
}

/// Appends the line for a leaf and returns its checksum.
pub(crate) fn push(out: &mut Vec<u8>, previous: Link, leaf: &[u8]) -> Link {
    let link = next(previous, leaf);
    crate::hex::push(out, &link.to_be_bytes());
    out.push(b' ');
    out.extend_from_slice(leaf);
    out.push(b'\n');
    link
}

/// Why a complete line does not belong where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not of the form above.
    #[error("not a journal line")]
    Malformed,
    /// Its checksum does not follow from the line before and its leaf.
    #[error("the chain of checksums is broken")]
    BrokenChain,
}

/// Reads complete lines from a part of a journal.
#[derive(Debug)]
pub(crate) struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    chain: Link,
}

impl<'b> Lines<'b> {
    /// Starts at a boundary whose checksum is `chain`.
    pub(crate) const fn new(bytes: &'b [u8], chain: Link) -> Self {
        Self { bytes, at: 0, chain }
    }

    /// How many bytes have been read as good lines, and the checksum there.
    pub(crate) const fn boundary(&self) -> (usize, Link) {
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
            let digits = std::str::from_utf8(head.strip_suffix(b" ")?).ok()?;
            Some((parse_digits(digits)?, leaf))
        });
        let Some((link, leaf)) = parts else { return Some(Err(LineError::Malformed)) };
        if link != next(self.chain, leaf) {
            return Some(Err(LineError::BrokenChain));
        }
        self.chain = link;
        self.at += end + 1;
        Some(Ok(leaf))
    }
}
