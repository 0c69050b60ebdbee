//! The typed clients against a small server: what they send, and what they make of answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use thoth_api::contract::hold::{Outcome, Status};
use thoth_api::contract::key::ApiKey;
use thoth_api::contract::{approval, enforce, event, read};
use thoth_api::{Administration, Enforcer, RemoteError, TlsSettings, Traceparent, Url};
use thoth_types::Decision;

/// A request as it came: method and target, headers in lower case, body.
struct Came {
    line: String,
    headers: String,
    body: String,
}

/// Answers one request, and gives it back.
fn once(status: u16, headers: &str, body: &str) -> (Url, JoinHandle<Came>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let answer =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len());
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let mut headers = String::new();
        while !headers.ends_with("\r\n\r\n") && headers != "\r\n" {
            stream.read_line(&mut headers).unwrap();
        }
        let headers = headers.to_ascii_lowercase();
        let length = headers.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        Came { line, headers, body: String::from_utf8(body).unwrap() }
    });
    (url, serving)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn key() -> ApiKey {
    ApiKey::parse("thoth_live_sesame").unwrap()
}

const WITHIN: Duration = Duration::from_secs(120);

fn enforcer(url: Url) -> Enforcer {
    Enforcer::new(url, key(), &TlsSettings::default(), WITHIN).unwrap()
}

fn administration(url: Url, tenant: &str) -> Administration {
    Administration::new(url, tenant.to_owned(), key(), &TlsSettings::default(), WITHIN).unwrap()
}

fn request() -> enforce::Request {
    read(
        br#"{"agent_id":"a","tenant_id":"t","user_id":"u","session_id":"s","tool_name":"x","approved_scope":[],
            "enforcement_mode":"block","session_tool_calls":["x"],"tool_args":{"n":1.0},"action_attestation_id":"att"}"#,
    )
    .unwrap()
}

