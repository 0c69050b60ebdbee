//! Changes to a document, as replaced spans of its text.
//!
//! Each insertion has an inverse that needs nothing but the text: an element is written so that removing it again,
//! with what separates it from its neighbours, leaves the bytes that were there. Where that cannot be had, the edit is
//! refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::source::Source;
use super::{Document, Form, Format, Member, Node, Place, Value};

mod block;
mod brackets;
mod lines;
mod meaning;
mod sections;

mod splice;
mod write;

use self::splice::Splices;

/// A value to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// A text, written between quotes.
    Text(String),
    /// A scalar's token as it stands in the same document, from [`Edits::token`].
    Raw(String),
    /// A list.
    List(Vec<Self>),
    /// A map, its members in this order.
    Map(Vec<(String, Self)>),
}

/// Why an edit is not made. Nothing is changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The place is written in a way that cannot be changed with certainty.
    #[error("{place}: {why}")]
    Unsupported {
        /// Where.
        place: Place,
        /// What is there, as a lowercase fragment.
        why: String,
    },
    /// Two edits change the same place.
    #[error("{place}: two changes meet here")]
    Overlap {
        /// Where.
        place: Place,
    },
}

/// Edits of one document, made together by [`Edits::apply`].
///
/// Each method refuses at once what cannot be done at its place; what meets another edit is found by `apply`. To take
/// several edits or none of them, collect them in a second value and [`merge`](Edits::merge) it.
#[derive(Debug, Clone)]
pub struct Edits<'d> {
    document: &'d Document,
    source: Source<'d>,
    edits: Vec<Edit<'d>>,
}

/// One edit: of which value, and what.
#[derive(Debug, Clone)]
struct Edit<'d> {
    node: &'d Node,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Plain),
    /// List items before the first.
    Prepend(Vec<Plain>),
    /// Leading list items.
    RemoveItems(usize),
    /// A member after the one with that index, or at the end.
    Insert {
        after: Option<usize>,
        key: String,
        value: Plain,
    },
    RemoveMember(usize),
}

/// What happens to one collection. Positions are those of the elements that it has.
#[derive(Debug, Default)]
struct Changes<'e> {
    /// New elements by the number of elements before them; each with its name, in a map.
    added: BTreeMap<usize, Vec<(Option<&'e str>, &'e Plain)>>,
    removed: BTreeSet<usize>,
}

impl<'d> Edits<'d> {
    /// No edits yet.
    #[must_use]
    pub fn new(document: &'d Document) -> Self {
        let source = Source { text: &document.text, start: document.start, format: document.format };
        Self { document, source, edits: Vec::new() }
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Takes over the edits of `other`, which are of the same document.
    pub fn merge(&mut self, other: Self) {
        self.edits.extend(other.edits);
    }

    /// A scalar's exact token, if it may stand in another place of the same document too, as a list's item or a
    /// member's value; `None` where it may not, and of collections.
    #[must_use]
    pub fn token(&self, node: &Node) -> Option<&'d str> {
        match (&node.value, node.form) {
            (Value::Text(_) | Value::Bool(_) | Value::Other, Form::Token) => {
                let token = self.source.slice(node.span.start, node.span.end);
                let movable = self.document.format != Format::Yaml || write::is_movable(token);
                (movable && !token.is_empty()).then_some(token)
            }
            _ => None,
        }
    }

    /// Gives a scalar a new token, a text or [`Plain::Raw`]. The inverse is `replace` with the old token.
    ///
    /// # Errors
    ///
    /// The node or the value is a collection, or the token cannot be replaced alone.
    pub fn replace(&mut self, node: &'d Node, with: Plain) -> Result<(), EditError> {
        self.add(node, Change::Replace(with))
    }

    /// Puts items before a list's first: one per line if the list is written so, else on its line.
    ///
    /// # Errors
    ///
    /// The node is no list, or is written in a way that does not allow it.
    pub fn prepend(&mut self, list: &'d Node, items: Vec<Plain>) -> Result<(), EditError> {
        self.add(list, Change::Prepend(items))
    }

    /// Removes the leading items of a list: the inverse of [`Edits::prepend`].
    ///
    /// # Errors
    ///
    /// The node is no list with these items, or the range does not begin with the first.
    pub fn remove_items(&mut self, list: &'d Node, range: Range<usize>) -> Result<(), EditError> {
        if range.start != 0 || range.end > list.items().len() {
            return Err(self.refusal(list.span.start, "only items that a list begins with can be removed"));
        }
        self.add(list, Change::RemoveItems(range.end))
    }

    /// Writes a new member after that one, in the map's own style.
    ///
    /// # Errors
    ///
    /// `after` is no member of the map, the map has that name already, or is written in a way that does not allow it.
    pub fn insert_after(&mut self, map: &'d Node, after: &'d Member, key: &str, value: Plain) -> Result<(), EditError> {
        let Some(after) = map.members().iter().position(|member| std::ptr::eq(member, after)) else {
            return Err(self.refusal(map.span.start, "no member of this map"));
        };
        self.add(map, Change::Insert { after: Some(after), key: key.to_owned(), value })
    }

    /// Writes a new member at the end of a map, in its own style.
    ///
    /// # Errors
    ///
    /// The map has that name already, or is written in a way that does not allow it.
    pub fn append(&mut self, map: &'d Node, key: &str, value: Plain) -> Result<(), EditError> {
        self.add(map, Change::Insert { after: None, key: key.to_owned(), value })
    }

