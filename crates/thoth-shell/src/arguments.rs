//! The arguments of a held call for a person, so that they can imitate nothing else on the screen.
//!
//! Every line is no wider than asked, so that a terminal breaks none by itself. A string is in quotes on each of its
//! lines, and its own quotes and backslashes are escaped: no part of it can look like another argument.

use thoth_types::display;
use thoth_types::json::{Kind, Limits, Tape, Value};

use crate::cells::{broken, cell, columns, cut, first, oddities};

/// How much is shown of one value, and of all, where not everything is asked for; in bytes.
const VALUE_BYTES: usize = 16 * 1024;
const ALL_BYTES: usize = 64 * 1024;

/// Deeper levels are not set in further.
const DEEPEST: usize = 16;

/// The narrowest that a text is broken to.
const NARROWEST: usize = 24;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A part of the arguments.
    Text(String),
    /// What we say about the lines before.
    Note(String),
}

/// The arguments, line by line.
#[derive(Debug)]
pub struct Shown {
    /// In the order in which they are read.
    pub lines: Vec<Line>,
    /// How many bytes are not shown.
    pub left_out: usize,
}

/// How much to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Everything,
    /// As much as people read.
    Usual,
    /// No more than this many bytes.
    Brief(usize),
}

/// The arguments as indented JSON, in lines of at most `width` columns.
#[must_use]
pub fn shown(arguments: &[u8], width: usize, extent: Extent) -> Shown {
    let (value, all) = match extent {
        Extent::Everything => (usize::MAX, usize::MAX),
        Extent::Usual => (VALUE_BYTES, ALL_BYTES),
        Extent::Brief(bytes) => (bytes.min(VALUE_BYTES), bytes),
    };
    let mut page = Page { width: width.max(NARROWEST), value, left: all, lines: Vec::new(), left_out: 0, foreign: 0 };
    let mut tape = Tape::new();
    match tape.parse(arguments, &LIMITS) {
        Ok(root) => page.value("", root, "", 0),
        Err(_) => {
            page.note("these are not JSON, and stand here as the bytes of a text");
            page.string("", &String::from_utf8_lossy(arguments), "", 0);
        }
    }
    if page.foreign > 0 {
        let what = if page.foreign == 1 { "character is" } else { "characters are" };
        page.note(&format!("{} {what} not ASCII", page.foreign));
    }
    Shown { lines: page.lines, left_out: page.left_out }
}

/// What the gate lets through, whatever its limits were set to.
const LIMITS: Limits = Limits { max_bytes: usize::MAX, max_depth: 128, max_values: usize::MAX };

/// An object or an array, with what it holds.
struct Nested<'v> {
    open: &'static str,
    close: &'static str,
    whole: Value<'v>,
    items: Vec<(Option<Value<'v>>, Value<'v>)>,
}

struct Page {
    width: usize,
    value: usize,
    left: usize,
    lines: Vec<Line>,
    left_out: usize,
    foreign: usize,
}

impl Page {
    fn text(&mut self, depth: usize, text: &str) {
        let line = format!("{:indent$}{text}", "", indent = indent(depth));
        self.left = self.left.saturating_sub(line.len());
        self.lines.push(Line::Text(line));
    }

    fn note(&mut self, text: &str) {
        self.lines.push(Line::Note(text.to_owned()));
    }

    fn value(&mut self, before: &str, value: Value<'_>, after: &str, depth: usize) {
        match value.kind() {
            Kind::String | Kind::Key => {
                let text = value.as_str().unwrap_or_default();
                self.string(before, &text, after, depth);
            }
            Kind::Object => {
                let items = value.members().map(|(key, value)| (Some(key), value)).collect();
                self.nested(before, &Nested { open: "{", close: "}", whole: value, items }, after, depth);
            }
            Kind::Array => {
                let items = value.elements().map(|value| (None, value)).collect();
                self.nested(before, &Nested { open: "[", close: "]", whole: value, items }, after, depth);
            }
            Kind::Null | Kind::True | Kind::False | Kind::Number => {
                self.word(before, &String::from_utf8_lossy(value.raw()), after, depth);
            }
        }
    }

    fn nested(&mut self, before: &str, nested: &Nested<'_>, after: &str, depth: usize) {
        let Nested { open, close, whole, items } = nested;
        if items.is_empty() {
            return self.text(depth, &format!("{before}{open}{close}{after}"));
        }
        self.text(depth, &format!("{before}{open}"));
        for (index, (key, value)) in items.iter().enumerate() {
            if self.left == 0 {
                let start = key.as_ref().unwrap_or(value).span().start;
                let (bytes, count) = (whole.span().end.saturating_sub(start + 1), items.len() - index);
                self.left_out += bytes;
                let what = if count == 1 { "value is" } else { "values are" };
                self.note(&format!(
                    "{} more {what} not shown, {} bytes",
                    display::grouped(count),
                    display::grouped(bytes)
                ));
                break;
            }
            let after = if index + 1 == items.len() { "" } else { "," };
            match key.and_then(|key| key.as_str()) {
                None => self.value("", *value, after, depth + 1),
                Some(key) => {
                    let name = self.key(&key, depth + 1);
                    self.value(&name, *value, after, depth + 1);
                    self.remark(&key);
                }
            }
        }
        self.text(depth, &format!("{close}{after}"));
    }

