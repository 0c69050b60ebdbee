//! The requests that wait for their answers.

use std::collections::BTreeMap;

use crate::id::IdKey;

/// Why a request cannot be tracked, and so not be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InFlightError {
    /// An unanswered request has the same id: peers would mix up the two answers.
    #[error("the id belongs to a request that is still in flight")]
    InUse,
    /// Too many unanswered requests.
    #[error("{cap} requests are in flight already, wait for answers")]
    Full {
        /// How many may be in flight.
        cap: usize,
    },
}

/// The unanswered requests of one direction, by id, no more than a fixed number.
#[derive(Debug)]
pub struct InFlight<T> {
    // Ordered, so that draining is reproducible and no hash can be attacked.
    entries: BTreeMap<IdKey, T>,
    cap: usize,
}

impl<T> InFlight<T> {
    /// A table for at most `cap` requests.
    #[must_use]
    pub const fn new(cap: usize) -> Self {
        Self { entries: BTreeMap::new(), cap }
    }

    /// Notes a request before it is forwarded.
    ///
    /// # Errors
    /// When its id is in use, or too many requests are; the table is then unchanged.
    pub fn insert(&mut self, id: IdKey, entry: T) -> Result<(), InFlightError> {
        if self.entries.contains_key(&id) {
            return Err(InFlightError::InUse);
        }
        if self.entries.len() >= self.cap {
            return Err(InFlightError::Full { cap: self.cap });
        }
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Takes out the request that a response answers. `None` means that nobody asked.
    pub fn remove(&mut self, id: &IdKey) -> Option<T> {
        self.entries.remove(id)
    }

    /// The request with this id.
    #[must_use]
    pub fn get(&self, id: &IdKey) -> Option<&T> {
        self.entries.get(id)
    }

    /// The request with this id.
    pub fn get_mut(&mut self, id: &IdKey) -> Option<&mut T> {
        self.entries.get_mut(id)
    }

    /// All requests, by id.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    /// How many requests wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes out all requests, as when the peer is gone.
    pub fn drain(&mut self) -> impl Iterator<Item = (IdKey, T)> + use<T> {
        std::mem::take(&mut self.entries).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends "an id in flight is not re-used" and the bound.
    #[test]
    fn refuses_reuse_and_overflow() {
        let mut table = InFlight::new(2);
        assert_eq!(table.insert(IdKey::integer(7), 'a'), Ok(()));
        assert_eq!(table.insert(IdKey::integer(7), 'b'), Err(InFlightError::InUse));
        assert_eq!(table.insert(IdKey::text("7"), 'c'), Ok(()));
        assert_eq!(table.insert(IdKey::integer(8), 'd'), Err(InFlightError::Full { cap: 2 }));
        assert_eq!(table.insert(IdKey::integer(7), 'b'), Err(InFlightError::InUse));
        assert_eq!(table.remove(&IdKey::integer(7)), Some('a'));
        assert_eq!(table.remove(&IdKey::integer(7)), None);
        assert_eq!(table.insert(IdKey::integer(7), 'e'), Ok(()));
        assert_eq!(table.get(&IdKey::integer(7)), Some(&'e'));
        assert_eq!(table.drain().count(), 2);
        assert!(table.is_empty());
    }
}
