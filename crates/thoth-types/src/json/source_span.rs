//! From places in a decoded string back to the bytes that it was read from.

/// Maps ascending offsets in the decoded text of a JSON string to offsets in `body`, the raw bytes between its quotes.
///
/// Offsets stand at the boundaries of characters; one inside a character maps to its start.
#[must_use]
pub fn to_raw(body: &[u8], decoded: &[usize]) -> Vec<usize> {
    let mut out = Vec::with_capacity(decoded.len());
    let mut wanted = decoded.iter().copied().peekable();
    let (mut raw, mut text) = (0, 0);
    let plain_at = |raw: usize| {
        let rest = body.get(raw..).unwrap_or_default();
        memchr::memchr(b'\\', rest).unwrap_or(rest.len())
    };
    // Looked for once, however many offsets stand before it.
    let mut plain = plain_at(raw);
    while let Some(&next) = wanted.peek() {
        if next <= text + plain {
            out.push(raw + (next - text));
            wanted.next();
            continue;
        }
        raw += plain;
        text += plain;
        plain = 0;
        let (raw_width, text_width) = escape_width(body.get(raw..).unwrap_or_default());
        if raw_width == 0 {
            out.push(body.len());
            wanted.next();
            continue;
        }
        if next < text + text_width {
            out.push(raw);
            wanted.next();
            continue;
        }
        raw += raw_width;
        text += text_width;
        plain = plain_at(raw);
    }
    out
}

/// How many raw bytes the escape at the start of `bytes` takes, and how many bytes its character has.
fn escape_width(bytes: &[u8]) -> (usize, usize) {
    match bytes.get(1) {
        Some(b'u') => {
            let digits = bytes.get(2..6).unwrap_or_default();
            let unit = digits.iter().fold(0, |unit, digit| (unit << 4) | char::from(*digit).to_digit(16).unwrap_or(0));
            match unit {
                0..0x80 => (6, 1),
                0x80..0x800 => (6, 2),
                0xD800..0xDC00 => (12, 4),
                _ => (6, 3),
            }
        }
        Some(_) => (2, 1),
        None => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Tape};
    use super::*;
    use proptest::prelude::{Strategy as _, any, prop, prop_assert_eq, proptest};

    /// Writes each character in one of the ways in which JSON may spell it.
    fn spell(character: char, way: u8) -> String {
        let mut units = [0; 2];
        match (way % 3, character) {
            (_, '"') => "\\\"".into(),
            (_, '\\') => "\\\\".into(),
            (1, '\n') => "\\n".into(),
            (0 | 1, _) if character >= ' ' => character.to_string(),
            _ => character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        }
    }

    proptest! {
        /// Defends redaction: the raw bytes of every part of a text decode to exactly that part.
        #[test]
        fn raw_spans_decode_to_their_text(parts in prop::collection::vec((any::<char>().prop_filter("", |c| *c != '\0'), any::<u8>()), 0..12)) {
            let body: String = parts.iter().map(|(character, way)| spell(*character, *way)).collect();
            let text: String = parts.iter().map(|(character, _)| character).collect();
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let raw = to_raw(body.as_bytes(), &bounds);
            for (from, start) in bounds.iter().zip(&raw) {
                let quoted = format!("\"{}\"", body.get(*start..).unwrap());
                let mut tape = Tape::new();
                let value = tape.parse(quoted.as_bytes(), &Limits::default()).unwrap();
                prop_assert_eq!(value.as_str().unwrap(), text.get(*from..).unwrap());
            }
        }
    }
}
