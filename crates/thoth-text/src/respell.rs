//! Words that are spelled to be read by people and missed by filters: `1gn0r3`, `i g n o r e`.

use std::ops::Range;

use super::survey::Survey;
use super::{Encoding, Found};

/// Letters in a row that must be spaced out before they count as words.
const SPACED_LETTERS: usize = 5;
/// Words with digits between letters that a text must have before it is read as leetspeak.
const LEET_WORDS: usize = 2;

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
    if survey.may_be_leet() && leet_words(view.as_bytes()).take(LEET_WORDS).count() == LEET_WORDS {
        found.push(Found { encoding: Encoding::Leet, text: leet(view), raw: raw(0..view.len()) });
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
        let mut letters = 1;
        at += 1;
        while let Some(next) = next_spaced(bytes, at) {
            letters += 1;
            at = next + 1;
        }
        if letters >= SPACED_LETTERS {
            found.push(Found { encoding: Encoding::Spaced, text: joined(bytes, start..at), raw: raw(start..at) });
        }
    }
}

/// The single letter that follows behind a gap, if one does.
fn next_spaced(bytes: &[u8], from: usize) -> Option<usize> {
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let gap = bytes.get(from..)?.iter().take(4).take_while(|byte| is_separator(**byte)).count();
    (gap > 0 && letter(from + gap) && !letter(from + gap + 1)).then_some(from + gap)
}

/// The letters of a run, with a blank where more than one separator stands.
fn joined(bytes: &[u8], run: Range<usize>) -> String {
    let mut text = String::new();
    let mut at = run.start;
    loop {
        text.extend(bytes.get(at).map(|byte| char::from(*byte)));
        match next_spaced(bytes, at + 1) {
            Some(next) if next < run.end => {
                if next > at + 2 {
                    text.push(' ');
                }
                at = next;
            }
            _ => return text,
        }
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'.' | b'-' | b'_' | b'*' | b'|' | b'/' | b'\n' | b'\t' | b'~' | b'+')
}

/// The words that may be leetspeak: those around a mark that a letter follows, which is rarer than words are.
fn leet_words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(from..)?;
            let is_pair = |pair: &[u8]| matches!(pair, [mark, letter] if leet_letter(*mark).is_some() && letter.is_ascii_alphabetic());
            let pair = from + rest.windows(2).position(is_pair)?;
            let start =
                text.get(from..pair)?.iter().rposition(u8::is_ascii_whitespace).map_or(from, |at| from + at + 1);
            let end = text.get(pair..)?.iter().position(u8::is_ascii_whitespace).map_or(text.len(), |at| pair + at);
            from = end;
            let word = text.get(start..end)?;
            if is_leet(word) {
                return Some(word);
            }
        }
    })
}

/// A word with a digit or sign between letters, as no ordinary identifier has several.
fn is_leet(word: &[u8]) -> bool {
    let (mut letters, mut marks, mut inside, mut before) = (0, 0, false, false);
    for &byte in word {
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

/// Every word that has letters and marks, with the letters that the marks stand for. As long as the text.
fn leet(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut from = 0;
    while let Some(mark) = next_mark(bytes, from) {
        let head = bytes.get(from..mark).unwrap_or_default();
        let start = head.iter().rposition(|byte| !is_spelling(*byte)).map_or(from, |at| from + at + 1);
        let tail = bytes.get(mark..).unwrap_or_default();
        let end = tail.iter().position(|byte| !is_spelling(*byte)).map_or(bytes.len(), |at| mark + at);
        if let Some(word) = out.get_mut(start..end)
            && !is_name(word, bytes.get(end..).unwrap_or_default())
        {
            respell(word);
        }
        from = end;
    }
    // INVARIANT: only ASCII took the place of ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// Where the next byte stands that stands for a letter. Most texts have few: many bytes are looked at at once.
fn next_mark(bytes: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 64;
    let is_mark = |byte: u8| (byte.wrapping_sub(b'0') < 8) | (byte == b'@') | (byte == b'$');
    let some = |block: &[u8]| block.iter().fold(false, |some, byte| some | is_mark(*byte));
    let rest = bytes.get(from..)?;
    let number = rest.chunks(BLOCK).position(some)?;
    let at = number * BLOCK;
    let within = rest.get(at..)?.iter().position(|byte| leet_letter(*byte).is_some());
    // The digit of the block may be one that stands for no letter.
    within.map(|within| from + at + within)
}

/// Whether a byte is part of a word that may be respelled: dates and addresses are several such words.
const fn is_spelling(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'$' | 0x80..)
}

/// Whether a word is a name of somebody: `@jane`, or the beginning of a mail address, `jane@mail` before `.example`.
fn is_name(word: &[u8], after: &[u8]) -> bool {
    let plain = |rest: &[u8]| rest.iter().all(u8::is_ascii_alphabetic);
    match word.iter().position(|byte| *byte == b'@') {
        Some(0) => word.len() > SHORT_WORD && word.get(1..).is_some_and(plain),
        Some(_) => {
            matches!(after, [b'.', letter, ..] if letter.is_ascii_alphabetic()) && !word.iter().any(u8::is_ascii_digit)
        }
        None => false,
    }
}

/// Up to this length a word behind `@` is one that it is a letter of: `@ll`, `@nd`.
const SHORT_WORD: usize = 4;

fn respell(word: &mut [u8]) {
    let (mut marks, mut letters) = (false, false);
    for &byte in word.iter() {
        // Digits that stand for no letter make an identifier.
        if byte.is_ascii_digit() && leet_letter(byte).is_none() {
            return;
        }
        marks |= respelled(byte) != byte;
        letters |= byte.is_ascii_alphabetic();
    }
    if !(marks && letters) {
        return;
    }
    // Two ones in a row are the double `l` of `all`; a single one is an `i`.
    let mut single: Option<&mut u8> = None;
    for byte in word {
        let one = *byte == b'1';
        *byte = respelled(*byte);
        single = match single {
            Some(before) if one => {
                (*before, *byte) = (b'l', b'l');
                None
            }
            _ if one => Some(byte),
            _ => None,
        };
    }
}

/// A byte, or the letter that it stands for.
const fn respelled(byte: u8) -> u8 {
    const LETTERS: [u8; 256] = {
        let mut letters = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
            let mark = byte as u8;
            #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
            {
                letters[byte] = match leet_letter(mark) {
                    Some(letter) => letter,
                    None => mark,
                };
            }
            byte += 1;
        }
        letters
    };
    #[expect(clippy::indexing_slicing, reason = "a byte is always within a table of 256")]
    LETTERS[byte as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Defends the quick way past what has no mark: each word is respelled as it is by itself.
        #[test]
        fn each_word_is_respelled(text in "([a-f0-9@$é]{0,9}[ .,-]|[ a-z]{0,70}|1gn0r3 |j@x\\.y ){0,20}") {
            let mut expected = text.clone().into_bytes();
            let mut at = 0;
            for word in text.as_bytes().split(|byte| !is_spelling(*byte)) {
                let end = at + word.len();
                if !is_name(word, &text.as_bytes()[end..]) {
                    respell(&mut expected[at..end]);
                }
                at = end + 1;
            }
            prop_assert_eq!(leet(&text), String::from_utf8(expected).unwrap());
        }
    }
}
