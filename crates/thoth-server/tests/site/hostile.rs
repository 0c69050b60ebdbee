//! Requests with which a client tries to get something of its own into what a server says of itself.

use serde_json::json;

/// Stands in everything that a client can choose.
pub(crate) const SECRET: &str = "hunter2";

/// One request.
pub(crate) struct Hostile {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) key: String,
    pub(crate) body: String,
}

/// All ways in which a client can put something of its own into a request, beside a call that is decided.
pub(crate) fn requests(key: &str) -> Vec<Hostile> {
    let bad_key = format!("thoth_live_{SECRET}");
    let event = json!({ "events": [{ "tenant_id": "acme", "session_id": SECRET, "event_type": SECRET,
                                     "content": SECRET, "agent_id": SECRET, "tool_name": SECRET }] });
    let requests = [
        ("POST", "/v1/enforce", &*bad_key, "{}"),
        ("POST", "/v1/enforce", key, "{\"hunter2\": hunter2"),
        ("POST", "/v1/enforce?hunter2=hunter2", key, "{\"tool_name\":\"hunter2\"}"),
        ("GET", "/v1/enforce/hold/hunter2?wait=hunter2", key, ""),
        ("GET", "/hunter2/thoth/approvals/hunter2", key, ""),
        ("GET", "/hunter2", key, ""),
        ("GET", "/%ff%fehunter2", key, ""),
        ("HUNTER2hunter2", "/v1/enforce", key, ""),
        ("POST", "/v1/explain", key, "{\"violation_id\":\"hunter2\",\"tool_name\":\"hunter2\"}"),
        ("POST", "/v1/events/batch", key, &*event.to_string()),
        ("POST", "/v1/endpoints/register", key, "{\"endpoint_id\":\"hunter2\",\"hostname\":\"hunter2\"}"),
    ];
    let owned = |(method, path, key, body): (_, _, &str, &str)| Hostile {
        method,
        path,
        key: key.to_owned(),
        body: body.to_owned(),
    };
    requests.map(owned).into()
}
