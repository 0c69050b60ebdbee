//! The marks of what was taken out, such as `[REDACTED:secrets.password]`.
//!
//! A text in which something was cut is judged as if blanks stood there: a mark announces nothing, joins no two pieces to
//! a value, and is none itself. Redacting twice is redacting once.

use std::borrow::Cow;

const OPENS: &str = "[REDACTED:";
/// The classes of which something is taken out.
const CLASSES: [&str; 2] = ["secrets.", "personal_data."];
/// The longest name of a kind within its class.
const LONGEST: usize = 40;

/// The same text, byte for byte as long, with a blank for every byte of a mark.
pub(super) fn blanked(text: &str) -> Cow<'_, str> {
    // Nearly every text has none.
    if memchr::memchr(b'[', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out: Option<String> = None;
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(OPENS)).map(|at| from + at) {
        let behind = text.get(at + OPENS.len()..).unwrap_or_default();
        let length = mark_length(behind);
        let end = at + OPENS.len() + length.unwrap_or_default();
        if length.is_some() {
            let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
            out.push_str(text.get(out.len()..at).unwrap_or_default());
            out.extend(std::iter::repeat_n(' ', end - at));
        }
        from = end;
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(text.get(out.len()..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

/// How long the rest of a mark is. Only letters, and a number behind `#`: nothing that is looked for hides in one.
fn mark_length(behind: &str) -> Option<usize> {
    let class = CLASSES.iter().find(|class| behind.starts_with(**class))?;
    let kind = behind.get(class.len()..)?;
    let letters = kind.bytes().take(LONGEST).take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
    let rest = kind.get(letters..)?;
    let number = match rest.strip_prefix('#') {
        Some(digits) => 1 + digits.bytes().take(4).take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    (kind.as_bytes().get(letters + number) == Some(&b']')).then_some(class.len() + letters + number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_marks_are_blanked() {
        for (text, expected) in [
            ("plain", "plain"),
            ("é [REDACTED:secrets.github_token] x", "é                                 x"),
            ("[REDACTED:personal_data.us_ssn#12]", "                                  "),
            ("[REDACTED:secrets.a][REDACTED:secrets.b]", "                                        "),
            ("[REDACTED:secrets.a", "[REDACTED:secrets.a"),
            ("[REDACTED:secrets.a1b2c3]", "[REDACTED:secrets.a1b2c3]"),
            ("[REDACTED:ghp_x]", "[REDACTED:ghp_x]"),
            ("[REDACTED:[REDACTED:secrets.a]", "[REDACTED:                    "),
        ] {
            let blank = blanked(text);
            assert_eq!((&*blank, blank.len()), (expected, text.len()), "{text:?}");
        }
    }
}
