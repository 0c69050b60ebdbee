//! A client's configuration file is read or refused whatever its bytes; what is written into it reads back, and what is
//! taken out again leaves the very bytes.
//!
//! The first byte chooses the format; the rest is the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_endpoint::document::{Document, Edits, Format, Node, Plain, Value};

/// How many collections of one file are tried.
const MOST: usize = 12;
const KEY: &str = "thoth-fuzz";

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let format = [Format::Json, Format::Toml, Format::Yaml][usize::from(choice % 3)];
    let document = match Document::parse(format, bytes) {
        Ok(document) => document,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "an error is one line");
            return;
        }
    };
    assert_eq!(document.text().as_bytes(), bytes);
    let mut paths = Vec::new();
    collect(document.root(), &mut Vec::new(), &mut paths);
    for path in &paths {
        let node = at(document.root(), path);
        match &node.value {
            Value::Map(members) => {
                for index in 0..=members.len().min(3) {
                    insert_and_remove(&document, path, index);
                }
            }
            Value::List(_) => prepend_and_remove(&document, path),
            _ => replace_and_restore(&document, path),
        }
    }
});

fn parse(format: Format, text: &str) -> Document {
    Document::parse(format, text.as_bytes()).expect("what was written reads back")
}

fn insert_and_remove(document: &Document, path: &[usize], index: usize) {
    let map = at(document.root(), path);
    let mut edits = Edits::new(document);
    let value = Plain::List(vec![
        Plain::Text("a\"\\\n\u{e9}".to_owned()),
        Plain::Map(vec![("b c".to_owned(), Plain::Text(String::new()))]),
    ]);
    let written = match map.members().get(index) {
        Some(member) => edits.insert_after(map, member, KEY, value),
        None => edits.append(map, KEY, value),
    };
    let (Ok(()), Ok(text)) = (written, edits.apply()) else { return };
    let changed = parse(document.format(), &text);
    // In TOML, members go before sub-tables, so the place of the map among others can change; its names do not.
    let map = same_place(document.root(), changed.root(), path);
    let member = map.members().iter().find(|member| member.key == KEY).expect("what was written is there");
    let mut edits = Edits::new(&changed);
    edits.remove_member(map, member).expect("what was written can be taken back");
    assert_eq!(edits.apply().as_deref(), Ok(document.text()), "after {text:?}");
}

fn prepend_and_remove(document: &Document, path: &[usize]) {
    let list = at(document.root(), path);
    let mut edits = Edits::new(document);
    let written = edits.prepend(list, vec![Plain::Text("a".to_owned()), Plain::Text("\u{0}: b".to_owned())]);
    let (Ok(()), Ok(text)) = (written, edits.apply()) else { return };
    let changed = parse(document.format(), &text);
    let mut edits = Edits::new(&changed);
    edits.remove_items(same_place(document.root(), changed.root(), path), 0..2).expect("it can be taken back");
    assert_eq!(edits.apply().as_deref(), Ok(document.text()), "after {text:?}");
}

fn replace_and_restore(document: &Document, path: &[usize]) {
    let node = at(document.root(), path);
    let mut edits = Edits::new(document);
    let Some(token) = edits.token(node).map(str::to_owned) else { return };
    let written = edits.replace(node, Plain::Text("x".to_owned()));
    let (Ok(()), Ok(text)) = (written, edits.apply()) else { return };
    let changed = parse(document.format(), &text);
    let mut edits = Edits::new(&changed);
    edits.replace(same_place(document.root(), changed.root(), path), Plain::Raw(token)).expect("it can be taken back");
    assert_eq!(edits.apply().as_deref(), Ok(document.text()), "after {text:?}");
}

/// The first places of a tree, as the numbers of members and items.
fn collect(node: &Node, path: &mut Vec<usize>, paths: &mut Vec<Vec<usize>>) {
    if paths.len() >= MOST {
        return;
    }
    paths.push(path.clone());
    let members = node.members().iter().map(|member| &member.node);
    for (index, child) in members.chain(node.items()).enumerate() {
        path.push(index);
        collect(child, path, paths);
        path.pop();
    }
}

fn at<'n>(root: &'n Node, path: &[usize]) -> &'n Node {
    path.iter().fold(root, |node, index| child(node, *index))
}

fn child(node: &Node, index: usize) -> &Node {
    match &node.value {
        Value::Map(members) => &members[index].node,
        _ => &node.items()[index],
    }
}

/// The node of `changed` that the path leads to in `original`: by name and number among equal names.
fn same_place<'n>(original: &Node, changed: &'n Node, path: &[usize]) -> &'n Node {
    let (mut original, mut changed) = (original, changed);
    for index in path {
        changed = match &original.value {
            Value::Map(members) => {
                let key = &members[*index].key;
                let number = members[..*index].iter().filter(|member| member.key == *key).count();
                let mut named = changed.members().iter().filter(|member| member.key == *key);
                &named.nth(number).expect("other members stay").node
            }
            _ => &changed.items()[*index],
        };
        original = child(original, *index);
    }
    changed
}
