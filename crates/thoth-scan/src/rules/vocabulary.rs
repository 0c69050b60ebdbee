//! The words by which concepts show themselves, all found in one pass.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::concept::{Concept, MOST_CONCEPTS};
use super::pattern::Hit;
use crate::text::Text;

/// A term: whose it is, and where words must begin and end.
#[derive(Debug, Clone, Copy)]
struct Term {
    concept: Concept,
    starts_word: bool,
    ends_word: bool,
}

/// All terms of all concepts.
#[derive(Debug)]
pub(super) struct Vocabulary {
    names: Vec<String>,
    terms: Vec<Term>,
    automaton: AhoCorasick,
}

/// Collects terms before they are compiled.
#[derive(Debug, Default)]
pub(super) struct Builder {
    names: Vec<String>,
    terms: Vec<Term>,
    literals: Vec<String>,
}

/// The most hits that are kept of one text; a text of nothing else is no description.
const MOST_HITS: usize = 1 << 16;

impl Builder {
    /// The concept with this name, made if it is new. None when there are too many.
    pub(super) fn concept(&mut self, name: &str) -> Option<Concept> {
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return u8::try_from(at).ok().map(Concept);
        }
        if self.names.len() >= MOST_CONCEPTS {
            return None;
        }
        self.names.push(name.to_owned());
        u8::try_from(self.names.len() - 1).ok().map(Concept)
    }

    /// The concept with this name, if some file has made it.
    pub(super) fn known(&self, name: &str) -> Option<Concept> {
        self.names.iter().position(|known| known == name).and_then(|at| u8::try_from(at).ok()).map(Concept)
    }

    /// Adds a term: words as they are written, read as any text is read; a final `*` lets the last word go on.
    /// False if nothing of it is left to look for.
    pub(super) fn term(&mut self, concept: Concept, written: &str) -> bool {
        let (body, open) = match written.strip_suffix('*') {
            Some(body) => (body, true),
            None => (written, false),
        };
        let literal = Text::read(body).view().to_lowercase();
        let (Some(first), Some(last)) = (literal.chars().next(), literal.chars().next_back()) else { return false };
        let term = Term { concept, starts_word: bounds(first), ends_word: !open && bounds(last) };
        self.terms.push(term);
        self.literals.push(literal);
        true
    }

    pub(super) fn build(self) -> Result<Vocabulary, aho_corasick::BuildError> {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&self.literals)?;
        Ok(Vocabulary { names: self.names, terms: self.terms, automaton })
    }
}

/// Whether words of this letter's script are set apart by blanks.
fn bounds(c: char) -> bool {
    c.is_alphanumeric() && !is_unspaced(c)
}

/// Scripts that are written without blanks, or that hang particles onto their words.
const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}')
}

impl Vocabulary {
    pub(super) fn concept(&self, name: &str) -> Option<Concept> {
        self.names.iter().position(|known| known == name).and_then(|at| u8::try_from(at).ok()).map(Concept)
    }

    /// All terms in a text, in the order in which they begin. Their places among the words are not yet known.
    pub(super) fn find(&self, text: &str, hits: &mut Vec<Hit<Concept>>) {
        hits.clear();
        for found in self.automaton.find_overlapping_iter(text) {
            let Some(term) = self.terms.get(found.pattern().as_usize()) else { continue };
            let (start, end) = (found.start(), found.end());
            if term.starts_word && continues(text.get(..start).and_then(|before| before.chars().next_back())) {
                continue;
            }
            if term.ends_word && continues(text.get(end..).and_then(|after| after.chars().next())) {
                continue;
            }
            hits.push(Hit { concept: term.concept, start, end, first_word: 0, past_word: 0 });
            if hits.len() >= MOST_HITS {
                break;
            }
        }
        hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
    }
}

fn continues(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(|c| c == '_' || bounds(c))
}

/// Numbers the words of one sentence and gives each hit its place among them. Two characters of an unspaced script
/// count as a word.
pub(super) fn number_words(text: &str, sentence: std::ops::Range<usize>, hits: &mut [Hit<Concept>]) {
    // Hits are sorted by start; ends are looked up in a second, equally ordered walk.
    let mut words = 0u16;
    let (mut in_word, mut unspaced) = (false, 0u8);
    let mut next = 0;
    let mut open: Vec<(usize, usize)> = Vec::new();
    let body = text.get(sentence.clone()).unwrap_or_default();
    for (offset, c) in body.char_indices() {
        let at = sentence.start + offset;
        open.retain(|(end, index)| {
            let ended = *end <= at;
            if ended && let Some(hit) = hits.get_mut(*index) {
                hit.past_word = words;
            }
            !ended
        });
        while let Some(hit) = hits.get_mut(next).filter(|hit| hit.start <= at) {
            hit.first_word =
                if in_word && hit.start == at && !is_unspaced(c) { words.saturating_sub(1) } else { words };
            open.push((hit.end, next));
            next += 1;
        }
        if is_unspaced(c) {
            unspaced += 1;
            if unspaced == 2 {
                words = words.saturating_add(1);
                unspaced = 0;
            }
            in_word = false;
        } else if c.is_alphanumeric() || c == '_' {
            if !in_word {
                words = words.saturating_add(1);
            }
            in_word = true;
        } else if c.is_whitespace() || c == ',' {
            in_word = false;
        }
    }
    for (_, index) in open {
        if let Some(hit) = hits.get_mut(index) {
            hit.past_word = words;
        }
    }
}
