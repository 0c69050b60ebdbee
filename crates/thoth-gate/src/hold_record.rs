//! What becomes of holds and grants, as the ledger's events. All of them name the hold by the keyed digest of its token,
//! and the held call by its ids, so that decision, approver and action are linked.

use jiff::Timestamp;
use thoth_audit::digest::content_digest;
use thoth_audit::{CallFields, ContentKey, Event, EventType, HoldFields, Leaves};
use thoth_types::{Channel, Grant, HoldToken, Listed, Vote};

use crate::hold::{Hold, HoldState};

/// Who did it, how and from where.
#[derive(Debug, Clone, Copy, Default)]
struct Doer<'a> {
    approver: Option<&'a str>,
    channel: Option<&'a str>,
    origin: Option<&'a str>,
}

impl<'a> From<&'a Vote> for Doer<'a> {
    fn from(vote: &'a Vote) -> Self {
        Self {
            approver: Some(&vote.approver.account),
            channel: Some(vote.channel.as_str()),
            origin: Some(vote.origin.as_str()),
        }
    }
}

/// The keyed digest by which the ledger names a hold.
pub(crate) fn token_digest(key: &ContentKey, token: &HoldToken) -> String {
    content_digest(key, token.as_str().as_bytes())
}

/// What a hold is, as nobody has answered it.
pub(crate) fn fields<'a>(hold: &'a Hold, token_digest: &'a str) -> HoldFields<'a> {
    HoldFields {
        token_digest,
        state: hold.state.as_str(),
        ends_at: hold.ends_at,
        quorum: hold.requirement.quorum,
        approver: None,
        channel: None,
        origin: None,
        spent_by: hold.spent_by.as_deref(),
        grant_id: None,
        grant_ends_at: None,
    }
}

/// An answer, after it was taken.
pub(crate) fn answered(leaves: &mut Leaves, hold: &Hold, vote: &Vote, key: &ContentKey) {
    let kind = if hold.state == HoldState::Pending { EventType::HoldAnswered } else { EventType::HoldResolved };
    let event_id = format!("{}.vote{}", hold.call_id, hold.votes.len());
    push(leaves, kind, &event_id, hold, vote.into(), None, vote.at, key);
}

/// A hold was shown in a way in which it was not shown before.
pub(crate) fn shown(
    leaves: &mut Leaves,
    hold: &Hold,
    channel: Channel,
    origin: &str,
    now: Timestamp,
    key: &ContentKey,
) {
    let doer = Doer { approver: None, channel: Some(channel.as_str()), origin: Some(origin) };
    let event_id = format!("{}.shown.{channel}", hold.call_id);
    push(leaves, EventType::HoldShown, &event_id, hold, doer, None, now, key);
}

/// A hold was used up by the call `spender`.
pub(crate) fn spent(leaves: &mut Leaves, hold: &Hold, spender: &str, now: Timestamp, key: &ContentKey) {
    let event_id = format!("{spender}.spent");
    push(leaves, EventType::HoldSpent, &event_id, hold, Doer::default(), None, now, key);
}

/// A hold ended.
pub(crate) fn expired(leaves: &mut Leaves, hold: &Hold, now: Timestamp, key: &ContentKey) {
    let event_id = format!("{}.expired", hold.call_id);
    push(leaves, EventType::HoldExpired, &event_id, hold, Doer::default(), None, now, key);
}

/// A grant was given.
pub(crate) fn grant_given(leaves: &mut Leaves, hold: &Hold, grant: &Grant, now: Timestamp, key: &ContentKey) {
    let doer = grant.given.last().map(Doer::from).unwrap_or_default();
    let event_id = format!("{}.given", grant.id);
    push(leaves, EventType::GrantGiven, &event_id, hold, doer, Some(grant), now, key);
}

/// A grant was taken back.
pub(crate) fn grant_revoked(leaves: &mut Leaves, hold: &Hold, grant: &Grant, by: &Vote, key: &ContentKey) {
    let event_id = format!("{}.revoked", grant.id);
    push(leaves, EventType::GrantRevoked, &event_id, hold, by.into(), Some(grant), by.at, key);
}

#[expect(clippy::too_many_arguments, reason = "one event has that many parts, and each caller names all of them")]
fn push(
    leaves: &mut Leaves,
    event_type: EventType,
    event_id: &str,
    hold: &Hold,
    doer: Doer<'_>,
    grant: Option<&Grant>,
    now: Timestamp,
    key: &ContentKey,
) {
    leaves.push(&Event {
        event_type,
        event_id,
        occurred_at: now,
        session: &hold.caller,
        call: Some(CallFields {
            call_id: &hold.call_id,
            trace_id: &hold.trace_id,
            attestation_id: &hold.call_id,
            enforcement_trace_id: hold.enforcement_trace.as_deref(),
            tool: &hold.tool,
            arguments_digest: &hold.arguments_digest,
            content: None,
            listed: Listed::Unknown,
            retry_of: None,
            task_id: None,
            session_tool_calls: &[],
            session_tool_call_count: 0,
        }),
        decision: None,
        outcome: None,
        hold: Some(HoldFields {
            approver: doer.approver,
            channel: doer.channel,
            origin: doer.origin,
            grant_id: grant.map(|grant| &*grant.id),
            grant_ends_at: grant.map(|grant| grant.ends_at),
            ..fields(hold, &token_digest(key, &hold.token))
        }),
        pin: None,
        refusal: None,
        detail: None,
    });
}
