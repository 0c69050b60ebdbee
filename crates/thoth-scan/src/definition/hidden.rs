//! Hidden text: what is strange about a string, whatever it says, and what was encoded in it.

use std::collections::HashMap;

use super::ItemScan;
use super::walk::Path;
use crate::finding::{Evidence, Item, bounded};
use crate::role::Role;
use crate::rules::Detector;
use crate::threat::Severity;
use thoth_text::{AnomalyKind, Encoding, Segment, Text};

/// Reports the anomalies and the encoded texts of a string.
pub(super) fn scan(scan: &mut ItemScan<'_>, path: &Path<'_>, role: Role, text: &Text<'_>) {
    for anomaly in text.anomalies() {
        let (detector, severity) = match anomaly.kind {
            AnomalyKind::TagCharacters | AnomalyKind::VariationSelectors => (Detector::HiddenText, None),
            AnomalyKind::BidiControls
            | AnomalyKind::ZeroWidth
            | AnomalyKind::TerminalEscapes
            | AnomalyKind::ControlCharacters => (Detector::HiddenCharacters, None),
            AnomalyKind::LookAlikes => (Detector::HiddenLookAlikes, role.is_identifier().then_some(Severity::Critical)),
            AnomalyKind::HiddenComment => (Detector::HiddenComment, None),
            AnomalyKind::Padding => (Detector::HiddenPadding, None),
            // As wherever something is not read to its end: a message may carry a document, a definition has no reason to.
            AnomalyKind::Truncated => (Detector::TooLarge, (scan.item == Item::Message).then_some(Severity::Warning)),
        };
        let mut message = format!("contains {}", anomaly.kind.as_str());
        if anomaly.count > 1 {
            message.push_str(&format!(" ({} times)", anomaly.count));
        }
        let raw = text.raw().get(anomaly.raw.clone()).unwrap_or_default();
        let shown: String = raw.chars().take(40).map(|c| c.escape_unicode().to_string()).collect();
        let seen = if matches!(detector, Detector::HiddenComment | Detector::HiddenLookAlikes) { raw } else { &shown };
        let evidence = Evidence { raw: bounded(seen), normalised: said(text, &anomaly.raw), encoding: None };
        scan.detected_at(detector, severity, path, anomaly.raw.clone(), message, evidence);
    }
    tagged_block(scan, path, role, text);
    for segment in text.segments() {
        encoded(scan, path, role, text, segment);
    }
}

/// What the characters at a place carry, if they carry a text.
fn said(text: &Text<'_>, raw: &std::ops::Range<usize>) -> String {
    let carried = text.segments().iter().find(|segment| segment.raw == *raw);
    carried.map(|segment| bounded(&segment.text)).unwrap_or_default()
}

/// Encoded text in prose: a command is critical, any other sentence deserves a look. Tokens and documents are neither.
fn encoded(scan: &mut ItemScan<'_>, path: &Path<'_>, role: Role, text: &Text<'_>, segment: &Segment) {
    if !matches!(segment.encoding, Encoding::Base64 | Encoding::Hex) || role == Role::Metadata {
        return;
    }
    let rules = &scan.scanner.rules;
    let command = ["fetch_and_run", "fetcher", "reverse_shell", "pipe_shell"];
    let said = rules.purpose(&segment.text, false, &mut scan.scratch);
    let is_command = command.iter().filter_map(|name| rules.concept(name)).any(|concept| said.contains(concept));
    let words = segment.text.split_whitespace().count();
    let document = segment.text.starts_with(['{', '[', '<']);
    if !is_command && (document || words < 3) {
        return;
    }
    let severity = if is_command { None } else { Some(Severity::Warning) };
    let raw = text.raw().get(segment.raw.clone()).unwrap_or_default();
    let evidence = Evidence { raw: bounded(raw), normalised: bounded(&segment.text), encoding: Some(segment.encoding) };
    let what = if is_command { "a command" } else { "text" };
    let message = format!("hides {what} in {}", segment.encoding.as_str());
    scan.detected_at(Detector::EncodedCommand, severity, path, segment.raw.clone(), message, evidence);
}

/// Blocks with fewer words are placeholders.
const FEWEST_WORDS: usize = 5;
/// The longest name of a tag.
const LONGEST_TAG: usize = 32;

/// `<NAME>` and `</NAME>` in capitals with a sentence between them. One pass over the tags, whatever is open and never
/// closed.
fn tagged_block(scan: &mut ItemScan<'_>, path: &Path<'_>, role: Role, text: &Text<'_>) {
    if role.is_identifier() {
        return;
    }
    let view = text.view();
    if !view.contains("</") {
        return;
    }
    let mut open: HashMap<&str, (usize, usize)> = HashMap::new();
    let mut words = Words::default();
    for at in memchr::memchr_iter(b'<', view.as_bytes()) {
        let rest = view.get(at + 1..).unwrap_or_default();
        let (closes, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        let in_name = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-' | b' ');
        let len = rest.bytes().take(LONGEST_TAG).take_while(in_name).count();
        let (name, behind) = (rest.get(..len).unwrap_or_default(), rest.as_bytes().get(len));
        if len < 2 || behind != Some(&b'>') {
            continue;
        }
        if !closes {
            open.entry(name).or_insert_with(|| (at, words.before(view, at + len + 2)));
            continue;
        }
        let Some((start, before)) = open.remove(name) else { continue };
        // A word that touches the tag began before it.
        let touches = view
            .get(start + len + 2..at)
            .is_some_and(|body| !body.is_empty() && !body.starts_with(char::is_whitespace));
        let count = words.before(view, at) - before + usize::from(touches);
        if count < FEWEST_WORDS {
            continue;
        }
        let raw = text.raw_range(start..at);
        let message = format!("wraps {count} words in the tag `<{name}>`");
        let evidence = Evidence::plain(text.raw().get(raw.clone()).unwrap_or_default());
        scan.detected_at(Detector::TaggedBlock, None, path, raw, message, evidence);
        return;
    }
}

/// Counts words from the beginning of a text on, for places that are asked about in their order.
#[derive(Default)]
struct Words {
    read: usize,
    begun: usize,
    inside: bool,
}

impl Words {
    /// How many words begin before a place.
    fn before(&mut self, view: &str, place: usize) -> usize {
        for c in view.get(self.read..place).unwrap_or_default().chars() {
            self.begun += usize::from(!self.inside && !c.is_whitespace());
            self.inside = !c.is_whitespace();
        }
        self.read = place.max(self.read);
        self.begun
    }
}
