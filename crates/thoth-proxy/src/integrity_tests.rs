//! What is known of a server's definitions, through both directions of a session: what the client is shown, and which of
//! its requests go out.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::rehearsal::pair::Pair;

fn tool(name: &str, description: &str) -> Value {
    json!({"name": name, "description": description, "inputSchema": {"type": "object"}})
}

/// The names that the client is shown of one list.
fn listed(pair: &mut Pair, tools: &[Value]) -> Vec<String> {
    let answer = pair.trade("tools/list", &json!({}), &json!({"result": {"tools": tools}}));
    let tools = answer["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// Defends: a tool that could not be taken in while it was shown was never compared, and stays refused when it is called,
/// whatever the policy does about new tools and however well the store works by then.
#[test]
fn what_could_not_be_pinned_stays_refused() {
    for policy in ["", "integrity: {on_first_use: block}", "integrity: {on_change: allow}"] {
        let mut pair = Pair::under(policy);
        pair.pins.refuses.store(true, Ordering::Relaxed);
        assert_eq!(listed(&mut pair, &[tool("a", "Reads.")]), Vec::<String>::new(), "{policy}");
        pair.pins.refuses.store(false, Ordering::Relaxed);
        assert_eq!(pair.refusal("a").as_deref(), Some("integrity_unavailable"), "{policy}");
        pair.session.refresh();
        assert_eq!(pair.refusal("a").as_deref(), Some("integrity_unavailable"), "{policy}");
        // Listed again, it is compared.
        let shown = if policy.contains("block") { Vec::new() } else { vec!["a".to_owned()] };
        assert_eq!(listed(&mut pair, &[tool("a", "Reads.")]), shown, "{policy}");
        let refusal = policy.contains("block").then(|| "tool_not_approved".to_owned());
        assert_eq!(pair.refusal("a"), refusal, "{policy}");
    }
}
