//! The index of a tenant's ledger: which records are decisions, of whom, and what sessions, agents and tools they make up.
//!
//! INVARIANT: the ledger is the evidence, and this is none. Nothing is decided by it, and all of it is made from the ledger
//! anew where it is gone or of another log. It may lag behind; whoever asks first has it catch up.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::ServerError;

/// How many entries one question looks at, at most: a page of a rare thing may be short, and says where to go on.
pub const MAX_LOOKED_AT: u32 = 20_000;
/// How many entries a page has at most.
pub const MAX_INDEX_PAGE: u32 = 1_000;
/// How many names of one kind are told of a session.
pub const MAX_NAMES: u32 = 256;
/// How many names of each kind a list tells of each session: of the longest names, a page of the most sessions still fits in
/// what a client takes.
pub const MAX_LISTED_NAMES: u32 = 16;
/// Up to where names are counted: a count that is as high stands for all above, too.
pub const MAX_COUNTED_NAMES: u32 = 1_000;
/// How many positions share a row that says from when to when they are.
pub const SPAN: i64 = 1_024;
/// How long one hour is, in nanoseconds.
pub const HOUR: i64 = 3_600_000_000_000;

/// What a decision says in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its place in the ledger, from 0.
    pub position: i64,
    /// When.
    pub at: Timestamp,
    /// The session.
    pub session: String,
    /// The agent.
    pub agent: Option<String>,
    /// The person behind the agent.
    pub user: Option<String>,
    /// The machine.
    pub endpoint: Option<String>,
    /// The tool.
    pub tool: String,
    /// What was answered: a word of the contract.
    pub decision: String,
    /// Why, as a stable code.
    pub reason_code: String,
    /// Why, in words.
    pub reason: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// How much harm was thought possible.
    pub risk_score: i64,
    /// How violations were answered.
    pub mode: Option<String>,
    /// The policy.
    pub policy_digest: Option<String>,
    /// Names the call.
    pub call: String,
    /// Names the decision; a violation by it.
    pub trace: String,
    /// What whoever asked for it calls it.
    pub enforcement_trace: Option<String>,
}

impl Decision {
    /// Whether it refused the call, or held it.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        matches!(&*self.decision, "BLOCK" | "STEP_UP")
    }
}

/// A record of the ledger, as far as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the ledger, from 0.
    pub position: i64,
    /// The session of an agent that it belongs to.
    pub session: Option<String>,
    /// What it says, if it is a decision.
    pub decision: Option<Decision>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leaf {
    event_type: String,
    #[serde(default)]
    occurred_at: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    endpoint_id: Option<String>,
    #[serde(default)]
    tool_name: Option<String>,
    #[serde(default)]
    decision: Option<String>,
    #[serde(default)]
    reason_code: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    risk_score: i64,
    #[serde(default)]
    enforcement_mode: Option<String>,
    #[serde(default)]
    policy_digest: Option<String>,
    #[serde(default)]
    call_id: Option<String>,
    #[serde(default)]
    trace_id: Option<String>,
    #[serde(default)]
    enforcement_trace_id: Option<String>,
}

impl Record {
    /// What the record at this position says. One that cannot be read says nothing, and holds nobody up: to find it is for
    /// whoever verifies the ledger.
    #[must_use]
    pub fn of(position: i64, leaf: &[u8]) -> Self {
        let nothing = Self { position, session: None, decision: None };
        let Ok(leaf) = serde_json::from_slice::<Leaf>(leaf) else { return nothing };
        // What administrators do has a session for each deed, and no agent.
        if leaf.agent_id.is_none() {
            return nothing;
        }
        let session = leaf.session_id.clone();
        Self { position, session, decision: leaf.decided(position) }
    }
}

impl Leaf {
    fn decided(self, position: i64) -> Option<Decision> {
        let decision = self.decision.filter(|_| self.event_type == "TOOL_CALL_PRE")?;
        let reason_code = self.reason_code.unwrap_or_default();
        // A call that only a limit stands in the way of may come back, and was answered so.
        let decision = if decision == "BLOCK" && reason_code == "rate_limited" { "DEFER".to_owned() } else { decision };
        Some(Decision {
            position,
            at: self.occurred_at?.parse().ok()?,
            session: self.session_id?,
            agent: self.agent_id,
            user: self.user_id,
            endpoint: self.endpoint_id,
            tool: self.tool_name?,
            decision,
            reason_code,
            reason: self.reason.unwrap_or_default(),
            rule: self.rule,
            risk_score: self.risk_score,
            mode: self.enforcement_mode,
            policy_digest: self.policy_digest,
            call: self.call_id.unwrap_or_default(),
            trace: self.trace_id.unwrap_or_default(),
            enforcement_trace: self.enforcement_trace_id,
        })
    }
}

