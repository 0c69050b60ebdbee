//! Names that look alike, found without comparing each with each.
//!
//! A deletion neighbourhood: a name is filed under its skeleton and under every form of it with one or two characters
//! left out. Two names are within an edit distance of d only if they share a form with at most d characters left out
//! of each, so a look-up costs what the name's own forms cost, whatever the number of names. The hash of a form is made
//! from the hashes of the name's beginnings in constant time, and the forms lie in one flat table.

use std::ops::Range;

use unicode_security::skeleton as unicode_skeleton;

use thoth_text::Text;

/// Names shorter than this are alike only when they look the same.
const SHORTEST_NEAR: usize = 5;
/// Names at least this long may differ by two characters.
const SHORTEST_FAR: usize = 10;
/// Longer names are compared by their beginnings.
const LONGEST: usize = 32;
/// The most names under one form that are compared with.
const MOST_PER_FORM: usize = 32;

/// What a name looks like: letters that look alike are one letter, and case does not matter.
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
    /// Which of the filed names it is.
    pub id: usize,
    /// How many characters differ; 0 when they look the same.
    pub distance: usize,
}

/// An index of names, made once.
#[derive(Debug)]
pub struct LookAlikes {
    names: Vec<Vec<char>>,
    /// Where the entries of each bucket begin; one more than there are buckets.
    starts: Vec<u32>,
    /// Hash and name of each form, bucket by bucket.
    entries: Vec<(u32, u32)>,
}

