//! Pins for scripts. The keys are part of the contract; docs/integrity.md lists them.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::value::RawValue;
use thoth_scan::fingerprint::{FieldChange, FieldText, diff};
use thoth_store::{Approval, Pin, Version};

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::json_line;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Listing<'p> {
    schema_version: u32,
    pins: Vec<PinJson<'p>>,
}

/// Prints pins as one JSON object.
pub(crate) fn print_json(pins: &[Pin]) -> Outcome {
    let listing = Listing { schema_version: 1, pins: pins.iter().map(PinJson::new).collect() };
    json_line(&serde_json::to_string(&listing).map_err(Failure::failed)?)?;
    Ok(ExitCode::SUCCESS)
}

/// One pin.
#[derive(Debug, Serialize)]
struct PinJson<'p> {
    server: &'p str,
    kind: &'static str,
    name: &'p str,
    state: &'static str,
    first_seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<VersionJson<'p>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalJson<'p>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<VersionJson<'p>>,
    changed: Vec<ChangeJson>,
}

#[derive(Debug, Serialize)]
struct VersionJson<'p> {
    digest: String,
    fields: Vec<FieldJson<'p>>,
    definition: Option<&'p RawValue>,
    seen_at: String,
}

#[derive(Debug, Serialize)]
struct FieldJson<'p> {
    field: &'p str,
    digest: String,
}

#[derive(Debug, Serialize)]
struct ApprovalJson<'p> {
    by: Option<&'p str>,
    channel: Option<&'static str>,
    origin: &'p str,
    at: String,
    accepted: Vec<&'p str>,
}

/// One field that differs.
#[derive(Debug, Serialize)]
struct ChangeJson {
    field: String,
    old: Option<String>,
    new: Option<String>,
}

impl<'p> PinJson<'p> {
    fn new(pin: &'p Pin) -> Self {
        let approved = pin.approved.as_ref();
        Self {
            server: pin.key.server.as_str(),
            kind: pin.key.kind.as_str(),
            name: &pin.key.name,
            state: pin.state().as_str(),
            first_seen: pin.first_seen.to_string(),
            approved: approved.map(|(version, _)| VersionJson::new(version)),
            approval: approved.map(|(_, approval)| ApprovalJson::new(approval)),
            seen: pin.candidate.as_ref().map(VersionJson::new),
            changed: changes(pin).into_iter().map(ChangeJson::new).collect(),
        }
    }
}

/// What changed since it was approved.
pub(crate) fn changes(pin: &Pin) -> Vec<FieldChange> {
    match (&pin.approved, &pin.candidate) {
        (Some((approved, _)), Some(seen)) => diff(Some(&approved.fingerprint), &seen.fingerprint),
        _ => Vec::new(),
    }
}

impl<'p> VersionJson<'p> {
    fn new(version: &'p Version) -> Self {
        let fingerprint = &version.fingerprint;
        Self {
            digest: fingerprint.digest.to_string(),
            fields: fingerprint
                .fields
                .iter()
                .map(|field| FieldJson { field: &field.field, digest: field.digest.to_string() })
                .collect(),
            definition: serde_json::from_str(&fingerprint.definition).ok(),
            seen_at: version.seen_at.to_string(),
        }
    }
}

impl<'p> ApprovalJson<'p> {
    fn new(approval: &'p Approval) -> Self {
        Self {
            by: approval.by.as_deref(),
            channel: approval.channel.map(|channel| channel.as_str()),
            origin: &approval.origin,
            at: approval.at.to_string(),
            accepted: approval.accepted.iter().map(|rule| &**rule).collect(),
        }
    }
}

impl ChangeJson {
    fn new(change: FieldChange) -> Self {
        let text = |text: FieldText| match text {
            FieldText::Text(text) | FieldText::Json(text) => text,
        };
        Self { field: change.field.to_string(), old: change.old.map(text), new: change.new.map(text) }
    }
}
