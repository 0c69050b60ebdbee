//! Tool names as a person reads them.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Characters that show nothing: a name with them looks like the name without. Unicode's default-ignorable code
/// points (DerivedCoreProperties.txt, version 16), which include the tag characters and variation selectors.
const fn invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// The name as it reads: Unicode NFKC, without invisible and control characters, without white space around it.
/// Borrowed when that changes nothing.
pub(crate) fn normalised(name: &str) -> Cow<'_, str> {
    let plain = name.bytes().all(|b| b.is_ascii() && !b.is_ascii_control());
    if plain {
        return Cow::Borrowed(name.trim_matches(' '));
    }
    let text: String = name.nfkc().filter(|c| !invisible(*c) && !c.is_control()).collect();
    let text = text.trim();
    if text == name { Cow::Borrowed(name) } else { Cow::Owned(text.to_owned()) }
}

/// The name for comparisons that must not be evaded by letter case: [`normalised`], then without case.
pub(crate) fn folded(name: &str) -> Cow<'_, str> {
    let text = normalised(name);
    if text.is_ascii() {
        let has_upper = text.bytes().any(|b| b.is_ascii_uppercase());
        return if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { text };
    }
    // Down, up and down again makes one of letters with several forms, as Unicode's case folding does. The parts of a
    // letter may compose only then.
    let upper = text.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    let lower: String = upper.flat_map(char::to_lowercase).nfkc().collect();
    if lower == *text { text } else { Cow::Owned(lower) }
}

/// The form of a tool's name under which its calls are counted: Unicode NFKC without invisible characters, control
/// characters and white space around it, in one letter case. `Read_File` and `read_file` share what they may use up.
/// Borrowed when that changes nothing.
#[must_use]
pub fn counted_name(tool: &str) -> Cow<'_, str> {
    folded(tool)
}

/// A DID for comparison with a block list: [`folded`], and without path, query and fragment.
pub(crate) fn folded_did(did: &str) -> Cow<'_, str> {
    fn bare(text: &str) -> &str {
        text.split(['#', '?', '/']).next().unwrap_or(text).trim_end()
    }
    match folded(did) {
        Cow::Borrowed(text) => Cow::Borrowed(bare(text)),
        Cow::Owned(text) => Cow::Owned(bare(&text).to_owned()),
    }
}

/// Whether the text has the shape of a DID (W3C DID Core 3.1): `did:`, a lower-case method, and an identifier.
pub(crate) fn is_did(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    parts.next() == Some("did")
        && parts.next().is_some_and(|method| {
            !method.is_empty() && method.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
        && parts.next().is_some_and(|id| {
            !id.is_empty()
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that a person cannot tell apart normalise to the same text.
    #[test]
    fn look_alikes_become_one() {
        for name in [
            "delete_file",
            "delete_file\n",
            " delete_file ",
            "delete\u{200B}_file",
            "\u{FF44}elete_file",
            "delete_file\u{E0041}",
            "delete\u{00AD}_file",
            "delete_file\u{0}",
        ] {
            assert_eq!(normalised(name), "delete_file", "{name:?}");
        }
        assert_eq!(folded("Delete_File "), "delete_file");
        for name in ["STRASSE", "straße", "STRAẞE", "straſſe"] {
            assert_eq!(folded(name), "strasse", "{name:?}");
        }
        assert_eq!(folded("ΟΔΟΣ"), folded("οδος"));
        assert_eq!(folded("H\u{331}"), folded("\u{1E96}"));
        assert_eq!(folded("\u{1F88}"), folded("\u{1F80}"));
        assert_eq!(folded_did("DID:mesh:ABC #key-1"), "did:mesh:abc");
        assert!(is_did("did:mesh:abc") && !is_did("did:mesh:") && !is_did("abc") && !is_did("did:mesh:a b"));
    }

    /// Defends counting: the usual name costs no allocation, and counting a counted name changes nothing.
    #[test]
    fn counted_names() {
        for name in ["read_file", "a", "", "x-y.z/0", "é_b"] {
            assert!(matches!(counted_name(name), Cow::Borrowed(same) if same == name), "{name:?}");
        }
        for name in ["Read_File", "read_file\n", " READ_FILE", "r\u{200B}ead_file", "\u{FF32}ead_file"] {
            assert_eq!(counted_name(name), "read_file", "{name:?}");
        }
        for c in '\0'..='\u{1FFFF}' {
            let name = format!("a{c}\u{331}B");
            let once = counted_name(&name);
            assert_eq!(counted_name(&once), once, "{name:?}");
        }
    }
}
