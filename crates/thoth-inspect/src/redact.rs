//! Taking what was found out of the bytes: surgery on spans, never a rewrite of the document.

mod schema;

use std::ops::Range;

use thoth_types::json::{JsonError, Limits, Tape, Value};

use super::detection::{Action, Detection, Inspection};

/// A document without what was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction {
    /// The new document. Every byte outside of the removed spans is as it was.
    pub document: Vec<u8>,
    /// What was removed: the kind and the pointer, each place once.
    pub removed: Vec<(&'static str, String)>,
}

/// Why a document cannot be redacted. The caller must not forward it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedactable {
    /// The inspection did not see everything.
    #[error("the document was not inspected completely")]
    Incomplete,
    /// The schema of the output admits no value that says that something was removed.
    #[error("the output schema admits no replacement at `{0}`")]
    Schema(String),
    /// The spans do not belong to this document.
    #[error("the detections do not belong to this document")]
    Foreign,
    /// What came out is not valid: two keys became equal, for example.
    #[error("the redacted document is not valid: {0}")]
    Invalid(JsonError),
}

/// The marker that stands where something was. Nothing in it needs escaping, however deep in strings it stands.
fn marker(kind: &str) -> String {
    format!("[REDACTED:{kind}]")
}

/// Whether the value that a pointer of a [`Detection`] names lies in JSON inside a string of a document.
#[must_use]
pub fn is_in_string(root: Value<'_>, pointer: &str) -> bool {
    schema::outer(root, pointer).len() < pointer.len()
}

/// What stands for a number: another one, or in JSON that lies in strings a text, with quotes as such strings have them.
fn in_place_of_number(found: &Detection, root: Option<Value<'_>>) -> String {
    let Some(root) = root.filter(|root| is_in_string(*root, &found.pointer)) else { return "0".to_owned() };
    let inner = found.pointer.get(schema::outer(root, &found.pointer).len()..).unwrap_or_default();
    let level = u32::try_from(inner.matches("!/").count()).unwrap_or(u32::MAX).min(8);
    let quote = format!("{}\"", "\\".repeat(2_usize.pow(level) - 1));
    format!("{quote}{}{quote}", marker(found.kind))
}

/// One replacement of bytes.
struct Cut {
    span: Range<usize>,
    text: String,
}

/// Removes every detection whose action is [`Action::Redact`] from the document it was found in.
///
/// `output_schema` is the tool's `outputSchema`, which the `structuredContent` of a result must still satisfy.
///
/// # Errors
/// [`NotRedactable`], and then the document must not be forwarded.
pub fn redact(
    document: &[u8],
    inspection: &Inspection,
    output_schema: Option<Value<'_>>,
) -> Result<Redaction, NotRedactable> {
    if inspection.incomplete.is_some() {
        return Err(NotRedactable::Incomplete);
    }
    let chosen: Vec<&Detection> = inspection.detections.iter().filter(|found| found.action == Action::Redact).collect();
    let mut cuts = Vec::with_capacity(chosen.len());
    let mut keys = 0;
    let mut tape = Tape::new();
    // Only where a number may lie in a string.
    let root = if chosen.iter().any(|found| found.is_number && found.pointer.contains("!/")) {
        let limits = Limits { max_bytes: document.len(), ..Limits::default() };
        Some(tape.parse(document, &limits).map_err(NotRedactable::Invalid)?)
    } else {
        None
    };
    for found in &chosen {
        let text = if found.is_number {
            in_place_of_number(found, root)
        } else if found.in_key {
            // Two keys must not become equal.
            keys += 1;
            format!("[REDACTED:{}#{keys}]", found.kind)
        } else {
            marker(found.kind)
        };
        cuts.push(Cut { span: found.span.clone(), text });
    }
    let mut result = apply(document, cuts)?;
    if let Some(schema) = output_schema {
        result = schema::satisfy(result, &chosen, schema)?;
    }
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: result.len(), ..Limits::default() };
    tape.parse(&result, &limits).map_err(NotRedactable::Invalid)?;
    let mut removed: Vec<_> = chosen.iter().map(|found| (found.kind, found.pointer.clone())).collect();
    removed.dedup();
    Ok(Redaction { document: result, removed })
}

/// Replaces spans, in one pass. Spans that overlap become one, under the marker of the first.
fn apply(document: &[u8], mut cuts: Vec<Cut>) -> Result<Vec<u8>, NotRedactable> {
    cuts.sort_by_key(|cut| (cut.span.start, std::cmp::Reverse(cut.span.end)));
    let mut out = Vec::with_capacity(document.len());
    let mut done = 0;
    for cut in cuts {
        if cut.span.start < done {
            done = done.max(cut.span.end);
            continue;
        }
        out.extend_from_slice(document.get(done..cut.span.start).ok_or(NotRedactable::Foreign)?);
        out.extend_from_slice(cut.text.as_bytes());
        done = cut.span.end;
    }
    out.extend_from_slice(document.get(done..).ok_or(NotRedactable::Foreign)?);
    Ok(out)
}

#[cfg(test)]
mod tests;
