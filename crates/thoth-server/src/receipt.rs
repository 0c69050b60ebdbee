//! Receipts: what was decided about a call, sealed with the tenant's key, for whoever must show it later.
//!
//! An answer without one is none the less an answer: the evidence is in the ledger.

use serde_json::{Map, Value, json};
use thoth_api::contract::read;
use thoth_audit::receipt::{RECEIPT_DOMAIN, RECEIPT_VERSION, arguments_sha256};
use thoth_types::Decision;

use crate::clock;
use crate::hold::instant;
use crate::random;
use crate::tenant::Tenant;

/// What a receipt is about.
#[derive(Debug)]
pub(crate) struct About<'a> {
    pub(crate) agent: &'a str,
    pub(crate) user: &'a str,
    pub(crate) session: &'a str,
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) tool: &'a str,
    /// The arguments that were decided about; of an admitted call those that it may use.
    pub(crate) arguments: &'a [u8],
    /// The call's id in the ledger.
    pub(crate) call_id: &'a str,
    pub(crate) trace_id: Option<&'a str>,
    pub(crate) attestation_id: Option<&'a str>,
}

/// What was decided.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) decision: Decision,
    pub(crate) reason_code: &'a str,
    pub(crate) violation_id: Option<&'a str>,
}

/// The words of newer listings for what comes of a decision.
const fn outcome(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow | Decision::Modify => "allowed",
        Decision::StepUp => "needs_approval",
        Decision::Defer => "deferred",
        Decision::Block => "blocked",
    }
}

/// A receipt; empty where none can be made, which standard error says. A call that is not in the ledger has none.
pub(crate) fn receipt(tenant: &Tenant, about: &About<'_>, decided: &Decided<'_>) -> Map<String, Value> {
    if about.call_id.is_empty() {
        return Map::new();
    }
    made(tenant, about, decided).unwrap_or_else(|why| {
        tenant.complaints.say(format_args!("a decision has no receipt: {why}"));
        Map::new()
    })
}

fn made(tenant: &Tenant, about: &About<'_>, decided: &Decided<'_>) -> Result<Map<String, Value>, &'static str> {
    let random = random::sixteen().ok_or("the system has no randomness")?;
    let arguments = if about.arguments.is_empty() { b"{}" } else { about.arguments };
    let mut object = json!({
        "receipt_id": format!("rcpt_{:032x}", u128::from_be_bytes(random)),
        "decision_id": about.call_id,
        "schema_version": RECEIPT_VERSION,
        "tenant_id": tenant.id.as_str(),
        "agent_id": about.agent,
        "user_id": about.user,
        "session_id": about.session,
        "tool_name": about.tool,
        "arguments_sha256": arguments_sha256(arguments).ok_or("the arguments cannot be read again")?,
        "issued_at": instant(clock::now().wall),
        "decision": {
            "authorization_decision": decided.decision.as_str(),
            "decision_reason_code": decided.reason_code,
            "outcome": outcome(decided.decision),
        },
    });
    let optional = [
        ("endpoint_id", about.endpoint),
        ("enforcement_trace_id", about.trace_id),
        ("action_attestation_id", about.attestation_id),
        ("violation_id", decided.violation_id),
    ];
    if let Some(members) = object.as_object_mut() {
        let given = optional.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?))));
        members.extend(given);
    }
    let sealed = tenant.seal.seal(RECEIPT_DOMAIN, &object.to_string()).map_err(|_| "it cannot be sealed")?;
    read(sealed.as_bytes()).map_err(|_| "it cannot be read again")
}
