//! Texts from outside as a person may see them: nothing that a terminal or a dialogue would obey, hide, reorder, or pass
//! off as something else.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_security::MixedScript as _;
use unicode_security::confusable_detection::skeleton;

use crate::json::{Kind, Value};

/// How many combining marks one letter may carry. More of them draw over the lines above and below.
const MARKS: usize = 2;

/// The text on one line, with what would be obeyed, would not be seen, or would move its surroundings written out as
/// `\u{…}`: control characters, format characters such as the bidirectional ones, fillers, variation selectors, blanks
/// other than the space, private use, and piles of combining marks. Everything else stays as it is.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for character in text.chars() {
        marks = if is_mark(character) { marks + 1 } else { 0 };
        if is_obeyed(character) || marks > MARKS {
            push_escaped(&mut out, character);
        } else {
            out.push(character);
        }
    }
    out
}

/// Like [`harmless`], and what looks like ASCII without being it is written out, too: the foreign letters of a word that
/// mixes scripts or that reads as an ASCII word, and signs such as a slash that is none.
#[must_use]
pub fn unmistakable(text: &str) -> String {
    if text.is_ascii() {
        return harmless(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside = is_of_word(first);
        let end = rest.find(|c| is_of_word(c) != inside).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        if inside {
            if run.is_ascii() || (run.is_single_script() && !reads_as_ascii(run)) {
                out.push_str(&harmless(run));
            } else {
                run.chars().for_each(|c| push_unless_ascii(&mut out, c, true));
            }
        } else {
            let mut buffer = [0; 4];
            run.chars().for_each(|c| push_unless_ascii(&mut out, c, reads_as_ascii(c.encode_utf8(&mut buffer))));
        }
    }
    out
}

/// A name in the middle of a sentence or a row: as it is if it is plain, else as [`quoted`].
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { Cow::Borrowed(text) } else { Cow::Owned(quoted(text)) }
}

/// The text in double quotes, [`unmistakable`], and so that no two texts look the same: quotes and backslashes of its own
/// are escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// A JSON value on one line, without white space of its own: strings are unescaped and then [`quoted`], numbers stand as
/// they are written. It is what the reader of the value gets, not JSON.
#[must_use]
pub fn json(value: Value<'_>) -> String {
    let mut out = String::with_capacity(value.raw().len());
    push_json(&mut out, value);
    out
}

fn push_json(out: &mut String, value: Value<'_>) {
    match value.kind() {
        Kind::Object => {
            out.push('{');
            for (index, (key, value)) in value.members().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push_quoted(out, &key.as_str().unwrap_or_default());
                out.push_str(": ");
                push_json(out, value);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for (index, element) in value.elements().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push_json(out, element);
            }
            out.push(']');
        }
        Kind::String | Kind::Key => push_quoted(out, &value.as_str().unwrap_or_default()),
        // ASCII by JSON's grammar.
        _ => out.push_str(&String::from_utf8_lossy(value.raw())),
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\', '\n', '\r', '\t']) {
        let (before, from) = rest.split_at(at);
        out.push_str(&unmistakable(before));
        let mut left = from.chars();
        match left.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(own) => out.extend(['\\', own]),
            None => {}
        }
        rest = left.as_str();
    }
    out.push_str(&unmistakable(rest));
    out.push('"');
}

fn push_unless_ascii(out: &mut String, character: char, escape: bool) {
    if (escape && !character.is_ascii()) || is_obeyed(character) {
        push_escaped(out, character);
    } else {
        out.push(character);
    }
}

fn push_escaped(out: &mut String, character: char) {
    out.extend(character.escape_unicode());
}

fn is_mark(character: char) -> bool {
    !character.is_ascii() && is_combining_mark(character)
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || is_mark(character)
}

/// Whether a text that is not ASCII looks like one that is.
fn reads_as_ascii(text: &str) -> bool {
    !text.is_ascii() && skeleton(text).all(|c| c.is_ascii())
}

