//! One definition: its name, title, description, schemas and everything else it carries.

use thoth_types::json::{Kind, Value};

use super::walk::Path;
use super::{ItemScan, capability, destination, hidden, schema};
use crate::finding::{Evidence, Finding, Item, bounded};
use crate::role::Role;
use crate::rules::{Detector, Match};
use crate::threat::{Severity, Threat};
use thoth_text::{Encoding, Text};

/// The name that a definition gives itself.
pub(super) fn name_of(definition: Value<'_>) -> String {
    let name = definition.get("name").or_else(|| definition.get("uri"));
    name.and_then(|name| name.as_str()).map(|name| bounded(&name)).unwrap_or_default()
}

/// Scans a definition.
pub(super) fn scan(scan: &mut ItemScan<'_>, definition: Value<'_>) {
    let root = Path::root();
    if !definition.is_object()
        || (scan.item == Item::Tool && definition.get("name").is_none_or(|name| name.kind() != Kind::String))
    {
        let message = "this is not a definition: it has no name".to_owned();
        scan.detected(Detector::Malformed, None, &root, message, Evidence::default());
    }
    let text = |key: &str| definition.get(key).and_then(|value| value.as_str());
    // What a thing is about is said first, so that the rest can be held against it.
    for key in ["name", "title"] {
        if let Some(name) = text(key) {
            let about = scan.scanner.rules.purpose(&name, key == "name", &mut scan.scratch);
            scan.purpose.extend(&about);
        }
    }
    if let Some(description) = text("description") {
        let about = scan.scanner.rules.purpose(&description, false, &mut scan.scratch);
        scan.purpose.extend(&about);
    }
    for (key, member) in definition.members() {
        let Some(key) = key.as_str() else { continue };
        let path = root.key(&key);
        match &*key {
            "name" => scan.opaque(member, &path, Role::Name),
            "title" => scan.opaque(member, &path, Role::Title),
            "description" => scan.opaque(member, &path, Role::Description),
            "inputSchema" => scan.schema(member, &path, false),
            "outputSchema" => scan.schema(member, &path, true),
            "arguments" if scan.item == Item::Prompt => scan.opaque(member, &path, Role::ParameterText),
            other => {
                if !PLAIN_MEMBERS.contains(&other) {
                    scan.counted_string(Role::Metadata, &path, other);
                }
                scan.opaque(member, &path, Role::Metadata);
            }
        }
    }
    if scan.item == Item::Tool {
        capability::scan(scan, definition);
        schema::scan(scan, definition);
    }
}

/// Members of the protocol, whose names say nothing of the server.
const PLAIN_MEMBERS: &[&str] =
    &["annotations", "icons", "_meta", "execution", "uri", "uriTemplate", "mimeType", "size", "arguments"];

/// A string this short that is plain says nothing that a rule could find.
const SHORTEST: usize = 6;

impl ItemScan<'_> {
    /// Scans one string.
    pub(super) fn string(&mut self, role: Role, path: &Path<'_>, raw: &str) {
        if raw.len() < SHORTEST && raw.is_ascii() {
            return;
        }
        let text = Text::read(raw);
        hidden::scan(self, path, role, &text);
        destination::scan(self, path, role, &text);
        let mut matched = Vec::new();
        let spoken = self.scanner.rules.evaluate(&text, role, &self.purpose, &mut self.scratch, &mut matched);
        if self.scratch.take_overflowed() {
            self.exceed(path, "says more than is judged");
        }
        if matches!(role, Role::Name | Role::Title | Role::Description) {
            self.spoken.extend(&spoken);
        }
        for found in matched {
            let finding = self.finding(path, &text, found);
            self.kept.push(finding);
        }
    }

    fn finding(&self, path: &Path<'_>, text: &Text<'_>, found: Match<'_>) -> Finding {
        let hidden = found.encoding.is_some();
        let severity = match (hidden, found.mentioned) {
            (true, _) => Severity::Critical,
            (false, true) => Severity::Info,
            (false, false) => found.rule.severity,
        };
        let threat = if found.encoding.is_some_and(Encoding::is_invisible) {
            Threat::HiddenInstruction
        } else {
            found.rule.threat
        };
        let mut message = found.rule.message.clone();
        if let Some(encoding) = found.encoding {
            message.push_str(", hidden in ");
            message.push_str(encoding.as_str());
        } else if found.mentioned {
            message.push_str(", or only speaks about it");
        }
        let raw = text.raw().get(found.raw.clone()).unwrap_or_default();
        Finding {
            server: None,
            item: self.item,
            name: self.bounded_name(),
            threat,
            severity,
            rule: found.rule.id.clone(),
            pointer: path.pointer(),
            bytes: found.raw,
            message,
            remedy: found.rule.remedy.clone(),
            evidence: Evidence { raw: bounded(raw), normalised: bounded(&found.normalised), encoding: found.encoding },
        }
    }
}
