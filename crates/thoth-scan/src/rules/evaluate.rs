//! Which rules match a text: one pass for the words, then only the sentences and rules that can still match.

use std::ops::Range;

use super::concept::{Concept, Concepts};
use super::pattern::{Hit, Pattern};
use super::prose::Prose;
use super::vocabulary::number_words;
use super::{Rule, RuleSet};
use crate::role::Role;
use thoth_text::{Encoding, Text};

/// Buffers that are reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    prose: Prose,
    hits: Vec<Hit<Concept>>,
    candidates: Vec<(usize, usize)>,
    begun: Vec<u32>,
    /// A text had more terms than are kept, so that its end was not judged.
    overflowed: bool,
}

impl Scratch {
    /// Whether some text since the last question was not judged to its end.
    pub(crate) fn take_overflowed(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }
}

/// A rule that matched.
#[derive(Debug)]
pub(crate) struct Match<'s> {
    pub rule: &'s Rule,
    /// Where, in raw bytes.
    pub raw: Range<usize>,
    /// The words that matched, as they read.
    pub normalised: String,
    /// How they were hidden.
    pub encoding: Option<Encoding>,
    /// The text only speaks about such words.
    pub mentioned: bool,
}

/// A first sentence longer than this is judged by its beginning.
const LONGEST_PURPOSE: usize = 512;
/// How many words may stand between a word such as `detects` and what it speaks of.
const LONGEST_REACH: u32 = 12;
/// Sentences longer than this many hits are judged in parts.
const MOST_HITS_AT_ONCE: usize = 512;
/// How many hits of a part stand in the one before it, too, so that nothing hides on the seam.
const OVERLAP: usize = 128;

