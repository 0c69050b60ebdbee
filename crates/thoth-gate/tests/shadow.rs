//! Rules and policies in shadow: recorded, never obeyed.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::str::FromStr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::{Answer, Evidence, EvidenceError, Gate, GateSession, Moment, Standing};
use thoth_policy::{Policy, ScopeList, Sources};
use thoth_types::json::{Limits, Tape};
use thoth_types::{AgentId, Arguments, Caller, Listed, Mode, ServerName, SessionId, ToolCall};

#[derive(Default)]
struct Memory(Mutex<Vec<String>>);

impl Evidence for Memory {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        self.0.lock().unwrap().extend(leaves.iter().map(|leaf| String::from_utf8(leaf.to_vec()).unwrap()));
        Ok(())
    }
}

fn policy(text: &str) -> Policy {
    thoth_policy::load("p.yaml", &Sources::one("p.yaml", text)).unwrap()
}

/// What was answered to `calls` of one session, and what was recorded of them as they were decided.
fn decided(live: &str, beside: Option<&str>, content: ContentMode, calls: &[(&str, &str)]) -> Vec<(bool, Value)> {
    let memory = Arc::new(Memory::default());
    let evidence: Arc<dyn Evidence> = Arc::clone(&memory) as Arc<dyn Evidence>;
    let gate = Gate::new(Standing::Valid(Box::new(policy(live))), evidence, content, ContentKey::new([1; 32]));
    if let Some(beside) = beside {
        gate.watch(policy(beside));
    }
    let caller = Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: AgentId::from_str("agent").ok(),
        session: SessionId::from_str("session").unwrap(),
        server: ServerName::from_str("files").unwrap(),
        intent: None,
        approved_scope: Vec::new(),
        mode: Mode::Block,
    };
    let mut session = GateSession::new(caller, ScopeList::default(), [7; 8]);
    let mut admitted = Vec::new();
    for (second, (tool, arguments)) in (0..).zip(calls) {
        let mut tape = Tape::new();
        let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
        let call = ToolCall {
            tool: (*tool).into(),
            arguments: Arguments::new(Some(value)),
            listed: Listed::Yes,
            integrity: None,
            retry_of: None,
            task: false,
            remote: None,
            also_sent: Box::default(),
            enforcement_trace: None,
        };
        let now = Moment { wall: jiff::Timestamp::from_second(1_790_000_000 + second).unwrap(), monotonic_us: 0 };
        let mut round = gate.round(&mut session);
        admitted.push(matches!(round.admit(&call, arguments.as_bytes().into(), &|| None, now), Answer::Admitted));
        round.commit();
    }
    let events: Vec<Value> = memory.0.lock().unwrap().iter().map(|leaf| serde_json::from_str(leaf).unwrap()).collect();
    let others = events.iter().filter(|event| event["eventType"] != "TOOL_CALL_PRE");
    assert!(others.clone().all(|event| event.get("shadow").is_none() && event.get("conditions").is_none()));
    let decisions = events.into_iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE");
    admitted.into_iter().zip(decisions).collect()
}

/// What is recorded of the shadow: who, what, by which rule.
fn shadow(event: &Value) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = event["shadow"].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| [text(&one["source"]), text(&one["approval"]), text(&one["rule"])]).collect()
}

const LIVE: &str = r#"
defaults: { approval: auto }
rules:
  - { name: etc, match: { tool: "read*" }, conditions: { path_under: { path: /etc } }, approval: block }
  - { name: tmp, match: { tool: "read*" }, conditions: { path_under: { path: /tmp } }, approval: block, mode: shadow }
"#;

