//! The bytes of events.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::sync::Arc;

use proptest::prelude::*;
use thoth_audit::{
    CallFields, Content, ContentKey, ContentMode, DecisionFields, Event, EventType, HoldFields, Leaves, OutcomeFields,
    PinFields, RefusalFields, RemoteFields, SessionFields, ShadowFields,
};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Approval, Decision, Finding, Listed, Mode, Place, ReasonCode, RiskLevel, Stage};

fn id_text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9\"\\\\é😀:@.-]{1,40}"
}

fn session() -> impl Strategy<Value = SessionFields> {
    let ids = (id_text(), prop::option::of(id_text()), id_text());
    let rest = (prop::option::of(any::<String>()), prop::collection::vec(any::<String>(), 0..40), 0..4_usize);
    (ids, rest).prop_map(|((session, other, server), (intent, approved_scope, mode))| SessionFields {
        tenant: other.as_ref().and_then(|id| id.parse().ok()),
        user: other.as_ref().and_then(|id| id.parse().ok()),
        endpoint: None,
        agent: other.as_ref().and_then(|id| id.parse().ok()),
        session: session.parse().unwrap(),
        server: server.parse().unwrap(),
        intent,
        approved_scope,
        mode: Mode::ALL[mode],
    })
}

fn content(mode: ContentMode, json: &str) -> Content {
    let mut tape = Tape::new();
    Content::capture(mode, &ContentKey::new([5; 32]), tape.parse(json.as_bytes(), &Limits::default()).unwrap())
}

#[derive(Debug, Clone)]
struct Parts {
    session: SessionFields,
    text: String,
    names: Vec<Arc<str>>,
    number: u64,
    pick: usize,
    json: String,
}

fn parts() -> impl Strategy<Value = Parts> {
    let names = prop::collection::vec(any::<String>().prop_map(Arc::from), 0..50);
    (session(), any::<String>(), names, any::<u64>(), any::<usize>(), any::<String>()).prop_map(
        |(session, text, names, number, pick, json)| Parts {
            session,
            text,
            names,
            number,
            pick,
            json: serde_json::to_string(&serde_json::json!({ "a": json, "n": 12345678901234567890_u64 })).unwrap(),
        },
    )
}

#[expect(clippy::too_many_lines, reason = "one list of all fields")]
fn write(parts: &Parts) -> Vec<u8> {
    let Parts { session, text, names, number, pick, json } = parts;
    let content = content(ContentMode::ALL[pick % 4], json);
    let place = Place { file: Arc::from(text.as_str()), line: 3, column: 4 };
    let finding = Finding {
        stage: Stage::Rules,
        approval: Approval::Block,
        code: ReasonCode::RuleBlock,
        risk: RiskLevel::High,
        rule: names.first().cloned(),
        place: Some(place.clone()),
        detail: text.clone().into(),
        hard: true,
        retry_after_seconds: Some(*number),
    };
    let findings = vec![finding; pick % 12];
    let call = CallFields {
        call_id: text,
        trace_id: text,
        attestation_id: text,
        enforcement_trace_id: Some(text),
        tool: text,
        arguments_digest: text,
        content: Some(&content),
        listed: Listed::Yes,
        retry_of: Some(text),
        task_id: Some(text),
        session_tool_calls: names,
        session_tool_call_count: *number,
    };
    let shadow = ShadowFields {
        source: "policy",
        approval: Approval::Block,
        reason_code: ReasonCode::RuleBlock,
        rule: Some(text),
        place: Some(&place),
        policy_digest: text,
    };
    let shadows = vec![shadow; 3 - pick % 4];
    let short = |name: &Arc<str>| name.chars().take(154).collect::<String>();
    let conditions: Vec<_> = names.iter().map(|name| (short(name), "error")).collect();
    let decision = DecisionFields {
        decision: Decision::Block,
        would_be: Some(Decision::StepUp),
        approval: Approval::Approve,
        risk_level: RiskLevel::Low,
        risk_score: 99,
        reason_code: ReasonCode::RuleApprove,
        reason: text,
        rule: Some(text),
        place: Some(&place),
        matched: names,
        controls: if pick & 2048 == 0 { names } else { &[] },
        policy_digest: text,
        hold_token_digest: Some(text),
        grant_id: (pick & 64 == 0).then_some(text),
        findings: &findings,
        skipped: Stage::ALL,
        shadows: if pick & 512 == 0 { &shadows } else { &[] },
        conditions: if pick & 512 == 0 { &conditions } else { &[] },
        enforcer_policy_digest: (pick & 1024 == 0).then_some(text),
        remote: (pick & 1024 == 0).then_some(RemoteFields {
            attestation_id: text,
            decision: Some(Decision::StepUp),
            reason: Some(text),
            reason_code: Some(text),
            risk_score: Some(99),
            trace_id: text,
            violation_id: Some(text),
        }),
    };
    let outcome = OutcomeFields {
        outcome: "ok",
        duration_us: *number,
        result_bytes: *number,
        content: Some(&content),
        action: Some("redact"),
        classes: &[("secrets", 2)],
        note_left_out: true,
    };
    let hold = HoldFields {
        token_digest: text,
        state: text,
        ends_at: jiff::Timestamp::from_millisecond(1_700_000_000_124).unwrap(),
        quorum: 2,
        approver: Some(text),
        channel: Some(text),
        origin: Some(text),
        spent_by: Some(text),
        grant_id: Some(text),
        grant_ends_at: jiff::Timestamp::from_millisecond(1_700_000_000_125).ok(),
    };
    let pin = PinFields {
        kind: "tool",
        item: text,
        state: "approved",
        digest: Some(text),
        approved_digest: (pick & 64 == 0).then_some(text),
        changed: names,
        approver: Some(text),
        channel: Some(text),
        origin: Some(text),
    };
    let refusal = RefusalFields { code: text, from: "client", offset: *number, bytes: 1 };
    let event = Event {
        event_type: EventType::ALL[pick % EventType::ALL.len()],
        event_id: text,
        occurred_at: jiff::Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
        session,
        call: (pick & 1 == 0).then_some(call),
        decision: (pick & 2 == 0).then_some(decision),
        outcome: (pick & 4 == 0).then_some(outcome),
        hold: (pick & 128 == 0).then_some(hold),
        pin: (pick & 256 == 0).then_some(pin),
        refusal: (pick & 8 == 0).then_some(refusal),
        detail: (pick & 16 == 0).then_some(text),
    };
    let mut out = Vec::new();
    event.write_canonical(&mut out);
    out
}

