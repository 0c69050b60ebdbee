//! How holds and grants are written down, in every store: what no query asks for, as one JSON document each.
//!
//! The documents have types of their own, so that a change of the gate's types is not silently a change of what is on
//! disk. Reading is strict: a field or word that is not known is an error, because a guess could approve something.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thoth_gate::hold::{Hold, Why};
use thoth_types::{
    AgentId, Approver, ApproverRule, ArgumentPattern, Caller, Channel, EndpointId, Grant, Mode, Namespaces, Place,
    ProcessRef, ReasonCode, Requester, Requirement, RiskLevel, ServerName, SessionId, TenantId, UserId, Vote,
};

/// A value that has a text of its own, which reads back as the same value.
#[derive(Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// What a row says of a hold in its document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldDocument {
    caller: CallerDocument,
    requester: RequesterDocument,
    tool: String,
    /// Absent in documents of before, and where there is nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    also_sent: String,
    /// Absent in documents of before, and where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enforcement_trace: Option<String>,
    /// Absent in documents of before, and where it is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    modified: bool,
    call_id: String,
    trace_id: String,
    arguments_digest: String,
    why: WhyDocument,
    requirement: RequirementDocument,
    votes: Vec<VoteDocument>,
    spent_by: Option<String>,
    shown: Vec<Text<Channel>>,
}

