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

/// Shared words over all words, from 0 to 1.
pub(super) fn similarity(one: &HashSet<String>, other: &HashSet<String>) -> f64 {
    let shared = one.intersection(other).count();
    let all = one.len() + other.len() - shared;
    if all == 0 { 0.0 } else { ratio(shared, all) }
}

/// Shared words over the words of the smaller one.
pub(super) fn containment(one: &HashSet<String>, other: &HashSet<String>) -> f64 {
    let shared = one.intersection(other).count();
    let least = one.len().min(other.len());
    if least == 0 { 0.0 } else { ratio(shared, least) }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let narrow = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    narrow(part) / narrow(whole)
}
