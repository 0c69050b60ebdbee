//! `GET /{tenant}/thoth/approvals`, `GET …/approvals/{token}` and `POST …/approvals/{token}/resolve`: held calls, and
//! people's answers.

use serde::{Deserialize, Serialize};

use super::read::{Json, list, text};
use super::verdict::score;
use super::words;

words! {
    /// Where a held call stands.
    State {
        /// Nobody has said yes or no, or not enough people have.
        Pending => "pending" | "waiting",
        /// The next call that it is bound to goes out.
        Approved => "approved" | "allowed",
        /// Somebody has said no.
        Denied => "denied" | "rejected",
        /// Its time ended before it was used.
        Expired => "expired",
        /// One call went out on it.
        Spent => "spent" | "used",
    }
}

words! {
    /// What a person says.
    Answer {
        /// Yes.
        Approve => "approve" | "approved" | "allow",
        /// No.
        Deny => "deny" | "denied" | "block" | "reject",
    }
}

/// One answer to a held call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ApprovalVote))]
pub struct Vote {
    /// Who, by the name of their key, the address of their login, or their account on a machine.
    pub by: String,
    /// Yes or no.
    pub answer: Answer,
    /// When, RFC 3339.
    pub at: String,
    /// Why, in their own words.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it was given: `api`, or on a machine `terminal`, `script`, `client`.
    pub channel: String,
}

/// One held call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Approval {
    /// Its token.
    #[serde(alias = "hold_token", alias = "holdToken")]
    pub id: String,
    /// Where it stands.
    pub status: State,
    /// What was called.
    #[serde(alias = "toolName")]
    pub tool_name: String,
    /// Who called.
    #[serde(default, alias = "agentId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// In which session.
    #[serde(default, alias = "sessionId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The person behind the agent.
    #[serde(default, alias = "userId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Why a person must agree.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same, as a stable code.
    #[serde(default, alias = "decisionReasonCode", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub decision_reason_code: Option<String>,
    /// The rule that asks.
    #[serde(default, alias = "matchedRuleIds", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub matched_rule_ids: Vec<String>,
    /// How much harm is possible, 0 to 100.
    #[serde(default, alias = "riskScore", with = "score", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 100))]
    pub risk_score: Option<f64>,
    /// The arguments, for people: it is what they agree to. A list leaves out those of more than 4 KiB.
    #[serde(default, alias = "toolArgs", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub tool_args: Option<Json>,
    /// How many bytes the arguments have, also where they are left out.
    #[serde(default, alias = "toolArgsBytes", skip_serializing_if = "Option::is_none")]
    pub tool_args_bytes: Option<u64>,
    /// Their digest, as in the ledger.
    #[serde(default, alias = "argumentsDigest", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub arguments_digest: Option<String>,
    /// How many people must agree.
    #[serde(default, alias = "approvalsRequired", skip_serializing_if = "Option::is_none")]
    pub approvals_required: Option<u32>,
    /// How many have.
    #[serde(default, alias = "approvalsGiven", skip_serializing_if = "Option::is_none")]
    pub approvals_given: Option<u32>,
    /// Since when it waits, RFC 3339.
    #[serde(default, alias = "createdAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Until when it can be answered or used, RFC 3339.
    #[serde(default, alias = "expiresAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Who answered last.
    #[serde(default, alias = "resolvedBy", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// When, RFC 3339.
    #[serde(default, alias = "resolvedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<String>,
    /// Every answer so far, in order. A list leaves them out.
    #[serde(default, deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// Which are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct Query {
    /// Only those that stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub status: Option<State>,
    /// Which page, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1))]
    pub page: Option<u32>,
    /// How many on a page.
    #[serde(default, alias = "perPage", alias = "limit", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 200))]
    pub per_page: Option<u32>,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resolve {
    /// Yes or no.
    pub decision: Answer,
    /// Why, for the record.
    #[serde(default, alias = "comment", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
