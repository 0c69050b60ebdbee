//! Values of one argument for which its tests come out as wanted.
//!
//! A value is found by trying: each candidate is put to the tests themselves. The candidates are complete where it says
//! so, and then it is sure that there is no value when none of them will do.

use std::cmp::Reverse;

use serde_json::Value as Json;
use thoth_policy::outline::{ArgumentPath, Condition, Literal, Piece, Test};
use thoth_policy::{Query, Truth};
use thoth_types::Arguments;
use thoth_types::json::{Limits, Tape};

use super::Outcomes;
use super::decimals::telling;
use super::document::{Slot, can_be_built, document};
use crate::language::{GlobList, Language, Search, find as find_text};
use crate::steps::{Steps, Weight, of_reading, of_text};

/// How many values are kept of one argument.
const MOST_SLOTS: usize = 10;

/// All tests of one argument and what is wanted of each.
pub(super) struct Question<'c> {
    pub(super) steps: &'c Steps,
    weight: Weight,
    path: &'c ArgumentPath,
    pub(super) tests: Vec<(&'c Condition, &'c Test, Outcomes)>,
}

/// Values for which all conditions, which are about one argument, come out as wanted; the most telling first. Together
/// the conditions have this weight.
pub(super) fn find(conditions: &[(&Condition, Outcomes)], weight: Weight, steps: &Steps) -> Search<Vec<Slot>> {
    let tests: Vec<_> = conditions
        .iter()
        .filter_map(|(condition, wanted)| match condition {
            Condition::Argument { test, .. } => Some((*condition, test, *wanted)),
            _ => None,
        })
        .collect();
    let path = conditions.iter().find_map(|(condition, _)| match condition {
        Condition::Argument { path, .. } => Some(path),
        _ => None,
    });
    let Some(path) = path else { return Search::Empty };
    let question = Question { steps, weight, path, tests };
    steps.pay(8 * weight.once);
    // What is not put together may come out as nothing else does.
    let mut complete = can_be_built(path);
    let mut found: Vec<Slot> = Vec::new();
    let add = |question: &Question<'_>, candidates: Vec<Slot>, most: usize, found: &mut Vec<Slot>| {
        let good = candidates.into_iter().filter(|slot| question.passes(slot)).take(most);
        for slot in good {
            if !found.contains(&slot) {
                found.push(slot);
            }
        }
    };
    let (numbers, all) = question.numbers();
    complete &= all;
    add(&question, numbers, 2, &mut found);
    match question.text() {
        Search::Found(slots) => add(&question, slots, 2, &mut found),
        Search::Empty => {}
        Search::Unknown => complete = false,
    }
    add(&question, ["true", "false"].map(|text| Slot::Value(text.to_owned())).to_vec(), 1, &mut found);
    let (arrays, all) = question.arrays();
    complete &= all;
    add(&question, arrays, 1, &mut found);
    let (objects, all) = question.objects();
    complete &= all;
    add(&question, objects, 2, &mut found);
    let odd = vec![Slot::Value("null".to_owned()), Slot::Missing, Slot::Twice];
    add(&question, odd, 3, &mut found);
    if found.is_empty() {
        return if complete && !steps.are_spent() { Search::Empty } else { Search::Unknown };
    }
    // A value about which something is known shows more than one that is missing.
    found.sort_by_cached_key(|slot| {
        let outcomes = question.outcomes(slot);
        let count = |truth: Truth| outcomes.iter().filter(|outcome| **outcome == truth).count();
        (count(Truth::Error), Reverse(count(Truth::True)))
    });
    found.truncate(MOST_SLOTS);
    Search::Found(found)
}

