//! What is read, in every spelling that published clients use, and what is written, exactly.

use thoth_api::contract::event::{Batch, BatchError, MAX_EVENTS};
use thoth_api::contract::hold::{Outcome, Status};
use thoth_api::contract::key::{ApiKey, Create, CreateError, Created, Keys, Permissions, Row, ScopeLevel};
use thoth_api::contract::list::List;
use thoth_api::contract::{
    Json, approval, decision, endpoint, enforce, event, evidence, explain, fault, policy_bundle, read, session,
    settings, verdict,
};
use thoth_types::{Decision, Mode};

/// The four forms of one request: as the Python client sends it, in camelCase, with `null` where Go has nothing, and
/// with more than anybody knows.
const REQUESTS: [&str; 4] = [
    r#"{"agent_id":"a","tenant_id":"t","user_id":"u","session_id":"s","tool_name":"read_file","session_tool_calls":[],
        "approved_scope":[],"enforcement_mode":"block","tool_args":{"n":12345678901234567890.10}}"#,
    r#"{"agentId":"a","tenantId":"t","userId":"u","sessionId":"s","toolName":"read_file","sessionToolCalls":[],
        "approvedScope":[],"enforcementMode":"BLOCK","toolArgs":{"n":12345678901234567890.10}}"#,
    r#"{"agent_id":"a","tenant_id":"t","user_id":"u","session_id":"s","tool_name":"read_file","session_tool_calls":null,
        "approved_scope":null,"session_intent":null,"purpose":"","metadata":null,
        "tool_args":{"n":12345678901234567890.10}}"#,
    r#"{"agent_id":"a","tenant_id":"t","user_id":"u","session_id":"s","tool_name":"read_file","session_tool_calls":[],
        "approved_scope":[],"enforcement_mode":"block","tool_args":{"n":12345678901234567890.10},"new":{"x":[1]}}"#,
];

