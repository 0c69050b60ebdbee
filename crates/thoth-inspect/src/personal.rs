//! Personal data that proves itself: by check digits, by the rules of its issuer, or by a name beside it.

mod announcer;
mod card;
mod contact;
mod iban;
mod national;

use thoth_text::next_run;

use super::detection::{Class, Confidence};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf, LeafKind};
use super::settings::InspectSettings;

/// Fewer digits than this are no number that is looked for.
const LEAST_DIGITS: usize = 8;

/// Whether a byte is part of a number: a digit, or the one separator between two.
fn in_group(bytes: &[u8], at: usize) -> bool {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    match bytes.get(at) {
        Some(b'0'..=b'9') => true,
        Some(b' ' | b'-' | b'.') => digit(at + 1) && at.checked_sub(1).is_some_and(digit),
        _ => false,
    }
}

fn hit(kind: &'static str, range: std::ops::Range<usize>, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::PersonalData, kind, range, confidence, message }
}

/// Finds personal data in a leaf.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let bytes = leaf.text.as_bytes();
    let before = hits.len();
    if leaf.survey.may_have_numbers() {
        // One walk over the runs of digits serves all kinds that are made of digits.
        let mut at = 0;
        while let Some(run) = next_run(bytes, at, LEAST_DIGITS, |at| in_group(bytes, at)) {
            at = run.end;
            let group = DigitGroup::read(bytes, run.start);
            if group.digits < LEAST_DIGITS || hits.len() - before > settings.max_detections || effort.is_spent() {
                continue;
            }
            effort.reads(effort::NUMBER);
            let sure = |hit: &Hit| hit.confidence >= settings.min_confidence;
            hits.extend(card::check(leaf, &group, effort).filter(sure));
            if leaf.kind != LeafKind::Number {
                hits.extend(national::check(leaf, &group).filter(sure));
            }
        }
        if leaf.kind != LeafKind::Number {
            iban::find(leaf.text, before + settings.max_detections, hits);
        }
    }
    if leaf.kind != LeafKind::Number {
        if settings.email {
            contact::find_email(leaf.text, hits);
        }
        if settings.phone {
            contact::find_phone(leaf.text, hits);
        }
    }
}

/// A run of digits with single separators, as people write long numbers.
#[derive(Debug)]
struct DigitGroup {
    start: usize,
    end: usize,
    /// How many digits it has; more than 40 are not counted.
    digits: usize,
    /// The digits themselves.
    values: [u8; 40],
    /// The lengths of the parts between separators; more than eight are not counted.
    parts: [u8; 8],
    part_count: usize,
    /// The one separator, if there is one and it is always the same.
    separator: Option<u8>,
    mixed: bool,
    /// Letters, digits beyond the cap, or signs of a longer number stand directly before or after it.
    touches_letters: bool,
}

impl DigitGroup {
    /// Reads from the first digit on. A separator is one space, dash or dot with digits on both sides.
    fn read(bytes: &[u8], start: usize) -> Self {
        let mut group = Self {
            start,
            end: start,
            digits: 0,
            values: [0; 40],
            parts: [0; 8],
            part_count: 1,
            separator: None,
            mixed: false,
            touches_letters: false,
        };
        let before = start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let mut at = start;
        while let Some(&byte) = bytes.get(at) {
            if byte.is_ascii_digit() {
                if let Some(value) = group.values.get_mut(group.digits) {
                    *value = byte - b'0';
                }
                group.digits += 1;
                if let Some(part) = group.parts.get_mut(group.part_count - 1) {
                    *part = part.saturating_add(1);
                }
                at += 1;
                group.end = at;
            } else if matches!(byte, b' ' | b'-' | b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                group.mixed |= group.separator.is_some_and(|separator| separator != byte);
                group.separator = Some(byte);
                group.part_count += 1;
                at += 1;
            } else {
                break;
            }
        }
        let after = bytes.get(group.end).copied();
        let letter =
            |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80);
        group.touches_letters = letter(before.filter(|byte| *byte < 0x80))
            || letter(after.filter(|byte| *byte < 0x80))
            || matches!(before, Some(b'.' | b'-' | b'/' | b'+' | b'#' | b'$'));
        group
    }

    fn values(&self) -> &[u8] {
        self.values.get(..self.digits).unwrap_or_default()
    }

    fn parts(&self) -> &[u8] {
        self.parts.get(..self.part_count).unwrap_or_default()
    }

    /// Whether it stands alone, with one kind of separator at most.
    fn is_clean(&self) -> bool {
        !self.touches_letters && !self.mixed && self.digits <= 40 && self.part_count <= 8
    }
}

#[cfg(test)]
mod tests;
