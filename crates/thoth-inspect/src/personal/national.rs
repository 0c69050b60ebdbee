//! National identifiers that follow rules of their issuer or carry check digits.

use std::sync::LazyLock;

use super::super::detection::Confidence;
use super::super::leaf::{Hit, Leaf};
use super::announcer::Announcers;
use super::card::luhn;
use super::{DigitGroup, hit};

static SSN: LazyLock<Announcers> =
    LazyLock::new(|| Announcers::new(&["ssn", "social security", "social", "socialsecurity"]));
static CPF: LazyLock<Announcers> = LazyLock::new(|| Announcers::new(&["cpf"]));
static SIN: LazyLock<Announcers> = LazyLock::new(|| Announcers::new(&["sin", "social insurance", "nas"]));
static AADHAAR: LazyLock<Announcers> = LazyLock::new(|| Announcers::new(&["aadhaar", "aadhar", "uidai", "uid"]));
static DNI: LazyLock<Announcers> = LazyLock::new(|| Announcers::new(&["dni", "nif", "documento"]));

/// Judges a group of digits.
pub(super) fn check(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    us_social_security(leaf, group)
        .or_else(|| brazil_cpf(leaf, group))
        .or_else(|| canada_sin(leaf, group))
        .or_else(|| india_aadhaar(leaf, group))
        .or_else(|| china_resident(leaf, group))
        .or_else(|| spain_dni(leaf, group))
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// Area, group and serial may not be zero; no area is 666 or above 899. Numbers of advertisements are nobody's.
fn us_social_security(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    if group.digits != 9 || !group.is_clean() {
        return None;
    }
    let named = || SSN.announce(leaf, group.start);
    let written = match (group.separator, group.parts()) {
        (Some(b'-'), [3, 2, 4]) => !group.numbered || named(),
        (Some(b' '), [3, 2, 4]) | (None, _) => named(),
        _ => false,
    };
    let digits = group.values();
    let area = number(digits.get(..3)?);
    let valid = !matches!(area, 0 | 666 | 900..) && number(digits.get(3..5)?) != 0 && number(digits.get(5..)?) != 0;
    let advertised = matches!(number(digits), 78_051_120 | 219_099_999 | 457_555_462);
    (written && valid && !advertised)
        .then(|| hit("personal_data.us_ssn", group.start..group.end, Confidence::High, "a US social security number"))
}

/// `123.456.789-09` with two check digits mod 11.
fn brazil_cpf(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    if group.digits != 11 || group.touches_letters {
        return None;
    }
    let written = (group.mixed && matches!(group.parts(), [3, 3, 3, 2]))
        || (group.separator.is_none() && CPF.announce(leaf, group.start));
    let digits = group.values();
    let check = |count: usize| {
        let sum: u32 = digits
            .iter()
            .take(count)
            .zip(2..=u32::try_from(count + 1).unwrap_or(2))
            .map(|(digit, at)| u32::from(*digit) * (u32::try_from(count).unwrap_or(0) + 3 - at))
            .sum();
        let rest = (sum * 10) % 11 % 10;
        digits.get(count).map(|digit| u32::from(*digit)) == Some(rest)
    };
    let same = digits.iter().all(|digit| Some(digit) == digits.first());
    (written && !same && check(9) && check(10))
        .then(|| hit("personal_data.br_cpf", group.start..group.end, Confidence::High, "a Brazilian CPF number"))
}

/// Nine digits with Luhn, named.
fn canada_sin(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    let shaped =
        group.digits == 9 && group.is_clean() && (group.separator.is_none() || matches!(group.parts(), [3, 3, 3]));
    (shaped && luhn(group.values()) && SIN.announce(leaf, group.start)).then(|| {
        hit("personal_data.ca_sin", group.start..group.end, Confidence::High, "a Canadian social insurance number")
    })
}

/// Twelve digits with a Verhoeff check digit, named.
fn india_aadhaar(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    let shaped =
        group.digits == 12 && group.is_clean() && (group.separator.is_none() || matches!(group.parts(), [4, 4, 4]));
    (shaped
        && !matches!(group.values().first(), Some(0 | 1))
        && verhoeff(group.values())
        && AADHAAR.announce(leaf, group.start))
    .then(|| hit("personal_data.in_aadhaar", group.start..group.end, Confidence::High, "an Indian Aadhaar number"))
}

/// The dihedral check of Verhoeff, computed in the group D5 and not from a table of products.
fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let mut check = 0;
    for (at, digit) in digits.iter().rev().enumerate() {
        let mut permuted = *digit;
        for _ in 0..at % 8 {
            permuted = PERMUTATION.get(usize::from(permuted)).copied().unwrap_or(0);
        }
        check = product(check, permuted);
    }
    check == 0
}

/// Seventeen digits with a date in them and a check character mod 11 (GB 11643).
fn china_resident(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    if group.separator.is_some() || !matches!(group.digits, 17 | 18) {
        return None;
    }
    let bytes = leaf.text.as_bytes();
    let before = group.start.checked_sub(1).and_then(|at| bytes.get(at));
    let after = |end: usize| bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
    let digits = group.values();
    let (end, last) = match (group.digits, bytes.get(group.end)) {
        (17, Some(b'X' | b'x')) => (group.end + 1, 10),
        (18, _) => (group.end, u32::from(*digits.get(17)?)),
        _ => return None,
    };
    if before.is_some_and(u8::is_ascii_alphanumeric) || after(end) {
        return None;
    }
    let (year, month, day) = (number(digits.get(6..10)?), number(digits.get(10..12)?), number(digits.get(12..14)?));
    let dated = (1900..=2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let province = number(digits.get(..2)?);
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let valid = dated && (11..=82).contains(&province) && (12 - sum % 11) % 11 == last;
    valid.then(|| {
        hit("personal_data.cn_resident_id", group.start..end, Confidence::High, "a Chinese resident identity number")
    })
}

/// Eight digits and a letter that is their rest mod 23, named.
fn spain_dni(leaf: &Leaf<'_>, group: &DigitGroup) -> Option<Hit> {
    let bytes = leaf.text.as_bytes();
    if group.digits != 8 || group.separator.is_some() {
        return None;
    }
    let at = if bytes.get(group.end) == Some(&b'-') { group.end + 1 } else { group.end };
    let letter = bytes.get(at)?.to_ascii_uppercase();
    let rest = usize::try_from(number(group.values()) % 23).ok()?;
    let valid = b"TRWAGMYFPDXBNJZSQVHLCKE".get(rest) == Some(&letter)
        && !bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
    (valid && DNI.announce(leaf, group.start))
        .then(|| hit("personal_data.es_dni", group.start..at + 1, Confidence::High, "a Spanish DNI number"))
}
