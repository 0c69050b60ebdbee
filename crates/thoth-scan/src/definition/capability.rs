//! Confused deputies: a tool that can do more than it says.

use thoth_types::json::Value;

use super::ItemScan;
use super::walk::Path;
use crate::finding::Evidence;
use crate::rules::{Concepts, Detector};
use thoth_text::Text;

/// Holds what a tool can do against what it says it is for.
pub(super) fn scan(scan: &mut ItemScan<'_>, definition: Value<'_>) {
    let computes = speaks(scan, scan.purpose, &["topic_compute"]);
    let reaches_out = speaks(scan, scan.purpose, &["topic_system"]);
    if computes && !reaches_out {
        parameters(scan, definition);
        effects(scan);
    }
    read_only(scan, definition);
}

fn speaks(scan: &ItemScan<'_>, said: Concepts, names: &[&str]) -> bool {
    names.iter().filter_map(|name| scan.scanner.rules.concept(name)).any(|concept| said.contains(concept))
}

/// A parameter that gives power over the machine or the network, or that asks for a secret.
fn parameters(scan: &mut ItemScan<'_>, definition: Value<'_>) {
    let root = Path::root();
    let schema_path = root.key("inputSchema");
    let properties_path = schema_path.key("properties");
    let Some(properties) = definition.get("inputSchema").and_then(|schema| schema.get("properties")) else { return };
    for (key, property) in properties.members() {
        let Some(name) = key.as_str() else { continue };
        let said = scan.scanner.rules.purpose(&name, true, &mut scan.scratch);
        let path = properties_path.key(&name);
        let arithmetic = speaks(scan, scan.purpose, &["topic_arithmetic"]);
        if speaks(scan, said, &["power_parameter"]) || (arithmetic && speaks(scan, said, &["reach_parameter"])) {
            let message = format!("says that it only computes, yet takes `{name}`");
            scan.detected(Detector::CapabilityParameter, None, &path, message, Evidence::plain(&name));
        } else if speaks(scan, said, &["secret", "secret_path"]) {
            let message = format!("says that it only computes, yet asks for `{name}`");
            scan.detected(Detector::ScopeParameter, None, &path, message, Evidence::plain(&name));
        } else if let Some(text) = property.get("description").and_then(|text| text.as_str()) {
            let said = scan.scanner.rules.concepts(&Text::read(&text), &mut scan.scratch);
            if speaks(scan, said, NO_OPERAND) && !speaks(scan, said, &["input_phrase"]) {
                let message = format!("says that it only computes, yet `{name}` is about something else");
                let path = path.key("description");
                scan.detected(Detector::ForeignParameter, None, &path, message, Evidence::plain(&text));
            }
        }
    }
}

/// What no operand of a computation is about.
const NO_OPERAND: &[&str] = &[
    "person_word",
    "user_foreign",
    "ai_noun",
    "conversation",
    "conversation_param",
    "secret_path",
    "local_trace",
    "all_tools",
    "other_tools_any",
    "machine_word",
    "session_ref",
];

/// What the rest of the description says that it also does.
fn effects(scan: &mut ItemScan<'_>) {
    let spoken = scan.spoken;
    let secret = speaks(scan, spoken, &["secret_path"]);
    let sends = speaks(scan, spoken, &["send"]) && speaks(scan, spoken, &["external"]);
    if secret || sends {
        let root = Path::root();
        let path = root.key("description");
        let what = if secret { "speaks of files that hold secrets" } else { "sends something elsewhere" };
        let message = format!("says that it only computes, yet {what}");
        scan.detected(Detector::CapabilityEffect, None, &path, message, Evidence::default());
    }
}

/// Declared read-only, with a name that says otherwise.
fn read_only(scan: &mut ItemScan<'_>, definition: Value<'_>) {
    let declared = definition.get("annotations").and_then(|annotations| annotations.get("readOnlyHint"));
    if declared.and_then(|hint| hint.as_bool()) != Some(true) {
        return;
    }
    let words = scan.scanner.rules.words_of_identifier(&scan.name, &mut scan.scratch);
    // The verb of a tool's name stands first, or second behind the name of what it acts on.
    let acts = |word: &str| CHANGES.contains(&word);
    if words.split(' ').next().is_some_and(acts) {
        let root = Path::root();
        let annotations = root.key("annotations");
        let path = annotations.key("readOnlyHint");
        let message = format!("declares itself read-only, yet its name says `{words}`");
        let evidence = Evidence::plain(&scan.name.clone());
        scan.detected(Detector::CapabilityReadOnly, None, &path, message, evidence);
    }
}

/// Verbs that change something, as names of tools use them.
const CHANGES: &[&str] = &[
    "delete",
    "remove",
    "drop",
    "destroy",
    "wipe",
    "erase",
    "purge",
    "truncate",
    "write",
    "overwrite",
    "update",
    "modify",
    "edit",
    "create",
    "insert",
    "upload",
    "send",
    "publish",
    "deploy",
    "execute",
    "exec",
    "kill",
    "terminate",
    "install",
    "uninstall",
    "transfer",
    "pay",
    "grant",
    "revoke",
    "disable",
    "reset",
];
