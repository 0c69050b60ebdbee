//! Edits of TOML.

use super::super::super::Format::Toml;
use super::{EditError, Edits, Plain, at, edited, inserts, member, parse, prepends, removes, text};

#[test]
fn members_are_inserted_in_the_tables_style() {
    let value = Plain::List(vec![text("x"), text("y")]);
    inserts(
        Toml,
        "s.t",
        Some("a"),
        &value,
        &[
            ("[s.t]\na = 1\n", "[s.t]\na = 1\nnew = [\"x\", \"y\"]\n"),
            ("[s.t]\na = 1", "[s.t]\na = 1\nnew = [\"x\", \"y\"]"),
            ("[s.t]\r\n\ta = 1 # of a\r\n\tb = 2", "[s.t]\r\n\ta = 1 # of a\r\n\tnew = [\"x\", \"y\"]\r\n\tb = 2"),
            ("[s.t]\na = [\n 1,\n] # c\n\n[u]\n", "[s.t]\na = [\n 1,\n] # c\nnew = [\"x\", \"y\"]\n\n[u]\n"),
            ("[s]\nt.a = 1\nu = 2\n", "[s]\nt.a = 1\nt.new = [\"x\", \"y\"]\nu = 2\n"),
            ("s . \"t\" . a = 1", "s . \"t\" . a = 1\ns . \"t\" . new = [\"x\", \"y\"]"),
            ("[s]\nt = { a = 1 }\n", "[s]\nt = { a = 1, new = [\"x\", \"y\"] }\n"),
            ("[s]\nt = {a=1,b=2}", "[s]\nt = {a=1,new=[\"x\", \"y\"],b=2}"),
            ("s = {t = {\n  a = 1, # c\n}}", "s = {t = {\n  a = 1, # c\n  new = [\"x\", \"y\"],\n}}"),
            ("[s.t.a]\nx = 1\n[s.t]\nb = 1\n", "[s.t.a]\nx = 1\n[s.t]\nb = 1\nnew = [\"x\", \"y\"]\n"),
            ("[s.t.a]\nx = 1\n[s.t]", "[s.t.a]\nx = 1\n[s.t]\nnew = [\"x\", \"y\"]"),
            ("[s.t]\na.b = 1\na.c = 2\nd = 3", "[s.t]\na.b = 1\na.c = 2\nnew = [\"x\", \"y\"]\nd = 3"),
        ],
    );
}

#[test]
fn members_are_appended() {
    let value =
        Plain::Map(vec![("K 1".to_owned(), text("é\n\u{7f}\u{2028}")), ("L".to_owned(), Plain::Map(Vec::new()))]);
    let written = "{ \"K 1\" = \"é\\n\\u007f\\u2028\", L = {} }";
    let cases = [
        ("[e] # c\n", "[e] # c\nnew = @\n"),
        ("\u{feff}  [e]", "\u{feff}  [e]\n  new = @"),
        ("[e]\n[e.f]\na = 1\n", "[e]\nnew = @\n[e.f]\na = 1\n"),
        ("[e]\na = 1\n# end\n\n[e.f]\n", "[e]\na = 1\nnew = @\n# end\n\n[e.f]\n"),
        ("[e]\na.b.c = 1\n", "[e]\na.b.c = 1\nnew = @\n"),
        ("e.a.b = 1\ne.a.c = 1\nf = 1", "e.a.b = 1\ne.a.c = 1\ne.new = @\nf = 1"),
        ("e = {}", "e = {new = @}"),
        ("e = { }", "e = { new = @ }"),
        ("e = { a = 1 } # c\n", "e = { a = 1, new = @ } # c\n"),
    ];
    for (before, after) in cases {
        inserts(Toml, "e", None, &value, &[(before, &after.replace('@', written))]);
    }
    inserts(Toml, "l.1", None, &text(""), &[("[[l]]\na = 1\n[[l]]\n", "[[l]]\na = 1\n[[l]]\nnew = \"\"\n")]);
    inserts(
        Toml,
        "",
        None,
        &text(""),
        &[
            ("", "new = \"\""),
            ("\n", "new = \"\"\n\n"),
            ("\u{feff}# c\r\n[a]", "\u{feff}new = \"\"\r\n# c\r\n[a]"),
            ("a = 1\n\n[b]\n", "a = 1\nnew = \"\"\n\n[b]\n"),
        ],
    );
}

#[test]
fn items_are_prepended_in_the_arrays_style() {
    prepends(
        Toml,
        "l",
        &[text("x"), Plain::Raw("'''y'''".to_owned())],
        &[
            ("l = []", "l = [\"x\", '''y''']"),
            ("l = [ 1,2 ]", "l = [ \"x\",'''y''',1,2 ]"),
            ("l = [ # c\n  1, # d\n]\n", "l = [ # c\n  \"x\",\n  '''y''',\n  1, # d\n]\n"),
            ("l = [\r\n\t1\r\n]", "l = [\r\n\t\"x\",\r\n\t'''y''',\r\n\t1\r\n]"),
            ("l = [\n]", "l = [\n  \"x\",\n  '''y'''\n]"),
            ("l = [{a = 1}]", "l = [\"x\", '''y''', {a = 1}]"),
        ],
    );
}

