//! The words by which concepts show themselves, all found in one pass.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::concept::{Concept, MOST_CONCEPTS};
use super::pattern::Hit;
use thoth_text::{Text, is_word};

/// A term: whose it is, what is compared, and where words must begin and end.
#[derive(Debug)]
struct Term {
    concept: Concept,
    literal: Box<str>,
    starts_word: bool,
    ends_word: bool,
}

/// How the terms are looked up: by the word that they begin with, by its first letters when the word goes on, by the
/// sign that they begin with, and by an automaton for scripts whose words are not told apart by blanks.
///
/// One automaton over all terms is simpler and was rejected: its tables are larger than the caches, and it looks at
/// every byte where most words can be dismissed by one look-up.
#[derive(Debug)]
pub(super) struct Vocabulary {
    names: Vec<String>,
    terms: Vec<Term>,
    /// By the hash of a whole word.
    words: HashMap<u64, Vec<Entry>, BuildHasherDefault<Identity>>,
    /// By the hash of the first letters of a word.
    stems: HashMap<u64, Vec<Entry>, BuildHasherDefault<Identity>>,
    /// By the first byte, which is no letter.
    signs: Vec<Vec<Entry>>,
    /// Terms that begin beyond ASCII.
    beyond: Vec<u32>,
    automaton: AhoCorasick,
    /// The concepts that words have by their form.
    identifier: Option<Concept>,
    secret_identifier: Option<Concept>,
}

/// Concepts that no term shows: [`Vocabulary::identifier`] knows them by their form.
const IDENTIFIER: &str = "identifier";
const SECRET_IDENTIFIER: &str = "secret_identifier";
/// How identifiers end that name secrets.
const SECRET_ENDINGS: &[&str] =
    &["key", "keys", "token", "tokens", "secret", "secrets", "password", "passwd", "credentials", "pat"];

/// A term in a list, with the eight bytes behind what the list is looked up by: nearly all terms of a long list are told
/// apart by these, without a look at their text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    next: u64,
    mask: u64,
    term: u32,
}

impl Entry {
    fn new(term: u32, behind: &[u8]) -> Self {
        let bits = 8 * behind.len().min(8);
        let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        Self { next: eight(behind) & mask, mask, term }
    }
}

/// The first eight bytes as a number; zeros where there are fewer.
fn eight(bytes: &[u8]) -> u64 {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*chunk);
    }
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| step(hash, *byte));
    }

    fn write_u64(&mut self, hash: u64) {
        // The upper bits choose the group in the table; a multiplication brings the lower ones there.
        self.0 = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

const SEED: u64 = 0xCBF2_9CE4_8422_2325;

const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01B3)
}

fn hash_of(word: &[u8]) -> u64 {
    word.iter().fold(SEED, |hash, byte| step(hash, *byte))
}

/// So many letters of a word that goes on are looked up.
const STEM: usize = 3;

const fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Collects terms before they are compiled.
#[derive(Debug, Default)]
pub(super) struct Builder {
    names: Vec<String>,
    terms: Vec<Term>,
}

/// The most hits that are kept of one text; a text of nothing else is no description.
const MOST_HITS: usize = 1 << 16;

impl Builder {
    /// The concept with this name, made if it is new. None when there are too many.
    pub(super) fn concept(&mut self, name: &str) -> Option<Concept> {
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return u16::try_from(at).ok().map(Concept);
        }
        if self.names.len() >= MOST_CONCEPTS {
            return None;
        }
        self.names.push(name.to_owned());
        u16::try_from(self.names.len() - 1).ok().map(Concept)
    }

    /// The concept with this name, if some file has made it.
    pub(super) fn known(&self, name: &str) -> Option<Concept> {
        self.names.iter().position(|known| known == name).and_then(|at| u16::try_from(at).ok()).map(Concept)
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
        let (starts_word, ends_word) = (bounds(first), !open && bounds(last));
        self.terms.push(Term { concept, literal: literal.into_boxed_str(), starts_word, ends_word });
        true
    }

    pub(super) fn build(self) -> Result<Vocabulary, aho_corasick::BuildError> {
        let mut vocabulary = Vocabulary {
            identifier: self.known(IDENTIFIER),
            secret_identifier: self.known(SECRET_IDENTIFIER),
            names: self.names,
            terms: Vec::new(),
            words: HashMap::default(),
            stems: HashMap::default(),
            signs: vec![Vec::new(); 128],
            beyond: Vec::new(),
            automaton: AhoCorasick::new([""; 0])?,
        };
        let mut beyond: Vec<&str> = Vec::new();
        for (at, term) in (0u32..).zip(&self.terms) {
            let bytes = term.literal.as_bytes();
            let first = bytes.iter().take_while(|byte| in_word(**byte)).count();
            let word = bytes.get(..first).unwrap_or_default();
            match bytes.first() {
                Some(byte) if !byte.is_ascii() => {
                    vocabulary.beyond.push(at);
                    beyond.push(&term.literal);
                }
                // A sign, or letters too few to be the beginning of a word.
                Some(byte) if first == 0 || (first == bytes.len() && !term.ends_word && first < STEM) => {
                    if let Some(list) = vocabulary.signs.get_mut(usize::from(*byte)) {
                        list.push(Entry::new(at, bytes));
                    }
                }
                _ if first == bytes.len() && !term.ends_word => {
                    vocabulary
                        .stems
                        .entry(hash_of(word.get(..STEM).unwrap_or_default()))
                        .or_default()
                        .push(Entry::new(at, bytes));
                }
                _ => {
                    let behind = bytes.get(first..).unwrap_or_default();
                    vocabulary.words.entry(hash_of(word)).or_default().push(Entry::new(at, behind));
                }
            }
        }
        vocabulary.automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&beyond)?;
        vocabulary.terms = self.terms;
        Ok(vocabulary)
    }
}

