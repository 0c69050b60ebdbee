//! Message ids: the exact token for answering, a normalised key for correlating.

use thoth_types::json::{Kind, Value};

use crate::fault::Fault;
use crate::refusal::RefusalCode;

/// The longest id that is accepted, in bytes of its token: a bound on what the in-flight table remembers.
pub const MAX_ID_BYTES: usize = 1024;

/// The id of a message, as it stands in the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Id<'d>(Value<'d>);

impl<'d> Id<'d> {
    /// Takes a string or an integral number as an id.
    pub(crate) fn read(value: Value<'d>) -> Result<Self, Fault> {
        if value.raw().len() > MAX_ID_BYTES {
            return Err(Fault::at(RefusalCode::IdTooLong, value));
        }
        match value.kind() {
            Kind::String => Ok(Self(value)),
            // Fractions are refused: peers round them, and rounding makes two ids one.
            Kind::Number if value.number_text().and_then(number_key).is_some() => Ok(Self(value)),
            _ => Err(Fault::at(RefusalCode::BadId, value)),
        }
    }

    /// The exact bytes of the token, quotes included.
    #[must_use]
    pub fn raw(&self) -> &'d [u8] {
        self.0.raw()
    }

    /// What it is compared by: `7`, `7.0` and `7e0` are equal, `"7"` is another, and no digit is lost however many
    /// there are.
    #[must_use]
    pub fn key(&self) -> IdKey {
        match self.0.number_text() {
            Some(text) => number_key(text).unwrap_or_else(|| IdKey(Repr::Text(text.into()))),
            None => IdKey(Repr::Text(self.0.as_str().unwrap_or_default().into())),
        }
    }
}

/// An id by which messages are correlated. Opaque; see [`Id::key`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdKey(Repr);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    /// Every integer that fits.
    Small(i64),
    /// Every other integer: sign, digits without zeros at either end, and how many zeros follow.
    Big { negative: bool, digits: Box<str>, zeros: i64 },
    /// A string's text, unescaped.
    Text(Box<str>),
}

impl IdKey {
    /// The key of a string id.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(Repr::Text(text.into()))
    }

    /// The key of a number id.
    #[must_use]
    pub const fn integer(number: i64) -> Self {
        Self(Repr::Small(number))
    }
}

/// Normalises the text of a JSON number; `None` when it is not an integer.
fn number_key(text: &str) -> Option<IdKey> {
    if let Ok(small) = text.parse::<i64>() {
        return Some(IdKey(Repr::Small(small)));
    }
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(IdKey(Repr::Small(0)));
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    // An exponent that does not fit makes the number no integer, or more than a double holds.
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let zeros =
        exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(i64::try_from(trailing).ok()?)?;
    if zeros < 0 {
        return None;
    }
    if let Some(small) = small_integer(negative, significant, zeros) {
        return Some(IdKey(Repr::Small(small)));
    }
    Some(IdKey(Repr::Big { negative, digits: significant.into(), zeros }))
}

fn small_integer(negative: bool, digits: &str, zeros: i64) -> Option<i64> {
    let scale = 10_i128.checked_pow(u32::try_from(zeros).ok()?)?;
    let magnitude = digits.parse::<i128>().ok()?.checked_mul(scale)?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Defends correlation: one number is one id however it is written, and no two numbers are.
    #[test]
    fn numbers_are_normalised_exactly() {
        let same: &[&[&str]] = &[
            &["7", "7.0", "7e0", "70e-1", "0.7E+1", "7.000"],
            &["0", "-0", "0.0", "0e5", "-0.0e-9", "0e99999999999999999999"],
            &["9007199254740993", "9007199254740993.0", "90071992547409930e-1"],
            &["9007199254740992"],
            &["-12", "-1.2e1"],
            &["123456789012345678901234567890", "12345678901234567890123456789e1", "1.2345678901234567890123456789e29"],
            &["123456789012345678901234567891"],
            &["1e19", "10000000000000000000", "100e17"],
            &["-9223372036854775808", "-9223372036854775808.0"],
            &["9223372036854775808"],
        ];
        for (i, group) in same.iter().enumerate() {
            for text in *group {
                let key = number_key(text).unwrap_or_else(|| panic!("{text} is an integer"));
                for (j, other) in same.iter().enumerate() {
                    for other in *other {
                        assert_eq!(number_key(other).as_ref() == Some(&key), i == j, "{text} and {other}");
                    }
                }
            }
        }
        for text in ["7.5", "1e-1", "1e-400", "1e-99999999999999999999"] {
            assert_eq!(number_key(text), None, "{text}");
        }
        assert_ne!(number_key("7"), Some(IdKey::text("7")));
    }

    proptest! {
        #[test]
        fn an_integer_keeps_its_identity_however_written(n in any::<i64>(), zeros in 0_usize..5) {
            let scaled = format!("{n}{}e-{zeros}", "0".repeat(zeros));
            let pointed = format!("{n}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(number_key(&scaled), Some(IdKey::integer(n)));
            prop_assert_eq!(number_key(&pointed), Some(IdKey::integer(n)));
        }
    }
}
