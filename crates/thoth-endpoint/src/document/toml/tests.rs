//! Reading TOML: faults in words, bounds, places.

use super::super::{Document, Form, Format, Node, Value};

fn error(text: &str) -> String {
    Document::parse(Format::Toml, text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn faults() {
    for (text, expected) in [
        ("a = 1\nb = ", "2:5: not a TOML value; a text stands between quotes"),
        ("a = 1\na = 2", "2:1: this name is defined already"),
        ("[a]\n[a]", "2:2: this name is defined already"),
        ("a.b = 1\na = 2", "2:1: this name is defined already"),
        ("a = \"x\nb = 1", "1:5: this text is not closed with `\"` on its line"),
        ("a = \"\"\"x\nb = 1", "1:5: this text is never closed with `\"\"\"`"),
        ("a = ''", "none"),
        ("a = 'x", "1:5: this text is not closed with `'` on its line"),
        ("a = \"\"\"\\\"\"\"", "1:5: this text is never closed with `\"\"\"`"),
        ("a = \"C:\\Qt\"", "1:9: TOML has no such escape; write a backslash as `\\\\`, or the text in single quotes"),
        ("a", "1:2: key with no value, expected `=`"),
        ("[a", "1:3: unclosed table, expected `]`"),
        ("a = 1 b = 2", "1:9: unexpected key or value, expected newline, `#`"),
        ("a = yes", "1:5: not a TOML value; a text stands between quotes"),
        ("a = 01", "1:5: unexpected leading zero"),
        ("a = {b = 1", "1:11: unclosed inline table, expected `}`"),
        ("a\"b = 1", "1:2: a quote inside a word"),
        ("a = 1\r", "1:7: carriage return must be followed by newline, expected newline"),
        ("\u{feff}é = 1", "1:1: invalid unquoted key, expected letters, numbers, `-`, `_`"),
    ] {
        let error = Document::parse(Format::Toml, text.as_bytes()).err().map(|error| error.to_string());
        assert_eq!(error.as_deref().unwrap_or("none"), expected, "{text}");
    }
}

/// What the parser builds is dropped recursively, so names with dots are bounded with the brackets, whatever quotes and
/// comments are around.
#[test]
fn depth_is_bounded() {
    let names = |count: usize| vec!["a"; count].join(".");
    let deep = names(100_000);
    for text in [
        format!("{deep} = 1"),
        format!("[{deep}]"),
        format!("[[{deep}]]\nx = 1"),
        format!("x = {{ {deep} = 1 }}"),
        format!("# c\r{deep} = 1"),
        format!("x = \"\"\"\"\"\"\"\n{deep} = 1"),
        format!("x = ''''a'''''\n{deep} = 1"),
        format!("x = \"\\\\\"\n{deep} = 1"),
        "a = [".repeat(100_000),
        "a = ".to_owned() + &"[".repeat(100_000),
        "a = ".to_owned() + &"{a = ".repeat(100_000),
    ] {
        let error = error(&text);
        assert!(error.ends_with("nested deeper than 128 levels"), "{error}");
    }
    let mixed = format!("[{}]\n{} = {{ {} = 1 }}", names(60), names(30), names(30));
    assert!(Document::parse(Format::Toml, mixed.as_bytes()).is_ok());
    let longest = Document::parse(Format::Toml, format!("{} = 1", names(79)).as_bytes());
    assert_eq!(longest.err(), None);
    let many = "[a.b.c]\nd.e.f = \"x.y.z\" # p.q.r\ng = 1.5\n".lines().collect::<Vec<_>>().join("\n");
    let many: String = (0..200).map(|index| many.replace("[a.", &format!("[a{index}.")) + "\n").collect();
    assert!(Document::parse(Format::Toml, many.as_bytes()).is_ok());
    assert_eq!(error(&("a = ".to_owned() + &"[".repeat(100) + &"]".repeat(100))), "1:85: nested too deep");
}

/// The parser's time for these grows with their square.
#[test]
fn late_tables_are_bounded() {
    let late = |count: usize| -> String {
        let subtables = (0..count).map(|index| format!("[a{index}.b]\n"));
        subtables.chain((0..count).map(|index| format!("[ \"a{index}\" ]\n"))).collect()
    };
    assert!(Document::parse(Format::Toml, late(500).as_bytes()).is_ok());
    assert_eq!(error(&late(20_000)), "22361:1: too many tables after their own sub-tables");
}

/// Each way to write a table, and where it stands.
#[test]
fn the_tree_knows_its_places() {
    let text = "\u{feff}a.b = 'x'\r\n[s.t] # c\r\nk = [1, true]\r\n\"q r\".y = {u.v = 1, w = {}}\r\n[[l]]\r\n[[l]]\r\nz = 1\r\n";
    let document = Document::parse(Format::Toml, text.as_bytes()).expect("valid");
    let slice = |node: &Node| text.get(node.span.clone()).expect("a span of the text");
    let node = |path: &[&str]| path.iter().fold(document.root(), |node, key| node.get(key).expect("a member"));
    for (path, form, place) in [
        (&[][..], Form::Section, text.trim_start_matches('\u{feff}')),
        (&["a"], Form::Dotted, "a"),
        (&["a", "b"], Form::Token, "'x'"),
        (&["s"], Form::Implicit, "s"),
        (&["s", "t"], Form::Section, "[s.t]"),
        (&["s", "t", "k"], Form::Token, "[1, true]"),
        (&["s", "t", "q r"], Form::Dotted, "\"q r\""),
        (&["s", "t", "q r", "y"], Form::Token, "{u.v = 1, w = {}}"),
        (&["s", "t", "q r", "y", "u"], Form::Fixed, "u"),
        (&["s", "t", "q r", "y", "w"], Form::Token, "{}"),
        (&["l"], Form::Sections, "l"),
    ] {
        assert_eq!((node(path).form, slice(node(path))), (form, place), "{path:?}");
    }
    assert_eq!(node(&["a", "b"]).text(), Some("x"));
    assert_eq!(
        node(&["s", "t", "k"]).items().iter().map(|item| &item.value).collect::<Vec<_>>(),
        [&Value::Other, &Value::Bool(true)]
    );
    assert_eq!(node(&["l"]).items().iter().map(slice).collect::<Vec<_>>(), ["[[l]]", "[[l]]"]);
    assert_eq!(document.place(node(&["s", "t", "k"]).span.start).to_string(), "3:5");
    let keys: Vec<_> = document.root().members().iter().map(|member| member.key.as_str()).collect();
    assert_eq!(keys, ["a", "s", "l"]);
}

#[test]
fn nothing_is_an_empty_map() {
    for text in ["", "\n", "# only a comment", "\u{feff}"] {
        let document = Document::parse(Format::Toml, text.as_bytes()).expect(text);
        assert_eq!(document.root().value, Value::Map(Vec::new()), "{text:?}");
    }
}
