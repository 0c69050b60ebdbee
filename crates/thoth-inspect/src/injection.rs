//! Instructions to a model.
//!
//! A result should carry data. It is suspicious when it speaks to the model: sets aside what it was told, gives it a
//! task, plays a role, demands secrecy, asks for what is secret. Each clause is read for such signs
//! ([`clause::signs`]); signs of different families add up over neighbouring clauses, and text that is hidden,
//! encoded, or foreign to the table it stands in weighs more. Text that speaks about such attacks weighs less.

mod carrier;
mod clause;
mod harm;
mod layout;
mod lexicon;
mod token;

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use thoth_text::{AnomalyKind, Encoding, Segment, Text};

use super::detection::{Class, Confidence, Direction};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf, LeafKind};

use clause::{Around, FAMILIES, Family, Sign, Todo};
use layout::LazyLayout;
use token::Clause;

/// From here on it is an instruction to a model.
const THRESHOLD: u8 = 6;
/// From here on there is hardly a doubt; arguments, which may well carry instructions, are held to it.
const SURE: u8 = 9;
/// How many clauses apart signs may be to add up.
const REACH: usize = 6;
/// How many places in one text are reported apart. The last one covers what more there is.
const MAX_PLACES: usize = 20;
/// The shortest text that instructs.
const SHORTEST: usize = 12;

/// What leetspeak is worth reading for. A whole log is respelled for the digits in it, and says none of these.
static LEET_WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = [
        "ignore",
        "disregard",
        "forget",
        "override",
        "bypass",
        "circumvent",
        "discard",
        "dismiss",
        "do not follow",
        "do not tell",
        "reveal",
        "prompt",
        "previous",
        "instruction",
        "rule",
        "guideline",
        "directive",
        "restriction",
        "safeguard",
    ];
    // INVARIANT: the words are ours and few, so building cannot fail.
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// How far from one of these words, in bytes, something must be respelled.
const LEET_NEAR: usize = 64;
/// How far around it is read.
const LEET_AROUND: usize = 512;

/// The parts of a respelling that are worth reading, for one of these words stands there near to what differs from the
/// text. A respelling is as long as that.
fn worth_reading(view: &str, respelled: &str) -> Vec<Range<usize>> {
    let Some(words) = LEET_WORDS.as_ref() else { return Vec::new() };
    let mut parts: Vec<Range<usize>> = Vec::new();
    for near in around_changes(view, respelled) {
        for word in words.find_iter(respelled.get(near.clone()).unwrap_or_default()) {
            let (start, end) = (near.start + word.start(), near.start + word.end());
            let around = |far: usize| start.saturating_sub(far)..(end + far).min(respelled.len());
            if view.as_bytes().get(around(LEET_NEAR)) == respelled.as_bytes().get(around(LEET_NEAR)) {
                continue;
            }
            let part = around(LEET_AROUND);
            let part = respelled.floor_char_boundary(part.start)..respelled.floor_char_boundary(part.end);
            match parts.last_mut() {
                Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
                _ => parts.push(part),
            }
        }
    }
    parts
}

/// The stretches in which one of the words may stand near to what is respelled.
fn around_changes(view: &str, respelled: &str) -> Vec<Range<usize>> {
    /// As long as the nearness and the longest word.
    const BLOCK: usize = LEET_NEAR + 16;
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for (number, (a, b)) in view.as_bytes().chunks(BLOCK).zip(respelled.as_bytes().chunks(BLOCK)).enumerate() {
        if a != b {
            let start = respelled.floor_char_boundary((number * BLOCK).saturating_sub(BLOCK));
            let end = respelled.ceil_char_boundary(((number + 2) * BLOCK).min(respelled.len()));
            match stretches.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => stretches.push(start..end),
            }
        }
    }
    stretches
}

/// Reads leetspeak. It is the respelling of a whole text with digits in it: what it adds must be beyond doubt, and not stand
/// in the text already.
fn read_leet(text: &Text<'_>, segment: &Segment, how: How, spoken: &[Place], effort: &mut Effort) -> Vec<Place> {
    let how = How { bonus: 0, secret: false, ..how };
    let mut places = Vec::new();
    for part in worth_reading(text.view(), &segment.text) {
        let found = read(segment.text.get(part.clone()).unwrap_or_default(), how, effort);
        // The respelling of the text itself is as long as that.
        let raw = |range: Range<usize>| match segment.depth {
            1 => text.raw_range(part.start + range.start..part.start + range.end),
            _ => segment.raw.clone(),
        };
        places.extend(found.into_iter().map(|place| Place { range: raw(place.range.clone()), ..place }));
    }
    let plain = ["injection.override", "injection.secrecy", "injection.leak"];
    places.retain(|place| plain.contains(&place.kind) && spoken.iter().all(|other| other.kind != place.kind));
    places
}

