//! Secrets and personal data that a text says only once it is read: between invisible characters, in wide digits, behind
//! escapes, in base64.

use thoth_text::{AnomalyKind, Encoding, Limits, Text};

use super::detection::{Confidence, Direction};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf, LeafKind, Line};
use super::settings::InspectSettings;
use super::{mark, personal, secret};

/// Finds what the raw text does not show.
pub(super) fn find(
    leaf: &Leaf<'_>,
    text: &Text<'_>,
    settings: &InspectSettings,
    effort: &mut Effort,
    hits: &mut Vec<Hit>,
) {
    if text.pieces() > 0 && is_respelled(leaf, text) {
        let seen = carried(leaf, text.view(), settings, effort);
        let seen = seen.into_iter().map(|hit| Hit { range: text.raw_range(hit.range), ..hit });
        if leaf.lines.is_some() {
            let mut seen: Vec<Hit> = seen.collect();
            seen.sort_by_key(|hit| hit.range.start);
            // What has no end of its own reaches over several; each is looked at once.
            let mut from = 0;
            for hit in seen {
                from = from.max(leaf.line(hit.range.start).start);
                while from < hit.range.end {
                    let line = leaf.line(from);
                    find_in_line(leaf, line, settings, effort, hits);
                    from = line.end + 1;
                }
            }
        } else {
            hits.extend(seen);
        }
    }
    let worth = |text: &str| secret::may_open(text) || personal::may_have_number(text);
    for segment in text.segments().iter().filter(|segment| is_decoded(segment.encoding)) {
        effort.reads(segment.text.len() / 4);
        if effort.is_spent() || !worth(&segment.text) {
            continue;
        }
        // What a decoded text merely names, such as the token of a page, is what it was encoded for.
        let sure = carried(&Leaf { key: "", ..*leaf }, &segment.text, settings, effort);
        let sure = sure.into_iter().find(|hit| hit.confidence == Confidence::High);
        hits.extend(sure.map(|hit| Hit { range: segment.raw.clone(), ..hit }));
    }
}

/// One of several values by itself: what its own name says counts.
fn find_in_line(leaf: &Leaf<'_>, line: Line<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let Some(value) = leaf.text.get(line.start..line.end) else { return };
    let own = Leaf::new(value, line.key, leaf.kind, leaf.role, leaf.direction);
    let text = Text::read_surveyed(value, own.survey, Limits::default());
    let seen = carried(&own, text.view(), settings, effort);
    hits.extend(seen.into_iter().map(|hit| {
        let range = text.raw_range(hit.range);
        Hit { range: line.start + range.start..line.start + range.end, ..hit }
    }));
}

/// Whether a text may be spelled so that its bytes do not show what it says. A server that answers with a secret has no
/// reason to escape it; what escapes stand before one is known to who looks for it.
fn is_respelled(leaf: &Leaf<'_>, text: &Text<'_>) -> bool {
    let hides = |kind| {
        use AnomalyKind::{
            BidiControls, ControlCharacters, LookAlikes, TagCharacters, TerminalEscapes, VariationSelectors, ZeroWidth,
        };
        matches!(
            kind,
            BidiControls
                | ControlCharacters
                | LookAlikes
                | TagCharacters
                | TerminalEscapes
                | VariationSelectors
                | ZeroWidth
        )
    };
    leaf.direction == Direction::Arguments
        || text.anomalies().iter().any(|anomaly| hides(anomaly.kind))
        || has_wide_forms(leaf.text.as_bytes())
}

/// Whether a text has letters or digits in the width of ideographs (U+FF10 to U+FF5A).
fn has_wide_forms(text: &[u8]) -> bool {
    memchr::memchr_iter(0xEF, text).any(|at| {
        let rest = text.get(at + 1..at + 3);
        matches!(rest, Some([0xBC, 0x90..=0x99 | 0xA1..=0xBA] | [0xBD, 0x81..=0x9A]))
    })
}

/// Whether a segment is another text and no other spelling of the same.
const fn is_decoded(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Base64 | Encoding::Hex | Encoding::Tags | Encoding::VariationSelectors)
}

/// What a text carries that was read out of a leaf.
fn carried(leaf: &Leaf<'_>, read: &str, settings: &InspectSettings, effort: &mut Effort) -> Vec<Hit> {
    let mut hits = Vec::new();
    if effort.pays(effort::VALUE + read.len() / 2) {
        let blank = mark::blanked(read);
        // What the name alone says of the whole value is said already, and is said of no key.
        let seen = Leaf::new(&blank, leaf.key, LeafKind::Key, leaf.role, leaf.direction);
        secret::find(&seen, settings, effort, &mut hits);
        personal::find(&seen, settings, effort, &mut hits);
    }
    hits
}
