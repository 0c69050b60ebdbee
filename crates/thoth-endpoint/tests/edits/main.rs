//! The law of edits, on random documents in every style that the formats have: what is written reads as meant, the
//! rest reads as before, and taking all of it back, in any order and with edits elsewhere between, leaves the very bytes.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod choices;
mod json;
mod toml;
mod yaml;

use std::collections::BTreeMap;

use proptest::collection;
use proptest::prelude::{ProptestConfig, any, proptest};
use thoth_endpoint::document::{Document, EditError, Edits, Format, Node, Plain, Value};

use crate::choices::Choices;

/// A value's place in the original document: names with their number among equal ones, and indexes.
type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Member(String, usize),
    Item(usize),
}

/// What was done and is to be undone.
#[derive(Debug, Clone)]
enum Done {
    Replaced(Path, String),
    Prepended(Path, usize),
    Inserted(Path, String),
}

/// What a document says, without places. Members are ordered by name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Says {
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
    Text(String),
    Bool(bool),
    Other(String),
}

/// A document and what has been done to it.
struct State {
    format: Format,
    text: String,
    /// How many items stand before a list's original ones.
    prepended: BTreeMap<Path, usize>,
    done: Vec<Done>,
    names: usize,
}

impl State {
    fn document(&self) -> Document {
        Document::parse(self.format, self.text.as_bytes()).unwrap_or_else(|error| panic!("{error} in\n{}", self.text))
    }

