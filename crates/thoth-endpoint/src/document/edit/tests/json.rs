//! Edits of JSON with comments.

use super::super::super::Format::Json;
use super::{EditError, Edits, Plain, at, edited, inserts, member, parse, prepends, removes, text};

#[test]
fn members_are_inserted_in_the_maps_style() {
    let value = Plain::List(vec![text("x"), text("y")]);
    inserts(
        Json,
        "",
        Some("a"),
        &value,
        &[
            ("{\"a\":1}", "{\"a\":1,\"new\":[\"x\", \"y\"]}"),
            ("{\"a\": 1}", "{\"a\": 1, \"new\": [\"x\", \"y\"]}"),
            ("{ \"a\": 1, \"b\": 2 }", "{ \"a\": 1, \"new\": [\"x\", \"y\"], \"b\": 2 }"),
            ("{\"a\":1,\"b\":2, \"c\":3}", "{\"a\":1,\"new\":[\"x\", \"y\"],\"b\":2, \"c\":3}"),
            ("{ \"a\" : 1,}", "{ \"a\" : 1, \"new\" : [\"x\", \"y\"],}"),
            ("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"new\": [\"x\", \"y\"]\n}\n"),
            (
                "{\r\n\t\"a\": 1,\r\n\t\"b\": 2\r\n}",
                "{\r\n\t\"a\": 1,\r\n\t\"new\": [\"x\", \"y\"],\r\n\t\"b\": 2\r\n}",
            ),
            (
                "{\n  \"a\": 1, // of a\n  \"b\": 2\n}",
                "{\n  \"a\": 1, // of a\n  \"new\": [\"x\", \"y\"],\n  \"b\": 2\n}",
            ),
            ("{\n  \"a\": 1 /* a */ // b\n}", "{\n  \"a\": 1, /* a */ // b\n  \"new\": [\"x\", \"y\"]\n}"),
            ("{\n  \"a\": 1,  \n}", "{\n  \"a\": 1,  \n  \"new\": [\"x\", \"y\"],\n}"),
            ("{\n  \"a\": 1\n  , \"b\": 2\n}", "{\n  \"a\": 1\n  , \"new\": [\"x\", \"y\"], \"b\": 2\n}"),
            ("{\"a\": 1, /* x\n */ \"b\": 2}", "{\"a\": 1, \"new\": [\"x\", \"y\"], /* x\n */ \"b\": 2}"),
            ("{\"a\": 1\r}", "{\"a\": 1,\r  \"new\": [\"x\", \"y\"]\r}"),
            ("\u{feff}{\"a\": {\"b\": [1]}}", "\u{feff}{\"a\": {\"b\": [1]}, \"new\": [\"x\", \"y\"]}"),
        ],
    );
}

#[test]
fn empty_maps_are_filled() {
    let value = Plain::Map(vec![("K\"".to_owned(), text("é\n\u{7f}")), ("L".to_owned(), Plain::Map(Vec::new()))]);
    inserts(
        Json,
        "e",
        None,
        &value,
        &[
            ("{\"e\": {}}", "{\"e\": {\"new\": {\"K\\\"\": \"é\\n\\u007f\", \"L\": {}}}}"),
            ("{\"e\": { }}", "{\"e\": { \"new\": {\"K\\\"\": \"é\\n\\u007f\", \"L\": {}} }}"),
            ("{\"e\": {/* c */}}", "{\"e\": {/* c */\"new\": {\"K\\\"\": \"é\\n\\u007f\", \"L\": {}}}}"),
            (
                "{\n\t\"e\": {\n\t}\n}",
                "{\n\t\"e\": {\n\t\t\"new\": {\n\t\t\t\"K\\\"\": \"é\\n\\u007f\",\n\t\t\t\"L\": {}\n\t\t}\n\t}\n}",
            ),
            (
                "{\n  \"e\": { // c\n    // d\n  }\n}",
                "{\n  \"e\": { // c\n    // d\n    \"new\": {\n      \"K\\\"\": \"é\\n\\u007f\",\n      \"L\": {}\n    }\n  }\n}",
            ),
        ],
    );
}

#[test]
fn items_are_prepended_in_the_lists_style() {
    prepends(
        Json,
        "l",
        &[text("x"), Plain::Raw("1.0".to_owned())],
        &[
            ("{\"l\": []}", "{\"l\": [\"x\", 1.0]}"),
            ("{\"l\":[]}", "{\"l\":[\"x\",1.0]}"),
            ("{\"l\": [ ]}", "{\"l\": [ \"x\", 1.0 ]}"),
            ("{\"l\": [\n]}", "{\"l\": [\n  \"x\",\n  1.0\n]}"),
            ("{\"l\": [ \"a\",\"b\" ]}", "{\"l\": [ \"x\",1.0,\"a\",\"b\" ]}"),
            ("{\"l\": [\"a\"]}", "{\"l\": [\"x\", 1.0, \"a\"]}"),
            (
                "{\r\n  \"l\": [ // c\r\n    \"a\",\r\n  ]\r\n}",
                "{\r\n  \"l\": [ // c\r\n    \"x\",\r\n    1.0,\r\n    \"a\",\r\n  ]\r\n}",
            ),
            ("{\"l\": [\n // of a\n \"a\" ]}", "{\"l\": [\n \"x\",\n 1.0,\n // of a\n \"a\" ]}"),
            ("{\"l\": [ /* c\n */\n  \"a\"]}", "{\"l\": [ /* c\n */\n  \"x\", 1.0, \"a\"]}"),
            ("{\"l\": [\"a\",\n \"b\"]}", "{\"l\": [\"x\", 1.0, \"a\",\n \"b\"]}"),
        ],
    );
}

