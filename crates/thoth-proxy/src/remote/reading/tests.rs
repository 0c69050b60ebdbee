//! Every answer, every error, and what each comes to.

use thoth_api::contract::read;
use thoth_types::{Decision, ReasonCode, RemoteVerdict};

use super::*;

fn said(answer: &str) -> Said {
    let envelope: Envelope = read(answer.as_bytes()).unwrap();
    Said::decided(&Ok(envelope), FailureDecision::Allow)
}

/// Every word of the contract, and words that are none: only a plain "allow" allows.
#[test]
fn the_table_of_answers() {
    use RemoteVerdict::{Allow, Block, Defer, Hold, Modify};
    for (answer, verdict, code) in [
        (r#"{"decision":"ALLOW"}"#, Allow, None),
        (r#"{"authorizationDecision":"allow"}"#, Allow, None),
        (r#"{"decision":"ALLOW","authorization_decision":"BLOCK"}"#, Block, Some(ReasonCode::EnforcerBlock)),
        (r#"{"decision":"DENY"}"#, Block, Some(ReasonCode::EnforcerBlock)),
        (r#"{"decision":"ALLOWED"}"#, Block, Some(ReasonCode::EnforcerBlock)),
        (r"{}", Block, Some(ReasonCode::EnforcerBlock)),
        (r#"{"decision":"CHALLENGE","hold_token":"h"}"#, Hold, Some(ReasonCode::EnforcerStepUp)),
        (r#"{"decision":"STEP_UP"}"#, Block, Some(ReasonCode::EnforcerAnswerInvalid)),
        (r#"{"decision":"STEP_UP","hold_token":"two words"}"#, Block, Some(ReasonCode::EnforcerAnswerInvalid)),
        (r#"{"decision":"DEFER","defer_timeout_seconds":9}"#, Defer, Some(ReasonCode::EnforcerDefer)),
        (r#"{"decision":"MODIFY","modified_tool_args":{"a":1}}"#, Modify, Some(ReasonCode::EnforcerModify)),
        (r#"{"decision":"MODIFY"}"#, Block, Some(ReasonCode::EnforcerAnswerInvalid)),
    ] {
        let said = said(answer);
        assert_eq!(said.verdict, verdict, "{answer}");
        assert!(code.is_none_or(|code| code == said.code), "{answer}: {}", said.code);
        assert_eq!(said.modified.is_some(), verdict == Modify, "{answer}");
    }
    assert_eq!(said(r#"{"decision":"DEFER","defer_timeout_seconds":9}"#).retry_after_seconds, Some(9));
    assert_eq!(said(r#"{"decision":"DEFER"}"#).retry_after_seconds, Some(DEFER_SECONDS));
    assert_eq!(said(r#"{"decision":"BLOCK","defer_timeout_seconds":9}"#).retry_after_seconds, None);
}

/// Arguments that came with another word than MODIFY change nothing.
#[test]
fn only_modify_modifies() {
    assert!(said(r#"{"decision":"ALLOW","modified_tool_args":{"a":1}}"#).modified.is_none());
}

/// What an enforcer tells is repeated cut, plain, and where it can be what it says it is.
#[test]
fn foreign_texts_are_bounded() {
    let long = "x".repeat(10_000);
    let answer = format!(
        r#"{{"decision":"STEP_UP","hold_token":"h","reason":"{long}","decision_reason_code":"{long}",
            "approval_url":"javascript:alert(1)","violation_id":"a\u001b[2J","risk_score":1e9}}"#
    );
    let said = said(&answer);
    assert!(said.reason.len() < 600 && said.told.reason.as_ref().unwrap().len() == MAX_REASON);
    assert_eq!((said.told.reason_code, said.told.approval_url, said.told.violation_id), (None, None, None));
    assert_eq!(said.told.risk_score, Some(100));
    for (text, taken) in [
        ("https://a.example/x", true),
        ("http://127.0.0.1/x", true),
        ("HTTPS://a", false),
        ("https://a b", false),
        ("//a", false),
    ] {
        assert_eq!(url(Some(text)).is_some(), taken, "{text}");
    }
}

/// Which errors are outages, for the operator to say what comes of them, and what the others come to.
#[test]
fn only_outages_fall_back() {
    let host = || "h".to_owned();
    let reason = || "r".to_owned();
    let refused = |status, code: Option<&str>| RemoteError::Refused {
        url: "u".to_owned(),
        status,
        told: thoth_api::contract::fault::Told { code: code.map(str::to_owned), ..Default::default() },
        retry_after: Some(7),
    };
    let http = RemoteError::Http;
    let mismatch = |field| RemoteError::Mismatch(thoth_api::contract::enforce::Mismatch { field });
    for (error, code) in [
        (http(HttpError::NoAddress { host: host(), reason: reason() }), None),
        (http(HttpError::NoConnection { host: host(), reason: reason() }), None),
        (http(HttpError::Timeout { host: host(), connected: false }), None),
        (http(HttpError::Timeout { host: host(), connected: true }), None),
        (http(HttpError::Broken { host: host(), reason: reason() }), None),
        (http(HttpError::Untrusted { host: host(), reason: reason() }), Some(ReasonCode::EnforcerUntrusted)),
        (http(HttpError::WrongPin { host: host(), reason: reason() }), Some(ReasonCode::EnforcerUntrusted)),
        (http(HttpError::NoTls { host: host(), reason: reason() }), Some(ReasonCode::EnforcerUntrusted)),
        (http(HttpError::BadRedirect { host: host(), what: reason() }), Some(ReasonCode::EnforcerAnswerInvalid)),
        (http(HttpError::TooLarge { url: host(), limit: 1 }), Some(ReasonCode::EnforcerAnswerInvalid)),
        (refused(500, None), None),
        (refused(503, Some("unavailable")), None),
        (refused(302, None), Some(ReasonCode::EnforcerAnswerInvalid)),
        (refused(400, Some("bad_request")), Some(ReasonCode::EnforcerAnswerInvalid)),
        (refused(401, Some("key_expired")), Some(ReasonCode::EnforcerRefused)),
        (refused(402, Some("past_due")), Some(ReasonCode::EnforcerRefused)),
        (refused(403, None), Some(ReasonCode::EnforcerRefused)),
        (refused(404, None), Some(ReasonCode::EnforcerAnswerInvalid)),
        (refused(429, None), Some(ReasonCode::EnforcerDefer)),
        (mismatch("action_attestation_id"), Some(ReasonCode::ActionAttestationIdMismatch)),
        (mismatch("enforcement_trace_id"), Some(ReasonCode::EnforcementTraceIdMismatch)),
        (RemoteError::Unwritable, Some(ReasonCode::EnforcerAnswerInvalid)),
    ] {
        assert_eq!(Said::of_error(&error).map(|said| said.code), code, "{error}");
        for failure in FailureDecision::ALL {
            let said = Said::decided(&Err(error.clone()), failure);
            let passes = code.is_none() && failure == FailureDecision::Allow;
            assert_eq!(said.verdict == RemoteVerdict::Allow, passes, "{error} {failure:?}");
        }
    }
    let billing = Said::of_error(&refused(402, Some("past_due"))).unwrap();
    assert_eq!(billing.told.reason_code.as_deref(), Some("billing_past_due"));
    assert_eq!(Said::of_error(&refused(429, None)).unwrap().retry_after_seconds, Some(7));
}

/// A hold that was settled in a way that settles nothing is a refusal, and one that is not settled is waited for.
#[test]
fn holds() {
    for (status, expected) in [
        (r#"{"resolved":false}"#, None),
        (r#"{"resolved":true,"resolution":"ALLOW"}"#, Some(Decision::Allow)),
        (r#"{"resolved":true,"resolution":"DENY"}"#, Some(Decision::Block)),
        (r#"{"resolved":true}"#, Some(Decision::Block)),
        (r#"{"resolved":true,"resolution":"STEP_UP"}"#, Some(Decision::Block)),
    ] {
        let status_read: Status = read(status.as_bytes()).unwrap();
        assert_eq!(Said::resolved(&status_read).and_then(|said| said.told.decision), expected, "{status}");
    }
}
