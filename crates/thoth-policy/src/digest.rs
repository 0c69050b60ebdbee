//! The digest that evidence names a policy by.

use sha2::{Digest as _, Sha256};

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| DIGITS.get(usize::from(d))).collect()
}

/// `sha256:` and 32 hex digits, to tell long texts apart.
pub(crate) fn short_digest(bytes: &[u8]) -> String {
    let mut digest = hex(&Sha256::digest(bytes));
    digest.truncate(32);
    format!("sha256:{digest}")
}

/// `sha256:` and 64 hex digits. Of one file: the SHA-256 of its bytes, as `sha256sum` prints it. Of several: the
/// SHA-256 of their digests in hex, sorted, one a line; so the order of includes does not change it.
pub(crate) fn of_files<'a>(files: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digests: Vec<String> = files.map(|bytes| hex(&Sha256::digest(bytes))).collect();
    digests.sort();
    digests.dedup();
    match digests.as_slice() {
        [one] => format!("sha256:{one}"),
        several => {
            let mut hash = Sha256::new();
            for digest in several {
                hash.update(digest.as_bytes());
                hash.update(b"\n");
            }
            format!("sha256:{}", hex(&hash.finalize()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The empty text's SHA-256 is a published vector (FIPS 180-4 examples).
    #[test]
    fn is_what_sha256sum_prints() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of_files([b"".as_slice()].into_iter()), empty);
        let (a, b): (&[u8], &[u8]) = (b"a", b"b");
        assert_eq!(of_files([a, b].into_iter()), of_files([b, a].into_iter()));
        assert_ne!(of_files([a, b].into_iter()), of_files([a].into_iter()));
    }
}
