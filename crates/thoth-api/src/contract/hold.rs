//! `GET /v1/enforce/hold/{token}`: has anybody answered?

use serde::{Deserialize, Serialize};
use thoth_types::Decision;

#[cfg(feature = "openapi")]
use super::openapi::DecisionWord;
use super::read::{Extra, Json, list, text};
use super::verdict::{decision_word, score};

/// How long a poll may wait for news, in seconds.
pub const LONGEST_WAIT_SECONDS: u64 = 30;

/// How a poll is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct Poll {
    /// How long to wait for news, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
}

/// Where a held call stands. Made with [`Status::pending`] or [`Status::resolved`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = HoldStatus, description = "Where a held call stands."))]
pub struct Status {
    /// Whether it is settled; absent in answers of older servers, which look like decisions.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = bool, required = true))]
    resolved: Option<bool>,
    /// How it was settled.
    #[serde(default, with = "decision_word")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DecisionWord>, required = true))]
    resolution: Option<Decision>,
    /// What older servers answer instead.
    #[serde(default, with = "decision_word", skip_serializing)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    decision: Option<Decision>,
    /// The same, under its newer name.
    #[serde(default, alias = "authorizationDecision", with = "decision_word", skip_serializing)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    authorization_decision: Option<Decision>,
    /// Names it.
    #[serde(default, alias = "holdToken", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hold_token: Option<String>,
    /// What was called.
    #[serde(default, alias = "toolName", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Until when it can be answered or used, RFC 3339.
    #[serde(default, alias = "expiresAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Where a person can answer.
    #[serde(default, alias = "approvalUrl", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub approval_url: Option<String>,
    /// Why, for a person.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, as a stable code.
    #[serde(default, alias = "decisionReasonCode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision_reason_code: Option<String>,
    /// How much harm is possible, 0 to 100.
    #[serde(default, alias = "riskScore", with = "score", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
    pub risk_score: Option<f64>,
    /// Names a refusal.
    #[serde(default, alias = "violationId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub violation_id: Option<String>,
    /// As in the request that was held.
    #[serde(default, alias = "enforcementTraceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_trace_id: Option<String>,
    /// As in the request that was held.
    #[serde(
        default,
        alias = "actionAttestationId",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub action_attestation_id: Option<String>,
    /// The rules that matched.
    #[serde(default, alias = "matchedRuleIds", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub matched_rule_ids: Vec<String>,
    /// Where the rules stand.
    #[serde(default, alias = "policyReferences", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub policy_references: Vec<String>,
    /// For MODIFY: the arguments to call with instead.
    #[serde(default, alias = "modifiedToolArgs", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub modified_tool_args: Option<Json>,
    /// Why they were changed.
    #[serde(default, alias = "modificationReason", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub modification_reason: Option<String>,
    /// The server's signature of the decision, once there is one.
    #[serde(default, alias = "terminalReceipt", alias = "terminal_receipt", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub receipt: Extra,
}

/// What a status comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody has answered yet.
    Pending,
    /// It is settled.
    Resolved(Decision),
}

impl Status {
    /// Nobody has answered yet.
    #[must_use]
    pub fn pending() -> Self {
        Self { resolved: Some(false), ..Self::default() }
    }

    /// It is settled.
    #[must_use]
    pub fn resolved(resolution: Decision) -> Self {
        Self { resolved: Some(true), resolution: Some(resolution), ..Self::default() }
    }

    /// What it comes to. Settled without a word, or with one that settles nothing, is a refusal.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let settled = |word: Decision| match word {
            Decision::Allow | Decision::Modify => Outcome::Resolved(word),
            Decision::Block | Decision::StepUp | Decision::Defer => Outcome::Resolved(Decision::Block),
        };
        let word = self.decision.max(self.authorization_decision);
        match (self.resolved, word) {
            (Some(true), word) => settled(self.resolution.max(word).unwrap_or(Decision::Block)),
            // Whatever else it says: nobody has answered.
            (Some(false), _) | (None, None | Some(Decision::StepUp)) => Outcome::Pending,
            (None, Some(word)) => settled(word),
        }
    }
}
