//! Replays of made-up records. That records come out of the gate like this is tested where both are at hand, with the
//! program itself.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use thoth_policy::{Labelled, Policy, Query, Sources, load};
use thoth_testkit::naive_policy::{NaiveCall, calls, policies_with_overrides};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Approval, Arguments, Finding, ReasonCode, RiskLevel, Stage};
use thoth_workbench::replay::{Change, Kept, RecordedCall, Replay, Replayed, Summary};

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// An event about a call of `tool` that was answered `approval`; `more` is laid over it.
fn event(tool: &str, approval: &str, more: &Value) -> Value {
    let decision = match approval {
        "auto" => "ALLOW",
        "approve" => "STEP_UP",
        _ => "BLOCK",
    };
    let mut event = json!({
        "eventType": "TOOL_CALL_PRE", "callId": "s-1", "occurredAt": "2026-03-02T10:00:00.000Z", "sessionId": "s",
        "serverName": "files", "toolName": tool, "decision": decision, "approval": approval,
        "reasonCode": format!("rule_{approval}"), "policyDigest": "sha256:old", "findings": [],
        "contentBytes": 9, "contentMode": "none", "sessionToolCallCount": 0, "approvedScope": [], "skippedStages": [],
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn read(event: &Value) -> RecordedCall {
    RecordedCall::read(event.to_string().as_bytes()).unwrap().unwrap()
}

fn replayed(policy: &Policy, event: &Value) -> Replayed {
    Replay::new(policy, &|_, _| Vec::new()).call(&read(event))
}

fn words(replayed: &Replayed) -> String {
    let new: Vec<&str> = replayed.new.iter().map(|new| new.as_str()).collect();
    let needs: Vec<&str> = replayed.needs.iter().map(String::as_str).collect();
    let rule = replayed.rule.as_deref().unwrap_or("-");
    format!("{}: {} -> {} by {rule} [{}]", replayed.change.as_str(), replayed.old, new.join("|"), needs.join(", "))
}

const NEW: &str = r#"
defaults: {approval: approve}
gateway: {denied_tools: [rm]}
scope: {intents: {report: ["read*"]}}
rules:
  - {name: data, match: {tool: read}, conditions: {path_under: {path: /data}}, approval: auto}
  - {name: key, match: {tool: login}, conditions: {param_eq: {o.key: hunter2}}, approval: block}
  - {name: has, match: {tool: has}, conditions: {param_exists: [key]}, approval: block}
  - {name: late, match: {tool: late}, conditions: {time_after: "18:00", tz: UTC}, approval: auto}
  - {name: both, match: {tool: both}, conditions: {param_gt: {n: 5}}, approval: block}
  - {name: other, match: {tool: both}, conditions: {param_lte: {n: 5}, param_eq: {a: 1}}, approval: block}
  - {name: sure, match: {tool: sure}, conditions: {param_gt: {n: 5}}, approval: approve}
"#;

/// Defends "unknown, needs an argument that was redacted", and that nothing is unknown which is not.
#[test]
fn what_is_kept_decides_what_is_known() {
    let whole = |text: &str| json!({"contentMode": "full", "content": text});
    let partly = |text: &str| json!({"contentMode": "redacted", "content": text, "contentRedactions": 1});
    let conditions = |list: &[&str]| json!({ "conditions": list });
    let rows = [
        ("read", "block", whole(r#"{"path": "/data/x"}"#), "looser: block -> auto by data []"),
        ("read", "auto", whole(r#"{"path": "/data/x"}"#), "unchanged: auto -> auto by data []"),
        ("read", "auto", whole(r#"{"path": "/etc/x"}"#), "stricter: auto -> approve by - []"),
        ("read", "approve", json!({}), "unknown: approve -> auto|approve by - [argument `path`]"),
        ("read", "block", json!({}), "looser: block -> auto|approve by - [argument `path`]"),
        ("read", "auto", json!({"contentBytes": 0}), "stricter: auto -> approve by - []"),
        // The outcome of the same condition was recorded.
        ("read", "approve", conditions(&["true path_under path /data"]), "looser: approve -> auto by data []"),
        ("read", "approve", conditions(&["false path_under path /data"]), "unchanged: approve -> approve by - []"),
        ("read", "approve", conditions(&["error path_under path /data"]), "unchanged: approve -> approve by - []"),
        (
            "read",
            "approve",
            conditions(&["true path_under path /dat"]),
            "unknown: approve -> auto|approve by - [argument `path`]",
        ),
        // Redacted.
        ("read", "approve", partly(r#"{"path": "/data/x", "t": "[redacted]"}"#), "looser: approve -> auto by data []"),
        (
            "read",
            "approve",
            partly(r#"{"path": "/data/[redacted]"}"#),
            "unknown: approve -> auto|approve by - [argument `path`]",
        ),
        (
            "read",
            "approve",
            partly(r#"{"pa[redacted]": "/data/x"}"#),
            "unknown: approve -> auto|approve by - [argument `path`]",
        ),
        (
            "login",
            "approve",
            partly(r#"{"o": {"key": "[redacted]"}}"#),
            "unknown: approve -> approve|block by - [argument `o.key`]",
        ),
        (
            "login",
            "approve",
            partly(r#"{"o": "[redacted]"}"#),
            "unknown: approve -> approve|block by - [argument `o.key`]",
        ),
        (
            "login",
            "approve",
            partly(r#"{"o": {"key": "x"}, "p": "[redacted]"}"#),
            "unchanged: approve -> approve by - []",
        ),
        (
            "login",
            "approve",
            partly(r#"{"o": {}, "o.key": "[redacted]"}"#),
            "unknown: approve -> approve|block by - [argument `o.key`]",
        ),
        ("has", "approve", partly(r#"{"key": "[redacted]"}"#), "stricter: approve -> block by has []"),
        ("has", "approve", partly(r#"{"other": "[redacted]"}"#), "unchanged: approve -> approve by - []"),
        // Cut content is no content.
        (
            "read",
            "approve",
            json!({"contentMode": "full", "content": "{\"path\": \"/data/x", "contentTruncated": true}),
            "unknown: approve -> auto|approve by - [argument `path`]",
        ),
        ("late", "approve", json!({}), "unchanged: approve -> approve by - []"),
        ("late", "approve", json!({"occurredAt": "2026-03-02T19:00:00.000Z"}), "looser: approve -> auto by late []"),
        ("both", "approve", json!({}), "unknown: approve -> approve|block by - [argument `a`, argument `n`]"),
        // Whatever the argument is.
        ("sure", "approve", json!({}), "unchanged: approve -> approve by - []"),
        ("rm", "auto", json!({}), "stricter: auto -> block by - []"),
        (
            "late",
            "auto",
            json!({"sessionIntent": "report", "occurredAt": "2026-03-02T19:00:00.000Z"}),
            "stricter: auto -> approve by - []",
        ),
        ("read", "auto", json!({"approvedScope": ["write*"]}), "stricter: auto -> block by - []"),
        // What was taken out before the call went out is nowhere to be seen.
        (
            "read",
            "approve",
            json!({"decision": "MODIFY", "contentMode": "full", "content": "{\"path\": \"/data/x\"}"}),
            "unknown: approve -> auto|approve by - [argument `path`]",
        ),
    ];
    let new = policy(NEW);
    for (tool, old, more, expected) in rows {
        assert_eq!(words(&replayed(&new, &event(tool, old, &more))), expected, "{tool} {more}");
    }
}

fn finding(stage: &str, code: &str, approval: &str) -> Value {
    json!({"stage": stage, "code": code, "approval": approval, "risk": "high", "hard": false, "detail": ""})
}

/// Defends what is compared: what the policies say, not what became of the call by its mode, by people, or by its server.
#[test]
fn answers_are_those_of_the_policy() {
    let new = policy("defaults: {approval: approve}\nrules: [{match: {tool: free}, approval: auto}]");
    let findings = |list: &[Value]| json!({ "findings": list, "contentBytes": 0 });
    let rule = |approval: &str| finding("rules", &format!("rule_{approval}"), approval);
    let rows = [
        // Observed, approved, denied, refused with its batch.
        (
            "t",
            json!({"decision": "ALLOW", "wouldBe": "STEP_UP", "contentBytes": 0}),
            "unchanged: approve -> approve by - []",
        ),
        (
            "t",
            findings(&[rule("approve"), finding("approval", "approval_denied", "block")]),
            "unchanged: approve -> approve by - []",
        ),
        (
            "free",
            findings(&[rule("auto"), finding("scope", "batch_refused", "block")]),
            "unchanged: auto -> auto by rule_0 []",
        ),
        // What the server did stays.
        (
            "free",
            findings(&[rule("auto"), finding("integrity", "tool_changed", "block")]),
            "unchanged: block -> block by - []",
        ),
        (
            "free",
            findings(&[rule("block"), finding("integrity", "tool_unlisted", "approve")]),
            "looser: block -> approve by - []",
        ),
        (
            "free",
            findings(&[rule("auto"), finding("preflight", "tool_not_allowed_for_session_intent", "block")]),
            "unchanged: block -> block by - []",
        ),
        (
            "free",
            findings(&[rule("auto"), finding("limits", "rate_limited", "block")]),
            "looser: block -> auto by rule_0 []",
        ),
    ];
    for (tool, more, expected) in rows {
        assert_eq!(words(&replayed(&new, &event(tool, "approve", &more))), expected, "{tool} {more}");
    }
}

/// Defends "unchanged": what the same policy answered is known, whatever is kept.
#[test]
fn the_same_policy_answers_the_same() {
    let new = policy(NEW);
    for (digest, expected) in [(new.digest(), Change::Unchanged), ("sha256:other", Change::Unknown)] {
        assert_eq!(replayed(&new, &event("read", "approve", &json!({ "policyDigest": digest }))).change, expected);
    }
}

/// What an inspection found in arguments that are not kept is in the record by class.
#[test]
fn inspections_of_what_is_not_kept() {
    let found = |approval: &str| json!({"findings": [finding("rules", "rule_auto", "auto"), finding("inspection", "argument_secret", approval)]});
    let skipped = json!({"skippedStages": ["inspection", "limits"]});
    let rows = [
        ("", found("approve"), "unchanged: approve -> approve by - []"),
        ("inspect: {secrets: {arguments: allow}}", found("approve"), "looser: approve -> auto by - []"),
        ("inspect: {secrets: {arguments: block}}", found("approve"), "stricter: approve -> block by - []"),
        (
            "inspect: {secrets: {arguments: allow}}",
            found("block"),
            "unknown: block -> auto|approve|block by - [an inspection of the arguments]",
        ),
        (
            "gateway: {blocked_patterns: [x]}",
            json!({}),
            "unknown: auto -> auto|approve|block by - [an inspection of the arguments]",
        ),
        ("", json!({}), "unchanged: auto -> auto by - []"),
        ("", skipped, "unknown: auto -> auto|approve|block by - [an inspection of the arguments]"),
    ];
    for (section, more, expected) in rows {
        let new = policy(&format!("defaults: {{approval: auto}}\n{section}"));
        let replayed = replayed(&new, &event("t", "auto", &more));
        assert_eq!(words(&replayed), expected, "{section} {more}");
    }
}

/// Defends redactions: the rules must let through what came and what goes out, and what is left of arguments is known only
/// where the record has it.
#[test]
fn what_is_taken_out_of_arguments_is_judged_twice() {
    let edit = json!({"stage": "inspection", "code": "argument_secret", "approval": "auto", "risk": "medium"});
    let cut = json!({
        "enforcementMode": "block", "findings": [finding("rules", "rule_auto", "auto"), edit],
        "contentMode": "full", "content": r#"{"text": "[REDACTED:secrets]"}"#,
        "conditions": ["false param_contains text \"REDACTED\""],
    });
    let rules =
        "rules: [{name: cut, match: {tool: t}, conditions: {param_contains: {text: REDACTED}}, approval: block}]";
    let with = |word: &str| {
        policy(&format!("defaults: {{approval: auto}}\ninspect: {{secrets: {{arguments: {word}}}}}\n{rules}"))
    };
    for (word, expected) in
        [("redact", "stricter: auto -> block by - []"), ("allow", "unchanged: auto -> auto by - []")]
    {
        assert_eq!(words(&replayed(&with(word), &event("t", "auto", &cut))), expected);
    }
    // Of what came, all is kept, and this policy is the first that takes something out.
    let whole = json!({"contentMode": "full", "content": r#"{"text": "a secret"}"#, "enforcementMode": "block"});
    let taken = Finding {
        stage: Stage::Inspection,
        approval: Approval::Auto,
        code: ReasonCode::ArgumentSecret,
        risk: RiskLevel::Medium,
        rule: None,
        place: None,
        detail: "".into(),
        hard: false,
        retry_after_seconds: None,
    };
    let redacts = with("redact");
    let found = |event: &Value| words(&Replay::new(&redacts, &|_, _| vec![taken.clone()]).call(&read(event)));
    let mut event = event("t", "auto", &whole);
    assert_eq!(found(&event), "unknown: auto -> auto|block by - [argument `text`]");
    // Where the mode only observes, nothing is taken out.
    event["enforcementMode"] = "observe".into();
    assert_eq!(found(&event), "unchanged: auto -> auto by - []");
}

/// Defends a replay from guessing labels: what is not in the record may be either way, and never undecided.
#[test]
fn labels_are_taken_from_the_record_alone() {
    let new = policy(
        "defaults: {approval: auto}\nrules:\n  \
         - {name: told, match: {tool: send}, conditions: {labels: [injection, secrets]}, approval: block}\n  \
         - {name: calm, match: {tool: calm}, conditions: {labels: injection}, approval: auto}",
    );
    let row = |tool: &str, conditions: Value| {
        let recorded = event(tool, "auto", &json!({"contentBytes": 0, "conditions": conditions}));
        words(&Replay::new(&new, &|_, _| Vec::new()).call(&read(&recorded)))
    };
    for (tool, conditions, expected) in [
        ("send", json!([]), "unknown: auto -> auto|block by - [outcome of `labels [secrets, injection]`]"),
        ("send", json!(["true labels [secrets, injection]"]), "stricter: auto -> block by told []"),
        ("send", json!(["false labels [secrets, injection]"]), "unchanged: auto -> auto by - []"),
        (
            "send",
            json!(["true labels [secrets]"]),
            "unknown: auto -> auto|block by - [outcome of `labels [secrets, injection]`]",
        ),
        ("calm", json!([]), "unchanged: auto -> auto by - []"),
    ] {
        assert_eq!(row(tool, conditions), expected);
    }
}

/// Defends "session history is rebuilt from the ledger's own order".
#[test]
fn the_past_is_that_of_the_ledger() {
    let new = policy(
        "defaults: {approval: auto}\ngateway: {max_tool_calls: 5}\ntools: {often: {max_calls_per_minute: 2}}\nrules:\n  \
         - {name: after, match: {tool: send}, conditions: {after_call: secret}, approval: block}\n  \
         - {name: rate, match: {tool: fast}, conditions: {rate: {limit: 2, window: 10s, per: tool}}, approval: approve}",
    );
    let at = |second: u32| format!("2026-03-02T10:00:{second:02}.000Z");
    // Tool, second, session, whether it went out; what the policy says.
    let rows = [
        ("send", 0, "s", true, Approval::Auto),
        ("secret", 1, "s", false, Approval::Auto),
        ("send", 2, "s", true, Approval::Auto),
        ("secret", 3, "t", true, Approval::Auto),
        ("send", 4, "t", true, Approval::Block),
        ("send", 5, "s", false, Approval::Auto),
        ("fast", 10, "u", true, Approval::Auto),
        ("FAST", 11, "u", true, Approval::Auto),
        ("fast", 12, "u", true, Approval::Approve),
        ("fast", 30, "u", true, Approval::Auto),
        ("often", 31, "u", true, Approval::Auto),
        ("often", 32, "u", true, Approval::Block),
    ];
    let mut replay = Replay::new(&new, &|_, _| Vec::new());
    for (tool, second, session, out, expected) in rows {
        let decision = if out { "ALLOW" } else { "BLOCK" };
        let more = json!({"occurredAt": at(second), "sessionId": session, "decision": decision, "contentBytes": 0});
        let new = replay.call(&read(&event(tool, "auto", &more))).new;
        assert_eq!(new, BTreeSet::from([expected]), "{tool} at {second}");
    }
    assert_eq!(replay.sessions(), 3);
    // A ledger that began later still tells how many calls there had been.
    let late = json!({"sessionToolCallCount": 6, "contentBytes": 0, "sessionId": "v"});
    assert_eq!(replay.call(&read(&event("x", "auto", &late))).new, BTreeSet::from([Approval::Block]));
}

/// Defends bad input: an event that is none, or lacks what a decision has, is told, and nothing panics.
#[test]
fn events_that_cannot_be_replayed() {
    for (text, expected) in [
        ("{", "the event cannot be read: "),
        (r#"{"eventType": "TOOL_CALL_PRE"}"#, "the event's `decision` is missing or is not what it should be"),
    ] {
        let error = RecordedCall::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert_eq!(RecordedCall::read(br#"{"eventType": "TOOL_CALL_POST"}"#), Ok(None));
    let full = event("t", "auto", &json!({}));
    for key in ["callId", "occurredAt", "sessionId", "serverName", "toolName", "approval", "policyDigest", "reasonCode"]
    {
        for wrong in [Value::Null, json!(7)] {
            let mut event = full.clone();
            event[key] = wrong;
            assert!(RecordedCall::read(event.to_string().as_bytes()).is_err(), "{key}");
        }
    }
}

#[test]
fn a_summary_counts_and_shows_examples() {
    let new = policy(NEW);
    let mut replay = Replay::new(&new, &|_, _| Vec::new());
    let mut summary = Summary::new(2);
    let shadow = |approval: &str| json!([{"source": "policy", "approval": approval, "rule": "x", "policyDigest": "sha256:other", "reasonCode": "rule_block"}]);
    let whole = json!({"contentMode": "full", "content": "{\"path\": \"/data/x\"}"});
    for (old, shadow) in
        [("block", shadow("block")), ("block", shadow("auto")), ("block", Value::Null), ("auto", shadow("block"))]
    {
        let mut event = event("read", old, &whole);
        event["shadow"] = shadow;
        let call = read(&event);
        let replayed = replay.call(&call);
        summary.add(&call, &replayed);
    }
    let groups: Vec<String> = summary
        .groups(Change::Looser)
        .iter()
        .map(|group| format!("{} [{}]", group.line(), group.examples.len()))
        .collect();
    assert_eq!(groups, ["       3  block -> auto  by data (p.yaml:6:5) [2]"]);
    let shadows: Vec<_> = summary
        .shadows()
        .map(|(source, _, asked, groups)| {
            (
                source.to_owned(),
                asked,
                groups.iter().map(thoth_workbench::replay::ShadowGroup::line).collect::<Vec<_>>(),
            )
        })
        .collect();
    let lines = ["       1  auto -> block  by x".to_owned(), "       1  block -> auto  by x".to_owned()];
    assert_eq!(shadows, [("policy".to_owned(), 3, lines.to_vec())]);
    let json = summary.to_json();
    let counts = ["calls", "unchanged", "stricter", "looser", "unknown"].map(|key| json[key].clone());
    assert_eq!(counts, [4, 1, 0, 3, 0].map(Value::from));
    assert_eq!(json["changes"][0]["examples"].as_array().map(Vec::len), Some(2));
}

/// The answer of a policy to a call of which everything is known.
fn answer(policy: &Policy, call: &NaiveCall) -> Approval {
    let text = call.arguments.to_string();
    let mut tape = Tape::new();
    let value = tape.parse(text.as_bytes(), &Limits::default()).unwrap();
    let labels = Labelled(call.labels.iter().copied().collect());
    let query = Query {
        agent: call.agent.as_deref(),
        arguments: Arguments::new(Some(value)),
        history: &labels,
        ..Query::new(&call.tool, &call.server)
    };
    policy.explain(&query, false).approval
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends the whole of it, whatever is kept: the true answer is always among the possible ones; with all arguments, or
    /// with the outcomes of the policy's own conditions, it is the only one; and a change that is told is one.
    #[test]
    fn the_true_answer_is_possible(old in policies_with_overrides(), new in policies_with_overrides(), call in calls()) {
        let (old, new) = (policy(&old.to_yaml()), policy(&new.to_yaml()));
        let (before, truth) = (answer(&old, &call), answer(&new, &call));
        let text = call.arguments.to_string();
        let mut tape = Tape::new();
        let value = tape.parse(text.as_bytes(), &Limits::default()).unwrap();
        let labels = Labelled(call.labels.iter().copied().collect());
        let query = Query { agent: call.agent.as_deref(), arguments: Arguments::new(Some(value)), history: &labels, ..Query::new(&call.tool, &call.server) };
        let outcomes = |policy: &Policy| {
            let outcomes = policy.condition_outcomes(&query);
            Value::from(outcomes.into_iter().map(|(name, outcome)| format!("{} {name}", outcome.as_str())).collect::<Vec<_>>())
        };
        let bytes = text.len();
        for (kept, exact) in [
            (json!({"contentMode": "full", "content": text}), true),
            (json!({"contentMode": "hash", "content": "x", "conditions": outcomes(&new)}), true),
            (json!({"contentMode": "none", "conditions": outcomes(&old)}), false),
            (json!({"contentMode": "none"}), false),
        ] {
            let mut event = event(&call.tool, before.as_str(), &kept);
            event["serverName"] = call.server.clone().into();
            event["contentBytes"] = bytes.into();
            if let Some(agent) = &call.agent {
                event["agentId"] = agent.clone().into();
            }
            let recorded = read(&event);
            let replayed = Replay::new(&new, &|_, _| Vec::new()).call(&recorded);
            prop_assert!(replayed.new.contains(&truth), "{} {:?}", words(&replayed), truth);
            prop_assert_eq!(replayed.old, before);
            // Labels of the session are known by the outcomes of conditions alone.
            let labels_matter = replayed.needs.iter().any(|need| need.starts_with("outcome of `labels "));
            prop_assert!(!labels_matter || kept["contentMode"] != "hash");
            if exact && !labels_matter {
                prop_assert_eq!(replayed.new.len(), 1, "{}", words(&replayed));
            }
            match replayed.change {
                Change::Unchanged => prop_assert_eq!(truth, before),
                Change::Stricter => prop_assert!(truth > before),
                Change::Looser => prop_assert!(truth < before),
                Change::Unknown => prop_assert!(labels_matter || !matches!(recorded.arguments, Kept::Whole(_))),
            }
        }
    }
}
