//! A configuration file as a tree in which every value has its place, for all formats alike.
//!
//! Nothing is ever printed from the tree: a change is a list of replaced places in the original text, so that comments,
//! order, indentation, line ends and everything that we do not know survive.

use std::fmt;
use std::ops::Range;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// JSON; comments and trailing commas are read too, as most clients do, and never introduced.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// A value and the bytes of the text that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The value's own bytes, without what surrounds it. Of a table that is spread over the file (TOML), its first
    /// appearance.
    pub span: Range<usize>,
    /// The value.
    pub value: Value,
}

/// A value, as far as wrapping looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An object, table or mapping, its members in order of appearance. A name can appear twice where the format lets it.
    Map(Vec<Member>),
    /// A list.
    List(Vec<Node>),
    /// A text, decoded.
    Text(String),
    /// True or false.
    Bool(bool),
    /// Anything else: a number, null, a date, a YAML alias.
    Other,
}

/// One member of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, decoded.
    pub key: String,
    /// The bytes of the name.
    pub key_span: Range<usize>,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// The members of a map; of anything else, none.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        if let Value::Map(members) = &self.value { members } else { &[] }
    }

    /// The items of a list; of anything else, none.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// A text's content.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The member of that name: the last one where there are several, since readers that accept that take the last.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().rev().find(|member| member.key == key).map(|member| &member.node)
    }
}

/// A place in a text as people count: lines and columns begin with 1, columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// The place of a byte of `text`; of a byte beyond its end, the end.
    #[must_use]
    pub fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let text = "aé\n\nb";
        for (byte, place) in [(0, "1:1"), (3, "1:3"), (4, "2:1"), (5, "3:1"), (6, "3:2"), (99, "3:2")] {
            assert_eq!(Place::of(text, byte).to_string(), place, "{byte}");
        }
    }
}
