//! Reading JSON: faults in words, bounds, places.

use std::ops::Range;

use super::super::{Document, Format, MAX_DEPTH, Value};

fn error(text: &str) -> String {
    Document::parse(Format::Json, text.as_bytes()).expect_err(text).to_string()
}

/// People read these: each says where, what was expected and what is there.
#[test]
fn faults() {
    for (text, expected) in [
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "2:9: expected a comma or `}`"),
        ("{\"a\": [1 2]}", "1:9: expected a comma or `]`"),
        ("{\"a\": {\"b\": 1]}", "1:14: expected a comma or `}`"),
        ("{\"a\": [1}", "1:9: expected a value, found `}`"),
        ("{\"a\" 1}", "1:6: expected `:` after a name, found `1`"),
        ("{\"a\": }", "1:7: expected a value, found `}`"),
        ("{\"a\":", "1:6: expected a value after `:`, found end of the file"),
        ("{\"a\": 1,, \"b\": 2}", "1:9: expected a name in double quotes or `}`, found `,`"),
        ("[1,,2]", "1:4: expected a value, found `,`"),
        ("{a: 1}", "1:2: expected a name in double quotes or `}`, found `a`"),
        ("{a}", "1:2: expected a name in double quotes or `}`, found `a`"),
        ("{\"a\": 1, b}", "1:10: expected a name in double quotes or `}`, found `b`"),
        ("{'a': 1}", "1:2: texts stand between double quotes, not single quotes"),
        ("{\"a\": 'x'}", "1:7: texts stand between double quotes, not single quotes"),
        ("{\"a\": yes}", "1:7: expected a value: a text in double quotes, a number, true, false or null"),
        ("{\"a\": 0x10}", "1:7: numbers are decimal in JSON"),
        ("{\"a\": +1}", "1:7: a number begins with a digit or `-`"),
        ("{\"a\": .5}", "1:7: a number needs digits on both sides of its point"),
        ("{\"a\": -Infinity}", "1:7: JSON has no infinity"),
        ("{\"a\": 01}", "1:8: expected a comma or `}`"),
        ("{\"a\": \"C:\\Users\"}", "1:10: JSON has no such escape; write a backslash as `\\\\`"),
        ("{\"a\": \"\\u12\"}", "1:8: expected four hexadecimal digits after `\\u`"),
        ("{\"a\": \"\\ud800\"}", "1:8: this `\\u` is half of a character; write both halves"),
        ("{\"a\": \"x\n}", "1:7: this text is not closed with `\"` on its line"),
        ("{\"a\": \"x\\", "1:7: this text is not closed with `\"` on its line"),
        ("{\"a\": \"x\ty\"}", "1:9: a tab inside a text; write it as `\\t`"),
        ("{\"a\": \"x\u{1}\"}", "1:9: a control character inside a text; write it as `\\u0001`"),
        ("{\"a\": 1 /* x", "1:9: this comment is never closed with `*/`"),
        ("{\n  \"a\": [\n", "2:8: this `[` is never closed"),
        ("{\n", "1:1: this `{` is never closed"),
        ("{} {}", "1:4: expected the end of the file, found `{`"),
        ("}", "1:1: expected a value, found `}`"),
        ("{\u{a0}}", "1:2: unexpected character U+00A0"),
        ("{\u{b}}", "1:2: unexpected character U+000B"),
        ("{\"é\": ü}", "1:7: unexpected `ü`"),
        ("\u{feff}{a", "1:2: expected a name in double quotes or `}`, found `a`"),
        ("\u{feff}\u{feff}{}", "1:1: unexpected character U+FEFF"),
        ("{\r\n\"a\": 1\r\n\"b\"}", "2:7: expected a comma or `}`"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn encodings_are_named() {
    for (bytes, expected) in [
        (&b"\xff\xfe{\0}\0"[..], "written in UTF-16, not UTF-8; save it as UTF-8"),
        (b"\xfe\xff\0{\0}", "written in UTF-16, not UTF-8; save it as UTF-8"),
        (b"{\0}\0", "written in UTF-16, not UTF-8; save it as UTF-8"),
        (b"{\n\"a\": \"\xe9\"}", "2:7: bytes that are not UTF-8; save the file as UTF-8"),
    ] {
        let error = Document::parse(Format::Json, bytes).expect_err("not UTF-8");
        assert_eq!(error.to_string(), expected);
    }
    let large = vec![b' '; super::super::MAX_BYTES + 1];
    let error = Document::parse(Format::Json, &large).expect_err("too large");
    assert_eq!(error.to_string(), "larger than 16 MiB, which no configuration file is");
}

/// What the parser recurses over is bounded before it runs.
#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Document::parse(Format::Json, nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(error(&nested(MAX_DEPTH + 1)), "1:129: nested deeper than 128 levels");
    assert_eq!(error(&"{\"a\":".repeat(1_000_000)), "1:641: nested deeper than 128 levels");
    let commented = format!("/* {} */ [\"{}\"] // {}", nested(999), nested(999), nested(999));
    assert!(Document::parse(Format::Json, commented.as_bytes()).is_ok());
}

/// Spans are of the whole text, the byte order mark included, and decoded texts are what readers see.
#[test]
fn the_tree_knows_its_places() {
    let text =
        "\u{feff}// c\r\n{ \"a\\u0062\": [ true, 1.5e3, null, \"x\\n\\ud83d\\ude00\", ], /* c */ \"e\": {}, }\r\n";
    let document = Document::parse(Format::Json, text.as_bytes()).expect("valid");
    assert_eq!(document.text(), text);
    let root = document.root();
    let slice = |span: &Range<usize>| text.get(span.clone()).expect("a span of the text");
    assert_eq!(slice(&root.span), text.trim_start_matches("\u{feff}// c\r\n").trim_ascii_end());
    let member = &root.members()[0];
    assert_eq!((member.key.as_str(), slice(&member.key_span)), ("ab", "\"a\\u0062\""));
    let items: Vec<_> = member.node.items().iter().map(|item| slice(&item.span)).collect();
    assert_eq!(items, ["true", "1.5e3", "null", "\"x\\n\\ud83d\\ude00\""]);
    assert_eq!(member.node.items()[0].value, Value::Bool(true));
    assert_eq!(member.node.items()[2].value, Value::Other);
    assert_eq!(member.node.items()[3].text(), Some("x\n😀"));
    assert_eq!(root.get("e").map(|node| &node.value), Some(&Value::Map(Vec::new())));
    assert_eq!(document.place(root.span.start).to_string(), "2:1");
    assert_eq!(document.place(3).to_string(), "1:1");
}

#[test]
fn nothing_is_an_empty_map() {
    for text in ["", " \r\n\t", "\u{feff}", "// only a comment", "/* one */ // two\n"] {
        let document = Document::parse(Format::Json, text.as_bytes()).expect(text);
        assert_eq!(document.root().value, Value::Map(Vec::new()), "{text:?}");
    }
}
