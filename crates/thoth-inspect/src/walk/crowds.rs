//! Values that wait to be read together, and what is reported of them.

use std::ops::Range;

use thoth_text::Text;
use thoth_types::json::{Value, WalkPath, to_raw};

use super::super::argument_role::Role;
use super::super::detection::{Class, Detection, Incomplete};
use super::super::effort::Effort;
use super::super::leaf::{Hit, Leaf, LeafKind};
use super::super::{injection, preview, secret};
use super::crowd::{Crowd, Member};
use super::{Source, Walk};

/// Values that are read together.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    /// Those that may instruct a model.
    speech: Crowd,
    /// Those that are too short for that.
    values: Crowd,
    /// How many of each stand in the documents around the one that is walked.
    pub(super) outer: [usize; 2],
}

impl Crowds {
    pub(super) fn each(&mut self) -> [(&mut Crowd, usize); 2] {
        let [speech, values] = self.outer;
        [(&mut self.speech, speech), (&mut self.values, values)]
    }
}

impl Walk<'_> {
    /// Puts a value to those that are read together. What its name alone says of it is told now.
    pub(super) fn join(&mut self, value: Value<'_>, leaf: &Leaf<'_>, hits: &mut Vec<Hit>, source: Source<'_>) {
        let named = if leaf.kind == LeafKind::Text { secret::field_value(leaf, self.settings) } else { None };
        let span = value.span();
        let (place, may_instruct) = (self.path.keep(), injection::may_instruct(leaf));
        let crowd = if may_instruct { &mut self.crowds.speech } else { &mut self.crowds.values };
        crowd.add(leaf, span.start + 1..span.end - 1, place, named.is_some());
        hits.extend(named);
        self.read_crowds(true, source);
    }

    /// Reads the values that wait, of the document that is walked; `full` says that only if they are many.
    pub(super) fn read_crowds(&mut self, full: bool, source: Source<'_>) {
        let due = |(crowd, outer): (&mut Crowd, usize)| {
            (crowd.len() > outer && (!full || crowd.is_full(outer))).then(|| crowd.take(outer))
        };
        let [speech, values] = self.crowds.each().map(due);
        let any = speech.is_some() || values.is_some();
        for (crowd, may_instruct) in [(speech, true), (values, false)] {
            if let Some(crowd) = crowd {
                self.read_crowd(&crowd, may_instruct, source);
            }
        }
        if any && self.crowds.each().iter().all(|(crowd, _)| crowd.len() == 0) {
            self.path.forget();
        }
    }

    fn read_crowd(&mut self, crowd: &Crowd, may_instruct: bool, source: Source<'_>) {
        if self.incomplete.is_some() {
            return;
        }
        let path = std::mem::take(&mut self.path);
        let lines = crowd.lines(&path);
        let leaf = Leaf::new(crowd.text(), "", LeafKind::Text, Role::Prose, self.direction);
        let leaf = Leaf { lines: Some(&lines), named: Some(secret::Named::Nothing), ..leaf };
        let mut hits = Vec::new();
        self.carried(&leaf, &mut hits);
        if self.incomplete.is_none() {
            self.read(&leaf, may_instruct, &mut hits);
            place_apart(crowd, &leaf, &mut self.effort, &mut hits);
            self.settle(&mut hits);
            self.report_crowd(crowd, &path, &hits, source);
            self.end_where_spent();
        }
        self.path = path;
    }

    /// Reports what was found in values that were read together.
    fn report_crowd(&mut self, crowd: &Crowd, path: &WalkPath, hits: &[Hit], source: Source<'_>) {
        let (settings, direction) = (self.settings, self.direction);
        let mut all: Vec<(&Hit, &Member, &str, Range<usize>)> = Vec::new();
        for hit in hits {
            all.extend(crowd.touched(hit.range.clone()).map(|(member, text, part)| (hit, member, text, part)));
        }
        // Where the place in a value is not known, one of each class covers it: the strictest.
        let weight = |hit: &Hit| std::cmp::Reverse((settings.action(hit.class, hit.kind, direction), hit.confidence));
        all.sort_by_key(|(hit, member, ..)| (member.span.start, hit.class, weight(hit)));
        all.dedup_by(|(hit, member, ..), (before, same, ..)| {
            !member.exact && member.span.start == same.span.start && hit.class == before.class
        });
        if self.found.len() + all.len() > settings.max_detections {
            self.incomplete = Some(Incomplete::TooManyDetections);
            return;
        }
        let is_secret = |hit: &Hit| matches!(hit.class, Class::Secrets | Class::PersonalData);
        let secret: Vec<usize> =
            all.iter().filter(|(hit, ..)| is_secret(hit)).map(|(_, member, ..)| member.span.start).collect();
        for (hit, member, text, part) in all {
            let beside_secret = member.named || secret.binary_search(&member.span.start).is_ok();
            let raw = to_raw(source.get(member.span.clone()), &[part.start, part.end]);
            let span = match raw.as_slice() {
                [start, end] if member.exact => member.span.start + start..member.span.start + end,
                _ => member.span.clone(),
            };
            self.found.push(Detection {
                class: hit.class,
                kind: hit.kind,
                direction,
                pointer: path.pointer_to(member.place),
                span,
                in_key: member.is_key,
                is_number: false,
                confidence: hit.confidence,
                message: hit.message,
                preview: preview::of(text, &Hit { range: part, ..hit.clone() }, beside_secret),
                action: settings.action(hit.class, hit.kind, direction),
            });
        }
    }
}

/// Finds out in which values it is where what is read together says something that reaches over several.
fn place_apart(crowd: &Crowd, all: &Leaf<'_>, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let is_apart = |hit: &Hit| hit.kind == "injection.encoded" && crowd.touched(hit.range.clone()).count() > 1;
    let (apart, others): (Vec<Hit>, Vec<Hit>) = hits.drain(..).partition(is_apart);
    *hits = others;
    for found in apart {
        let before = hits.len();
        let mut from = found.range.start;
        for (_, text, _) in crowd.touched(found.range.clone()) {
            let start = all.line(from).start;
            let leaf = Leaf::new(text, "", LeafKind::Text, Role::Prose, all.direction);
            let mut own = Vec::new();
            injection::find(&leaf, &Text::read(text), effort, &mut own);
            hits.extend(
                own.into_iter().map(|hit| Hit { range: start + hit.range.start..start + hit.range.end, ..hit }),
            );
            from = start + text.len() + 1;
        }
        if hits.len() == before {
            // None says it alone: together they do, and the first stands for them.
            let first = all.line(found.range.start);
            hits.push(Hit { range: first.start..first.end, ..found });
        }
    }
}
