//! Payment card numbers: issuer range, length, Luhn.

use std::sync::LazyLock;

use super::super::detection::Confidence;
use super::super::effort::{self, Effort};
use super::super::leaf::{Hit, Leaf, LeafKind};
use super::super::words::Words;
use super::announcer::{Announcers, last_word_is};
use super::{DigitGroup, hit};

static WORDS: LazyLock<Announcers> = LazyLock::new(|| {
    Announcers::new(&[
        "card",
        "cards",
        "cc",
        "pan",
        "credit",
        "debit",
        "visa",
        "mastercard",
        "amex",
        "creditcard",
        "cardnumber",
        "tarjeta",
        "carte",
        "karte",
        "kreditkarte",
        "cartão",
        "carta",
    ])
});

/// Names of things that are numbers of their own.
static OTHER_NUMBERS: LazyLock<Words> = LazyLock::new(|| {
    Words::of_ends(&[
        "id",
        "ids",
        "timestamp",
        "time",
        "ts",
        "nonce",
        "hash",
        "seq",
        "sequence",
        "offset",
        "cursor",
        "order",
        "tracking",
        "isbn",
        "ean",
        "gtin",
        "upc",
        "sku",
        "serial",
        "imei",
        "version",
        "build",
        "commit",
        "account",
        "phone",
        "tel",
        "mobile",
        "uuid",
        "size",
        "bytes",
        "count",
        "number_of",
        "epoch",
        "snowflake",
        "trace",
        "span",
    ])
});

/// Judges a group of digits.
pub(super) fn check(leaf: &Leaf<'_>, group: &DigitGroup, effort: &mut Effort) -> Option<Hit> {
    if !group.is_clean() || !(13..=19).contains(&group.digits) || !issued(group.values()) || !luhn(group.values()) {
        return None;
    }
    let grouped = match group.separator {
        None => false,
        Some(b' ' | b'-') => {
            matches!(group.parts(), [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 3] | [4, 4, 5])
        }
        Some(_) => return None,
    };
    if group.separator.is_some() && !grouped {
        return None;
    }
    effort.reads(effort::CARD);
    let line = leaf.line(group.start);
    let named = WORDS.announce(leaf, group.start);
    let other = !named && (last_word_is(line.key, &OTHER_NUMBERS) || announced_by_other(leaf, group.start));
    let confidence = match (grouped, named, other, leaf.kind) {
        (_, true, _, _) => Confidence::High,
        _ if group.numbered => return None,
        (true, _, false, _) => Confidence::High,
        (false, false, true, _) => return None,
        // One number in ten passes Luhn by chance; without a name, a bare JSON number is more often an identifier.
        (false, false, false, LeafKind::Number) => Confidence::Low,
        // Amid other text, such as tables of numbers in programs, it says too little.
        (false, false, false, _) if line.end - line.start > group.end - group.start + 8 => Confidence::Low,
        (false, false, false, _) | (true, false, true, _) => Confidence::Medium,
    };
    Some(hit("personal_data.payment_card", group.start..group.end, confidence, "a payment card number"))
}

/// Whether text right before a number names another kind of number: `order_id=…`, `"timestamp": …`.
fn announced_by_other(leaf: &Leaf<'_>, start: usize) -> bool {
    let head = leaf.before(start, 28);
    let name_end = head.iter().rposition(|byte| byte.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
    let name = head.get(..name_end).unwrap_or_default();
    let from = name
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'&' | b'?' | b'/' | b','));
    let name = name.get(from.map_or(0, |at| at + 1)..).unwrap_or_default();
    std::str::from_utf8(name).is_ok_and(|name| last_word_is(name, &OTHER_NUMBERS))
}

/// Issuer ranges and their lengths (ISO/IEC 7812, the networks' published ranges).
fn issued(digits: &[u8]) -> bool {
    let length = digits.len();
    let lead = |n: usize| digits.iter().take(n).fold(0_u32, |lead, digit| lead * 10 + u32::from(*digit));
    if digits.iter().all(|digit| Some(digit) == digits.first()) {
        return false;
    }
    match lead(2) {
        40..=49 => matches!(length, 13 | 16 | 19),
        51..=55 => length == 16,
        22..=27 => length == 16 && (2221..=2720).contains(&lead(4)),
        34 | 37 => length == 15,
        35 => (3528..=3589).contains(&lead(4)) && (16..=19).contains(&length),
        30 => lead(3) <= 305 && length == 14,
        36 | 38 | 39 => length == 14,
        60 | 64 | 65 => length == 16 && (lead(4) == 6011 || (644..=659).contains(&lead(3))),
        62 => (16..=19).contains(&length),
        _ => false,
    }
}

/// The check digit of ISO/IEC 7812-1.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (1, digit @ 5..) => digit * 2 - 9,
            (1, digit) => digit * 2,
            (_, digit) => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}