/// Whether a display would do something else with the character than draw it in its place.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        // Format characters as in Unicode's Cf (bidirectional controls, zero-width ones, tags), and its line separators.
        || matches!(character, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}')
        || matches!(character, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{110bd}' | '\u{110cd}')
        || matches!(character, '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        // What is drawn as nothing: joiners, fillers, variation selectors, the empty Braille pattern.
        || matches!(character, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}')
        || matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
        // Private use: nobody knows what is drawn.
        || matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// A number with its thousands set apart: `1,048,576`.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, Tape};
    use proptest::prelude::*;

    #[test]
    fn what_a_display_obeys_is_written_out() {
        for (text, shown) in [
            ("a \"b\" 'é' 日本 ❤", "a \"b\" 'é' 日本 ❤"),
            ("\u{1b}[31m\u{9b}2J\u{7f}\r\n\t", r"\u{1b}[31m\u{9b}2J\u{7f}\u{d}\u{a}\u{9}"),
            ("a\u{202e}cba\u{2066}\u{200f}", r"a\u{202e}cba\u{2066}\u{200f}"),
            (
                "a\u{200b}b\u{feff}\u{e0041}\u{fe0f}\u{e0100}\u{3164}",
                r"a\u{200b}b\u{feff}\u{e0041}\u{fe0f}\u{e0100}\u{3164}",
            ),
            ("a\u{a0}b\u{2003}c\u{3000}d\u{2028}", r"a\u{a0}b\u{2003}c\u{3000}d\u{2028}"),
            ("z\u{301}\u{302}\u{303}\u{304}", "z\u{301}\u{302}\\u{303}\\u{304}"),
            ("\u{e000}\u{10ffff}", r"\u{e000}\u{10ffff}"),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
    }

    #[test]
    fn what_looks_like_ascii_is_written_out() {
        for (text, shown) in [
            ("café über naïve 日本語 Привет, мир", "café über naïve 日本語 Привет, мир"),
            ("p\u{430}ypal.com", r"p\u{430}ypal.com"),
            // A whole word of another script that reads as an ASCII one.
            ("\u{440}\u{430}\u{443}", r"\u{440}\u{430}\u{443}"),
            ("/etc\u{2215}passwd", r"/etc\u{2215}passwd"),
            ("\u{ff52}\u{ff4d} -rf", r"\u{ff52}\u{ff4d} -rf"),
            ("\u{1d42b}m", r"\u{1d42b}m"),
        ] {
            assert_eq!(unmistakable(text), shown, "{text:?}");
        }
    }

    #[test]
    fn names_and_values_have_one_look_each() {
        assert_eq!(name("read_note"), "read_note");
        assert_eq!(name(""), "\"\"");
        assert_eq!(name("a b"), "\"a b\"");
        assert_eq!(quoted("\\u{202e} \"\n"), r#""\\u{202e} \"\n""#);
        assert_eq!(quoted("\u{202e} \"\n"), r#""\u{202e} \"\n""#);
        let mut tape = Tape::new();
        let text = br#" { "\u0072m" : [1.0, "\u202e\u000a", null , {}, true] } "#;
        let value = tape.parse(text, &Limits::default()).unwrap();
        assert_eq!(json(value), r#"{"rm": [1.0, "\u{202e}\n", null, {}, true]}"#);
    }

    proptest! {
        /// Nothing that is shown can start a line, talk to a terminal or turn the direction of writing.
        #[test]
        fn nothing_obeyed_is_left(text in any::<String>()) {
            for shown in [harmless(&text), unmistakable(&text), quoted(&text), name(&text).into_owned()] {
                prop_assert!(!shown.contains(is_obeyed), "{shown:?}");
            }
        }

        /// Two texts never look the same in quotes.
        #[test]
        fn quoting_is_reversible(a in "[\\\\u{}0ae\"\n\u{430}\u{202e}]{0,6}", b in "[\\\\u{}0ae\"\n\u{430}\u{202e}]{0,6}") {
            prop_assert_eq!(a == b, quoted(&a) == quoted(&b));
        }
    }
}