/// Whether a leaf is long enough to instruct anybody. A short argument is a value, not a speech.
pub(super) fn may_instruct(leaf: &Leaf<'_>) -> bool {
    let shortest = if leaf.direction == Direction::Arguments { 2 * SHORTEST } else { SHORTEST };
    leaf.text.len() >= shortest && (leaf.kind != LeafKind::Key || leaf.text.contains(' '))
}

/// Finds instructions to a model in a leaf, which is also given as it was read. What could not be read spends the effort.
pub(super) fn find(leaf: &Leaf<'_>, text: &Text<'_>, effort: &mut Effort, hits: &mut Vec<Hit>) {
    if !may_instruct(leaf) || (text.is_plain() && token::is_one_address(leaf.text)) {
        return;
    }
    // What is not ASCII, and what is spelled in escapes, is read letter by letter, and written down anew.
    let wide = leaf.text.bytes().filter(|byte| *byte >= 0x80).count();
    let anew = if text.pieces() > 0 { leaf.text.len() / 2 } else { 0 };
    effort.reads(wide / 2 + anew + effort::PIECE * text.pieces());
    if !effort.affords(text.view().len()) {
        return;
    }
    let least = if leaf.direction == Direction::Arguments { SURE } else { THRESHOLD };
    // What stands beside a secret and wants it sent somewhere.
    let secret = hits.iter().any(|hit| hit.class == Class::Secrets);
    let how = How { bonus: 0, secret, least, by_line: leaf.lines.is_some() };
    let mut places = read(text.view(), how, effort);
    for place in &mut places {
        place.range = text.raw_range(place.range.clone());
    }
    for segment in text.segments() {
        // Whether it is read further or not, leetspeak was spelled out, and what else is not ASCII normalised.
        let spelled = match segment.encoding {
            Encoding::Leet => segment.text.len() / 3,
            Encoding::Spaced => effort::SPACED,
            _ if segment.text.is_ascii() => 0,
            _ => 2 * segment.text.len(),
        };
        effort.reads(effort::SEGMENT + spelled);
        if effort.is_spent() {
            return;
        }
        let inner = if segment.encoding == Encoding::Leet {
            read_leet(text, segment, how, &places, effort)
        } else {
            let bonus = if segment.encoding.is_invisible() { 5 } else { 2 };
            let inner = read(&segment.text, How { bonus, secret: false, by_line: false, ..how }, effort);
            inner.into_iter().map(|place| Place { range: segment.raw.clone(), ..place }).collect()
        };
        places.extend(inner.into_iter().map(|place| Place { kind: "injection.encoded", ..place }));
    }
    for anomaly in text.anomalies() {
        match anomaly.kind {
            AnomalyKind::TagCharacters => {
                places.push(Place { range: anomaly.raw.clone(), points: SURE, kind: "injection.invisible_text" });
            }
            AnomalyKind::HiddenComment => places.extend(read_comment(leaf, anomaly.raw.clone(), how, effort)),
            // More is encoded than was decoded.
            AnomalyKind::Truncated => effort.exhaust(),
            _ => {}
        }
    }
    report(places, least, hits);
}

/// Reads a comment that is never shown once more, for that weighs.
fn read_comment(leaf: &Leaf<'_>, raw: Range<usize>, how: How, effort: &mut Effort) -> Vec<Place> {
    let Some(comment) = leaf.text.get(raw.clone()) else { return Vec::new() };
    let comment = comment.get(..comment.floor_char_boundary(effort.comments)).unwrap_or_default();
    effort.comments -= comment.len();
    let how = How { bonus: 2, secret: false, by_line: false, ..how };
    let inner = read(Text::read(comment).view(), how, effort);
    inner.into_iter().map(|place| Place { range: raw.clone(), kind: "injection.hidden_text", ..place }).collect()
}

/// Reports the places with enough points. Beyond [`MAX_PLACES`] the last one reaches over all that follow.
fn report(mut places: Vec<Place>, least: u8, hits: &mut Vec<Hit>) {
    places.retain(|place| place.points >= least);
    let rest = places.split_off(places.len().min(MAX_PLACES));
    if let Some(last) = places.last_mut() {
        for place in rest {
            last.range = last.range.start.min(place.range.start)..last.range.end.max(place.range.end);
            last.points = last.points.max(place.points);
        }
    }
    hits.extend(places.into_iter().map(|place| Hit {
        class: Class::Injection,
        kind: place.kind,
        range: place.range,
        confidence: if place.points >= SURE { Confidence::High } else { Confidence::Medium },
        message: message(place.kind),
    }));
}