/// Whether words of this letter's script are set apart by blanks.
fn bounds(c: char) -> bool {
    is_word(c) && !is_unspaced(c)
}

/// Scripts that are written without blanks, or that hang particles onto their words.
const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}')
}

impl Vocabulary {
    pub(super) fn concept(&self, name: &str) -> Option<Concept> {
        self.names.iter().position(|known| known == name).and_then(|at| u16::try_from(at).ok()).map(Concept)
    }

    /// All terms in a text, in the order in which they begin. Their places among the words are not yet known. False
    /// when there were more than are kept.
    pub(super) fn find(&self, text: &str, hits: &mut Vec<Hit<Concept>>) -> bool {
        hits.clear();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            if hits.len() > MOST_HITS {
                break;
            }
            if !in_word(byte) {
                if let Some(list) = self.signs.get(usize::from(byte)) {
                    self.compare(list, text, at, at, hits);
                }
                at += 1;
                continue;
            }
            let start = at;
            let mut hash = SEED;
            let mut stem = None;
            let mut underscores = 0usize;
            while let Some(byte) = bytes.get(at).copied().filter(|byte| in_word(*byte)) {
                hash = step(hash, byte);
                underscores += usize::from(byte == b'_');
                at += 1;
                if at - start == STEM {
                    stem = Some(hash);
                }
            }
            if underscores > 0 {
                self.identifier(text, start..at, hits);
            }
            if let Some(list) = self.words.get(&hash) {
                self.compare(list, text, start, at, hits);
            }
            if let Some(list) = stem.and_then(|stem| self.stems.get(&stem)) {
                self.compare(list, text, start, start, hits);
            }
            if let Some(list) = self.signs.get(usize::from(byte)).filter(|list| !list.is_empty()) {
                self.compare(list, text, start, start, hits);
            }
        }
        if !text.is_ascii() {
            for found in self.automaton.find_overlapping_iter(text) {
                if let Some(term) = self.beyond.get(found.pattern().as_usize()) {
                    self.check(*term, text, found.start(), hits);
                }
                if hits.len() > MOST_HITS {
                    break;
                }
            }
            hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
        }
        hits.len() <= MOST_HITS
    }

    /// A word with an underscore inside names something in a program; by its end one can tell a secret.
    fn identifier(&self, text: &str, range: Range<usize>, hits: &mut Vec<Hit<Concept>>) {
        let name = text.get(range.clone()).unwrap_or_default().trim_matches('_');
        let Some((_, last)) = name.rsplit_once('_') else { return };
        let hit = |concept| Hit { concept, start: range.start, end: range.end, first_word: 0, past_word: 0 };
        let secret = SECRET_ENDINGS.contains(&last);
        hits.extend(self.identifier.map(hit));
        hits.extend(self.secret_identifier.filter(|_| secret).map(hit));
    }

    /// Those of some terms that stand at a place; their entries tell what stands at `behind`.
    fn compare(&self, list: &[Entry], text: &str, start: usize, behind: usize, hits: &mut Vec<Hit<Concept>>) {
        if list.is_empty() {
            return;
        }
        let next = eight(text.as_bytes().get(behind..).unwrap_or_default());
        for entry in list.iter().filter(|entry| next & entry.mask == entry.next) {
            let term = usize::try_from(entry.term).ok().and_then(|at| self.terms.get(at));
            let rest = text.as_bytes().get(start..).unwrap_or_default();
            if term.is_some_and(|term| rest.starts_with(term.literal.as_bytes())) {
                self.check(entry.term, text, start, hits);
            }
        }
    }

    /// A term that stands at a place, if words begin and end where it wants them to.
    fn check(&self, at: u32, text: &str, start: usize, hits: &mut Vec<Hit<Concept>>) {
        let Some(term) = usize::try_from(at).ok().and_then(|at| self.terms.get(at)) else { return };
        let end = start + term.literal.len();
        if term.starts_word && continues(text.get(..start).and_then(|before| before.chars().next_back())) {
            return;
        }
        if term.ends_word && continues(text.get(end..).and_then(|after| after.chars().next())) {
            return;
        }
        hits.push(Hit { concept: term.concept, start, end, first_word: 0, past_word: 0 });
    }
}

fn continues(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(|c| c == '_' || bounds(c))
}

/// Numbers the words of a stretch of text and gives each hit in it its place among them. Two characters of an unspaced
/// script count as a word. `begun` is room that is reused.
pub(super) fn number_words(text: &str, stretch: Range<usize>, hits: &mut [Hit<Concept>], begun: &mut Vec<u32>) {
    // For each byte, how many words begin before it.
    begun.clear();
    let (mut words, mut inside, mut half) = (0u32, false, false);
    let body = text.get(stretch.clone()).unwrap_or_default();
    for c in body.chars() {
        begun.extend(std::iter::repeat_n(words, c.len_utf8()));
        if is_unspaced(c) {
            words += u32::from(half);
            half = !half;
            inside = false;
        } else if c == '_' || is_word(c) {
            words += u32::from(!inside);
            inside = true;
        } else if c.is_ascii_whitespace() || c == ',' {
            inside = false;
        }
    }
    begun.push(words);
    let count = |at: usize| begun.get(at.saturating_sub(stretch.start)).copied().unwrap_or(words);
    for hit in hits {
        let before = count(hit.start);
        let continued = hit.start > stretch.start && count(hit.start + 1) == before;
        hit.first_word = if continued { before.saturating_sub(1) } else { before };
        hit.past_word = count(hit.end).max(hit.first_word);
    }
}
