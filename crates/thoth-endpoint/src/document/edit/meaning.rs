//! What a document says, apart from how it is written: to check an edit's result against what was asked for.

use std::collections::HashMap;

use super::super::{Document, Format, Node, Value};
use super::{Change, Edit, Plain};

/// A value without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Ordered by name; members of one name in the order of the file.
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
    Text(String),
    Bool(bool),
    /// The text that it stands in.
    Other(String),
}

pub(super) fn of(document: &Document) -> Meaning {
    Reader { document, edits: HashMap::new() }.read(&document.root).unwrap_or_else(|| Meaning::List(Vec::new()))
}

/// What the document should say after the edits; `None` where one of them writes a token that is no scalar.
pub(super) fn after(document: &Document, edits: &[Edit<'_>]) -> Option<Meaning> {
    let mut by_node: HashMap<usize, Vec<&Change>> = HashMap::new();
    for edit in edits {
        by_node.entry(std::ptr::from_ref(edit.node).addr()).or_default().push(&edit.change);
    }
    Reader { document, edits: by_node }.read(&document.root)
}

struct Reader<'d> {
    document: &'d Document,
    edits: HashMap<usize, Vec<&'d Change>>,
}

impl Reader<'_> {
    fn read(&self, node: &Node) -> Option<Meaning> {
        let changes = self.edits.get(&std::ptr::from_ref(node).addr()).map(Vec::as_slice).unwrap_or_default();
        if let Some(with) =
            changes.iter().find_map(|change| if let Change::Replace(with) = change { Some(with) } else { None })
        {
            return self.plain(with);
        }
        Some(match &node.value {
            Value::Text(text) => Meaning::Text(text.clone()),
            Value::Bool(value) => Meaning::Bool(*value),
            Value::Other => Meaning::Other(self.document.text.get(node.span.clone()).unwrap_or_default().to_owned()),
            Value::List(items) => Meaning::List(self.list(items, changes)?),
            Value::Map(_) => {
                let mut members = self.members(node, changes)?;
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                Meaning::Map(members)
            }
        })
    }

    fn list(&self, items: &[Node], changes: &[&Change]) -> Option<Vec<Meaning>> {
        let mut added = Vec::new();
        let mut removed = 0;
        for change in changes {
            match change {
                Change::Prepend(items) => added.extend(items),
                Change::RemoveItems(count) => removed = removed.max(*count),
                _ => {}
            }
        }
        let mut list = added.into_iter().map(|item| self.plain(item)).collect::<Option<Vec<_>>>()?;
        for item in items.iter().skip(removed) {
            list.push(self.read(item)?);
        }
        Some(list)
    }

    fn members(&self, node: &Node, changes: &[&Change]) -> Option<Vec<(String, Meaning)>> {
        let removed =
            |index: usize| changes.iter().any(|change| matches!(change, Change::RemoveMember(one) if *one == index));
        let mut members = Vec::new();
        for (index, member) in node.members().iter().enumerate() {
            if !removed(index) {
                members.push((member.key.clone(), self.read(&member.node)?));
            }
        }
        for change in changes {
            if let Change::Insert { key, value, .. } = change {
                members.push((key.clone(), self.plain(value)?));
            }
        }
        Some(members)
    }

    fn plain(&self, value: &Plain) -> Option<Meaning> {
        Some(match value {
            Plain::Text(text) => Meaning::Text(text.clone()),
            Plain::Raw(token) => self.token(token)?,
            Plain::List(items) => Meaning::List(items.iter().map(|item| self.plain(item)).collect::<Option<_>>()?),
            Plain::Map(members) => {
                let member = |(key, value): &(String, Plain)| Some((key.clone(), self.plain(value)?));
                let mut members = members.iter().map(member).collect::<Option<Vec<_>>>()?;
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                Meaning::Map(members)
            }
        })
    }

    /// What a token says where it stands alone.
    fn token(&self, token: &str) -> Option<Meaning> {
        let format = self.document.format;
        let text = match format {
            Format::Json | Format::Yaml => format!("[{token}]"),
            Format::Toml => format!("x=[{token}]"),
        };
        let document = Document::parse(format, text.as_bytes()).ok()?;
        let list = if format == Format::Toml { document.root.get("x")? } else { &document.root };
        let [item] = list.items() else { return None };
        let whole = item.span.end - item.span.start == token.len();
        let scalar = matches!(item.value, Value::Text(_) | Value::Bool(_) | Value::Other);
        (whole && scalar).then(|| Reader { document: &document, edits: HashMap::new() }.read(item))?
    }
}