proptest! {
    /// Invariant: whatever is in an event, its bytes are exactly its RFC 8785 form, as another implementation writes it.
    #[test]
    fn events_are_canonical(parts in parts()) {
        let bytes = write(&parts);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(String::from_utf8(bytes.clone()).unwrap(), serde_jcs::to_string(&value).unwrap());
        prop_assert!(Leaves::new().push_canonical(&bytes).is_ok());
    }
}

/// Invariant: no event is longer than an entry can be, however long its parts are, and it says that it was cut.
#[test]
fn the_longest_event_fits_an_entry() {
    for filler in ["\u{1}", "\"", "x", "😀"] {
        let id = "\"".repeat(512);
        let parts = Parts {
            session: SessionFields {
                tenant: id.parse().ok(),
                user: id.parse().ok(),
                endpoint: id.parse().ok(),
                agent: id.parse().ok(),
                session: id.parse().unwrap(),
                server: id.parse().unwrap(),
                intent: Some(filler.repeat(100_000)),
                approved_scope: vec![filler.repeat(10_000); 100],
                mode: Mode::Progressive,
            },
            text: filler.repeat(100_000),
            names: vec![Arc::from(filler.repeat(10_000)); 1000],
            number: u64::MAX,
            // All parts, full content, eight findings.
            pick: 32,
            json: serde_json::to_string(&filler.repeat(1_000_000)).unwrap(),
        };
        // About a pin instead of a call.
        let of_pin = write(&Parts { pick: 32 | 1 | 2 | 4, ..parts.clone() });
        assert!(of_pin.len() <= 65_535, "{} bytes of {filler:?}", of_pin.len());
        // About a call whose decision no enforcer was asked for.
        let alone = write(&Parts { pick: 32 | 1024, ..parts.clone() });
        assert!(alone.len() <= 65_535, "{} bytes of {filler:?}", alone.len());
        let bytes = write(&parts);
        assert!(bytes.len() <= 65_535, "{} bytes of {filler:?}", bytes.len());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["truncatedFields"], true);
        assert_eq!(value["contentTruncated"], true);
        assert_eq!(value["durationUs"], (1_u64 << 53) - 1);
        assert_eq!(value["occurredAt"], "2023-11-14T22:13:20.123Z");
        assert_eq!(value["sessionToolCalls"].as_array().unwrap().len(), 16);
        assert_eq!(value["findings"].as_array().unwrap().len(), 8);
    }
}

