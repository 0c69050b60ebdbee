//! Edits of YAML.

use super::super::super::Format::Yaml;
use super::{EditError, Edits, Plain, at, edited, inserts, member, parse, prepends, removes, text};

#[test]
fn members_are_inserted_in_the_maps_style() {
    let value = Plain::List(vec![text("x"), text("y")]);
    inserts(
        Yaml,
        "s",
        Some("a"),
        &value,
        &[
            ("s:\n  a: 1\n", "s:\n  a: 1\n  new:\n    - \"x\"\n    - \"y\"\n"),
            (
                "s:\r\n    a: 1 # c\r\n    b: 2",
                "s:\r\n    a: 1 # c\r\n    new:\r\n      - \"x\"\r\n      - \"y\"\r\n    b: 2",
            ),
            ("s:\n  a: 1", "s:\n  a: 1\n  new:\n    - \"x\"\n    - \"y\""),
            ("s:\n  a: 1\r  b: 2\r", "s:\n  a: 1\r  new:\r    - \"x\"\r    - \"y\"\r  b: 2\r"),
            (
                "s:\n  a:\n  - 1\n  # c\n  - 2 # d\n\n  b: 2",
                "s:\n  a:\n  - 1\n  # c\n  - 2 # d\n  new:\n    - \"x\"\n    - \"y\"\n\n  b: 2",
            ),
            ("s:\n  a:\n  b: 2", "s:\n  a:\n  new:\n    - \"x\"\n    - \"y\"\n  b: 2"),
            ("s:\n  a: |\n    long  \n\n  b: 2", "s:\n  a: |\n    long  \n  new:\n    - \"x\"\n    - \"y\"\n\n  b: 2"),
            ("s:\n  a: two\n    lines\n", "s:\n  a: two\n    lines\n  new:\n    - \"x\"\n    - \"y\"\n"),
            ("s:\n  \"a\": [1,\n    2] # c\n", "s:\n  \"a\": [1,\n    2] # c\n  new:\n    - \"x\"\n    - \"y\"\n"),
            ("s: {a: 1}", "s: {a: 1, new: [\"x\", \"y\"]}"),
            ("s: { a: 1, b: } # c\n", "s: { a: 1, new: [\"x\", \"y\"], b: } # c\n"),
            ("s: {\n  a: 1, # c\n  b: 2\n}\n", "s: {\n  a: 1, # c\n  new: [\"x\", \"y\"],\n  b: 2\n}\n"),
        ],
    );
    inserts(
        Yaml,
        "l.0",
        Some("a"),
        &text("é\u{85}"),
        &[
            ("l:\n  - a: 1\n    b: 2\n", "l:\n  - a: 1\n    new: \"é\\u0085\"\n    b: 2\n"),
            ("l:\n-   a: 1\n", "l:\n-   a: 1\n    new: \"é\\u0085\"\n"),
        ],
    );
}

#[test]
fn members_are_appended() {
    let value = Plain::Map(vec![("K 1".to_owned(), text("v")), ("on".to_owned(), Plain::List(Vec::new()))]);
    inserts(
        Yaml,
        "",
        None,
        &value,
        &[
            ("a: 1\n# end\n", "a: 1\nnew:\n  \"K 1\": \"v\"\n  \"on\": []\n# end\n"),
            ("---\na:\n  b: 1\n...\n", "---\na:\n  b: 1\nnew:\n  \"K 1\": \"v\"\n  \"on\": []\n...\n"),
            ("{}", "{new: {\"K 1\": \"v\", \"on\": []}}"),
            ("--- { } # c", "--- { new: {\"K 1\": \"v\", \"on\": []} } # c"),
            ("{ # c\n}", "{ # c\n  new: {\"K 1\": \"v\", \"on\": []}\n}"),
        ],
    );
}

#[test]
fn items_are_prepended_in_the_lists_style() {
    prepends(
        Yaml,
        "l",
        &[text("x"), Plain::Raw("-y".to_owned())],
        &[
            ("l:\n  - a\n", "l:\n  - \"x\"\n  - -y\n  - a\n"),
            ("l:\r\n- a # c\r\n- b", "l:\r\n- \"x\"\r\n- -y\r\n- a # c\r\n- b"),
            ("l:\n  # of a\n  -   a: 1\n      b: 2\n", "l:\n  # of a\n  - \"x\"\n  - -y\n  -   a: 1\n      b: 2\n"),
            ("l: []", "l: [\"x\", -y]"),
            ("l: [a,b] # c", "l: [\"x\",-y,a,b] # c"),
            ("l: [ # c\n  a, # d\n  b ]", "l: [ # c\n  \"x\",\n  -y,\n  a, # d\n  b ]"),
            ("l: [\n]", "l: [\n  \"x\",\n  -y\n]"),
        ],
    );
    prepends(
        Yaml,
        "",
        &[text("x")],
        &[("- a\n", "- \"x\"\n- a\n"), ("- a", "- \"x\"\n- a"), ("\u{feff}- a\r\n", "\u{feff}- \"x\"\r\n- a\r\n")],
    );
}

