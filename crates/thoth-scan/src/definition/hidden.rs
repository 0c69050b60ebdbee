//! Hidden text: what is strange about a string, whatever it says, and what was encoded in it.

use super::ItemScan;
use super::walk::Path;
use crate::finding::{Evidence, bounded};
use crate::role::Role;
use crate::rules::Detector;
use crate::text::{AnomalyKind, Encoding, Segment, Text};
use crate::threat::Severity;

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
