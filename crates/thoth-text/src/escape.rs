//! Escapes that stand for characters: HTML entities, percent escapes, backslash escapes, terminal sequences.

use std::borrow::Cow;
use std::sync::LazyLock;

/// The longest entity name is 31 letters; numbers are shorter.
const LONGEST_ENTITY: usize = 34;

/// Entities that text is full of; all others are looked up.
const COMMON: &[(&str, &str)] =
    &[("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", "\u{a0}")];

/// The entity at the start of `text`, which begins with `&`: what it stands for and how long it is.
pub(super) fn entity(text: &str) -> Option<(Cow<'_, str>, usize)> {
    for (name, decoded) in COMMON {
        if text.starts_with(name) {
            return Some((Cow::Borrowed(decoded), name.len()));
        }
    }
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let name = text.as_bytes().iter().skip(1).take(LONGEST_ENTITY).take_while(|byte| in_name(byte)).count();
    if name == 0 || text.as_bytes().get(name + 1) != Some(&b';') {
        return None;
    }
    let whole = text.get(..name + 2)?;
    if !whole.starts_with("&#") {
        return named(whole).map(|decoded| (decoded, whole.len()));
    }
    let decoded = htmlize::unescape(whole);
    (decoded != whole).then_some((decoded, whole.len()))
}

/// A name without its semicolon, and what it stands for.
type Bare = (&'static [u8], &'static [u8]);

/// The names that stand for something even where other letters follow, as `&not` in `&notit;`, by their first letter.
static BARE: LazyLock<[Vec<Bare>; 128]> = LazyLock::new(|| {
    let mut all = [const { Vec::new() }; 128];
    for (&name, &decoded) in htmlize::ENTITIES.entries().filter(|(name, _)| !name.ends_with(b";")) {
        if let Some(first) = name.get(1).and_then(|first| all.get_mut(usize::from(*first))) {
            first.push((name, decoded));
        }
    }
    all
});

/// What a named entity stands for, `&` and semicolon included. One look at the table, and at the few bare names: a text
/// may be nothing but entities, and none of them known.
fn named(whole: &str) -> Option<Cow<'_, str>> {
    if let Some(decoded) = htmlize::ENTITIES.get(whole.as_bytes()) {
        return std::str::from_utf8(decoded).ok().map(Cow::Borrowed);
    }
    let first = usize::from(*whole.as_bytes().get(1)?);
    let (name, decoded) = BARE.get(first)?.iter().find(|(name, _)| whole.as_bytes().starts_with(name))?;
    let rest = whole.get(name.len()..)?;
    Some(Cow::Owned([std::str::from_utf8(decoded).ok()?, rest].concat()))
}

/// How many percent escapes in a row are one character at most.
const LONGEST_UTF8: usize = 4;

/// The percent-escaped character at the start of `text`, which begins with `%`.
pub(super) fn percent(text: &str) -> Option<(char, usize)> {
    bytes_after(text, 1, |rest| rest.strip_prefix('%'))
}

/// The backslash escape at the start of `text`: `\x41`, `\u0041`, `\u{41}`, `\U00000041`.
pub(super) fn backslash(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('\\')?;
    match rest.bytes().next()? {
        b'x' => bytes_after(text, 2, |rest| rest.strip_prefix("\\x")),
        b'u' => {
            if let Some(braced) = rest.strip_prefix("u{") {
                let end = braced.bytes().take(7).position(|byte| byte == b'}')?;
                return Some((char::from_u32(hex(braced.get(..end)?)?)?, end + 4));
            }
            let unit = hex(rest.get(1..5)?)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((c, 6));
            }
            let low = hex(rest.get(5..)?.strip_prefix("\\u")?.get(..4)?)?;
            let pair = (0xD800..0xDC00).contains(&unit) && (0xDC00..0xE000).contains(&low);
            let code = 0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
            char::from_u32(code).filter(|_| pair).map(|c| (c, 12))
        }
        b'U' => Some((char::from_u32(hex(rest.get(1..9)?)?)?, 10)),
        _ => None,
    }
}

fn hex(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// One character from escapes of two hexadecimal digits each, every one behind the same introducer.
fn bytes_after(text: &str, introducer: usize, strip: impl Fn(&str) -> Option<&str>) -> Option<(char, usize)> {
    let mut bytes = [0; LONGEST_UTF8];
    let mut rest = text;
    for count in 1..=LONGEST_UTF8 {
        let value = strip(rest).and_then(|body| body.get(..2)).and_then(hex)?;
        *bytes.get_mut(count - 1)? = u8::try_from(value).ok()?;
        rest = rest.get(introducer + 2..)?;
        if let Ok(decoded) = std::str::from_utf8(bytes.get(..count)?) {
            return Some((decoded.chars().next()?, count * (introducer + 2)));
        }
    }
    None
}

/// How long the terminal sequence is whose body starts at `text`, behind the escape character. Zero if none.
pub(super) fn terminal_body(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'[') => {
            let parameters = bytes.iter().skip(1).take_while(|byte| matches!(byte, 0x20..=0x3F)).count();
            let last = usize::from(matches!(bytes.get(1 + parameters), Some(0x40..=0x7E)));
            1 + parameters + last
        }
        // A string for the terminal ends with a bell or another escape. What it says stays in the view: only its
        // introducer goes.
        Some(b']' | b'P' | b'_' | b'^' | b'X' | b'(' | b')' | b'c' | b'7' | b'8' | b'\\') => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends the quick way to an entity: it says what the library says of a whole text.
    #[test]
    fn entities_are_those_of_html() {
        let names = htmlize::ENTITIES.keys().map(|name| std::str::from_utf8(name).unwrap().trim_end_matches(';'));
        let mut texts: Vec<String> = names.flat_map(|name| [format!("{name};"), format!("{name}x;")]).collect();
        let others = ["&x1;", "&zzz;", "&notit;", "&#65;", "&#x41;", "&#0;", "&#xffffff;", "&#;", "&1;"];
        texts.extend(others.map(str::to_owned));
        assert!(texts.len() > 4000, "{}", texts.len());
        for text in texts {
            let expected = htmlize::unescape(&*text);
            let expected = (expected != text).then_some((expected, text.len()));
            assert_eq!(entity(&text), expected, "{text}");
        }
    }
}
