//! International bank account numbers: country, length, mod 97 (ISO 13616).

use thoth_text::next_run;

use super::super::detection::Confidence;
use super::super::leaf::Hit;
use super::hit;

/// Country and length, from the SWIFT registry of IBAN formats.
const LENGTHS: &[([u8; 2], usize)] = &[
    (*b"AD", 24),
    (*b"AE", 23),
    (*b"AL", 28),
    (*b"AT", 20),
    (*b"AZ", 28),
    (*b"BA", 20),
    (*b"BE", 16),
    (*b"BG", 22),
    (*b"BH", 22),
    (*b"BI", 27),
    (*b"BR", 29),
    (*b"BY", 28),
    (*b"CH", 21),
    (*b"CR", 22),
    (*b"CY", 28),
    (*b"CZ", 24),
    (*b"DE", 22),
    (*b"DJ", 27),
    (*b"DK", 18),
    (*b"DO", 28),
    (*b"EE", 20),
    (*b"EG", 29),
    (*b"ES", 24),
    (*b"FI", 18),
    (*b"FK", 18),
    (*b"FO", 18),
    (*b"FR", 27),
    (*b"GB", 22),
    (*b"GE", 22),
    (*b"GI", 23),
    (*b"GL", 18),
    (*b"GR", 27),
    (*b"GT", 28),
    (*b"HN", 28),
    (*b"HR", 21),
    (*b"HU", 28),
    (*b"IE", 22),
    (*b"IL", 23),
    (*b"IQ", 23),
    (*b"IS", 26),
    (*b"IT", 27),
    (*b"JO", 30),
    (*b"KW", 30),
    (*b"KZ", 20),
    (*b"LB", 28),
    (*b"LC", 32),
    (*b"LI", 21),
    (*b"LT", 20),
    (*b"LU", 20),
    (*b"LV", 21),
    (*b"LY", 25),
    (*b"MC", 27),
    (*b"MD", 24),
    (*b"ME", 22),
    (*b"MK", 19),
    (*b"MN", 20),
    (*b"MR", 27),
    (*b"MT", 31),
    (*b"MU", 30),
    (*b"NI", 28),
    (*b"NL", 18),
    (*b"NO", 15),
    (*b"OM", 23),
    (*b"PK", 24),
    (*b"PL", 28),
    (*b"PS", 29),
    (*b"PT", 25),
    (*b"QA", 29),
    (*b"RO", 24),
    (*b"RS", 22),
    (*b"RU", 33),
    (*b"SA", 24),
    (*b"SC", 31),
    (*b"SD", 18),
    (*b"SE", 24),
    (*b"SI", 19),
    (*b"SK", 24),
    (*b"SM", 27),
    (*b"SO", 23),
    (*b"ST", 25),
    (*b"SV", 28),
    (*b"TL", 23),
    (*b"TN", 24),
    (*b"TR", 26),
    (*b"UA", 29),
    (*b"VA", 22),
    (*b"VG", 24),
    (*b"XK", 20),
    (*b"YE", 30),
];

/// The shortest opening that is looked at: country, check digits and the first part of the number.
const OPENING: usize = 14;

/// Finds account numbers, written in one run or in groups of four.
pub(super) fn find(text: &str, most: usize, hits: &mut Vec<Hit>) {
    let bytes = text.as_bytes();
    let member = |at: usize| matches!(bytes.get(at), Some(b'A'..=b'Z' | b'0'..=b'9' | b' '));
    let mut from = 0;
    while let Some(run) = next_run(bytes, from, OPENING, member) {
        from = run.end;
        let mut at = run.start;
        while at + OPENING <= run.end {
            if hits.len() > most {
                return;
            }
            match length_at(bytes, at).and_then(|length| read(bytes, at, length)) {
                Some(end) => {
                    let message = "an international bank account number";
                    hits.push(hit("personal_data.iban", at..end, Confidence::High, message));
                    at = end;
                }
                None => at += 1,
            }
        }
    }
}

/// How long a number is that opens here: two capitals that are a country, and two digits, at the start of a word.
fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let [a, b, c, d] = *bytes.get(at..)?.first_chunk::<4>()?;
    if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    if before.is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    LENGTHS.iter().find(|(code, _)| *code == [a, b]).map(|(_, length)| *length)
}

/// A number modulo 97 that is given digit by digit. Divides once for many digits.
#[derive(Default)]
struct Remainder(u64);

impl Remainder {
    fn push(&mut self, byte: u8) -> Option<()> {
        let (shift, value) = match byte {
            b'0'..=b'9' => (10, u64::from(byte - b'0')),
            b'A'..=b'Z' => (100, u64::from(byte - b'A') + 10),
            _ => return None,
        };
        if self.0 > u64::MAX / 100 - 100 {
            self.0 %= 97;
        }
        self.0 = self.0 * shift + value;
        Some(())
    }
}

/// The end of a valid number of this length.
fn read(bytes: &[u8], start: usize, length: usize) -> Option<usize> {
    let mut at = start;
    let mut taken = 0;
    // The first four characters go to the end; until then the rest is computed.
    let mut remainder = Remainder::default();
    while taken < length {
        let byte = *bytes.get(at)?;
        if byte == b' ' && taken % 4 == 0 {
            at += 1;
            continue;
        }
        if taken >= 4 {
            remainder.push(byte)?;
        }
        taken += 1;
        at += 1;
    }
    if bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    for byte in bytes.get(start..start + 4)? {
        remainder.push(*byte)?;
    }
    (remainder.0 % 97 == 1).then_some(at)
}