    fn node<'d>(&self, document: &'d Document, path: &[Step]) -> &'d Node {
        let mut node = document.root();
        for (index, step) in path.iter().enumerate() {
            node = match step {
                Step::Member(key, number) => {
                    let mut named = node.members().iter().filter(|member| member.key == *key);
                    &named.nth(*number).unwrap_or_else(|| panic!("no {path:?}")).node
                }
                Step::Item(item) => &node.items()[item + self.prepended.get(&path[..index]).copied().unwrap_or(0)],
            };
        }
        node
    }

    /// One batch of random edits, of values that the original document has.
    fn edit(&mut self, paths: &[Path], choices: &mut Choices<'_>) {
        let document = self.document();
        let mut expected = says(&document, document.root());
        let mut edits = Edits::new(&document);
        let mut batch = Vec::new();
        let mut before: Vec<(Path, Vec<Plain>)> = Vec::new();
        for _ in 0..=choices.below(4) {
            let path = &paths[choices.below(paths.len())];
            let node = self.node(&document, path);
            let steps: Vec<_> = self.current(path);
            let touched = |done: &Done| matches!(done, Done::Replaced(one, _) if one == path);
            let (result, done) = match &node.value {
                Value::Map(members) => {
                    self.names += 1;
                    let key = format!("new {}", self.names);
                    let value = plain(choices, 2);
                    let after = choices.below(members.len() + 1);
                    let result = match members.get(after) {
                        Some(member) => edits.insert_after(node, member, &key, value.clone()),
                        None => edits.append(node, &key, value.clone()),
                    };
                    if result.is_ok() {
                        let Says::Map(map) = at(&mut expected, &steps) else { panic!("a map") };
                        map.push((key.clone(), meant(&value)));
                        map.sort_by(|one, other| one.0.cmp(&other.0));
                    }
                    (result, Done::Inserted(path.clone(), key))
                }
                // One prepending per batch and list: where the first one goes, the second one finds others.
                Value::List(_) if !batch.iter().any(|done| matches!(done, Done::Prepended(one, _) if one == path)) => {
                    let items: Vec<_> = (0..=choices.below(3)).map(|_| plain(choices, 1)).collect();
                    let count = items.len();
                    let result = edits.prepend(node, items.clone());
                    if result.is_ok() {
                        before.push((steps, items));
                    }
                    (result, Done::Prepended(path.clone(), count))
                }
                Value::List(_) => continue,
                _ if self.done.iter().chain(&batch).any(touched) => continue,
                _ => {
                    let Some(token) = edits.token(node).map(str::to_owned) else { continue };
                    let text = ours(choices);
                    let result = edits.replace(node, Plain::Text(text.clone()));
                    if result.is_ok() {
                        *at(&mut expected, &steps) = Says::Text(text);
                    }
                    (result, Done::Replaced(path.clone(), token))
                }
            };
            match result {
                Ok(()) => batch.push(done),
                Err(EditError::Unsupported { .. }) => {}
                Err(error) => panic!("{error} in\n{}", self.text),
            }
        }
        // Inner lists first: an outer one moves them.
        before.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        for (path, items) in before {
            let Says::List(list) = at(&mut expected, &path) else { panic!("a list") };
            list.splice(0..0, items.iter().map(meant));
        }
        self.text = edits.apply().unwrap_or_else(|error| panic!("{error}: {batch:?} in\n{}", self.text));
        for done in &batch {
            if let Done::Prepended(path, count) = done {
                *self.prepended.entry(path.clone()).or_default() += count;
            }
        }
        self.done.append(&mut batch);
        let document = self.document();
        assert_eq!(says(&document, document.root()), expected, "in\n{}", self.text);
    }

    /// A path with indexes as they are now.
    fn current(&self, path: &[Step]) -> Path {
        let shift = |index: usize| self.prepended.get(&path[..index]).copied().unwrap_or(0);
        let step = |(index, step): (usize, &Step)| match step {
            Step::Item(item) => Step::Item(item + shift(index)),
            Step::Member(..) => step.clone(),
        };
        path.iter().enumerate().map(step).collect()
    }

    /// Undoes one random batch of what was done; of one list, the last prepending first.
    fn undo(&mut self, choices: &mut Choices<'_>) {
        let document = self.document();
        let mut edits = Edits::new(&document);
        let mut lists: Vec<(Path, usize)> = Vec::new();
        for _ in 0..=choices.below(3) {
            if self.done.is_empty() {
                break;
            }
            let mut index = choices.below(self.done.len());
            if let Done::Prepended(path, _) = &self.done[index] {
                let same = |done: &Done| matches!(done, Done::Prepended(one, _) if one == path);
                index = self.done.iter().rposition(same).unwrap_or(index);
                if lists.iter().any(|(one, _)| one == path) {
                    continue;
                }
            }
            let done = self.done.remove(index);
            let result = match &done {
                Done::Replaced(path, token) => edits.replace(self.node(&document, path), Plain::Raw(token.clone())),
                Done::Prepended(path, count) => {
                    lists.push((path.clone(), *count));
                    edits.remove_items(self.node(&document, path), 0..*count)
                }
                Done::Inserted(path, key) => {
                    let map = self.node(&document, path);
                    let member = map.members().iter().find(|member| member.key == *key);
                    edits.remove_member(map, member.unwrap_or_else(|| panic!("no {key} in\n{}", self.text)))
                }
            };
            result.unwrap_or_else(|error| panic!("{error}: undo {done:?} in\n{}", self.text));
        }
        self.text = edits.apply().unwrap_or_else(|error| panic!("{error} in\n{}", self.text));
        for (path, count) in lists {
            *self.prepended.entry(path).or_default() -= count;
        }
    }
}

fn law(format: Format, bytes: &[u8], edits: &[u8]) {
    let mut generator = Choices::new(bytes);
    let original = match format {
        Format::Json => json::document(&mut generator),
        Format::Toml => toml::document(&mut generator),
        Format::Yaml => yaml::document(&mut generator),
    };
    let mut choices = Choices::new(edits);
    let mut state = State { format, text: original.clone(), prepended: BTreeMap::new(), done: Vec::new(), names: 0 };
    let mut paths = Vec::new();
    collect(state.document().root(), &mut Vec::new(), &mut paths);
    for _ in 0..=choices.below(3) {
        state.edit(&paths, &mut choices);
    }
    // Somebody edits comments and values elsewhere: tokens that wait in a list are not theirs.
    let mark = choices.below(4);
    let theirs = |text: &str| text.replacen("@mark@", &"@theirs and longer@".repeat(mark), 1);
    let context =
        |text: &str| text.split("@mark@").next().map(|before| before.chars().rev().take(20).collect::<String>());
    let waits = |done: &Done| matches!(done, Done::Replaced(_, token) if token.contains("@mark@"));
    let mut expected = original.clone();
    if mark > 0 && !state.done.iter().any(waits) && context(&state.text) == context(&original) {
        state.text = theirs(&state.text);
        expected = theirs(&expected);
    }
    while !state.done.is_empty() {
        state.undo(&mut choices);
    }
    assert_eq!(state.text, expected, "of\n{original}");
}