impl LookAlikes {
    /// Files names. Their ids are their places in the order given.
    #[must_use]
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<Vec<char>> = names.into_iter().map(form).collect();
        let mut forms: Vec<(u64, u32)> = Vec::new();
        for (id, name) in (0u32..).zip(&names) {
            deletions(name, |hash| forms.push((hash, id)));
        }
        let buckets = forms.len().next_power_of_two().max(2);
        let mut starts = vec![0u32; buckets + 1];
        for (hash, _) in &forms {
            if let Some(count) = starts.get_mut(bucket(*hash, buckets) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); forms.len()];
        for (hash, id) in forms {
            let Some(at) = next.get_mut(bucket(hash, buckets)) else { continue };
            if let Some(entry) = usize::try_from(*at).ok().and_then(|at| entries.get_mut(at)) {
                *entry = (check(hash), id);
            }
            *at += 1;
        }
        Self { names, starts, entries }
    }

    /// The filed names that look like this one, in the order of filing.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<Near> {
        self.near_outside(name, 0..0)
    }

    /// Likewise, without those whose ids are in `own`: however many there are of those, they hide none of the others.
    #[must_use]
    pub fn near_outside(&self, name: &str, own: Range<usize>) -> Vec<Near> {
        let form = form(name);
        let mut candidates: Vec<u32> = Vec::new();
        deletions(&form, |hash| {
            let filed = self.filed(hash);
            // The entries of a bucket stand in the order of filing.
            let edge = |at: usize| filed.partition_point(|(_, id)| usize::try_from(*id).is_ok_and(|id| id < at));
            let parts = [filed.get(..edge(own.start)), filed.get(edge(own.end)..)];
            for part in parts.into_iter().flatten() {
                let same = part.iter().filter(|(sum, _)| *sum == check(hash)).map(|(_, id)| *id);
                candidates.extend(same.take(MOST_PER_FORM));
            }
        });
        candidates.sort_unstable();
        candidates.dedup();
        let ids = candidates.into_iter().filter_map(|id| usize::try_from(id).ok());
        let near = ids.filter_map(|id| {
            let other = self.names.get(id)?;
            let most = allowed(form.len().min(other.len()));
            let distance = distance(&form, other, most)?;
            Some(Near { id, distance })
        });
        near.collect()
    }

    /// The entries of a form's bucket.
    fn filed(&self, hash: u64) -> &[(u32, u32)] {
        let at = bucket(hash, self.starts.len() - 1);
        let edge = |at: usize| self.starts.get(at).and_then(|start| usize::try_from(*start).ok()).unwrap_or_default();
        self.entries.get(edge(at)..edge(at + 1)).unwrap_or_default()
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

/// Buckets are a power of two.
fn bucket(hash: u64, buckets: usize) -> usize {
    usize::try_from(hash).unwrap_or_default() & (buckets - 1)
}

/// The half of a hash that the bucket does not use.
fn check(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash ^ (hash >> 32)
}

/// The hashes of a name and of its forms with as many characters left out as may differ.
fn deletions(form: &[char], mut each: impl FnMut(u64)) {
    // A polynomial in `BASE`: a part in the middle is taken out by subtraction.
    let mut before = vec![0u64];
    let mut power = vec![1u64];
    for c in form {
        let (last, top) = (before.last().copied().unwrap_or(0), power.last().copied().unwrap_or(1));
        before.push(last.wrapping_mul(BASE).wrapping_add(u64::from(*c) + 1));
        power.push(top.wrapping_mul(BASE));
    }
    let get = |list: &[u64], at: usize| list.get(at).copied().unwrap_or_default();
    let part =
        |from: usize, to: usize| get(&before, to).wrapping_sub(get(&before, from).wrapping_mul(get(&power, to - from)));
    let len = form.len();
    let whole = get(&before, len);
    each(finish(whole));
    // A longer name may be allowed more than this one is, so this one is filed as the longer one will look for it.
    let most = allowed(len + 2);
    if most == 0 {
        return;
    }
    for first in 0..len {
        let head = get(&before, first);
        let tail = part(first + 1, len);
        each(finish(head.wrapping_mul(get(&power, len - first - 1)).wrapping_add(tail)));
        if most < 2 {
            continue;
        }
        for second in first + 1..len {
            let middle = head.wrapping_mul(get(&power, second - first - 1)).wrapping_add(part(first + 1, second));
            each(finish(middle.wrapping_mul(get(&power, len - second - 1)).wrapping_add(part(second + 1, len))));
        }
    }
}

/// The edit distance, with neighbouring characters swapped as one edit; None when it is more than `most`.
fn distance(one: &[char], other: &[char], most: usize) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    // What both begin and end with is the same in every best alignment, and names that look alike share most.
    let head = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.get(head..).unwrap_or_default(), other.get(head..).unwrap_or_default());
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let one = one.get(..one.len() - tail).unwrap_or_default();
    let other = other.get(..other.len() - tail).unwrap_or_default();
    let mut rows = [[0usize; LONGEST + 1]; 3];
    let [before_last, last, row] = &mut rows;
    last.iter_mut().enumerate().for_each(|(at, cell)| *cell = at);
    for (i, a) in one.iter().enumerate() {
        let mut least = i + 1;
        let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
        let mut left = i + 1;
        row.iter_mut().take(1).for_each(|cell| *cell = i + 1);
        for (j, b) in other.iter().enumerate() {
            let mut best = (get(last, j) + usize::from(a != b)).min(get(last, j + 1) + 1).min(left + 1);
            if i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a) {
                best = best.min(get(before_last, j - 1) + 1);
            }
            row.iter_mut().skip(j + 1).take(1).for_each(|cell| *cell = best);
            left = best;
            least = least.min(best);
        }
        if least > most + 1 {
            return None;
        }
        std::mem::swap(before_last, last);
        std::mem::swap(last, row);
    }
    last.get(other.len()).copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(names: &[&str], name: &str) -> Vec<(usize, usize)> {
        LookAlikes::of(names.iter().copied()).near(name).into_iter().map(|near| (near.id, near.distance)).collect()
    }

    /// Defends what looks alike: letters of other scripts, separators, case, one or two characters of long names.
    #[test]
    fn names_that_look_alike() {
        let names = ["read_file", "list_issues", "get", "search_repositories"];
        assert_eq!(near(&names, "reаd_file"), [(0, 0)]);
        assert_eq!(near(&names, "readFile"), [(0, 0)]);
        assert_eq!(near(&names, "raed_file"), [(0, 1)]);
        assert_eq!(near(&names, "read_fil"), [(0, 1)]);
        assert_eq!(near(&names, "list_isues"), [(1, 1)]);
        assert_eq!(near(&names, "serch_repositoris"), [(3, 2)]);
        assert_eq!(near(&names, "got"), []);
        assert_eq!(near(&names, "write_file"), []);
    }

    proptest! {
        /// The index finds exactly what comparing with every name finds.
        #[test]
        fn the_index_misses_nothing(names in proptest::collection::vec("[ab]{3,13}", 1..24), name in "[ab]{3,13}") {
            let index = LookAlikes::of(names.iter().map(String::as_str));
            let found: Vec<usize> = index.near(&name).into_iter().map(|near| near.id).collect();
            let chars = |name: &str| name.chars().collect::<Vec<_>>();
            let expected = names.iter().enumerate().filter(|(_, other)| {
                distance(&chars(&name), &chars(other), allowed(name.len().min(other.len()))).is_some()
            });
            prop_assert_eq!(found, expected.map(|(id, _)| id).collect::<Vec<_>>());
        }
    }
}
