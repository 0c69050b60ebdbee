//! One string, key or number of a document as the detectors see it, and what they say about it.

use std::ops::Range;

use thoth_text::Survey;

use super::argument_role::Role;
use super::detection::{Action, Class, Confidence, Direction};
use super::secret::Named;

/// What a leaf is in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafKind {
    /// The key of a member.
    Key,
    /// A string.
    Text,
    /// A number, as it is written.
    Number,
}

/// One of several values that were put together to one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'l> {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The nearest key above the value, or nothing.
    pub(super) key: &'l str,
}

/// Where each of several values stands in the text that they were put together to.
pub(super) trait Lines: std::fmt::Debug {
    /// The value that a byte of the text belongs to.
    fn line(&self, offset: usize) -> Line<'_>;
}

/// One piece of text and where it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'a> {
    /// Its decoded text.
    pub(super) text: &'a str,
    /// The nearest key above it, or nothing.
    pub(super) key: &'a str,
    /// Where its values stand, if it is several.
    pub(super) lines: Option<&'a dyn Lines>,
    /// What that key says, where it was looked at for a whole list.
    pub(super) named: Option<Named>,
    /// What a quick look at its bytes found.
    pub(super) survey: Survey,
    /// What it is in its document.
    pub(super) kind: LeafKind,
    /// What the call uses it for; [`Role::Prose`] in results.
    pub(super) role: Role,
    /// Which way the document goes.
    pub(super) direction: Direction,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(text: &'a str, key: &'a str, kind: LeafKind, role: Role, direction: Direction) -> Self {
        Self::surveyed(text, key, kind, role, direction, Survey::of(text))
    }

    /// The same with what a look at its bytes found, or with nothing where nobody asks for it.
    pub(super) const fn surveyed(
        text: &'a str,
        key: &'a str,
        kind: LeafKind,
        role: Role,
        direction: Direction,
        survey: Survey,
    ) -> Self {
        Self { text, key, lines: None, named: None, survey, kind, role, direction }
    }

    /// The value that a byte of it belongs to: all of it, unless it is several.
    pub(super) fn line(&self, offset: usize) -> Line<'a> {
        self.lines.map_or(Line { start: 0, end: self.text.len(), key: self.key }, |lines| lines.line(offset))
    }

    /// Whether a value that names nothing can only be a word, a number, a date or an id: it climbs nowhere, chains nothing
    /// and leads nowhere, and costs next to nothing. It may still be SQL.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.role, Role::Scalar | Role::Opaque)
            && (self.survey.is_words_only() || {
                let bytes = self.text.as_bytes();
                let digit = bytes.first().is_some_and(u8::is_ascii_digit);
                let harmless = |byte: &u8| {
                    byte.is_ascii_alphanumeric()
                        || matches!(byte, b'_' | b',' | b'-' | b'.' | b'+')
                        || (*byte == b':' && digit)
                };
                bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.iter().all(harmless)
            })
    }

    /// Up to so many bytes that stand before an offset, in the same value.
    pub(super) fn before(&self, offset: usize, most: usize) -> &'a [u8] {
        let start = offset.saturating_sub(most).max(self.line(offset).start);
        self.text.as_bytes().get(start..offset).unwrap_or_default()
    }
}

/// What a detector found in a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) class: Class,
    pub(super) kind: &'static str,
    /// Bytes of the decoded text, at boundaries of characters.
    pub(super) range: Range<usize>,
    pub(super) confidence: Confidence,
    pub(super) message: &'static str,
}

/// Drops hits that lie within others of the same class. The one with the stricter action stays, then the surer one, then
/// the wider one: a looser kind never takes the place of a stricter one.
pub(super) fn drop_covered(hits: &mut Vec<Hit>, action: impl Fn(&Hit) -> Action) {
    // Wider first among those that begin at one place, then surer.
    hits.sort_by(|a, b| {
        (a.class, a.range.start, std::cmp::Reverse(a.range.end), std::cmp::Reverse(a.confidence)).cmp(&(
            b.class,
            b.range.start,
            std::cmp::Reverse(b.range.end),
            std::cmp::Reverse(b.confidence),
        ))
    });
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for mut hit in hits.drain(..) {
        match kept.last_mut() {
            Some(last) if last.class == hit.class && hit.range.start < last.range.end => {
                // Overlapping: one span covers both, so that redaction leaves no rest of either.
                last.range.end = last.range.end.max(hit.range.end);
                if (action(&hit), hit.confidence) > (action(last), last.confidence) {
                    hit.range = last.range.clone();
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    *hits = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: where detections of one class overlap, what is refused stays refused, in whatever order they stand and
    /// however wide and sure the looser one is.
    #[test]
    fn a_looser_kind_never_displaces_a_stricter_one() {
        let hit = |kind, range, confidence| Hit { class: Class::Ssrf, kind, range, confidence, message: "" };
        let action = |hit: &Hit| if hit.kind == "strict" { Action::Block } else { Action::Ask };
        let cases = [
            [hit("loose", 0..20, Confidence::High), hit("strict", 5..9, Confidence::Medium)],
            [hit("strict", 0..9, Confidence::Medium), hit("loose", 5..20, Confidence::High)],
            [hit("loose", 0..9, Confidence::High), hit("strict", 0..9, Confidence::Low)],
        ];
        for case in cases {
            let mut hits = case.to_vec();
            drop_covered(&mut hits, action);
            let kept: Vec<_> = hits.iter().map(|hit| (hit.kind, hit.range.clone())).collect();
            let end = case.iter().map(|hit| hit.range.end).max().unwrap();
            assert_eq!(kept, [("strict", 0..end)], "{case:?}");
        }
        let mut equal = vec![hit("first", 0..9, Confidence::Medium), hit("surer", 2..4, Confidence::High)];
        drop_covered(&mut equal, action);
        assert_eq!(equal.first().map(|hit| hit.kind), Some("surer"));
    }
}
