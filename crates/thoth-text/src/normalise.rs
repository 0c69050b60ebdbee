//! The one pass that turns a raw text into its view.

use std::borrow::Cow;
use std::ops::Range;

use super::anomaly::{Anomalies, AnomalyKind};
use super::fold::{self, Action, Fold};
use super::invisible::Invisible;
use super::map::Map;
use super::{Encoding, Found, escape};

/// The view of a text and the way back; strange things are noted, and messages in characters that are not shown found.
pub(super) fn normalise(raw: &str, anomalies: &mut Anomalies, found: &mut Vec<Found>) -> (String, Map) {
    // A text with real letters of another script is in another language; one with only look-alikes is not.
    let genuine = !raw.is_ascii() && raw.chars().any(|c| !c.is_ascii() && is_genuine(fold::fold(c)));
    let mut pass = Pass {
        raw,
        at: 0,
        view: String::with_capacity(raw.len()),
        map: Map::identity(),
        anomalies,
        found,
        genuine,
        word: Word::default(),
        before: None,
        tags: Message::default(),
        selectors: Message::default(),
    };
    pass.run();
    (pass.view, pass.map)
}

fn is_genuine(row: Fold) -> bool {
    row.foreign && row.latin.is_none()
}

/// A message carried by characters that are not shown.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
    raw: Range<usize>,
    ended: bool,
}

impl Message {
    fn push(&mut self, byte: u8, raw: Range<usize>) {
        if self.bytes.is_empty() {
            self.raw.start = raw.start;
        }
        self.raw.end = raw.end;
        self.bytes.push(byte);
    }
}

/// Up to where the decision about look-alikes holds, and what it is.
#[derive(Default)]
struct Word {
    until: usize,
    mixed: bool,
}

/// Words longer than this are judged in parts.
const LONGEST_WORD: usize = 64;
/// How far behind a part of a word it is looked what the word is. Where every other character is dropped from the view,
/// each letter is a part.
const BEHIND: usize = 24;
/// How many bytes the view may be ahead of the raw text.
const MOST_GROWTH: usize = 4 * 1024;
/// A flag of a region takes at most this many tag characters, the end included.
const LONGEST_FLAG: usize = 8;

struct Pass<'r, 'o> {
    raw: &'r str,
    at: usize,
    view: String,
    map: Map,
    anomalies: &'o mut Anomalies,
    found: &'o mut Vec<Found>,
    genuine: bool,
    word: Word,
    /// The row of the last character that was shown.
    before: Option<Fold>,
    tags: Message,
    selectors: Message,
}

impl Pass<'_, '_> {
    fn run(&mut self) {
        while self.at < self.raw.len() {
            let rest = self.raw.get(self.at..).unwrap_or_default();
            let (plain, next) = plain_prefix(rest);
            if plain > 0 {
                self.end_messages();
                self.map.copied(self.view.len(), self.at, plain);
                self.view.push_str(rest.get(..plain).unwrap_or_default());
                self.at += plain;
                self.before = None;
            }
            match next {
                Some(Next::Entity(text, len)) => {
                    let raw = self.at..self.at + len;
                    self.at += len;
                    for c in text.chars() {
                        self.push(c, raw.clone());
                    }
                }
                Some(Next::Character(c, _))
                    if is_settled(c) && rest.get(plain..).is_some_and(|rest| rest.starts_with(c)) =>
                {
                    self.copy_settled();
                }
                Some(Next::Character(c, len)) => {
                    let raw = self.at..self.at + len;
                    self.at += len;
                    self.push(c, raw);
                }
                None => {}
            }
        }
        self.end_messages();
    }

    /// Copies characters that are their own view.
    fn copy_settled(&mut self) {
        self.end_messages();
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let run = rest.chars().take_while(|c| is_settled(*c)).map(char::len_utf8).sum();
        self.map.copied(self.view.len(), self.at, run);
        self.view.push_str(rest.get(..run).unwrap_or_default());
        self.at += run;
        self.before = None;
    }

    /// One character, read or decoded, that stands for the given raw bytes.
    fn push(&mut self, c: char, raw: Range<usize>) {
        let row = fold::fold(c);
        if !matches!(row.action, Action::Hide(_)) {
            self.end_messages();
        }
        match row.action {
            Action::Become(shown) => {
                let shown = self.latin(row, &raw).unwrap_or(shown);
                self.put(shown, &raw);
                self.before = Some(row);
            }
            Action::Expand => {
                self.map.replaced(self.view.len(), raw.start, raw.len());
                // A text of nothing but ligatures must not become several times as long.
                if self.view.len() < self.at + MOST_GROWTH {
                    fold::expand(c, &mut self.view);
                } else {
                    self.view.push(' ');
                }
                self.before = Some(row);
            }
            Action::Mark => self.mark(c, &raw),
            Action::Hide(kind) => self.hide(kind, raw),
            Action::Control => self.control(c, &raw),
        }
    }

