//! A person whom the enforcer asks; other arguments; not now.

use serde_json::{Value, json};

use crate::decisions::{HERE, THERE};
use crate::fake::{Fake, Fault};
use crate::site::{Asking, Keeps, Session, Thothd, of_kind, refused, text};

fn there() -> String {
    format!(
        "{THERE}  - {{ name: ask_first, match: {{ tool: write_note }}, approval: approve, risk_level: high }}\n\
         tools: {{ list_notes: {{ max_calls_per_minute: 1 }} }}\ninspect: {{ secrets: redact }}\n"
    )
}

const ALL_HERE: &str = "version: \"1\"\ndefaults: { approval: auto, risk_level: low }\n";

fn note(text: &str) -> Value {
    json!({"name": "plan", "text": text})
}

/// The hold that a refusal names.
fn ticket(answer: &Value) -> String {
    assert_eq!(refused(answer), (-32002, "enforcer_step_up"), "{answer}");
    let data = &answer["error"]["data"];
    let token = data["hold_token"].as_str().unwrap().to_owned();
    assert_eq!(data["approval_url"], format!("https://approve.example/{token}"), "{data}");
    assert!(data["expires_at"].as_str().unwrap().ends_with('Z'), "{data}");
    assert!(answer["error"]["message"].as_str().unwrap().contains(&token), "{answer}");
    token
}

#[test]
fn an_approved_ticket_is_good_for_one_call() {
    ticketed(Keeps::Files);
}

/// Defends invariant 5: an approval up there lets one call through, whose arguments are the ones that were approved.
pub(crate) fn ticketed(keeps: Keeps) {
    let site = Thothd::start_on(keeps, &there());
    let asking = Asking::of(site.url(), site.agent_key()).flag("--approval=ticket");
    let mut session = Session::begin(HERE, &asking);
    let first = ticket(&session.call("write_note", &note("a")));
    assert_eq!(ticket(&session.call("write_note", &note("a"))), first, "nobody has answered");
    site.resolve(&first, "approve");
    assert_ne!(ticket(&session.call("write_note", &note("b"))), first, "another call is another hold");
    assert_eq!(text(&session.call("write_note", &note("a"))), "wrote plan");
    assert_ne!(ticket(&session.call("write_note", &note("a"))), first, "once");
    assert_eq!(session.ran("write_note"), 1);
    session.end();
}

#[test]
fn a_call_waits_for_an_answer_up_there() {
    waited(Keeps::Files);
}

/// Defends: a call that waits here goes out as soon as somebody agrees up there, and not if somebody does not; meanwhile
/// the client hears that it waits. A call that was cancelled goes nowhere.
pub(crate) fn waited(keeps: Keeps) {
    let site = Thothd::start_on(keeps, &there());
    let asking = Asking::of(site.url(), site.agent_key()).flag("--approval=inline");
    let mut session = Session::begin(HERE, &asking);
    for (decision, outcome) in [("approve", Some("wrote plan")), ("deny", None)] {
        let id = session.begin_call("write_note", &note(decision));
        let token = waits(&mut session);
        site.resolve(&token, decision);
        let answer = session.answer(id);
        match outcome {
            Some(outcome) => assert_eq!(text(&answer), outcome),
            None => assert_eq!(refused(&answer), (-32001, "enforcer_block"), "{answer}"),
        }
    }
    let id = session.begin_call("write_note", &note("cancelled"));
    waits(&mut session);
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    assert_eq!(text(&session.call("read_note", &json!({"name": "welcome"}))), "Welcome to the notes server.");
    assert_eq!(session.ran("write_note"), 1);
    let events = session.end();
    let pre = of_kind(&events, "TOOL_CALL_PRE");
    let (held, went) = (pre[0], pre[1]);
    assert_eq!((&held["decision"], &went["decision"]), (&json!("STEP_UP"), &json!("ALLOW")));
    assert_eq!(went["retryOf"], held["callId"], "{went}");
    assert_eq!(went["enforcerAttestationId"], held["callId"], "the enforcer knows it by its first id: {went}");
}

/// The hold that the client is told of while its call waits.
fn waits(session: &mut Session) -> String {
    loop {
        let line = session.line();
        let message = line["params"]["message"].as_str().unwrap_or_default();
        if let Some((_, token)) = message.split_once("at the enforcer: ") {
            return token.to_owned();
        }
    }
}

