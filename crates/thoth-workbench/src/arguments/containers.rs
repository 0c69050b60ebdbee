//! Lists and objects as values of an argument.

use thoth_policy::Truth;
use thoth_policy::outline::{Literal, Test};

use super::Outcomes;
use super::document::Slot;
use super::values::{Question, quoted};
use crate::language::Search;

/// What is known of the elements of a list.
struct Elements<'q> {
    /// Texts that must be among them, as JSON.
    required: Vec<String>,
    /// Texts that must not.
    forbidden: Vec<&'q str>,
    /// Whether something is decided of each of them, so that there are some and all are texts.
    decided: bool,
}

impl Question<'_> {
    /// Lists, and whether these are all that matter.
    pub(super) fn arrays(&self) -> (Vec<Slot>, bool) {
        let elements = self.elements();
        let possible =
            |(_, test, wanted): &(_, &Test, Outcomes)| !wanted.and(on_lists(test, elements.decided)).is_none();
        if !self.tests.iter().all(possible) || !elements.required.iter().all(|element| self.admits(element)) {
            return (Vec::new(), true);
        }
        let mut complete = !self.tests.iter().any(|(_, test, _)| looks_at_the_whole(test));
        let mut mixed = Vec::new();
        complete &= self.differing(&elements, &mut mixed);
        let mut lists: Vec<Vec<String>> = vec![Vec::new(), vec!["1".to_owned()]];
        match self.some_text(&|index, wanted| self.decided(index, wanted), &elements.forbidden) {
            // A list of which something is decided has elements, and there are none for it.
            Search::Empty if elements.decided => return (Vec::new(), true),
            Search::Found(text) => {
                lists.push(vec![quoted(&text)]);
                if mixed.is_empty() {
                    mixed.push(quoted(&text));
                }
            }
            Search::Empty => {}
            Search::Unknown => complete = false,
        }
        let required = elements.required;
        lists.push(required.clone());
        // An element of another type leaves the others undecided.
        for odd in ["1", "\"x\"", "true"] {
            lists.push([&*required, &[odd.to_owned()]].concat());
        }
        lists.push([&*required, &*mixed].concat());
        lists.push(mixed.clone());
        let literals: Vec<String> = self.literals().into_iter().map(Literal::show).collect();
        for literal in &literals {
            self.steps.pay(2 + mixed.len());
            if self.steps.are_spent() {
                return (Vec::new(), false);
            }
            lists.push(vec![literal.clone()]);
            lists.push([&*mixed, std::slice::from_ref(literal)].concat());
        }
        lists.push(literals);
        (self.in_all_sizes(&lists), complete)
    }

    fn elements(&self) -> Elements<'_> {
        let mut elements = Elements { required: Vec::new(), forbidden: Vec::new(), decided: false };
        elements.decided = self.tests.iter().any(|(_, test, wanted)| is_about_text(test) && !wanted.has(Truth::Error));
        for (_, test, wanted) in &self.tests {
            match test {
                // Of texts alone it is always decided which are among them.
                Test::Contains(own) if !wanted.has(Truth::False) && (!wanted.has(Truth::Error) || elements.decided) => {
                    elements.required.push(own.show());
                }
                Test::Contains(Literal::Text(own)) if !wanted.has(Truth::True) => elements.forbidden.push(own),
                _ => {}
            }
        }
        elements
    }

    /// What is wanted of each element: all must agree where something is decided.
    fn decided(&self, index: usize, wanted: Outcomes) -> Outcomes {
        match self.tests.get(index) {
            Some((_, test, _)) if is_about_text(test) && !wanted.has(Truth::Error) => wanted,
            _ => Outcomes::ANY,
        }
    }

    fn admits(&self, element: &str) -> bool {
        let outcomes = self.outcomes(&Slot::Value(format!("[{element}]")));
        let mut tests = outcomes.into_iter().enumerate().zip(&self.tests);
        tests.all(|((index, outcome), (_, test, wanted))| {
            !is_about_text(test) || self.decided(index, *wanted).has(outcome)
        })
    }

    /// Texts that agree on what is to be decided and differ where nothing is. Whether all that there are were found.
    fn differing(&self, elements: &Elements<'_>, mixed: &mut Vec<String>) -> bool {
        let mut complete = true;
        for (at, (_, test, wanted)) in self.tests.iter().enumerate() {
            let choices: &[Outcomes] = match (wanted.has(Truth::True), wanted.has(Truth::False)) {
                _ if !is_about_text(test) || !wanted.has(Truth::Error) => &[],
                (true, true) => &[],
                (true, false) => &[Outcomes::TRUE],
                (false, true) => &[Outcomes::FALSE],
                (false, false) => &[Outcomes::TRUE, Outcomes::FALSE],
            };
            for choice in choices {
                let narrowed = |index: usize, wanted| if index == at { *choice } else { self.decided(index, wanted) };
                match self.some_text(&narrowed, &elements.forbidden) {
                    Search::Found(text) => mixed.push(quoted(&text)),
                    Search::Empty => {}
                    Search::Unknown => complete = false,
                }
            }
        }
        complete
    }

    /// The lists, longer ones where a size is wanted, and the lists that the tests name.
    fn in_all_sizes(&self, lists: &[Vec<String>]) -> Vec<Slot> {
        const MOST: u64 = 10_000;
        let slot = |list: &[String]| Slot::Value(format!("[{}]", list.join(",")));
        let mut slots: Vec<Slot> = Vec::new();
        for (_, test, _) in &self.tests {
            let Test::Size(bounds) = test else { continue };
            let sizes = [bounds.least, bounds.most.saturating_add(1), bounds.least.saturating_sub(1)];
            for size in sizes.into_iter().filter(|size| *size <= MOST) {
                let size = usize::try_from(size).unwrap_or_default();
                for list in lists.iter().filter(|list| list.len() <= size) {
                    let mut list = list.clone();
                    let filling = list.first().cloned().unwrap_or_else(|| "1".to_owned());
                    self.steps.pay(size);
                    if self.steps.are_spent() {
                        return slots;
                    }
                    list.resize(size, filling);
                    slots.push(slot(&list));
                }
            }
        }
        slots.extend(lists.iter().map(|list| slot(list)));
        let named = self.literals().into_iter().filter(|own| matches!(own, Literal::List(_)));
        slots.extend(named.map(|own| Slot::Value(own.show())));
        slots
    }

    /// Objects, and whether these are all that matter.
    pub(super) fn objects(&self) -> (Vec<Slot>, bool) {
        let mut complete = true;
        let mut slots = vec![Slot::Value("{}".to_owned())];
        let mut keys: Vec<String> = Vec::new();
        for (_, test, wanted) in &self.tests {
            match test {
                Test::Contains(Literal::Text(key)) if !wanted.has(Truth::False) => keys.push(quoted(key)),
                Test::Equals(own @ Literal::Map(_)) => {
                    slots.push(Slot::Value(own.show()));
                    complete = false;
                }
                Test::In(own) | Test::NotIn(own) if own.iter().any(|one| matches!(one, Literal::Map(_))) => {
                    slots.extend(own.iter().map(|one| Slot::Value(one.show())));
                    complete = false;
                }
                _ => {}
            }
        }
        keys.sort();
        keys.dedup();
        let members: Vec<String> = keys.iter().map(|key| format!("{key}:1")).collect();
        slots.push(Slot::Value(format!("{{{}}}", members.join(","))));
        (slots, complete)
    }
}

