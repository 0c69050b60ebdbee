//! Which words of a list a text begins or ends with, told in one walk that ends where no word goes on.
//!
//! Short values come in hundreds of thousands, and each is held against every list: a walk costs what the text has in
//! common with a list and not what the list is long.

use std::borrow::Cow;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

/// A text in lower case; most are.
pub(super) fn in_lower_case(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// A list of words.
#[derive(Debug)]
pub(super) struct Words(Option<DFA>);

impl Words {
    /// The words as they are written, for texts in lower case.
    pub(super) fn new(words: &[&str]) -> Self {
        Self::build(words.iter().map(|word| word.bytes().collect()).collect())
    }

    /// The same for the ends of texts.
    pub(super) fn of_ends(words: &[&str]) -> Self {
        Self::build(words.iter().map(|word| word.bytes().rev().collect()).collect())
    }

    fn build(words: Vec<Vec<u8>>) -> Self {
        // INVARIANT: the words are ours and few, so building cannot fail; a test of each list holds it.
        let mut dfa = DFA::builder();
        dfa.match_kind(MatchKind::Standard).start_kind(StartKind::Anchored).prefilter(false);
        Self(dfa.build(words).ok())
    }

    /// Whether a word opens the bytes such that `accept` says so of its place in the list and its length.
    fn any(&self, bytes: impl Iterator<Item = u8>, mut accept: impl FnMut(usize, usize) -> bool) -> bool {
        let Some(dfa) = &self.0 else { return true };
        let Ok(mut state) = dfa.start_state(Anchored::Yes) else { return true };
        for (at, byte) in bytes.enumerate() {
            state = dfa.next_state(Anchored::Yes, state, byte);
            if dfa.is_special(state) {
                if dfa.is_dead(state) {
                    return false;
                }
                if dfa.is_match(state) && ended(dfa, state).any(|word| accept(word, at + 1)) {
                    return true;
                }
            }
        }
        false
    }

    /// Whether a text is one of the words.
    pub(super) fn has(&self, text: &str) -> bool {
        self.any(text.bytes(), |_, length| length == text.len())
    }

    /// The same for a text in any case.
    pub(super) fn has_in_any_case(&self, text: &str) -> bool {
        self.any(text.bytes().map(|byte| byte.to_ascii_lowercase()), |_, length| length == text.len())
    }

    /// Whether a word opens a text such that `accept` says so of the rest.
    pub(super) fn opens(&self, text: &str, accept: impl Fn(&str) -> bool) -> bool {
        self.any(text.bytes(), |_, length| text.get(length..).is_some_and(&accept))
    }

    /// The place in the list of a word that ends a text, where `accept` says so of that place and of what
    /// stands before; for lists that were made for that.
    pub(super) fn ends(&self, text: &str, accept: impl Fn(usize, &str) -> bool) -> Option<usize> {
        let mut place = None;
        self.any(text.bytes().rev(), |word, length| {
            let accepted = text.get(..text.len() - length).is_some_and(|before| accept(word, before));
            if accepted {
                place = Some(word);
            }
            accepted
        });
        place
    }

    /// The longest word that opens a text: its place in the list and its length.
    pub(super) fn longest(&self, text: &str) -> Option<(usize, usize)> {
        let mut longest = None;
        self.any(text.bytes(), |word, length| {
            longest = Some((word, length));
            false
        });
        longest
    }

    /// Whether the list was built.
    #[cfg(test)]
    pub(super) fn is_built(&self) -> bool {
        self.0.is_some()
    }
}

/// A list of words that may stand anywhere in a text, in any case of ASCII.
#[derive(Debug)]
pub(super) struct Anywhere(Option<DFA>);

impl Anywhere {
    pub(super) fn new(words: &[&str]) -> Self {
        // INVARIANT: the words are ours and few, so building cannot fail; a test of each list holds it.
        let mut dfa = DFA::builder();
        dfa.ascii_case_insensitive(true).match_kind(MatchKind::Standard).prefilter(false);
        Self(dfa.start_kind(StartKind::Unanchored).build(words).ok())
    }

    /// Whether a word stands in a text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.seek().is_some_and(|mut seek| text.bytes().any(|byte| seek.meets(byte)))
    }

    /// A look for the words that is given its text byte by byte.
    pub(super) fn seek(&self) -> Option<Seek<'_>> {
        let dfa = self.0.as_ref()?;
        Some(Seek { dfa, state: dfa.start_state(Anchored::No).ok()? })
    }
}

/// A look for words under way.
#[derive(Debug)]
pub(super) struct Seek<'d> {
    dfa: &'d DFA,
    state: StateID,
}

impl Seek<'_> {
    /// Takes the next byte. Whether a word ends there.
    pub(super) fn meets(&mut self, byte: u8) -> bool {
        self.state = self.dfa.next_state(Anchored::No, self.state, byte);
        // Without an anchor there is no dead state.
        self.dfa.is_special(self.state)
    }

    /// The words that end here: the place of each in the list, and its length.
    pub(super) fn ended(&self) -> impl Iterator<Item = (usize, usize)> {
        let words = (0..self.dfa.match_len(self.state)).map(|at| self.dfa.match_pattern(self.state, at));
        words.map(|word| (word.as_usize(), self.dfa.pattern_len(word)))
    }
}

/// The words that end in a state.
fn ended(dfa: &DFA, state: StateID) -> impl Iterator<Item = usize> {
    (0..dfa.match_len(state)).map(move |at| dfa.match_pattern(state, at).as_usize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_open_and_end_texts() {
        let words = Words::new(&["/etc", "/etc/ssh/", "a"]);
        assert!(words.is_built());
        for (text, is_one, opens) in [
            ("/etc", true, true),
            ("/etc/ssh/", true, true),
            ("/etc/ssh/key", false, true),
            ("/etcetera", false, true),
            ("x/etc", false, false),
            ("", false, false),
            ("A", false, false),
        ] {
            assert_eq!((words.has(text), words.opens(text, |_| true)), (is_one, opens), "{text}");
        }
        assert!(words.has_in_any_case("A") && words.has_in_any_case("/ETC") && !words.has_in_any_case("B"));
        assert!(!words.opens("/etcetera", |rest| rest.is_empty() || rest.starts_with('/')));
        let ends = Words::of_ends(&["nip.io", "io", "lvh.me"]);
        for (text, place) in [("a.nip.io", Some(1)), ("lvh.me", Some(2)), ("me", None), ("", None)] {
            assert_eq!(ends.ends(text, |_, _| true), place, "{text}");
        }
        assert_eq!(ends.ends("a.nip.io", |_, rest| rest.ends_with("a.")), Some(0));
        let longest = |text| words.longest(text);
        assert_eq!([longest("/etc/ssh/x"), longest("/etcetera"), longest("b")], [Some((1, 9)), Some((0, 4)), None]);
    }
}
