//! `POST /v1/enforce`: a call of an agent becomes a call of its tenant's gate, and the gate's answer an envelope.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use thoth_api::contract::enforce::{Envelope, Request};
use thoth_api::contract::fault::Code;
use thoth_api::contract::{Json, Unreadable, read};
use thoth_audit::event::kept_trace;
use thoth_gate::{Grounds, Refused};
use thoth_types::{Caller, Channel, Decision, ENFORCED_SERVER, Place, ReasonCode, Requester, RiskLevel};

use crate::access::Access;
use crate::clock;
use crate::decide::{Admitted, Unasked, Verdict, Wanted, decide, strictest};
use crate::fault::Fault;
use crate::hold;
use crate::receipt::{About, Decided, receipt};
use crate::refusals::violation_id;

/// The longest name of a tool.
const MAX_TOOL: usize = 512;
/// The longest of the other texts that a call is known by.
const MAX_TEXT: usize = 512;
/// The most entries of an approved scope, and how long they may be together: every session keeps them.
const MAX_SCOPE: usize = 1024;
const MAX_SCOPE_BYTES: usize = 32 * 1024;

/// Decides one call. Blocks on the disk.
pub(crate) fn run(access: &Access, body: &[u8]) -> Result<Envelope, Fault> {
    let began = Instant::now();
    let asked: Request = read(body).map_err(|error| unreadable(&error))?;
    access.speaks_for(&asked.tenant_id, &asked.agent_id, asked.endpoint_id.as_deref(), asked.fleet_id.as_deref())?;
    let caller = caller(access, &asked)?;
    let also_sent = also_sent(&asked)?;
    if asked.tool_name.is_empty() || asked.tool_name.len() > MAX_TOOL {
        return Err(Fault::bad(format!("`tool_name` has 1 to {MAX_TOOL} bytes")));
    }
    let requester = Requester::remote(Arc::from(&*access.key.id), caller.user.clone());
    let wanted = Wanted {
        caller,
        requester,
        tool: &asked.tool_name,
        arguments: asked.tool_args.as_ref().map(|arguments| arguments.text().as_bytes()),
        also_sent: also_sent.as_bytes(),
        enforcement_trace: asked.enforcement_trace_id.as_deref().map(|trace| kept_trace(trace).into()),
        retry_of: None,
        fleet: asked.fleet_id.clone(),
    };
    let verdict = decide(access, wanted, || access.still())?;
    let arguments = asked.tool_args.as_ref().map(|arguments| arguments.text().as_bytes()).unwrap_or_default();
    let (call_id, used) = match &verdict {
        Verdict::Admitted(admitted) => (admitted.call_id.clone(), Some(admitted.arguments.clone())),
        Verdict::Refused(refused) => (refused.call_id.to_string(), None),
    };
    let mut envelope = match verdict {
        Verdict::Admitted(admitted) => admitted_envelope(*admitted)?,
        Verdict::Refused(refused) => refused_envelope(access, &asked, &refused),
    };
    let about = About {
        agent: &asked.agent_id,
        user: &asked.user_id,
        session: &asked.session_id,
        endpoint: asked.endpoint_id.as_deref(),
        tool: &asked.tool_name,
        arguments: used.as_deref().unwrap_or(arguments),
        call_id: &call_id,
        trace_id: asked.enforcement_trace_id.as_deref(),
        attestation_id: asked.action_attestation_id.as_deref(),
    };
    let decided = Decided {
        decision: envelope.decision(),
        reason_code: envelope.decision_reason_code.as_deref().unwrap_or_default(),
        violation_id: envelope.violation_id.as_deref(),
    };
    envelope.receipt.0 = receipt(&access.tenant, &about, &decided);
    envelope.enforcement_trace_id = asked.enforcement_trace_id;
    envelope.action_attestation_id = asked.action_attestation_id;
    envelope.latency_ms = Some(began.elapsed().as_secs_f64() * 1000.0);
    Ok(envelope)
}

/// What is wrong with a body. It says nothing of what stood there.
pub(crate) fn unreadable(error: &Unreadable) -> Fault {
    Fault::bad(format!("the body cannot be read: {error}"))
}

