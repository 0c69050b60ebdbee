//! Percent decoding, as often as it takes.

use std::borrow::Cow;

/// What percent decoding led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'t> {
    /// The text once nothing is left to decode, or after [`MAX_ROUNDS`].
    pub text: Cow<'t, str>,
    /// How many rounds changed something: two and more is an encoding of an encoding.
    pub rounds: u8,
}

impl<'t> Decoded<'t> {
    /// A text that is taken as it stands.
    pub const fn plain(text: &'t str) -> Self {
        Self { text: Cow::Borrowed(text), rounds: 0 }
    }
}

/// Nobody encodes oftener with honest intent.
const MAX_ROUNDS: u8 = 4;

/// Decodes `%XX` until nothing changes. Bytes that are no UTF-8 become the replacement character.
pub fn decode(text: &str) -> Decoded<'_> {
    let mut current = Cow::Borrowed(text);
    let mut rounds = 0;
    while rounds < MAX_ROUNDS {
        let Some(next) = decode_once(&current) else { break };
        current = Cow::Owned(next);
        rounds += 1;
    }
    Decoded { text: current, rounds }
}

fn decode_once(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut out, mut from) = (Vec::new(), 0);
    for at in memchr::memchr_iter(b'%', bytes) {
        let pair = bytes.get(at + 1..).and_then(|after| after.first_chunk::<2>());
        if let Some(value) = pair.and_then(|pair| hex_pair(*pair)) {
            if out.is_empty() {
                out.reserve(bytes.len());
            }
            out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
            out.push(value);
            from = at + 3;
        }
    }
    if from == 0 {
        return None;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    // Overlong forms of the dot and the slash, which lenient servers accept and UTF-8 does not have.
    let overlong = [(&b"\xc0\xae"[..], &b"."[..]), (b"\xc0\xaf", b"/"), (b"\xc1\x9c", b"\\")];
    // No text has the bytes that they open with.
    if memchr::memchr2(0xC0, 0xC1, &out).is_some() {
        for (from, to) in overlong {
            out = replace(&out, from, to);
        }
    }
    Some(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut last = 0;
    for at in memchr::memmem::find_iter(bytes, from) {
        out.extend_from_slice(bytes.get(last..at).unwrap_or_default());
        out.extend_from_slice(to);
        last = at + from.len();
    }
    out.extend_from_slice(bytes.get(last..).unwrap_or_default());
    out
}

fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4) | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_until_nothing_is_left() {
        for (text, expected, rounds) in [
            ("plain", "plain", 0),
            ("100%", "100%", 0),
            ("%2e%2e%2F", "../", 1),
            ("%252e%252e%252f", "../", 2),
            ("..%c0%af..", "../..", 1),
            ("%e4%bd%a0", "你", 1),
            ("%ff", "\u{fffd}", 1),
        ] {
            let Decoded { text: got, rounds: got_rounds } = decode(text);
            assert_eq!((got.as_ref(), got_rounds), (expected, rounds), "{text}");
        }
    }
}
