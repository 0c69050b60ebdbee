//! `POST /v1/events/batch` and `GET /{tenant}/thoth/events`: what clients tell of what they did.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::read::{Extra, Unreadable, list, read, text};
use super::words;

/// How many events one batch may have.
pub const MAX_EVENTS: usize = 1_000;

/// One event. What a client sends beyond the named members is kept as it is.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// Names it. Where it has none, a digest of all that it says does.
    #[serde(default, alias = "eventId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The organisation.
    #[serde(alias = "tenantId")]
    pub tenant_id: String,
    /// The agent's session.
    #[serde(alias = "sessionId")]
    pub session_id: String,
    /// The agent.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The person behind the agent.
    #[serde(default, alias = "userId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `agent_tool_call` or `agent_llm_invocation`.
    #[serde(default, alias = "sourceType", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// `TOOL_CALL_PRE`, `TOOL_CALL_POST`, `TOOL_CALL_BLOCK`, `LLM_INVOCATION`…
    #[serde(alias = "eventType")]
    pub event_type: String,
    /// The tool.
    #[serde(default, alias = "toolName", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// When, RFC 3339.
    #[serde(default, alias = "occurredAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// How violations were answered.
    #[serde(default, alias = "enforcementMode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_mode: Option<String>,
    /// Tools that the agent might use.
    #[serde(default, alias = "approvedScope", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub approved_scope: Vec<String>,
    /// The tools that the session had called, in order.
    #[serde(default, alias = "sessionToolCalls", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub session_tool_calls: Vec<String>,
    /// The refusal that it tells of.
    #[serde(default, alias = "violationId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub violation_id: Option<String>,
    /// The machine.
    #[serde(default, alias = "endpointId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// What was said; a fixed phrase from newer clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<serde_json::Value>,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Extra,
    /// Everything else.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, serde_json::Value>))]
    pub other: Extra,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("event_id", &self.event_id)
            .field("type", &self.event_type)
            .finish_non_exhaustive()
    }
}

impl Event {
    /// The name by which it is known in its tenant: its own, or for one without, a digest of all that it says, so that
    /// the same event sent twice is one.
    #[must_use]
    pub fn id_within(&self, tenant: &str) -> String {
        let own = match &self.event_id {
            Some(id) => id.clone(),
            None => {
                let text = serde_json::to_vec(self).unwrap_or_default();
                let digest = Sha256::digest(text);
                digest.iter().take(16).fold("sha256-".to_owned(), |id, byte| format!("{id}{byte:02x}"))
            }
        };
        match own.strip_prefix(tenant) {
            Some(rest) if rest.starts_with(':') => own,
            _ => format!("{tenant}:{own}"),
        }
    }
}

/// One event of a batch that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RefusedEvent))]
pub struct Refused {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why.
    pub message: String,
}

/// A batch, as far as it can be read: one bad event does not take the others along.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Those that can be read, each with its place in the batch, from 0.
    pub events: Vec<(usize, Event)>,
    /// Those that cannot.
    pub refused: Vec<Refused>,
}

/// Why a batch is not taken at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It is no list of events.
    #[error("a batch is a list of events, or an object with `events`: {0}")]
    Unreadable(#[from] Unreadable),
    /// It is too long.
    #[error("a batch has at most {MAX_EVENTS} events, and this one has {0}")]
    TooMany(usize),
}

#[derive(Deserialize)]
struct Wrapped<'b> {
    #[serde(borrow)]
    events: Vec<&'b RawValue>,
}

impl Batch {
    /// Reads a batch: a list, or an object with `events`.
    ///
    /// # Errors
    /// If it is neither, or too long.
    pub fn read(body: &[u8]) -> Result<Self, BatchError> {
        let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let raw: Vec<&RawValue> = if is_list { read(body)? } else { read::<Wrapped<'_>>(body)?.events };
        if raw.len() > MAX_EVENTS {
            return Err(BatchError::TooMany(raw.len()));
        }
        let mut batch = Self::default();
        for (index, event) in raw.into_iter().enumerate() {
            match read(event.get().as_bytes()) {
                Ok(event) => batch.events.push((index, event)),
                Err(error) => batch.refused.push(Refused { index, message: error.what }),
            }
        }
        Ok(batch)
    }
}

/// What is answered to a batch, with status 202.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// How many are new and kept.
    pub accepted: usize,
    /// How many were there before.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub duplicates: usize,
    /// Those that were not taken.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub rejected: Vec<Refused>,
}

words! {
    /// In which order events are listed.
    Order {
        /// Newest first; a cursor leads to older ones.
        Newest => "newest" | "desc",
        /// Oldest first; a cursor leads to newer ones.
        Oldest => "oldest" | "asc",
    }
}

/// Which events are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct Query {
    /// Of this agent.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Of this session.
    #[serde(default, alias = "sessionId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Of this tool.
    #[serde(
        default,
        alias = "toolName",
        alias = "tool",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub tool_name: Option<String>,
    /// Of this type.
    #[serde(
        default,
        alias = "eventType",
        alias = "type",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub event_type: Option<String>,
    /// Where to go on, as the last answer said.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// In which order; newest first where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub order: Option<Order>,
    /// How many at most.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
}
