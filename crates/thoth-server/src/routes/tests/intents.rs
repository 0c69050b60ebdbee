//! Session intents over HTTP: decided before everything that weighs or counts, and in every mode.

use super::*;

const INTENTS: &str = "version: \"1\"\ndefaults: { approval: auto }\n\
    rules: [{ name: no, match: { tool: rm }, approval: block }]\n\
    tools: { often: { max_calls_per_minute: 1 } }\n\
    inspect: { secrets: block }\n\
    scope:\n  approved: [read, write, often, rm]\n  intents:\n    triage: { tools: [read, rm] }\n\
    \x20   calendar: { tools: [read], otherwise: block }\n";

#[tokio::test]
async fn a_session_does_what_it_was_opened_for() {
    opened_for(Keeps::Folder).await;
}

#[tokio::test]
async fn a_session_does_what_it_was_opened_for_on_postgresql() {
    opened_for(Keeps::Postgres).await;
}

/// Defends: a tool that the session was not opened for asks, also where it is in the approved scope, or is blocked where the
/// policy says so; the intent's reason is the one that is told, whatever else would stand in the way.
async fn opened_for(keeps: Keeps) {
    let rates = Rates { governance: NonZeroU32::MAX, ..Rates::default() };
    let world = World::on(keeps, rates, INTENTS, Mode::Block, |server| server);
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    let secret = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
    let ask = async |tool: &str, intent: Option<&str>, argument: &str| {
        let mut question = question(tool);
        question["session_intent"] = json!(intent);
        question["session_id"] = json!(format!("{}.{tool}", intent.unwrap_or_default()));
        question["approved_scope"] = json!(["read", "write", "often", "rm"]);
        question["tool_args"] = json!({ "a": argument });
        world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body
    };
    let cases = [
        ("read", None, "x", "ALLOW", "default_auto"),
        ("write", None, "x", "ALLOW", "default_auto"),
        ("read", Some("triage"), "x", "ALLOW", "default_auto"),
        ("write", Some("triage"), "x", "STEP_UP", "intent_mismatch"),
        ("rm", Some("triage"), "x", "BLOCK", "rule_block"),
        // What would be found in the arguments is not looked for, or does not decide.
        ("write", Some("calendar"), &secret, "BLOCK", "intent_mismatch"),
        ("read", Some("calendar"), "x", "ALLOW", "default_auto"),
        ("write", Some("calendar"), "x", "BLOCK", "intent_mismatch"),
        // An intent that nobody knows is no leave.
        ("read", Some("unheard_of"), "x", "STEP_UP", "intent_mismatch"),
        ("rm", Some("calendar"), "x", "BLOCK", "intent_mismatch"),
        // Neither is a limit what is told.
        ("often", Some("calendar"), "x", "BLOCK", "intent_mismatch"),
        ("often", Some("calendar"), "x", "BLOCK", "intent_mismatch"),
    ];
    for (number, (tool, intent, argument, decision, reason)) in cases.into_iter().enumerate() {
        let body = ask(tool, intent, argument).await;
        assert_eq!(
            (&body["decision"], &body["decision_reason_code"]),
            (&json!(decision), &json!(reason)),
            "{number}: {body}"
        );
    }
    let told = ledger::indexed(&world, &reader, cases.len()).await;
    let reasons: Vec<&Value> =
        told["data"].as_array().unwrap().iter().map(|row| &row["decision_reason_code"]).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == "intent_mismatch").count(), 7, "{told}");
}
