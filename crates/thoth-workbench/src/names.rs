//! The languages of names that a question is about, each kept once, and what is known of their combinations.

use std::collections::HashMap;

use thoth_policy::outline::{TextMatch, reads_as};

use crate::language::{Language, Search, find};
use crate::steps::Steps;

/// A language of a [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LanguageId(u32);

/// Whose name it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Tool,
    Server,
    Agent,
}

impl Whose {
    /// Names that are shown where any would do.
    const fn preferred(self) -> &'static [&'static str] {
        match self {
            Self::Tool => &["some_tool"],
            Self::Server => &["default", "some-server"],
            Self::Agent => &["some-agent"],
        }
    }
}

/// A name in some languages and in no others.
type Wish = Box<[(LanguageId, bool)]>;

/// All languages, by what they say.
#[derive(Debug, Default)]
pub(crate) struct Names {
    languages: Vec<Language>,
    known: HashMap<String, LanguageId>,
    found: HashMap<(Whose, Wish), Search<String>>,
}

impl Names {
    pub(crate) fn add(&mut self, text: &TextMatch) -> LanguageId {
        self.intern(format!("{text:?}"), || Language::of(text))
    }

    pub(crate) fn add_in_any_case(&mut self, text: &TextMatch) -> LanguageId {
        self.intern(format!("any case {text:?}"), || Language::in_any_case(text))
    }

    pub(crate) fn add_language(&mut self, language: Language) -> LanguageId {
        self.intern(format!("{language:?}"), || language)
    }

    fn intern(&mut self, key: String, make: impl FnOnce() -> Language) -> LanguageId {
        let next = LanguageId(u32::try_from(self.languages.len()).unwrap_or(u32::MAX));
        let id = *self.known.entry(key).or_insert(next);
        if id == next {
            self.languages.push(make());
        }
        id
    }

    /// What it takes to ask whether a language has a name.
    pub(crate) fn weight(&self, id: LanguageId) -> usize {
        self.languages.get(id.0 as usize).map(Language::weight).unwrap_or_default()
    }

    pub(crate) fn has(&self, id: LanguageId, name: &str) -> bool {
        self.languages.get(id.0 as usize).is_some_and(|language| language.has(name))
    }

    /// A name that lies in each language that is wanted and in none of the others.
    pub(crate) fn find(&mut self, whose: Whose, wish: &[(LanguageId, bool)], steps: &Steps) -> Search<String> {
        // Sorted, compared, and looked up.
        steps.pay(8 * (1 + wish.len()));
        let mut wish = wish.to_vec();
        wish.sort_unstable();
        wish.dedup();
        if wish.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return Search::Empty;
        }
        let key = (whose, wish.into_boxed_slice());
        if let Some(found) = self.found.get(&key) {
            return found.clone();
        }
        let languages: Vec<(&Language, bool)> =
            key.1.iter().filter_map(|(id, inside)| Some((self.languages.get(id.0 as usize)?, *inside))).collect();
        let fits = |name: &str| whose != Whose::Tool || reads_as(name) == name;
        let found = find(&languages, whose.preferred(), &fits, steps);
        /// What a long question remembers.
        const MOST: usize = 200_000;
        // What was left open for want of steps may be found with more.
        if self.found.len() < MOST && !steps.are_spent() {
            self.found.insert(key, found.clone());
        }
        found
    }
}
