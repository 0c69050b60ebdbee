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

/// How many bytes from the start can stand in a JSON string as they are, and whether those are all ASCII: up to the
/// first quote, backslash or control character. Useful for writing strings as well as for reading them.
#[inline]
#[must_use]
pub fn plain_run(bytes: &[u8]) -> (usize, bool) {
    let mut run = 0;
    let mut seen = 0;
    loop {
        let word = word_at(bytes, run);
        let stops = stops(word);
        if stops != 0 {
            let plain = stops.trailing_zeros() / 8;
            seen |= word & ((1_u64 << (plain * 8)) - 1);
            return (run + plain as usize, seen & HIGH_BITS == 0);
        }
        seen |= word;
        run += 8;
        // Most strings end within the first words. A longer one goes on by blocks up to the one that it ends in.
        if run == 32 {
            let (plain, non_ascii) = plain_blocks(bytes.get(run..).unwrap_or_default());
            run += plain;
            seen |= u64::from(non_ascii) << 7;
        }
    }
}

/// How many bytes there are in the leading 64-byte blocks that need no attention inside a string, and whether one of
/// them is not ASCII. Written so that the compiler makes vector code of it.
fn plain_blocks(bytes: &[u8]) -> (usize, bool) {
    let mut seen = 0_u8;
    let mut run = 0;
    for block in bytes.as_chunks::<64>().0 {
        let mut stop = 0_u8;
        let mut all = 0_u8;
        for &byte in block {
            stop |= u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
            all |= byte;
        }
        if stop != 0 {
            break;
        }
        seen |= all;
        run += 64;
    }
    (run, !seen.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends the word-wise and block-wise reading of strings at every place where a word or a block can end.
    #[test]
    fn a_string_ends_where_it_ends() {
        for length in 0..220 {
            let plain = "x".repeat(length);
            assert_eq!(plain_run(plain.as_bytes()), (length, true), "{length} plain bytes");
            for stop in ['"', '\\', '\u{1f}', '\n', '\0'] {
                let text = format!("{plain}{stop}\u{e9}{plain}");
                assert_eq!(plain_run(text.as_bytes()), (length, true), "{stop:?} after {length} bytes");
            }
            for wide in ["\u{e9}", "\u{2028}", "\u{1f600}", "\u{7f}"] {
                let text = format!("{plain}{wide}{plain}\"\u{e9}");
                let run = 2 * length + wide.len();
                assert_eq!(plain_run(text.as_bytes()), (run, wide.is_ascii()), "{wide:?} after {length} bytes");
            }
        }
    }
}