/// Comments that others wrote stay, and none of them swallows what follows.
#[test]
fn removing_keeps_comments_and_neighbours() {
    removes(
        Json,
        "",
        "x",
        &[
            ("{\"x\": 1}", "{}"),
            ("{ \"x\": 1, }", "{ }"),
            ("{\"x\": 1, \"b\": 2}", "{\"b\": 2}"),
            ("{\"a\": 1, \"x\": 1}", "{\"a\": 1}"),
            ("{\"a\": 1, // of a\n \"x\": 1 // of x\n}", "{\"a\": 1 // of a\n  // of x\n}"),
            ("{ // c\n \"x\": 1, \"b\": 2\n}", "{ // c\n \"b\": 2\n}"),
            ("{ // c\n \"x\": 1 }", "{ // c\n }"),
            (
                "{\"a\": 1, /* x */ \"x\": 1 /* y */ , /* z */ \"b\": 2}",
                "{\"a\": 1, /* x */ /* y */  /* z */ \"b\": 2}",
            ),
            ("{ // c\n \"x\": 1 // d\n , \"b\": 2 }", "{ // c\n  // d\n \"b\": 2 }"),
            ("{\n // of x\n \"x\": 1,\n // of b\n \"b\": 2\n}", "{\n // of x\n // of b\n \"b\": 2\n}"),
            ("{ // c\n \"x\": 1, /* d\n */ \"b\": 2 }", "{ // c\n  /* d\n */ \"b\": 2 }"),
        ],
    );
}

/// Several edits of one collection share its separators; each can be taken back alone, in any order.
#[test]
fn edits_go_together() {
    let before = "{\n  \"command\": \"npx\", // c\n  \"args\": [\"-y\", \"p\"]\n}\n";
    let after = edited(Json, before, |document, edits| {
        let root = document.root();
        let command = at(document, "command");
        let token = edits.token(command).expect("a token").to_owned();
        edits.replace(command, text("thoth"))?;
        edits.prepend(at(document, "args"), vec![text("run"), text("--")])?;
        edits.prepend(at(document, "args"), vec![Plain::Raw(token)])?;
        edits.append(root, "env", Plain::Map(vec![("K".to_owned(), text("v"))]))?;
        edits.append(root, "last", text(""))?;
        edits.insert_after(root, member(root, "command"), "first", text("1"))
    })
    .expect("edited");
    assert_eq!(
        after,
        "{\n  \"command\": \"thoth\", // c\n  \"first\": \"1\",\n  \"args\": [\"run\", \"--\", \"npx\", \"-y\", \"p\"],\n  \
         \"env\": {\n    \"K\": \"v\"\n  },\n  \"last\": \"\"\n}\n"
    );
    for keys in [["first", "env", "last"], ["last", "env", "first"], ["env", "first", "last"]] {
        let mut current = after.clone();
        for key in keys {
            current = edited(Json, &current, |document, edits| {
                edits.remove_member(document.root(), member(document.root(), key))
            })
            .expect("removed");
        }
        let back = edited(Json, &current, |document, edits| {
            let token = edits.token(at(document, "args.2")).expect("a token").to_owned();
            edits.replace(at(document, "command"), Plain::Raw(token))?;
            edits.remove_items(at(document, "args"), 0..3)
        });
        assert_eq!(back.as_deref(), Ok(before), "{keys:?}");
    }
}

#[test]
fn what_meets_is_refused() {
    let document = parse(Json, "{\"a\": {\"b\": 1}, \"c\": [1, 2]}");
    let (root, inner, list) = (document.root(), at(&document, "a"), at(&document, "c"));
    let mut edits = Edits::new(&document);
    edits.remove_member(root, member(root, "a")).expect("alone");
    edits.append(inner, "n", text("v")).expect("alone");
    assert!(matches!(edits.apply(), Err(EditError::Overlap { .. })), "inside what is removed");
    let mut edits = Edits::new(&document);
    edits.remove_items(list, 0..1).expect("alone");
    edits.prepend(list, vec![text("v")]).expect("alone");
    assert!(matches!(edits.apply(), Err(EditError::Overlap { .. })), "beside what is removed");
    let mut edits = Edits::new(&document);
    edits.replace(at(&document, "a.b"), text("1")).expect("alone");
    edits.replace(at(&document, "a.b"), text("2")).expect("alone");
    assert!(matches!(edits.apply(), Err(EditError::Overlap { .. })), "twice");
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let document = parse(Json, "{\"a\": {\"b\": 1}, \"c\": [1]}");
    let other = parse(Json, "{\"a\": 1}");
    let empty = parse(Json, "// nothing\n");
    let root = document.root();
    let mut edits = Edits::new(&document);
    let refused = [
        edits.replace(root, text("x")),
        edits.replace(at(&document, "a.b"), Plain::List(Vec::new())),
        edits.prepend(root, vec![text("x")]),
        edits.remove_items(at(&document, "c"), 0..2),
        edits.append(at(&document, "c"), "k", text("x")),
        edits.append(root, "a", text("x")),
        edits.insert_after(root, member(other.root(), "a"), "k", text("x")),
        edits.remove_member(at(&document, "a"), member(root, "a")),
        Edits::new(&empty).append(empty.root(), "k", text("x")),
    ];
    for (index, refusal) in refused.into_iter().enumerate() {
        assert!(matches!(refusal, Err(EditError::Unsupported { .. })), "{index}");
    }
    assert!(edits.is_empty());
    edits.replace(at(&document, "a.b"), Plain::Raw("1, \"z\": 2".to_owned())).expect("not looked at yet");
    assert!(matches!(edits.apply(), Err(EditError::Unsupported { .. })), "a token is one scalar");
}
