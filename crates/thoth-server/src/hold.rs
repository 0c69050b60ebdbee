//! `GET /v1/enforce/hold/{token}`: where a held call stands. Once it is approved, the stored call is put to the gate again,
//! which decides everything anew, uses the approval up and records it; only then is the client told that it may run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use thoth_api::contract::hold::Status;
use thoth_gate::hold::{Hold, HoldState};
use thoth_gate::{HoldsError, Refused};
use thoth_telemetry::traces::Step;
use thoth_types::{AgentId, Caller, Decision, EndpointId, HoldToken, ReasonCode, UserId};

use crate::access::Access;
use crate::clock;
use crate::decide::{Verdict, Wanted, decide, strictest};
use crate::enforce::{FLEET, decision_of, document};
use crate::fault::Fault;
use crate::receipt::{About, Decided, receipt};
use crate::refusals::violation_id;

/// How often it is looked whether another process has taken an answer.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What comes of a look.
#[derive(Debug)]
enum Stop {
    Fault(Fault),
    /// While it waited for its session, the hold became something else.
    Moved,
}

impl From<crate::decide::Unasked> for Stop {
    fn from(unasked: crate::decide::Unasked) -> Self {
        Self::Fault(unasked.into())
    }
}

/// Where the held call stands; uses an approval up. Blocks on the disk.
pub(crate) fn run(access: &Access, token: &str) -> Result<Status, Fault> {
    let Some(token) = HoldToken::parse(token) else { return Err(unknown()) };
    access.still()?;
    let mut span = access.spans.begin(Step::Hold);
    let hold = look(access, &token)?;
    span.hold(state(&hold).as_str());
    drop(span);
    match state(&hold) {
        HoldState::Pending => Ok(pending(&hold)),
        HoldState::Approved => match again(access, &hold) {
            Ok(status) => Ok(status),
            Err(Stop::Fault(fault)) => Err(fault),
            // Once more is enough: nothing is approved twice.
            Err(Stop::Moved) => look(access, &token).map(|hold| settled(&hold)),
        },
        HoldState::Expired => {
            access.tenant.upkeep();
            Ok(settled(&hold))
        }
        HoldState::Denied | HoldState::Spent => Ok(settled(&hold)),
    }
}

/// Whether there is anything to tell now, without using anything up: it is settled, or the key is not told of it.
pub(crate) fn has_news(access: &Access, token: &str) -> bool {
    HoldToken::parse(token)
        .and_then(|token| look(access, &token).ok())
        .is_none_or(|hold| state(&hold) != HoldState::Pending)
}

fn state(hold: &Hold) -> HoldState {
    hold.state_at(clock::now().wall)
}

fn unknown() -> Fault {
    Fault::not_found("there is no such held call")
}

/// The hold, if the key speaks for the agent that made it; of another's, no more is told than of one that is not there.
fn look(access: &Access, token: &HoldToken) -> Result<Hold, Fault> {
    let hold = access.tenant.gate.desk().holds().look(token).map_err(|error| match error {
        HoldsError::Unknown(_) => unknown(),
        error => Fault::unavailable(error),
    })?;
    let agent = hold.caller.agent.as_ref().map_or("", AgentId::as_str);
    let endpoint = hold.caller.endpoint.as_ref().map(EndpointId::as_str);
    // A fleet is not known of a hold: its keys see what they asked for themselves.
    if access.covers(agent, endpoint, None) || *hold.requester.account == *access.key.id {
        Ok(hold)
    } else {
        Err(unknown())
    }
}

/// Puts an approved call to the gate.
fn again(access: &Access, hold: &Hold) -> Result<Status, Stop> {
    // The server may demand more by now than when the call was held.
    let mode = strictest(access.tenant.mode, hold.caller.mode);
    let wanted = Wanted {
        caller: Caller { mode, ..hold.caller.clone() },
        requester: hold.requester.clone(),
        tool: &hold.tool,
        arguments: Some(&hold.arguments),
        also_sent: hold.also_sent.as_bytes(),
        enforcement_trace: hold.enforcement_trace.clone(),
        retry_of: Some(hold.call_id.to_string()),
        fleet: fleet(&hold.also_sent)?,
    };
    let still = || match access.still().map(|()| access.tenant.gate.desk().holds().look(&hold.token)) {
        Ok(Ok(now)) if state(&now) == HoldState::Approved => Ok(()),
        Ok(Ok(_)) => Err(Stop::Moved),
        Ok(Err(error)) => Err(Stop::Fault(Fault::unavailable(error))),
        Err(fault) => Err(Stop::Fault(fault)),
    };
    match decide(access, wanted, still)? {
        Verdict::Admitted(admitted) => {
            let modified = hold.modified || admitted.grounds.decision == Decision::Modify;
            let decision = if modified { Decision::Modify } else { Decision::Allow };
            let mut status = resolved(hold, decision);
            let code = admitted.grounds.reason_code.to_string();
            let decided = Decided { decision, reason_code: &code, violation_id: None };
            status.receipt.0 = receipt(&access.tenant, &about(hold, &admitted.call_id, &admitted.arguments), &decided);
            status.reason = Some(admitted.grounds.reason);
            status.decision_reason_code = Some(admitted.grounds.reason_code.to_string());
            status.risk_score = Some(f64::from(admitted.grounds.risk_score));
            if modified {
                status.modified_tool_args = Some(document(admitted.arguments).map_err(Stop::Fault)?);
                status.modification_reason = Some("something was taken out of the arguments".to_owned());
            }
            Ok(status)
        }
        Verdict::Refused(refused) => Ok(refused_again(access, hold, &refused)),
    }
}

