//! `POST /v1/enforce`: may this agent call this tool with these arguments?

use serde::{Deserialize, Serialize};
use thoth_types::{Decision, Mode};

#[cfg(feature = "openapi")]
use super::openapi::{DecisionWord, ModeWord};
use super::read::{Extra, Json, list, text};
use super::verdict::{decision_word, mode_word, score};

/// The version of the envelope that is written here.
pub const ENVELOPE_VERSION: &str = "1";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EnforceRequest))]
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
    /// Tools that the client says this agent may use.
    #[serde(default, alias = "approvedScope", deserialize_with = "list")]
    pub approved_scope: Vec<String>,
    /// How the client wants violations answered; the strictest where it says nothing.
    #[serde(default = "mode_word::strictest", alias = "enforcementMode", with = "mode_word")]
    #[cfg_attr(feature = "openapi", schema(value_type = ModeWord))]
    pub enforcement_mode: Mode,
    /// The tools that the session has called, in order; clients append the one that is asked about.
    #[serde(default, alias = "sessionToolCalls", deserialize_with = "list")]
    pub session_tool_calls: Vec<String>,
    /// The arguments, an object.
    #[serde(default, alias = "toolArgs", alias = "arguments", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub tool_args: Option<Json>,
    /// The machine.
    #[serde(default, alias = "endpointId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The fleet that the machine belongs to.
    #[serde(default, alias = "fleetId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// What the session is for.
    #[serde(default, alias = "sessionIntent", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_intent: Option<String>,
    /// `prod`, `staging` or `dev`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Names the chain of calls; echoed in the answer.
    #[serde(default, alias = "enforcementTraceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_trace_id: Option<String>,
    /// Names this very call; echoed in the answer.
    #[serde(
        default,
        alias = "actionAttestationId",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub action_attestation_id: Option<String>,
    /// Names the request.
    #[serde(default, alias = "requestId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When the client asked, RFC 3339.
    #[serde(default, alias = "occurredAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// Why.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// How sensitive the data is.
    #[serde(default, alias = "dataClassification", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub data_classification: Option<String>,
    /// The model behind the agent.
    #[serde(default, alias = "modelName", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// Who runs the model.
    #[serde(default, alias = "modelProvider", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model_provider: Option<String>,
    /// Which build of the model.
    #[serde(default, alias = "modelArtifactId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model_artifact_id: Option<String>,
    /// That build's version.
    #[serde(
        default,
        alias = "modelArtifactVersion",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub model_artifact_version: Option<String>,
    /// Who the client says it is: `agent_id`, `tenant_id`, `user_id` and more.
    #[serde(default, alias = "identityBinding", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub identity_binding: Extra,
    /// The task that the call is part of.
    #[serde(default, alias = "taskContext", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub task_context: Extra,
    /// How the caller was authenticated.
    #[serde(default, alias = "authContext", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub auth_context: Extra,
    /// On whose behalf.
    #[serde(default, alias = "delegationContext", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub delegation_context: Extra,
    /// Whatever else.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Extra,
}