#[test]
fn whole_tables_are_removed() {
    removes(
        Toml,
        "s",
        "x",
        &[
            ("[s]\nx = 1 # c\ny = 2\n", "[s]\n # c\ny = 2\n"),
            ("[s]\n# before\nx = [\n1, # in\n]\n# after\n", "[s]\n# before\n# after\n"),
            ("[s]\ny = 1\n[s.x]\na = 1\nb = 2\n\n[t]\n", "[s]\ny = 1\n\n[t]\n"),
            ("[s]\ny = 1\n\n# of x\n[s.x]\n# of a\na = 1\n[s.x.z]\nc.d = 1", "[s]\ny = 1\n\n# of x\n# of a"),
            ("[s]\nx.a = 1\ny = 2\nx.b = 3\n", "[s]\ny = 2\n"),
            ("s.x = 1\ns.y = 2", "s.y = 2"),
            ("[[s.x]]\n[[s.x]]\na = 1\n[s]\n", "[s]\n"),
            ("s = {x = 1, y = 2}", "s = {y = 2}"),
        ],
    );
    removes(Toml, "", "x", &[("x.a = 1\nx.b = 2\ny = 3", "y = 3"), ("x = 1\r\n# c", "# c"), ("x = 1", "")]);
}

/// Keys at the begin of the file can be taken back together and one by one.
#[test]
fn several_at_the_begin() {
    for before in ["", "# c\n", "\n\n[a]\n", "\u{feff}\r\n"] {
        let after = edited(Toml, before, |document, edits| {
            edits.append(document.root(), "one", text("1"))?;
            edits.append(document.root(), "two", text("2"))
        })
        .expect("edited");
        let both = edited(Toml, &after, |document, edits| {
            edits.remove_member(document.root(), member(document.root(), "two"))?;
            edits.remove_member(document.root(), member(document.root(), "one"))
        });
        assert_eq!(both.as_deref(), Ok(before), "of\n{after}");
    }
}

#[test]
fn a_servers_table_is_wrapped_and_restored() {
    let before = "model = \"o\" # keep\n\n[mcp_servers.fs]\ncommand = 'npx' # c\nargs = [\"-y\", \"p\"]\n\n  [mcp_servers.fs.env]\n  A = \"1\"\n";
    let after = edited(Toml, before, |document, edits| {
        let server = at(document, "mcp_servers.fs");
        let token = edits.token(at(document, "mcp_servers.fs.command")).expect("a token").to_owned();
        edits.replace(at(document, "mcp_servers.fs.command"), text("thoth"))?;
        edits.prepend(at(document, "mcp_servers.fs.args"), vec![text("--"), Plain::Raw(token)])?;
        edits.append(at(document, "mcp_servers.fs.env"), "B", text("2"))?;
        edits.insert_after(server, member(server, "command"), "cwd", text("/"))
    })
    .expect("edited");
    assert_eq!(
        after,
        "model = \"o\" # keep\n\n[mcp_servers.fs]\ncommand = \"thoth\" # c\ncwd = \"/\"\nargs = [\"--\", 'npx', \"-y\", \"p\"]\n\n  \
         [mcp_servers.fs.env]\n  A = \"1\"\n  B = \"2\"\n"
    );
    let back = edited(Toml, &after, |document, edits| {
        let server = at(document, "mcp_servers.fs");
        let env = at(document, "mcp_servers.fs.env");
        let token = edits.token(at(document, "mcp_servers.fs.args.1")).expect("a token").to_owned();
        edits.remove_member(env, member(env, "B"))?;
        edits.remove_member(server, member(server, "cwd"))?;
        edits.remove_items(at(document, "mcp_servers.fs.args"), 0..2)?;
        edits.replace(at(document, "mcp_servers.fs.command"), Plain::Raw(token))
    });
    assert_eq!(back.as_deref(), Ok(before));
}

#[test]
fn what_has_no_place_is_refused() {
    let document = parse(Toml, "[a.b]\n[[l]]\n[c]\nd = {e.f = 1, g = 2}\n");
    let mut edits = Edits::new(&document);
    let inline = at(&document, "c.d");
    let refused = [
        edits.append(at(&document, "a"), "new", text("x")),
        edits.prepend(at(&document, "l"), vec![Plain::Map(Vec::new())]),
        edits.append(inline, "new", text("x")),
        edits.append(at(&document, "c.d.e"), "new", text("x")),
        edits.remove_member(inline, member(inline, "g")),
    ];
    for (index, refusal) in refused.into_iter().enumerate() {
        assert!(matches!(refusal, Err(EditError::Unsupported { .. })), "{index}");
    }
    edits.replace(at(&document, "c.d.e.f"), Plain::Raw("1".to_owned())).expect("a value");
    assert_eq!(edits.apply().as_deref(), Ok(document.text()));
}
