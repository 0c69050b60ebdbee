//! Findings as SARIF 2.1.0, which code hosts and editors show.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use thoth_policy::{LoadError, worth_showing};
use thoth_types::Place;

use crate::check::Report;
use crate::finding::{Finding, FindingKind, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const HOME: &str = "https://github.com/thoth-mcp/thoth";

/// The whole.
#[must_use]
pub fn sarif(report: &Report) -> Json {
    let mut used: BTreeMap<FindingKind, Severity> = BTreeMap::new();
    for finding in &report.findings {
        let severity = used.entry(finding.kind).or_insert(finding.severity);
        *severity = finding.severity.max(*severity);
    }
    let kinds: Vec<FindingKind> = used.keys().copied().collect();
    let rules: Vec<Json> = used
        .iter()
        .map(|(kind, severity)| {
            json!({
                "id": kind.as_str(),
                "shortDescription": {"text": kind.describe()},
                "defaultConfiguration": {"level": severity.as_str()},
                "properties": {"tags": ["security", "policy"]},
            })
        })
        .collect();
    let notes: Vec<Json> = report
        .undecided
        .iter()
        .map(|open| json!({"level": "warning", "message": {"text": format!("not decided: {open}")}}))
        .collect();
    let results: Vec<Json> =
        report.findings.iter().take(super::MOST_WRITTEN).map(|finding| result(finding, &kinds, report.timed)).collect();
    log(&rules, &notes, &results)
}

/// What is wrong with a policy that does not load, as far as people are shown it, too.
#[must_use]
pub fn errors_sarif(error: &LoadError) -> Json {
    let (shown, more) = worth_showing(&error.diagnostics);
    let codes: BTreeSet<&str> = shown.iter().map(|found| found.code.as_str()).collect();
    let rules: Vec<Json> = codes
        .iter()
        .map(|code| {
            json!({
                "id": code,
                "defaultConfiguration": {"level": "error"},
                "properties": {"tags": ["policy"]},
            })
        })
        .collect();
    let results: Vec<Json> = shown
        .iter()
        .map(|found| {
            let code = found.code.as_str();
            let remedy = found.help.as_ref().map(|help| format!(" Remedy: {help}.")).unwrap_or_default();
            json!({
                "ruleId": code,
                "ruleIndex": codes.iter().position(|own| *own == code),
                "level": "error",
                "message": {"text": format!("{}.{remedy}", found.message)},
                "locations": found.place.iter().map(location).collect::<Vec<_>>(),
            })
        })
        .collect();
    let more = (more > 0).then(|| json!({"level": "warning", "message": {"text": format!("{more} more {}", if more == 1 { "error" } else { "errors" })}}));
    log(&rules, more.as_slice(), &results)
}

fn log(rules: &[Json], notes: &[Json], results: &[Json]) -> Json {
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "thoth",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": HOME,
                "rules": rules,
            }},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notes}],
            "results": results,
        }],
    })
}

fn result(finding: &Finding, kinds: &[FindingKind], timed: bool) -> Json {
    let witness = finding.witness.as_ref();
    let shown =
        witness.map(|(call, answer)| format!(" Such a call: {}; it is answered `{answer}`.", call.shown(timed)));
    let shown = shown.unwrap_or_default();
    let related: Vec<Json> = finding
        .related
        .iter()
        .zip(1_u32..)
        .map(|(related, id)| {
            let mut at = location(&related.place);
            if let Some(members) = at.as_object_mut() {
                members.insert("id".to_owned(), id.into());
                members.insert("message".to_owned(), json!({"text": format!("rule `{}`", related.rule)}));
            }
            at
        })
        .collect();
    json!({
        "ruleId": finding.kind.as_str(),
        "ruleIndex": kinds.iter().position(|kind| *kind == finding.kind),
        "level": finding.severity.as_str(),
        "message": {"text": format!("{}.{shown} Remedy: {}.", finding.message, finding.remedy)},
        "locations": finding.place.iter().map(location).collect::<Vec<_>>(),
        "relatedLocations": related,
        "properties": {
            "rule": finding.rule,
            "witness": witness.map(|(call, _)| call.to_json()),
            "answer": witness.map(|(_, answer)| answer.as_str()),
        },
    })
}

fn location(place: &Place) -> Json {
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": place.line, "startColumn": place.column},
        },
    })
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
