//! What the gate itself says and asks, and what clients can be asked and answer.

#![expect(clippy::panic, clippy::expect_used, reason = "the helpers of these tests panic as the tests do")]

use proptest::prelude::*;
use serde_json::{Value, json};
use thoth_mcp::{
    BatchRule, Choice, Decoder, Direction, ElicitAction, Elicitation, ElicitationSupport, Era, Frame, Message,
    RefusalCode, ResultType, cancelled_notification, elicitation_complete, elicitation_request, input_required_result,
    progress_notification,
};

const CHOICE: Choice = Choice { name: "decision", title: "Your decision", options: &["deny", "allow once"] };

fn form(message: &str) -> Elicitation {
    Elicitation::Form { message: message.to_owned(), choice: CHOICE }
}

fn link(message: &str) -> Elicitation {
    let (url, elicitation_id) = ("https://approve.example/?h=1&x=\"2\"".to_owned(), "e-1".to_owned());
    Elicitation::Url { message: message.to_owned(), url, elicitation_id }
}

/// Decodes one of our own lines as a client's strict peer would.
fn decoded<T>(line: &[u8], look: impl FnOnce(&Message<'_>, Value) -> T) -> T {
    let body = line.strip_suffix(b"\n").expect("one line");
    let value = serde_json::from_slice(body).expect("JSON");
    let mut decoder = Decoder::default();
    match decoder.decode(body, Direction::ServerToClient, BatchRule::Refuse) {
        Ok(Frame::One(message)) => look(&message, value),
        other => panic!("a message, not {other:?}"),
    }
}

fn from_client<T>(body: &str, look: impl FnOnce(Message<'_>) -> T) -> T {
    let mut decoder = Decoder::default();
    match decoder.decode(body.as_bytes(), Direction::ClientToServer, BatchRule::Refuse) {
        Ok(Frame::One(message)) => look(message),
        other => panic!("a message, not {other:?}: {body}"),
    }
}

/// The forms of the schemas of 2025-06-18, 2025-11-25 and 2026-07-28: a form without `mode` is right in all of them, and
/// `elicitationId` is required in the second and gone from the third.
#[test]
fn questions_have_the_form_of_their_revision() {
    let schema = json!({
        "type": "object",
        "properties": {"decision": {"type": "string", "title": "Your decision", "enum": ["deny", "allow once"]}},
        "required": ["decision"],
    });
    let plain = json!({"message": "m", "requestedSchema": schema});
    let named = json!({"mode": "form", "message": "m", "requestedSchema": schema});
    let url = "https://approve.example/?h=1&x=\"2\"";
    for (asked, legacy, modern) in [
        (form("m"), plain, named),
        (
            link("m"),
            json!({"mode": "url", "message": "m", "url": url, "elicitationId": "e-1"}),
            json!({"mode": "url", "message": "m", "url": url}),
        ),
    ] {
        let request = json!({"jsonrpc": "2.0", "id": "x-1", "method": "elicitation/create", "params": legacy});
        decoded(&elicitation_request(b"\"x-1\"", &asked), |message, value| {
            assert_eq!(value, request);
            assert!(matches!(message, Message::Request(request) if request.id.raw() == b"\"x-1\""));
        });
        let result = json!({
            "resultType": "input_required",
            "inputRequests": {"a/b": {"method": "elicitation/create", "params": modern}},
            "requestState": "s",
        });
        decoded(&input_required_result(b"7.0", "a/b", &asked, "s"), |message, value| {
            assert_eq!(value, json!({"jsonrpc": "2.0", "id": 7.0, "result": result}));
            let Message::Response(response) = message else { panic!("an answer") };
            assert_eq!((response.era, response.id.expect("id").raw()), (Era::Modern, b"7.0".as_slice()));
            let view = response.call_result().expect("a result").expect("readable");
            assert_eq!(view.result_type, ResultType::InputRequired);
        });
    }
}

#[test]
fn notifications_keep_the_tokens_they_are_about() {
    for token in ["7", "1e2", "\"p\\u0061\"", "9007199254740993"] {
        let line = String::from_utf8(progress_notification(token.as_bytes(), -1_000_000, "waits")).unwrap();
        let expected = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":-1000000,"message":"waits"}}}}"#
        );
        assert_eq!(line, expected + "\n");
        decoded(&cancelled_notification(token.as_bytes(), "no longer needed"), |message, _| {
            let Message::Notification(notification) = message else { panic!("a notification") };
            let cancelled = notification.cancelled().expect("the method").expect("its parameters");
            assert_eq!(cancelled.request_id.expect("an id").raw(), token.as_bytes());
            assert_eq!(cancelled.reason.as_deref(), Some("no longer needed"));
        });
    }
    decoded(&elicitation_complete("e-1"), |_, value| {
        let params = json!({"elicitationId": "e-1"});
        assert_eq!(value, json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params}));
    });
}

proptest! {
    /// Defends that no text can break out of our own messages.
    #[test]
    fn any_text_stays_a_text(text in any::<String>(), key in any::<String>(), state in any::<String>()) {
        for asked in [form(&text), link(&text)] {
            let request = decoded(&elicitation_request(b"1", &asked), |_, value| value);
            prop_assert_eq!(&request["params"]["message"], &json!(text));
            let asked = decoded(&input_required_result(b"1", &key, &asked, &state), |_, value| value);
            prop_assert_eq!(&asked["result"]["inputRequests"][&key]["params"]["message"], &json!(text));
            prop_assert_eq!(&asked["result"]["requestState"], &json!(state));
        }
        let progress = decoded(&progress_notification(b"1", 3, &text), |_, value| value);
        prop_assert_eq!(&progress["params"]["message"], &json!(text));
        let cancelled = decoded(&cancelled_notification(b"1", &text), |_, value| value);
        prop_assert_eq!(&cancelled["params"]["reason"], &json!(text));
        let complete = decoded(&elicitation_complete(&text), |_, value| value);
        prop_assert_eq!(&complete["params"]["elicitationId"], &json!(text));
    }
}

