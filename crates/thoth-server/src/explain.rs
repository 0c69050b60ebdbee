//! `POST /v1/explain`: what a refusal means, for the person in front of the agent. It decides nothing and changes nothing.

use thoth_api::contract::explain::{Explanation, Request};
use thoth_api::contract::key::ScopeLevel;
use thoth_api::contract::read;
use thoth_types::{Decision, RiskLevel};

use crate::access::Access;
use crate::clock;
use crate::enforce::unreadable;
use crate::fault::Fault;
use crate::hold::instant;
use crate::refusals::Told;

/// Explains one refusal. What the server itself remembers of it goes before what the client says.
pub(crate) fn run(access: &Access, body: &[u8]) -> Result<Explanation, Fault> {
    let asked: Request = read(body).map_err(|error| unreadable(&error))?;
    // Whoever asks about an agent's refusal must speak for it; the machine was told when the call was decided.
    if asked.tenant_id != access.tenant.id.as_str() {
        return Err(Fault::forbidden("the API key is of another tenant"));
    }
    if access.key.level == ScopeLevel::Agent && !access.covers(&asked.agent_id, None, None) {
        return Err(Fault::forbidden("the API key is for another agent"));
    }
    let told = asked
        .violation_id
        .as_deref()
        .and_then(|violation| access.tenant.refusals.get(violation))
        .filter(|told| told.agent == asked.agent_id && *told.tool == *asked.tool_name);
    Ok(explanation(asked, told))
}

fn explanation(asked: Request, told: Option<Told>) -> Explanation {
    let decision = told.as_ref().map(|told| told.decision).or(asked.decision).unwrap_or(Decision::Block);
    let code = told.as_ref().map(|told| told.reason_code.to_string()).or_else(|| asked.decision_reason_code.clone());
    let risk = told.as_ref().map(|told| f64::from(told.risk_score)).or(asked.risk_score);
    let rule = told.as_ref().and_then(|told| told.rule.as_deref().map(str::to_owned));
    let rule = rule.or_else(|| asked.matched_rule_ids.first().cloned());
    let verb = match decision {
        Decision::StepUp => "is waiting for a person's approval",
        Decision::Defer => "was put off",
        _ => "was not allowed",
    };
    let because = match (&told, &code, &rule) {
        (Some(told), _, Some(rule)) => format!("{} (rule `{rule}`)", told.reason),
        (Some(told), ..) => told.reason.clone(),
        (None, Some(code), Some(rule)) => format!("The policy decided so: {code} (rule `{rule}`)"),
        (None, Some(code), None) => format!("The policy decided so: {code}"),
        (None, None, _) => "The policy decided so".to_owned(),
    };
    let next = match (decision, code.as_deref()) {
        (Decision::StepUp, _) => {
            "Ask somebody who may approve it to answer; the agent goes on by itself once it is approved"
        }
        (Decision::Defer, _) => "Wait as long as the answer says, and make the call again",
        (_, Some("approval_denied")) => "Ask whoever denied it; making the same call again does not help for now",
        (_, Some("endpoint_quarantined")) => "Ask whoever administers the machines; nothing else ends a quarantine",
        (_, Some("tool_not_in_scope")) => "Add the tool to the agent's approved scope if it should use it",
        (_, Some("policy_invalid" | "evidence_unavailable" | "approval_unavailable")) => {
            "Tell whoever runs the server: its own messages say what is wrong"
        }
        _ => "Change the call so that the policy allows it, or ask whoever keeps the policy to change it",
    };
    Explanation {
        violation_id: asked.violation_id.unwrap_or_else(|| "unknown".to_owned()),
        what_happened: format!("The call of `{}` by `{}` {verb}.", asked.tool_name, asked.agent_id),
        why_it_was_blocked: because,
        what_to_do_next: format!("{next}."),
        business_impact: "The call has not run; nothing was changed by it.".to_owned(),
        severity: severity(risk).to_owned(),
        tenant_id: Some(asked.tenant_id),
        session_id: Some(asked.session_id),
        agent_id: Some(asked.agent_id),
        user_id: Some(asked.user_id),
        tool_name: Some(asked.tool_name),
        request_url: told.as_ref().and_then(|told| told.url.clone()),
        timestamp: Some(instant(told.map_or_else(|| clock::now().wall, |told| told.at))),
        regulatory_context: None,
        decision_reason_code: code,
        action_classification: asked.action_classification,
        risk_score: risk,
    }
}

/// The level whose score this is, or the next above. A refusal of which nobody says how risky it is, is not the worst.
fn severity(score: Option<f64>) -> &'static str {
    let Some(score) = score else { return "unknown" };
    let level = RiskLevel::ALL.iter().find(|level| score <= f64::from(level.score()));
    level.copied().unwrap_or(RiskLevel::Critical).as_str()
}