/// A wait that nobody ends becomes a ticket.
#[test]
fn a_wait_in_vain_becomes_a_ticket() {
    let site = Thothd::start(&there());
    let asking = Asking::of(site.url(), site.agent_key()).flag("--approval=inline").flag("--hold-timeout=1");
    let mut session = Session::begin(HERE, &asking);
    let token = ticket(&session.call("write_note", &note("a")));
    site.resolve(&token, "approve");
    assert_eq!(text(&session.call("write_note", &note("a"))), "wrote plan");
}

/// Defends: whoever approves at this machine approves for this machine. The enforcer hears of the call only then, and has
/// its own say.
#[test]
fn a_call_that_is_held_here_is_put_to_the_enforcer_once_it_is_approved() {
    let asks = format!("{ALL_HERE}rules:\n  - {{ name: ask, match: {{ tool: write_note }}, approval: approve }}\n");
    for (answer, code) in [(r#"{"decision":"ALLOW"}"#, None), (r#"{"decision":"BLOCK"}"#, Some("enforcer_block"))] {
        let fake = Fake::start(Fault::Says(200, "", answer));
        let asking = Asking::of(fake.url(), "k".to_owned()).flag("--approval=inline");
        let mut session = Session::begin(&asks, &asking);
        let id = session.begin_call("write_note", &note("a"));
        session.send(&json!({"jsonrpc": "2.0", "id": "ping", "method": "ping"}));
        session.approve_here();
        let answer = session.answer(id);
        match code {
            None => assert_eq!(text(&answer), "wrote plan"),
            Some(code) => assert_eq!(refused(&answer), (-32001, code)),
        }
        assert_eq!((fake.asked(), session.ran("write_note")), (1, usize::from(code.is_none())));
        let events = session.end();
        let held = of_kind(&events, "HOLD_CREATED")[0];
        assert!(held["enforcerAttestationId"].is_null(), "{held}");
        assert_eq!(of_kind(&events, "HOLD_SPENT").len(), usize::from(code.is_none()));
    }
}

/// Defends invariant 5: where a person here stands in for an enforcer that cannot be asked, one approval is one call.
#[test]
fn a_person_here_stands_in_for_an_enforcer_that_is_gone() {
    let fake = Fake::start(Fault::Closed);
    let asking = Asking::of(fake.url(), "k".to_owned())
        .var("THOTH_ENFORCER_FAILURE_DECISION", "step_up")
        .flag("--approval=inline");
    let mut session = Session::begin(ALL_HERE, &asking);
    let id = session.begin_call("write_note", &note("a"));
    session.approve_here();
    assert_eq!(text(&session.answer(id)), "wrote plan");
    let again = session.begin_call("write_note", &note("a"));
    session.approve_here();
    assert_eq!(text(&session.answer(again)), "wrote plan");
    let events = session.end();
    assert_eq!((of_kind(&events, "HOLD_CREATED").len(), of_kind(&events, "HOLD_SPENT").len()), (2, 2));
    assert_eq!(of_kind(&events, "HOLD_CREATED")[0]["reasonCode"], "enforcer_fallback_step_up");
}

/// Defends invariant 2: what goes out is what the enforcer made of the arguments, and nothing else of the message changes;
/// and the policy here judges that, too.
#[test]
fn changed_arguments_go_out_and_are_judged_here() {
    let site = Thothd::start(&there().replace("write_note", "never"));
    let secret = format!("the key is ghp_{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2).get(..36).unwrap());
    let allow_secrets = format!("{ALL_HERE}inspect: {{ secrets: allow }}\n");
    let mut session = Session::begin(&allow_secrets, &Asking::of(site.url(), site.agent_key()));
    assert_eq!(text(&session.call("write_note", &note(&secret))), "wrote plan");
    let kept = session.call("read_note", &json!({"name": "plan"}));
    assert!(!text(&kept).contains("ghp_") && text(&kept).starts_with("the key is "), "{kept}");
    let events = session.end();
    let pre = of_kind(&events, "TOOL_CALL_PRE")[0];
    assert_eq!((&pre["decision"], &pre["reasonCode"]), (&json!("MODIFY"), &json!("enforcer_modify")), "{pre}");
}

/// Defends invariant 5: other arguments are judged here like any; and those that cannot be arguments go nowhere.
#[test]
fn the_policy_here_judges_changed_arguments() {
    let here = format!(
        "{ALL_HERE}rules:\n  - name: not_this\n    match: {{ tool: read_note }}\n    approval: block\n    \
         conditions: {{ param_eq: {{ name: forbidden }} }}\n"
    );
    for (arguments, outcome) in [
        ("{\"name\":\n\t\"welcome\"}", None),
        (r#"{"name":"forbidden"}"#, Some("rule_block")),
        (r#"["welcome"]"#, Some("enforcer_answer_invalid")),
        (r#"{"name":"welcome","name":"other"}"#, Some("enforcer_answer_invalid")),
    ] {
        let answer = format!(r#"{{"decision":"MODIFY","modified_tool_args":{arguments}}}"#);
        let fake = Fake::start(Fault::Says(200, "", answer.leak()));
        let mut session = Session::begin(&here, &Asking::of(fake.url(), "k".to_owned()));
        let answer = session.call("read_note", &json!({"name": "else"}));
        match outcome {
            None => assert_eq!(text(&answer), "Welcome to the notes server."),
            Some(code) => assert_eq!(refused(&answer), (-32001, code), "{arguments}: {answer}"),
        }
        assert_eq!(session.ran("read_note"), usize::from(outcome.is_none()), "{arguments}");
    }
}

/// Defends what the enforcer is told: who, what, under which ids, and the arguments as they would go out; what the policy
/// here takes out of them leaves this machine in neither direction.
#[test]
fn what_the_enforcer_is_told() {
    let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2).get(..36).unwrap());
    let fake = Fake::start(Fault::Says(200, "", r#"{"decision":"ALLOW"}"#));
    let here = format!("{ALL_HERE}inspect: {{ secrets: redact }}\n");
    let asking = Asking::of(fake.url(), "k".to_owned())
        .var("THOTH_ENV", "staging")
        .var("THOTH_REQUIRE_NON_ROOT", "false")
        .flag("--session-intent=triage");
    let mut session = Session::begin(&here, &asking);
    session.call("read_note", &json!({"name": "welcome"}));
    assert_eq!(text(&session.call("write_note", &note(&secret))), "wrote plan");
    let asked = fake.question();
    assert!(!asked.to_string().contains(&secret), "{asked}");
    for (pointer, value) in [
        ("/agent_id", json!("bot")),
        ("/tenant_id", json!("acme")),
        ("/identity_binding/agent_id", json!("bot")),
        ("/tool_name", json!("write_note")),
        ("/tool_args/name", json!("plan")),
        ("/session_tool_calls", json!(["read_note", "write_note"])),
        ("/enforcement_mode", json!("block")),
        ("/environment", json!("staging")),
        ("/session_intent", json!("triage")),
        ("/metadata/mcp_server", json!("notes")),
    ] {
        assert_eq!(asked.pointer(pointer), Some(&value), "{pointer}: {asked}");
    }
    let events = session.end();
    let pre = of_kind(&events, "TOOL_CALL_PRE")[1];
    assert_eq!((&pre["decision"], &pre["callId"]), (&json!("MODIFY"), &asked["action_attestation_id"]), "{pre}");
    assert_eq!((&pre["traceId"], &pre["sessionId"]), (&asked["enforcement_trace_id"], &asked["session_id"]));
}

/// Defends: a limit up there is no refusal for good, and tells when to come back.
#[test]
fn not_now() {
    let site = Thothd::start(&there());
    let mut session = Session::begin(ALL_HERE, &Asking::of(site.url(), site.agent_key()));
    assert!(session.call("list_notes", &json!({}))["result"].is_object());
    let answer = session.call("list_notes", &json!({}));
    // Whether the enforcer is asked, or its policy is known here by now.
    let (code, reason) = refused(&answer);
    assert!(code == -32003 && ["enforcer_defer", "rate_limited"].contains(&reason), "{answer}");
    let wait = answer["error"]["data"]["retry_after_seconds"].as_u64().unwrap();
    assert!((1..=60).contains(&wait), "{answer}");
}
