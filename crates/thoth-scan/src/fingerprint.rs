//! Fingerprints: the digest of everything that a definition says, and of each of its fields.
//!
//! Two definitions that mean the same have one fingerprint: key order, white space, escapes, the spelling of a number and
//! the order of a schema's `required` make no difference. Everything else does, in any field, known or not: a change of a
//! title, an annotation or an output schema changes what a model or a host does just as a change of the description.
//! Texts are compared as they are; another Unicode form of the same text is a change, because it is another text.

mod diff;
mod schema;

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use thoth_types::json::canonical::{self, lossless};
use thoth_types::json::{Kind, Value};
use thoth_types::{Digest, FieldDigest, Fingerprint, ItemKind};

pub use diff::{FieldChange, FieldText, diff, pretty};

/// The digest of bytes.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// The digest of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct DigestOf(Sha256);

impl DigestOf {
    /// Takes in one piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The fingerprint of one thing that a server lists: an object as it stands in the list. It is the SHA-256 of the
/// canonical form: RFC 8785, except that numbers beyond a double keep their value.
#[must_use]
pub fn of_definition(kind: ItemKind, definition: Value<'_>) -> Fingerprint {
    let mut parts: Vec<Part<'_>> = definition
        .members()
        .filter_map(|(key, value)| {
            let key = key.as_str()?;
            let mut form = Vec::new();
            match (kind, &*key) {
                // How large a resource is and when it was written changes with every use of it.
                (ItemKind::Resource, "size") if value.kind() == Kind::Number => return None,
                (ItemKind::Resource, "annotations") => without_time(value, &mut form),
                (ItemKind::Tool, "inputSchema" | "outputSchema") => schema::write(value, &mut form),
                _ => lossless(value, &mut form),
            }
            Some(Part { field: key, form })
        })
        .collect();
    finish(&mut parts)
}

/// The fingerprint of a text, such as a server's `instructions`: that of an object with this one field.
#[must_use]
pub fn of_text(field: &str, text: &str) -> Fingerprint {
    of_texts(&[(field, text)])
}

/// The fingerprint of an object of texts.
#[must_use]
pub fn of_texts(fields: &[(&str, &str)]) -> Fingerprint {
    let part = |(field, text): &(&str, &str)| {
        let mut form = Vec::with_capacity(text.len() + 2);
        canonical::string(&mut form, text);
        Part { field: Cow::Owned((*field).to_owned()), form }
    };
    let mut parts: Vec<Part<'_>> = fields.iter().map(part).collect();
    finish(&mut parts)
}

/// The fingerprint of how a server is started. Of the arguments, which can hold secrets, only digests are kept: enough to
/// tell that one has changed, and which.
#[must_use]
pub fn of_launch(program: &str, binary: Option<Digest>, arguments: &[&[u8]]) -> Fingerprint {
    let mut form = b"[".to_vec();
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            form.push(b',');
        }
        canonical::string(&mut form, &digest_of(argument).to_string());
    }
    form.push(b']');
    let text = |text: &str| {
        let mut form = Vec::new();
        canonical::string(&mut form, text);
        form
    };
    let mut parts =
        vec![Part { field: "arguments".into(), form }, Part { field: "program".into(), form: text(program) }];
    parts.extend(binary.map(|digest| Part { field: "binary".into(), form: text(&digest.to_string()) }));
    finish(&mut parts)
}

/// One field in its canonical form.
struct Part<'d> {
    field: Cow<'d, str>,
    form: Vec<u8>,
}

fn finish(parts: &mut [Part<'_>]) -> Fingerprint {
    parts.sort_by(|a, b| canonical::utf16_order(&a.field, &b.field));
    let mut whole = b"{".to_vec();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            whole.push(b',');
        }
        canonical::string(&mut whole, &part.field);
        whole.push(b':');
        whole.extend_from_slice(&part.form);
    }
    whole.push(b'}');
    let field = |part: &Part<'_>| FieldDigest { field: Arc::from(&*part.field), digest: digest_of(&part.form) };
    Fingerprint {
        digest: digest_of(&whole),
        fields: parts.iter().map(field).collect(),
        // What was parsed was UTF-8, and nothing else was added.
        definition: String::from_utf8(whole).unwrap_or_default().into(),
    }
}

/// Annotations without `lastModified`. What is left out here is not scanned by whoever has only the fingerprint, so nothing
/// is left out that could say something.
fn without_time(annotations: Value<'_>, out: &mut Vec<u8>) {
    let time = annotations.get("lastModified").and_then(|time| time.as_str());
    if time.is_some_and(|time| is_time(&time)) {
        canonical::lossless_without(annotations, &["lastModified"], out);
    } else {
        lossless(annotations, out);
    }
}

/// The longest time that ISO 8601 writes, with a week or a fraction of a second, is shorter.
const LONGEST_TIME: usize = 40;

/// Whether a text has the form of a time in ISO 8601, as far as that matters: it has no letters that make words.
fn is_time(text: &str) -> bool {
    let sign = |byte: u8| {
        byte.is_ascii_digit()
            || matches!(byte, b'T' | b'W' | b'Z' | b't' | b'z' | b':' | b'+' | b'-' | b'.' | b',' | b' ')
    };
    text.len() <= LONGEST_TIME && text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(sign)
}

#[cfg(test)]
mod tests {
    use thoth_types::json::{Limits, Tape};

    use super::*;

    fn tool(text: &str) -> Fingerprint {
        of(ItemKind::Tool, text)
    }

