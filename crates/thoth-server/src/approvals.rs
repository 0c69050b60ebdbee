//! `GET /{tenant}/thoth/approvals`, `GET …/approvals/{token}` and `POST …/approvals/{token}/resolve`: held calls, and
//! people's answers to them, in the ledger before they count.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use thoth_api::contract::approval::{Answer, Approval, Query, Resolve, State, Vote as GivenVote};
use thoth_api::contract::fault::Code;
use thoth_api::contract::list::List;
use thoth_api::contract::{Json, read};
use thoth_gate::hold::{Hold, HoldState, VoteError};
use thoth_gate::{HoldsError, Listed};
use thoth_types::{Approver, Channel, HoldToken, Vote};

use crate::access::Access;
use crate::clock;
use crate::enforce::unreadable;
use crate::fault::Fault;
use crate::hold::instant;
use crate::query::limit;

/// How many are on a page where nothing is said, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;
/// How many lists of one tenant are made at once: each has all held calls in memory, without long arguments.
pub(crate) const LISTS_AT_ONCE: usize = 2;
/// The longest arguments in a list, in bytes.
const MAX_LISTED_ARGUMENTS: usize = 4 << 10;
/// What stands before the reason in where an answer came from.
const REASON: &str = "; reason: ";
/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 500;

/// Held calls, newest first. Blocks on the disk.
pub(crate) fn list(access: &Access, query: Query) -> Result<List<Approval>, Fault> {
    let size = limit(query.per_page, PAGE, LARGEST_PAGE)?;
    let page = query.page.unwrap_or(1);
    let before = page.checked_sub(1).ok_or_else(|| Fault::bad("`page` is 1 or more"))?;
    let holds = access.tenant.gate.desk().holds().list_short(MAX_LISTED_ARGUMENTS).map_err(Fault::unavailable)?;
    let now = clock::now().wall;
    let wanted = |listed: &&Listed| query.status.is_none_or(|status| status == state_of(listed.hold.state_at(now)));
    let matching: Vec<&Listed> = holds.iter().filter(wanted).collect();
    let skipped = u64::from(before) * u64::from(size);
    let page = matching.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).take(size as usize);
    let mut list = List::complete(page.map(|listed| row(&listed.hold, listed.argument_bytes)).collect());
    list.total = u64::try_from(matching.len()).ok();
    Ok(list)
}

/// One held call, whole. Blocks on the disk.
pub(crate) fn show(access: &Access, token: &str) -> Result<Approval, Fault> {
    let token = HoldToken::parse(token).ok_or_else(unknown)?;
    let hold = access.tenant.gate.desk().holds().look(&token).map_err(|error| match error {
        HoldsError::Unknown(_) => unknown(),
        error => Fault::unavailable(error),
    })?;
    Ok(whole(&hold))
}

/// A held call with all that is known of it.
fn whole(hold: &Hold) -> Approval {
    Approval { votes: hold.votes.iter().map(given).collect(), ..row(hold, hold.arguments.len()) }
}

/// An answer as it was given.
fn given(vote: &Vote) -> GivenVote {
    GivenVote {
        by: vote.approver.account.to_string(),
        answer: if vote.approves { Answer::Approve } else { Answer::Deny },
        at: instant(vote.at),
        reason: vote.origin.split_once(REASON).map(|(_, reason)| reason.to_owned()),
        channel: vote.channel.to_string(),
    }
}

fn unknown() -> Fault {
    Fault::not_found("there is no such held call")
}

/// Takes an answer. Blocks on the disk.
pub(crate) fn resolve(access: &Access, token: &str, body: &[u8]) -> Result<Approval, Fault> {
    let token = HoldToken::parse(token).ok_or_else(unknown)?;
    let Resolve { decision, reason } = read(body).map_err(|error| unreadable(&error))?;
    let vote = vote(access, decision == Answer::Approve, reason.as_deref());
    let answered = access.tenant.gate.desk().vote(&token, &vote).map_err(|error| match error {
        HoldsError::Unknown(_) => unknown(),
        HoldsError::Vote(VoteError::Closed(state)) => {
            Fault::new(Code::Conflict, format!("it is {} already", state.as_str()))
        }
        HoldsError::Vote(VoteError::Unentitled(why)) => Fault::forbidden(why.to_string()),
        error => Fault::unavailable(error),
    })?;
    access.tenant.tell_answered();
    Ok(whole(&answered))
}

fn vote(access: &Access, approves: bool, reason: Option<&str>) -> Vote {
    let key = &access.key;
    let mut origin = key.origin();
    // INVARIANT: where people log in, whoever can make a key cannot make one that counts as somebody else.
    let poses = key.person.is_none() && access.app.oidc().is_some_and(|oidc| oidc.names_a_person(key.label()));
    let account = if poses { &key.id } else { key.label() };
    if let Some(reason) = reason {
        origin.push_str(REASON);
        origin.extend(reason.chars().filter(|c| !c.is_control()).take(MAX_REASON));
    }
    Vote {
        approver: Approver { account: Arc::from(account), uid: number(&key.id) },
        approves,
        channel: Channel::Api,
        origin,
        at: clock::now().wall,
        line: Vec::new(),
    }
}

/// Tells keys apart where several must agree, as numbers tell accounts apart. Two keys of one number count as one, which
/// is the strict side. Never that of whoever asks over the network.
fn number(id: &str) -> u32 {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d]) >> 1
}

const fn state_of(state: HoldState) -> State {
    match state {
        HoldState::Pending => State::Pending,
        HoldState::Approved => State::Approved,
        HoldState::Denied => State::Denied,
        HoldState::Expired => State::Expired,
        HoldState::Spent => State::Spent,
    }
}

/// A held call for people, whose arguments are so long, also where they are left out.
fn row(hold: &Hold, argument_bytes: usize) -> Approval {
    let id = |text: &dyn std::fmt::Display| text.to_string();
    let latest = hold.votes.last();
    let given = hold.votes.iter().filter(|vote| vote.approves).count();
    // Long after a call is over its arguments are deleted.
    let shown = Some(&*hold.arguments).filter(|arguments| !arguments.is_empty());
    Approval {
        id: hold.token.to_string(),
        status: state_of(hold.state_at(clock::now().wall)),
        tool_name: hold.tool.to_string(),
        agent_id: hold.caller.agent.as_ref().map(|agent| id(agent)),
        session_id: Some(hold.caller.session.to_string()),
        user_id: hold.caller.user.as_ref().map(|user| id(user)),
        reason: Some(hold.why.reason.clone()),
        decision_reason_code: Some(hold.why.reason_code.to_string()),
        matched_rule_ids: hold.why.rule.iter().map(ToString::to_string).collect(),
        risk_score: Some(f64::from(hold.why.risk.score())),
        tool_args: shown.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(|text| Json::new(text.to_owned())),
        tool_args_bytes: u64::try_from(argument_bytes).ok().filter(|bytes| *bytes > 0),
        arguments_digest: Some(hold.arguments_digest.to_string()),
        approvals_required: Some(u32::from(hold.requirement.quorum.max(1))),
        approvals_given: u32::try_from(given).ok(),
        created_at: Some(instant(hold.created_at)),
        expires_at: Some(instant(hold.ends_at)),
        resolved_by: latest.map(|vote| vote.approver.account.to_string()),
        resolved_at: latest.map(|vote| instant(vote.at)),
        votes: Vec::new(),
    }
}