/// What a row says of a grant in its document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDocument {
    requester: RequesterDocument,
    patterns: Vec<PatternDocument>,
    given: Vec<VoteDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallerDocument {
    tenant: Option<Text<TenantId>>,
    user: Option<Text<UserId>>,
    endpoint: Option<Text<EndpointId>>,
    agent: Option<Text<AgentId>>,
    session: Text<SessionId>,
    server: Text<ServerName>,
    intent: Option<String>,
    approved_scope: Vec<String>,
    mode: Text<Mode>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequesterDocument {
    account: String,
    uid: u32,
    user: Option<Text<UserId>>,
    client: Option<ProcessDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessDocument {
    id: u32,
    started: u64,
    /// The namespaces; absent in documents of before, and where they are unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    processes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    clock: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhyDocument {
    reason: String,
    reason_code: Text<ReasonCode>,
    rule: Option<String>,
    place: Option<PlaceDocument>,
    risk: Text<RiskLevel>,
    policy_digest: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceDocument {
    file: String,
    line: u32,
    column: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementDocument {
    approvers: Vec<Vec<ApproverDocument>>,
    quorum: u8,
    requester_may_approve: bool,
    terminal: bool,
    ttl_seconds: u32,
    longest_grant_seconds: u32,
    url: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ApproverDocument {
    LocalUser,
    LocalTerminal,
    Account(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoteDocument {
    account: String,
    uid: u32,
    approves: bool,
    channel: Text<Channel>,
    origin: String,
    at: Text<Timestamp>,
    /// Absent in documents of before, and where it is unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    line: Vec<ProcessDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternDocument {
    argument: String,
    glob: String,
}

fn text<T: Clone>(value: Option<&T>) -> Option<Text<T>> {
    value.cloned().map(Text)
}

fn value<T>(text: Option<Text<T>>) -> Option<T> {
    text.map(|text| text.0)
}

impl HoldDocument {
    /// The document of a hold.
    #[must_use]
    pub fn of(hold: &Hold) -> Self {
        // Every field is named, so that a new one is either written or left to a column, and never forgotten.
        let Hold {
            token: _,
            binding: _,
            caller,
            requester,
            tool,
            arguments: _,
            also_sent,
            enforcement_trace,
            modified,
            call_id,
            trace_id,
            arguments_digest,
            why,
            requirement,
            created_at: _,
            ends_at: _,
            state: _,
            votes,
            spent_by,
            shown,
        } = hold;
        Self {
            caller: CallerDocument::of(caller),
            requester: RequesterDocument::of(requester),
            tool: tool.to_string(),
            also_sent: also_sent.to_string(),
            enforcement_trace: enforcement_trace.as_deref().map(str::to_owned),
            modified: *modified,
            call_id: call_id.to_string(),
            trace_id: trace_id.to_string(),
            arguments_digest: arguments_digest.to_string(),
            why: WhyDocument::of(why),
            requirement: RequirementDocument::of(requirement),
            votes: votes.iter().map(VoteDocument::of).collect(),
            spent_by: spent_by.as_deref().map(str::to_owned),
            shown: shown.iter().copied().map(Text).collect(),
        }
    }

    /// The hold, together with what the columns say.
    #[must_use]
    pub fn hold(self, columns: Columns) -> Hold {
        Hold {
            token: columns.token,
            binding: columns.binding,
            caller: self.caller.caller(),
            requester: self.requester.requester(),
            tool: self.tool.into(),
            arguments: columns.arguments.into(),
            also_sent: self.also_sent.into(),
            enforcement_trace: self.enforcement_trace.map(Into::into),
            modified: self.modified,
            call_id: self.call_id.into(),
            trace_id: self.trace_id.into(),
            arguments_digest: self.arguments_digest.into(),
            why: self.why.why(),
            requirement: self.requirement.requirement(),
            created_at: columns.created_at,
            ends_at: columns.ends_at,
            state: columns.state,
            votes: self.votes.into_iter().map(VoteDocument::vote).collect(),
            spent_by: self.spent_by.map(Into::into),
            shown: self.shown.into_iter().map(|channel| channel.0).collect(),
        }
    }
}

/// What a row says of a hold outside its document.
#[derive(Debug)]
pub struct Columns {
    /// Its name.
    pub token: thoth_types::HoldToken,
    /// The call that it stands for.
    pub binding: thoth_types::Binding,
    /// What is called with.
    pub arguments: Vec<u8>,
    /// When the call was held.
    pub created_at: Timestamp,
    /// When its present state ends.
    pub ends_at: Timestamp,
    /// Where it stands, as written down.
    pub state: thoth_gate::hold::HoldState,
}

impl GrantDocument {
    /// The document of a grant.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        let Grant { id: _, scope: _, requester, patterns, given, hold: _, ends_at: _ } = grant;
        Self {
            requester: RequesterDocument::of(requester),
            patterns: patterns
                .iter()
                .map(|ArgumentPattern { argument, glob }| PatternDocument {
                    argument: argument.clone(),
                    glob: glob.clone(),
                })
                .collect(),
            given: given.iter().map(VoteDocument::of).collect(),
        }
    }

    /// On whose behalf, for which arguments, by whom.
    #[must_use]
    pub fn parts(self) -> (Requester, Vec<ArgumentPattern>, Vec<Vote>) {
        let pattern = |one: PatternDocument| ArgumentPattern { argument: one.argument, glob: one.glob };
        (
            self.requester.requester(),
            self.patterns.into_iter().map(pattern).collect(),
            self.given.into_iter().map(VoteDocument::vote).collect(),
        )
    }
}

impl CallerDocument {
    fn of(caller: &Caller) -> Self {
        let Caller { tenant, user, endpoint, agent, session, server, intent, approved_scope, mode } = caller;
        Self {
            tenant: text(tenant.as_ref()),
            user: text(user.as_ref()),
            endpoint: text(endpoint.as_ref()),
            agent: text(agent.as_ref()),
            session: Text(session.clone()),
            server: Text(server.clone()),
            intent: intent.clone(),
            approved_scope: approved_scope.clone(),
            mode: Text(*mode),
        }
    }

    fn caller(self) -> Caller {
        Caller {
            tenant: value(self.tenant),
            user: value(self.user),
            endpoint: value(self.endpoint),
            agent: value(self.agent),
            session: self.session.0,
            server: self.server.0,
            intent: self.intent,
            approved_scope: self.approved_scope,
            mode: self.mode.0,
        }
    }
}

impl RequesterDocument {
    fn of(requester: &Requester) -> Self {
        let Requester { account, uid, user, client } = requester;
        Self {
            account: account.to_string(),
            uid: *uid,
            user: text(user.as_ref()),
            client: client.as_ref().map(ProcessDocument::of),
        }
    }

    fn requester(self) -> Requester {
        Requester {
            account: self.account.into(),
            uid: self.uid,
            user: value(self.user),
            client: self.client.map(ProcessDocument::process),
        }
    }
}

impl ProcessDocument {
    const fn of(process: &ProcessRef) -> Self {
        let ProcessRef { id, started, namespaces: Namespaces { processes, clock } } = *process;
        Self { id, started, processes, clock }
    }

    const fn process(self) -> ProcessRef {
        let Self { id, started, processes, clock } = self;
        ProcessRef { id, started, namespaces: Namespaces { processes, clock } }
    }
}

impl WhyDocument {
    fn of(why: &Why) -> Self {
        let Why { reason, reason_code, rule, place, risk, policy_digest } = why;
        let place = place.as_ref().map(|Place { file, line, column }| PlaceDocument {
            file: file.to_string(),
            line: *line,
            column: *column,
        });
        Self {
            reason: reason.clone(),
            reason_code: Text(*reason_code),
            rule: rule.as_deref().map(str::to_owned),
            place,
            risk: Text(*risk),
            policy_digest: policy_digest.to_string(),
        }
    }

    fn why(self) -> Why {
        let place = |place: PlaceDocument| Place { file: place.file.into(), line: place.line, column: place.column };
        Why {
            reason: self.reason,
            reason_code: self.reason_code.0,
            rule: self.rule.map(Into::into),
            place: self.place.map(place),
            risk: self.risk.0,
            policy_digest: self.policy_digest.into(),
        }
    }
}

impl RequirementDocument {
    fn of(requirement: &Requirement) -> Self {
        let Requirement { approvers, quorum, requester_may_approve, terminal, ttl_seconds, longest_grant_seconds, url } =
            requirement;
        let rule = |rule: &ApproverRule| match rule {
            ApproverRule::LocalUser => ApproverDocument::LocalUser,
            ApproverRule::LocalTerminal => ApproverDocument::LocalTerminal,
            ApproverRule::Account(account) => ApproverDocument::Account(account.to_string()),
        };
        Self {
            approvers: approvers.iter().map(|list| list.iter().map(rule).collect()).collect(),
            quorum: *quorum,
            requester_may_approve: *requester_may_approve,
            terminal: *terminal,
            ttl_seconds: *ttl_seconds,
            longest_grant_seconds: *longest_grant_seconds,
            url: url.as_deref().map(str::to_owned),
        }
    }

    fn requirement(self) -> Requirement {
        let rule = |rule| match rule {
            ApproverDocument::LocalUser => ApproverRule::LocalUser,
            ApproverDocument::LocalTerminal => ApproverRule::LocalTerminal,
            ApproverDocument::Account(account) => ApproverRule::Account(account.into()),
        };
        Requirement {
            approvers: self.approvers.into_iter().map(|list| list.into_iter().map(rule).collect()).collect(),
            quorum: self.quorum,
            requester_may_approve: self.requester_may_approve,
            terminal: self.terminal,
            ttl_seconds: self.ttl_seconds,
            longest_grant_seconds: self.longest_grant_seconds,
            url: self.url.map(Into::into),
        }
    }
}

impl VoteDocument {
    fn of(vote: &Vote) -> Self {
        let Vote { approver: Approver { account, uid }, approves, channel, origin, at, line } = vote;
        Self {
            account: account.to_string(),
            uid: *uid,
            approves: *approves,
            channel: Text(*channel),
            origin: origin.clone(),
            at: Text(*at),
            line: line.iter().map(ProcessDocument::of).collect(),
        }
    }

    fn vote(self) -> Vote {
        Vote {
            approver: Approver { account: self.account.into(), uid: self.uid },
            approves: self.approves,
            channel: self.channel.0,
            origin: self.origin,
            at: self.at.0,
            line: self.line.into_iter().map(ProcessDocument::process).collect(),
        }
    }
}
