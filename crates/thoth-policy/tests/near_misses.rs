//! What would have to be otherwise for another answer: each row is one call.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use proptest::prelude::*;
use thoth_policy::{Labelled, Policy, Query, Sources, Truth, load};
use thoth_testkit::naive_policy::{calls, policies_with_overrides};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Approval, Arguments, Finding, ReasonCode, RiskLevel, Stage};

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// `auto if … (such as …)`, one a line.
fn told(policy: &Policy, tool: &str, arguments: &str) -> String {
    let mut tape = Tape::new();
    let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
    let now = "2026-03-02T10:00:00Z".parse().unwrap();
    let query = Query { arguments: Arguments::new(Some(value)), now, ..Query::new(tool, "s") };
    let misses = policy.explain_by(&query, &mut |_| Vec::new(), true).near_misses.unwrap_or_default();
    let line = |miss: &thoth_policy::NearMiss| match &miss.example {
        Some(example) => format!("{}: {} if {} ({example})", miss.rule, miss.approval, miss.wanted),
        None => format!("{}: {} if {}", miss.rule, miss.approval, miss.wanted),
    };
    misses.iter().map(line).collect::<Vec<_>>().join("\n")
}

const POLICY: &str = r#"
defaults: {approval: approve}
gateway: {denied_tools: [rm]}
rules:
  - {name: data, match: {tool: [read, rm]}, conditions: {path_under: {path: /data}}, approval: auto}
  - {name: two, match: {tool: read}, conditions: {path_under: {path: /tmp}, param_eq: {mode: r}}, approval: auto}
  - {name: secret, match: {tool: read}, conditions: {param_contains: {path: secret}}, approval: block}
  - {name: big, match: {tool: pay}, conditions: {param_gt: {sum.amount: 100}}, approval: block}
  - {name: small, match: {tool: pay}, conditions: {param_lte: {sum.amount: 100}}, approval: auto}
  - {name: later, match: {tool: late}, conditions: {time_after: "18:00", tz: UTC}, approval: auto}
  - {name: often, match: {tool: late}, conditions: {rate: {limit: 5, window: 1m, per: session}}, approval: block}
  - {name: after, match: {tool: late}, conditions: {after_call: ["login*", "!login_as"]}, approval: auto}
  - {name: code, match: {tool: run}, conditions: {param_matches: {code: "^[A-Z]{4}$"}}, approval: auto}
  - {name: kinds, match: {tool: get}, conditions: {param_in: {kind: [a, b]}}, approval: auto}
  - {name: hosts, match: {tool: fetch}, conditions: {host_in: {url: "*.example.com"}}, approval: auto}
  - {name: long, match: {tool: note}, conditions: {size: {text: {gt: 3}}}, approval: block}
  - {name: gone, match: {tool: old}, conditions: {param_eq: {a: 1}}, approval: auto, expires: 2026-01-01}
  - {name: told, match: {tool: say}, conditions: {labels: [secrets, injection]}, approval: block}
  - {name: idle, match: {tool: old}, conditions: {param_eq: {a: 1}}, approval: block, mode: "off"}
"#;

