//! Turns what the gate knows into the ledger's events.

use thoth_audit::{
    CallFields, ContentKey, DecisionFields, Event, EventType, Leaves, OutcomeFields, RefusalFields, RemoteFields,
    ShadowFields,
};
use thoth_types::{Approval, Caller, ReasonCode, Remote};

use crate::decide::Decided;
use crate::facts::Moment;
use crate::hold_record;
use crate::permit::Ticket;
use crate::session::GateSession;
use crate::settle::ResultFound;
use crate::stage::approval::Came;

/// What became of a forwarded call.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The kind of outcome, a stable word: `result`, `tool_error`, `error`, `task`, `input_required`, `no_answer`,
    /// `answer_refused`.
    pub kind: &'static str,
    /// Size of the answer in bytes.
    pub result_bytes: u64,
    /// The task under which the call goes on.
    pub task_id: Option<&'a str>,
    /// What was found in the answer.
    pub found: Option<&'a ResultFound>,
}

impl Outcome<'_> {
    /// A call that was not answered, or whose answer was refused.
    #[must_use]
    pub const fn without_answer(kind: &'static str) -> Self {
        Self { kind, result_bytes: 0, task_id: None, found: None }
    }
}

/// Something worth recording that is not a call.
#[derive(Debug, Clone, Copy)]
pub struct Incident<'a> {
    /// What kind of event it is.
    pub kind: EventType,
    /// What happened, for a person; must not carry arguments or secrets.
    pub detail: &'a str,
    /// For a refused frame: where and why.
    pub refusal: Option<RefusalFields<'a>>,
}

fn call_fields<'a>(session: &'a GateSession, decided: &'a Decided<'_>) -> CallFields<'a> {
    CallFields {
        call_id: &decided.call_id,
        trace_id: &decided.trace_id,
        attestation_id: &decided.call_id,
        enforcement_trace_id: decided.call.enforcement_trace.as_deref(),
        tool: &decided.tool,
        arguments_digest: &decided.arguments_digest,
        content: Some(&decided.content),
        listed: decided.call.listed,
        retry_of: decided.call.retry_of.as_deref(),
        task_id: None,
        session_tool_calls: session.past.recent_names(),
        session_tool_call_count: session.past.allowed,
    }
}

fn decision_fields<'a>(
    decided: &'a Decided<'_>,
    digest: &'a str,
    hold: Option<&'a str>,
    shadows: &'a [ShadowFields<'a>],
) -> DecisionFields<'a> {
    let decisive = decided.decisive();
    DecisionFields {
        decision: decided.word(),
        would_be: decided.ruling.would_be,
        approval: decisive.map_or(Approval::Block, |f| f.approval),
        risk_level: decided.risk,
        risk_score: decided.risk.score(),
        reason_code: decisive.map_or(ReasonCode::PolicyInvalid, |f| f.code),
        reason: decisive.map_or("", |f| &f.detail),
        rule: decisive.and_then(|f| f.rule.as_deref()),
        place: decisive.and_then(|f| f.place.as_ref()),
        matched: &decided.matched,
        controls: &decided.controls,
        policy_digest: digest,
        hold_token_digest: hold,
        grant_id: match decided.came() {
            Some(Came::Granted(grant)) => Some(&grant.id),
            _ => None,
        },
        // A single finding is the deciding one, which the fields above already tell.
        findings: if decided.findings.len() > 1 { &decided.findings } else { &[] },
        skipped: decided.skipped,
        shadows,
        conditions: &decided.conditions,
        remote: decided.call.remote.as_deref().map(remote_fields),
        enforcer_policy_digest: decided.document.as_deref(),
    }
}

fn remote_fields(remote: &Remote) -> RemoteFields<'_> {
    RemoteFields {
        attestation_id: &remote.call_id,
        decision: remote.told.decision,
        reason: remote.told.reason.as_deref(),
        reason_code: remote.told.reason_code.as_deref(),
        risk_score: remote.told.risk_score,
        trace_id: &remote.trace_id,
        violation_id: remote.told.violation_id.as_deref(),
    }
}

fn shadow_fields<'a>(decided: &'a Decided<'_>) -> Vec<ShadowFields<'a>> {
    let fields = decided.shadows.iter().map(|shadow| ShadowFields {
        source: shadow.source,
        approval: shadow.approval,
        reason_code: shadow.code,
        rule: shadow.rule.as_deref(),
        place: shadow.place.as_ref(),
        policy_digest: &shadow.policy_digest,
    });
    fields.collect()
}

