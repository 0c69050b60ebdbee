//! Words that are spelled to be read by people and missed by filters: `1gn0r3`, `i g n o r e`.

use std::ops::Range;

use super::survey::Survey;
use super::{Encoding, Found};

/// Letters in a row that must be spaced out before they count as words.
const SPACED_LETTERS: usize = 5;
/// Words with digits between letters that a text must have before it is read as leetspeak.
const LEET_WORDS: usize = 2;
/// The longest text that is read as leetspeak.
const LONGEST_LEET: usize = 16 * 1024;

/// Finds the other readings of a view.
pub(super) fn respellings(
    view: &str,
    survey: Survey,
    raw: impl Fn(Range<usize>) -> Range<usize>,
    found: &mut Vec<Found>,
) {
    if survey.may_be_spaced() {
        spaced(view, &raw, found);
    }
    if survey.may_be_leet() {
        let end = view.floor_char_boundary(LONGEST_LEET);
        let start = view.get(..end).unwrap_or_default();
        if start.split(|c: char| c.is_whitespace()).filter(|word| is_leet(word)).take(LEET_WORDS).count() == LEET_WORDS
        {
            found.push(Found { encoding: Encoding::Leet, text: leet(start), raw: raw(0..end) });
        }
    }
}

/// Runs of single letters, each followed by one separator; two or more blanks end a word.
fn spaced(view: &str, raw: &impl Fn(Range<usize>) -> Range<usize>, found: &mut Vec<Found>) {
    let bytes = view.as_bytes();
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let mut at = 0;
    while at < bytes.len() {
        if !letter(at) || letter(at + 1) || (at > 0 && bytes.get(at - 1).is_some_and(u8::is_ascii_alphanumeric)) {
            at += 1;
            continue;
        }
        let start = at;
        let mut text = String::new();
        let mut letters = 0;
        loop {
            text.extend(bytes.get(at).map(|byte| char::from(*byte)));
            letters += 1;
            at += 1;
            let gap = bytes.iter().skip(at).take(4).take_while(|byte| is_separator(**byte)).count();
            if gap == 0 || !letter(at + gap) || letter(at + gap + 1) {
                break;
            }
            if gap > 1 {
                text.push(' ');
            }
            at += gap;
        }
        if letters >= SPACED_LETTERS {
            found.push(Found { encoding: Encoding::Spaced, text, raw: raw(start..at) });
        }
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'.' | b'-' | b'_' | b'*' | b'|' | b'/' | b'\n' | b'\t' | b'~' | b'+')
}

/// A word with a digit or sign between letters, as no ordinary identifier has several.
fn is_leet(word: &str) -> bool {
    let (mut letters, mut marks, mut inside, mut before) = (0, 0, false, false);
    for byte in word.bytes() {
        let letter = byte.is_ascii_alphabetic();
        let mark = leet_letter(byte).is_some();
        // Digits that stand for no letter make an identifier.
        if byte.is_ascii_digit() && !mark {
            return false;
        }
        letters += usize::from(letter);
        marks += usize::from(mark);
        inside |= before && letter;
        before = mark;
    }
    inside && letters >= 2 && marks >= 1 && letters + marks >= 4 && marks <= letters + 1
}

const fn leet_letter(byte: u8) -> Option<u8> {
    Some(match byte {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        _ => return None,
    })
}

fn leet(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        if letters && word.bytes().any(|byte| leet_letter(byte).is_some()) {
            let mut characters = word.chars().peekable();
            while let Some(c) = characters.next() {
                // Two ones in a row are the double `l` of `all`; a single one is an `i`.
                if c == '1' && characters.next_if_eq(&'1').is_some() {
                    out.push_str("ll");
                    continue;
                }
                out.push(u8::try_from(c).ok().and_then(leet_letter).map_or(c, char::from));
            }
        } else {
            out.push_str(word);
        }
    }
    out
}