    /// What stands before a member's value. A key that is too long for one line gets lines of its own.
    fn key(&mut self, key: &str, depth: usize) -> String {
        let short = format!("{}: ", display::quoted(key));
        if columns(&short) + indent(depth) + NARROWEST <= self.width {
            return short;
        }
        for line in broken(&escaped(key), self.width.saturating_sub(indent(depth) + 3)) {
            self.text(depth, &format!("\"{line}\""));
        }
        ": ".to_owned()
    }

    /// A number or a literal. Numbers may be as long as messages.
    fn word(&mut self, before: &str, text: &str, after: &str, depth: usize) {
        let room = self.width.saturating_sub(indent(depth) + columns(before) + after.len()).max(NARROWEST);
        let shown = text.len().min(self.value).min(self.left.max(1));
        let digits: Vec<char> = text.chars().take(shown).collect();
        let parts: Vec<String> = digits.chunks(room).map(|part| part.iter().collect()).collect();
        for (index, part) in parts.iter().enumerate() {
            let (before, after) = (
                if index == 0 { before.to_owned() } else { " ".repeat(columns(before)) },
                if index + 1 == parts.len() { after } else { "" },
            );
            self.text(depth, &format!("{before}{part}{after}"));
        }
        self.rest(text.len() - shown);
    }

    /// A string, a line of it on a line.
    fn string(&mut self, before: &str, text: &str, after: &str, depth: usize) {
        let column = columns(before);
        let room = self.width.saturating_sub(indent(depth) + column + after.len() + 2).max(NARROWEST - 2);
        let mut shown = self.value.min(self.left).min(text.len());
        while !text.is_char_boundary(shown) {
            shown -= 1;
        }
        let start = text.get(..shown).unwrap_or_default();
        let mut lines: Vec<String> = Vec::new();
        for line in start.split_inclusive('\n') {
            lines.extend(broken(&escaped(line), room));
        }
        let last = lines.pop().unwrap_or_default();
        let mut before = before.to_owned();
        for line in lines {
            self.text(depth, &format!("{before}\"{line}\""));
            before = " ".repeat(column);
        }
        self.text(depth, &format!("{before}\"{last}\"{after}"));
        self.rest(text.len() - shown);
        self.remark(text);
    }

    fn rest(&mut self, bytes: usize) {
        if bytes > 0 {
            self.left_out += bytes;
            self.note(&format!("{} more bytes of this value are not shown", display::grouped(bytes)));
        }
    }

    fn remark(&mut self, text: &str) {
        self.foreign += text.chars().filter(|c| !c.is_ascii()).count();
        for oddity in oddities(text) {
            self.note(oddity);
        }
    }
}

fn indent(depth: usize) -> usize {
    2 * depth.min(DEEPEST)
}