/// The fleet that was named when the call was held.
fn fleet(also_sent: &str) -> Result<Option<String>, Stop> {
    if also_sent.is_empty() {
        return Ok(None);
    }
    let mut sent: BTreeMap<String, String> =
        serde_json::from_str(also_sent).map_err(|error| Stop::Fault(Fault::broken(error)))?;
    Ok(sent.remove(FLEET))
}

/// The gate says something else now than when the call was held.
fn refused_again(access: &Access, hold: &Hold, refused: &Refused) -> Status {
    // Only a limit stands in the way, and the approval is still there.
    if decision_of(refused) == Decision::Defer {
        return pending(hold);
    }
    let agent = hold.caller.agent.as_ref().map_or("", AgentId::as_str);
    access.tenant.refusals.put(agent, Decision::Block, refused, clock::now().wall);
    let mut status = resolved(hold, Decision::Block);
    status.reason = Some(if refused.decision == Decision::StepUp {
        "the approval no longer fits what the policy asks; make the call again to ask anew".to_owned()
    } else {
        refused.reason.clone()
    });
    status.decision_reason_code = Some(refused.reason_code.to_string());
    status.risk_score = Some(f64::from(refused.risk_score));
    let violation = violation_id(refused);
    let code = refused.reason_code.to_string();
    let decided = Decided { decision: Decision::Block, reason_code: &code, violation_id: Some(&violation) };
    status.receipt.0 = receipt(&access.tenant, &about(hold, &refused.call_id, &hold.arguments), &decided);
    status.violation_id = Some(violation);
    status
}

/// What a receipt for a held call is about: the call as it was decided now, under an id of its own.
fn about<'a>(hold: &'a Hold, call_id: &'a str, arguments: &'a [u8]) -> About<'a> {
    About {
        agent: hold.caller.agent.as_ref().map_or("", AgentId::as_str),
        user: hold.caller.user.as_ref().map_or("", UserId::as_str),
        session: hold.caller.session.as_str(),
        endpoint: hold.caller.endpoint.as_ref().map(EndpointId::as_str),
        tool: &hold.tool,
        arguments,
        call_id,
        trace_id: None,
        attestation_id: None,
    }
}

fn described(mut status: Status, hold: &Hold) -> Status {
    status.hold_token = Some(hold.token.to_string());
    status.tool_name = Some(hold.tool.to_string());
    status
}

fn resolved(hold: &Hold, resolution: Decision) -> Status {
    described(Status::resolved(resolution), hold)
}

fn pending(hold: &Hold) -> Status {
    let mut status = described(Status::pending(), hold);
    status.expires_at = Some(instant(hold.ends_at));
    status.approval_url = approval_url(hold);
    status
}

/// Of one that nothing more can come of.
fn settled(hold: &Hold) -> Status {
    let (code, reason) = match state(hold) {
        HoldState::Pending | HoldState::Approved => return pending(hold),
        HoldState::Denied => (Some(ReasonCode::ApprovalDenied), "a person has denied this call"),
        HoldState::Expired => (None, "nobody approved this call in time"),
        HoldState::Spent => {
            (None, "the approval was already used, and lets one call through; make the call again to ask anew")
        }
    };
    let mut status = resolved(hold, Decision::Block);
    status.reason = Some(reason.to_owned());
    status.decision_reason_code =
        Some(code.map_or_else(|| format!("approval_{}", state(hold).as_str()), |code| code.to_string()));
    status.risk_score = Some(f64::from(hold.why.risk.score()));
    status.violation_id = Some(format!("vio_{}", hold.trace_id));
    status
}

/// Where it can be approved in a browser.
pub(crate) fn approval_url(hold: &Hold) -> Option<String> {
    hold.requirement.url.as_ref().map(|url| url.replace("{hold}", hold.token.as_str()))
}

/// An instant in whole seconds, so that nobody is promised more than there is.
pub(crate) fn instant(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