impl From<Unasked> for Fault {
    fn from(unasked: Unasked) -> Self {
        match unasked {
            Unasked::Bad(message) => Self::bad(message),
            Unasked::Failed(cause) => Self::broken(cause),
            Unasked::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

fn caller(access: &Access, asked: &Request) -> Result<Caller, Fault> {
    let scope_bytes: usize = asked.approved_scope.iter().map(String::len).sum();
    if asked.approved_scope.len() > MAX_SCOPE || scope_bytes > MAX_SCOPE_BYTES {
        let message = format!("`approved_scope` has more than {MAX_SCOPE} entries or {MAX_SCOPE_BYTES} bytes");
        return Err(Fault::bad(message));
    }
    // Two names for one caller: whoever reads the record could take either.
    for (field, own) in [("agent_id", &asked.agent_id), ("tenant_id", &asked.tenant_id), ("user_id", &asked.user_id)] {
        let bound = asked.identity_binding.0.get(field);
        if bound.is_some_and(|bound| !bound.is_null() && bound.as_str() != Some(own)) {
            return Err(Fault::bad(format!("`identity_binding.{field}` is another one than `{field}`")));
        }
    }
    let tenant = &access.tenant;
    Ok(Caller {
        tenant: Some(tenant.id.clone()),
        user: Some(id("user_id", &asked.user_id)?),
        endpoint: asked.endpoint_id.as_deref().map(|text| id("endpoint_id", text)).transpose()?,
        agent: Some(id("agent_id", &asked.agent_id)?),
        session: id("session_id", &asked.session_id)?,
        server: ENFORCED_SERVER.parse().map_err(Fault::broken)?,
        intent: bounded("session_intent", asked.session_intent.as_deref())?.map(str::to_owned),
        approved_scope: asked.approved_scope.clone(),
        mode: strictest(tenant.mode, asked.enforcement_mode),
    })
}

/// An identifier. What is wrong with it is not repeated: somebody may have put a key there.
pub(crate) fn id<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| {
        Fault::bad(format!("`{field}` is empty, too long, or has control characters or white space around"))
    })
}

fn bounded<'a>(field: &str, text: Option<&'a str>) -> Result<Option<&'a str>, Fault> {
    match text {
        Some(text) if text.len() > MAX_TEXT => Err(Fault::bad(format!("`{field}` is longer than {MAX_TEXT} bytes"))),
        text => Ok(text),
    }
}

/// The fleet among what else was sent: a held call is decided again by what is assigned to it, too.
pub(crate) const FLEET: &str = "fleet_id";

/// What else a person who approves the call should know of it. The approval is bound to it.
fn also_sent(asked: &Request) -> Result<String, Fault> {
    let fields = [
        ("data_classification", &asked.data_classification),
        ("environment", &asked.environment),
        (FLEET, &asked.fleet_id),
        ("purpose", &asked.purpose),
    ];
    let mut known = BTreeMap::new();
    for (field, text) in fields {
        if let Some(text) = bounded(field, text.as_deref())? {
            known.insert(field, text);
        }
    }
    if known.is_empty() { Ok(String::new()) } else { serde_json::to_string(&known).map_err(Fault::broken) }
}

/// The document of arguments that a client is to use instead of its own.
pub(crate) fn document(arguments: Vec<u8>) -> Result<Json, Fault> {
    String::from_utf8(arguments).map(Json::new).map_err(|_| Fault::broken("changed arguments are not UTF-8"))
}

fn admitted_envelope(admitted: Admitted) -> Result<Envelope, Fault> {
    let Admitted { grounds, call_id, arguments, .. } = admitted;
    let Grounds { decision, reason, reason_code, place, risk_score, matched, controls, .. } = grounds;
    let mut envelope = Envelope::of(decision);
    envelope.decision_reason_code = Some(reason_code.to_string());
    envelope.risk_score = Some(f64::from(risk_score));
    envelope.matched_rule_ids = matched.iter().map(ToString::to_string).collect();
    tell_controls(&mut envelope, &controls);
    envelope.policy_references = place.iter().map(reference).collect();
    envelope.decision_evidence.0 = json_object(&[("call_id", &call_id)]);
    if decision == Decision::Modify {
        envelope.modification_reason = Some(reason.clone());
        envelope.modified_tool_args = Some(document(arguments)?);
    }
    envelope.reason = Some(reason);
    Ok(envelope)
}

/// The controls that the matching rules serve, and the regimes that those are part of.
fn tell_controls(envelope: &mut Envelope, controls: &[Arc<str>]) {
    let regime = |control: &Arc<str>| control.split_once(':').map(|(regime, _)| regime.to_owned());
    envelope.regulatory_regimes = controls.iter().filter_map(regime).collect();
    // They are sorted by their controls, which begin with them.
    envelope.regulatory_regimes.dedup();
    envelope.matched_control_ids = controls.iter().map(ToString::to_string).collect();
}

/// Where a rule stands, without the folders of the server.
fn reference(place: &Place) -> String {
    let file = place.file.rsplit(['/', '\\']).next().unwrap_or_default();
    Place { file: file.into(), ..place.clone() }.to_string()
}

/// What is answered about a call that only a limit stands in the way of: it may come back.
pub(crate) fn decision_of(refused: &Refused) -> Decision {
    match (refused.decision, refused.retry_after_seconds) {
        (Decision::Block, Some(_)) => Decision::Defer,
        (decision, _) => decision,
    }
}

