//! The small language in which rules say what a sentence must contain.
//!
//! `override ..4 prior` is a sequence: a term of the concept `override`, then one of `prior` with at most four words
//! between them. `..` alone allows [`DEFAULT_GAP`] words; nothing between two concepts means that they touch. `a|b`
//! is either concept. A pattern that begins with `&` or `&N` wants all its concepts in any order, within N words
//! (default [`DEFAULT_SPAN`]).

/// Words that `..` allows between two concepts.
pub(super) const DEFAULT_GAP: u16 = 4;
/// Words that an unordered pattern may span.
pub(super) const DEFAULT_SPAN: u16 = 16;
/// The most concepts that one pattern may name.
pub(super) const MOST_SLOTS: usize = 8;

/// How many hits are remembered for a place: more than ever overlap.
const REMEMBERED: usize = 4;

/// One place in a pattern: any of these concepts, at most so many words after the place before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot<C> {
    pub any_of: Vec<C>,
    pub gap: u16,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern<C> {
    pub slots: Vec<Slot<C>>,
    /// The span in words of an unordered pattern.
    pub unordered: Option<u16>,
}

/// What is wrong with a pattern's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("a pattern names at least one concept")]
    Empty,
    #[error("`{0}` is not a number of words")]
    BadNumber(String),
    #[error("a gap stands between two concepts")]
    LooseGap,
    #[error("`{0}` is not a concept of the vocabulary")]
    UnknownConcept(String),
    #[error("a pattern names at most {MOST_SLOTS} concepts")]
    TooLong,
}

/// Reads a pattern, asking for each concept by name.
pub(super) fn parse<C>(text: &str, concept: impl Fn(&str) -> Option<C>) -> Result<Pattern<C>, PatternError> {
    let mut words = text.split_whitespace().peekable();
    let unordered = match words.peek().and_then(|word| word.strip_prefix('&')) {
        Some(number) => {
            let span = count(number, DEFAULT_SPAN)?;
            words.next();
            Some(span)
        }
        None => None,
    };
    let mut slots: Vec<Slot<C>> = Vec::new();
    let mut gap = None;
    for word in words {
        if let Some(number) = word.strip_prefix("..") {
            if slots.is_empty() || gap.is_some() || unordered.is_some() {
                return Err(PatternError::LooseGap);
            }
            gap = Some(count(number, DEFAULT_GAP)?);
            continue;
        }
        let names =
            word.split('|').map(|name| concept(name).ok_or_else(|| PatternError::UnknownConcept(name.to_owned())));
        slots.push(Slot { any_of: names.collect::<Result<_, _>>()?, gap: gap.take().unwrap_or_default() });
    }
    match slots.len() {
        _ if gap.is_some() => Err(PatternError::LooseGap),
        0 => Err(PatternError::Empty),
        len if len > MOST_SLOTS => Err(PatternError::TooLong),
        _ => Ok(Pattern { slots, unordered }),
    }
}

fn count(number: &str, default: u16) -> Result<u16, PatternError> {
    if number.is_empty() { Ok(default) } else { number.parse().map_err(|_| PatternError::BadNumber(number.to_owned())) }
}

/// A term of a concept, found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit<C> {
    pub concept: C,
    pub start: usize,
    pub end: usize,
    /// How many words begin before it in its sentence.
    pub first_word: u32,
    /// How many words begin before its end.
    pub past_word: u32,
}

impl<C: Copy + PartialEq> Pattern<C> {
    /// The first match among the hits of one sentence, as the indices of its outermost hits. One pass over the hits.
    pub(super) fn find(&self, hits: &[Hit<C>]) -> Option<(usize, usize)> {
        match self.unordered {
            Some(span) => self.find_unordered(hits, span),
            None => self.find_sequence(hits),
        }
    }