/// Defends that nobody is asked in a way that they did not declare.
#[test]
fn clients_are_asked_only_as_they_declare() {
    let support = |form, url| ElicitationSupport { form, url };
    for (capabilities, expected) in [
        ("{}", support(false, false)),
        (r#"{"elicitation":null}"#, support(false, false)),
        (r#"{"elicitation":true}"#, support(false, false)),
        (r#"{"elicitation":[]}"#, support(false, false)),
        (r#"{"Elicitation":{}}"#, support(false, false)),
        (r#"{"elicitation":{}}"#, support(true, false)),
        (r#"{"elicitation":{"schemaValidation":true}}"#, support(true, false)),
        (r#"{"elicitation":{"form":{}}}"#, support(true, false)),
        (r#"{"elicitation":{"form":{"applyDefaults":true}}}"#, support(true, false)),
        (r#"{"elicitation":{"url":{}}}"#, support(false, true)),
        (r#"{"elicitation":{"form":null,"url":{}}}"#, support(false, true)),
        (r#"{"elicitation":{"form":{},"url":{}}}"#, support(true, true)),
        (r#"{"elicitation":{"form":false}}"#, support(false, false)),
        (r#"{"elicitation":{"url":true}}"#, support(false, false)),
    ] {
        let legacy = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{capabilities}}}}}"#
        );
        from_client(&legacy, |message| {
            let Message::Request(request) = message else { panic!("a request") };
            let start = request.initialize().expect("the method").expect("its parameters");
            assert_eq!(start.elicitation(), expected, "{capabilities}");
        });
        let modern = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}}}}}"#
        );
        from_client(&modern, |message| {
            assert_eq!(message.meta().expect("_meta").elicitation(), expected, "{capabilities}");
        });
    }
    assert_eq!(ElicitationSupport::read(None), support(false, false));
    for (revision, expected) in [
        ("2024-11-05", support(false, false)),
        ("2025-03-26", support(false, false)),
        ("2025-06-18", support(true, false)),
        ("2025-11-25", support(true, true)),
        ("2026-07-28", support(true, true)),
    ] {
        assert_eq!(support(true, true).in_revision(revision), expected, "{revision}");
        assert_eq!(support(false, false).in_revision(revision), support(false, false));
    }
}

#[test]
fn answers_say_what_was_done_and_filled_in() {
    type Case = (&'static str, Option<(ElicitAction, Option<&'static str>)>);
    let cases: &[Case] = &[
        (
            r#"{"action":"accept","content":{"decision":"allow once"}}"#,
            Some((ElicitAction::Accept, Some("allow once"))),
        ),
        (r#"{"action":"accept","content":{"decision":"d\u0065ny","x":1}}"#, Some((ElicitAction::Accept, Some("deny")))),
        (r#"{"action":"accept","content":{"decision":true}}"#, Some((ElicitAction::Accept, None))),
        (r#"{"action":"accept","content":{"Decision":"allow once"}}"#, Some((ElicitAction::Accept, None))),
        (r#"{"action":"accept","content":null}"#, Some((ElicitAction::Accept, None))),
        (r#"{"action":"accept"}"#, Some((ElicitAction::Accept, None))),
        (r#"{"action":"decline"}"#, Some((ElicitAction::Decline, None))),
        (r#"{"action":"cancel"}"#, Some((ElicitAction::Cancel, None))),
        (r#"{"action":"ACCEPT"}"#, None),
        (r#"{"action":7}"#, None),
        (r#"{"action":"accept","content":"allow once"}"#, None),
        ("{}", None),
    ];
    for (answer, expected) in cases {
        let response = format!(r#"{{"jsonrpc":"2.0","id":"x","result":{answer}}}"#);
        from_client(&response, |message| {
            let Message::Response(response) = message else { panic!("an answer") };
            let view = response.elicit_result().expect("a result");
            let seen = view.as_ref().map(|view| (view.action, view.text("decision")));
            match (expected, seen) {
                (Some((action, text)), Ok((seen, said))) => {
                    assert_eq!((*action, *text), (seen, said.as_deref()), "{answer}");
                }
                (None, Err(refusal)) => assert_eq!(refusal.code, RefusalCode::BadResult, "{answer}"),
                (expected, seen) => panic!("{answer}: {seen:?} instead of {expected:?}"),
            }
        });
        let retry = format!(
            r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"t","inputResponses":{{"k":{answer},"other":{{"action":"accept"}}}}}}}}"#
        );
        from_client(&retry, |message| {
            let Message::Request(request) = message else { panic!("a request") };
            let call = request.tool_call().expect("a call");
            let seen = call.elicit_result("k").map(|view| (view.action, view.text("decision")));
            let seen = seen.as_ref().map(|(action, text)| (*action, text.as_deref()));
            assert_eq!(seen, *expected, "{answer}");
            assert!(call.elicit_result("absent").is_none());
        });
    }
    from_client(r#"{"jsonrpc":"2.0","id":"x","error":{"code":-32601,"message":"no"}}"#, |message| {
        let Message::Response(response) = message else { panic!("an answer") };
        assert!(response.elicit_result().is_none(), "an error is no answer");
    });
}