fn message(kind: &str) -> &'static str {
    match kind {
        "injection.override" => "sets aside what the model was told",
        "injection.role_delimiter" => "plays another role by delimiters",
        "injection.secrecy" => "demands that something is kept from the user",
        "injection.leak" => "asks the model to give something away",
        "injection.task" => "gives the model a new task",
        "injection.tool" => "directs the model to a tool",
        "injection.response" => "shapes what the model answers",
        "injection.planted_code" => "plants code in the model's answer",
        "injection.foreign_text" => "an instruction amid data",
        "injection.carrier" => "an address that carries data away",
        "injection.encoded" => "an instruction in encoded text",
        "injection.hidden_text" => "an instruction in a hidden comment",
        "injection.invisible_text" => "text in characters that are never shown",
        _ => "an instruction to a model",
    }
}

/// A stretch of a text that instructs.
#[derive(Debug, Clone)]
struct Place {
    range: Range<usize>,
    points: u8,
    kind: &'static str,
}

/// The last sign of one family.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    points: u8,
    clause: usize,
    start: usize,
    end: usize,
}

/// What has been read so far.
struct Reading<'v> {
    view: &'v str,
    last: [Last; FAMILIES],
    clause: usize,
    /// How many of the words of the last clauses speak about attacks, and when.
    mentions: u8,
    mentioned: usize,
    how: How,
    layout: LazyLayout<'v>,
    /// Whether the last clause was a note of work to do, and where it began.
    todo: Todo,
    before: usize,
    harm: harm::Block,
    places: Vec<Place>,
}

/// How a text is read.
#[derive(Debug, Clone, Copy)]
struct How {
    /// Points for the way in which it was hidden.
    bonus: u8,
    /// A secret stands in it.
    secret: bool,
    /// From how many points on a place counts.
    least: u8,
    /// Its lines are values of their own: what weakens does not reach beyond one.
    by_line: bool,
}

/// Reads a text and returns what instructs.
fn read(view: &str, how: How, effort: &mut Effort) -> Vec<Place> {
    let mut reading = Reading {
        view,
        last: [Last::default(); FAMILIES],
        clause: REACH + 1,
        mentions: 0,
        mentioned: 0,
        how,
        layout: LazyLayout::of(view),
        todo: Todo::None,
        before: 0,
        harm: harm::Block::default(),
        places: Vec::new(),
    };
    token::clauses(view, |clause| reading.clause(clause));
    effort.reads(view.len() + reading.harm.looked_at);
    reading.places
}