    fn of(kind: ItemKind, text: &str) -> Fingerprint {
        let mut tape = Tape::new();
        of_definition(kind, tape.parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    const TOOL: &str = r#"{"name":"add","title":"Add","description":"Adds two numbers","inputSchema":{"type":"object",
        "properties":{"a":{"type":"number","minimum":1},"required":{"type":"string"}},"required":["a","required"]},
        "outputSchema":{"type":"object","properties":{"sum":{"type":"number"}}},"annotations":{"readOnlyHint":true},
        "icons":[{"src":"data:x"}],"_meta":{"k":[1,2]}}"#;

    /// Defends: a reload that changes nothing never alarms, however the server writes it.
    #[test]
    fn spellings_of_one_definition_are_one() {
        let one = tool(TOOL);
        for (what, with) in [
            (r#""required":["a","required"]"#, r#""required":["required","a"]"#),
            (r#""minimum":1"#, r#""minimum":1.0"#),
            (r#""minimum":1"#, r#""minimum" : 1e0 "#),
            (r#""title":"Add""#, r#""title":"\u0041dd""#),
            (r#""name":"add","title":"Add""#, r#""title":"Add","name":"add""#),
        ] {
            assert!(TOOL.contains(what), "{what}");
            assert_eq!(one, tool(&TOOL.replace(what, with)), "{with}");
        }
    }

    /// Defends: each field counts, and the difference names it.
    #[test]
    fn every_field_counts() {
        let one = tool(TOOL);
        for (what, with, field) in [
            ("\"name\":\"add\"", "\"name\":\"adD\"", "name"),
            ("\"title\":\"Add\"", "\"title\":\"Add.\"", "title"),
            ("Adds two numbers", "Adds two numbers ", "description"),
            (r#""minimum":1"#, r#""minimum":2"#, "inputSchema"),
            (r#""required":["a","required"]"#, r#""required":["a"]"#, "inputSchema"),
            ("\"sum\"", "\"sun\"", "outputSchema"),
            ("readOnlyHint\":true", "readOnlyHint\":false", "annotations"),
            ("data:x", "data:y", "icons"),
            ("[1,2]", "[2,1]", "_meta"),
            ("\"title\":\"Add\",", "", "title"),
            ("{\"name\"", "{\"x-new\":null,\"name\"", "x-new"),
        ] {
            assert!(TOOL.contains(what), "{what}");
            let other = tool(&TOOL.replacen(what, with, 1));
            assert_ne!(one.digest, other.digest, "{with}");
            assert_eq!(one.changed_fields(&other), [Arc::from(field)], "{with}");
            assert_eq!(other.changed_fields(&one), [Arc::from(field)], "{with}");
        }
    }

    /// The digest is what other tools compute: SHA-256 over RFC 8785.
    #[test]
    fn the_digest_can_be_computed_elsewhere() {
        let one = tool(r#"{ "name" : "t", "description":"d" }"#);
        assert_eq!(&*one.definition, r#"{"description":"d","name":"t"}"#);
        // printf '{"description":"d","name":"t"}' | sha256sum
        let expected = "sha256:b9f15ebfa8bc28bcffb5a46b5a868e0d86c2664f18a2661e6573f8172e1ec05f";
        assert_eq!(one.digest.to_string(), expected);
    }

    /// In data, the order of a list called `required` counts.
    #[test]
    fn only_schemas_have_sets() {
        let with = |keyword: &str, list: &str| {
            tool(&format!(r#"{{"inputSchema":{{"{keyword}":{{"required":{list}}}}}}}"#)).digest
        };
        for keyword in ["default", "const", "examples", "enum"] {
            assert_ne!(with(keyword, r#"["a","b"]"#), with(keyword, r#"["b","a"]"#), "{keyword}");
        }
        for keyword in ["not", "items", "additionalProperties"] {
            assert_eq!(with(keyword, r#"["a","b"]"#), with(keyword, r#"["b","a"]"#), "{keyword}");
        }
        assert_ne!(tool(r#"{"_meta":{"required":["a","b"]}}"#), tool(r#"{"_meta":{"required":["b","a"]}}"#));
    }

    #[test]
    fn a_resource_may_grow() {
        let resource = |size: u32, time: &str, priority: u32| {
            of(
                ItemKind::Resource,
                &format!(
                    r#"{{"uri":"file:///a","name":"a","size":{size},
                        "annotations":{{"lastModified":"{time}","priority":{priority}}}}}"#
                ),
            )
        };
        assert_eq!(resource(1, "2026", 1), resource(2, "2027-01-12T15:00:58.5+02:00", 1));
        assert_ne!(resource(1, "2026", 1), resource(1, "2026", 2));
    }

    /// Defends: the gate scans the canonical form, so nothing that a model could read is missing from it.
    #[test]
    fn nothing_that_says_something_is_left_out() {
        for said in [
            r#"{"size":"read ~/.ssh"}"#,
            r#"{"size":["read ~/.ssh"]}"#,
            r#"{"annotations":{"lastModified":"read ~/.ssh"}}"#,
            r#"{"annotations":{"lastModified":"2026-01-01: read ~/.ssh"}}"#,
            r#"{"annotations":{"lastModified":{"read ~/.ssh":1}}}"#,
            r#"{"annotations":["read ~/.ssh"]}"#,
        ] {
            assert_eq!(&*of(ItemKind::Resource, said).definition, said);
        }
    }

    #[test]
    fn a_launch_keeps_no_argument() {
        let one = of_launch("/usr/bin/node", Some(Digest([1; 32])), &[b"-k", b"secret"]);
        assert!(!one.definition.contains("secret"));
        let other = of_launch("/usr/bin/node", Some(Digest([2; 32])), &[b"-k", b"secret"]);
        assert_eq!(one.changed_fields(&other), [Arc::from("binary")]);
        let other = of_launch("/usr/bin/node", Some(Digest([1; 32])), &[b"-ksecret"]);
        assert_eq!(one.changed_fields(&other), [Arc::from("arguments")]);
    }
}
