//! Both ends of the contract, which are made apart, understand each other.

use std::time::Duration;

use thoth_api::contract::hold::Outcome;
use thoth_api::contract::key::{ApiKey, Create, Permission, Rotate, ScopeLevel};
use thoth_api::contract::{approval, enforce, event, explain, read};
use thoth_api::{Administration, Enforcer, TlsSettings, Url};
use thoth_types::Decision;

use super::thothd::Thothd;
use super::{POLICY, keys};

const LONG: Duration = Duration::from_secs(120);

fn request(tool: &str) -> enforce::Request {
    let text = format!(
        r#"{{"agent_id":"bot","tenant_id":"acme","user_id":"u","session_id":"s","tool_name":"{tool}",
            "tool_args":{{"n":1.10}},"enforcement_trace_id":"t1","action_attestation_id":"a1"}}"#
    );
    read(text.as_bytes()).expect("a request")
}

#[tokio::test]
async fn the_typed_client_and_the_server_agree() {
    let site = Thothd::start(POLICY, &[]);
    let (key, person) = keys(&site);
    let key_of = |text: &str| ApiKey::parse(text).expect("a key");
    let url = || Url::parse(&site.url()).expect("an address");
    let tls = TlsSettings { verify: true, ca_bundle: None, pins: Vec::new() };
    let enforcer = Enforcer::new(url(), key_of(&key), &tls, LONG).expect("a client");
    let people = Administration::new(url(), "acme".to_owned(), key_of(&person), &tls, LONG).expect("a client");

    assert_eq!(enforcer.decide(&request("read_file")).await.expect("an answer").decision(), Decision::Allow);
    let held = enforcer.decide(&request("write_file")).await.expect("an answer");
    assert_eq!(held.decision(), Decision::StepUp, "{held:?}");
    let token = held.hold_token.expect("a hold");
    assert_eq!(enforcer.hold(&token, None).await.expect("an answer").outcome(), Outcome::Pending);
    let pending = approval::Query { status: Some(approval::State::Pending), ..approval::Query::default() };
    let listed = people.approvals(&pending).await.expect("an answer");
    assert_eq!((listed.total, &*listed.data.first().expect("one").id), (Some(1), &*token));
    let arguments = listed.data.first().and_then(|row| row.tool_args.as_ref()).map(|json| json.text().to_owned());
    assert_eq!(arguments.as_deref(), Some(r#"{"n":1.10}"#), "every digit");
    let yes = approval::Resolve { decision: approval::Answer::Approve, reason: Some("fine".to_owned()) };
    let (polled, answered) = tokio::join!(enforcer.hold(&token, Some(30)), people.resolve(&token, &yes));
    assert_eq!(polled.expect("an answer").outcome(), Outcome::Resolved(Decision::Allow));
    assert!(answered.expect("an answer").is_some());
    let votes = people.approval(&token).await.expect("an answer").votes;
    let [vote] = &votes[..] else { panic!("one vote: {votes:?}") };
    assert_eq!((vote.answer, vote.reason.as_deref(), &*vote.channel), (approval::Answer::Approve, Some("fine"), "api"));
    assert!(people.approvals(&approval::Query::default()).await.expect("an answer").data[0].votes.is_empty());
    assert_eq!(people.resolve(&token, &yes).await.expect_err("it is spent").status(), Some(409));

    let blocked = enforcer.decide(&request("delete_file")).await.expect("an answer");
    let question: explain::Request = read(
        format!(
            r#"{{"agent_id":"bot","tenant_id":"acme","user_id":"u","session_id":"s","tool_name":"delete_file",
                "violation_id":"{}"}}"#,
            blocked.violation_id.expect("a violation")
        )
        .as_bytes(),
    )
    .expect("a question");
    let words = enforcer.explain(&question).await.expect("an answer");
    assert!(words.why_it_was_blocked.contains("no_deleting"), "{words:?}");

    let told: event::Event =
        read(br#"{"tenant_id":"acme","session_id":"s","agent_id":"bot","event_type":"TOOL_CALL_POST","content":1}"#)
            .expect("an event");
    for (accepted, duplicates) in [(1, 0), (0, 1)] {
        let receipt = enforcer.tell(std::slice::from_ref(&told)).await.expect("an answer");
        assert_eq!((receipt.accepted, receipt.duplicates), (accepted, duplicates));
    }
    assert_eq!(people.events(&event::Query::default()).await.expect("an answer").data.len(), 1);

    let wanted = Create {
        name: Some("another".to_owned()),
        scope_level: ScopeLevel::Organization,
        scope_target_id: None,
        permissions: [Permission::Read].into_iter().collect(),
        ttl_seconds: Some(60),
        jit_reason: None,
    };
    let made = people.create_key(&wanted).await.expect("an answer");
    let reader = Administration::new(url(), "acme".to_owned(), made.api_key, &tls, LONG).expect("a client");
    assert_eq!(reader.keys().await.expect("an answer").total, 3);
    let spare = people.create_key(&Create { name: Some("spare".to_owned()), ..wanted }).await.expect("an answer");
    let rotated = people.rotate_key(&spare.row.id, &Rotate { grace_seconds: Some(60) }).await.expect("an answer");
    assert_eq!((&rotated.replaced.id, &rotated.created.row.name), (&spare.row.id, &spare.row.name));
    assert!(rotated.replaced.revoked_at.is_none() && rotated.replaced.expires_at.is_some());
    let rotated = people.rotate_key(&rotated.created.row.id, &Rotate::default()).await.expect("an answer");
    assert!(rotated.replaced.revoked_at.is_some());
    let gone = people.revoke_key(&made.row.id).await.expect("an answer").expect("a row");
    assert!(gone.revoked_at.is_some());
    assert_eq!(reader.keys().await.expect_err("it was taken back").status(), Some(401));
}
