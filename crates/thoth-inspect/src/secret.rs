//! Keys, tokens and passwords.
//!
//! One pass of an automaton finds what opens a known format and the words that announce a secret; what it finds is
//! then checked in place. Each run of token characters is looked at once, so the whole is linear.

mod announced;
mod assigned;
mod format;
mod placeholder;
mod structured;

use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, Input, MatchKind};

use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf, LeafKind};
use super::settings::InspectSettings;
pub(super) use announced::{Named, field_value};

/// What a literal of the automaton opens.
#[derive(Debug, Clone, Copy)]
enum Opens {
    /// A row of [`format::FORMATS`].
    Format(&'static format::Format),
    /// A shape that needs code.
    Structured(structured::Shape),
    /// A word after which a secret may stand, and whether that is what a person types.
    Announcement { password: bool },
}

/// How many announcements inside one value are judged again: `token=password=…` is two, more is noise.
const MAX_WITHIN: u8 = 4;

/// How many openings inside one run are judged again: `xoxb-xoxb-…` is noise after the second.
const MAX_INSIDE: u8 = 2;

struct Openings {
    automaton: Option<DFA>,
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
        opens.push(Opens::Announcement { password: announced::says_password(word) });
    }
    // INVARIANT: the literals are ours and few, so building cannot fail; a test holds it.
    let automaton = DFA::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        // With one, the state at the start would be special.
        .prefilter(false)
        .build(&literals)
        .ok();
    Openings { automaton, opens }
});

/// A text shorter than this is not worth cutting into lanes.
const LANED: usize = 256;
/// How many parts of a text are walked side by side. A walk waits for the table after each byte; four wait at once.
const LANES: usize = 4;

/// Whether no literal stands in a text. Most texts have none, and to know that costs less than to look for each.
fn opens_nothing(automaton: &DFA, text: &[u8]) -> bool {
    let Ok(start) = automaton.start_state(Anchored::No) else { return false };
    let Some(reach) = automaton.max_pattern_len().checked_sub(1) else { return true };
    let lane = text.len() / LANES;
    let next = |state: StateID, byte: u8| automaton.next_state(Anchored::No, state, byte);
    if text.len() < LANED || lane <= reach {
        let mut state = start;
        // A state that is special is dead or a match; there are no dead ones without an anchor.
        return text.iter().all(|byte| {
            state = next(state, *byte);
            !automaton.is_special(state)
        });
    }
    // Each lane begins so far before its part that a literal which crosses its border is whole in it.
    let (first, rest) = text.split_at(lane + text.len() % LANES);
    let border = first.len();
    let part = |number: usize| text.get(border + number * lane - reach..border + (number + 1) * lane);
    let (Some(second), Some(third), Some(fourth)) = (part(0), part(1), part(2)) else { return false };
    debug_assert_eq!(rest.len(), 3 * lane, "the lanes cover the text");
    let mut states = [start; LANES];
    let length = second.len().min(first.len());
    for (((a, b), c), d) in first.iter().zip(second).zip(third).zip(fourth) {
        let [one, two, three, four] = &mut states;
        *one = next(*one, *a);
        *two = next(*two, *b);
        *three = next(*three, *c);
        *four = next(*four, *d);
        if automaton.is_special(*one)
            | automaton.is_special(*two)
            | automaton.is_special(*three)
            | automaton.is_special(*four)
        {
            return false;
        }
    }
    let tails = [first, second, third, fourth].map(|lane| lane.get(length..).unwrap_or_default());
    for (state, tail) in states.into_iter().zip(tails) {
        let mut state = state;
        for byte in tail {
            state = next(state, *byte);
            if automaton.is_special(state) {
                return false;
            }
        }
    }
    true
}

/// Whether something stands in a text that may open a secret.
pub(super) fn may_open(text: &str) -> bool {
    OPENINGS.automaton.as_ref().is_none_or(|automaton| !opens_nothing(automaton, text.as_bytes()))
}

/// Finds secrets in a leaf.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    if leaf.kind == LeafKind::Number || leaf.text.len() < 6 {
        return;
    }
    let before = hits.len();
    if let Some(automaton) = &OPENINGS.automaton
        && !opens_nothing(automaton, leaf.text.as_bytes())
    {
        // Everything before `done` lies within a secret that was found, or within a value that was judged.
        let mut done = 0;
        // The value of the last announcement, and how many announcements within it were judged.
        let (mut value, mut within) = (0..0, 0_u8);
        let mut values = assigned::Values::of(leaf.text);
        let (mut run, mut inside, mut sure) = (0..0, 0_u8, 0_usize);
        let input = Input::new(leaf.text);
        for found in automaton.try_find_overlapping_iter(input).into_iter().flatten() {
            effort.reads(effort::OPENING);
            if effort.is_spent() {
                return;
            }
            let hit = match OPENINGS.opens.get(found.pattern().as_usize()) {
                _ if found.start() < done => None,
                Some(Opens::Format(format)) => {
                    if found.start() < run.end && inside >= MAX_INSIDE {
                        continue;
                    }
                    inside = if found.start() < run.end { inside + 1 } else { 0 };
                    let (hit, end) = format.check(leaf.text, found.range());
                    run.end = run.end.max(end);
                    effort.reads(end.saturating_sub(found.start()));
                    hit
                }
                Some(Opens::Structured(shape)) => shape.check(leaf.text, found.range()),
                Some(Opens::Announcement { .. }) if found.start() < value.end && within >= MAX_WITHIN => None,
                Some(Opens::Announcement { password }) => {
                    let (hit, judged) = announced::check(leaf, found.range(), *password, &mut values, settings);
                    if found.start() < value.end {
                        within += 1;
                    } else {
                        within = 0;
                    }
                    effort.reads(judged.len() / 2);
                    value.end = value.end.max(judged.end);
                    hit
                }
                None => None,
            };
            if let Some(mut hit) = hit {
                // What has no end of its own ends with its value.
                if hit.range.end == leaf.text.len() {
                    hit.range.end = leaf.line(hit.range.start).end;
                }
                done = done.max(hit.range.end);
                sure += usize::from(hit.confidence >= settings.min_confidence);
                hits.push(hit);
                if sure > settings.max_detections {
                    return;
                }
            }
        }
    }
    if leaf.kind == LeafKind::Text && hits.len() == before {
        hits.extend(field_value(leaf, settings));
    }
    structured::aws_secret_beside_id(leaf.text, before, hits);
}

#[cfg(test)]
mod tests;
