//! Exact comparison of decimal numbers as text: `9007199254740993` and `9007199254740992` differ, `1e2` and `100.0`
//! do not. No allocation.

use std::cmp::Ordering;

/// A number of the JSON grammar, taken apart.
#[derive(Debug, Clone, Copy)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    /// How many digits stand before the point once leading zeros are gone; meaningless for zero.
    magnitude: i64,
    /// How many leading zero digits to skip.
    skip: usize,
    zero: bool,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Self {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.bytes().chain(fraction.bytes());
        let skip = digits.take_while(|d| *d == b'0').count();
        let zero = skip == whole.len() + fraction.len();
        // An exponent too long for an i64 is as good as infinite; it saturates.
        let exponent: i64 = exponent
            .strip_prefix('+')
            .unwrap_or(exponent)
            .parse()
            .unwrap_or(if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 });
        let places = |n: usize| i64::try_from(n).unwrap_or(i64::MAX / 4);
        let magnitude = exponent.saturating_add(places(whole.len())).saturating_sub(places(skip));
        Self {
            negative: negative && !zero,
            whole: whole.as_bytes(),
            fraction: fraction.as_bytes(),
            magnitude,
            skip,
            zero,
        }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + 'a {
        self.whole.iter().chain(self.fraction).copied().skip(self.skip)
    }
}

/// Compares two numbers of the JSON grammar by value.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Decimal::read(left), Decimal::read(right));
    match (left.zero, right.zero) {
        (true, true) => return Ordering::Equal,
        (true, false) => return if right.negative { Ordering::Greater } else { Ordering::Less },
        (false, true) => return if left.negative { Ordering::Less } else { Ordering::Greater },
        (false, false) => {}
    }
    match (left.negative, right.negative) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        _ => {}
    }
    let size = left.magnitude.cmp(&right.magnitude).then_with(|| compare_digits(left.digits(), right.digits()));
    if left.negative { size.reverse() } else { size }
}

fn compare_digits(mut left: impl Iterator<Item = u8>, mut right: impl Iterator<Item = u8>) -> Ordering {
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => match a.unwrap_or(b'0').cmp(&b.unwrap_or(b'0')) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

/// Whether the text is a number of the JSON grammar.
pub(crate) fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Defends exact comparison where a double would round.
    #[test]
    fn compares_by_value() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, expected) in [
            ("9007199254740993", "9007199254740992", Greater),
            ("1e2", "100.0", Equal),
            ("0.10", "1e-1", Equal),
            ("-0", "0.0e9", Equal),
            ("-1", "1", Less),
            ("-2", "-1", Less),
            ("0", "-1", Greater),
            ("1e400", "1e399", Greater),
            ("123", "12.4e1", Less),
            ("0.001", "1e-3", Equal),
            ("1e99999999999999999999", "1", Greater),
            ("1e-99999999999999999999", "1", Less),
            ("100", "1e2000", Less),
        ] {
            assert_eq!(compare(left, right), expected, "{left} {right}");
            assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
        }
        for (text, good) in [("1", true), ("-0.5e+3", true), ("01", false), ("1.", false), (".5", false), ("", false)] {
            assert_eq!(is_number(text), good, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integers(a in any::<i64>(), b in any::<i64>(), e in 0_u32..3) {
            let shifted = format!("{}.{}e{e}", a, "0".repeat(e as usize + 1));
            let wide = i128::from(a) * 10_i128.pow(e);
            prop_assert_eq!(compare(&shifted, &b.to_string()), wide.cmp(&i128::from(b)));
        }
    }
}
