//! The tree and its proofs against the definitions of RFC 6962 and against a third implementation.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use thoth_audit::merkle::{self, Hash, Subtrees};
use thoth_audit::proof;
use thoth_testkit::independent_verifier as textbook;

fn leaves(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("leaf {n}").into_bytes()).collect()
}

fn hashes(leaves: &[Vec<u8>]) -> Vec<Hash> {
    leaves.iter().map(|leaf| merkle::leaf_hash(leaf)).collect()
}

fn source(hashes: &[Hash]) -> &(impl Subtrees<Error = merkle::MissingLeaves> + ?Sized) {
    hashes
}

/// Invariant: roots are those of the definition and of another library, at every size up to 300.
#[test]
fn roots_agree_with_two_others() {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let leaves = leaves(300);
    let hashes = hashes(&leaves);
    for size in 0..=leaves.len() {
        let root = merkle::root(source(&hashes), size as u64).unwrap();
        assert_eq!(root, textbook::mth(&hashes[..size]), "size {size}");
        if size > 0 {
            tree.push(leaves[size - 1].clone());
            assert_eq!(root.as_slice(), tree.root().as_bytes().as_slice(), "size {size}");
        }
    }
}

proptest! {
    /// Invariant: an inclusion proof is that of the definition and of another library, it verifies, and it verifies for
    /// nothing else.
    #[test]
    fn inclusion_proofs_hold(size in 1_usize..200, seed in any::<usize>(), flip in any::<(usize, u8)>()) {
        let leaves = leaves(size);
        let hashes = hashes(&leaves);
        let index = seed % size;
        let root = textbook::mth(&hashes);
        let mut path = proof::inclusion(source(&hashes), index as u64, size as u64).unwrap();
        prop_assert_eq!(&path, &textbook::audit_path(index, &hashes));
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        leaves.iter().for_each(|leaf| tree.push(leaf.clone()));
        let theirs = tree.prove_inclusion(index);
        prop_assert_eq!(theirs.as_bytes(), path.concat());
        let holds = |index: usize, size: usize, path: &[Hash]| {
            proof::verify_inclusion(&hashes[seed % hashes.len()], index as u64, size as u64, path, &root)
        };
        prop_assert!(holds(index, size, &path));
        prop_assert!(!holds(index + 1, size, &path));
        // A proof does not depend on the size where the path has the same turns; it never holds with another length.
        if let Some(last) = path.pop() {
            prop_assert!(!holds(index, size, &path));
            path.push(last);
            let at = flip.0 % path.len();
            path[at][usize::from(flip.1) % 32] ^= 1;
            prop_assert!(!holds(index, size, &path));
        }
    }

    /// Invariant: a consistency proof is that of the definition, it verifies, and a tree that was changed has none.
    #[test]
    fn consistency_proofs_hold(size in 1_usize..200, seed in any::<usize>(), change in any::<usize>()) {
        let hashes = hashes(&leaves(size));
        let earlier = seed % (size + 1);
        let path = proof::consistency(source(&hashes), earlier as u64, size as u64).unwrap();
        prop_assert_eq!(&path, &textbook::consistency_proof(earlier, &hashes));
        let (old, new) = (textbook::mth(&hashes[..earlier]), textbook::mth(&hashes));
        let holds = |old: &Hash| proof::verify_consistency(earlier as u64, old, size as u64, &new, &path);
        prop_assert!(holds(&old));
        if earlier > 0 {
            let mut other = hashes;
            other[change % earlier][0] ^= 1;
            prop_assert!(!holds(&textbook::mth(&other[..earlier])));
        }
    }
}