/// Defends invariant 2 at the edge: arguments come through with every digit, in every spelling of a request.
#[test]
fn every_spelling_of_a_request_is_the_same_request() {
    let requests: Vec<enforce::Request> = REQUESTS.iter().map(|text| read(text.as_bytes()).unwrap()).collect();
    for (text, request) in REQUESTS.iter().zip(&requests) {
        assert_eq!(request, &requests[0], "{text}");
        assert_eq!(request.tool_args.as_ref().unwrap().text(), r#"{"n":12345678901234567890.10}"#);
    }
    insta::assert_snapshot!(
        serde_json::to_string(&requests[0]).unwrap(),
        @r#"{"agent_id":"a","tenant_id":"t","user_id":"u","session_id":"s","tool_name":"read_file","approved_scope":[],"enforcement_mode":"block","session_tool_calls":[],"tool_args":{"n":12345678901234567890.10}}"#
    );
    for (mode, expected) in [
        (r#""observe""#, Some(Mode::Observe)),
        (r#""shadow""#, Some(Mode::Observe)),
        (r#""Step-Up""#, Some(Mode::StepUp)),
        (r#""progressive""#, Some(Mode::Progressive)),
        (r#""""#, Some(Mode::Block)),
        ("null", Some(Mode::Block)),
        (r#""lenient""#, None),
        ("1", None),
    ] {
        let text = REQUESTS[0].replace(r#""block""#, mode);
        let request = read::<enforce::Request>(text.as_bytes()).ok();
        assert_eq!(request.map(|request| request.enforcement_mode), expected, "{mode}");
    }
}

/// Defends invariant 7: what cannot be read is named by place and by the contract's own words; contents never are. Names
/// given twice, also in two spellings, are errors.
#[test]
fn errors_tell_no_contents() {
    let base = REQUESTS[0];
    for (text, words) in [
        (base.replace(r#""agent_id":"a","#, ""), "missing field `agent_id`"),
        (base.replace(r#""a""#, r#""a","agentId":"SECRET""#), "duplicate field `agent_id`"),
        (base.replace(r#""a""#, r#"["SECRET"]"#), "another type"),
        (base.replace("[]", r#""SECRET""#), "another type"),
        (base.replace(r#""block""#, r#""SECRET""#), "expected one of observe, step_up, progressive, block"),
        (format!("{base}SECRET"), "not JSON"),
        ("SECRET".to_owned(), "not JSON"),
        (base.chars().take(40).collect(), "ends too early"),
        (String::new(), "ends too early"),
    ] {
        let error = read::<enforce::Request>(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains("SECRET"), "{error}");
    }
}

/// Defends invariant 7: nothing that may hold secrets is shown by `Debug`.
#[test]
fn secrets_are_not_printed() {
    let text = REQUESTS[0].replace("12345678901234567890.10", r#""SECRET""#);
    let text = text.replacen('{', r#"{"metadata":{"x":"SECRET"},"auth_context":{"y":"SECRET"},"#, 1);
    let request: enforce::Request = read(text.as_bytes()).unwrap();
    let events =
        Batch::read(br#"[{"tenant_id":"t","session_id":"s","event_type":"x","content":"SECRET","z":"SECRET"}]"#);
    let created: Created = read(
        br#"{"id":"k","api_key":"thoth_live_SECRET","scope_level":"agent","scope_target_id":"a","permissions":["read"]}"#,
    )
    .unwrap();
    assert_eq!(created.api_key.expose_secret(), "thoth_live_SECRET");
    let printed = format!("{request:?} {events:?} {created:?} {:?}", Json::new(r#""SECRET""#.to_owned()));
    assert!(!printed.contains("SECRET"), "{printed}");
}

/// Defends invariant 5: a word for a decision that nobody knows refuses; of two that differ the stricter counts.
#[test]
fn the_words_of_decisions() {
    for (word, expected) in [
        ("ALLOW", Decision::Allow),
        ("allow ", Decision::Allow),
        ("BLOCK", Decision::Block),
        ("DENY", Decision::Block),
        ("STEP_UP", Decision::StepUp),
        ("step-up", Decision::StepUp),
        ("CHALLENGE", Decision::StepUp),
        ("ESCALATE", Decision::StepUp),
        ("REVIEW", Decision::StepUp),
        ("MODIFY", Decision::Modify),
        ("MODIFIED", Decision::Modify),
        ("TRANSFORM", Decision::Modify),
        ("DEFER", Decision::Defer),
        ("DEFERRED", Decision::Defer),
        ("HOLD", Decision::Defer),
        ("ALLOWED?", Decision::Block),
        ("", Decision::Block),
    ] {
        assert_eq!(verdict::decision(word), expected, "{word}");
    }
    for (text, expected, score) in [
        (r#"{"decision":"ALLOW","risk_score":12}"#, Decision::Allow, Some(12.0)),
        (r#"{"authorizationDecision":"REVIEW","riskScore":0.85}"#, Decision::StepUp, Some(85.0)),
        (r#"{"decision":"","authorization_decision":"ALLOW","risk_score":1.0}"#, Decision::Allow, Some(100.0)),
        (r#"{"decision":"ALLOW","authorization_decision":"BLOCK","risk_score":1}"#, Decision::Block, Some(1.0)),
        (r#"{"decision":"MAYBE","risk_score":250}"#, Decision::Block, Some(100.0)),
        (r#"{"risk_score":null}"#, Decision::Block, None),
    ] {
        let envelope: enforce::Envelope = read(text.as_bytes()).unwrap();
        assert_eq!((envelope.decision(), envelope.risk_score), (expected, score), "{text}");
    }
    let nested: enforce::Envelope = read(br#"{"decision":"ALLOW","metadata":{"decision_evidence":{"k":1}}}"#).unwrap();
    assert_eq!(nested.evidence().unwrap().len(), 1);
}

/// An answer that names another call or trace than was sent is none.
#[test]
fn answers_belong_to_their_questions() {
    let mut request: enforce::Request = read(REQUESTS[0].as_bytes()).unwrap();
    request.action_attestation_id = Some("a1".to_owned());
    request.enforcement_trace_id = Some("t1".to_owned());
    for (attestation, trace, expected) in [
        (Some("a1"), Some("t1"), None),
        (None, None, None),
        (Some("a2"), Some("t1"), Some("action_attestation_id_mismatch")),
        (Some("a1"), Some("t2"), Some("enforcement_trace_id_mismatch")),
    ] {
        let mut answer = enforce::Envelope::of(Decision::Allow);
        answer.action_attestation_id = attestation.map(str::to_owned);
        answer.enforcement_trace_id = trace.map(str::to_owned);
        let found = answer.answers(&request).err().map(|mismatch| mismatch.code());
        assert_eq!(found.as_deref(), expected);
    }
}

/// What the server writes, to the letter.
#[test]
fn what_is_written() {
    let mut envelope = enforce::Envelope::of(Decision::Modify);
    envelope.decision_reason_code = Some("argument_secret".to_owned());
    envelope.risk_score = Some(62.0);
    envelope.latency_ms = Some(1.5);
    envelope.matched_rule_ids = vec!["r".to_owned()];
    envelope.modified_tool_args = Some(Json::new(r#"{"n":1.00}"#.to_owned()));
    let mut status = Status::pending();
    status.tool_name = Some("write_file".to_owned());
    let row = Row {
        id: "key_1".to_owned(),
        name: None,
        scope_level: ScopeLevel::Organization,
        scope_target_id: None,
        permissions: read::<Permissions>(br#"["admin"]"#).unwrap(),
        created_at: Some("2026-01-01T00:00:00Z".to_owned()),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        jit_reason: None,
    };
    let api_key = ApiKey::from_random([0xab; 32], ScopeLevel::Organization);
    let texts = [
        serde_json::to_string(&envelope).unwrap(),
        serde_json::to_string(&status).unwrap(),
        serde_json::to_string(&Status::resolved(Decision::Allow)).unwrap(),
        serde_json::to_string(&Keys { api_keys: vec![row.clone()], total: 1 }).unwrap(),
        serde_json::to_string(&Created { api_key, row }).unwrap(),
        serde_json::to_string(&List::complete(vec![1])).unwrap(),
        serde_json::to_string(&event::Receipt { accepted: 2, duplicates: 1, rejected: Vec::new() }).unwrap(),
        serde_json::to_string(&approval::Resolve { decision: approval::Answer::Deny, reason: None }).unwrap(),
        serde_json::to_string(&fault::Fault::new(fault::Code::RateLimited, "wait".to_owned(), "req_1".to_owned()))
            .unwrap(),
        serde_json::to_string(&explain::Explanation::default()).unwrap(),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r#"
    {"decision":"MODIFY","authorization_decision":"MODIFY","decision_envelope_version":"1","decision_reason_code":"argument_secret","risk_score":62,"latency_ms":1.5,"modified_tool_args":{"n":1.00},"matched_rule_ids":["r"]}
    {"resolved":false,"resolution":null,"tool_name":"write_file"}
    {"resolved":true,"resolution":"ALLOW"}
    {"api_keys":[{"id":"key_1","scope_level":"organization","permissions":["read","write","execute"],"created_at":"2026-01-01T00:00:00Z"}],"total":1}
    {"api_key":"thoth_org_abababababababababababababababababababababababababababababababab","id":"key_1","scope_level":"organization","permissions":["read","write","execute"],"created_at":"2026-01-01T00:00:00Z"}
    {"data":[1],"total":1}
    {"accepted":2,"duplicates":1,"rejected":[]}
    {"decision":"deny"}
    {"error":{"code":"rate_limited","message":"wait","requestId":"req_1"}}
    {"violation_id":"","what_happened":"","why_it_was_blocked":"","what_to_do_next":"","business_impact":"","severity":""}
    "#);
}

/// A poll's answer in its new and old shapes; what settles nothing refuses.
#[test]
fn the_shapes_of_a_hold() {
    for (text, expected) in [
        (r#"{"resolved":false,"resolution":null,"approval_url":"https://x"}"#, Outcome::Pending),
        (r#"{"resolved":true,"resolution":"ALLOW"}"#, Outcome::Resolved(Decision::Allow)),
        (r#"{"resolved":true,"resolution":"MODIFY"}"#, Outcome::Resolved(Decision::Modify)),
        (r#"{"resolved":true,"resolution":"DENY"}"#, Outcome::Resolved(Decision::Block)),
        (r#"{"resolved":true,"resolution":"STEP_UP"}"#, Outcome::Resolved(Decision::Block)),
        (r#"{"resolved":true,"resolution":"ALLOW","decision":"BLOCK"}"#, Outcome::Resolved(Decision::Block)),
        (r#"{"resolved":true}"#, Outcome::Resolved(Decision::Block)),
        (r#"{"resolved":false,"resolution":"ALLOW"}"#, Outcome::Pending),
        (r#"{"resolved":false,"decision":"ALLOW"}"#, Outcome::Pending),
        (r#"{"resolved":false,"authorization_decision":"ALLOW","status":"pending"}"#, Outcome::Pending),
        (r#"{"decision":"STEP_UP"}"#, Outcome::Pending),
        (r#"{"authorizationDecision":"ALLOW"}"#, Outcome::Resolved(Decision::Allow)),
        ("{}", Outcome::Pending),
    ] {
        assert_eq!(read::<Status>(text.as_bytes()).unwrap().outcome(), expected, "{text}");
    }
}

/// Batches come as a list or wrapped, in snake_case or camelCase; one bad event costs only itself; the same event sent
/// twice has one name, and no name reaches into another tenant.
#[test]
fn the_shapes_of_a_batch() {
    let snake = r#"{"tenant_id":"t","session_id":"s","event_type":"TOOL_CALL_PRE","tool_name":"x","hostname":"h"}"#;
    let camel = r#"{"tenantId":"t","sessionId":"s","eventType":"TOOL_CALL_PRE","toolName":"x","hostname":"h"}"#;
    let both = format!(r#" [{snake},{camel},{{"tenant_id":"t"}},7]"#);
    let bare = Batch::read(both.as_bytes()).unwrap();
    let wrapped = Batch::read(format!(r#"{{"events":{both},"source":"go"}}"#).as_bytes()).unwrap();
    assert_eq!(bare, wrapped);
    let [(0, first), (1, second)] = &bare.events[..] else { panic!("{bare:?}") };
    assert_eq!(first, second);
    assert_eq!(first.id_within("t"), second.id_within("t"));
    assert!(first.id_within("t").starts_with("t:sha256-"), "{}", first.id_within("t"));
    assert_eq!(serde_json::to_string(first).unwrap(), snake);
    let told: Vec<_> = bare.refused.iter().map(|refused| (refused.index, refused.message.as_str())).collect();
    assert_eq!(told, [(2, "missing field `session_id`"), (3, "a value of another type than the contract says")]);
    for (id, expected) in [("t:1", "t:1"), ("1", "t:1"), ("other:1", "t:other:1"), ("tt:1", "t:tt:1")] {
        let event = event::Event { event_id: Some(id.to_owned()), ..first.clone() };
        assert_eq!(event.id_within("t"), expected);
    }
    let many = format!("[{}]", vec!["{}"; MAX_EVENTS + 1].join(","));
    assert_eq!(Batch::read(many.as_bytes()), Err(BatchError::TooMany(MAX_EVENTS + 1)));
    assert!(Batch::read(b"7").is_err() && Batch::read(b"{}").is_err() && Batch::read(b"").is_err());
}

/// Which keys can be asked for, in new and old words.
#[test]
fn the_requests_for_keys() {
    for (text, expected) in [
        (r#"{"scope_level":"organization","permissions":["read","write"]}"#, Ok(())),
        (r#"{"scopeLevel":"agent","scopeTargetId":"a","permissions":["events:write","step-up:read"]}"#, Ok(())),
        (r#"{"scope_level":"fleet","permissions":["read"]}"#, Err(CreateError::NoTarget(ScopeLevel::Fleet))),
        (r#"{"scope_level":"org","scope_target_id":"x","permissions":["read"]}"#, Err(CreateError::Target)),
        (r#"{"scope_level":"org","permissions":[]}"#, Err(CreateError::NoPermission)),
        (r#"{"scope_level":"org","permissions":["read"],"ttl_seconds":0}"#, Err(CreateError::NoTime)),
    ] {
        assert_eq!(read::<Create>(text.as_bytes()).unwrap().check(), expected, "{text}");
    }
    for word in ["root", "admin", "Admin"] {
        let text = format!(r#"{{"scope_level":"org","permissions":["read","{word}"]}}"#);
        let refused = read::<Create>(text.as_bytes()).unwrap_err();
        assert_eq!(refused.what, "expected one of read, write, execute", "{word}");
    }
    for (text, fits) in [(" thoth_live_1\n", true), ("", false), ("a b", false), ("\u{e9}", false)] {
        assert_eq!(ApiKey::parse(text).is_some(), fits, "{text:?}");
    }
    assert!(ApiKey::parse(&"x".repeat(513)).is_none());
}

/// Errors of any server are understood as far as they go.
#[test]
fn the_shapes_of_errors() {
    for (text, code, message) in [
        (r#"{"error":{"code":"forbidden","message":"no","requestId":"r"}}"#, Some("forbidden"), Some("no")),
        (r#"{"error":{"type":"billing_error","message":"pay"}}"#, Some("billing_error"), Some("pay")),
        (r#"{"error":"invalid_scope","message":"no"}"#, Some("invalid_scope"), Some("no")),
        (r#"{"error":"invalid_scope","error_description":"no"}"#, Some("invalid_scope"), Some("no")),
        (r#"{"error":"no"}"#, None, Some("no")),
        (r#"{"reason":"no"}"#, None, Some("no")),
        (r#"{"detail":"no"}"#, None, Some("no")),
        (r#"{"errors":[{"code":"x","detail":"no"}]}"#, Some("x"), Some("no")),
        (r#"[{"message":"no"}]"#, None, Some("no")),
        ("<html>", None, None),
        ("", None, None),
    ] {
        let told = fault::Told::read(text.as_bytes());
        assert_eq!((told.code.as_deref(), told.message.as_deref()), (code, message), "{text}");
    }
    let ours = fault::Fault::new(fault::Code::NotFound, "no such hold".to_owned(), "r".to_owned());
    let told = fault::Told::read(&serde_json::to_vec(&ours).unwrap());
    assert_eq!(told.code.as_deref().and_then(fault::Code::parse), Some(fault::Code::NotFound));
    assert_eq!(told.request_id.as_deref(), Some("r"));
}

/// Every member that a type reads, under every name.
fn members<T: serde::de::DeserializeOwned>() -> &'static [&'static str] {
    use serde::de::{Deserializer, Visitor, value::Error};

    struct Asked<'a>(&'a std::cell::Cell<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("no members"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Error> {
            self.0.set(fields);
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
            seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let fields: std::cell::Cell<&'static [&'static str]> = std::cell::Cell::new(&[]);
    drop(T::deserialize(Asked(&fields)));
    fields.get()
}

/// Defends: whatever stands on the wire in snake_case is read in camelCase, too, in what is asked and in what is answered.
#[test]
fn every_member_is_read_in_camel_case() {
    let types: &[(&str, &[&str])] = &[
        ("enforce::Request", members::<enforce::Request>()),
        ("hold::Status", members::<Status>()),
        ("approval::Approval", members::<approval::Approval>()),
        ("approval::Query", members::<approval::Query>()),
        ("decision::Decision", members::<decision::Decision>()),
        ("decision::Violation", members::<decision::Violation>()),
        ("decision::Query", members::<decision::Query>()),
        ("event::Query", members::<event::Query>()),
        ("session::Session", members::<session::Session>()),
        ("session::Counts", members::<session::Counts>()),
        ("session::Query", members::<session::Query>()),
        ("session::Agent", members::<session::Agent>()),
        ("session::AgentQuery", members::<session::AgentQuery>()),
        ("endpoint::Register", members::<endpoint::Register>()),
        ("endpoint::CheckIn", members::<endpoint::CheckIn>()),
        ("endpoint::Endpoint", members::<endpoint::Endpoint>()),
        ("endpoint::Query", members::<endpoint::Query>()),
        ("endpoint::Stats", members::<endpoint::Stats>()),
        ("evidence::Chain", members::<evidence::Chain>()),
        ("evidence::Record", members::<evidence::Record>()),
        ("evidence::ChainQuery", members::<evidence::ChainQuery>()),
        ("evidence::Check", members::<evidence::Check>()),
        ("evidence::CheckQuery", members::<evidence::CheckQuery>()),
        ("settings::Settings", members::<settings::Settings>()),
        ("settings::Effective", members::<settings::Effective>()),
        ("settings::Answer", members::<settings::Answer>()),
        ("policy_bundle::Upload", members::<policy_bundle::Upload>()),
        ("policy_bundle::Bundle", members::<policy_bundle::Bundle>()),
        ("policy_bundle::WhoseQuery", members::<policy_bundle::WhoseQuery>()),
        ("key::Create", members::<Create>()),
        ("key::Row", members::<Row>()),
    ];
    let camel = |name: &str| {
        let mut parts = name.split('_');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| {
            let (letter, rest) = part.split_at(1);
            text + &letter.to_uppercase() + rest
        })
    };
    for (of, members) in types {
        assert!(!members.is_empty(), "{of}");
        for name in *members {
            assert!(members.contains(&&*camel(name)), "{of}: {name}");
        }
    }
}

/// Defends: a member that nobody knows is told as such, by its name where that is one, so that a typo is found.
#[test]
fn an_unknown_member_is_named() {
    let wrong = |text: &str| read::<settings::Settings>(text.as_bytes()).unwrap_err().what;
    let told = wrong(r#"{"event_retention_dayz":10}"#);
    assert!(told.starts_with("`event_retention_dayz` is no member here, where there are enforcement_mode, "), "{told}");
    assert!(!told.contains("enforcementMode"), "{told}");
    assert_eq!(wrong(r#"{"a SECRET":10}"#), "a value of another type than the contract says");
    let whole: settings::Settings = read(br#"{"eventRetentionDays":10,"enforcePerMinute":5}"#).unwrap();
    assert_eq!((whole.event_retention_days, whole.enforce_per_minute), (Some(10), Some(5)));
}
