//! The outcome of a scan as SARIF 2.1.0, which code hosts and editors show.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thoth_scan::rules::RuleSet;
use thoth_scan::threat::Severity;

use crate::catalogue::Origin;
use crate::findings::{Outcome, Reported};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const HOME: &str = "https://github.com/thoth-mcp/thoth";

/// The whole.
pub fn outcome(outcome: &Outcome, least: Severity, rules: &RuleSet) -> Value {
    let shown: Vec<&Reported> = outcome.at(least).collect();
    let mut used: BTreeMap<&str, &Reported> = BTreeMap::new();
    for finding in &shown {
        let known = used.entry(&finding.rule).or_insert(finding);
        if finding.severity > known.severity {
            *known = finding;
        }
    }
    let ids: Vec<&str> = used.keys().copied().collect();
    let described: Vec<Value> = used.values().map(|finding| rule(finding, rules)).collect();
    let notes = outcome.missed.iter().map(|missed| {
        json!({
            "level": if missed.wanted { "note" } else { "error" },
            "descriptor": {"id": missed.code},
            "message": {"text": format!("{} ({}): {}", missed.server, missed.origin.shown(), missed.message)},
        })
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "thoth",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": HOME,
                "rules": described,
            }},
            "invocations": [{
                "executionSuccessful": !outcome.is_partial(),
                "toolExecutionNotifications": notes.collect::<Vec<_>>(),
            }],
            "results": shown.iter().map(|finding| result(finding, &ids)).collect::<Vec<_>>(),
        }],
    })
}

fn rule(finding: &Reported, rules: &RuleSet) -> Value {
    let of_rule = rules.rules().find(|rule| rule.id == finding.rule).map(|rule| (&*rule.reason, &*rule.reference));
    let of_detector = || {
        let mut entries = rules.detectors().map(|(_, entry)| entry);
        entries.find(|entry| entry.id == finding.rule).map(|entry| (&*entry.reason, &*entry.reference))
    };
    let (reason, reference) = of_rule.or_else(of_detector).unwrap_or_default();
    let mut described = json!({
        "id": &*finding.rule,
        "shortDescription": {"text": if reason.is_empty() { &*finding.message } else { reason }},
        "help": {"text": &*finding.remedy},
        "defaultConfiguration": {"level": level(finding.severity)},
        "properties": {
            "tags": ["security", "mcp", finding.threat()],
            "security-severity": score(finding.severity),
            "reference": reference,
        },
    });
    // A rule's reference can be a title; only an address is a link.
    if let Some(members) = described.as_object_mut()
        && reference.starts_with("https://")
        && !reference.contains(char::is_whitespace)
    {
        members.insert("helpUri".to_owned(), reference.into());
    }
    described
}

fn result(finding: &Reported, ids: &[&str]) -> Value {
    let Reported { server, tool, pointer, item, .. } = finding;
    let mut location = json!({
        "logicalLocations": [{
            "name": tool,
            "fullyQualifiedName": format!("{server}/{tool}{pointer}"),
            "kind": if *item == "tool" { "function" } else { "member" },
        }],
    });
    if let (Some(members), Some(place)) = (location.as_object_mut(), physical(&finding.origin)) {
        members.insert("physicalLocation".to_owned(), place);
    }
    let print = print(finding);
    json!({
        "ruleId": &*finding.rule,
        "ruleIndex": ids.iter().position(|id| *id == &*finding.rule),
        "level": level(finding.severity),
        "message": {"text": format!("{server}/{tool}: {}", finding.message)},
        "locations": [location],
        "partialFingerprints": {"thothFinding/v1": print},
        "properties": {
            "server": server,
            "tool": tool,
            "item": item,
            "threat_type": finding.threat(),
            "severity": finding.severity.as_str(),
            "pointer": pointer,
            "bytes": finding.byte_range(),
            "evidence": finding.evidence.raw,
            "evidence_normalised": finding.evidence.normalised,
        },
    })
}

/// What stays the same while the finding does, whatever else is found.
fn print(finding: &Reported) -> String {
    let parts = [&*finding.rule, &*finding.server, &*finding.tool, &*finding.pointer, &*finding.evidence.raw];
    let mut text = Vec::new();
    for part in parts {
        // With the length, so that no two lists of parts are one text.
        text.extend_from_slice(format!("{}:", part.len()).as_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    thoth_scan::fingerprint::digest_of(&text).to_string()
}

/// The file that it was found in, for what was found in one.
fn physical(origin: &Origin) -> Option<Value> {
    let (path, line) = match origin {
        Origin::File(path) => (path, 1),
        Origin::Entry { path, line, .. } => (path, *line),
        Origin::Stdin | Origin::Command(_) | Origin::Url(_) => return None,
    };
    Some(json!({
        "artifactLocation": {"uri": uri(&path.to_string_lossy())},
        "region": {"startLine": line},
    }))
}

/// A path as a reference: what is not plain is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// As code hosts sort by: 9 and more is critical there, 4 and more medium.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.0",
        Severity::Warning => "5.0",
        Severity::Info => "1.0",
    }
}
