//! Hidden text: what is strange about a string, whatever it says, and what was encoded in it.

use super::ItemScan;
use super::walk::Path;
use crate::finding::{Evidence, bounded};
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
            AnomalyKind::Truncated => (Detector::TooLarge, Some(Severity::Warning)),
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

/// `<NAME>` and `</NAME>` in capitals with a sentence between them.
fn tagged_block(scan: &mut ItemScan<'_>, path: &Path<'_>, role: Role, text: &Text<'_>) {
    if role.is_identifier() {
        return;
    }
    let view = text.view();
    let mut from = 0;
    // Each turn goes on behind the opening tag that it looked at; a closing tag is looked for once per text.
    let Some(last) = view.rfind("</") else { return };
    while let Some(at) = view.get(from..last).and_then(|rest| memchr::memchr(b'<', rest.as_bytes())) {
        let open = from + at + 1;
        from = open;
        let rest = view.as_bytes().get(open..).unwrap_or_default();
        let len = rest
            .iter()
            .take(LONGEST_TAG)
            .take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-' | b' '))
            .count();
        if len < 2 || rest.get(len) != Some(&b'>') {
            continue;
        }
        let name = view.get(open..open + len).unwrap_or_default();
        let body = open + len + 1;
        let Some(end) = view.get(body..).and_then(|rest| rest.find(&format!("</{name}>"))) else { return };
        let words = view.get(body..body + end).unwrap_or_default().split_whitespace().count();
        if words >= FEWEST_WORDS {
            let raw = text.raw_range(open - 1..body + end);
            let message = format!("wraps {words} words in the tag `<{name}>`");
            let evidence = Evidence::plain(text.raw().get(raw.clone()).unwrap_or_default());
            scan.detected_at(Detector::TaggedBlock, None, path, raw, message, evidence);
            return;
        }
        from = body + end;
    }
}