/// Defends shadow mode: the answer is the live one, and the other one stands beside it in the record.
#[test]
fn what_would_have_been_answered_is_recorded() {
    let beside = r#"
        defaults: { approval: approve }
        gateway: { max_tool_calls: 3 }
        rules: [{ name: reads, match: { tool: "read*" }, approval: auto }]
    "#;
    let calls = [
        ("read", r#"{"path": "/tmp/a"}"#),
        ("read", r#"{"path": "/etc/a"}"#),
        ("write", r#"{"path": "/tmp/a"}"#),
        ("read", r#"{"path": "/srv/a"}"#),
        ("read", r#"{"path": "/srv/b"}"#),
    ];
    let with = decided(LIVE, Some(beside), ContentMode::Redacted, &calls);
    let own = |approval: &str, rule: &str| ["rules".to_owned(), approval.to_owned(), rule.to_owned()];
    let other = |approval: &str, rule: &str| ["policy".to_owned(), approval.to_owned(), rule.to_owned()];
    let found: Vec<_> = with.iter().map(|(admitted, event)| (*admitted, shadow(event))).collect();
    assert_eq!(
        found,
        [
            (true, vec![own("block", "tmp"), other("auto", "reads")]),
            (false, vec![other("auto", "reads")]),
            (true, vec![other("approve", "-")]),
            (true, vec![other("auto", "reads")]),
            (true, vec![other("block", "-")]),
        ]
    );
    assert_eq!(with[0].1["shadow"][1]["policyDigest"], policy(beside).digest());
    assert_eq!(with[0].1["shadow"][0]["policyDigest"], policy(LIVE).digest());

    // Everything else of the record is what it is without a policy beside and without the rule in shadow mode.
    let alone = LIVE.replace("mode: shadow", "mode: \"off\"");
    let without = decided(&alone, None, ContentMode::Redacted, &calls);
    for ((admitted, mut event), (expected_admitted, mut expected)) in with.into_iter().zip(without) {
        for event in [&mut event, &mut expected] {
            let event = event.as_object_mut().unwrap();
            event.remove("shadow");
            event.remove("policyDigest");
        }
        assert_eq!((admitted, event), (expected_admitted, expected));
    }
}

/// Defends replays: where the arguments are not in the record as they came, the outcomes of the conditions are.
#[test]
fn conditions_stand_in_for_arguments() {
    let etc_tmp = json!(["false path_under path /etc", "true path_under path /tmp"]);
    let undecided = json!(["error path_under path /etc", "error path_under path /tmp"]);
    let secret = r#"{"path": "/tmp/a", "password": "hunter22"}"#;
    let long = format!(r#"{{"path": "/tmp/a", "text": "{}"}}"#, "x".repeat(40_000));
    for (content, arguments, expected) in [
        (ContentMode::Full, r#"{"path": "/tmp/a"}"#, Value::Null),
        (ContentMode::Full, secret, Value::Null),
        (ContentMode::Full, &*long, etc_tmp.clone()),
        (ContentMode::Redacted, r#"{"path": "/tmp/a"}"#, Value::Null),
        (ContentMode::Redacted, secret, etc_tmp.clone()),
        (ContentMode::Hash, r#"{"path": "/tmp/a"}"#, etc_tmp.clone()),
        (ContentMode::None, r#"{"path": "/tmp/a"}"#, etc_tmp),
        (ContentMode::None, r#"{"path": 7}"#, undecided),
    ] {
        let found = decided(LIVE, None, content, &[("read", arguments)]);
        assert_eq!(found[0].1["conditions"], expected, "{content:?} {arguments:.60}");
        assert_eq!(decided(LIVE, None, content, &[("write", arguments)])[0].1["conditions"], Value::Null);
    }
}

/// Where something is taken out of the arguments, the record has what went out; the conditions are those of what came.
#[test]
fn conditions_are_those_of_the_call_that_came() {
    let policy = r#"
        defaults: { approval: auto }
        inspect: { secrets: { arguments: redact } }
        rules: [{ match: { tool: t }, conditions: { param_contains: { text: ghp_ } }, approval: auto }]
    "#;
    // Cut in two so that no scanner of sources finds it.
    let secret = format!(r#"{{"text": "the token is {}{}"}}"#, "ghp_", "x7Kd92mQpLr4Tz8WvYb3Nc6HsJf1Ga5EuRoP");
    let found = decided(policy, None, ContentMode::Full, &[("t", &secret)]);
    assert_eq!(found[0].1["decision"], "MODIFY");
    assert_eq!(found[0].1["conditions"], json!(["true param_contains text \"ghp_\""]));
}