fn refused_envelope(access: &Access, asked: &Request, refused: &Refused) -> Envelope {
    let tenant = &access.tenant;
    let now = clock::now().wall;
    let decision = decision_of(refused);
    let mut envelope = Envelope::of(decision);
    envelope.decision_reason_code = Some(refused.reason_code.to_string());
    envelope.reason = Some(refused.reason.clone());
    envelope.risk_score = Some(f64::from(refused.risk_score));
    let found = refused.findings.iter().filter_map(|found| found.rule.as_ref());
    let mut rules: Vec<String> = refused.matched.iter().chain(found).map(ToString::to_string).collect();
    rules.sort_unstable();
    rules.dedup();
    envelope.matched_rule_ids = rules;
    tell_controls(&mut envelope, &refused.controls);
    envelope.policy_references = refused.place.iter().map(reference).collect();
    envelope.decision_evidence.0 = json_object(&[("call_id", &refused.call_id), ("trace_id", &refused.trace_id)]);
    match decision {
        Decision::Defer => {
            envelope.defer_reason = Some(refused.reason.clone());
            envelope.defer_timeout_seconds = refused.retry_after_seconds;
        }
        Decision::StepUp => {
            if let Some(held) = &refused.hold {
                envelope.hold_token = Some(held.token.to_string());
                envelope.approval_url = hold::approval_url(held);
                envelope.expires_at = Some(hold::instant(held.ends_at));
                let left = now.duration_until(held.ends_at).as_secs();
                envelope.step_up_timeout_seconds = Some(u64::try_from(left).unwrap_or_default());
                // It goes out all the same: the client can still poll.
                drop(tenant.gate.desk().shown(&held.token, Channel::Ticket, &asked.agent_id, now));
            }
            envelope.violation_id = Some(violation_id(refused));
        }
        _ => envelope.violation_id = Some(violation_id(refused)),
    }
    tenant.refusals.put(&asked.agent_id, decision, refused, now);
    envelope
}

/// The answer instead of an error that a client would take for an outage: one that is set to go on without a server must
/// not go on because a limit was reached, which the governed agent can bring about itself, or because something here is
/// broken. `None` for errors that say something about the request.
pub(crate) fn instead(fault: &Fault, request: &str, retry_after: Option<u64>) -> Option<Envelope> {
    let (decision, code) = match fault.code {
        Code::RateLimited => (Decision::Defer, ReasonCode::RateLimited),
        Code::Internal | Code::Unavailable | Code::Timeout => (Decision::Block, ReasonCode::EvidenceUnavailable),
        _ => return None,
    };
    let mut envelope = Envelope::of(decision);
    envelope.decision_reason_code = Some(code.to_string());
    envelope.risk_score = Some(f64::from(RiskLevel::Critical.score()));
    envelope.decision_evidence.0 = json_object(&[("request_id", request)]);
    if decision == Decision::Defer {
        envelope.defer_reason = Some(fault.message.clone());
        envelope.defer_timeout_seconds = Some(retry_after.unwrap_or(60));
        envelope.reason = Some(fault.message.clone());
    } else {
        envelope.reason = Some(format!("the call could not be decided and recorded: {}", fault.message));
    }
    Some(envelope)
}

fn json_object(members: &[(&str, &str)]) -> serde_json::Map<String, serde_json::Value> {
    members
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends invariant 5: whatever is not about the request itself is a decision, and never one that lets a call run.
    #[test]
    fn an_outage_is_a_decision() {
        use Code::{
            BadRequest, Forbidden, Internal, KeyExpired, MethodNotAllowed, NotFound, PayloadTooLarge, RateLimited,
            Timeout, Unauthorized, Unavailable,
        };
        for (code, expected) in [
            (RateLimited, Some((Decision::Defer, "rate_limited", Some(7)))),
            (Internal, Some((Decision::Block, "evidence_unavailable", None))),
            (Unavailable, Some((Decision::Block, "evidence_unavailable", None))),
            (Timeout, Some((Decision::Block, "evidence_unavailable", None))),
            (BadRequest, None),
            (Unauthorized, None),
            (KeyExpired, None),
            (Forbidden, None),
            (NotFound, None),
            (MethodNotAllowed, None),
            (PayloadTooLarge, None),
        ] {
            let cause = Some("/srv/s3cret".to_owned());
            let fault = Fault { cause, ..Fault::new(code, "said") };
            let envelope = instead(&fault, "req_1", Some(7));
            let text = serde_json::to_string(&envelope).unwrap();
            assert!(!text.contains("s3cret"), "{text}");
            let found = envelope.as_ref().map(|envelope| {
                let code = envelope.decision_reason_code.as_deref().unwrap();
                (envelope.decision(), code, envelope.defer_timeout_seconds)
            });
            assert_eq!(found, expected, "{code}");
        }
    }
}
