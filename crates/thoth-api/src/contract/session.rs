//! `GET /{tenant}/thoth/sessions` and `…/agents`: of whom a server has decided calls, as its ledger says.

use serde::{Deserialize, Serialize};

use super::endpoint::Presence;
use super::policy_bundle::BundleRef;
use super::read::{list, text};

/// How many decisions there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DecisionCounts))]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// `ALLOW`.
    pub allow: u64,
    /// `MODIFY`.
    pub modify: u64,
    /// `STEP_UP`.
    #[serde(alias = "stepUp")]
    pub step_up: u64,
    /// `DEFER`.
    pub defer: u64,
    /// `BLOCK`.
    pub block: u64,
}

/// A name, and in how many decisions it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NamedCount))]
pub struct Named {
    /// The name.
    pub name: String,
    /// How many.
    pub calls: u64,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SessionRecord))]
pub struct Session {
    /// Names it.
    #[serde(alias = "sessionId", alias = "id")]
    pub session_id: String,
    /// Its agents: one, unless several use the same name for a session. By name, the first 16 in lists and 256 else.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agents: Vec<Named>,
    /// How many of them there are; 1000 stands for more, too.
    #[serde(default, alias = "agentCount")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_count: u64,
    /// The people behind them. By name, the first 16 in lists and 256 else.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub users: Vec<Named>,
    /// How many of them there are; 1000 stands for more, too.
    #[serde(default, alias = "userCount")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub user_count: u64,
    /// The tools that it called. By name, the first 16 in lists and 256 else.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tools: Vec<Named>,
    /// How many of them there are; 1000 stands for more, too.
    #[serde(default, alias = "toolCount")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tool_count: u64,
    /// When the first call was decided, RFC 3339.
    #[serde(alias = "firstSeen")]
    pub first_seen: String,
    /// When the last one was, RFC 3339.
    #[serde(alias = "lastSeen")]
    pub last_seen: String,
    /// How.
    pub decisions: Counts,
    /// Where in the ledger its first record is.
    #[serde(alias = "firstIndex")]
    pub first_index: u64,
}

/// Which sessions are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct Query {
    /// Of this agent.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Of this person.
    #[serde(default, alias = "userId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Whose last call was not decided before this instant, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Whose first call was not decided after this instant, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where to go on, as the last answer said.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 200))]
    pub limit: Option<u32>,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AgentRecord))]
pub struct Agent {
    /// Names it.
    #[serde(alias = "agentId", alias = "id")]
    pub agent_id: String,
    /// When its first call was decided, RFC 3339.
    #[serde(alias = "firstSeen")]
    pub first_seen: String,
    /// When the last one was, RFC 3339.
    #[serde(alias = "lastSeen")]
    pub last_seen: String,
    /// How.
    pub decisions: Counts,
    /// The digest of the policy that holds for it now, where one agent is asked for. Machines and fleets may have more.
    #[serde(default, alias = "policyDigest", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// The bundles that are part of it.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<BundleRef>,
}

/// Which agents are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct AgentQuery {
    /// On a machine of this environment. What is asked of machines is asked of one at a time, as it stands now: an agent is on
    /// those that say so.
    #[serde(default, alias = "environment", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// On a machine of this fleet.
    #[serde(default, alias = "fleetId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// On this machine.
    #[serde(default, alias = "endpointId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// On a machine that stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub status: Option<Presence>,
    /// Whose last call was not decided before this instant, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Whose first call was not decided after this instant, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where to go on, as the last answer said.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
}
