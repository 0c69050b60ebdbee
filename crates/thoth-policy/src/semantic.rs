//! The heuristic `semantic` condition: keyword sets, not a model.

use aho_corasick::AhoCorasick;
use thoth_types::json::{Kind, Value};

use crate::query::Query;
use crate::truth::Truth;

/// The named categories. A keyword is looked for anywhere in the tool's and server's names, argument names and
/// argument values, ignoring ASCII case.
pub(crate) const CATEGORIES: [(&str, &[&str]); 5] = [
    (
        "destructive",
        &["delete", "remove", "drop", "truncate", "destroy", "wipe", "purge", "erase", "rm -", "unlink", "format"],
    ),
    (
        "data_exposure",
        &["export", "dump", "upload", "share", "publish", "exfiltrate", "send", "email", "download", "backup"],
    ),
    (
        "privileged",
        &["admin", "sudo", "root", "grant", "permission", "privilege", "role", "credential", "chmod", "chown"],
    ),
    (
        "financial",
        &["payment", "transfer", "invoice", "refund", "charge", "purchase", "payout", "withdraw", "bank", "wire"],
    ),
    (
        "pii",
        &["ssn", "social security", "passport", "birth", "phone", "address", "e-mail", "email", "medical", "patient"],
    ),
];

/// A compiled `semantic` condition.
#[derive(Debug, Clone)]
pub struct Semantic {
    /// The category, or the words.
    pub text: Box<str>,
    keywords: usize,
    /// Any keyword suffices (a category), or all are wanted (free text).
    any: bool,
    finder: AhoCorasick,
}

/// More words than this in one free text are refused: found words are bits of a number.
const MAX_WORDS: usize = 64;

impl Semantic {
    /// Compiles a category's name or a free text; `None` when it has no usable words.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let category = CATEGORIES.iter().find(|(name, _)| *name == text);
        let words: Vec<String> = match category {
            Some((_, words)) => words.iter().map(|word| (*word).to_owned()).collect(),
            None => {
                let mut words: Vec<String> = text
                    .split(|c: char| !c.is_alphanumeric())
                    .filter(|word| word.chars().count() > 2)
                    .map(str::to_lowercase)
                    .collect();
                words.sort();
                words.dedup();
                words
            }
        };
        if words.is_empty() || words.len() > MAX_WORDS {
            return None;
        }
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(&words).ok()?;
        Some(Self { text: text.into(), keywords: words.len(), any: category.is_some(), finder })
    }

    /// A text that is about it.
    #[must_use]
    pub fn example(&self) -> &str {
        let category = CATEGORIES.iter().find(|(name, _)| **name == *self.text);
        category.and_then(|(_, words)| words.first()).copied().unwrap_or(&self.text)
    }

    /// Whether the call is about it. Free text of which only some words are found is undecided.
    pub(crate) fn holds(&self, tool: &str, query: &Query<'_>) -> Truth {
        let mut found = 0_u64;
        self.look(tool, &mut found);
        self.look(query.server, &mut found);
        if let Some(value) = query.arguments.value() {
            self.walk(value, &mut found);
        }
        let count = found.count_ones() as usize;
        match count {
            0 => Truth::False,
            _ if self.any || count == self.keywords => Truth::True,
            _ => Truth::Error,
        }
    }

    fn look(&self, text: &str, found: &mut u64) {
        for hit in self.finder.find_overlapping_iter(text) {
            *found |= 1 << hit.pattern().as_usize();
        }
    }

    // Recursion is bounded by the parser's depth limit.
    fn walk(&self, value: Value<'_>, found: &mut u64) {
        match value.kind() {
            Kind::String => {
                if let Some(text) = value.as_str() {
                    self.look(&text, found);
                }
            }
            Kind::Array => value.elements().for_each(|element| self.walk(element, found)),
            Kind::Object => {
                for (key, value) in value.members() {
                    if let Some(text) = key.as_str() {
                        self.look(&text, found);
                    }
                    self.walk(value, found);
                }
            }
            _ => {}
        }
    }
}