impl RuleSet {
    /// Finds the rules that match a text and what is decoded from it. Returns the concepts that the text speaks of.
    pub(crate) fn evaluate<'s>(
        &'s self,
        text: &Text<'_>,
        role: Role,
        topic: &Concepts,
        scratch: &mut Scratch,
        matched: &mut Vec<Match<'s>>,
    ) -> Concepts {
        let view = text.view();
        let mut spoken = self.evaluate_view(view, role, topic, scratch, |rule, range, normalised, mentioned| {
            matched.push(Match { rule, raw: text.raw_range(range), normalised, encoding: None, mentioned });
        });
        for segment in text.segments() {
            let inner = self.evaluate_view(
                &segment.text,
                Role::Description,
                topic,
                scratch,
                |rule, _, normalised, mentioned| {
                    matched.push(Match {
                        rule,
                        raw: segment.raw.clone(),
                        normalised,
                        encoding: Some(segment.encoding),
                        mentioned,
                    });
                },
            );
            spoken.extend(&inner);
        }
        spoken
    }

    /// The concepts of a name, or of the first sentence of a description: what a thing is about.
    pub(crate) fn purpose(&self, view: &str, identifier: bool, scratch: &mut Scratch) -> Concepts {
        let Scratch { prose, hits, .. } = scratch;
        let start = view.get(..view.floor_char_boundary(LONGEST_PURPOSE)).unwrap_or_default();
        if identifier {
            prose.read_identifier(start)
        } else {
            prose.read(start)
        }
        let first = prose.sentences().next().unwrap_or_default();
        self.vocabulary.find(prose.text().get(first).unwrap_or_default(), hits);
        // A sentence that opens with an order or a condition says nothing about what the thing is.
        if hits.iter().take_while(|hit| hit.start == 0).any(|hit| self.orders.contains(hit.concept)) {
            return Concepts::default();
        }
        hits.iter().map(|hit| hit.concept).collect()
    }

    /// The concepts that a text speaks of.
    pub(crate) fn concepts(&self, text: &Text<'_>, scratch: &mut Scratch) -> Concepts {
        let Scratch { prose, hits, .. } = scratch;
        prose.read(text.view());
        self.vocabulary.find(prose.text(), hits);
        hits.iter().map(|hit| hit.concept).collect()
    }

    /// The words of an identifier, lower case, blanks between.
    pub(crate) fn words_of_identifier(&self, name: &str, scratch: &mut Scratch) -> String {
        scratch.prose.read_identifier(name);
        scratch.prose.text().to_owned()
    }

    fn evaluate_view<'s>(
        &'s self,
        view: &str,
        role: Role,
        topic: &Concepts,
        scratch: &mut Scratch,
        mut found: impl FnMut(&'s Rule, Range<usize>, String, bool),
    ) -> Concepts {
        let Scratch { prose, hits, candidates, begun, overflowed } = scratch;
        if role.is_identifier() {
            prose.read_identifier(view)
        } else {
            prose.read(view)
        }
        *overflowed |= !self.vocabulary.find(prose.text(), hits);
        let all: Concepts = hits.iter().map(|hit| hit.concept).collect();
        if hits.is_empty() {
            return all;
        }
        self.candidates(role, topic, &all, candidates);
        if candidates.is_empty() {
            return all;
        }
        let mut search = Search {
            set: self,
            prose,
            view_len: view.len(),
            found: &mut found,
            begun,
            done: Vec::new(),
            mentions: Vec::new(),
        };
        let mut from = 0;
        for sentence in prose.sentences() {
            let len = hits.iter().skip(from).take_while(|hit| hit.start < sentence.end).count();
            let Some(own) = hits.get_mut(from..from + len) else { break };
            from += len;
            search.sentence(sentence, own, candidates);
        }
        let across = candidates.iter().any(|(rule, _)| self.rules.get(*rule).is_some_and(|rule| rule.across));
        if across {
            number_words(prose.text(), 0..prose.text().len(), hits, search.begun);
            search.part(hits, candidates, &all, true);
        }
        all
    }

    fn pattern(&self, rule: usize, pattern: usize) -> Option<&Pattern<Concept>> {
        self.rules.get(rule)?.patterns.get(pattern)
    }

    /// The patterns that the words of a whole text leave possible, in the order of the rules.
    fn candidates(&self, role: Role, topic: &Concepts, all: &Concepts, candidates: &mut Vec<(usize, usize)>) {
        candidates.clear();
        for concept in all.iter() {
            for (index, number) in self.openers.get(usize::from(concept.0)).into_iter().flatten() {
                let (Some(rule), Some(pattern)) = (self.rules.get(*index), self.pattern(*index, *number)) else {
                    continue;
                };
                if possible(pattern, all)
                    && rule.applies_to(role)
                    && all.includes(&rule.with)
                    && !rule.unless_topic.intersects(topic)
                {
                    candidates.push((*index, *number));
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
    }
}

/// The search for what is still possible in one text.
struct Search<'s, 'b, F> {
    set: &'s RuleSet,
    prose: &'b Prose,
    view_len: usize,
    found: &'b mut F,
    begun: &'b mut Vec<u32>,
    /// Rules that need no further match, and rules of which a mention is known.
    done: Vec<usize>,
    mentions: Vec<usize>,
}

impl<'s, F: FnMut(&'s Rule, Range<usize>, String, bool)> Search<'s, '_, F> {
    fn sentence(&mut self, sentence: Range<usize>, hits: &mut [Hit<Concept>], candidates: &[(usize, usize)]) {
        let here: Concepts = hits.iter().map(|hit| hit.concept).collect();
        let likely =
            |(rule, pattern): &(usize, usize)| self.set.pattern(*rule, *pattern).is_some_and(|p| possible(p, &here));
        if candidates.iter().any(likely) {
            number_words(self.prose.text(), sentence, hits, self.begun);
            for start in (0..hits.len().saturating_sub(OVERLAP).max(1)).step_by(MOST_HITS_AT_ONCE - OVERLAP) {
                let end = hits.len().min(start + MOST_HITS_AT_ONCE);
                self.part(hits.get(start..end).unwrap_or_default(), candidates, &here, false);
            }
        }
    }

    /// Whether what matched is forbidden rather than asked for: `do not include any passwords`. A term that is a
    /// negation itself opens its match, and `do not forget to` is too far away.
    fn negated(&self, hits: &[Hit<Concept>], first: &Hit<Concept>) -> bool {
        let Some(negator) = self.set.negator else { return false };
        let near = |hit: &Hit<Concept>| hit.end <= first.start && first.first_word.saturating_sub(hit.past_word) <= 1;
        hits.iter().take_while(|hit| hit.start <= first.start).any(|hit| hit.concept == negator && near(hit))
    }

    /// Whether a word such as `detects` still speaks of what matched: it stands close before it, in the same clause.
    fn governs(&self, mention: &Hit<Concept>, first: &Hit<Concept>, end: usize) -> bool {
        if mention.end > first.start {
            return mention.start < end;
        }
        let near = first.first_word.saturating_sub(mention.past_word) <= LONGEST_REACH;
        near && self.prose.text().get(mention.end..first.start).is_some_and(|between| !between.contains("; "))
    }

    /// Tries the candidates on hits that stand together.
    fn part(&mut self, hits: &[Hit<Concept>], candidates: &[(usize, usize)], here: &Concepts, across: bool) {
        for (index, pattern) in candidates {
            let (Some(rule), Some(pattern)) = (self.set.rules.get(*index), self.set.pattern(*index, *pattern)) else {
                continue;
            };
            if rule.across != across
                || self.done.contains(index)
                || !possible(pattern, here)
                || rule.unless.intersects(here)
            {
                continue;
            }
            let Some((first, last)) = pattern.find(hits) else { continue };
            let (Some(first), Some(last)) = (hits.get(first), hits.get(last)) else { continue };
            if self.negated(hits, first) {
                continue;
            }
            let range = first.start..last.end;
            let mentioned =
                hits.iter().any(|hit| rule.softened_by.contains(hit.concept) && self.governs(hit, first, range.end));
            let known = if mentioned { &mut self.mentions } else { &mut self.done };
            if known.contains(index) {
                continue;
            }
            known.push(*index);
            let normalised = self.prose.text().get(range.clone()).unwrap_or_default().to_owned();
            (self.found)(rule, self.prose.view_range(range, self.view_len), normalised, mentioned);
        }
    }
}

fn possible(pattern: &Pattern<Concept>, words: &Concepts) -> bool {
    pattern.slots.iter().all(|slot| slot.any_of.iter().any(|concept| words.contains(*concept)))
}