fn token_digest(decided: &Decided<'_>, key: &ContentKey) -> Option<String> {
    let token = decided.asking.as_ref()?.token()?;
    Some(hold_record::token_digest(key, token))
}

/// The intent record of a call that will go out.
pub(crate) fn intent(
    leaves: &mut Leaves,
    session: &GateSession,
    decided: &Decided<'_>,
    policy_digest: &str,
    key: &ContentKey,
    now: Moment,
) {
    let hold = token_digest(decided, key);
    let shadows = shadow_fields(decided);
    leaves.push(&Event {
        event_type: EventType::ToolCallPre,
        event_id: &format!("{}.pre", decided.call_id),
        occurred_at: now.wall,
        session: &session.caller,
        call: Some(call_fields(session, decided)),
        decision: Some(decision_fields(decided, policy_digest, hold.as_deref(), &shadows)),
        outcome: None,
        hold: None,
        pin: None,
        refusal: None,
        detail: None,
    });
}

/// The two records of a call that does not go out: what was asked, and that it was refused.
pub(crate) fn refusal(
    leaves: &mut Leaves,
    session: &GateSession,
    decided: &Decided<'_>,
    policy_digest: &str,
    key: &ContentKey,
    now: Moment,
) {
    let hold = token_digest(decided, key);
    let shadows = shadow_fields(decided);
    let mut event = Event {
        event_type: EventType::ToolCallPre,
        event_id: &format!("{}.pre", decided.call_id),
        occurred_at: now.wall,
        session: &session.caller,
        call: Some(call_fields(session, decided)),
        decision: Some(decision_fields(decided, policy_digest, hold.as_deref(), &shadows)),
        outcome: None,
        hold: None,
        pin: None,
        refusal: None,
        detail: None,
    };
    leaves.push(&event);
    let block_id = format!("{}.block", decided.call_id);
    event.event_type = EventType::ToolCallBlock;
    if let Some(Came::HeldAnew(held, _)) = decided.came()
        && let Some(token_digest) = hold.as_deref()
    {
        event.event_type = EventType::HoldCreated;
        event.hold = Some(hold_record::fields(held, token_digest));
    }
    event.event_id = &block_id;
    if let Some(call) = &mut event.call {
        call.content = None;
    }
    if let Some(decision) = &mut event.decision {
        (decision.shadows, decision.conditions) = (&[], &[]);
    }
    leaves.push(&event);
}

/// The outcome record of a call that went out.
///
/// A call that became a task has two: that it did, and how the task ended.
pub(crate) fn outcome(leaves: &mut Leaves, session: &Caller, ticket: &Ticket, outcome: &Outcome<'_>, now: Moment) {
    let found = outcome.found.map(|found| found.classes.as_slice()).unwrap_or_default();
    let classes: Vec<(&str, u64)> =
        found.iter().map(|(class, count)| (class.as_str(), u64::try_from(*count).unwrap_or(u64::MAX))).collect();
    let which = if outcome.task_id.is_some() && outcome.kind != "task" { "task_post" } else { "post" };
    leaves.push(&Event {
        event_type: EventType::ToolCallPost,
        event_id: &format!("{}.{which}", ticket.call_id),
        occurred_at: now.wall,
        session,
        call: Some(CallFields {
            call_id: &ticket.call_id,
            trace_id: &ticket.trace_id,
            attestation_id: &ticket.call_id,
            enforcement_trace_id: None,
            tool: &ticket.tool,
            arguments_digest: &ticket.arguments_digest,
            content: None,
            listed: ticket.listed,
            retry_of: None,
            task_id: outcome.task_id,
            session_tool_calls: &[],
            session_tool_call_count: 0,
        }),
        decision: None,
        outcome: Some(OutcomeFields {
            outcome: outcome.kind,
            duration_us: now.monotonic_us.saturating_sub(ticket.admitted_at.monotonic_us),
            result_bytes: outcome.result_bytes,
            content: None,
            action: outcome.found.map(|found| found.action.as_str()),
            classes: &classes,
            note_left_out: outcome.found.is_some_and(|found| found.note_left_out),
        }),
        hold: None,
        pin: None,
        refusal: None,
        detail: None,
    });
}

/// The record of something that is not a call.
pub(crate) fn incident(leaves: &mut Leaves, session: &Caller, serial: u64, incident: &Incident<'_>, now: Moment) {
    leaves.push(&Event {
        event_type: incident.kind,
        event_id: &format!("{}.e{serial}", session.session),
        occurred_at: now.wall,
        session,
        call: None,
        decision: None,
        outcome: None,
        hold: None,
        pin: None,
        refusal: incident.refusal,
        detail: Some(incident.detail),
    });
}
