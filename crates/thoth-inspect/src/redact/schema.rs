//! Replacements that an output schema admits.

use regex::RegexBuilder;
use thoth_types::json::{Kind, Limits, Tape, Value};

use super::super::detection::Detection;
use super::{Cut, NotRedactable, apply};

/// How many references and branches are followed.
const MAX_STEPS: u8 = 32;

/// Makes what was redacted in `structuredContent` satisfy the schema: a whole value is replaced where a marker inside
/// it is not admitted.
pub(super) fn satisfy(redacted: Vec<u8>, removed: &[&Detection], schema: Value<'_>) -> Result<Vec<u8>, NotRedactable> {
    let mut cuts = Vec::new();
    {
        let mut tape = Tape::new();
        let limits = Limits { max_bytes: redacted.len(), ..Limits::default() };
        let root = tape.parse(&redacted, &limits).map_err(NotRedactable::Invalid)?;
        for found in removed {
            let pointer = outer(root, &found.pointer);
            let Some(inner) = pointer.strip_prefix("/structuredContent") else { continue };
            let refused = || NotRedactable::Schema(pointer.to_owned());
            if found.in_key && pointer.len() == found.pointer.len() {
                // A key under another name is another property, and a required one would be missing.
                return Err(refused());
            }
            let Some(value) = at_pointer(root, pointer) else { continue };
            let nodes = Speaking::about(schema, inner, value).ok_or_else(refused)?;
            if nodes.iter().all(|node| node.admits(value, MAX_STEPS)) {
                continue;
            }
            let number = value.kind() == Kind::Number;
            let texts = nodes.iter().flat_map(|node| if number { node.numbers() } else { node.texts(found.kind) });
            let admitted = |text: &String| nodes.iter().all(|node| node.admits_text(text));
            let text = texts.into_iter().find(admitted).ok_or_else(refused)?;
            cuts.push(Cut { span: value.span(), text });
        }
    }
    if cuts.is_empty() { Ok(redacted) } else { apply(&redacted, cuts) }
}

fn at_pointer<'d>(root: Value<'d>, pointer: &str) -> Option<Value<'d>> {
    steps(pointer).try_fold(root, |value, step| match value.kind() {
        Kind::Array => value.elements().nth(step.parse().ok()?),
        _ => value.get(&step),
    })
}

fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// The part of a pointer up to the string that JSON lies in: the schema sees that string. A name may have the mark, too.
pub(super) fn outer<'p>(root: Value<'_>, pointer: &'p str) -> &'p str {
    let marks = pointer.match_indices("!/").map(|(at, _)| pointer.get(..at).unwrap_or(pointer));
    let is_text = |outer: &&str| at_pointer(root, outer).is_some_and(|value| value.kind() == Kind::String);
    marks.into_iter().find(is_text).unwrap_or(pointer)
}

/// The parts of a schema that speak about one value, however they are composed.
struct Speaking<'d> {
    root: Value<'d>,
    nodes: Vec<Value<'d>>,
}

/// How many parts of a schema are looked at for one value.
const MAX_NODES: usize = 256;

impl<'d> Speaking<'d> {
    /// Those about the value at a pointer; nothing where a keyword on the way is not understood.
    fn about(schema: Value<'d>, pointer: &str, value: Value<'_>) -> Option<Vec<Node<'d>>> {
        let mut here = vec![schema];
        for step in steps(pointer) {
            let mut composed = Self { root: schema, nodes: Vec::new() };
            here.into_iter().try_for_each(|node| composed.add(node, MAX_STEPS))?;
            let below: Option<Vec<_>> = composed.nodes.into_iter().map(|node| children(node, &step)).collect();
            here = below?.concat();
        }
        let nodes = here.into_iter().map(|node| Node { root: schema, node });
        // What is for another kind of value is a branch that this one does not take.
        Some(nodes.filter(|node| node.admits_kind(value)).collect())
    }

    /// Adds a part and all that it is composed of.
    fn add(&mut self, node: Value<'d>, steps: u8) -> Option<()> {
        let steps = steps.checked_sub(1)?;
        if self.nodes.len() >= MAX_NODES {
            return None;
        }
        // Conditions and what refers elsewhere may say anything.
        let unknown = ["if", "not", "dependentSchemas", "$dynamicRef", "$recursiveRef"];
        if unknown.iter().any(|keyword| node.get(keyword).is_some()) {
            return None;
        }
        self.nodes.push(node);
        if node.get("$ref").is_some() {
            self.add(resolve(self.root, node)?, steps)?;
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for branch in node.get(keyword).into_iter().flat_map(|branches| branches.elements()) {
                self.add(branch, steps)?;
            }
        }
        Some(())
    }
}

