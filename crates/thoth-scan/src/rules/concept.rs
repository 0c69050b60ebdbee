//! Concepts of the vocabulary, and sets of them.

/// Number of words that a set has.
const WORDS: usize = 6;
/// How many concepts a vocabulary may have.
pub(super) const MOST_CONCEPTS: usize = WORDS * 64;

/// A concept, by its number in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Concept(pub(super) u16);

/// A set of concepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Concepts([u64; WORDS]);

impl Concepts {
    pub(crate) fn insert(&mut self, concept: Concept) {
        if let Some(word) = self.0.get_mut(usize::from(concept.0) / 64) {
            *word |= 1 << (concept.0 % 64);
        }
    }

    pub(crate) fn contains(&self, concept: Concept) -> bool {
        self.0.get(usize::from(concept.0) / 64).is_some_and(|word| word & (1 << (concept.0 % 64)) != 0)
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(mine, theirs)| mine & theirs != 0)
    }

    /// The concepts in it, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = Concept> {
        let words = (0u32..).zip(self.0);
        words.flat_map(|(at, word)| {
            let bits = std::iter::successors(Some(word).filter(|word| *word != 0), |word| {
                Some(word & (word - 1)).filter(|rest| *rest != 0)
            });
            bits.filter_map(move |word| u16::try_from(at * 64 + word.trailing_zeros()).ok()).map(Concept)
        })
    }

    pub(super) fn includes(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(mine, theirs)| mine & theirs == theirs)
    }
}

impl FromIterator<Concept> for Concepts {
    fn from_iter<I: IntoIterator<Item = Concept>>(concepts: I) -> Self {
        let mut set = Self::default();
        concepts.into_iter().for_each(|concept| set.insert(concept));
        set
    }
}