/// Defends `explain`: what is told is the one thing that is in the way, and the answer is that of the whole policy.
#[test]
fn each_row_says_what_is_in_the_way() {
    let policy = policy(POLICY);
    let rows = [
        ("say", "{}", "told: block if a result of the session had held secrets or injection"),
        (
            "read",
            r#"{"path": "/etc/x"}"#,
            "data: auto if `path` were under /data (\"/data\")\nsecret: block if `path` contained \"secret\" (\"secret\")",
        ),
        (
            "read",
            r#"{"path": "/data/x"}"#,
            "data: approve if `path` were not under /data (\"/\")\nsecret: block if `path` contained \"secret\" (\"secret\")",
        ),
        (
            "read",
            r#"{"path": "/data/secret"}"#,
            "secret: auto if `path` did not contain \"secret\" (\"/data/\")\ndata: approve if `path` were not under /data (\"/\")",
        ),
        (
            "read",
            "{}",
            "data: auto if `path` were under /data (\"/data\")\nsecret: approve if `path` did not contain \"secret\" (\"\")",
        ),
        // The other rule of a pair holds in place of the first one.
        ("pay", r#"{"sum": {"amount": 500}}"#, "small: auto if `sum.amount` were at most 100 (100)"),
        ("pay", r#"{"sum": {"amount": 50}}"#, "big: block if `sum.amount` were greater than 100 (101)"),
        ("pay", r#"{"to": "x"}"#, "small: auto if `sum.amount` were at most 100 (100)"),
        ("pay", r#"{"sum": {"to": "x"}}"#, "small: auto if `sum.amount` were at most 100 (100)"),
        (
            "late",
            "{}",
            "later: auto if it were time 18:00..- UTC\nafter: auto if the session had called [ login*, !login_as ] before\n\
             often: block if this session had made at least 5 calls within 60 seconds",
        ),
        ("run", r#"{"code": "x"}"#, "code: auto if `code` matched /^[A-Z]{4}$/"),
        ("get", r#"{"kind": "c"}"#, "kinds: auto if `kind` were one of \"a\", \"b\" (\"a\")"),
        (
            "fetch",
            r#"{"url": "https://example.org/"}"#,
            "hosts: auto if `url` were a URL of *.example.com (\"https://www.example.com/\")",
        ),
        ("note", r#"{"text": "abcd"}"#, "long: approve if `text` were not >= 4 long (\"xxx\")"),
        // What is denied outright, expired or off is near nothing.
        ("rm", r#"{"path": "/etc"}"#, ""),
        ("old", r#"{"a": 2}"#, ""),
        ("other", "{}", ""),
    ];
    for (tool, arguments, expected) in rows {
        assert_eq!(told(&policy, tool, arguments), expected, "{tool} {arguments}");
    }
}

/// Defends "the answer is that of the whole policy": what an inspection finds in the changed call counts.
#[test]
fn what_an_inspection_finds_counts() {
    let policy = policy("rules: [{name: r, match: {tool: t}, conditions: {param_eq: {a: 1}}, approval: auto}]");
    let mut tape = Tape::new();
    let value = tape.parse(br#"{"a": 2}"#, &Limits::default()).unwrap();
    let query = Query { arguments: Arguments::new(Some(value)), ..Query::new("t", "s") };
    let asks = Finding {
        stage: Stage::Inspection,
        approval: Approval::Approve,
        code: ReasonCode::ArgumentPath,
        risk: RiskLevel::High,
        rule: None,
        place: None,
        detail: "found".into(),
        hard: false,
        retry_after_seconds: None,
    };
    for (found_in, expected) in [("1", Approval::Approve), ("2", Approval::Auto)] {
        let mut inspect = |query: &Query<'_>| {
            let raw = String::from_utf8_lossy(query.arguments.raw()).into_owned();
            if raw.contains(found_in) { vec![asks.clone()] } else { Vec::new() }
        };
        let explanation = policy.explain_by(&query, &mut inspect, true);
        let misses: Vec<Approval> = explanation.near_misses.iter().flatten().map(|miss| miss.approval).collect();
        assert_eq!(misses, [expected], "{found_in}");
    }
}

/// Defends evidence that names conditions: a name says all that matters, and is short.
#[test]
fn names_of_conditions() {
    let long = "x".repeat(200);
    for (conditions, expected) in [
        ("{param_glob: {path: \"/srv/*\"}}".to_owned(), "param_glob path /srv/*"),
        ("{param_glob: {path: [a, b]}}".to_owned(), "param_glob path [ a, b ]"),
        ("{param_glob: {path: \"[ a, b ]\"}}".to_owned(), "param_glob path \"[ a, b ]\""),
        ("{param_glob: {\"a b\": c}}".to_owned(), "param_glob \"a b\" c"),
        ("{param_glob: {a: \"b c\"}}".to_owned(), "param_glob a \"b c\""),
        ("{after_call: {tool: \"a*\", server: \"[!b-d]?\"}}".to_owned(), "after_call a* on [!b-d]?"),
        ("{labels: [secrets, injection, secrets]}".to_owned(), "labels [secrets, injection]"),
        ("{time_after: \"18:00\", weekdays: [mon]}".to_owned(), "time 18:00..- on mon UTC"),
        (
            format!("{{param_eq: {{path: {long}}}}}"),
            "param_eq path \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… sha256:5d7c2e6f88dc19d1f104aecedda4a1a7",
        ),
    ] {
        let policy = policy(&format!("rules: [{{match: {{tool: t}}, conditions: {conditions}}}]"));
        let names: Vec<String> =
            policy.condition_outcomes(&Query::new("t", "s")).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [expected]);
    }
}

/// Defends evidence that keeps outcomes in place of arguments: of every rule that concerns the call, none of others.
#[test]
fn outcomes_of_conditions() {
    let policy = policy(
        "rules:\n  - {match: {tool: t}, conditions: {param_gt: {n: 5}, param_eq: {a: x}}}\n  \
         - {match: {tool: \"*\"}, conditions: {param_gt: {n: 5}}, mode: shadow}\n  \
         - {match: {tool: t}, except: {server: s}, conditions: {param_eq: {b: 1}}}\n  \
         - {match: {tool: u}, conditions: {param_eq: {c: 1}}}",
    );
    let mut tape = Tape::new();
    let value = tape.parse(br#"{"n": 9, "a": "y"}"#, &Limits::default()).unwrap();
    let query = Query { arguments: Arguments::new(Some(value)), ..Query::new("t", "s") };
    let expected = [("param_eq a \"x\"".to_owned(), Truth::False), ("param_gt n 5".to_owned(), Truth::True)];
    assert_eq!(policy.condition_outcomes(&query), expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends "the governed answer is the live one": rules in shadow mode change nothing of what is decided, and what
    /// they would say is what the policy says once they are enforced.
    #[test]
    fn shadow_rules_decide_nothing(live in policies_with_overrides(), shadow in policies_with_overrides(), call in calls()) {
        let mut watched = shadow.rules;
        for rule in &mut watched {
            rule.name.insert(0, 's');
            for target in &mut rule.overrides {
                target.insert(0, 's');
            }
        }
        let mut all = live.clone();
        all.rules.extend(watched.iter().cloned());
        let mut enforced = serde_json::from_str::<serde_json::Value>(&all.to_yaml()).unwrap();
        let would = load("p", &Sources::one("p", enforced.to_string())).unwrap();
        for rule in enforced["rules"].as_array_mut().unwrap().iter_mut().skip(live.rules.len()) {
            rule["mode"] = "shadow".into();
        }
        let both = load("p", &Sources::one("p", enforced.to_string())).unwrap();
        let alone = load("p", &Sources::one("p", live.to_yaml())).unwrap();
        let text = call.arguments.to_string();
        let mut tape = Tape::new();
        let value = tape.parse(text.as_bytes(), &Limits::default()).unwrap();
        let labels = Labelled(call.labels.iter().copied().collect());
        let query = Query { agent: call.agent.as_deref(), arguments: Arguments::new(Some(value)), history: &labels, ..Query::new(&call.tool, &call.server) };
        let (one, other, would) = (both.explain(&query, false), alone.explain(&query, false), would.explain(&query, false));
        prop_assert_eq!((one.approval, one.risk_level, one.rule, one.matched), (other.approval, other.risk_level, other.rule, other.matched));
        match one.shadow {
            Some(shadow) => prop_assert_eq!((shadow.approval, shadow.rule), (would.approval, would.rule)),
            None => prop_assert_eq!(would.approval, other.approval),
        }
    }
}
