//! A leaf of the ledger as the contract's event: everything but contents. Arguments and results stay on this machine, in
//! whatever form the ledger keeps them.

use serde_json::{Map, Value, json};
use thoth_api::contract::Extra;
use thoth_api::contract::event::Event;

/// Whose events are told.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    /// The organisation.
    pub(crate) tenant: String,
    /// The agent that the key is for.
    pub(crate) agent: String,
    /// The fleet that the machine says it belongs to.
    pub(crate) fleet: Option<String>,
}

/// Which leaf of which log it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf<'l> {
    /// A short name of the log.
    pub(crate) log: &'l str,
    /// Its place in it, from 0, for good.
    pub(crate) index: u64,
}

/// The event that a leaf tells of. Nothing where it is of another tenant or agent, or of none: that is not this enforcer's.
pub(crate) fn event(leaf: &[u8], at: Leaf<'_>, whose: &Whose) -> Option<Event> {
    let mut from: Map<String, Value> = serde_json::from_slice(leaf).ok()?;
    let mut text = |name: &str| match from.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (tenant_id, agent_id) = (text("tenantId")?, text("agentId")?);
    if tenant_id != whose.tenant || agent_id != whose.agent {
        return None;
    }
    let (session_id, event_type) = (text("sessionId")?, text("eventType")?);
    let (user_id, source_type, tool_name) = (text("userId"), text("sourceType"), text("toolName"));
    let (occurred_at, enforcement_mode, endpoint_id) =
        (text("occurredAt"), text("enforcementMode"), text("endpointId"));
    let violation_id = text("enforcerViolationId");
    let mut texts = |name: &str| match from.remove(name) {
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let (approved_scope, session_tool_calls) = (texts("approvedScope"), texts("sessionToolCalls"));
    let mut metadata = Map::from_iter([
        ("log_origin".to_owned(), json!(at.log)),
        ("leaf_index".to_owned(), json!(at.index)),
        ("telemetry_capture".to_owned(), json!("minimal")),
    ]);
    // The name by which every other client tells it.
    let trace = from.get("enforcerTraceId").cloned();
    metadata.extend(trace.map(|trace| ("enforcement_trace_id".to_owned(), trace)));
    let rest = from.into_iter().filter(|(name, _)| !name.starts_with("content"));
    metadata.extend(rest.map(|(name, value)| (snake(&name), value)));
    let content = event_type.to_lowercase().replace('_', " ");
    let fleet = whose.fleet.as_ref().map(|fleet| ("fleet_id".to_owned(), json!(fleet)));
    Some(Event {
        event_id: Some(format!("{}-{}", at.log, at.index)),
        tenant_id,
        session_id,
        agent_id: Some(agent_id),
        user_id,
        source_type,
        event_type,
        tool_name,
        occurred_at,
        enforcement_mode,
        approved_scope,
        session_tool_calls,
        violation_id,
        endpoint_id,
        content: Some(json!(content)),
        metadata: Extra(metadata),
        other: Extra(fleet.into_iter().collect()),
    })
}

/// `sessionToolCallCount` as `session_tool_call_count`, which is how the contract writes names.
fn snake(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: &str = r#"{"agentId":"bot","approvedScope":["a"],"argumentsDigest":"sha256:x","callId":"c",
        "content":"{\"key\":\"hunter2\"}","contentBytes":17,"contentMode":"full","contentRedactions":1,
        "endpointId":"laptop","enforcementMode":"block","eventId":"e","eventType":"TOOL_CALL_PRE",
        "findings":[{"code":"x"}],"occurredAt":"2026-01-01T00:00:00Z","riskScore":3,"sessionId":"s",
        "sessionToolCallCount":1,"sessionToolCalls":["read"],"sourceType":"agent_tool_call","tenantId":"acme",
        "toolName":"read","userId":"ada"}"#;

    fn whose(tenant: &str, agent: &str) -> Whose {
        Whose { tenant: tenant.to_owned(), agent: agent.to_owned(), fleet: None }
    }

    /// Defends invariant 7: an event tells all that a record has but its contents, under an id that only this leaf has.
    #[test]
    fn contents_stay_here() {
        let event = event(LEAF.as_bytes(), Leaf { log: "0a", index: 7 }, &whose("acme", "bot")).unwrap();
        let text = serde_json::to_value(&event).unwrap();
        assert!(!text.to_string().contains("hunter2"), "{text}");
        let expected = json!({
            "event_id": "0a-7", "tenant_id": "acme", "session_id": "s", "agent_id": "bot", "user_id": "ada",
            "source_type": "agent_tool_call", "event_type": "TOOL_CALL_PRE", "tool_name": "read",
            "occurred_at": "2026-01-01T00:00:00Z", "enforcement_mode": "block", "approved_scope": ["a"],
            "session_tool_calls": ["read"], "endpoint_id": "laptop", "content": "tool call pre",
            "metadata": {"log_origin": "0a", "leaf_index": 7, "telemetry_capture": "minimal", "arguments_digest": "sha256:x",
                "call_id": "c", "event_id": "e", "findings": [{"code": "x"}], "risk_score": 3, "session_tool_call_count": 1},
        });
        assert_eq!(text, expected);
    }

    /// A call about which the enforcer was asked is found by the id that the enforcer was told.
    #[test]
    fn events_have_the_trace_that_was_told() {
        let leaf = LEAF.replace(r#""eventId""#, r#""enforcerTraceId":"t-1","eventId""#);
        let event = event(leaf.as_bytes(), Leaf { log: "0a", index: 7 }, &whose("acme", "bot")).unwrap();
        for name in ["enforcement_trace_id", "enforcer_trace_id"] {
            assert_eq!(event.metadata.0.get(name), Some(&json!("t-1")), "{name}");
        }
    }

    /// What is of somebody else, or of nobody, is not told; nor what is no event.
    #[test]
    fn others_are_left_out() {
        for (leaf, tenant, agent) in [
            (LEAF, "other", "bot"),
            (LEAF, "acme", "other"),
            (r#"{"eventType":"LEDGER_RECOVERED","sessionId":"s"}"#, "acme", "bot"),
            (r#"{"agentId":"bot","tenantId":"acme","sessionId":"s"}"#, "acme", "bot"),
            ("[]", "acme", "bot"),
            ("{", "acme", "bot"),
        ] {
            assert!(event(leaf.as_bytes(), Leaf { log: "0a", index: 0 }, &whose(tenant, agent)).is_none(), "{leaf}");
        }
    }
}
