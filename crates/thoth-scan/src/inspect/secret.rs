//! Keys, tokens and passwords.
//!
//! One pass of an automaton finds what opens a known format and the words that announce a secret; what it finds is
//! then checked in place. Each run of token characters is looked at once, so the whole is linear.

mod announced;
mod format;
mod placeholder;
mod structured;

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

use super::leaf::{Hit, Leaf, LeafKind};
use super::settings::InspectSettings;

/// What a literal of the automaton opens.
#[derive(Debug, Clone, Copy)]
enum Opens {
    /// A row of [`format::FORMATS`].
    Format(&'static format::Format),
    /// A shape that needs code.
    Structured(structured::Shape),
    /// A word after which a secret may stand.
    Announcement,
}

/// How many announcements inside one value are judged again: `token=password=…` is two, more is noise.
const MAX_WITHIN: u8 = 4;

struct Openings {
    automaton: Option<AhoCorasick>,
    opens: Vec<Opens>,
}

static OPENINGS: LazyLock<Openings> = LazyLock::new(|| {
    let mut literals: Vec<&str> = Vec::new();
    let mut opens = Vec::new();
    for format in format::FORMATS {
        for prefix in format.prefixes {
            literals.push(prefix);
            opens.push(Opens::Format(format));
        }
    }
    for (literal, shape) in structured::OPENINGS {
        literals.push(literal);
        opens.push(Opens::Structured(*shape));
    }
    for word in announced::WORDS {
        literals.push(word);
        opens.push(Opens::Announcement);
    }
    // INVARIANT: the literals are ours and few, so building cannot fail; a test holds it.
    let automaton = AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(&literals)
        .ok();
    Openings { automaton, opens }
});

/// Finds secrets in a leaf.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    if leaf.kind == LeafKind::Number || leaf.text.len() < 6 {
        return;
    }
    let before = hits.len();
    if let Some(automaton) = &OPENINGS.automaton {
        // Everything before `done` lies within a secret that was found, or within a value that was judged.
        let mut done = 0;
        // The value of the last announcement, and how many announcements within it were judged.
        let (mut value, mut within) = (0..0, 0_u8);
        let (mut run, mut inside) = (0..0, 0_u8);
        for found in automaton.find_overlapping_iter(leaf.text) {
            let hit = match OPENINGS.opens.get(found.pattern().as_usize()) {
                _ if found.start() < done => None,
                Some(Opens::Format(format)) => {
                    // `xoxb-xoxb-…`: openings inside a run that was measured are noise after the first few.
                    if found.start() < run.end && inside >= MAX_WITHIN {
                        continue;
                    }
                    inside = if found.start() < run.end { inside + 1 } else { 0 };
                    let (hit, end) = format.check(leaf.text, found.range());
                    run.end = run.end.max(end);
                    hit
                }
                Some(Opens::Structured(shape)) => shape.check(leaf.text, found.range()),
                Some(Opens::Announcement) if found.start() < value.end && within >= MAX_WITHIN => None,
                Some(Opens::Announcement) => {
                    let (hit, judged) = announced::check(leaf, found.range(), settings);
                    if found.start() < value.end {
                        within += 1;
                    } else {
                        within = 0;
                    }
                    value.end = value.end.max(judged.end);
                    hit
                }
                None => None,
            };
            if let Some(hit) = hit {
                done = done.max(hit.range.end);
                hits.push(hit);
                if hits.len() - before > settings.max_detections {
                    return;
                }
            }
        }
    }
    if leaf.kind == LeafKind::Text && hits.len() == before {
        hits.extend(announced::field_value(leaf, settings));
    }
    structured::aws_secret_beside_id(leaf.text, before, hits);
}

#[cfg(test)]
mod tests;