/// A test of texts, which a list passes if all of its elements do.
const fn is_about_text(test: &Test) -> bool {
    matches!(test, Test::Pattern(_) | Test::Glob(..) | Test::Under(..) | Test::Host(..))
}

/// A test that looks at more of a list than what its elements have in common.
fn looks_at_the_whole(test: &Test) -> bool {
    match test {
        Test::Contains(_) | Test::Size(_) | Test::Equals(Literal::List(_)) => true,
        Test::In(own) | Test::NotIn(own) => own.iter().any(|literal| matches!(literal, Literal::List(_))),
        _ => false,
    }
}

/// How a test can come out for lists; of texts alone, where that is known.
fn on_lists(test: &Test, of_texts: bool) -> Outcomes {
    match test {
        Test::Contains(Literal::Text(_)) if of_texts => Outcomes::ERROR.other(),
        Test::Contains(Literal::Null) if of_texts => Outcomes::FALSE,
        Test::Contains(_) if of_texts => Outcomes::ERROR,
        Test::Equals(Literal::Null) => Outcomes::FALSE,
        Test::Size(_) => Outcomes::ERROR.other(),
        Test::Exists(wanted) => Outcomes::of((*wanted).into()),
        test if is_about_text(test) || looks_at_the_whole(test) => Outcomes::ANY,
        _ => Outcomes::ERROR,
    }
}
