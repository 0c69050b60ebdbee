//! The canonical form of a JSON Schema, in which the sets of a schema are sorted.

use std::borrow::Cow;

use thoth_types::json::canonical::{self, lossless, utf16_order};
use thoth_types::json::{Kind, Value};

/// Keywords whose value is data, not a schema: nothing in it is a set.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];
/// Keywords whose value is an object of schemas under names that are no keywords.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

/// Appends the form. The depth of the recursion is bounded by the limits under which the document was parsed.
pub(super) fn write(schema: Value<'_>, out: &mut Vec<u8>) {
    match schema.kind() {
        Kind::Object => object(schema, out, |key, value, out| {
            if DATA.contains(&key) {
                lossless(value, out);
            } else if NAMED.contains(&key) && value.is_object() {
                object(value, out, |_, schema, out| write(schema, out));
            } else if key == "required" {
                set(value, out);
            } else {
                write(value, out);
            }
        }),
        Kind::Array => list(schema.elements(), out, write),
        _ => lossless(schema, out),
    }
}

fn object(value: Value<'_>, out: &mut Vec<u8>, write: impl Fn(&str, Value<'_>, &mut Vec<u8>)) {
    let mut members: Vec<(Cow<'_, str>, Value<'_>)> =
        value.members().map(|(key, member)| (key.as_str().unwrap_or_default(), member)).collect();
    members.sort_by(|a, b| utf16_order(&a.0, &b.0));
    out.push(b'{');
    for (at, (key, member)) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        canonical::string(out, key);
        out.push(b':');
        write(key, *member, out);
    }
    out.push(b'}');
}

fn list<T>(elements: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, element) in elements.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(element, out);
    }
    out.push(b']');
}

/// A list of texts in order; anything else as it is.
fn set(value: Value<'_>, out: &mut Vec<u8>) {
    let texts: Option<Vec<Cow<'_, str>>> = match value.kind() {
        Kind::Array => value.elements().map(|element| element.as_str()).collect(),
        _ => None,
    };
    let Some(mut texts) = texts else { return write(value, out) };
    texts.sort_by(|a, b| utf16_order(a, b));
    list(texts.iter(), out, |text, out| canonical::string(out, text));
}
