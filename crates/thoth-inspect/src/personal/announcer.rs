//! Words that say what the number beside them is.

use super::super::leaf::Leaf;
use super::super::words::{Anywhere, Words};

/// How much of what stands before a number is looked at, in bytes.
const BEFORE: usize = 48;
/// How much of a name is looked at, from its end. A longer one names nothing.
const NAME: usize = 96;

/// A list of words that announce one kind of number.
#[derive(Debug)]
pub(super) struct Announcers(Anywhere);

impl Announcers {
    pub(super) fn new(words: &[&str]) -> Self {
        Self(Anywhere::new(words))
    }

    /// Whether the name of a value, or what stands right before an offset in it, speaks of one of the words.
    pub(super) fn announce(&self, leaf: &Leaf<'_>, start: usize) -> bool {
        self.stand_in(name_end(leaf.line(start).key).as_bytes()) || self.stand_in(leaf.before(start, BEFORE))
    }

    /// Whether one of the words stands in a text, and is not part of another word.
    fn stand_in(&self, text: &[u8]) -> bool {
        let letter = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphabetic);
        let Some(mut seek) = self.0.seek() else { return true };
        (1..).zip(text).any(|(end, byte)| {
            seek.meets(*byte)
                && !letter(Some(end))
                && seek.ended().any(|(_, length)| !letter(end.checked_sub(length + 1)))
        })
    }
}

/// The end of a name.
fn name_end(name: &str) -> &str {
    name.get(name.ceil_char_boundary(name.len().saturating_sub(NAME))..).unwrap_or_default()
}

/// Whether the last word of a name is one of those of a list, which was made for the ends of texts in lower case.
pub(super) fn last_word_is(name: &str, words: &Words) -> bool {
    let name = name_end(name);
    let lower = super::super::words::in_lower_case(name);
    let begins = |_, before: &str| {
        before.is_empty()
            || before.ends_with(['_', '-', '.', ' '])
            || name.get(before.len()..).is_some_and(|word| word.starts_with(|first: char| first.is_uppercase()))
    };
    words.ends(&lower, begins).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone() {
        let card = Announcers::new(&["card", "cards", "social security"]);
        assert!(card.0.seek().is_some());
        for (text, expected) in [
            ("Card", true),
            ("cards:", true),
            ("my_card_number", true),
            ("discard card", true),
            ("discard", false),
            ("cardinal", false),
            ("Social Security no.", true),
            ("", false),
        ] {
            assert_eq!(card.stand_in(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn names_are_about_their_last_word() {
        let words = Words::of_ends(&["id", "order"]);
        for (name, expected) in [
            ("id", true),
            ("orderId", true),
            ("order_ID", true),
            ("Order", true),
            ("valid", false),
            ("id_card", false),
            ("", false),
        ] {
            assert_eq!(last_word_is(name, &words), expected, "{name}");
        }
        assert!(last_word_is(&format!("{} id", "é".repeat(90)), &words));
    }
}