impl Question<'_> {
    pub(super) fn outcomes(&self, slot: &Slot) -> Vec<Truth> {
        let Some(text) = document(&[(self.path, slot)], &[]) else { return Vec::new() };
        let mut tape = Tape::new();
        self.steps.pay(32 + of_reading(&text) + self.weight.on(&text));
        if self.steps.are_spent() {
            return Vec::new();
        }
        let Ok(value) = tape.parse(text.as_bytes(), &Limits::default()) else { return Vec::new() };
        let query = Query { arguments: Arguments::new(Some(value)), ..Query::new("", "") };
        self.tests.iter().map(|(condition, _, _)| condition.holds("", &query)).collect()
    }

    fn passes(&self, slot: &Slot) -> bool {
        let outcomes = self.outcomes(slot);
        outcomes.len() == self.tests.len()
            && self.tests.iter().zip(outcomes).all(|((_, _, wanted), outcome)| wanted.has(outcome))
    }

    pub(super) fn literals(&self) -> Vec<&Literal> {
        fn of_test(test: &Test) -> Vec<&Literal> {
            match test {
                Test::Equals(own) | Test::Ordered(_, own) | Test::Contains(own) => vec![own],
                Test::In(own) | Test::NotIn(own) => own.iter().collect(),
                _ => Vec::new(),
            }
        }
        self.tests.iter().flat_map(|(_, test, _)| of_test(test)).collect()
    }

    fn numbers(&self) -> (Vec<Slot>, bool) {
        let given: Vec<&str> = self
            .literals()
            .into_iter()
            .filter_map(|literal| if let Literal::Number(text) = literal { Some(&**text) } else { None })
            .collect();
        let (numbers, complete) = telling(&given);
        (numbers.into_iter().map(Slot::Value).collect(), complete)
    }

    /// Texts: those that the tests name and some like them, and one that an automaton finds.
    fn text(&self) -> Search<Vec<Slot>> {
        let slots = |texts: Vec<String>| texts.into_iter().map(|text| Slot::Value(quoted(&text))).collect::<Vec<_>>();
        let named = self.named_texts();
        let good: Vec<String> =
            named.into_iter().filter(|text| self.passes(&Slot::Value(quoted(text)))).take(2).collect();
        if !good.is_empty() {
            return Search::Found(slots(good));
        }
        match self.some_text(&|_, wanted| wanted, &[]) {
            Search::Found(text) => Search::Found(slots(vec![text])),
            Search::Empty => Search::Empty,
            Search::Unknown => Search::Unknown,
        }
    }

    /// A text for which each test comes out as `narrowed` says, and which is none of `forbidden`, by automaton.
    pub(super) fn some_text(
        &self,
        narrowed: &dyn Fn(usize, Outcomes) -> Outcomes,
        forbidden: &[&str],
    ) -> Search<String> {
        self.steps.pay(8 * self.weight.once + forbidden.len());
        if self.steps.are_spent() {
            return Search::Unknown;
        }
        let exact = |text: &&str| -> Box<[Piece]> { text.chars().map(Piece::Literal).collect() };
        let none: Vec<Box<[Piece]>> = forbidden.iter().map(exact).collect();
        let mut languages = vec![(Language::of_lists(vec![GlobList::new(Vec::new(), none)]), true)];
        let mut loose = false;
        for (index, (_, test, wanted)) in self.tests.iter().enumerate() {
            let wanted = narrowed(index, *wanted);
            match on_texts(test) {
                OnTexts::Always(truth) if wanted.has(truth) => {}
                OnTexts::Always(_) => return Search::Empty,
                OnTexts::Language(language) => match (wanted.has(Truth::True), wanted.has(Truth::False)) {
                    (true, true) => {}
                    (false, false) => return Search::Empty,
                    (inside, _) => languages.push((language, inside)),
                },
                OnTexts::Loose => loose = true,
            }
        }
        let fits = |text: &str| {
            if forbidden.contains(&text) {
                return false;
            }
            let outcomes = self.outcomes(&Slot::Value(quoted(text)));
            outcomes.len() == self.tests.len()
                && self
                    .tests
                    .iter()
                    .zip(outcomes)
                    .enumerate()
                    .all(|(index, ((_, _, wanted), outcome))| narrowed(index, *wanted).has(outcome))
        };
        if fits("") {
            return Search::Found(String::new());
        }
        let wanted: Vec<(&Language, bool)> = languages.iter().map(|(language, inside)| (language, *inside)).collect();
        if loose {
            if let Some(text) = self.named_texts().into_iter().find(|text| fits(text)) {
                return Search::Found(text);
            }
            // Without what cannot be looked into: if even that is empty, so is the whole.
            if find_text(&wanted, &["x"], &|_| true, self.steps) == Search::Empty {
                return Search::Empty;
            }
            /// Texts are tried one by one, each at the cost of all tests.
            const MOST_STEPS: u64 = 20_000;
            let few = self.steps.part(MOST_STEPS);
            let found = find_text(&wanted, &["x"], &fits, &few);
            self.steps.pay_for(&few);
            return if let Search::Found(_) = found { found } else { Search::Unknown };
        }
        find_text(&wanted, &["x"], &fits, self.steps)
    }

    /// Texts that the tests themselves suggest.
    fn named_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for literal in self.literals() {
            if let Literal::Text(own) = literal {
                texts.push(own.to_string());
                texts.push(format!("{own}x"));
                texts.push(format!("x{own}"));
                texts.push(format!("{own} "));
                texts.push(format!("{own}\0"));
            }
        }
        for (_, test, _) in &self.tests {
            if self.steps.are_spent() {
                break;
            }
            let before = texts.len();
            match test {
                Test::Pattern(pattern) => texts.extend(example(pattern.as_str())),
                Test::Under(_, shown) => {
                    for own in shown.trim_matches(['[', ']']).split(", ") {
                        texts.push(own.to_owned());
                        texts.push(format!("{}/x", own.trim_end_matches('/')));
                    }
                    texts.extend(["/".to_owned(), "/x".to_owned(), "x".to_owned(), "~".to_owned()]);
                }
                Test::Host(hosts, _) => {
                    for host in hosts {
                        let fill = |piece: &Piece| match piece {
                            Piece::Literal(c) => c.to_string(),
                            _ => "x".to_owned(),
                        };
                        let host: String = host.pieces().iter().map(fill).collect();
                        texts.push(format!("https://{host}/"));
                    }
                    texts.extend(["https://x.invalid/".to_owned(), "x".to_owned()]);
                }
                Test::Size(bounds) => {
                    const MOST: u64 = 100_000;
                    let edges = [bounds.least, bounds.most.saturating_add(1), bounds.least.saturating_sub(1)];
                    let sizes = edges.into_iter().filter(|size| *size <= MOST);
                    texts.extend(sizes.map(|size| "x".repeat(usize::try_from(size).unwrap_or_default())));
                }
                _ => {}
            }
            self.steps.pay(texts.iter().skip(before).map(|text| of_text(text)).sum());
        }
        texts.push("x".to_owned());
        texts.push(String::new());
        texts
    }
}