    /// Removes a member with its value and the comments in it: the inverse of [`Edits::insert_after`] and
    /// [`Edits::append`]. Comments around it stay.
    ///
    /// # Errors
    ///
    /// `member` is no member of the map, or is written in a way that does not allow it.
    pub fn remove_member(&mut self, map: &'d Node, member: &'d Member) -> Result<(), EditError> {
        let Some(index) = map.members().iter().position(|one| std::ptr::eq(one, member)) else {
            return Err(self.refusal(map.span.start, "no member of this map"));
        };
        self.add(map, Change::RemoveMember(index))
    }

    /// The text with all edits made.
    ///
    /// # Errors
    ///
    /// Two edits change the same place, or the result would not say exactly what was asked for. The document stands as
    /// it is then.
    pub fn apply(self) -> Result<String, EditError> {
        let splices = self.plan(&self.edits)?;
        let text = splices.apply(&self.document.text).map_err(|at| self.overlap(at))?;
        self.verify(&text)?;
        Ok(text)
    }

    fn add(&mut self, node: &'d Node, change: Change) -> Result<(), EditError> {
        let edit = Edit { node, change };
        self.plan(std::slice::from_ref(&edit))?;
        self.edits.push(edit);
        Ok(())
    }

    /// What edits do to the text. Those of one collection are planned together, since they share separators.
    fn plan(&self, edits: &[Edit<'d>]) -> Result<Splices, EditError> {
        let mut splices = Splices::default();
        let mut groups: BTreeMap<usize, (&Node, Changes<'_>)> = BTreeMap::new();
        for Edit { node, change } in edits {
            if let Change::Replace(with) = change {
                self.replacement(node, with, &mut splices)?;
                continue;
            }
            let (_, changes) = groups.entry(std::ptr::from_ref(*node).addr()).or_insert((node, Changes::default()));
            self.collect(node, change, changes)?;
        }
        for (node, changes) in groups.values() {
            if changes.added.is_empty() && changes.removed.is_empty() {
                continue;
            }
            if changes.meet() {
                return Err(self.overlap(node.span.start));
            }
            splices.rank(node.span.start);
            match node.form {
                Form::Token => brackets::plan(self, node, changes, &mut splices)?,
                Form::Block => block::plan(self, node, changes, &mut splices)?,
                Form::Section | Form::Dotted => sections::plan(self, node, changes, &mut splices)?,
                Form::Blank => return Err(self.refusal(node.span.start, "the file is empty")),
                Form::Implicit => return Err(self.refusal(node.span.start, "a table without lines of its own")),
                Form::Sections => return Err(self.refusal(node.span.start, "a list of tables with headers")),
                Form::Fixed => return Err(self.refusal(node.span.start, "written in a way that is not edited")),
            }
        }
        Ok(splices)
    }

    fn collect<'e>(&self, node: &Node, change: &'e Change, changes: &mut Changes<'e>) -> Result<(), EditError> {
        let refuse = |why: &str| Err(self.refusal(node.span.start, why));
        match (change, &node.value) {
            (Change::Prepend(items), Value::List(_)) => {
                changes.add(0, items.iter().map(|item| (None, item)));
            }
            (Change::RemoveItems(count), Value::List(_)) => changes.removed.extend(0..*count),
            (Change::Insert { after, key, value }, Value::Map(members)) => {
                if members.iter().any(|member| member.key == *key) {
                    return refuse("the map has a member of that name already");
                }
                let before = after.map_or(members.len(), |after| after + 1);
                changes.add(before, std::iter::once((Some(key.as_str()), value)));
            }
            (Change::RemoveMember(index), Value::Map(_)) => {
                changes.removed.insert(*index);
            }
            (Change::Prepend(_) | Change::RemoveItems(_), _) => return refuse("not a list"),
            _ => return refuse("not a map"),
        }
        Ok(())
    }

    fn replacement(&self, node: &Node, with: &Plain, splices: &mut Splices) -> Result<(), EditError> {
        if !matches!(with, Plain::Text(_) | Plain::Raw(_)) {
            return Err(self.refusal(node.span.start, "only a single value can be written here"));
        }
        if node.form != Form::Token || matches!(node.value, Value::List(_) | Value::Map(_)) {
            return Err(self.refusal(node.span.start, "not a value that can be replaced alone"));
        }
        splices.replace(node.span.clone(), write::inline(self.document.format, with));
        Ok(())
    }

    /// Reads the result and compares what it says with what was asked for.
    fn verify(&self, text: &str) -> Result<(), EditError> {
        let start = self.document.start;
        let result = Document::parse(self.document.format, text.as_bytes())
            .map_err(|error| self.refusal(start, &format!("the change would not be read back ({error})")))?;
        let expected = meaning::after(self.document, &self.edits)
            .ok_or_else(|| self.refusal(start, "a token is no single value"))?;
        if meaning::of(&result) == expected {
            Ok(())
        } else {
            Err(self.refusal(start, "the change would be read as something else"))
        }
    }

    fn refusal(&self, at: usize, why: &str) -> EditError {
        EditError::Unsupported { place: self.document.place(at), why: why.to_owned() }
    }

    fn overlap(&self, at: usize) -> EditError {
        EditError::Overlap { place: self.document.place(at) }
    }
}

impl<'e> Changes<'e> {
    fn add(&mut self, before: usize, elements: impl Iterator<Item = (Option<&'e str>, &'e Plain)>) {
        let mut elements = elements.peekable();
        if elements.peek().is_some() {
            self.added.entry(before).or_default().extend(elements);
        }
    }

    /// Whether something is added next to what is removed: both would claim the same separators.
    fn meet(&self) -> bool {
        let beside = |before: usize| {
            self.removed.contains(&before) || before.checked_sub(1).is_some_and(|index| self.removed.contains(&index))
        };
        self.added.keys().any(|before| beside(*before))
    }
}

#[cfg(test)]
mod tests;
