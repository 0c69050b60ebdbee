//! New values and names as text.

use super::super::Format;
use super::Plain;

/// A value on one line.
pub(super) fn inline(format: Format, value: &Plain) -> String {
    match value {
        Plain::Text(text) => quoted(text),
        Plain::Raw(token) => token.clone(),
        Plain::List(items) => {
            let items: Vec<_> = items.iter().map(|item| inline(format, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Plain::Map(members) if members.is_empty() => "{}".to_owned(),
        Plain::Map(members) => {
            let members: Vec<_> = members.iter().map(|(key, value)| member(format, key, value)).collect();
            let (open, close) = if format == Format::Toml { ("{ ", " }") } else { ("{", "}") };
            format!("{open}{}{close}", members.join(", "))
        }
    }
}

/// A member on one line, with the format's usual white space.
pub(super) fn member(format: Format, name: &str, value: &Plain) -> String {
    format!("{}{}{}", key(format, name), colon(format), inline(format, value))
}

/// What stands between a name and its value.
pub(super) const fn colon(format: Format) -> &'static str {
    match format {
        Format::Json | Format::Yaml => ": ",
        Format::Toml => " = ",
    }
}

/// A name.
pub(super) fn key(format: Format, name: &str) -> String {
    let letters = |extra: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte)) && !name.is_empty()
    };
    let bare = match format {
        Format::Json => false,
        Format::Toml => letters("_-"),
        Format::Yaml => letters("_-") && name.starts_with(|first: char| first.is_ascii_alphabetic()) && !is_word(name),
    };
    if bare { name.to_owned() } else { quoted(name) }
}

/// Whether YAML readers of either version take the bare word for something else than a text.
fn is_word(name: &str) -> bool {
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether a YAML token means the same in a block and between brackets: a quoted one, or words without what has a
/// meaning there.
pub(super) fn is_movable(token: &str) -> bool {
    token.starts_with(['"', '\'']) || !token.contains([',', '[', ']', '{', '}']) && !token.starts_with(['?', ':'])
}

/// A text between double quotes. The escapes mean the same in all three formats.
fn quoted(text: &str) -> String {
    let mut token = String::with_capacity(text.len() + 2);
    token.push('"');
    for character in text.chars() {
        match character {
            '"' => token.push_str("\\\""),
            '\\' => token.push_str("\\\\"),
            '\n' => token.push_str("\\n"),
            '\r' => token.push_str("\\r"),
            '\t' => token.push_str("\\t"),
            // Line breaks and marks that some reader treats in its own way.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                token.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => token.push(character),
        }
    }
    token.push('"');
    token
}
