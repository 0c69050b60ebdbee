//! Keys that were looked up a moment ago, so that a request can begin without asking the store.
//!
//! INVARIANT (a key that was taken back does nothing more): what is remembered here lets a request's body in and counts it
//! against a limit, and nothing else. Whatever the request brings about asks the store itself ([`crate::access::Access::still`]).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a key is remembered.
const FRESH: Duration = Duration::from_secs(1);
/// How many are remembered. With more, all are forgotten, which costs each of them one look-up.
const MOST: usize = 4096;

/// What was found for keys, by their digests, within the last second.
#[derive(Debug)]
pub(crate) struct Recent<T>(Mutex<HashMap<[u8; 32], (T, Instant)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Recent<T> {
    /// What was found for the key of this digest, if that was within the last second.
    pub(crate) fn get(&self, digest: &[u8; 32], now: Instant) -> Option<T> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, at) = keys.get(digest)?;
        (now.saturating_duration_since(*at) < FRESH).then(|| found.clone())
    }

    /// Remembers what was just found.
    pub(crate) fn put(&self, digest: [u8; 32], found: T, now: Instant) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST {
            keys.clear();
        }
        keys.insert(digest, (found, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is remembered for longer than a second, and never more than the bound.
    #[test]
    fn what_is_remembered_is_fresh_and_bounded() {
        let (keys, now) = (Recent::default(), Instant::now());
        keys.put([1; 32], "acme", now);
        for (digest, after, found) in [(1, 0, true), (1, 999, true), (1, 1000, false), (2, 0, false)] {
            let looked = keys.get(&[digest; 32], now + Duration::from_millis(after));
            assert_eq!(looked.is_some(), found, "{digest} after {after} ms");
        }
        for number in 0..MOST {
            let mut digest = [3; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            keys.put(digest, "acme", now);
        }
        assert!(keys.0.lock().unwrap().len() <= MOST);
    }
}
