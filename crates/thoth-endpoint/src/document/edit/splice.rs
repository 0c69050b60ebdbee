//! Replaced spans of a text.

use std::ops::Range;

/// One span and what comes in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) span: Range<usize>,
    pub(super) text: String,
    /// Among insertions at one place, the one with the higher rank comes first.
    pub(super) rank: usize,
}

/// The splices of one edit of one collection.
#[derive(Debug, Default)]
pub(super) struct Splices {
    all: Vec<Splice>,
    rank: usize,
}

impl Splices {
    /// What follows belongs to a collection that begins there: an inner one begins later than its outer ones.
    pub(super) const fn rank(&mut self, start: usize) {
        self.rank = start;
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    pub(super) fn remove(&mut self, from: usize, to: usize) {
        if from < to {
            self.replace(from..to, "");
        }
    }

    pub(super) fn replace(&mut self, span: Range<usize>, text: impl Into<String>) {
        self.all.push(Splice { span, text: text.into(), rank: self.rank });
    }

    /// The text with all of them; the place where two overlap, if two do.
    pub(super) fn apply(mut self, text: &str) -> Result<String, usize> {
        let order = |one: &Splice| (one.span.start, !one.span.is_empty(), usize::MAX - one.rank);
        self.all.sort_by_key(order);
        let mut result = String::with_capacity(text.len() + self.all.iter().map(|one| one.text.len()).sum::<usize>());
        let mut at = 0;
        for Splice { span, text: with, .. } in self.all {
            let kept = text.get(at..span.start).ok_or(span.start)?;
            result.push_str(kept);
            result.push_str(&with);
            at = span.end;
        }
        result.push_str(text.get(at..).ok_or(at)?);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(splices: &[(Range<usize>, &str, usize)]) -> Result<String, usize> {
        let mut all = Splices::default();
        for (span, text, rank) in splices {
            all.rank(*rank);
            all.replace(span.clone(), *text);
        }
        all.apply("abcdef")
    }

    /// Neighbours are fine in any order, overlaps are not, and what is inserted at one place has an order.
    #[test]
    fn splices() {
        for (splices, expected) in [
            (&[(4..6, "", 0), (0..1, "X", 0)][..], Ok("Xbcd")),
            (&[(1..3, "", 0), (3..4, "", 0), (1..1, "<", 0), (4..4, ">", 0)], Ok("a<>ef")),
            (&[(2..2, "outer ", 0), (2..2, "inner ", 1)], Ok("abinner outer cdef")),
            (&[(2..2, "1", 0), (2..2, "2", 0)], Ok("ab12cdef")),
            (&[(1..3, "", 0), (2..4, "", 0)], Err(2)),
            (&[(1..3, "", 0), (2..2, "x", 0)], Err(2)),
            (&[(1..3, "", 0), (1..3, "", 0)], Err(1)),
            (&[(5..9, "", 0)], Err(9)),
        ] {
            assert_eq!(applied(splices), expected.map(str::to_owned), "{splices:?}");
        }
    }
}
