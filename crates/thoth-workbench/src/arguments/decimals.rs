//! Numbers that lie at, and between, the numbers of some comparisons, exactly.

/// Beyond this exponent a number is not written out.
const MOST_PLACES: i64 = 400;

/// A number of the JSON grammar without an exponent: sign, digits before and after the point. `None` when it is too long
/// to be written out.
fn plain(text: &str) -> Option<(bool, String, String)> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    if exponent.abs() > MOST_PLACES {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let mut point = i64::try_from(whole.len()).ok()? + exponent;
    while point < 1 {
        digits.insert(0, '0');
        point += 1;
    }
    while i64::try_from(digits.len()).ok()? < point {
        digits.push('0');
    }
    let (whole, fraction) = digits.split_at_checked(usize::try_from(point).ok()?)?;
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some((negative, whole.to_owned(), fraction.trim_end_matches('0').to_owned()))
}

/// Numbers of which, for every way in which a number can compare with the given ones, one compares that way; the
/// plainest first. And whether that is so: numbers that are too long to be written out are left out.
pub(super) fn telling(given: &[&str]) -> (Vec<String>, bool) {
    let mut all = vec!["0".to_owned(), "1".to_owned(), "-1".to_owned()];
    let parts: Vec<_> = given.iter().filter_map(|text| plain(text)).collect();
    let complete = parts.len() == given.len();
    for (negative, whole, fraction) in &parts {
        let sign = if *negative { "-" } else { "" };
        let own = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        if let Ok(number) = own.parse::<i64>() {
            all.extend([number.checked_add(1), number.checked_sub(1)].into_iter().flatten().map(|n| n.to_string()));
        }
        all.push(own);
    }
    // A digit behind all digits of all numbers: past this one, and before the next one.
    let places = parts.iter().map(|(_, _, fraction)| fraction.len()).max().unwrap_or_default();
    for (negative, whole, fraction) in &parts {
        let zero = whole == "0" && fraction.is_empty();
        let signs: &[&str] = if zero {
            &["", "-"]
        } else if *negative {
            &["-"]
        } else {
            &[""]
        };
        for sign in signs {
            all.push(format!("{sign}{whole}.{fraction:0<places$}5"));
        }
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|text| seen.insert(text.clone()));
    (all, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends exactness: between any two numbers of a comparison there is one that tells them apart.
    #[test]
    fn every_gap_has_a_number() {
        for (given, between) in [
            (vec!["1", "2"], "1.5"),
            (vec!["1.5", "1.50000000000000000001"], "1.500000000000000000005"),
            (vec!["-2", "-1"], "-1.5"),
            (vec!["0", "1e-3"], "0.0005"),
            (vec!["-1e-2", "0"], "-0.005"),
            (vec!["1e3"], "1000.5"),
        ] {
            let (found, complete) = telling(&given);
            assert!(complete && found.iter().any(|text| text == between), "{given:?} {found:?}");
        }
        assert!(!telling(&["1e5000"]).1);
    }
}