/// How many decisions there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The calls that ran.
    pub allowed: i64,
    /// Those that ran with other arguments.
    pub modified: i64,
    /// Those that waited for a person.
    pub held: i64,
    /// Those that were put off.
    pub deferred: i64,
    /// Those that were refused.
    pub blocked: i64,
}

impl Counts {
    fn add(&mut self, decision: &str) {
        match decision {
            "ALLOW" => self.allowed += 1,
            "MODIFY" => self.modified += 1,
            "STEP_UP" => self.held += 1,
            "DEFER" => self.deferred += 1,
            _ => self.blocked += 1,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> i64 {
        self.allowed + self.modified + self.held + self.deferred + self.blocked
    }
}

/// From when to when, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The first decision.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many.
    pub counts: Counts,
}

impl Seen {
    fn with(seen: Option<Self>, decision: &Decision) -> Self {
        let at = decision.at;
        let mut seen = seen.unwrap_or(Self { first: at, last: at, counts: Counts::default() });
        (seen.first, seen.last) = (seen.first.min(at), seen.last.max(at));
        seen.counts.add(&decision.decision);
        seen
    }
}

/// What a session is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// An agent.
    Agent,
    /// A person behind it.
    User,
    /// A tool that it called.
    Tool,
}

impl NameKind {
    /// How it is written down.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::User => "user",
            Self::Tool => "tool",
        }
    }
}

/// What some records of the ledger add to the index.
#[derive(Debug, Default)]
pub struct Added {
    /// The decisions, in order.
    pub decisions: Vec<Decision>,
    /// The records of each session, in order.
    pub sessions: BTreeMap<String, BTreeSet<i64>>,
    /// The decisions of each session.
    pub seen: BTreeMap<String, Seen>,
    /// The names in each session, and in how many decisions.
    pub names: BTreeMap<(String, NameKind, String), i64>,
    /// The decisions about each agent.
    pub agents: BTreeMap<String, Seen>,
    /// The calls of each agent to each tool in each hour since 1970: all, and those that did not run.
    pub hours: BTreeMap<(String, String, i64), (i64, i64)>,
    /// From when to when the decisions at these positions are, in nanoseconds.
    pub spans: BTreeMap<i64, (i64, i64)>,
}

impl Added {
    /// What these add.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut added = Self::default();
        for record in records {
            if let Some(session) = &record.session {
                added.sessions.entry(session.clone()).or_default().insert(record.position);
            }
            if let Some(decision) = &record.decision {
                added.decide(decision);
            }
        }
        added
    }

    fn decide(&mut self, decision: &Decision) {
        let Ok(nanoseconds) = i64::try_from(decision.at.as_nanosecond()) else { return };
        let seen = Seen::with(self.seen.get(&decision.session).copied(), decision);
        self.seen.insert(decision.session.clone(), seen);
        let names = [
            (NameKind::Agent, decision.agent.as_ref()),
            (NameKind::User, decision.user.as_ref()),
            (NameKind::Tool, Some(&decision.tool)),
        ];
        for (kind, name) in names {
            if let Some(name) = name {
                *self.names.entry((decision.session.clone(), kind, name.clone())).or_default() += 1;
            }
        }
        if let Some(agent) = &decision.agent {
            let seen = Seen::with(self.agents.get(agent).copied(), decision);
            self.agents.insert(agent.clone(), seen);
            let hour = nanoseconds.div_euclid(HOUR);
            let calls = self.hours.entry((agent.clone(), decision.tool.clone(), hour)).or_default();
            calls.0 += 1;
            calls.1 += i64::from(!matches!(&*decision.decision, "ALLOW" | "MODIFY"));
        }
        let span = self.spans.entry(decision.position / SPAN).or_insert((nanoseconds, nanoseconds));
        *span = (span.0.min(nanoseconds), span.1.max(nanoseconds));
        self.decisions.push(decision.clone());
    }
}

/// Which decisions are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct DecisionFilter<'f> {
    /// Of this session.
    pub session: Option<&'f str>,
    /// Of this agent.
    pub agent: Option<&'f str>,
    /// About this tool.
    pub tool: Option<&'f str>,
    /// Answered so.
    pub decision: Option<&'f str>,
    /// For this reason.
    pub reason_code: Option<&'f str>,
    /// By this rule.
    pub rule: Option<&'f str>,
    /// Of this person.
    pub user: Option<&'f str>,
    /// Called so by whoever asked.
    pub enforcement_trace: Option<&'f str>,
    /// Only those that let a call run, with its arguments or others.
    pub ran: bool,
    /// Only those that refused or held a call.
    pub violations: bool,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

/// Which sessions are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionFilter<'f> {
    /// Of this agent.
    pub agent: Option<&'f str>,
    /// Of this person.
    pub user: Option<&'f str>,
    /// Whose last decision is not before.
    pub since: Option<Timestamp>,
    /// Whose first decision is not after.
    pub until: Option<Timestamp>,
}