/// Invariant: number texts survive in content, where RFC 8785 would have rounded them.
#[test]
fn content_keeps_number_texts() {
    let kept = content(ContentMode::Full, r#"{"n": 9007199254740993, "f": 1.0}"#);
    assert_eq!(kept.text(), Some(r#"{"n": 9007199254740993, "f": 1.0}"#));
    assert_eq!(content(ContentMode::None, "[1]").text(), None);
    let digest = content(ContentMode::Hash, "[1]");
    assert!(digest.text().unwrap().starts_with("hmac-sha256:") && digest.text().unwrap().len() == 76);
    assert_ne!(digest, content(ContentMode::Hash, "[2]"));
}

/// Invariant: secrets are gone, by the name they stand under and by their shape; everything else stays byte for byte.
#[test]
fn secrets_are_taken_out_and_nothing_else() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\\nMIIEowIBAAKCAQEA\\n-----END RSA PRIVATE KEY-----";
    let token = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for (text, expected) in [
        (r#"{"password": "hunter2", "user":"bob"}"#.to_owned(), r#"{"password": "[redacted]", "user":"bob"}"#),
        (r#"{ "apiKey":12345 ,"x":[1.0,2]}"#.to_owned(), r#"{ "apiKey":"[redacted]" ,"x":[1.0,2]}"#),
        (r#"{"credentials":{"a":[1]},"b":1}"#.to_owned(), r#"{"credentials":"[redacted]","b":1}"#),
        (r#"{"\u0070assword":"x1"}"#.to_owned(), r#"{"\u0070assword":"[redacted]"}"#),
        (format!(r#"{{"text":"use ghp_{token} now"}}"#), r#"{"text":"use [redacted] now"}"#),
        (format!(r#"["sk-{token}","sk-proj-{token}"]"#), r#"["[redacted]","[redacted]"]"#),
        (r#"["AKIAIOSFODNN7EXAMPLE","xoxb-123456789012-abc"]"#.to_owned(), r#"["[redacted]","[redacted]"]"#),
        (
            format!(r#"["curl -H 'Authorization: Bearer {token}'"]"#),
            r#"["curl -H 'Authorization: Bearer [redacted]'"]"#,
        ),
        (format!(r#"["ghp\u005f{token}"]"#), r#"["[redacted]"]"#),
        (format!(r#"["key: {pem}"]"#), r#"["[redacted]"]"#),
        (r#"["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_x"]"#.to_owned(), r#"["[redacted]"]"#),
        (r#"["DB_PASSWORD=s3cr3t99 ./run"]"#.to_owned(), r#"["DB_PASSWORD=[redacted] ./run"]"#),
        (r#"["postgres://bob:pa55@db:5432/x"]"#.to_owned(), r#"["postgres://bob:[redacted]@db:5432/x"]"#),
        (format!(r#"{{"ghp_{token}":1}}"#), r#"{"[redacted]":1}"#),
    ] {
        let kept = content(ContentMode::Redacted, &text);
        assert_eq!(kept.text(), Some(expected), "{text}");
        assert!(kept.redactions() > 0);
    }
    for harmless in [
        r#"{"path":"src/main.rs","maxTokens":4096,"nextPageToken":"abc","password":null,"token":""}"#,
        r#"["task-list-of-2024-01-01-and-more-words", "disk-usage", "risk-assessment-2024-report-final"]"#,
        r#"["let token = get_token(); if password == other {}", "a=b&c=d", "https://host:8080/a@b"]"#,
        r#"["0c4f6c6e9e0b4a1d8a0f0123456789abcdef0123", "550e8400-e29b-41d4-a716-446655440000"]"#,
        r#"["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "bearer of bad news, sadly"]"#,
        "[1.0, 1e3, 9007199254740993]",
    ] {
        let kept = content(ContentMode::Redacted, harmless);
        assert_eq!((kept.text(), kept.redactions()), (Some(harmless), 0));
    }
}

/// Invariant: what is cut off was never searched, so nothing of it may be kept; a secret across the cap does not stay
/// in part.
#[test]
fn long_content_is_cut_without_leaking() {
    let token = format!("ghp_{}", "a1B2c3D4".repeat(5));
    for filler in (28_600..28_700).step_by(7) {
        let kept = content(ContentMode::Redacted, &format!(r#"["{}"," {token}"]"#, "x".repeat(filler)));
        assert!(!kept.text().unwrap().contains("ghp_"), "{filler}");
        assert!(kept.text().unwrap().len() <= 28 * 1024);
    }
    let kept = content(ContentMode::Redacted, &format!(r#"["{}"]"#, "x ".repeat(500_000)));
    assert!(kept.truncated());
}

/// What this thread has had of a processor, whatever else that did meanwhile.
fn spent() -> std::time::Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Invariant: redaction takes linear time, also for text made to be slow.
#[test]
fn hostile_text_is_redacted_in_linear_time() {
    for piece in ["sk-", "eyJ", "eyJ-", "SG.", "AKIA", "=", "password=", "://a:", "-----BEGIN ", "bearer ", "ghp_"] {
        let text = format!(r#"["{}"]"#, piece.repeat(32_000 / piece.len()));
        let start = spent();
        content(ContentMode::Redacted, &text);
        // Quadratic would be seconds in a debug build; linear is some milliseconds.
        let took = spent() - start;
        assert!(took.as_millis() < 1500, "{piece}: {took:?}");
    }
}