impl<'v> Reading<'v> {
    fn clause(&mut self, clause: &Clause) {
        // The name of a tag and what the tag holds are one.
        self.clause += usize::from(!clause.led);
        if self.how.by_line && clause.opens_line {
            let rest = self.view.get(clause.start..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            self.layout = LazyLayout::of(rest.get(..end).unwrap_or(rest));
        }
        if self.clause > self.mentioned + REACH || (self.how.by_line && clause.opens_line) {
            self.mentions = 0;
        }
        if clause.all & lexicon::MENTION != 0 {
            let mentions = clause.tokens.iter().filter(|token| token.meaning & lexicon::MENTION != 0).count();
            self.mentions = self.mentions.saturating_add(u8::try_from(mentions).unwrap_or(u8::MAX));
            self.mentioned = self.clause;
        }
        if clause.all & lexicon::CARRIER != 0 && self.mentions == 0 && self.how.least <= THRESHOLD {
            self.place(Place { range: clause.start..clause.end, points: THRESHOLD, kind: "injection.carrier" });
        }
        if let Some(shown) = self.signs(clause)
            && self.note(clause, shown)
        {
            self.weigh(clause);
        }
        self.todo = todo(clause);
        self.before = clause.start;
    }

    /// The points of each family that a clause shows, if it shows any.
    fn signs(&mut self, clause: &Clause) -> Option<[u8; FAMILIES]> {
        let mut shown: [u8; FAMILIES] = [0; FAMILIES];
        if clause::may_show_signs(clause) {
            let around = Around {
                layout: &self.layout,
                comment: clause.all & (lexicon::ACT | lexicon::LEAK | lexicon::SAY) != 0
                    && is_comment(self.view, self.before),
                todo: self.todo,
            };
            clause::signs(clause, around, |Sign { family, points }| {
                if let Some(slot) = shown.get_mut(family as usize) {
                    *slot = points;
                }
            });
        }
        if layout::is_foreign(self.view, clause)
            && self.layout.get().tabular
            && let Some(slot) = shown.get_mut(Family::Foreign as usize)
        {
            *slot = THRESHOLD;
        }
        if shown.get(Family::Code as usize).is_some_and(|points| *points > 0)
            && let Some(slot) = shown.get_mut(Family::Harm as usize)
        {
            *slot = self.harm.points(self.view, clause.end);
        }
        if self.how.secret
            && let Some(slot) = shown.get_mut(Family::Leak as usize).filter(|points| **points >= 2)
        {
            *slot += 3;
        }
        shown.iter().any(|points| *points > 0).then_some(shown)
    }

    /// Keeps what a clause shows where it is more than is known. Returns whether anything is.
    fn note(&mut self, clause: &Clause, shown: [u8; FAMILIES]) -> bool {
        let mut any = false;
        for (family, (last, points)) in self.last.iter_mut().zip(shown).enumerate() {
            let stale = self.clause > last.clause + REACH;
            // A label that opens and one that closes.
            let points =
                if family == Family::Label as usize && points == 2 && !stale && last.points >= 2 { 3 } else { points };
            if points > 0 && (stale || points >= last.points) {
                any = true;
                let start = if stale { clause.start } else { last.start.min(clause.start) };
                *last = Last { points, clause: self.clause, start, end: clause.end };
            }
        }
        any
    }

    /// Adds up what stands within reach.
    fn weigh(&mut self, clause: &Clause) {
        let head = self.view.get(..clause.start).unwrap_or_default();
        let head = if self.how.by_line { head.trim_end_matches([' ', '\t']) } else { head.trim_end() };
        let quoted = clause.all & lexicon::QUOTED != 0 || head.ends_with(['"', '\'', '`', '“', '‘', '«', '「', '„']);
        let near = |last: &Last| last.points > 0 && self.clause <= last.clause + REACH;
        let sum: u8 = self.last.iter().filter(|last| near(last)).map(|last| last.points).fold(0, u8::saturating_add);
        let damped = sum.saturating_sub(match (self.mentions, quoted) {
            (0, _) | (1 | 2, false) => 0,
            (1, true) => 4,
            // A list of such texts.
            (2.., true) => 7,
            (_, false) => 2,
        });
        let points = if damped >= 2 { damped + self.how.bonus } else { 0 };
        // Requests and warnings alone are what people write to each other.
        let weak = [Family::Obedience, Family::Action, Family::Disarm].map(|family| family as usize);
        let core = self.last.iter().enumerate().any(|(family, last)| {
            near(last) && last.points >= if family == Family::Tool as usize { 4 } else { 2 } && !weak.contains(&family)
        });
        if points < self.how.least || !core {
            return;
        }
        let start = self.last.iter().filter(|last| near(last)).map(|last| last.start).min().unwrap_or(0);
        let end = self.last.iter().filter(|last| near(last)).map(|last| last.end).max().unwrap_or(start);
        let heaviest = self.last.iter().enumerate().filter(|(_, last)| near(last)).max_by_key(|(_, last)| last.points);
        let kind = heaviest.map_or("injection.instruction", |(family, _)| kind(family));
        self.place(Place { range: start..end, points, kind });
    }

    /// Keeps a place: as one with the last where that reaches so far, or where there are many.
    fn place(&mut self, new: Place) {
        let many = self.places.len() >= MAX_PLACES;
        match self.places.last_mut() {
            Some(last) if last.range.end >= new.range.start || many => {
                last.range = last.range.start.min(new.range.start)..last.range.end.max(new.range.end);
                if new.points > last.points {
                    last.points = new.points;
                    last.kind = new.kind;
                }
            }
            _ => self.places.push(new),
        }
    }
}

/// Whether the next clause is what a note of work to do says.
fn todo(clause: &Clause) -> Todo {
    let ends = clause.tokens.last().is_some_and(|token| token.meaning & lexicon::TODO != 0);
    match (ends, clause.opens_line && clause.tokens.len() == 1) {
        (true, true) => Todo::Line,
        (true, false) => Todo::Within,
        _ => Todo::None,
    }
}

/// Whether the line up to `at` is a comment in a program.
fn is_comment(view: &str, at: usize) -> bool {
    let head = view.as_bytes().get(at.saturating_sub(120)..at).unwrap_or_default();
    let line = memchr::memrchr(b'\n', head).and_then(|at| head.get(at + 1..)).unwrap_or(head).trim_ascii_start();
    [&b"//"[..], b"#", b"/*", b"*", b"--", b"<!--"].iter().any(|mark| line.starts_with(mark))
}

fn kind(family: usize) -> &'static str {
    const KINDS: [&str; FAMILIES] = [
        "injection.override",
        "injection.override",
        "injection.role_delimiter",
        "injection.role_delimiter",
        "injection.task",
        "injection.task",
        "injection.task",
        "injection.tool",
        "injection.task",
        "injection.secrecy",
        "injection.leak",
        "injection.override",
        "injection.response",
        "injection.planted_code",
        "injection.task",
        "injection.foreign_text",
        "injection.planted_code",
        "injection.task",
    ];
    KINDS.get(family).copied().unwrap_or("injection.instruction")
}

#[cfg(test)]
mod tests;
