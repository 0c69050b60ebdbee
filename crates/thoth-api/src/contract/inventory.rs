//! `POST …/tool-inventory` and `GET …/mcp/inventory/report`: the tools that agents say they have, and what they do with them.

use serde::{Deserialize, Serialize};

use super::Json;
use super::read::{list, text};

/// How many tools one list may have.
pub const MAX_TOOLS: usize = 100;
/// The longest window of a report, in hours: 90 days.
pub const MAX_WINDOW_HOURS: u32 = 2_160;

/// A tool as an agent has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InventoryTool))]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema of its arguments.
    #[serde(default, alias = "inputSchema", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>))]
    pub input_schema: Option<Json>,
}

/// The tools of an agent, or some of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ToolInventory))]
pub struct Inventory {
    /// The agent.
    #[serde(alias = "agentId")]
    pub agent_id: String,
    /// Who tells of them, as `python_sdk`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The tools, at most 100. Those that were listed before and are not among them stay.
    #[serde(deserialize_with = "list")]
    pub tools: Vec<Tool>,
}

/// What became of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ToolInventoryReceipt))]
pub struct Receipt {
    /// How many tools were listed.
    pub accepted: u64,
    /// How many of them are new.
    pub new: u64,
    /// The names of those that are others than before.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub changed: Vec<String>,
    /// How many found no room.
    pub refused: u64,
}

/// Which time is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct ReportQuery {
    /// How many hours back, 168 where nothing is said, at most 2160. Calls are counted by the hour.
    #[serde(default, alias = "windowHours", skip_serializing_if = "Option::is_none")]
    pub window_hours: Option<u32>,
    /// Where to go on, as the last answer said.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many tools at most, of all agents together.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A tool in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InventoryReportTool))]
pub struct ReportedTool {
    /// Its name.
    pub name: String,
    /// Whether its agent has listed it.
    pub listed: bool,
    /// Who told of it last.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The SHA-256 of its definition.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// That of the definition before.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub previous_fingerprint: Option<String>,
    /// When it became another one last, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<String>,
    /// How often it did.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub changes: u64,
    /// When it was listed first, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// When it was listed last, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// How many calls of it were decided in this time.
    pub calls: u64,
    /// How many of them did not run.
    pub refused_calls: u64,
}

/// An agent in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InventoryReportAgent))]
pub struct ReportedAgent {
    /// The agent.
    pub agent_id: String,
    /// Whether it has listed any tool.
    pub has_inventory: bool,
    /// Its tools that are on this page, by name: those that it listed, and others that it called.
    pub tools: Vec<ReportedTool>,
    /// How many calls of all its tools were decided in this time.
    pub calls: u64,
    /// How many of them were of tools that it did not list.
    pub unapproved_calls: u64,
    /// How many did not run.
    pub refused_calls: u64,
}

/// What agents have and do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InventoryReport))]
pub struct Report {
    /// How many hours back.
    pub window_hours: u32,
    /// From when on calls are counted, RFC 3339.
    pub since: String,
    /// The agents that have a tool on this page, by name.
    pub agents: Vec<ReportedAgent>,
    /// How many calls of all agents were decided in this time.
    pub calls: u64,
    /// How many of them were of tools that their agent did not list.
    pub unapproved_calls: u64,
    /// How many tools became others in this time.
    pub changed_tools: u64,
    /// Where the next page begins, where there is one. An agent may have tools on both.
    #[serde(default, alias = "nextCursor", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
