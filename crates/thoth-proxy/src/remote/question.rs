//! What the enforcer is asked.

use serde_json::{Map, Value, json};
use thoth_api::contract::enforce::Request;
use thoth_api::contract::{Extra, Json};
use thoth_gate::{Moment, Unasked};
use thoth_types::{AgentId, Caller, EndpointId, Requester, TenantId, UserId};

/// Writes questions for one session.
#[derive(Debug)]
pub(crate) struct Questioner {
    pub(crate) caller: Caller,
    pub(crate) requester: Requester,
    pub(crate) environment: &'static str,
    pub(crate) fleet: Option<String>,
}

impl Questioner {
    /// The question about a call. The arguments are those that would go out.
    pub(crate) fn ask(&self, unasked: &Unasked, now: Moment) -> Request {
        let Self { caller, requester, .. } = self;
        let agent_id = caller.agent.as_ref().map(AgentId::as_str).unwrap_or_default().to_owned();
        let tenant_id = caller.tenant.as_ref().map(TenantId::as_str).unwrap_or_default().to_owned();
        let user_id = caller.user.as_ref().map_or(&*requester.account, UserId::as_str).to_owned();
        let object = |members: &[(&str, &str)]| {
            let members = members.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
            Extra(members.collect::<Map<String, Value>>())
        };
        Request {
            identity_binding: object(&[("agent_id", &agent_id), ("tenant_id", &tenant_id), ("user_id", &user_id)]),
            agent_id,
            tenant_id,
            user_id,
            session_id: caller.session.as_str().to_owned(),
            tool_name: unasked.tool.to_string(),
            approved_scope: caller.approved_scope.clone(),
            enforcement_mode: caller.mode,
            session_tool_calls: unasked.session_tool_calls.iter().map(ToString::to_string).collect(),
            tool_args: Some(Json::new(String::from_utf8_lossy(&unasked.arguments).into_owned())),
            endpoint_id: caller.endpoint.as_ref().map(|id| EndpointId::as_str(id).to_owned()),
            fleet_id: self.fleet.clone(),
            session_intent: caller.intent.clone(),
            environment: Some(self.environment.to_owned()),
            enforcement_trace_id: Some(unasked.trace_id.to_string()),
            action_attestation_id: Some(unasked.call_id.to_string()),
            request_id: Some(unasked.call_id.to_string()),
            occurred_at: Some(now.wall.to_string()),
            purpose: None,
            data_classification: None,
            model_name: None,
            model_provider: None,
            model_artifact_id: None,
            model_artifact_version: None,
            task_context: Extra::default(),
            auth_context: Extra::default(),
            delegation_context: Extra::default(),
            metadata: object(&[("mcp_server", caller.server.as_str())]),
        }
    }
}
