//! Every decision that is in the ledger has a receipt that anyone with the tenant's public key can verify.

use std::collections::BTreeMap;

use thoth_audit::receipt::{arguments_sha256, opener_in, verify_receipt};

use super::*;

/// Defends: a receipt says what the answer says, about the call that was asked about, sealed by the tenant's own key; an
/// approved call has one of its own; and one that was changed does not verify.
#[tokio::test]
async fn receipts_say_what_was_decided() {
    let world = World::new(Rates::default());
    let policy = format!("{POLICY}tools: {{ often: {{ max_calls_per_minute: 1 }} }}\ninspect: {{ secrets: redact }}\n");
    std::fs::write(world.data.path().join("policy.yaml"), policy).unwrap();
    let key = world.key("acme", None, &[Permission::Execute], None);
    let admin = world.key("acme", None, &[Permission::Write], None);
    let secret = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
    let keys = world.data.path().join("tenants/acme/keys");
    let verified = |answer: &Value, arguments: &Value, outcome: &str| {
        let receipt = verify_receipt(answer.to_string().as_bytes(), &opener_in(&keys).unwrap()).unwrap();
        let said: BTreeMap<&str, &str> = receipt.members.iter().map(|(name, text)| (*name, &**text)).collect();
        assert_eq!((said["tenant_id"], said["agent_id"], said["outcome"]), ("acme", "bot", outcome), "{answer}");
        assert_eq!(answer["decision_reason_code"], said["decision_reason_code"], "{answer}");
        let digest = arguments_sha256(arguments.to_string().as_bytes()).unwrap();
        assert_eq!(said["arguments_sha256"], digest, "{answer}");
        let mut changed = answer.clone();
        changed["receipt"]["decision"]["outcome"] = json!("other");
        assert!(verify_receipt(changed.to_string().as_bytes(), &opener_in(&keys).unwrap()).is_err());
        said["decision_id"].to_owned()
    };
    let mut ids = std::collections::BTreeSet::new();
    let mut hold = String::new();
    for (tool, argument, outcome) in [
        ("read", "1", "allowed"),
        ("read", &secret, "allowed"),
        ("rm", "1", "blocked"),
        ("write", "1", "needs_approval"),
        ("often", "1", "allowed"),
        ("often", "1", "deferred"),
    ] {
        let mut question = question(tool);
        question["tool_args"] = json!({ "text": argument });
        question["action_attestation_id"] = json!("att_1");
        let answer = world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body;
        let used = answer.get("modified_tool_args").unwrap_or(&question["tool_args"]);
        assert!(ids.insert(verified(&answer, used, outcome)), "{answer}");
        assert_eq!(answer["receipt"]["action_attestation_id"], "att_1");
        assert_eq!(answer["receipt"].get("violation_id"), answer.get("violation_id"), "{answer}");
        assert!(!answer["receipt"].to_string().contains(&secret));
        hold = answer["hold_token"].as_str().map_or(hold, str::to_owned);
    }
    let poll = format!("/v1/enforce/hold/{hold}");
    let pending = world.ask("GET", &poll, Some(&key), Body::empty()).await.body;
    assert!(pending.get("receipt").is_none(), "nothing is decided yet: {pending}");
    let resolve = format!("/acme/thoth/approvals/{hold}/resolve");
    world.ask("POST", &resolve, Some(&admin), json!({ "decision": "approve" }).to_string()).await;
    let answer = world.ask("GET", &poll, Some(&key), Body::empty()).await.body;
    assert!(ids.insert(verified(&answer, &json!({ "text": "1" }), "allowed")), "{answer}");
    assert!(world.ask("GET", &poll, Some(&key), Body::empty()).await.body.get("receipt").is_none(), "said once");
}
