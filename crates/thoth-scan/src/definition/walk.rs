//! Every string of a definition, with its place and its role, within the caps.

use std::borrow::Cow;

use thoth_types::json::{Kind, Value};

use super::ItemScan;
use crate::finding::{Evidence, Item};
use crate::role::Role;
use crate::rules::Detector;
use crate::threat::Severity;

/// A place in a definition; each step is borrowed from the one before, so a walk builds no strings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'p> {
    before: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    pub(super) const fn root() -> Self {
        Self { before: None, step: Step::Root }
    }

    pub(super) const fn key(&'p self, key: &'p str) -> Self {
        Self { before: Some(self), step: Step::Key(key) }
    }

    const fn index(&'p self, index: usize) -> Self {
        Self { before: Some(self), step: Step::Index(index) }
    }

    /// The RFC 6901 pointer.
    pub(super) fn pointer(&self) -> String {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(path) = at {
            steps.push(path.step);
            at = path.before;
        }
        let mut out = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => {}
                Step::Key(key) => {
                    out.push('/');
                    out.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Step::Index(index) => {
                    out.push('/');
                    out.push_str(&index.to_string());
                }
            }
        }
        out
    }
}

/// What a walk has seen so far.
#[derive(Debug, Default)]
pub(super) struct Walked {
    strings: usize,
    bytes: usize,
    exceeded: bool,
}

/// What a value is in a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A schema.
    Schema,
    /// A map from names to schemas.
    Schemas,
    /// A list of parameter names.
    Names,
    /// A value: a default, a choice, an example.
    Value,
    /// Anything else: every string in it has the same role.
    Opaque,
}

impl ItemScan<'_> {
    /// Scans every string of a schema.
    pub(super) fn schema(&mut self, schema: Value<'_>, path: &Path<'_>, output: bool) {
        self.walk(schema, path, Part::Schema, if output { Role::OutputText } else { Role::ParameterText }, 0);
    }

    /// Scans every string of a value in one role.
    pub(super) fn opaque(&mut self, value: Value<'_>, path: &Path<'_>, role: Role) {
        self.walk(value, path, Part::Opaque, role, 0);
    }

    /// Scans a text that is all there is.
    pub(super) fn lone_string(&mut self, role: Role, text: &str) {
        self.counted_string(role, &Path::root(), text);
    }

    /// Scans a string as far as the caps allow.
    pub(super) fn counted_string(&mut self, role: Role, path: &Path<'_>, text: &str) {
        let room = self.scanner.limits.max_bytes.saturating_sub(self.walked.bytes);
        self.count(path, text.len());
        let read = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.string(role, path, read);
    }

    fn walk(&mut self, value: Value<'_>, path: &Path<'_>, part: Part, role: Role, depth: usize) {
        if depth > self.scanner.limits.max_depth {
            self.exceed(path, "nests deeper than is read");
            return;
        }
        match value.kind() {
            Kind::String => {
                let Some(text) = value.as_str() else { return };
                let role = match part {
                    Part::Value => Role::Value,
                    Part::Names => Role::ParameterName,
                    _ => role,
                };
                self.counted_string(role, path, &text);
            }
            Kind::Array => {
                for (index, element) in value.elements().enumerate() {
                    if self.walked.exceeded {
                        return;
                    }
                    self.walk(element, &path.index(index), part, role, depth + 1);
                }
            }
            Kind::Object => {
                for (key, member) in value.members() {
                    if self.walked.exceeded {
                        return;
                    }
                    let name = key.as_str().unwrap_or(Cow::Borrowed(""));
                    let path = path.key(&name);
                    if !self.count(&path, name.len()) {
                        return;
                    }
                    let inner = self.member(&name, &path, part, role);
                    self.walk(member, &path, inner, role, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Scans a key where keys can say something, and tells what its value is.
    fn member(&mut self, name: &str, path: &Path<'_>, part: Part, role: Role) -> Part {
        match part {
            Part::Schemas => {
                let role = if role == Role::OutputText { Role::OutputText } else { Role::ParameterName };
                self.string(role, path, name);
                Part::Schema
            }
            Part::Schema => match name {
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => Part::Schemas,
                "required" | "dependentRequired" => Part::Names,
                "enum" | "default" | "const" | "examples" | "example" | "pattern" => Part::Value,
                "items"
                | "prefixItems"
                | "anyOf"
                | "oneOf"
                | "allOf"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames"
                | "additionalItems" => Part::Schema,
                "type" | "description" | "title" | "$comment" | "format" | "$ref" | "$schema" | "$id" => Part::Opaque,
                _ => {
                    self.string(Role::ParameterName, path, name);
                    Part::Opaque
                }
            },
            Part::Value | Part::Opaque | Part::Names => {
                self.string(if part == Part::Value { Role::Value } else { role }, path, name);
                part
            }
        }
    }

    /// Counts a string against the caps. False when they are exceeded, which is found once.
    fn count(&mut self, path: &Path<'_>, bytes: usize) -> bool {
        self.walked.strings += 1;
        self.walked.bytes = self.walked.bytes.saturating_add(bytes);
        let limits = self.scanner.limits;
        if self.walked.strings > limits.max_strings || self.walked.bytes > limits.max_bytes {
            self.exceed(path, "is larger than is read");
            return false;
        }
        true
    }

    /// Reports once that a cap was exceeded, and ends the walk.
    pub(super) fn exceed(&mut self, path: &Path<'_>, how: &str) {
        if !self.walked.exceeded {
            self.walked.exceeded = true;
            let message = format!("the definition {how}; what follows was not scanned");
            // A message may carry a document; a definition has no reason to.
            let severity = (self.item == Item::Message).then_some(Severity::Warning);
            self.detected(Detector::TooLarge, severity, path, message, Evidence::default());
        }
    }
}
