//! Reading YAML: faults in words, bounds, places.

use super::super::{Document, Form, Format, Node, Value};

fn error(text: &str) -> String {
    Document::parse(Format::Yaml, text.as_bytes()).err().map_or_else(|| "none".to_owned(), |error| error.to_string())
}

#[test]
fn faults() {
    for (text, expected) in [
        ("a: 1\na: 2", "2:1: this name is defined already"),
        ("a: 1\n\tb: 2", "1:4: a tab in the indentation; YAML indents with spaces"),
        ("\ta: 1", "1:1: a tab in the indentation; YAML indents with spaces"),
        ("a: 1\n b: 2", "2:3: unexpected `:`; check the indentation, or put the text between quotes"),
        ("a: b: c", "1:5: unexpected `:`; check the indentation, or put the text between quotes"),
        ("- a\nb: 1", "2:1: expected `-` or less indentation"),
        ("a: [1", "1:4: unclosed bracket '['"),
        ("\u{feff}a: \"x", "1:4: this text is never closed with its quote"),
        ("a: *x", "1:4: an alias (`*name`) without its anchor; put a text that begins with `*` between quotes"),
        ("a: @x", "1:4: unexpected character: `@'"),
        ("a: 1\n---\nb: 2", "2:1: a second document in one file"),
        ("? [a]\n: 1", "1:3: a list or map as a name"),
        (": 1", "1:1: a value without a name"),
        ("a: &x 1\n*x : 2", "2:1: an alias as a name"),
        ("a: \u{1}", "1:4: unexpected character: `\\u{1}'"),
        ("a: \"\\q\"", "1:4: while parsing a quoted scalar, found unknown escape character"),
        ("---\na: 1\n...\n", "none"),
        ("%YAML 1.2\n---\na: 1", "none"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    assert_eq!(error(&("[".repeat(128) + &"]".repeat(128))), "none");
    for text in ["[".repeat(1_000_000), "- ".repeat(10_000), "{a: ".repeat(100_000), "? ".repeat(10_000)] {
        let error = error(&text);
        assert!(error.contains("nested deeper than 128 levels") || error.contains("as a name"), "{error}");
    }
    let blocks: String = (0..1000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    assert_eq!(error(&blocks), "129:129: nested deeper than 128 levels");
    assert_eq!(
        error(&("- ".repeat(100) + &"[".repeat(100) + &"]".repeat(100))),
        "1:229: nested deeper than 128 levels"
    );
}

/// Each way to write a value, where it stands, and what may not be changed.
#[test]
fn the_tree_knows_its_places() {
    let text = "\u{feff}# c\r\na: plain text # d\r\nb:\r\n- x\r\n-   'it''s'\r\n-\r\nc: {\"d\": ~, e, f: [1, true], }\r\n\
        g: |\r\n  long\r\n  text\r\n\r\nh: &x\r\n  i: !t 1\r\n  j: [k]\r\nl: *x\r\nm:\r\n  <<: *x\r\n  n: 0x1F\r\no: two\r\n  lines\r\n\
        p: \"\"\r\nq:\r\n? r\r\n: s\r\n";
    let document = Document::parse(Format::Yaml, text.as_bytes()).expect("valid");
    let slice = |node: &Node| text.get(node.span.clone()).expect("a span of the text");
    let node = |path: &str| {
        path.split('.').filter(|step| !step.is_empty()).fold(document.root(), |node, step| {
            match step.parse::<usize>() {
                Ok(index) => &node.items()[index],
                Err(_) => node.get(step).expect(step),
            }
        })
    };
    let some = |text: &str| Value::Text(text.to_owned());
    for (path, form, place, value) in [
        ("a", Form::Token, "plain text", Some(some("plain text"))),
        ("b", Form::Block, "- x\r\n-   'it''s'\r\n-", None),
        ("b.0", Form::Token, "x", Some(some("x"))),
        ("b.1", Form::Token, "'it''s'", Some(some("it's"))),
        ("b.2", Form::Fixed, "", Some(Value::Other)),
        ("c", Form::Token, "{\"d\": ~, e, f: [1, true], }", None),
        ("c.d", Form::Token, "~", Some(Value::Other)),
        ("c.e", Form::Fixed, "", Some(Value::Other)),
        ("c.f.0", Form::Token, "1", Some(Value::Other)),
        ("c.f.1", Form::Token, "true", Some(Value::Bool(true))),
        ("g", Form::Fixed, "|\r\n  long\r\n  text", Some(some("long\ntext\n"))),
        ("h", Form::Fixed, "i: !t 1\r\n  j: [k]", None),
        ("h.i", Form::Fixed, "1", Some(Value::Other)),
        ("h.j", Form::Fixed, "[k]", None),
        ("h.j.0", Form::Fixed, "k", Some(some("k"))),
        ("l", Form::Fixed, "*x", Some(Value::Other)),
        ("m", Form::Fixed, "<<: *x\r\n  n: 0x1F", None),
        ("m.n", Form::Token, "0x1F", Some(Value::Other)),
        ("o", Form::Fixed, "two\r\n  lines", Some(some("two lines"))),
        ("p", Form::Token, "\"\"", Some(some(""))),
        ("q", Form::Fixed, "", Some(Value::Other)),
        ("r", Form::Token, "s", Some(some("s"))),
    ] {
        assert_eq!((node(path).form, slice(node(path))), (form, place), "{path}");
        if let Some(value) = value {
            assert_eq!(node(path).value, value, "{path}");
        }
    }
    assert_eq!(document.root().form, Form::Fixed, "it has a `?`");
    assert_eq!(document.place(node("a").span.start).to_string(), "2:4");
    let key = &document.root().members()[2].key_span;
    assert_eq!(text.get(key.clone()), Some("c"));
}

/// As YAML 1.2 reads unquoted words.
#[test]
fn words() {
    for (words, expected) in [
        (
            &[
                "~", "null", "NULL", "0", "-1", "+1.5", ".5", "5.", "1e3", "1.5E-7", "0o7", "0xfF", ".inf", "-.INF",
                ".nan",
            ][..],
            0,
        ),
        (&["true", "True", "FALSE"], 1),
        (
            &[
                "yes", "no", "on", "nUll", "--", "-y", ".", "1_000", "1.2.3", "0x", "e3", "1e", "12:30", "x1", "npx",
                "0b1",
            ],
            2,
        ),
    ] {
        for word in words {
            let document = Document::parse(Format::Yaml, format!("a: {word}\n").as_bytes());
            let kind = match document.map(|document| document.root().get("a").expect("a").value.clone()) {
                Ok(Value::Other) => 0,
                Ok(Value::Bool(_)) => 1,
                Ok(Value::Text(_)) => 2,
                other => panic!("{word}: {other:?}"),
            };
            assert_eq!(kind, expected, "{word}");
        }
    }
}

#[test]
fn nothing_is_an_empty_map() {
    for text in ["", "\n", "# only a comment", "\u{feff}\r\n"] {
        let document = Document::parse(Format::Yaml, text.as_bytes()).expect(text);
        assert_eq!(document.root().value, Value::Map(Vec::new()), "{text:?}");
    }
}
