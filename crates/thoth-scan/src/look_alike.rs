//! Names that look alike, found without comparing each with each.
//!
//! A deletion neighbourhood: a name is filed under its skeleton and under every form of it with one or two characters
//! left out. Two names are within an edit distance of d when they share a form with at most d characters left out of
//! each, so a look-up costs what the name's own forms cost, whatever the number of names.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use unicode_security::skeleton as unicode_skeleton;

use crate::text::Text;

/// Names shorter than this are alike only when they look the same.
const SHORTEST_NEAR: usize = 5;
/// Names at least this long may differ by two characters.
const SHORTEST_FAR: usize = 10;
/// Longer names are compared by their beginnings.
const LONGEST: usize = 48;
/// More names than this under one form are not told apart.
const MOST_PER_FORM: usize = 64;

/// What a name looks like: letters that look alike are one letter, case and separators do not matter.
#[must_use]
pub fn skeleton(name: &str) -> String {
    let text = Text::read(name);
    let latin: String = text.view().chars().flat_map(char::to_lowercase).collect();
    if latin.is_ascii() {
        return latin;
    }
    unicode_skeleton(&latin).flat_map(char::to_lowercase).collect()
}

/// The skeleton without separators.
fn form(name: &str) -> Vec<char> {
    skeleton(name).chars().filter(|c| c.is_alphanumeric()).take(LONGEST).collect()
}

/// A name that looks like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    /// Whose name it is, as it was filed.
    pub id: usize,
    /// How many characters differ at most; 0 when they look the same.
    pub distance: usize,
}

/// An index of names.
#[derive(Debug, Default)]
pub struct LookAlikes {
    names: Vec<(Vec<char>, usize)>,
    forms: HashMap<u64, Vec<u32>>,
}

impl LookAlikes {
    /// Files a name.
    pub fn insert(&mut self, name: &str, id: usize) {
        let form = form(name);
        let Ok(at) = u32::try_from(self.names.len()) else { return };
        for key in deletions(&form) {
            let filed = self.forms.entry(key).or_default();
            if filed.len() < MOST_PER_FORM && filed.last() != Some(&at) {
                filed.push(at);
            }
        }
        self.names.push((form, id));
    }

    /// The filed names that look like this one, in the order of filing.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<Near> {
        let form = form(name);
        let mut candidates: Vec<u32> =
            deletions(&form).into_iter().filter_map(|key| self.forms.get(&key)).flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        let names = candidates.into_iter().filter_map(|at| self.names.get(usize::try_from(at).ok()?));
        let near = names.filter_map(|(other, id)| {
            let most = allowed(form.len().min(other.len()));
            let distance = distance(&form, other);
            (distance <= most).then_some(Near { id: *id, distance })
        });
        near.collect()
    }
}

/// How many characters may differ in a name of this length.
const fn allowed(len: usize) -> usize {
    match len {
        0..SHORTEST_NEAR => 0,
        SHORTEST_NEAR..SHORTEST_FAR => 1,
        _ => 2,
    }
}

fn key(chars: impl Iterator<Item = char>) -> u64 {
    let mut hasher = DefaultHasher::new();
    chars.for_each(|c| c.hash(&mut hasher));
    hasher.finish()
}

/// The name and its forms with as many characters left out as may differ.
fn deletions(form: &[char]) -> Vec<u64> {
    let without =
        |left_out: &[usize]| key(form.iter().enumerate().filter(|(at, _)| !left_out.contains(at)).map(|(_, c)| *c));
    let mut keys = vec![without(&[])];
    let most = allowed(form.len() + 1);
    if most >= 1 {
        keys.extend((0..form.len()).map(|at| without(&[at])));
    }
    if most >= 2 {
        for first in 0..form.len() {
            keys.extend((first + 1..form.len()).map(|second| without(&[first, second])));
        }
    }
    keys
}

/// The edit distance, with neighbouring characters swapped as one edit.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (get(&last, j) + usize::from(a != b)).min(get(&last, j + 1) + 1).min(get(&row, j) + 1);
            if i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a) {
                best = best.min(get(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}
