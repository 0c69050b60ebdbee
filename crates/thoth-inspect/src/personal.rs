//! Personal data that proves itself: by check digits, by the rules of its issuer, or by a name beside it.

mod announcer;
mod card;
mod contact;
mod iban;
mod national;
mod row;

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

/// Whether a text has digits enough for a number that is looked for.
pub(super) fn may_have_number(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= LEAST_DIGITS
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
            let group = DigitGroup::whole(bytes, run.start);
            if group.digits < LEAST_DIGITS || hits.len() - before > settings.max_detections || effort.is_spent() {
                continue;
            }
            let known = hits.len();
            judge(leaf, &group, settings, effort, hits);
            if hits.len() == known && group.has_blanks {
                effort.reads((group.end - group.start) / 2);
                for number in row::numbers(bytes, group.start..group.end) {
                    judge(leaf, &DigitGroup::beside(bytes, number), settings, effort, hits);
                }
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

/// What a group of digits is.
fn judge(leaf: &Leaf<'_>, group: &DigitGroup, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    effort.reads(effort::NUMBER);
    let sure = |hit: &Hit| hit.confidence >= settings.min_confidence;
    hits.extend(card::check(leaf, group, effort).filter(sure));
    if leaf.kind != LeafKind::Number {
        hits.extend(national::check(leaf, group).filter(sure));
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
    /// Whether one of the separators is a blank, so that it may be several numbers.
    has_blanks: bool,
    /// Whether it stands behind `#`: a number of something, unless words say of what.
    numbered: bool,
    /// Letters, digits beyond the cap, or signs of a longer number stand directly before or after it.
    touches_letters: bool,
}

impl DigitGroup {
    /// Reads from the first digit on to where the run ends.
    fn whole(bytes: &[u8], start: usize) -> Self {
        let mut group = Self::read(bytes, start, None);
        group.look_behind(bytes.get(group.end).copied());
        group
    }

    /// Reads from the first digit on to the end of the bytes, behind which another byte stands. A separator is one space,
    /// dash or dot with digits on both sides.
    fn read(bytes: &[u8], start: usize, after: Option<u8>) -> Self {
        let mut group = Self {
            start,
            end: start,
            digits: 0,
            values: [0; 40],
            parts: [0; 8],
            part_count: 1,
            separator: None,
            mixed: false,
            has_blanks: false,
            numbered: false,
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
                group.has_blanks |= byte == b' ';
                group.part_count += 1;
                at += 1;
            } else {
                break;
            }
        }
        group.numbered = before == Some(b'#');
        group.touches_letters =
            before.is_some_and(is_letter) || matches!(before, Some(b'.' | b'-' | b'/' | b'+' | b'$'));
        group.look_behind(after);
        group
    }

    /// Takes into account what stands behind it.
    fn look_behind(&mut self, after: Option<u8>) {
        self.touches_letters |= after.is_some_and(is_letter);
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

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests;
