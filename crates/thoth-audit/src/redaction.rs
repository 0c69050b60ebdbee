//! Taking secrets out of JSON text, and nothing else.
//!
//! Two signs give a secret away: the name of the key it stands under, and its own shape. Edits are made on the
//! original text, so whatever is not a secret stays byte for byte. One pass, linear time: a multi-pattern search for
//! the fixed prefixes of known credentials, then a bounded look at what follows.

use std::ops::Range;

use thoth_types::json::{Kind, Value};

mod keys;
mod shapes;

/// What stands in place of a secret.
const MARK: &str = "[redacted]";

/// The text of `value` without its secrets, and how many were taken out. Once about `most` bytes are done, the rest
/// is left out.
pub(crate) fn redact(value: Value<'_>, most: usize) -> (String, u64) {
    let mut edits = Edits { base: value.span().start, list: Vec::new(), limit: value.span().start + most };
    edits.walk(value);
    let raw = value.raw();
    let mut out = Vec::with_capacity(raw.len().min(most) + 64);
    let mut done = 0;
    let mut count = 0;
    for edit in &edits.list {
        let (from, to) = (edit.span.start - edits.base, edit.span.end - edits.base);
        if from < done {
            continue;
        }
        out.extend_from_slice(raw.get(done..from).unwrap_or_default());
        if edit.quoted {
            out.push(b'"');
        }
        out.extend_from_slice(MARK.as_bytes());
        if edit.quoted {
            out.push(b'"');
        }
        done = to;
        count += 1;
    }
    // What lies beyond the limit was not searched, so it must not be kept either.
    let end = raw.len().min(most.max(done));
    let complete = end == raw.len();
    out.extend_from_slice(raw.get(done..end).unwrap_or_default());
    // Only a cut in the middle of a character needs the slow way.
    let mut text =
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if !complete {
        // One byte more than fits, so that the cap is seen to have cut.
        text.push_str(&" ".repeat((most + 1).saturating_sub(text.len())));
    }
    (text, count)
}

struct Edit {
    span: Range<usize>,
    /// Whether the replacement needs quotes of its own.
    quoted: bool,
}

struct Edits {
    base: usize,
    list: Vec<Edit>,
    limit: usize,
}

impl Edits {
    fn walk(&mut self, value: Value<'_>) {
        if value.span().start > self.limit {
            return;
        }
        match value.kind() {
            Kind::String | Kind::Key => self.string(value),
            Kind::Array => value.elements().for_each(|element| self.walk(element)),
            Kind::Object => {
                for (key, member) in value.members() {
                    self.string(key);
                    let keeps =
                        matches!(member.kind(), Kind::Null | Kind::True | Kind::False) || member.raw() == br#""""#;
                    if !keeps && key.as_str().is_some_and(|name| keys::is_secret(&name)) {
                        self.list.push(Edit { span: member.span(), quoted: true });
                    } else {
                        self.walk(member);
                    }
                }
            }
            Kind::Null | Kind::True | Kind::False | Kind::Number => {}
        }
    }

    fn string(&mut self, value: Value<'_>) {
        let span = value.span();
        let body = value.raw();
        let Some(body) = body.get(1..body.len().saturating_sub(1)) else { return };
        if body.len() < shapes::SHORTEST {
            return;
        }
        if memchr::memchr(b'\\', body).is_none() {
            let list = &mut self.list;
            shapes::find(body, &mut |found| {
                list.push(Edit { span: span.start + 1 + found.start..span.start + 1 + found.end, quoted: false });
            });
            return;
        }
        // Positions in the unescaped text do not map back simply, so all of the string goes.
        let mut hit = false;
        if let Some(text) = value.as_str() {
            shapes::find(text.as_bytes(), &mut |_| hit = true);
        }
        if hit {
            self.list.push(Edit { span, quoted: true });
        }
    }
}
