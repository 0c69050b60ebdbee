//! The insides of strings, many bytes at a time.

/// A byte in every byte of a word.
const fn splat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of every byte.
const HIGH_BITS: u64 = splat(0x80);

/// Marks the high bit of the first byte that needs attention inside a string: quote, backslash, control character.
/// Bytes after the first marked one may be marked wrongly, by the borrow of the subtractions.
#[inline]
const fn stops(word: u64) -> u64 {
    let quote = word ^ splat(b'"');
    let backslash = word ^ splat(b'\\');
    let zero_or_less = (quote.wrapping_sub(splat(1)) & !quote)
        | (backslash.wrapping_sub(splat(1)) & !backslash)
        | (word.wrapping_sub(splat(0x20)) & !word);
    zero_or_less & HIGH_BITS
}

/// The eight bytes from `at`. Past the end there are zeros, which stop a string like any control character.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(word) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// How many bytes are read word by word before other means pay off: most strings end within them.
const FIRST_WORDS: usize = 16;

/// How many bytes from the start can stand in a JSON string as they are: up to the first quote, backslash or control
/// character. Useful for writing strings as well as for reading them.
#[inline]
#[must_use]
pub fn plain_run(bytes: &[u8]) -> usize {
    let mut run = 0;
    loop {
        let stops = stops(word_at(bytes, run));
        if stops != 0 {
            return run + (stops.trailing_zeros() / 8) as usize;
        }
        run += 8;
        // A longer string goes on by blocks up to the one that it ends in.
        if run == FIRST_WORDS {
            run += plain_blocks(bytes.get(run..).unwrap_or_default());
        }
    }
}

/// The same in a text that is known to have no control characters, which is faster for text full of escapes.
#[inline]
pub(super) fn quoted_run(bytes: &[u8]) -> usize {
    let mut run = 0;
    while run < FIRST_WORDS {
        let stops = stops(word_at(bytes, run));
        if stops != 0 {
            return run + (stops.trailing_zeros() / 8) as usize;
        }
        run += 8;
    }
    let rest = bytes.get(run..).unwrap_or_default();
    run + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())
}

/// How many bytes there are in the leading 64-byte blocks that need no attention inside a string. Written so that the
/// compiler makes vector code of it.
fn plain_blocks(bytes: &[u8]) -> usize {
    let mut run = 0;
    for block in bytes.as_chunks::<64>().0 {
        let mut stop = 0_u8;
        for &byte in block {
            stop |= u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
        }
        if stop != 0 {
            break;
        }
        run += 64;
    }
    run
}

/// What kinds of bytes a document has anywhere, found in one pass at the speed of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    /// No byte is below U+0020.
    pub(super) no_controls: bool,
    /// No byte is above U+007F.
    pub(super) ascii: bool,
}

impl Survey {
    pub(super) fn of(bytes: &[u8]) -> Self {
        // The least byte and the union of all, lane by lane: both are single vector instructions.
        let mut least = [u8::MAX; 64];
        let mut union = [0_u8; 64];
        let (blocks, rest) = bytes.as_chunks::<64>();
        for block in blocks {
            for ((least, union), byte) in least.iter_mut().zip(&mut union).zip(block) {
                *least = (*least).min(*byte);
                *union |= byte;
            }
        }
        let no_controls = least.iter().chain(rest).all(|byte| *byte >= 0x20);
        Self { no_controls, ascii: union.is_ascii() && rest.is_ascii() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends the word-wise and block-wise reading of strings at every place where a word or a block can end.
    #[test]
    fn a_string_ends_where_it_ends() {
        for length in 0..220 {
            let plain = "x".repeat(length);
            assert_eq!(plain_run(plain.as_bytes()), length, "{length} plain bytes");
            assert_eq!(quoted_run(plain.as_bytes()), length, "{length} plain bytes");
            for stop in ['"', '\\', '\u{1f}', '\n', '\0'] {
                let text = format!("{plain}{stop}\u{e9}{plain}");
                assert_eq!(plain_run(text.as_bytes()), length, "{stop:?} after {length} bytes");
                if stop >= ' ' {
                    assert_eq!(quoted_run(text.as_bytes()), length, "{stop:?} after {length} bytes");
                }
            }
            for wide in ["\u{e9}", "\u{2028}", "\u{1f600}", "\u{7f}"] {
                let text = format!("{plain}{wide}{plain}\"\u{e9}");
                let run = 2 * length + wide.len();
                assert_eq!(plain_run(text.as_bytes()), run, "{wide:?} after {length} bytes");
                assert_eq!(quoted_run(text.as_bytes()), run, "{wide:?} after {length} bytes");
            }
        }
    }

    #[test]
    fn a_survey_misses_no_byte() {
        for length in 0..200 {
            for at in 0..length {
                for (byte, expected) in [(b'\n', (false, true)), (0xC3, (true, false)), (b' ', (true, true))] {
                    let mut bytes = vec![b'x'; length];
                    bytes[at] = byte;
                    let Survey { no_controls, ascii } = Survey::of(&bytes);
                    assert_eq!((no_controls, ascii), expected, "{byte} at {at} of {length}");
                }
            }
        }
    }
}