    /// For each place the latest hits that a sequence can have reached it with: a near one is the best for whatever
    /// follows. Several, because terms overlap, and what follows must begin behind the one before.
    fn find_sequence(&self, hits: &[Hit<C>]) -> Option<(usize, usize)> {
        let mut reached = [[None::<(usize, usize)>; REMEMBERED]; MOST_SLOTS];
        for (index, hit) in hits.iter().enumerate() {
            // From the last place to the first, so that one hit does not fill two places.
            for (place, slot) in self.slots.iter().enumerate().rev() {
                if !slot.any_of.contains(&hit.concept) {
                    continue;
                }
                let first = match place.checked_sub(1) {
                    None => Some(index),
                    Some(before) => reached.get(before).into_iter().flatten().flatten().find_map(|(first, last)| {
                        let last = hits.get(*last)?;
                        let near = hit.start >= last.end
                            && hit.first_word.saturating_sub(last.past_word) <= u32::from(slot.gap);
                        near.then_some(*first)
                    }),
                };
                let Some(first) = first else { continue };
                if place + 1 == self.slots.len() {
                    return Some((first, index));
                }
                if let Some(latest) = reached.get_mut(place) {
                    latest.rotate_right(1);
                    *latest.first_mut().unwrap_or(&mut None) = Some((first, index));
                }
            }
        }
        None
    }

    fn find_unordered(&self, hits: &[Hit<C>], span: u16) -> Option<(usize, usize)> {
        let mut latest: [Option<usize>; MOST_SLOTS] = [None; MOST_SLOTS];
        for (index, hit) in hits.iter().enumerate() {
            let mut touched = false;
            for (slot, entry) in self.slots.iter().zip(latest.iter_mut()) {
                if slot.any_of.contains(&hit.concept) {
                    *entry = Some(index);
                    touched = true;
                }
            }
            if !touched {
                continue;
            }
            let places = latest.get(..self.slots.len()).unwrap_or_default();
            let Some(first) = places.iter().copied().min().flatten() else { continue };
            let near =
                hits.get(first).is_some_and(|first| hit.past_word.saturating_sub(first.first_word) <= u32::from(span));
            if near && places.iter().all(Option::is_some) {
                return Some((first, index));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Result<Pattern<char>, PatternError> {
        parse(text, |name| name.chars().next().filter(|_| name.len() == 1))
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("", "a pattern names at least one concept"),
            (".. a", "a gap stands between two concepts"),
            ("a ..", "a gap stands between two concepts"),
            ("& a .. b", "a gap stands between two concepts"),
            ("a ..x b", "`x` is not a number of words"),
            ("aa", "`aa` is not a concept of the vocabulary"),
            ("a b c d e f g h i", "a pattern names at most 8 concepts"),
        ];
        for (text, message) in cases {
            assert_eq!(pattern(text).unwrap_err().to_string(), message, "{text:?}");
        }
    }

    /// One word per character; blanks are words that mean nothing.
    fn hits(words: &str) -> Vec<Hit<char>> {
        let word = |at: usize| u32::try_from(at).unwrap();
        let named = words.char_indices().filter(|(_, c)| *c != ' ');
        named
            .map(|(at, c)| Hit { concept: c, start: at, end: at + 1, first_word: word(at), past_word: word(at + 1) })
            .collect()
    }

    fn matches(text: &str, words: &str) -> bool {
        pattern(text).unwrap().find(&hits(words)).is_some()
    }

    #[test]
    fn sequences_and_sets() {
        assert!(matches("a b", "ab") && !matches("a b", "a b") && !matches("a b", "ba"));
        assert!(matches("a ..2 b", "a  b") && !matches("a ..2 b", "a   b"));
        assert!(matches("a|c b", "cb") && matches("a a", "aa") && !matches("a a", "a"));
        assert!(matches("&3 a b", "b a") && !matches("&3 a b", "b  a"));
        // A near start is found behind a far one.
        assert!(matches("a ..1 b ..1 c", "a   a b c"));
    }

    /// The obvious way: try every start, then every continuation.
    fn naive(slots: &[Slot<char>], hits: &[Hit<char>], from: usize, last: Option<u32>) -> bool {
        let Some((slot, rest)) = slots.split_first() else { return true };
        (from..hits.len()).any(|index| {
            let hit = hits[index];
            let near = last.is_none_or(|past| hit.first_word - past <= u32::from(slot.gap));
            near && slot.any_of.contains(&hit.concept) && naive(rest, hits, index + 1, Some(hit.past_word))
        })
    }

    proptest! {
        /// The single pass finds a sequence exactly when trying everything does.
        #[test]
        fn the_single_pass_finds_what_trying_everything_finds(words in "[abc ]{0,24}", text in "[abc]( \\.\\.[0-3])? [abc]( \\.\\.[0-3])? [abc]") {
            let pattern = pattern(&text).unwrap();
            let hits = hits(&words);
            prop_assert_eq!(pattern.find(&hits).is_some(), naive(&pattern.slots, &hits, 0, None), "{} in {:?}", text, words);
        }
    }
}