#[test]
fn removing_keeps_comments_and_neighbours() {
    removes(
        Yaml,
        "s",
        "x",
        &[
            ("s:\n  x: 1 # c\n  y: 2\n", "s:\n   # c\n  y: 2\n"),
            ("s:\n  # of x\n  x:\n    - 1\n    # in x\n    - 2\n  # of y\n  y: 2", "s:\n  # of x\n  # of y\n  y: 2"),
            ("s:\n  x: 1\n", "s: {}\n"),
            ("s:\n  x:\n  y: 1", "s:\n  y: 1"),
            ("s: {x: 1}", "s: {}"),
            ("s: {y: 1, x}", "s: {y: 1}"),
            ("s: {x: , y: 1}", "s: {y: 1}"),
            ("s: { # c\n  x: 1, # d\n  y: 1 }", "s: { # c\n   # d\n  y: 1 }"),
        ],
    );
    let all = edited(Yaml, "l:\n  - a\n  - b\nm: 1", |document, edits| edits.remove_items(at(document, "l"), 0..2));
    assert_eq!(all.as_deref(), Ok("l: []\nm: 1"));
    let some =
        edited(Yaml, "l:\n  - a # c\n  # d\n  - b\n", |document, edits| edits.remove_items(at(document, "l"), 0..1));
    assert_eq!(some.as_deref(), Ok("l:\n   # c\n  # d\n  - b\n"));
}

#[test]
fn a_servers_entry_is_wrapped_and_restored() {
    let before = "mcpServers:\n  - name: fs # keep\n    command: npx\n    args:\n      - -y\n      - \"p\"\n    env:\n      A: 1\n";
    let after = edited(Yaml, before, |document, edits| {
        let server = at(document, "mcpServers.0");
        let command = at(document, "mcpServers.0.command");
        let token = edits.token(command).expect("a token").to_owned();
        edits.replace(command, text("thoth"))?;
        edits.prepend(at(document, "mcpServers.0.args"), vec![text("--"), Plain::Raw(token)])?;
        edits.append(at(document, "mcpServers.0.env"), "B", text("2"))?;
        edits.append(server, "cwd", text("/"))
    })
    .expect("edited");
    assert_eq!(
        after,
        "mcpServers:\n  - name: fs # keep\n    command: \"thoth\"\n    args:\n      - \"--\"\n      - npx\n      - -y\n      - \"p\"\n    \
         env:\n      A: 1\n      B: \"2\"\n    cwd: \"/\"\n"
    );
    let back = edited(Yaml, &after, |document, edits| {
        let server = at(document, "mcpServers.0");
        let env = at(document, "mcpServers.0.env");
        let token = edits.token(at(document, "mcpServers.0.args.1")).expect("a token").to_owned();
        edits.remove_member(env, member(env, "B"))?;
        edits.remove_member(server, member(server, "cwd"))?;
        edits.remove_items(at(document, "mcpServers.0.args"), 0..2)?;
        edits.replace(at(document, "mcpServers.0.command"), Plain::Raw(token))
    });
    assert_eq!(back.as_deref(), Ok(before));
}

/// Whatever other places share, and whatever lines cannot be told apart, is left alone.
#[test]
fn what_has_no_certain_place_is_refused() {
    for (before, path, after) in [
        ("a: &x\n  b: 1\nc: *x\n", "a", "b"),
        ("a:\n  <<: {b: 1}\n  b: 1\n", "a", "b"),
        ("a: !t\n  b: 1\n", "a", "b"),
        ("a: &x\n  d:\n    b: 1\n", "a.d", "b"),
        ("? b\n: 1\n", "", "b"),
        ("{? b : 1}", "", "b"),
        ("{&x b: 1}", "", "b"),
        ("[b: 1]", "0", "b"),
        ("b: |+\n  long\n\n\nc: 1\n", "", "b"),
        ("b: |+\n  long\n\n", "", "b"),
        ("b: &x\n- |+\n  long\n\n# c", "", "b"),
        ("- \tb: 1\n", "0", "b"),
    ] {
        let result = edited(Yaml, before, |document, edits| {
            let map = at(document, path);
            edits.insert_after(map, member(map, after), "new", text("x"))
        });
        assert!(matches!(result, Err(EditError::Unsupported { .. })), "{before}: {result:?}");
    }
    for (before, path) in [
        ("a: &x v\nb: *x", "a"),
        ("a: &x v\nb: *x", "b"),
        ("a:\n", "a"),
        ("a: |\n  x", "a"),
        ("a: x\n  y", "a"),
        ("a: !!str x", "a"),
    ] {
        let document = parse(Yaml, before);
        let mut edits = Edits::new(&document);
        assert_eq!(edits.token(at(&document, path)), None, "{before}");
        let result = edits.replace(at(&document, path), text("x"));
        assert!(matches!(result, Err(EditError::Unsupported { .. })), "{before}: {result:?}");
    }
    for list in ["- &x\n- a\n", "- !!str\n- a\n", "- a\n- &y\n- b", "- a\n- &z"] {
        let written = edited(Yaml, list, |document, edits| edits.prepend(document.root(), vec![text("x")]));
        let Ok(written) = written else { continue };
        let back = edited(Yaml, &written, |document, edits| edits.remove_items(document.root(), 0..1));
        assert_eq!(back.as_deref(), Ok(list));
    }
    let document = parse(Yaml, "a: x, y\nb: C:\\p q\nc: [d]\n");
    let edits = Edits::new(&document);
    assert_eq!(edits.token(at(&document, "a")), None, "it would be two items between brackets");
    assert_eq!(edits.token(at(&document, "b")), Some("C:\\p q"));
    assert_eq!(edits.token(at(&document, "c")), None);
}
