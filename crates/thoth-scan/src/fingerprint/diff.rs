//! What differs between two definitions, field by field, as a person reads it.

use std::sync::Arc;

use thoth_types::Fingerprint;
use thoth_types::json::canonical::lossless;
use thoth_types::json::{Kind, Limits, Tape, Value};

/// What a field held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldText {
    /// A text, as it is.
    Text(String),
    /// Anything else, as JSON over several lines.
    Json(String),
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name.
    pub field: Arc<str>,
    /// What it held; `None` where it was not there.
    pub old: Option<FieldText>,
    /// What it holds; `None` where it is no longer there.
    pub new: Option<FieldText>,
}

/// The fields in which two definitions differ, in the order of their names. Without an old one, all fields are new.
#[must_use]
pub fn diff(old: Option<&Fingerprint>, new: &Fingerprint) -> Vec<FieldChange> {
    let changed = match old {
        Some(old) => old.changed_fields(new),
        None => new.fields.iter().map(|field| Arc::clone(&field.field)).collect(),
    };
    let texts = |fingerprint: &Fingerprint| -> Vec<Option<FieldText>> {
        let mut tape = Tape::new();
        // What is kept was parsed once already, under limits that differ.
        let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
        let parsed = tape.parse(fingerprint.definition.as_bytes(), &limits).ok();
        changed.iter().map(|field| parsed?.get(field).map(text)).collect()
    };
    let before = old.map_or_else(|| vec![None; changed.len()], texts);
    let changes = changed.iter().zip(before.into_iter().zip(texts(new)));
    changes.map(|(field, (old, new))| FieldChange { field: Arc::clone(field), old, new }).collect()
}

fn text(value: Value<'_>) -> FieldText {
    match value.as_str() {
        Some(text) => FieldText::Text(text.into_owned()),
        None => FieldText::Json(pretty(value)),
    }
}

/// A value as JSON over several lines, two spaces for each level; what is empty or no container on one.
#[must_use]
pub fn pretty(value: Value<'_>) -> String {
    let mut out = Vec::new();
    write(value, 0, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn write(value: Value<'_>, depth: usize, out: &mut Vec<u8>) {
    let line = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * depth));
    };
    match value.kind() {
        Kind::Object if value.members().next().is_some() => {
            out.push(b'{');
            for (at, (key, member)) in value.members().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                line(depth + 1, out);
                lossless(key, out);
                out.extend_from_slice(b": ");
                write(member, depth + 1, out);
            }
            line(depth, out);
            out.push(b'}');
        }
        Kind::Array if value.elements().next().is_some() => {
            out.push(b'[');
            for (at, element) in value.elements().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                line(depth + 1, out);
                write(element, depth + 1, out);
            }
            line(depth, out);
            out.push(b']');
        }
        _ => lossless(value, out),
    }
}

#[cfg(test)]
mod tests {
    use thoth_types::ItemKind;

    use super::super::of_definition;
    use super::*;

    fn tool(text: &str) -> Fingerprint {
        let mut tape = Tape::new();
        of_definition(ItemKind::Tool, tape.parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    #[test]
    fn differences_have_both_texts() {
        let old = tool(r#"{"name":"t","description":"a\nb","annotations":{"x":[1,{}]}}"#);
        let new = tool(r#"{"name":"t","description":"c","title":"T","annotations":{"x":[2,{}]}}"#);
        let text = |text: &str| Some(FieldText::Text(text.to_owned()));
        let json = |text: &str| Some(FieldText::Json(text.to_owned()));
        let expected = [
            (
                "annotations",
                json("{\n  \"x\": [\n    1,\n    {}\n  ]\n}"),
                json("{\n  \"x\": [\n    2,\n    {}\n  ]\n}"),
            ),
            ("description", text("a\nb"), text("c")),
            ("title", None, text("T")),
        ];
        let expected = expected.map(|(field, old, new)| FieldChange { field: field.into(), old, new });
        assert_eq!(diff(Some(&old), &new), expected);
        assert_eq!(diff(Some(&old), &old), []);
        assert_eq!(diff(None, &old).len(), 3);
    }
}
