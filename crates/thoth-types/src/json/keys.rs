//! Equal keys of one object.

use super::value::{Node, unescape};

/// Up to this many keys are compared pair by pair; beyond it they are sorted.
const PAIRWISE_KEYS: usize = 12;

/// A key of an object that is still open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Equal for equal keys, and mostly different for others: saves looking at the texts.
    print: u32,
    /// Its node.
    node: u32,
}

impl Key {
    /// The key with this text, quotes left off, which is the node at this index.
    #[inline]
    pub(super) fn new(text: &[u8], node: usize) -> Self {
        // Lossless: a node index is below `max_values` and below the number of bytes, which fits.
        Self { print: fingerprint(text), node: u32::try_from(node).unwrap_or(u32::MAX) }
    }
}

/// See [`Key::print`].
#[inline]
fn fingerprint(key: &[u8]) -> u32 {
    let edge = |four: Option<&[u8; 4]>| match four {
        Some(four) => u32::from_le_bytes(*four),
        None => key.iter().fold(0, |print, byte| (print << 8) | u32::from(*byte)),
    };
    edge(key.first_chunk()).wrapping_mul(0x9E37_79B1) ^ edge(key.last_chunk())
}

/// The later one of two equal keys, if there are any. `escaped` says whether one of them has escapes.
pub(super) fn duplicate<'n>(keys: &mut [Key], escaped: bool, nodes: &'n [Node], bytes: &[u8]) -> Option<&'n Node> {
    let text = |key: &Key| nodes.get(key.node as usize).map_or(&[][..], |node| node.string_body(bytes));
    let later = if escaped {
        let mut texts: Vec<_> = keys.iter().map(|key| (unescape(text(key)), key.node)).collect();
        texts.sort_unstable();
        texts.windows(2).find_map(|pair| match pair {
            [(a, _), (b, node)] if a == b => Some(*node),
            _ => None,
        })
    } else if keys.len() <= PAIRWISE_KEYS {
        keys.iter().enumerate().find_map(|(i, key)| {
            let same = |other: &Key| other.print == key.print && text(other) == text(key);
            keys.iter().take(i).any(same).then_some(key.node)
        })
    } else {
        keys.sort_unstable_by(|a, b| a.print.cmp(&b.print).then_with(|| text(a).cmp(text(b))));
        keys.windows(2).find_map(|pair| match pair {
            [a, b] if a.print == b.print && text(a) == text(b) => Some(a.node.max(b.node)),
            _ => None,
        })
    };
    later.and_then(|node| nodes.get(node as usize))
}
