//! Both must admit: the policy here, and the enforcer.

use serde_json::json;

use crate::site::{Asking, Keeps, Session, Thothd, eventually, of_kind, refused, text};

/// The enforcer's policy.
pub(crate) const THERE: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
approvals: { approvers: [local_user], ttl: 15m, url: "https://approve.example/{hold}" }
rules:
  - { name: no_deleting, match: { tool: "delete*" }, approval: block, risk_level: critical }
"#;
/// The sidecar's.
pub(crate) const HERE: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
rules:
  - { name: no_listing, match: { tool: list_notes }, approval: block, risk_level: high }
"#;

/// An enforcer's policy under which only the enforcer can say what becomes of deletions: a softer mode might soften that.
const SOFT: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
gateway: { allowed_tools: ["[!d]*"] }
"#;

#[test]
fn both_must_admit() {
    both(Keeps::Files);
}

/// Defends invariants 1, 3 and 5: a call goes out if both admit it, and not if either refuses; each answer and each record
/// says who decided, under the ids that the enforcer was told.
pub(crate) fn both(keeps: Keeps) {
    let site = Thothd::start_on(keeps, SOFT);
    let asking = Asking::of(site.url(), site.agent_key()).flag("--enforcement-mode=step_up");
    let mut session = Session::begin(HERE, &asking);
    assert_eq!(text(&session.call("read_note", &json!({"name": "welcome"}))), "Welcome to the notes server.");

    let blocked = session.call("delete_note", &json!({"name": "welcome"}));
    assert_eq!(refused(&blocked), (-32001, "enforcer_block"));
    let data = &blocked["error"]["data"];
    assert_eq!(
        (&data["authorization_decision"], &data["decision_reason_code"]),
        (&json!("BLOCK"), &json!("tool_not_in_scope"))
    );
    assert_eq!((&data["risk_score"], &data["decision"]), (&json!(62), &json!("BLOCK")), "{data}");
    assert!(data["violation_id"].as_str().unwrap().starts_with("vio_"), "{data}");
    assert!(data["reason"].as_str().unwrap().contains("not on the allow list"), "{data}");
    let (attestation, trace) = (data["action_attestation_id"].clone(), data["enforcement_trace_id"].clone());

    assert_eq!(refused(&session.call("list_notes", &json!({}))), (-32001, "rule_block"));
    assert_eq!((session.ran("read_note"), session.ran("delete_note"), session.ran("list_notes")), (1, 0, 0));

    let events = session.end();
    let admitted = of_kind(&events, "TOOL_CALL_PRE")[0];
    assert_eq!((&admitted["decision"], &admitted["enforcerDecision"]), (&json!("ALLOW"), &json!("ALLOW")));
    assert_eq!(admitted["enforcerAttestationId"], admitted["callId"], "{admitted}");
    let block = of_kind(&events, "TOOL_CALL_BLOCK")[0];
    assert_eq!((&block["enforcerDecision"], &block["reasonCode"]), (&json!("BLOCK"), &json!("enforcer_block")));
    assert_eq!((&block["callId"], &block["enforcerTraceId"]), (&attestation, &trace), "{block}");
    let here = of_kind(&events, "TOOL_CALL_BLOCK")[1];
    assert!(here["enforcerAttestationId"].is_null(), "what is refused here is nobody else's business: {here}");
}

/// Defends: a key for a fleet decides for the machines of that fleet, and for no others.
#[test]
fn a_key_for_a_fleet_decides_for_its_machines() {
    let site = Thothd::start(SOFT);
    let key = site.key(&["--fleet-id", "eu", "--permission", "execute"]);
    for (fleet, ran) in [(Some("eu"), 1), (Some("us"), 0), (None, 0)] {
        let asking = Asking::of(site.url(), key.clone());
        let asking = fleet.into_iter().fold(asking, |asking, fleet| asking.var("THOTH_FLEET_ID", fleet));
        let mut session = Session::begin(HERE, &asking);
        let answer = session.call("read_note", &json!({"name": "welcome"}));
        assert_eq!(session.ran("read_note"), ran, "{fleet:?}: {answer}");
    }
}

#[test]
fn an_enforcer_is_killed_and_comes_back() {
    killed(Keeps::Files);
}

/// Defends invariant 5: an enforcer that is killed while calls are under way loses none of them: each is answered by the
/// enforcer or as the operator says, and once it is back it decides again.
pub(crate) fn killed(keeps: Keeps) {
    let welcome = json!({"name": "welcome"});
    for (decision, code) in [
        ("block", Some((-32001, "enforcer_fallback_block"))),
        ("step_up", Some((-32002, "enforcer_fallback_step_up"))),
        ("allow", None),
    ] {
        let mut site = Thothd::start_on(keeps, SOFT);
        let asking = Asking::of(site.url(), site.agent_key())
            .var("THOTH_ENV", "dev")
            .var("THOTH_ENFORCER_FAILURE_DECISION", decision)
            .flag("--approval=ticket")
            .flag("--enforcement-mode=step_up");
        let mut session = Session::begin(HERE, &asking);
        assert_eq!(text(&session.call("read_note", &welcome)), "Welcome to the notes server.");
        let under_way: Vec<u64> = (0..30).map(|_| session.begin_call("read_note", &welcome)).collect();
        site.kill();
        let mut answers: Vec<_> = under_way.into_iter().map(|id| session.answer(id)).collect();
        answers.extend((0..6).map(|_| session.call("read_note", &welcome)));
        let (ran, fell_back): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer["result"].is_object());
        assert!(fell_back.iter().all(|answer| Some(refused(answer)) == code), "{decision}: {fell_back:?}");
        assert!(code.is_none() || fell_back.len() >= 6, "{decision}");
        assert_eq!(session.ran("read_note"), 1 + ran.len(), "{decision}");
        if decision == "allow" {
            assert!(session.call("delete_note", &json!({"name": "nothing"}))["error"]["data"].is_null(), "it ran");
        }
        site.again();
        eventually("it decides again", || {
            let answer = session.call("delete_note", &json!({"name": "nothing"}));
            answer["error"]["data"]["reason_code"] == "enforcer_block"
        });
        assert_eq!(text(&session.call("read_note", &welcome)), "Welcome to the notes server.");
        let events = session.end();
        let recorded = of_kind(&events, "TOOL_CALL_PRE");
        let fallback = format!("enforcer_fallback_{decision}");
        let recorded = recorded.iter().filter(|event| event["reasonCode"] == *fallback).count();
        assert!(recorded >= 6, "{decision}: each is recorded");
    }
}