/// What one part of a schema says about a member or an element. Nothing where that cannot be told.
fn children<'d>(node: Value<'d>, step: &str) -> Option<Vec<Value<'d>>> {
    let mut found: Vec<Value<'d>> = node.get("properties").and_then(|all| all.get(step)).into_iter().collect();
    if let Some(patterns) = node.get("patternProperties") {
        for (pattern, schema) in patterns.members() {
            let pattern = RegexBuilder::new(&pattern.as_str()?).size_limit(1 << 20).build().ok()?;
            found.extend(pattern.is_match(step).then_some(schema));
        }
    }
    let at: Option<usize> = step.parse().ok();
    found.extend(at.and_then(|at| node.get("prefixItems")?.elements().nth(at)));
    if found.is_empty() {
        found.extend(node.get("additionalProperties").or_else(|| node.get("items")));
    }
    found.extend(node.get("unevaluatedProperties").or_else(|| node.get("unevaluatedItems")));
    Some(found)
}

/// Follows a local reference.
fn resolve<'d>(root: Value<'d>, mut node: Value<'d>) -> Option<Value<'d>> {
    for _ in 0..MAX_STEPS {
        let Some(reference) = node.get("$ref").and_then(|reference| reference.as_str()) else { return Some(node) };
        node = at_pointer(root, reference.strip_prefix('#')?)?;
    }
    None
}

/// A schema for one value, and the document it stands in.
#[derive(Clone, Copy)]
struct Node<'d> {
    root: Value<'d>,
    node: Value<'d>,
}