/// A string as it stands between quotes.
fn escaped(text: &str) -> String {
    let quoted = display::quoted(text);
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// The arguments on one line of at most `width` columns: `path="a" force=true`.
#[must_use]
pub fn one_line(arguments: &[u8], width: usize) -> String {
    let mut tape = Tape::new();
    let Ok(root) = tape.parse(arguments, &LIMITS) else { return cell(&String::from_utf8_lossy(arguments), width) };
    let mut text = String::new();
    for (key, value) in root.members() {
        if columns(&text) > width {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&display::name(first(&key.as_str().unwrap_or_default(), width)));
        text.push('=');
        match value.as_str() {
            Some(string) => {
                let start = first(&string, width);
                text.push_str(&display::quoted(start));
                if start.len() < string.len() {
                    break;
                }
            }
            // What is too long for the line need not be written out to its end.
            None if value.raw().len() > 8 * width => {
                text.push_str(&display::unmistakable(first(&String::from_utf8_lossy(value.raw()), width + 1)));
            }
            None => text.push_str(&display::json(value)),
        }
    }
    cut(&text, width)
}

/// Whether anything in the arguments looks like something that it is not.
#[must_use]
pub fn is_odd(arguments: &[u8]) -> bool {
    fn odd(value: Value<'_>) -> bool {
        value.as_str().is_some_and(|text| oddities(&text).next().is_some())
            || value.members().any(|(key, value)| odd(key) || odd(value))
            || value.elements().any(odd)
    }
    Tape::new().parse(arguments, &LIMITS).map_or(true, odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(shown: &Shown) -> String {
        let lines = shown.lines.iter().map(|line| match line {
            Line::Text(text) => format!("| {text}\n"),
            Line::Note(text) => format!("! {text}\n"),
        });
        lines.collect()
    }

    #[test]
    fn arguments_are_shown_in_full() {
        let arguments =
            r#"{"path":"/a \"b\"","n":1.0,"edits":[{"old":"one\ntwo","new":""},[],{}],"ok":true,"no":null}"#;
        let shown = shown(arguments.as_bytes(), 80, Extent::Everything);
        insta::assert_snapshot!(text(&shown), @r#"
        | {
        |   "path": "/a \"b\"",
        |   "n": 1.0,
        |   "edits": [
        |     {
        |       "old": "one\n"
        |              "two",
        |       "new": ""
        |     },
        |     [],
        |     {}
        |   ],
        |   "ok": true,
        |   "no": null
        | }
        "#);
        assert_eq!(shown.left_out, 0);
    }

    /// Defends: a string cannot imitate another argument, a line of ours, or reach the left edge of the terminal.
    #[test]
    fn a_hostile_string_stays_in_its_quotes() {
        let arguments = serde_json::json!({
            "a": "x\",\n  \"force\": false\n! nothing odd\u{1b}[2J\u{202e}\r p\u{430}y",
            "pad": format!("{}\"force\": false", " ".repeat(70)),
            "k\u{200b}\"": 1,
        });
        let shown = shown(arguments.to_string().as_bytes(), 60, Extent::Everything);
        insta::assert_snapshot!(text(&shown), @r#"
        | {
        |   "a": "x\",\n"
        |        "  \"force\": false\n"
        |        "! nothing odd\u{1b}[2J\u{202e}\r p\u{430}y",
        ! what is written as \u{…} cannot be seen, moves other text, or looks like something else
        |   "k\u{200b}\"": 1,
        ! what is written as \u{…} cannot be seen, moves other text, or looks like something else
        |   "pad": "                                                 "
        |          "                     \"force\": false"
        | }
        ! 3 characters are not ASCII
        "#);
    }

    #[test]
    fn lines_are_never_wider_than_asked() {
        let arguments = serde_json::json!({
            "long": "漢".repeat(500), "n".repeat(300): {"k".repeat(90): "v".repeat(200)},
            "deep": [[[[[[[[[[[[[[[[[[[["end of it all, and a bit more text"]]]]]]]]]]]]]]]]]]]],
        });
        let text = arguments.to_string().replace("\"end", &format!("{},\"end", "7".repeat(300)));
        for width in [40, 60, 80, 200] {
            for line in shown(text.as_bytes(), width, Extent::Everything).lines {
                let Line::Text(text) = line else { continue };
                // Where nothing else fits any more, 24 columns are kept for the text itself.
                assert!(columns(&text) <= width.max(32 + NARROWEST + 2), "{width}: {text}");
            }
        }
    }

    #[test]
    fn what_is_left_out_is_said() {
        let big = serde_json::json!({"big": "b".repeat(1 << 20), "z": vec!["last"; 40_000]}).to_string();
        let usual = shown(big.as_bytes(), 100, Extent::Usual);
        let text = text(&usual);
        assert!(text.contains("! 1,032,192 more bytes of this value are not shown"));
        assert!(text.contains("more values are not shown, "));
        assert!(text.len() < 2 * ALL_BYTES + 200_000 && usual.left_out > 1_000_000, "{}", text.len());
        let everything = shown(big.as_bytes(), 100, Extent::Everything);
        assert_eq!(everything.left_out, 0);
        assert!(everything.lines.iter().all(|line| matches!(line, Line::Text(_))));
        let letters = |line: &Line| if let Line::Text(text) = line { text.matches('b').count() } else { 0 };
        assert_eq!(everything.lines.iter().map(letters).sum::<usize>(), (1 << 20) + 1);
    }

    #[test]
    fn one_line_is_one_line() {
        let line = |value: serde_json::Value, width| one_line(value.to_string().as_bytes(), width);
        let value = serde_json::json!({"path": "a b\n", "f": [1, {"x": null}], "no key": true});
        assert_eq!(line(value.clone(), 80), r#"f=[1, {"x": null}] "no key"=true path="a b\n""#);
        assert_eq!(line(value, 12), r#"f=[1, {"x"…"#);
        let big = line(serde_json::json!({"big": "b\u{202e}".repeat(1 << 19)}), 30);
        assert_eq!(big, r#"big="b\u{202e}b\u{202e}b…"#);
        assert_eq!(one_line(b"{}", 30), "");
        assert_eq!(one_line(b"not\x1bjson", 30), r"not\u{1b}json");
        assert!(is_odd(r#"{"a":{"b":["p\u0430y"]}}"#.as_bytes()) && !is_odd(br#"{"a":["pay\n"]}"#));
    }
}