/// Which agents are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgentFilter<'f> {
    /// Whose last decision is not before.
    pub since: Option<Timestamp>,
    /// Whose first decision is not after.
    pub until: Option<Timestamp>,
    /// Only these, at most [`MAX_INDEX_PAGE`].
    pub among: Option<&'f [String]>,
}

/// A page of agents, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agents {
    /// What is on it.
    pub found: Vec<Agent>,
    /// The name beyond which there may be more.
    pub next: Option<String>,
}

impl Agents {
    /// A page of at most `limit`, which was asked for with one more; beyond it there may be more after `edge`, too.
    #[must_use]
    pub fn cut(mut found: Vec<Agent>, limit: u32, edge: Option<String>) -> Self {
        let limit = usize::try_from(limit).unwrap_or(1);
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = if is_more { found.last().map(|agent| agent.id.clone()) } else { edge };
        Self { found, next }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct IndexPage {
    /// Beyond this cursor.
    pub beyond: Option<i64>,
    /// Oldest first; else newest first.
    pub oldest_first: bool,
    /// How many at most.
    pub limit: u32,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// What is on it.
    pub found: Vec<T>,
    /// Where to go on: there may be more.
    pub next: Option<i64>,
}

/// A page of at most `limit`, which was asked for with one more; beyond it there may be more after `edge`, too.
#[must_use]
pub fn cut<T>(mut found: Vec<T>, limit: u32, cursor: impl Fn(&T) -> i64, edge: Option<i64>) -> Found<T> {
    let limit = usize::try_from(limit).unwrap_or(1);
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = if is_more { found.last().map(cursor) } else { edge };
    Found { found, next }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Where in the ledger it begins: also its cursor.
    pub position: i64,
    /// Names it.
    pub id: String,
    /// Its decisions.
    pub seen: Seen,
    /// What stands in them.
    pub agents: Names,
    /// The same of people.
    pub users: Names,
    /// The same of tools.
    pub tools: Names,
}

/// The names of one kind in a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The first [`MAX_NAMES`] by name, or [`MAX_LISTED_NAMES`] in lists, and in how many decisions each stands.
    pub first: Vec<(String, i64)>,
    /// How many there are, up to [`MAX_COUNTED_NAMES`].
    pub count: i64,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Names it.
    pub id: String,
    /// The decisions about it.
    pub seen: Seen,
}

/// What an agent did with a tool since some hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// The agent.
    pub agent: String,
    /// The tool.
    pub tool: String,
    /// How many calls.
    pub calls: i64,
    /// How many of them did not run.
    pub refused: i64,
}

/// The index of the ledger of one tenant.
///
/// INVARIANT: records are added once and in order, whoever adds them, also where several processes do.
pub trait LedgerIndex: Send + Sync {
    /// The first position that is not in it. What was made from another log than this one is forgotten first.
    ///
    /// # Errors
    /// If it cannot be read or written.
    fn indexed(&self, log: &str) -> Result<i64, ServerError>;

    /// Adds what stands at the positions from `from` on, unless somebody else has by now.
    ///
    /// # Errors
    /// If it cannot be written.
    fn add(&self, log: &str, from: i64, records: &[Record]) -> Result<(), ServerError>;

    /// A page of decisions.
    ///
    /// # Errors
    /// If it cannot be read.
    fn decisions(&self, filter: &DecisionFilter<'_>, page: &IndexPage) -> Result<Found<Decision>, ServerError>;

    /// The decision of this name that refused or held a call.
    ///
    /// # Errors
    /// If it cannot be read.
    fn violation(&self, trace: &str) -> Result<Option<Decision>, ServerError>;

    /// A page of sessions, those that began last first.
    ///
    /// # Errors
    /// If it cannot be read.
    fn sessions(&self, filter: &SessionFilter<'_>, page: &IndexPage) -> Result<Found<Session>, ServerError>;

    /// One session.
    ///
    /// # Errors
    /// If it cannot be read.
    fn session(&self, id: &str) -> Result<Option<Session>, ServerError>;

    /// Where the records of a session are, from this position on, at most so many.
    ///
    /// # Errors
    /// If it cannot be read.
    fn positions(&self, session: &str, from: i64, most: u32) -> Result<Vec<i64>, ServerError>;

    /// A page of agents by name, beyond this one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn agents(&self, filter: &AgentFilter<'_>, beyond: Option<&str>, limit: u32) -> Result<Agents, ServerError>;

    /// One agent.
    ///
    /// # Errors
    /// If it cannot be read.
    fn agent(&self, id: &str) -> Result<Option<Agent>, ServerError>;

    /// What agents did with tools since this instant, to the hour, at most [`MAX_LOOKED_AT`] of them.
    ///
    /// # Errors
    /// If it cannot be read.
    fn tool_uses(&self, since: Timestamp) -> Result<Vec<ToolUse>, ServerError>;
}