impl<'d> Node<'d> {
    fn get(self, keyword: &str) -> Option<Value<'d>> {
        resolve(self.root, self.node)?.get(keyword)
    }

    fn with(self, node: Value<'d>) -> Self {
        Self { node, ..self }
    }

    fn length(self, keyword: &str) -> Option<u64> {
        self.get(keyword).and_then(|limit| limit.as_u64())
    }

    fn admits_text(self, document: &str) -> bool {
        let mut tape = Tape::new();
        tape.parse(document.as_bytes(), &Limits::default()).is_ok_and(|value| self.admits(value, MAX_STEPS))
    }

    /// Whether a string or number satisfies the schema. What cannot be judged is not admitted.
    fn admits(self, value: Value<'_>, steps: u8) -> bool {
        let Some(steps) = steps.checked_sub(1) else { return false };
        if resolve(self.root, self.node).is_none() || self.get("not").is_some() || self.get("if").is_some() {
            return false;
        }
        let mut all = self.get("allOf").into_iter().flat_map(|all| all.elements());
        let some = |keyword: &str| {
            self.get(keyword).is_none_or(|some| some.elements().any(|node| self.with(node).admits(value, steps)))
        };
        let same = |other: Value<'_>| {
            other.kind() == value.kind()
                && (other.raw() == value.raw() || value.as_str().is_some_and(|text| other.is_str(&text)))
        };
        let listed =
            self.get("enum").is_none_or(|list| list.elements().any(same)) && self.get("const").is_none_or(same);
        let fits = match value.as_str() {
            Some(text) => self.admits_string(&text),
            None => self.admits_number(value),
        };
        listed
            && fits
            && self.admits_kind(value)
            && all.all(|node| self.with(node).admits(value, steps))
            && some("anyOf")
            && some("oneOf")
    }

    fn admits_kind(self, value: Value<'_>) -> bool {
        let Some(kinds) = self.get("type") else { return true };
        let fits = |kind: Value<'_>| match value.kind() {
            Kind::String => kind.is_str("string"),
            Kind::Number => kind.is_str("number") || (kind.is_str("integer") && value.as_i64().is_some()),
            _ => true,
        };
        if kinds.kind() == Kind::Array { kinds.elements().any(fits) } else { fits(kinds) }
    }

    fn admits_string(self, text: &str) -> bool {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let pattern = self.get("pattern").and_then(|pattern| pattern.as_str()).is_none_or(|pattern| {
            RegexBuilder::new(&pattern).size_limit(1 << 20).build().is_ok_and(|pattern| pattern.is_match(text))
        });
        let format =
            self.get("format").and_then(|format| format.as_str()).is_none_or(|format| fits_format(&format, text));
        pattern
            && format
            && self.length("minLength").is_none_or(|least| length >= least)
            && self.length("maxLength").is_none_or(|most| length <= most)
    }

    fn admits_number(self, value: Value<'_>) -> bool {
        let Some(number) = value.as_f64() else { return true };
        let limit = |keyword: &str| self.get(keyword).and_then(|limit| limit.as_f64());
        limit("minimum").is_none_or(|least| number >= least)
            && limit("maximum").is_none_or(|most| number <= most)
            && limit("exclusiveMinimum").is_none_or(|least| number > least)
            && limit("exclusiveMaximum").is_none_or(|most| number < most)
            && limit("multipleOf").is_none_or(|step| step > 0.0 && number % step == 0.0)
    }

    /// Numbers to try.
    fn numbers(self) -> Vec<String> {
        let bound = |keyword: &str| self.get(keyword).and_then(|limit| limit.number_text().map(str::to_owned));
        let above =
            self.get("exclusiveMinimum").and_then(|limit| limit.as_i64()).and_then(|limit| limit.checked_add(1));
        let all = [
            Some("0".to_owned()),
            bound("minimum"),
            bound("maximum"),
            bound("multipleOf"),
            above.map(|above| above.to_string()),
        ];
        all.into_iter().flatten().collect()
    }

    /// Strings to try, the one that says most first, as JSON.
    fn texts(self, kind: &str) -> Vec<String> {
        let dashed = kind.replace(['.', '_'], "-");
        let mut texts = vec![
            format!("[REDACTED:{kind}]"),
            "[REDACTED]".to_owned(),
            "REDACTED".to_owned(),
            "redacted".to_owned(),
            format!("{dashed}@redacted.invalid"),
            format!("redacted:{dashed}"),
            format!("https://redacted.invalid/{dashed}"),
            "redacted.invalid".to_owned(),
            "***".to_owned(),
            "1970-01-01T00:00:00Z".to_owned(),
            "1970-01-01".to_owned(),
            "00:00:00Z".to_owned(),
            "00000000-0000-0000-0000-000000000000".to_owned(),
            "0.0.0.0".to_owned(),
            "::".to_owned(),
            "000-00-0000".to_owned(),
            "0000-0000-0000-0000".to_owned(),
        ];
        // Fillers of the lengths that the schema names; nobody asks for more than this of a replacement.
        let length = |keyword: &str| {
            self.length(keyword).and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit <= 4096)
        };
        for count in
            [length("minLength"), length("maxLength"), Some(16), Some(32), Some(40), Some(9)].into_iter().flatten()
        {
            texts.push(format!("{:*<count$}", format!("[REDACTED:{kind}]")));
            texts.extend(["X", "x", "0", "*"].map(|filler| filler.repeat(count)));
        }
        texts.push(String::new());
        texts.into_iter().map(|text| format!("\"{text}\"")).collect()
    }
}

/// Whether a text could be of a format. Formats that nobody checks are admitted.
fn fits_format(format: &str, text: &str) -> bool {
    let scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let at = |place: usize, byte: u8| text.is_ascii() && text.as_bytes().get(place) == Some(&byte);
    match format {
        "email" | "idn-email" => text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !text.contains([' ', '[', ':'])
        }),
        "uri" | "iri" | "url" => text
            .split_once(':')
            .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(scheme) && !text.contains([' ', '[', ']'])),
        "uri-reference" | "iri-reference" => !text.contains([' ', '[', ']']),
        "hostname" | "idn-hostname" => {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        }
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "date-time" => text.len() >= 20 && at(10, b'T'),
        "date" => text.len() == 10 && at(4, b'-') && at(7, b'-'),
        "time" => text.len() >= 8 && at(2, b':'),
        "uuid" => text.len() == 36 && at(8, b'-') && at(13, b'-'),
        "duration" | "regex" | "json-pointer" | "relative-json-pointer" => false,
        _ => true,
    }
}
