//! What a scanner finds in what a server says, in the words of the gate.

use std::sync::OnceLock;

use thoth_scan::definition::{Scanner, Server};
use thoth_scan::finding::{Finding, Item};
use thoth_scan::role::Role;
use thoth_scan::threat::Severity as Found;
use thoth_types::json::{Limits, Tape, Value};
use thoth_types::{Fingerprint, ItemKind, Severity, Threat};

/// By what definitions are scanned in this process.
static SCANNER: OnceLock<Scanner> = OnceLock::new();

/// The rules that come with this version, unless others were put in force.
fn scanner() -> &'static Scanner {
    SCANNER.get_or_init(Scanner::default)
}

/// Has this process scan by other rules than the shipped ones alone. The first word holds: once a definition was scanned,
/// nothing changes what is found in it.
pub fn scan_by(rules: Scanner) {
    drop(SCANNER.set(rules));
}

/// Compiles the rules, which takes some ten milliseconds. Done beside the start of a server, it delays nothing.
pub(crate) fn prepare() {
    scanner();
}

/// What the rules find in a definition.
#[must_use]
pub fn scan_definition(kind: ItemKind, fingerprint: &Fingerprint) -> Vec<Threat> {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
    let definition = match tape.parse(fingerprint.definition.as_bytes(), &limits) {
        Ok(definition) => definition,
        Err(error) => {
            // Never in a definition that a fingerprint was made of; what cannot be read cannot be found harmless.
            let message = format!("it cannot be read again: {error}").into();
            return vec![Threat { severity: Severity::Critical, rule: "unreadable".into(), message }];
        }
    };
    let item = match kind {
        ItemKind::Tool => Item::Tool,
        ItemKind::Prompt => Item::Prompt,
        ItemKind::Resource => Item::Resource,
        ItemKind::ResourceTemplate => Item::ResourceTemplate,
        ItemKind::Instructions => {
            let text = definition.get("instructions").and_then(|text| text.as_str()).unwrap_or_default();
            return threats(scanner().scan_text(Role::Instructions, &text));
        }
        ItemKind::Launch => return Vec::new(),
    };
    threats(scanner().scan_item(item, definition))
}

/// What the rules find in a text that the server puts to the user or to the model.
pub(crate) fn scan_message(text: &str) -> Vec<Threat> {
    threats(scanner().scan_text(Role::Message, text))
}

/// How the tools of a server, as they are `listed`, relate to each other, and to those of other servers: each finding with the
/// name of the tool. Those from the place `first` on are compared first, as not all of too many are.
pub(crate) fn compare(
    own: &str,
    listed: &[Value<'_>],
    first: usize,
    others: &[(&str, Vec<Value<'_>>)],
) -> Vec<(String, Threat)> {
    let server = |name, tools| Server { name, tools, ..Server::default() };
    let together = scanner().scan_together(&server(own, listed.to_vec()));
    let (before, rest) = listed.split_at_checked(first).unwrap_or((listed, &[]));
    let tools = [rest, before].concat();
    let mut servers: Vec<Server<'_>> = others.iter().map(|(name, tools)| server(name, tools.clone())).collect();
    servers.push(server(own, tools));
    let compared = scanner().compare_servers(&servers);
    let compared = compared.into_iter().filter(|finding| finding.server.as_deref() == Some(own));
    together
        .into_iter()
        .chain(compared)
        .flat_map(|finding| {
            let tool = finding.name.clone();
            threats(vec![finding]).into_iter().map(move |threat| (tool.clone(), threat))
        })
        .collect()
}

fn threats(findings: Vec<Finding>) -> Vec<Threat> {
    let severity = |found: Found| match found {
        Found::Info => Severity::Info,
        Found::Warning => Severity::Warning,
        Found::Critical => Severity::Critical,
    };
    let threat = |finding: Finding| Threat {
        severity: severity(finding.severity),
        rule: finding.rule,
        message: finding.message.into(),
    };
    findings.into_iter().map(threat).collect()
}