    fn put(&mut self, c: char, raw: &Range<usize>) {
        if c.len_utf8() == raw.len() && self.raw.get(raw.clone()).and_then(|text| text.chars().next()) == Some(c) {
            self.map.copied(self.view.len(), raw.start, raw.len());
        } else {
            self.map.replaced(self.view.len(), raw.start, raw.len());
        }
        self.view.push(c);
    }

    /// A mark is dropped from a Latin letter and composed with a letter of another script.
    fn mark(&mut self, mark: char, raw: &Range<usize>) {
        match self.view.chars().next_back() {
            Some(base) if !base.is_ascii() => {
                if let Some(whole) = fold::composed(base, mark) {
                    self.view.truncate(self.view.len() - base.len_utf8());
                    let mut buffer = [0; 4];
                    self.view.push_str(whole.to_lowercase().next().unwrap_or(whole).encode_utf8(&mut buffer));
                } else {
                    self.put(mark, raw);
                }
            }
            _ => {}
        }
    }

    /// The Latin letter for a look-alike, if the word around it is Latin.
    fn latin(&mut self, row: Fold, raw: &Range<usize>) -> Option<char> {
        let ascii = row.latin?;
        if raw.start >= self.word.until {
            self.word = self.judge(raw.start);
        }
        if !self.word.mixed {
            return None;
        }
        self.anomalies.note(AnomalyKind::LookAlikes, raw.clone());
        Some(char::from(ascii))
    }

    /// Whether the word at a place is Latin with look-alikes in it. Looks at few characters behind it, and at each ahead once.
    fn judge(&self, at: usize) -> Word {
        let behind = self.view.chars().rev().take(BEHIND).take_while(|c| fold::is_word(*c));
        let mut latin = behind.clone().any(|c| c.is_ascii_alphabetic());
        let mut genuine = behind.clone().any(|c| is_genuine(fold::fold(c)));
        let mut until = at;
        let ahead = self.raw.get(at..).unwrap_or_default();
        for c in ahead.chars().take(LONGEST_WORD) {
            let row = fold::fold(c);
            let in_word = row.word || matches!(row.action, Action::Mark | Action::Hide(_));
            if !in_word {
                break;
            }
            until += c.len_utf8();
            latin |= c.is_ascii_alphabetic();
            genuine |= is_genuine(row);
        }
        // A word of one script inside a text of that script is just a word.
        Word { until, mixed: !genuine && (latin || !self.genuine) }
    }

    fn hide(&mut self, kind: Invisible, raw: Range<usize>) {
        match kind {
            Invisible::Tag(byte) => {
                self.tags.push(byte, raw);
                self.tags.ended |= byte == 0x7F;
            }
            Invisible::Selector(byte) => self.selectors.push(byte, raw),
            Invisible::Bidi => {
                let near_rtl = self.before.is_some_and(|row| row.right_to_left)
                    || self.next_row().is_some_and(|row| row.right_to_left);
                if !near_rtl {
                    self.anomalies.note(AnomalyKind::BidiControls, raw);
                }
            }
            Invisible::Joiner => {
                let spelled = self.before.is_some_and(|row| row.joins);
                let emoji =
                    self.before.is_some_and(|row| row.pictograph) && self.next_row().is_some_and(|row| row.pictograph);
                if !spelled && !emoji {
                    self.anomalies.note(AnomalyKind::ZeroWidth, raw);
                }
            }
            // A byte order mark at the very start is an editor's habit.
            Invisible::Other if raw.start == 0 && raw.len() == 3 => {}
            Invisible::Other => self.anomalies.note(AnomalyKind::ZeroWidth, raw),
        }
    }

    /// The row of the next raw character.
    fn next_row(&self) -> Option<Fold> {
        self.raw.get(self.at..)?.chars().next().map(fold::fold)
    }

