//! Holds and grants for scripts. The keys are part of the contract; docs/approvals.md lists them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use thoth_store::Hold;
use thoth_types::{ApproverRule, Grant, Requester, Requirement, Vote};

/// One hold. The arguments stand in it exactly as the client wrote them.
#[derive(Debug, Serialize)]
pub(crate) struct HoldJson<'h> {
    id: &'h str,
    short_id: &'h str,
    state: &'static str,
    tool: &'h str,
    server: &'h str,
    agent: Option<&'h str>,
    tenant: Option<&'h str>,
    user: Option<&'h str>,
    endpoint: Option<&'h str>,
    session: &'h str,
    intent: Option<&'h str>,
    mode: &'static str,
    requester: RequesterJson<'h>,
    arguments: Option<&'h RawValue>,
    also_sent: Option<&'h RawValue>,
    reason: &'h str,
    reason_code: &'static str,
    rule: Option<&'h str>,
    place: Option<PlaceJson<'h>>,
    risk: &'static str,
    risk_score: u8,
    policy_digest: &'h str,
    requirement: RequirementJson<'h>,
    created_at: String,
    ends_at: String,
    votes: Vec<VoteJson<'h>>,
    spent_by: Option<&'h str>,
    shown: Vec<&'static str>,
    call_id: &'h str,
    trace_id: &'h str,
    arguments_digest: &'h str,
}

#[derive(Debug, Serialize)]
struct PlaceJson<'h> {
    file: &'h str,
    line: u32,
    column: u32,
}

#[derive(Debug, Serialize)]
struct RequesterJson<'h> {
    account: &'h str,
    uid: u32,
    user: Option<&'h str>,
    client_process: Option<u32>,
}

#[derive(Debug, Serialize)]
struct RequirementJson<'h> {
    approvers: Vec<Vec<String>>,
    quorum: u8,
    requester_may_approve: bool,
    terminal: bool,
    ttl_seconds: u32,
    longest_grant_seconds: u32,
    url: Option<&'h str>,
}

#[derive(Debug, Serialize)]
struct VoteJson<'h> {
    account: &'h str,
    uid: u32,
    approves: bool,
    channel: &'static str,
    origin: &'h str,
    at: String,
}

/// One grant.
#[derive(Debug, Serialize)]
pub(crate) struct GrantJson<'g> {
    id: &'g str,
    tool: &'g str,
    server: &'g str,
    agent: Option<&'g str>,
    tenant: Option<&'g str>,
    requester: RequesterJson<'g>,
    patterns: Vec<PatternJson<'g>>,
    given: Vec<VoteJson<'g>>,
    hold: &'g str,
    ends_at: String,
}

#[derive(Debug, Serialize)]
struct PatternJson<'g> {
    argument: &'g str,
    glob: &'g str,
}

impl<'h> HoldJson<'h> {
    pub(crate) fn new(hold: &'h Hold, now: Timestamp) -> Self {
        let place = hold.why.place.as_ref();
        Self {
            id: hold.token.as_str(),
            short_id: hold.token.short(),
            state: hold.state_at(now).as_str(),
            tool: &hold.tool,
            server: hold.caller.server.as_str(),
            agent: hold.caller.agent.as_ref().map(|id| id.as_str()),
            tenant: hold.caller.tenant.as_ref().map(|id| id.as_str()),
            user: hold.caller.user.as_ref().map(|id| id.as_str()),
            endpoint: hold.caller.endpoint.as_ref().map(|id| id.as_str()),
            session: hold.caller.session.as_str(),
            intent: hold.caller.intent.as_deref(),
            mode: hold.caller.mode.as_str(),
            requester: requester(&hold.requester),
            arguments: serde_json::from_slice(&hold.arguments).ok(),
            also_sent: serde_json::from_str(&hold.also_sent).ok(),
            reason: &hold.why.reason,
            reason_code: hold.why.reason_code.as_str(),
            rule: hold.why.rule.as_deref(),
            place: place.map(|place| PlaceJson { file: &place.file, line: place.line, column: place.column }),
            risk: hold.why.risk.as_str(),
            risk_score: hold.why.risk.score(),
            policy_digest: &hold.why.policy_digest,
            requirement: requirement(&hold.requirement),
            created_at: hold.created_at.to_string(),
            ends_at: hold.ends_at.to_string(),
            votes: hold.votes.iter().map(vote).collect(),
            spent_by: hold.spent_by.as_deref(),
            shown: hold.shown.iter().map(|channel| channel.as_str()).collect(),
            call_id: &hold.call_id,
            trace_id: &hold.trace_id,
            arguments_digest: &hold.arguments_digest,
        }
    }
}

impl<'g> GrantJson<'g> {
    pub(crate) fn new(grant: &'g Grant) -> Self {
        let patterns = grant.patterns.iter();
        Self {
            id: &grant.id,
            tool: &grant.scope.tool,
            server: grant.scope.server.as_str(),
            agent: grant.scope.agent.as_ref().map(|id| id.as_str()),
            tenant: grant.scope.tenant.as_ref().map(|id| id.as_str()),
            requester: requester(&grant.requester),
            patterns: patterns.map(|one| PatternJson { argument: &one.argument, glob: &one.glob }).collect(),
            given: grant.given.iter().map(vote).collect(),
            hold: grant.hold.as_str(),
            ends_at: grant.ends_at.to_string(),
        }
    }
}

fn requester(requester: &Requester) -> RequesterJson<'_> {
    RequesterJson {
        account: &requester.account,
        uid: requester.uid,
        user: requester.user.as_ref().map(|id| id.as_str()),
        client_process: requester.client.map(|client| client.id),
    }
}

fn requirement(requirement: &Requirement) -> RequirementJson<'_> {
    let word = |rule: &ApproverRule| match rule {
        ApproverRule::LocalUser => "local_user".to_owned(),
        ApproverRule::LocalTerminal => "local_terminal".to_owned(),
        ApproverRule::Account(account) => format!("user:{account}"),
    };
    RequirementJson {
        approvers: requirement.approvers.iter().map(|list| list.iter().map(word).collect()).collect(),
        quorum: requirement.quorum,
        requester_may_approve: requirement.requester_may_approve,
        terminal: requirement.terminal,
        ttl_seconds: requirement.ttl_seconds,
        longest_grant_seconds: requirement.longest_grant_seconds,
        url: requirement.url.as_deref(),
    }
}

fn vote(vote: &Vote) -> VoteJson<'_> {
    VoteJson {
        account: &vote.approver.account,
        uid: vote.approver.uid,
        approves: vote.approves,
        channel: vote.channel.as_str(),
        origin: &vote.origin,
        at: vote.at.to_string(),
    }
}