/// What is answered. Made with [`Envelope::of`], so that both words for the decision agree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(description = "What is answered."))]
pub struct Envelope {
    /// The word that older clients read.
    #[serde(default, with = "decision_word", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = DecisionWord, required = true))]
    decision: Option<Decision>,
    /// The same word, under its newer name.
    #[serde(default, alias = "authorizationDecision", with = "decision_word", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = DecisionWord, required = true))]
    authorization_decision: Option<Decision>,
    /// The version of this shape.
    #[serde(
        default,
        alias = "decisionEnvelopeVersion",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = true))]
    pub decision_envelope_version: Option<String>,
    /// Why, as a stable code.
    #[serde(default, alias = "decisionReasonCode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision_reason_code: Option<String>,
    /// Why, for a person.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    /// How long the decision took.
    #[serde(default, alias = "latencyMs", skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// As asked.
    #[serde(default, alias = "enforcementTraceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub enforcement_trace_id: Option<String>,
    /// As asked, or made here.
    #[serde(
        default,
        alias = "actionAttestationId",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub action_attestation_id: Option<String>,
    /// Names a refusal.
    #[serde(default, alias = "violationId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub violation_id: Option<String>,
    /// Names a held call.
    #[serde(default, alias = "holdToken", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hold_token: Option<String>,
    /// Where a person can answer.
    #[serde(default, alias = "approvalUrl", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub approval_url: Option<String>,
    /// Until when, RFC 3339.
    #[serde(default, alias = "expiresAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How long a held call can be answered.
    #[serde(default, alias = "stepUpTimeoutSeconds", skip_serializing_if = "Option::is_none")]
    pub step_up_timeout_seconds: Option<u64>,
    /// For MODIFY: the arguments to call with instead.
    #[serde(default, alias = "modifiedToolArgs", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub modified_tool_args: Option<Json>,
    /// Why they were changed.
    #[serde(default, alias = "modificationReason", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub modification_reason: Option<String>,
    /// For DEFER: why not now.
    #[serde(default, alias = "deferReason", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub defer_reason: Option<String>,
    /// When to come back.
    #[serde(default, alias = "deferTimeoutSeconds", skip_serializing_if = "Option::is_none")]
    pub defer_timeout_seconds: Option<u64>,
    /// The policy that decided.
    #[serde(default, alias = "packId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub pack_id: Option<String>,
    /// Its version.
    #[serde(default, alias = "packVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub pack_version: Option<String>,
    /// The deciding rule's version.
    #[serde(default, alias = "ruleVersion", skip_serializing_if = "Option::is_none")]
    pub rule_version: Option<i64>,
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
    /// What scored it.
    #[serde(default, alias = "modelSignals", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub model_signals: Vec<String>,
    /// Parts of the score.
    #[serde(default, alias = "scoreComponents", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub score_components: Extra,
    /// What the decision rests on.
    #[serde(default, alias = "decisionEvidence", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub decision_evidence: Extra,
    /// The server's signature of the decision.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub receipt: Extra,
    /// The server's signature of the outcome.
    #[serde(default, alias = "terminalReceipt", skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub terminal_receipt: Extra,
    /// Whatever else.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Extra,
}

/// An answer to another question than the one that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is for another call: its `{field}` is not the one that was sent")]
pub struct Mismatch {
    /// Which id differs.
    pub field: &'static str,
}

impl Mismatch {
    /// The reason code for it, as published clients give it.
    #[must_use]
    pub fn code(&self) -> String {
        format!("{}_mismatch", self.field)
    }
}

impl Envelope {
    /// An answer with this decision and nothing else.
    #[must_use]
    pub fn of(decision: Decision) -> Self {
        Self {
            decision: Some(decision),
            authorization_decision: Some(decision),
            decision_envelope_version: Some(ENVELOPE_VERSION.to_owned()),
            ..Self::default()
        }
    }

    /// What was decided: of two words that differ the stricter, and without any a refusal.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.decision.max(self.authorization_decision).unwrap_or(Decision::Block)
    }

    /// What the decision rests on, wherever it stands.
    #[must_use]
    pub fn evidence(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        let own = Some(&self.decision_evidence.0).filter(|evidence| !evidence.is_empty());
        own.or_else(|| self.metadata.0.get("decision_evidence").and_then(serde_json::Value::as_object))
    }

    /// Whether this answers `request`: what it echoes must be what was sent.
    ///
    /// # Errors
    /// Names the id that differs.
    pub fn answers(&self, request: &Request) -> Result<(), Mismatch> {
        let differs = |sent: &Option<String>, came: &Option<String>| sent.is_some() && came.is_some() && sent != came;
        if differs(&request.action_attestation_id, &self.action_attestation_id) {
            return Err(Mismatch { field: "action_attestation_id" });
        }
        if differs(&request.enforcement_trace_id, &self.enforcement_trace_id) {
            return Err(Mismatch { field: "enforcement_trace_id" });
        }
        Ok(())
    }
}
