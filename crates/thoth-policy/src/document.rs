//! Files beside a policy, such as its tests, read as strictly as the policy itself: every key is known, and every
//! mistake has its place.

use thoth_types::Place;

use crate::diagnostic::LoadError;
use crate::include;
use crate::literal::Literal;
pub use crate::read::Reader;
use crate::source::SourceText;
use crate::yaml;
pub use crate::yaml::{At, Content, Key, Node, Piece, PieceKind, ScalarNotation};

/// Reads one YAML file with `take`, which is given the file's root, or `None` for an empty file.
///
/// # Errors
/// Everything that is wrong with the file, each with its place.
pub fn read<T>(
    name: &str,
    bytes: Vec<u8>,
    take: impl FnOnce(&mut Reader<'_>, Option<&Node>) -> T,
) -> Result<T, LoadError> {
    let text = SourceText { identity: name.to_owned(), name: name.to_owned(), bytes };
    let file = include::decode(text).map_err(LoadError::one)?;
    let root = yaml::parse(&file).map_err(|diagnostic| LoadError::one(*diagnostic))?;
    let mut reader = Reader::new(&file);
    let taken = take(&mut reader, root.as_ref());
    if reader.errors.is_empty() { Ok(taken) } else { Err(LoadError { diagnostics: reader.errors }) }
}

/// Everything that is wrong with one file of a policy, on its own: the files that it includes are not looked at, nor what
/// only all of them together show.
///
/// # Errors
/// What is wrong, each with its place.
pub fn check_policy(name: &str, bytes: Vec<u8>) -> Result<(), LoadError> {
    read(name, bytes, |reader, root| drop(reader.document(root)))
}

/// The pieces in which one YAML file was written, with its comments, and its text. The file is one that can be read.
///
/// # Errors
/// What is wrong with the file as YAML.
pub fn pieces(name: &str, bytes: Vec<u8>) -> Result<(String, Vec<Piece>), LoadError> {
    let text = SourceText { identity: name.to_owned(), name: name.to_owned(), bytes };
    let file = include::decode(text).map_err(LoadError::one)?;
    yaml::parse(&file).map_err(|diagnostic| LoadError::one(*diagnostic))?;
    let pieces = yaml::pieces(&file).map_err(|diagnostic| LoadError::one(*diagnostic))?;
    Ok((file.text.clone(), pieces))
}

impl Reader<'_> {
    /// Where something stands, with the file's name.
    #[must_use]
    pub fn place(&self, at: At) -> Place {
        self.file.place(at)
    }

    /// Whether nothing was found wrong yet.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.errors.is_empty()
    }

    /// A value as JSON text, read as policies read the values that they compare with.
    pub fn json(&mut self, node: &Node) -> Option<String> {
        let mut text = String::new();
        write_json(&self.literal(node)?, &mut text);
        Some(text)
    }
}

// Recursion is bounded by the depth of YAML files.
fn write_json(literal: &Literal, out: &mut String) {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match literal {
        Literal::Null => out.push_str("null"),
        Literal::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        // As written: no digit is lost.
        Literal::Number(number) => out.push_str(number),
        Literal::Text(own) => out.push_str(&text(own)),
        Literal::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Literal::Map(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&text(key));
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}
