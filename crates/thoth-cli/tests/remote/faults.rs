//! What is wrong with an enforcer, and what comes of it.

use serde_json::json;

use crate::decisions::HERE;
use crate::fake::{Fake, Fault};
use crate::site::{Asking, Session, of_kind, refused};

/// What a call comes to.
const BLOCKED: i64 = -32001;
const ASKED: i64 = -32002;
const DEFERRED: i64 = -32003;

/// Nothing is wrong with it.
const ANSWERS: Fault = Fault::Says(200, "", r#"{"decision":"ALLOW"}"#);

/// What is said by a fake with this fault is waited for; where nothing comes, that is known soon.
fn asking((fake, fault): (&Fake, Fault), decision: &str) -> Asking {
    let patience = match fault {
        Fault::Silent | Fault::Dripping | Fault::Unreachable => "1",
        // It answers once, which takes as long as it takes, and then never again.
        Fault::Vanishes => "5",
        _ => "60",
    };
    Asking::of(fake.url(), "thoth_live_sesame".to_owned())
        .var("THOTH_ENV", "dev")
        .var("THOTH_ENFORCER_FAILURE_DECISION", decision)
        .var("THOTH_ENFORCER_TIMEOUT_SECONDS", patience)
        .flag("--approval=ticket")
}

/// Defends invariant 5: only where nobody answers is it for the operator to say what comes of it; an answer that cannot be
/// used refuses the call, whatever the operator says. Nothing hangs, and every fallback is in the ledger under its name.
#[test]
fn faults_and_failure_decisions() {
    const HTML: &str = "<html>Please log in</html>";
    let outages = [
        Fault::Closed,
        Fault::Unreachable,
        Fault::Silent,
        Fault::Dripping,
        Fault::Cut,
        Fault::Noise,
        Fault::Says(500, "", r#"{"decision":"ALLOW"}"#),
        Fault::Says(503, "", HTML),
        Fault::Says(503, "retry-after: 60\r\n", ""),
    ];
    let fallbacks = [
        ("block", Some((BLOCKED, "enforcer_fallback_block"))),
        ("step_up", Some((ASKED, "enforcer_fallback_step_up"))),
        ("allow", None),
    ];
    let answers = [
        (Fault::Says(200, "", HTML), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(200, "", ""), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(200, "", "{}"), BLOCKED, "enforcer_block"),
        (Fault::Says(200, "", r#"{"decision":"PROCEED"}"#), BLOCKED, "enforcer_block"),
        (Fault::Says(200, "", r#"{"decision":"ALLOW","authorization_decision":"DENY"}"#), BLOCKED, "enforcer_block"),
        (Fault::Says(200, "", r#"{"decision":"ALLOW","decision":"ALLOW"}"#), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(200, "", r#"{"decision":"MODIFY"}"#), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(200, "", r#"{"decision":"MODIFY","modified_tool_args":7}"#), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(200, "", r#"{"decision":"STEP_UP"}"#), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(200, "", r#"{"decision":"DEFER"}"#), DEFERRED, "enforcer_defer"),
        (Fault::Says(302, "location: https://elsewhere.example/\r\n", ""), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(401, "", r#"{"error":{"code":"unauthorized"}}"#), BLOCKED, "enforcer_refused"),
        (Fault::Says(402, "", r#"{"error":{"type":"billing_error","code":"past_due"}}"#), BLOCKED, "enforcer_refused"),
        (Fault::Says(403, "", HTML), BLOCKED, "enforcer_refused"),
        (Fault::Says(404, "", ""), BLOCKED, "enforcer_answer_invalid"),
        (Fault::Says(429, "retry-after: 7\r\n", ""), DEFERRED, "enforcer_defer"),
        (Fault::Echoes("action_attestation_id"), BLOCKED, "action_attestation_id_mismatch"),
        (Fault::Echoes("enforcement_trace_id"), BLOCKED, "enforcement_trace_id_mismatch"),
    ];
    let mut table = Vec::new();
    for (decision, fallback) in fallbacks {
        table.extend(outages.map(|fault| (fault, decision, fallback)));
        table.extend(answers.map(|(fault, code, reason)| (fault, decision, Some((code, reason)))));
    }
    std::thread::scope(|scope| {
        for part in table.chunks(table.len().div_ceil(4)) {
            scope.spawn(move || part.iter().for_each(|row| one_fault(*row)));
        }
    });
}

fn one_fault((fault, decision, expected): (Fault, &str, Option<(i64, &str)>)) {
    let fake = Fake::start(fault);
    let mut session = Session::begin(HERE, &asking((&fake, fault), decision));
    let answer = session.call("read_note", &json!({"name": "welcome"}));
    match expected {
        Some(expected) => assert_eq!(refused(&answer), expected, "{fault:?} {decision}: {answer}"),
        None => assert!(answer["result"].is_object(), "{fault:?} {decision}: {answer}"),
    }
    assert_eq!(session.ran("read_note"), usize::from(expected.is_none()), "{fault:?} {decision}");
    let said = answer.to_string();
    assert!(!said.contains("sesame") && !said.contains("log in"), "{said}");
    let events = session.end();
    let recorded = of_kind(&events, "TOOL_CALL_PRE");
    let code = expected.map_or("enforcer_fallback_allow", |(_, code)| code);
    assert_eq!(recorded.len(), 1, "{fault:?} {decision}");
    assert_eq!(recorded[0]["reasonCode"], code, "{fault:?} {decision}");
}

/// Defends invariant 5: an enforcer that vanishes behind a connection that looks open is an outage like any other.
#[test]
fn a_connection_that_looks_open_is_not_waited_for() {
    const CALLS: usize = 12;
    for (decision, outcome) in [("block", Some((BLOCKED, "enforcer_fallback_block"))), ("allow", None)] {
        let fake = Fake::start(Fault::Vanishes);
        let mut session = Session::begin(HERE, &asking((&fake, Fault::Vanishes), decision));
        assert!(session.call("read_note", &json!({"name": "welcome"}))["result"].is_object());
        for _ in 0..CALLS {
            let answer = session.call("read_note", &json!({"name": "welcome"}));
            match outcome {
                Some(outcome) => assert_eq!(refused(&answer), outcome, "{answer}"),
                None => assert!(answer["result"].is_object(), "{answer}"),
            }
        }
        assert_eq!(session.ran("read_note"), if outcome.is_some() { 1 } else { 1 + CALLS });
        // One answer, three that do not come, and one more after each pause, if the other calls take that long.
        assert!((2..8).contains(&fake.asked()), "it is not asked for ever: {}", fake.asked());
        let events = session.end();
        let code = outcome.map_or("enforcer_fallback_allow", |(_, code)| code);
        let fallbacks = of_kind(&events, "TOOL_CALL_PRE");
        assert_eq!(fallbacks.iter().filter(|event| event["reasonCode"] == code).count(), CALLS, "{decision}");
    }
}

/// Defends the time of calls in an outage: the first ones wait, and the others do not ask at all.
#[test]
fn an_outage_costs_the_first_calls_only() {
    let fake = Fake::start(Fault::Silent);
    let mut session = Session::begin(HERE, &asking((&fake, Fault::Silent), "block"));
    for _ in 0..40 {
        let answer = session.call("read_note", &json!({"name": "welcome"}));
        assert_eq!(refused(&answer), (BLOCKED, "enforcer_fallback_block"));
    }
    assert!((3..20).contains(&fake.asked()), "{}", fake.asked());
}

/// Defends the session: while the enforcer is silent other messages pass, a call that is cancelled is not answered, and
/// what exceeds the room is refused at once with a reason.
#[test]
fn a_silent_enforcer_holds_up_calls_only() {
    let fake = Fake::start(Fault::Silent);
    let asking = asking((&fake, Fault::Silent), "allow").var("THOTH_ENFORCER_TIMEOUT_SECONDS", "600");
    let mut session = Session::begin(HERE, &asking);
    let first = session.begin_call("read_note", &json!({"name": "welcome"}));
    session.send(&json!({"jsonrpc": "2.0", "id": "ping", "method": "ping"}));
    assert_eq!(session.line()["id"], "ping", "it overtakes the call");
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": first}}));
    for _ in 0..64 {
        session.begin_call("read_note", &json!({"name": "welcome"}));
    }
    let refusal = session.call("read_note", &json!({"name": "welcome"}));
    assert_eq!(refused(&refusal), (BLOCKED, "enforcer_busy"));
    assert_eq!(session.ran("read_note"), 0);
}

/// Defends invariant 5: calls in a batch cannot be put to the enforcer one by one, and go nowhere.
#[test]
fn a_batch_goes_nowhere_unasked() {
    let fake = Fake::start(ANSWERS);
    let mut session = Session::begin_in("2025-03-26", HERE, &asking((&fake, ANSWERS), "allow"));
    let call = |id: u64| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": "read_note", "arguments": {"name": "welcome"}}})
    };
    session.send(&json!([call(7), call(8)]));
    let answers = session.line();
    for answer in answers.as_array().unwrap() {
        assert_eq!(refused(answer).0, BLOCKED, "{answers}");
    }
    assert_eq!(answers[0]["error"]["data"]["reason_code"], "enforcer_not_asked", "{answers}");
    assert_eq!((session.ran("read_note"), fake.asked()), (0, 0));
}

/// Whoever sends a call and closes wants it made: the decision is waited for.
#[test]
fn a_call_right_before_the_end_is_decided() {
    let fake = Fake::start(ANSWERS);
    let mut session = Session::begin(HERE, &asking((&fake, ANSWERS), "block"));
    let id = session.begin_call("read_note", &json!({"name": "welcome"}));
    session.close();
    assert!(session.answer(id)["result"].is_object());
    session.end();
}

/// Defends: a session that should ask and cannot does not begin.
#[test]
fn what_is_missing_stops_the_start() {
    for (words, key, told) in [
        (&["--agent-id", "bot"][..], "k", "no tenant"),
        (&["--tenant-id", "acme"], "k", "no agent"),
        (&["--tenant-id", "acme", "--agent-id", "bot"], "", "no usable key"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_thoth"))
            .args(["run", "--enforcer-url", "http://127.0.0.1:1"])
            .args(words)
            .args(["--", "true"])
            .env("THOTH_HOME", home.path().join("home"))
            .env("THOTH_API_KEY", key)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(told), "{said}");
    }
}

/// The check-up says whether anybody answers where calls are put to.
#[test]
fn doctor_looks_for_the_enforcer() {
    for (fault, told) in [(Fault::Silent, "takes connections; calls are put to it"), (Fault::Closed, "nobody answers")]
    {
        let fake = Fake::start(fault);
        let home = tempfile::tempdir().unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_thoth"))
            .arg("doctor")
            .env("THOTH_HOME", home.path().join("home"))
            .env("THOTH_ENFORCER_URL", fake.url())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(told), "{fault:?}: {said}");
    }
}