/// How a test comes out for texts.
enum OnTexts {
    Always(Truth),
    /// True for these texts, false for all others.
    Language(Language),
    /// It has to be tried.
    Loose,
}

fn on_texts(test: &Test) -> OnTexts {
    let exact = |text: &str| -> Box<[Piece]> { text.chars().map(Piece::Literal).collect() };
    let texts = |own: &[Literal]| -> Vec<Box<[Piece]>> {
        own.iter().filter_map(|one| if let Literal::Text(text) = one { Some(exact(text)) } else { None }).collect()
    };
    let language = |any| Language::of_lists(vec![GlobList::new(any, Vec::new())]);
    match test {
        Test::Equals(Literal::Text(text)) => OnTexts::Language(language(vec![exact(text)])),
        Test::Equals(Literal::Null) => OnTexts::Always(Truth::False),
        Test::Equals(_) => OnTexts::Always(Truth::Error),
        Test::Ordered(_, Literal::Text(_)) => OnTexts::Loose,
        Test::Ordered(..) => OnTexts::Always(Truth::Error),
        Test::Contains(Literal::Text(text)) => {
            let inside = [Piece::Star].into_iter().chain(text.chars().map(Piece::Literal)).chain([Piece::Star]);
            OnTexts::Language(language(vec![inside.collect()]))
        }
        Test::Contains(_) => OnTexts::Always(Truth::Error),
        Test::In(own) => match texts(own) {
            texts if texts.is_empty() => OnTexts::Always(Truth::Error),
            texts => OnTexts::Language(language(texts)),
        },
        Test::NotIn(own) => match texts(own) {
            texts if texts.is_empty() => OnTexts::Always(Truth::Error),
            texts => OnTexts::Language(Language::of_lists(vec![GlobList::new(Vec::new(), texts)])),
        },
        Test::Exists(wanted) => OnTexts::Always((*wanted).into()),
        Test::Glob(globs, _) => OnTexts::Language(Language::of(globs)),
        Test::Pattern(_) | Test::Under(..) | Test::Host(..) | Test::Size(_) => OnTexts::Loose,
    }
}

pub(super) fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

/// A text that a regular expression probably matches.
fn example(pattern: &str) -> Option<String> {
    let parsed = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    spell(&parsed, &mut text, &mut 10_000)?;
    Some(text)
}

fn spell(part: &regex_syntax::hir::Hir, out: &mut String, steps: &mut u32) -> Option<()> {
    use regex_syntax::hir::{Class, HirKind};
    *steps = steps.checked_sub(1)?;
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => {
            let nice = |c: char| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c));
            let found = "xa0A_- ".chars().find(|c| nice(*c));
            out.push(found.or_else(|| class.ranges().first().map(|range| range.start()))?);
        }
        HirKind::Class(Class::Bytes(class)) => out.push(char::from(class.ranges().first()?.start())),
        HirKind::Repetition(repetition) => {
            // One is shown where none would do.
            let times = if repetition.max == Some(0) { 0 } else { repetition.min.max(1) };
            for _ in 0..times {
                spell(&repetition.sub, out, steps)?;
            }
        }
        HirKind::Capture(capture) => spell(&capture.sub, out, steps)?,
        HirKind::Concat(parts) => {
            for part in parts {
                spell(part, out, steps)?;
            }
        }
        HirKind::Alternation(parts) => spell(parts.first()?, out, steps)?,
    }
    Some(())
}