/// All places of a tree.
fn collect(node: &Node, path: &mut Path, paths: &mut Vec<Path>) {
    paths.push(path.clone());
    for (index, member) in node.members().iter().enumerate() {
        let number = node.members()[..index].iter().filter(|one| one.key == member.key).count();
        path.push(Step::Member(member.key.clone(), number));
        collect(&member.node, path, paths);
        path.pop();
    }
    for (index, item) in node.items().iter().enumerate() {
        path.push(Step::Item(index));
        collect(item, path, paths);
        path.pop();
    }
}

fn says(document: &Document, node: &Node) -> Says {
    match &node.value {
        Value::Map(members) => {
            let mut map: Vec<_> =
                members.iter().map(|member| (member.key.clone(), says(document, &member.node))).collect();
            map.sort_by(|one, other| one.0.cmp(&other.0));
            Says::Map(map)
        }
        Value::List(items) => Says::List(items.iter().map(|item| says(document, item)).collect()),
        Value::Text(text) => Says::Text(text.clone()),
        Value::Bool(value) => Says::Bool(*value),
        Value::Other => Says::Other(document.text().get(node.span.clone()).unwrap_or_default().to_owned()),
    }
}

fn at<'s>(says: &'s mut Says, path: &[Step]) -> &'s mut Says {
    path.iter().fold(says, |says, step| match (says, step) {
        (Says::Map(map), Step::Member(key, number)) => {
            let mut named = map.iter_mut().filter(|(name, _)| name == key);
            named.nth(*number).map(|(_, value)| value).unwrap_or_else(|| panic!("no {path:?}"))
        }
        (Says::List(list), Step::Item(index)) => &mut list[*index],
        _ => panic!("no {path:?}"),
    })
}

/// A text without marks, which are theirs.
fn ours(choices: &mut Choices<'_>) -> String {
    choices.text().replace("@mark@", "mark")
}

fn plain(choices: &mut Choices<'_>, depth: usize) -> Plain {
    match choices.below(if depth > 0 { 6 } else { 4 }) {
        4 => Plain::List((0..choices.below(4)).map(|_| plain(choices, depth - 1)).collect()),
        5 => Plain::Map(
            (0..choices.below(4))
                .map(|index| (format!("{index} {}", ours(choices)), plain(choices, depth - 1)))
                .collect(),
        ),
        _ => Plain::Text(ours(choices)),
    }
}

fn meant(value: &Plain) -> Says {
    match value {
        Plain::Text(text) | Plain::Raw(text) => Says::Text(text.clone()),
        Plain::List(items) => Says::List(items.iter().map(meant).collect()),
        Plain::Map(members) => {
            let mut map: Vec<_> = members.iter().map(|(key, value)| (key.clone(), meant(value))).collect();
            map.sort_by(|one, other| one.0.cmp(&other.0));
            Says::Map(map)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_edits_can_be_taken_back(bytes in collection::vec(any::<u8>(), 0..300), edits in collection::vec(any::<u8>(), 0..200)) {
        law(Format::Json, &bytes, &edits);
    }

    #[test]
    fn toml_edits_can_be_taken_back(bytes in collection::vec(any::<u8>(), 0..300), edits in collection::vec(any::<u8>(), 0..200)) {
        law(Format::Toml, &bytes, &edits);
    }

    #[test]
    fn yaml_edits_can_be_taken_back(bytes in collection::vec(any::<u8>(), 0..300), edits in collection::vec(any::<u8>(), 0..200)) {
        law(Format::Yaml, &bytes, &edits);
    }

    /// No bytes make a parser or an edit panic.
    #[test]
    fn bytes_are_read_or_refused(bytes in collection::vec(any::<u8>(), 0..64), which in 0..3_usize) {
        drop(Document::parse([Format::Json, Format::Toml, Format::Yaml][which], &bytes));
    }
}
