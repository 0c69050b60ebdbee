//! `GET /{tenant}/thoth/decisions` and `…/violations`: what a server has decided, as its ledger says.

use serde::{Deserialize, Serialize};
use thoth_types::Decision as Verdict;

use super::read::{Extra, text};
use super::verdict::decision_word;
use super::words;

words! {
    /// What became of a call.
    Outcome {
        /// It may run.
        Allowed => "allowed" | "allow",
        /// A person must agree first.
        NeedsApproval => "needs_approval" | "held",
        /// It is refused.
        Blocked => "blocked" | "denied",
        /// It is put off.
        Deferred => "deferred",
    }
}

impl Outcome {
    /// What becomes of a call that is decided so.
    #[must_use]
    pub const fn of(decision: Verdict) -> Self {
        match decision {
            Verdict::Allow | Verdict::Modify => Self::Allowed,
            Verdict::StepUp => Self::NeedsApproval,
            Verdict::Block => Self::Blocked,
            Verdict::Defer => Self::Deferred,
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DecisionRecord))]
pub struct Decision {
    /// Its place in the tenant's ledger, from 0.
    pub index: u64,
    /// When, RFC 3339.
    #[serde(alias = "occurredAt")]
    pub occurred_at: String,
    /// The agent.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The person behind the agent.
    #[serde(default, alias = "userId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The agent's session.
    #[serde(alias = "sessionId")]
    pub session_id: String,
    /// The machine.
    #[serde(default, alias = "endpointId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The tool.
    #[serde(alias = "toolName")]
    pub tool_name: String,
    /// What was answered.
    #[serde(with = "decision_word")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::openapi::DecisionWord))]
    pub decision: Option<Verdict>,
    /// What that means for the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why, as a stable code.
    #[serde(alias = "decisionReasonCode", alias = "reason_code", alias = "reasonCode")]
    pub decision_reason_code: String,
    /// Why, in words.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rule that decided.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How much harm was thought possible, 0 to 100.
    #[serde(default, alias = "riskScore")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub risk_score: i64,
    /// How violations were answered.
    #[serde(default, alias = "enforcementMode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_mode: Option<String>,
    /// The digest of the policy.
    #[serde(default, alias = "policyDigest", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// Names the call in the ledger and in receipts.
    #[serde(default, alias = "decisionId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<String>,
    /// Names it, if it refused or held a call.
    #[serde(default, alias = "violationId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub violation_id: Option<String>,
    /// What whoever asked for it calls it, as far as it is kept: the first 256 bytes.
    #[serde(default, alias = "enforcementTraceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_trace_id: Option<String>,
}

/// One violation, with its record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Violation {
    /// What it is.
    pub violation: Decision,
    /// The record of the ledger, as the ledger's documentation describes it. Arguments are in it as far as contents are kept.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, serde_json::Value>))]
    pub event: Extra,
    /// The hash by which the tree has it, in hexadecimal digits.
    #[serde(alias = "leafHash")]
    pub leaf_hash: String,
}

/// Which decisions are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct Query {
    /// Of this agent.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Of this session.
    #[serde(default, alias = "sessionId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Of this person.
    #[serde(default, alias = "userId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// About this tool.
    #[serde(
        default,
        alias = "toolName",
        alias = "tool",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub tool_name: Option<String>,
    /// Answered so: `ALLOW`, `BLOCK`, `STEP_UP`, `MODIFY`, `DEFER`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Whose call may run, waits for a person, is refused or put off by that. What people answer later changes nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub outcome: Option<Outcome>,
    /// For this reason, a stable code.
    #[serde(
        default,
        alias = "reasonCode",
        alias = "decision_reason_code",
        alias = "decisionReasonCode",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub reason_code: Option<String>,
    /// By this rule.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Called so by whoever asked for it.
    #[serde(default, alias = "enforcementTraceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_trace_id: Option<String>,
    /// Not before this instant, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Not after this instant, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where to go on, as the last answer said.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// In which order; newest first where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub order: Option<super::event::Order>,
    /// How many at most.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
}
