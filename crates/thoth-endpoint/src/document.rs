//! A configuration file as a tree in which every value has its place, for all formats alike.
//!
//! Nothing is ever printed from the tree: a change is a list of replaced places in the original text, so that comments,
//! order, indentation, line ends and everything that we do not know survive.

use std::borrow::Cow;
use std::ops::Range;

mod edit;
mod error;
mod json;
mod place;
mod source;
mod toml;
mod yaml;

pub use self::edit::{EditError, Edits, Plain};
pub use self::error::DocumentError;
use self::error::Fault;
pub use self::place::Place;
use self::place::Places;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// How deep values may nest. Recursion over a tree is bounded by it.
pub const MAX_DEPTH: usize = 128;
const BOM: &str = "\u{feff}";

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
    /// How it is written, for edits.
    pub(crate) form: Form,
}

/// How a value is written, as far as an edit must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// On its own: a scalar's token, or a collection between brackets.
    Token,
    /// Not at all: the map that an empty file is.
    Blank,
    /// A TOML table with a header, or the outermost one: its members on lines below.
    Section,
    /// A list of TOML tables, each with a header.
    Sections,
    /// A TOML table that other tables' headers imply.
    Implicit,
    /// A TOML table whose members are on lines with its name and a dot before.
    Dotted,
    /// A YAML list or map by indentation.
    Block,
    /// In a way that is read, never changed.
    Fixed,
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

/// A file's text and its tree.
#[derive(Debug, Clone)]
pub struct Document {
    format: Format,
    text: String,
    /// Where the text begins, after a byte order mark.
    start: usize,
    places: Places,
    root: Node,
}

impl Document {
    /// Reads a file. An empty one, or one with nothing but white space and comments, is an empty map.
    ///
    /// # Errors
    ///
    /// The text is not of that format, or beyond [`MAX_BYTES`] or [`MAX_DEPTH`]; the error says where.
    pub fn parse(format: Format, bytes: &[u8]) -> Result<Self, DocumentError> {
        let text = decode(bytes)?;
        let start = if text.starts_with(BOM) { BOM.len() } else { 0 };
        let places = Places::new(text, start);
        let read = match format {
            Format::Json => json::parse(text, start),
            Format::Toml => toml::parse(text, start),
            Format::Yaml => yaml::parse(text, start),
        };
        let root = read.map_err(|fault| fault.placed(|at| places.of(text, at)))?;
        Ok(Self { format, text: text.to_owned(), start, places, root })
    }

    /// How the file is written.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The whole text, with the byte order mark where there is one. All spans are of this text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The outermost value.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// The place of a byte of the text, as people count; of a byte beyond the end, the end.
    #[must_use]
    pub fn place(&self, byte: usize) -> Place {
        self.places.of(&self.text, byte)
    }
}

/// The bytes as text, or why they are none.
fn decode(bytes: &[u8]) -> Result<&str, DocumentError> {
    if bytes.len() > MAX_BYTES {
        let limit = MAX_BYTES >> 20;
        return Err(DocumentError::whole(format!("larger than {limit} MiB, which no configuration file is")));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || matches!(bytes, [0, _, ..] | [_, 0, ..])
    {
        return Err(DocumentError::whole("written in UTF-16, not UTF-8; save it as UTF-8"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).map(String::from_utf8_lossy).unwrap_or(Cow::Borrowed(""));
        let start = if valid.starts_with(BOM) { BOM.len() } else { 0 };
        let place = Places::new(&valid, start).of(&valid, valid.len());
        DocumentError::at(place, "bytes that are not UTF-8; save the file as UTF-8")
    })
}
