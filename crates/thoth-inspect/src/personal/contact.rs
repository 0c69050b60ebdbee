//! Mail addresses and phone numbers. Off by default: they are what most tools are about.

use std::sync::LazyLock;

use regex::Regex;

use super::super::detection::Confidence;
use super::super::leaf::Hit;
use super::hit;

// INVARIANT: both patterns compile; a test holds it.
static PHONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:\+[0-9]{1,3}[ .-]?)(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{2,4}(?:[ .-]?[0-9]{2,4}){1,4}\b|\([0-9]{3}\) ?[0-9]{3}-[0-9]{4}\b|\b[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}\b").ok()
});

/// Finds mail addresses: around each `@`, a local part and a domain with a dot.
pub(super) fn find_email(text: &str, hits: &mut Vec<Hit>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr::memchr_iter(b'@', bytes) {
        let local = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
        let domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let head = bytes.get(done.max(at.saturating_sub(64))..at).unwrap_or_default();
        let before = head.iter().rev().take_while(|byte| local(byte)).count();
        let tail = bytes.get(at + 1..).unwrap_or_default();
        let mut after = tail.iter().take(255).take_while(|byte| domain(byte)).count();
        while after > 0 && matches!(tail.get(after - 1), Some(b'.' | b'-')) {
            after -= 1;
        }
        let name = tail.get(..after).unwrap_or_default();
        let top = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let dotted = top.len() < name.len() && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
        if before > 0 && dotted {
            done = at + 1 + after;
            hits.push(hit("personal_data.email", at - before..done, Confidence::High, "a mail address"));
        }
    }
}

/// Finds phone numbers that are written as such: international, or in North American groups.
pub(super) fn find_phone(text: &str, hits: &mut Vec<Hit>) {
    let Some(phone) = PHONE.as_ref() else { return };
    for found in phone.find_iter(text) {
        let digits = found.as_str().bytes().filter(u8::is_ascii_digit).count();
        if (7..=15).contains(&digits) {
            hits.push(hit("personal_data.phone", found.range(), Confidence::Medium, "a phone number"));
        }
    }
}