/// Defends invariant 5 on the client's side: only an answer to this very question that the contract knows is one; all
/// else is an error, whatever its status, and none repeats the key.
#[test]
fn only_an_answer_to_the_question_is_one() {
    for (status, body, expected) in [
        (200, r#"{"decision":"ALLOW","action_attestation_id":"att"}"#, Ok(Decision::Allow)),
        (200, r#"{"decision":"ALLOW"}"#, Ok(Decision::Allow)),
        (200, r#"{"decision":"NEWWORD"}"#, Ok(Decision::Block)),
        (200, "{}", Ok(Decision::Block)),
        (200, r#"{"decision":"ALLOW","actionAttestationId":"other"}"#, Err("is not the one that was sent")),
        (200, r#"{"decision":"ALLOW","decision":"BLOCK"}"#, Err("duplicate field `decision`")),
        (200, "<html>", Err("not JSON")),
        (200, "", Err("another type")),
        (302, "", Err("status 302")),
        (401, r#"{"error":{"code":"unauthorized","message":"no key"}}"#, Err("status 401 (unauthorized): no key")),
        (402, r#"{"error":{"type":"billing_error","message":"pay"}}"#, Err("status 402 (billing_error): pay")),
        (500, r#"{"decision":"ALLOW"}"#, Err("status 500")),
    ] {
        let (url, serving) = once(status, "", body);
        let answer = wait(enforcer(url).decide(&request()));
        match (answer, expected) {
            (Ok(envelope), Ok(decision)) => assert_eq!(envelope.decision(), decision, "{body}"),
            (Err(error), Err(words)) => {
                let text = format!("{error} {error:?}");
                assert!(text.contains(words) && !text.contains("sesame"), "{body}: {text}");
            }
            (answer, _) => panic!("{status} {body}: {answer:?}"),
        }
        let came = serving.join().unwrap();
        assert_eq!(came.line, "POST /v1/enforce");
        assert!(came.headers.contains("authorization: bearer thoth_live_sesame\r\n"), "{}", came.headers);
        assert!(came.body.contains(r#""tool_args":{"n":1.0}"#), "{}", came.body);
    }
}

/// A question is told to be part of a trace where the call says so, and of none otherwise.
#[test]
fn questions_are_part_of_their_trace() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (traceparent, expected) in [(Traceparent::parse(trace), true), (None, false)] {
        let (url, serving) = once(200, "", r#"{"decision":"ALLOW"}"#);
        assert!(wait(enforcer(url).in_trace(traceparent).decide(&request())).is_ok());
        let headers = serving.join().unwrap().headers;
        assert_eq!(headers.contains(&format!("traceparent: {trace}\r\n")), expected, "{headers}");
        assert_eq!(headers.contains("traceparent"), expected, "{headers}");
    }
}

/// Defends invariant 5: a decision is a whole answer with the status of one, and what is told of another held call tells
/// nothing of this one.
#[test]
fn only_whole_answers_about_the_same_decide() {
    let allow = r#"{"decision":"ALLOW","resolved":true,"resolution":"ALLOW"}"#;
    let other = r#"{"resolved":true,"resolution":"ALLOW","hold_token":"hold_2"}"#;
    let same = r#"{"resolved":true,"resolution":"ALLOW","hold_token":"hold_1"}"#;
    for (status, body, decides, settles) in [
        (200, allow, true, true),
        (201, allow, false, false),
        (202, allow, false, true),
        (203, allow, false, false),
        (206, allow, false, false),
        (200, other, false, false),
        (200, same, false, true),
    ] {
        let (url, serving) = once(status, "", body);
        let decided = wait(enforcer(url).decide(&request()));
        let allowed = decided.is_ok_and(|envelope| envelope.decision() == Decision::Allow);
        assert_eq!(allowed, decides, "{status} {body}");
        serving.join().unwrap();
        let (url, serving) = once(status, "", body);
        let told = wait(enforcer(url).hold("hold_1", None));
        assert_eq!(told.is_ok(), settles, "{status} {body}: {told:?}");
        serving.join().unwrap();
    }
}

/// Each route, as it is asked: names from outside stay one segment of the path.
#[test]
fn the_routes() {
    let (url, serving) = once(200, "", r#"{"resolved":false}"#);
    let status: Status = wait(enforcer(url).hold("hold_1/../x", Some(5))).unwrap();
    assert_eq!(status.outcome(), Outcome::Pending);
    assert_eq!(serving.join().unwrap().line, "GET /v1/enforce/hold/hold_1%2F..%2Fx?wait=5");

    let (url, serving) = once(200, "", r#"{"api_keys":[],"total":0}"#);
    assert_eq!(wait(administration(url, "acme").keys()).unwrap().total, 0);
    assert_eq!(serving.join().unwrap().line, "GET /acme/thoth/api-keys");

    let (url, serving) = once(204, "", "");
    assert_eq!(wait(administration(url, "acme").revoke_key("key_1")).unwrap(), None);
    assert_eq!(serving.join().unwrap().line, "DELETE /acme/thoth/api-keys/key_1");

    let (url, serving) = once(200, "", "{}");
    let deny = approval::Resolve { decision: approval::Answer::Deny, reason: Some("no".to_owned()) };
    assert_eq!(
        wait(administration(url, "acme").resolve("hold_1", &deny)).unwrap(),
        None,
        "done, whatever else it says"
    );
    let came = serving.join().unwrap();
    assert_eq!(came.line, "POST /acme/thoth/approvals/hold_1/resolve");
    assert_eq!(came.body, r#"{"decision":"deny","reason":"no"}"#);

    let (url, serving) = once(200, "", r#"{"data":[{"tenant_id":"t","session_id":"s","event_type":"x"}]}"#);
    let query = event::Query { agent_id: Some("a&b".to_owned()), limit: Some(2), ..event::Query::default() };
    assert_eq!(wait(administration(url, "acme").events(&query)).unwrap().data.len(), 1);
    assert_eq!(serving.join().unwrap().line, "GET /acme/thoth/events?agent_id=a%26b&limit=2");

    for tenant in ["..", ".", ""] {
        let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
        let error = wait(administration(nobody, tenant).keys()).unwrap_err();
        assert!(error.to_string().contains("has no such path"), "{error}");
    }
}

/// When to ask again is told.
#[test]
fn a_server_may_ask_for_patience() {
    let (url, serving) = once(429, "retry-after: 7\r\n", r#"{"error":{"code":"rate_limited","message":"wait"}}"#);
    let error = wait(administration(url, "acme").approvals(&approval::Query::default())).unwrap_err();
    assert!(matches!(error, RemoteError::Refused { status: 429, retry_after: Some(7), .. }), "{error:?}");
    assert_eq!(serving.join().unwrap().line, "GET /acme/thoth/approvals");
}
