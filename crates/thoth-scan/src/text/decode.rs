//! Runs that decode to text: base64 and hexadecimal.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::survey::{SHORTEST_RUN, Survey};
use super::{Encoding, Found};

/// Padding and trailing bits are as the writer left them: what a lenient reader decodes, we read.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Finds the runs of a view that decode to text.
pub(super) fn runs(view: &str, survey: Survey, raw: impl Fn(Range<usize>) -> Range<usize>, found: &mut Vec<Found>) {
    if !survey.may_have_run() {
        return;
    }
    let mut start = 0;
    let bytes = view.as_bytes();
    for end in 0..=bytes.len() {
        if bytes.get(end).is_some_and(|byte| in_alphabet(*byte)) {
            continue;
        }
        if end - start >= SHORTEST_RUN
            && let Some(run) = view.get(start..end)
            && let Some((encoding, text)) = decoded(run)
        {
            found.push(Found { encoding, text, raw: raw(start..end) });
        }
        start = end + 1;
    }
}

const fn in_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn decoded(run: &str) -> Option<(Encoding, String)> {
    let run = run.trim_matches(['-', '/']);
    if run.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let digits = run.get(..run.len() & !1)?;
        let bytes: Option<Vec<u8>> = digits.as_bytes().chunks_exact(2).map(hex_pair).collect();
        if let Some(text) = bytes.and_then(text_of) {
            return Some((Encoding::Hex, text));
        }
    }
    // A whole number of characters: one left over carries no byte.
    let whole = if run.len() % 4 == 1 { run.get(..run.len() - 1)? } else { run };
    let engine = if whole.bytes().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    let text = engine.decode(whole).ok().and_then(text_of)?;
    Some((Encoding::Base64, text))
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |at: usize| pair.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Bytes as text, if a person could have written them.
fn text_of(mut bytes: Vec<u8>) -> Option<String> {
    // The last character may be cut off.
    if let Err(error) = std::str::from_utf8(&bytes) {
        if error.error_len().is_some() || error.valid_up_to() + 3 < bytes.len() {
            return None;
        }
        bytes.truncate(error.valid_up_to());
    }
    let text = String::from_utf8(bytes).ok()?;
    let total = text.chars().count();
    let odd = text.chars().filter(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')).count();
    let letters = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ').count();
    (odd == 0 && letters * 5 >= total * 3).then_some(text)
}
