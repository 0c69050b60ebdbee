//! Inclusion and consistency proofs: made as RFC 6962, 2.1.1 and 2.1.2 define them, checked with the algorithms of
//! RFC 9162, 2.1.3.2 and 2.1.4.2.

use crate::merkle::{Hash, Subtrees, node_hash, range_hash};

/// The largest power of two below `n`; `n` is at least 2.
const fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The audit path of leaf `index` in the tree of `size` leaves, leaf side first. Empty when there is no such leaf.
///
/// # Errors
/// When the source cannot deliver a subtree.
pub fn inclusion<S: Subtrees + ?Sized>(source: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while index < size && to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range_hash(source, middle, to)?);
            to = middle;
        } else {
            path.push(range_hash(source, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `size` leaves extends the tree of its first `earlier` leaves.
///
/// # Errors
/// When the source cannot deliver a subtree.
pub fn consistency<S: Subtrees + ?Sized>(source: &S, earlier: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    if earlier == 0 || earlier >= size {
        return Ok(path);
    }
    let (mut from, mut to) = (0, size);
    while earlier != to {
        let middle = from + split(to - from);
        if earlier <= middle {
            path.push(range_hash(source, middle, to)?);
            to = middle;
        } else {
            path.push(range_hash(source, from, middle)?);
            from = middle;
        }
    }
    if from != 0 {
        path.push(range_hash(source, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` proves that the leaf with this hash is at `index` of the tree with this size and root.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut fn_, mut sn) = (index, size - 1);
    let mut hash = *leaf;
    for node in path {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            hash = node_hash(node, &hash);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            hash = node_hash(&hash, node);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && hash == *root
}

/// Whether `path` proves that the tree of `size` leaves with `root` extends the tree of `earlier` leaves with
/// `earlier_root`.
#[must_use]
pub fn verify_consistency(earlier: u64, earlier_root: &Hash, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if earlier == size {
        return path.is_empty() && earlier_root == root;
    }
    if earlier == 0 {
        return path.is_empty() && *earlier_root == crate::merkle::empty_root();
    }
    if earlier > size {
        return false;
    }
    let mut nodes = path.iter();
    let first = if earlier.is_power_of_two() { Some(earlier_root) } else { nodes.next() };
    let Some(first) = first else { return false };
    let (mut fn_, mut sn) = (earlier - 1, size - 1);
    while fn_ & 1 == 1 {
        fn_ >>= 1;
        sn >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for node in nodes {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            old = node_hash(node, &old);
            new = node_hash(node, &new);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            new = node_hash(&new, node);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && old == *earlier_root && new == *root
}
