//! Versions of programs, as machines tell them, in order.

use std::cmp::Ordering;

/// Compares two versions: their numbers from left to right, an absent one as 0, then what is left as text. One with something
/// behind its numbers, such as `1.2.0-rc1`, comes before the one without.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (numbers, rest) = parts(one);
    let (others, other_rest) = parts(other);
    let longest = numbers.len().max(others.len());
    let number = |numbers: &[u64], at: usize| numbers.get(at).copied().unwrap_or_default();
    (0..longest)
        .map(|at| number(&numbers, at).cmp(&number(&others, at)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| rest.is_empty().cmp(&other_rest.is_empty()).then_with(|| rest.cmp(other_rest)))
}

fn parts(version: &str) -> (Vec<u64>, &str) {
    let version = version.trim().trim_start_matches(['v', 'V']);
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let (numbers, rest) = version.split_at(end);
    (numbers.split('.').map(|number| number.parse().unwrap_or_default()).collect(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order is that of the numbers, not of the letters.
    #[test]
    fn the_table_of_versions() {
        let ordered = ["0.9", "0.10-rc1", "0.10", "v1.0.0-rc1", "1.0.0", "1.2", "1.10.1"];
        for (at, one) in ordered.iter().enumerate() {
            for other in ordered.iter().skip(at + 1) {
                assert_eq!(compare(one, other), Ordering::Less, "{one} {other}");
                assert_eq!(compare(other, one), Ordering::Greater, "{other} {one}");
            }
        }
        for (one, other) in [("1", "1.0"), ("v2", "2.0.0"), ("99999999999999999999999", "0")] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
    }
}
