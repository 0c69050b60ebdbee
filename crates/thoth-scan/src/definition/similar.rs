//! How much two descriptions say the same.

use std::collections::HashSet;

/// Words that say nothing about what a tool does.
const EMPTY: &[&str] = &[
    "a", "an", "the", "of", "to", "in", "and", "or", "for", "from", "with", "by", "is", "it", "this", "that", "on",
    "as", "tool", "using", "given", "via",
];

/// The words of a description that say something, without endings.
pub(super) fn words(description: &str) -> HashSet<String> {
    let lower = description.to_lowercase();
    let all = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1 && !EMPTY.contains(word));
    all.take(400).map(stem).collect()
}

/// The words of a tool's name, without endings.
pub(super) fn words_of_name(name: &str) -> HashSet<String> {
    let mut words = HashSet::new();
    let mut word = String::new();
    let mut lower = false;
    for c in name.chars().take(96).chain([' ']) {
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && lower);
        if boundary && !word.is_empty() {
            words.insert(stem(&word));
            word.clear();
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    words
}

fn stem(word: &str) -> String {
    word.strip_suffix("es").or_else(|| word.strip_suffix('s')).unwrap_or(word).to_owned()
}

/// How two sets of words overlap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overlap {
    shared: usize,
    least: usize,
    all: usize,
}

impl Overlap {
    pub(super) fn of(one: &HashSet<String>, other: &HashSet<String>) -> Self {
        let shared = one.intersection(other).count();
        Self { shared, least: one.len().min(other.len()), all: one.len() + other.len() - shared }
    }

    /// Whether at least `per_cent` of all words are shared.
    pub(super) const fn of_all(self, per_cent: usize) -> bool {
        self.all > 0 && self.shared * 100 >= self.all * per_cent
    }

    /// Whether nearly every word of the shorter one stands in the longer one: what each has for itself tells honest
    /// tools apart, and a copy has nothing for itself.
    pub(super) const fn contained(self) -> bool {
        self.shared * 100 >= self.least * 85
    }

    /// How many words are shared.
    pub(super) const fn shared(self) -> usize {
        self.shared
    }
}
