//! Runs that decode to text: base64 and hexadecimal.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fold::is_word;
use super::survey::{Survey, encoded_runs};
use super::{Encoding, Found};

/// Padding and trailing bits are as the writer left them: what a lenient reader decodes, we read.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Finds the runs of a view that decode to text, and decodes of each hardly more than `most` bytes.
pub(super) fn runs(
    view: &str,
    survey: Survey,
    most: usize,
    raw: impl Fn(Range<usize>) -> Range<usize>,
    found: &mut Vec<Found>,
) {
    if !survey.may_have_run() {
        return;
    }
    // Four characters are three bytes, or two. What is more than `most` is seen to be, and is reported as cut off.
    let longest = most.saturating_add(OPENING).saturating_mul(2) & !3;
    for range in encoded_runs(view) {
        let end = range.end.min(range.start.saturating_add(longest));
        if let Some(run) = view.get(range.start..end)
            && let Some((encoding, text)) = decoded(run)
        {
            found.push(Found { encoding, text, raw: raw(range) });
        }
    }
}

fn decoded(run: &str) -> Option<(Encoding, String)> {
    let run = run.trim_matches(['-', '/']);
    let pairs = || run.as_bytes().chunks_exact(2).map(hex_pair);
    // Most are numbers and identifiers, and show it at once.
    let opens =
        || pairs().take(OPENING / 2).all(|byte| byte.is_some_and(|byte| !is_odd(char::from(byte)) || byte >= 0x80));
    if run.as_bytes().iter().all(u8::is_ascii_hexdigit)
        && opens()
        && let Some(text) = pairs().collect::<Option<Vec<u8>>>().and_then(text_of)
    {
        return Some((Encoding::Hex, text));
    }
    // A whole number of characters: one left over carries no byte.
    let whole = if run.len() % 4 == 1 { run.get(..run.len() - 1)? } else { run };
    let engine = if whole.bytes().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    if !opens_text(engine, whole) {
        return None;
    }
    let text = engine.decode(whole).ok().and_then(text_of)?;
    Some((Encoding::Base64, text))
}

/// How many characters of a run are decoded first: most runs are identifiers, and show it there.
const OPENING: usize = 16;

/// Whether a run opens as text does.
fn opens_text(engine: &GeneralPurpose, run: &str) -> bool {
    let mut opening = [0; OPENING];
    let Some(head) = run.get(..OPENING) else { return true };
    let Some(bytes) = engine.decode_slice(head, &mut opening).ok().and_then(|length| opening.get(..length)) else {
        return false;
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may be cut off.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(is_odd)
}

/// A control that no text has.
fn is_odd(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
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
    let (mut total, mut letters) = (0_usize, 0_usize);
    for c in text.chars() {
        if is_odd(c) {
            return None;
        }
        total += 1;
        letters += usize::from(is_word(c) || c == ' ');
    }
    (letters * 5 >= total * 3).then_some(text)
}
