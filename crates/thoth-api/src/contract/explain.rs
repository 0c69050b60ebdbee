//! `POST /v1/explain`: what happened, in words for the person in front of the agent.

use serde::{Deserialize, Serialize};
use thoth_types::Decision;

#[cfg(feature = "openapi")]
use super::openapi::DecisionWord;
use super::read::{list, text};
use super::verdict::{decision_word, score};

/// What is asked: the request, without its arguments, and the answer that it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExplainRequest))]
pub struct Request {
    /// The agent that calls.
    #[serde(alias = "agentId")]
    pub agent_id: String,
    /// The organisation.
    #[serde(alias = "tenantId")]
    pub tenant_id: String,
    /// The person behind the agent.
    #[serde(alias = "userId")]
    pub user_id: String,
    /// The agent's session.
    #[serde(alias = "sessionId")]
    pub session_id: String,
    /// The tool, by its exact name.
    #[serde(alias = "toolName")]
    pub tool_name: String,
    /// What the session is for.
    #[serde(default, alias = "sessionIntent", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_intent: Option<String>,
    /// `prod`, `staging` or `dev`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Names the chain of calls.
    #[serde(default, alias = "enforcementTraceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_trace_id: Option<String>,
    /// Names this very call.
    #[serde(
        default,
        alias = "actionAttestationId",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub action_attestation_id: Option<String>,
    /// What was decided.
    #[serde(default, with = "decision_word", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DecisionWord>))]
    pub decision: Option<Decision>,
    /// Why, as a stable code.
    #[serde(default, alias = "decisionReasonCode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision_reason_code: Option<String>,
    /// `read`, `write`, `execute`…
    #[serde(
        default,
        alias = "actionClassification",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub action_classification: Option<String>,
    /// Names the refusal.
    #[serde(default, alias = "violationId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub violation_id: Option<String>,
    /// Names the held call.
    #[serde(default, alias = "holdToken", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hold_token: Option<String>,
    /// How much harm is possible, 0 to 100.
    #[serde(default, alias = "riskScore", with = "score", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
    pub risk_score: Option<f64>,
    /// How long a held call can be answered.
    #[serde(default, alias = "stepUpTimeoutSeconds", skip_serializing_if = "Option::is_none")]
    pub step_up_timeout_seconds: Option<u64>,
    /// Regimes that the deciding rules serve.
    #[serde(default, alias = "regulatoryRegimes", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub regulatory_regimes: Vec<String>,
    /// The rules that matched.
    #[serde(default, alias = "matchedRuleIds", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub matched_rule_ids: Vec<String>,
    /// The controls that those rules serve.
    #[serde(default, alias = "matchedControlIds", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub matched_control_ids: Vec<String>,
    /// Where the rules stand.
    #[serde(default, alias = "policyReferences", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub policy_references: Vec<String>,
}

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// Names the refusal.
    #[serde(alias = "violationId")]
    pub violation_id: String,
    /// In one sentence.
    #[serde(alias = "whatHappened")]
    pub what_happened: String,
    /// In one sentence.
    #[serde(alias = "whyItWasBlocked")]
    pub why_it_was_blocked: String,
    /// In one sentence.
    #[serde(alias = "whatToDoNext")]
    pub what_to_do_next: String,
    /// In one sentence.
    #[serde(alias = "businessImpact")]
    pub business_impact: String,
    /// `low`, `medium`, `high` or `critical`; `unknown` where nobody says how risky it is.
    pub severity: String,
    /// The organisation.
    #[serde(default, alias = "tenantId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The agent's session.
    #[serde(default, alias = "sessionId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The agent.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The person behind the agent.
    #[serde(default, alias = "userId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The tool.
    #[serde(default, alias = "toolName", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Where a person can answer.
    #[serde(default, alias = "requestUrl", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub request_url: Option<String>,
    /// When, RFC 3339.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Regimes that are concerned.
    #[serde(default, alias = "regulatoryContext", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub regulatory_context: Option<String>,
    /// Why, as a stable code.
    #[serde(default, alias = "decisionReasonCode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision_reason_code: Option<String>,
    /// `read`, `write`, `execute`…
    #[serde(
        default,
        alias = "actionClassification",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub action_classification: Option<String>,
    /// How much harm is possible, 0 to 100.
    #[serde(default, alias = "riskScore", with = "score", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
    pub risk_score: Option<f64>,
}
