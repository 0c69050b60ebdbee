//! Reading what came, and saying what is wrong with it without repeating it.

use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use thoth_types::Redacted;

/// The longest name of a member that is repeated, in bytes.
const MAX_TOLD_NAME: usize = 40;

/// What came is not what the contract says. It tells what and where, not what stood there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (line {line}, column {column})")]
pub struct Unreadable {
    /// What is wrong.
    pub what: String,
    /// In which line, from 1.
    pub line: usize,
    /// In which column, from 1.
    pub column: usize,
}

/// Reads a body.
///
/// # Errors
/// If it is no JSON, or not of the shape asked for.
pub fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| Unreadable::from(&error))
}

impl From<&serde_json::Error> for Unreadable {
    fn from(error: &serde_json::Error) -> Self {
        // These name parts of the contract; all other messages may quote what came.
        const TOLD: [&str; 3] = ["missing field `", "duplicate field `", "expected one of "];
        let text = error.to_string();
        let what = text.split_once(" at line ").map_or(&*text, |(what, _)| what);
        if let Some(told) = what.strip_prefix("unknown field `").and_then(unknown_member) {
            return Self { what: told, line: error.line(), column: error.column() };
        }
        let what = match error.classify() {
            Category::Data if TOLD.iter().any(|start| what.starts_with(start)) => what.to_owned(),
            Category::Data => "a value of another type than the contract says".to_owned(),
            Category::Eof => "the JSON ends too early".to_owned(),
            Category::Syntax | Category::Io => "not JSON".to_owned(),
        };
        Self { what, line: error.line(), column: error.column() }
    }
}

/// That a member is not known, if its name can be repeated: a short word, and no text that somebody has put in its place.
fn unknown_member(rest: &str) -> Option<String> {
    let (name, known) = rest.split_once('`')?;
    let plain = name.len() <= MAX_TOLD_NAME && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !plain || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    // Every second part stands in backticks. Other spellings are read, too, and clutter a list.
    let known = known.split('`').skip(1).step_by(2).filter(|name| !name.contains(|c: char| c.is_ascii_uppercase()));
    Some(format!("`{name}` is no member here, where there are {}", known.collect::<Vec<_>>().join(", ")))
}

/// JSON that is passed on byte for byte and never printed: arguments of tools. Numbers keep every digit.
#[derive(Clone)]
pub struct Json(Redacted<String>);

impl Json {
    /// The text. It is JSON if it was read; what is made from other text cannot be written.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Redacted::new(text))
    }

    /// The text, exactly as it came.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Deserialize::deserialize(deserializer)?;
        Ok(Self::new(String::from(Box::<str>::from(raw))))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.text()).map_err(|_| S::Error::custom("no JSON"))?;
        raw.serialize(serializer)
    }
}

/// A list that may be `null`, as some clients write an empty one.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A text that may be `null` or blank, which is none.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.trim().is_empty()))
}

/// An object of whatever; its contents are not printed.
#[derive(Clone, Default, PartialEq)]
pub struct Extra(pub serde_json::Map<String, serde_json::Value>);

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} members]", self.0.len())
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

impl Extra {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
