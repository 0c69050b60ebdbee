//! The outcome of a scan for scripts. The keys are part of the contract; docs/scan.md lists them.

use serde_json::{Value, json};
use thoth_scan::threat::Severity;

use crate::findings::{Outcome, Reported, Scanned};
use crate::missed::Missed;

/// The version of the shape.
pub const SCHEMA_VERSION: u32 = 1;

/// The whole.
pub fn outcome(outcome: &Outcome, least: Severity) -> Value {
    let count = |severity: Severity| outcome.findings.iter().filter(|one| one.severity == severity).count();
    json!({
        "schema_version": SCHEMA_VERSION,
        "scanner": concat!("thoth ", env!("CARGO_PKG_VERSION")),
        "severity": least.as_str(),
        "complete": !outcome.is_partial(),
        "findings": outcome.at(least).map(Reported::to_json).collect::<Vec<_>>(),
        "totals": {
            "critical": count(Severity::Critical),
            "warning": count(Severity::Warning),
            "info": count(Severity::Info),
        },
        "servers": outcome.scanned.iter().map(Scanned::to_json).collect::<Vec<_>>(),
        "not_scanned": outcome.missed.iter().map(Missed::to_json).collect::<Vec<_>>(),
    })
}