    fn control(&mut self, c: char, raw: &Range<usize>) {
        if c == '\u{1b}' || c == '\u{9b}' {
            let rest = self.raw.get(self.at..).unwrap_or_default();
            let body = escape::terminal_body(rest);
            self.at += body;
            self.anomalies.note(AnomalyKind::TerminalEscapes, raw.start..self.at);
        } else {
            self.anomalies.note(AnomalyKind::ControlCharacters, raw.clone());
        }
    }

    /// What was carried by characters that are not shown ends here.
    #[inline]
    fn end_messages(&mut self) {
        // Asked of nearly every character.
        if !self.tags.bytes.is_empty() || !self.selectors.bytes.is_empty() {
            self.keep_messages();
        }
    }

    fn keep_messages(&mut self) {
        if !self.tags.bytes.is_empty() {
            let message = std::mem::take(&mut self.tags);
            let flag =
                message.ended && message.bytes.len() <= LONGEST_FLAG && self.before.is_some_and(|row| row.pictograph);
            if !flag {
                self.anomalies.note(AnomalyKind::TagCharacters, message.raw.clone());
                let text: String = message
                    .bytes
                    .iter()
                    .filter(|byte| matches!(byte, 0x20..=0x7E))
                    .map(|byte| char::from(*byte))
                    .collect();
                self.keep(Encoding::Tags, text, message.raw);
            }
        }
        if !self.selectors.bytes.is_empty() {
            let message = std::mem::take(&mut self.selectors);
            if message.bytes.len() > 1 {
                self.anomalies.note(AnomalyKind::VariationSelectors, message.raw.clone());
                let text = String::from_utf8_lossy(&message.bytes).into_owned();
                self.keep(Encoding::VariationSelectors, text, message.raw);
            }
        }
    }

    fn keep(&mut self, encoding: Encoding, text: String, raw: Range<usize>) {
        if text.len() > 1 {
            self.found.push(Found { encoding, text, raw });
        }
    }
}

/// What follows bytes that are simply copied, and how many bytes it takes.
enum Next<'r> {
    /// An HTML entity, and what it stands for.
    Entity(Cow<'r, str>, usize),
    /// A character, as it is or by an escape.
    Character(char, usize),
}

/// How many bytes are simply copied, and what follows them. An escape that stands for nothing is plain text.
fn plain_prefix(rest: &str) -> (usize, Option<Next<'_>>) {
    let bytes = rest.as_bytes();
    let mut at = 0;
    loop {
        let tail = bytes.get(at..).unwrap_or_default();
        // Many bytes at once, where nothing is special for long.
        #[expect(clippy::indexing_slicing, reason = "a byte is always within a table of 256")]
        let special = |byte: &u8| SPECIAL[usize::from(*byte)];
        let near = tail.get(..32).unwrap_or(tail).iter().position(special);
        let chunks =
            tail.chunks(32).take_while(|chunk| !chunk.iter().fold(false, |some, byte| some | is_special(*byte)));
        let clear = if near.is_some() { 0 } else { 32 * chunks.count() };
        let Some(next) = near.or_else(|| tail.iter().skip(clear).position(|byte| is_special(*byte))) else {
            return (bytes.len(), None);
        };
        at += clear + next;
        let tail = rest.get(at..).unwrap_or_default();
        let next = match bytes.get(at) {
            Some(b'&') => escape::entity(tail).map(|(text, len)| Next::Entity(text, len)),
            Some(b'%') => escape::percent(tail).map(|(c, len)| Next::Character(c, len)),
            Some(b'\\') => escape::backslash(tail).map(|(c, len)| Next::Character(c, len)),
            _ => tail.chars().next().map(|c| Next::Character(c, c.len_utf8())),
        };
        if next.is_some() {
            return (at, next);
        }
        at += 1;
    }
}

/// Ideographs and syllables: each is its own view, looks like no Latin letter and joins nothing.
const fn is_settled(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Bytes that are not simply copied.
const fn is_special(byte: u8) -> bool {
    byte >= 0x7F || byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || matches!(byte, b'&' | b'%' | b'\\')
}

/// The same as a table, for bytes that are looked at one by one.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let b = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            special[byte] = is_special(b);
        }
        byte += 1;
    }
    special
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends the short way past characters that are their own view: nothing else would have come of them.
    #[test]
    fn settled_characters_are_their_own_view() {
        for c in ('\u{80}'..=char::MAX).filter(|c| is_settled(*c)) {
            let row = fold::fold(c);
            let plain = !row.joins && !row.pictograph && !row.right_to_left && row.latin.is_none();
            assert!(row.action == Action::Become(c) && plain, "{c:?}: {row:?}");
        }
    }
}
