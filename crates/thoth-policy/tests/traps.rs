//! One test per trap of the source system: what its engine got wrong, and what ours answers.
#![expect(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

use thoth_policy::{History, Policy, Query, RateScope, Sources, load};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Approval, Arguments, HarmClass, HarmClasses, ReasonCode};

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn refused(text: &str) -> String {
    load("p.yaml", &Sources::one("p.yaml", text)).expect_err(text).to_string()
}

/// A policy with one rule that has these conditions and this approval; defaults are `auto` below a tightening rule and
/// `approve` below a loosening one, so that the rule's effect shows.
fn one_rule(conditions: &str, approval: Approval) -> Policy {
    let defaults = if approval == Approval::Auto { "approve" } else { "auto" };
    policy(&format!(
        "defaults: {{approval: {defaults}}}\nrules:\n  - name: r\n    match: {{tool: t}}\n    approval: {approval}\n    \
         conditions: {conditions}\n"
    ))
}

fn decide(policy: &Policy, arguments: &str, query: &Query<'_>) -> Approval {
    let mut tape = Tape::new();
    let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
    policy.explain(&Query { arguments: Arguments::new(Some(value)), ..*query }, false).approval
}

/// Checks when a rule matches: `yes` as it should, `error` when undecided (matched for block, not for auto).
fn matches(conditions: &str, cases: &[(&str, &str)]) {
    let (block, auto) = (one_rule(conditions, Approval::Block), one_rule(conditions, Approval::Auto));
    for (arguments, expected) in cases {
        let query = Query::new("t", "s");
        let blocked = decide(&block, arguments, &query) == Approval::Block;
        let allowed = decide(&auto, arguments, &query) == Approval::Auto;
        let outcome = match (blocked, allowed) {
            (true, true) => "yes",
            (false, false) => "no",
            (true, false) => "error",
            (false, true) => "unsound",
        };
        assert_eq!(outcome, *expected, "{conditions} with {arguments}");
    }
}

fn at(policy: &Policy, now: &str) -> Approval {
    policy.explain(&Query { now: now.parse().unwrap(), ..Query::new("t", "s") }, false).approval
}

/// Trap: a condition that errors switches a block rule off.
#[test]
fn undecided_conditions_tighten() {
    matches(
        "{param_gt: {n: 10}}",
        &[
            (r#"{"n": 11}"#, "yes"),
            (r#"{"n": 10}"#, "no"),
            (r#"{"n": "100"}"#, "error"),
            (r#"{"n": null}"#, "error"),
            (r"{}", "error"),
            (r#"{"n": 1e1}"#, "no"),
            (r#"{"n": 10.0000000000000000000001}"#, "yes"),
        ],
    );
    matches(
        "{param_eq: {n: 9007199254740993}}",
        &[
            (r#"{"n": 9007199254740993}"#, "yes"),
            (r#"{"n": 9007199254740992}"#, "no"),
            (r#"{"n": "9007199254740993"}"#, "error"),
        ],
    );
    matches(
        "{param_eq: {s: \"yes\", b: true}}",
        &[
            (r#"{"s": "yes", "b": true}"#, "yes"),
            (r#"{"s": "y\u0065s", "b": true}"#, "yes"),
            (r#"{"s": "no", "b": true}"#, "no"),
            (r#"{"s": "yes", "b": "true"}"#, "error"),
        ],
    );
}

/// Trap: "where a rule matched only through an error, approve could be looser than the default block".
#[test]
fn an_error_match_is_never_looser_than_the_defaults() {
    let text = "defaults: {approval: block}\nrules:\n  - {name: r, match: {tool: t}, approval: approve, conditions: {param_gt: {n: 1}}}";
    let policy = policy(text);
    let query = Query::new("t", "s");
    assert_eq!(decide(&policy, r#"{"n": 2}"#, &query), Approval::Approve);
    assert_eq!(decide(&policy, "{}", &query), Approval::Block);
    assert_eq!(policy.explain(&query, false).reason_code, ReasonCode::DefaultBlock);
}

/// Trap: conditions reach top-level arguments only, and a dotted name is a literal key.
#[test]
fn nested_arguments_are_reached() {
    matches(
        "{param_eq: {\"o.list[1].name\": x}}",
        &[
            (r#"{"o": {"list": [0, {"name": "x"}]}}"#, "yes"),
            (r#"{"o": {"list": [0, {"name": "y"}]}}"#, "no"),
            (r#"{"o": {"list": []}}"#, "error"),
            (r#"{"o.list[1].name": "x"}"#, "yes"),
            // A decoy beside the real value: which of them the server reads is anyone's guess.
            (r#"{"o.list[1].name": "y", "o": {"list": [0, {"name": "x"}]}}"#, "error"),
        ],
    );
    matches("{param_eq: {o.0: x}}", &[(r#"{"o": ["x"]}"#, "yes"), (r#"{"o": {"0": "x"}}"#, "yes")]);
}

/// Trap: text beyond 10,000 characters escaped, and nested quantifiers took seconds.
#[test]
fn patterns_see_the_whole_value_in_linear_time() {
    let late = format!(r#"{{"s": "{}rm -rf"}}"#, "x".repeat(20_000));
    matches(
        "{param_matches: {s: \"rm -rf\"}}",
        &[
            (&late, "yes"),
            (r#"{"s": "rm\u0020-rf"}"#, "yes"),
            (r#"{"s": "ls"}"#, "no"),
            (r#"{"s": ["rm -rf"]}"#, "yes"),
            (r#"{"s": ["ls", "rm -rf"]}"#, "error"),
            (r#"{"s": {"a": 1}}"#, "error"),
            (r"{}", "error"),
        ],
    );
    let slow = format!(r#"{{"s": "{}!"}}"#, "a".repeat(50_000));
    matches("{param_matches: {s: \"^(a+)+$\"}}", &[(&slow, "no")]);
    assert!(
        refused("rules: [{match: {tool: t}, conditions: {param_matches: {s: \"(\"}}}]")
            .contains("bad regular expression")
    );
    assert!(
        refused("rules: [{match: {tool: t}, conditions: {param_matches: {s: \"(?=x)\"}}}]").contains("look-around")
    );
}

/// The conditions that the source system lacks.
#[test]
fn further_argument_conditions() {
    matches(
        "{param_contains: {s: secret}}",
        &[
            (r#"{"s": "a secret b"}"#, "yes"),
            (r#"{"s": ["secret"]}"#, "yes"),
            (r#"{"s": {"secret": 1}}"#, "yes"),
            (r#"{"s": ["other"]}"#, "no"),
            (r#"{"s": 5}"#, "error"),
        ],
    );
    matches(
        "{param_in: {s: [a, b, 3]}}",
        &[(r#"{"s": "a"}"#, "yes"), (r#"{"s": "c"}"#, "no"), (r#"{"s": true}"#, "error")],
    );
    matches(
        "{param_not_in: {s: [a, b]}}",
        &[(r#"{"s": "a"}"#, "no"), (r#"{"s": "c"}"#, "yes"), (r#"{"s": 1}"#, "error")],
    );
    matches("{param_exists: {s: true}}", &[(r#"{"s": 0}"#, "yes"), (r"{}", "no"), (r#"{"s": null}"#, "error")]);
    matches("{param_exists: s}", &[(r#"{"s": 0}"#, "yes"), (r"{}", "no")]);
    matches("{param_exists: {s: false}}", &[(r#"{"s": 0}"#, "no"), (r"{}", "yes")]);
    matches("{param_glob: {s: [\"a*\", \"!ab\"]}}", &[(r#"{"s": "ac"}"#, "yes"), (r#"{"s": "ab"}"#, "no")]);
    matches(
        "{path_under: {path: /data}}",
        &[
            (r#"{"path": "/data/x"}"#, "yes"),
            (r#"{"path": "/data/../etc/passwd"}"#, "no"),
            (r#"{"path": "/data/..\\..\\etc"}"#, "error"),
            (r#"{"path": "/data/%2e%2e/etc"}"#, "error"),
            (r#"{"path": ["/data/x", "/data/y"]}"#, "yes"),
            (r#"{"path": ["/data/x", "/etc/y"]}"#, "error"),
            (r#"{"path": []}"#, "error"),
        ],
    );
    matches(
        "{host_in: {url: [\"*.example.com\", \"::1\"]}}",
        &[
            (r#"{"url": "https://api.example.com/x"}"#, "yes"),
            (r#"{"url": "https://[0:0::1]/x"}"#, "yes"),
            (r#"{"url": "https://api.example.com@evil.net/"}"#, "error"),
            (r#"{"url": "https://evil.net/"}"#, "no"),
        ],
    );
    matches(
        "{size: {s: {gt: 3}}}",
        &[
            (r#"{"s": "abcd"}"#, "yes"),
            (r#"{"s": "äöü"}"#, "no"),
            (r#"{"s": [1,2,3,4]}"#, "yes"),
            (r#"{"s": 9}"#, "error"),
        ],
    );
    matches("{size: {$: {gt: 12}}}", &[(r#"{"s": "abcdef"}"#, "yes"), (r"{}", "no")]);
    matches(
        "{semantic: destructive}",
        &[(r#"{"q": "please DELETE it"}"#, "yes"), (r#"{"q": "\u0064elete"}"#, "yes"), (r#"{"q": "look"}"#, "no")],
    );
}

/// Traps: the overnight window that never matched; weekday names that never matched; UTC only.
#[test]
fn times_mean_what_they_say() {
    let night = one_rule("{time_after: \"18:00\", time_before: 08:00}", Approval::Block);
    assert_eq!(at(&night, "2026-03-02T23:00:00Z"), Approval::Block);
    assert_eq!(at(&night, "2026-03-02T07:00:00Z"), Approval::Block);
    assert_eq!(at(&night, "2026-03-02T12:00:00Z"), Approval::Auto);
    let berlin = one_rule("{time_after: 18:00, tz: Europe/Berlin, weekdays: [Monday, 2]}", Approval::Block);
    assert_eq!(at(&berlin, "2026-07-06T16:30:00Z"), Approval::Block);
    assert_eq!(at(&berlin, "2026-07-08T16:30:00Z"), Approval::Auto);
}

/// Trap: an unquoted 18:00 that a YAML 1.1 tool had turned into 1080 failed at evaluation, not at load.
#[test]
fn impossible_times_are_load_errors() {
    for (conditions, message) in [
        ("{time_after: 1080}", "write \"18:00\" with quotes"),
        ("{time_after: \"25:00\"}", "`25:00` is no time of day"),
        ("{time_after: \"08:00\", time_before: \"08:00\"}", "is empty"),
        ("{weekdays: []}", "empty list"),
        ("{weekdays: [8]}", "`8` is no weekday"),
        ("{weekdays: [mondy]}", "did you mean `monday`"),
        ("{time_after: \"08:00\", tz: Europe/Berln}", "did you mean `Europe/Berlin`"),
        ("{tz: UTC}", "says nothing"),
        ("{rate: {limit: 0, window: 1m}}", "from 1"),
        ("{rate: {limit: 3, window: fortnight}}", "is no duration for `window`"),
        ("{size: {s: {gt: 5, lt: 5}}}", "no size lies"),
        ("{path_under: {p: \"~/x\"}}", "bad directory"),
        ("{host_in: {u: \"https://x.com\"}}", "is no host"),
        ("{param_eq: {b: yes}}", "different YAML versions"),
        ("{param_eq: {n: 0777}}", "different YAML versions"),
        ("{param_eq: {a..b: 1}}", "no argument path"),
        ("{param_eq: {}}", "`param_eq` is empty"),
        ("{param_eq: }", "`param_eq` is empty"),
        ("{size: {s: {}}}", "`size` is empty"),
        ("{param_matches: 5}", "wants a mapping"),
    ] {
        let error = refused(&format!("rules:\n  - match: {{tool: t}}\n    conditions: {conditions}\n"));
        assert!(error.contains(message), "{conditions}: {error}");
        assert!(error.contains("p.yaml:3:"), "{error}");
    }
}

/// Trap: typing mistakes silently changed a rule's meaning.
#[test]
fn unknown_keys_are_load_errors() {
    for (text, message) in [
        ("rule: []", "did you mean `rules`"),
        ("rules: [{match: {tool: x}, aproval: block}]", "did you mean `approval`"),
        ("rules: [{match: {tols: x}}]", "did you mean `tool`"),
        ("rules: [{match: {tool: x}, approval: Block}]", "did you mean `block`"),
        ("rules: [{match: {tool: x}, risk_level: hihg}]", "did you mean `high`"),
        ("rules: [{match: {tool: x}, conditions: {param_greater: {a: 1}}}]", "unknown key `param_greater`"),
        ("version: 2", "version `2`"),
        ("rules: {}", "wants a list"),
        ("rules: [x]", "wants a mapping"),
        ("defaults: {approval: [auto]}", "wants a text"),
        ("rules: [{name: a, match: {tool: x}}, {name: a, match: {tool: y}}]", "two rules are called `a`"),
        ("rules: []\nrules: []", "duplicate key `rules`"),
        ("rules: [{match: {tool: x, type: y}}]", "says the same"),
        ("rules: [{match: {tool: \"[ab\"}}]", "bad pattern"),
        ("rules: [{match: {tool: []}}]", "empty list"),
        ("rules: [{match: {tool: x}, conditions: {labels: [injection, secret]}}]", "did you mean `secrets`"),
        ("rules: [{match: {tool: x}, conditions: {labels: Injection}}]", "did you mean `injection`"),
        ("rules: [{match: {tool: x}, conditions: {labels: ssrf}}]", "no session is labelled `ssrf`"),
        ("rules: [{match: {tool: x}, conditions: {labels: []}}]", "empty list"),
        ("rules: [{match: {tool: x}, conditions: {labels: {injection: true}}}]", "`labels` wants a text"),
        ("rules: [{match: {tool: x}, except: {}}]", "takes everything away"),
        ("rules: [{match: {tool: x}, override: [nope]}]", "no rule is called `nope`"),
        ("plan_rules: []", "not supported yet"),
        ("trust: {default_min_trust: 300}", "not supported yet"),
        ("tools: {x: {min_trust: 300}}", "not supported yet"),
        ("scope: {intents: {x: {tools: a, otherwise: auto}}}", "meaningless"),
        ("a: &a [*a]", "alias"),
        ("rules: !x []", "tag"),
        ("<<: {rules: []}", "merge key"),
        ("--- {}\n--- {}", "second document"),
    ] {
        let error = refused(text);
        assert!(error.contains(message), "{text}: {error}");
    }
    assert!(load("p", &Sources::one("p", "x-note: anything\nrules: [{match: {tool: x}, x-ticket: 7}]")).is_ok());
}

/// Defends against a rule that replaces the defaults unnoticed: every way to write "every call" is named at load.
#[test]
fn rules_for_every_call_are_named() {
    let error = refused("defaults: {approval: block}\nrules:\n  - match:\n    approval: auto\n");
    assert!(error.contains("p.yaml:3:") && error.contains("`match` is empty (name a tool"), "{error}");
    for (defaults, rule, expected) in [
        ("block", "match: {}, approval: auto", &["without `match` applies to every call", "answers `auto`"][..]),
        ("block", "approval: approve", &["without `match` applies to every call", "answers `approve`"]),
        ("approve", "match: {tool: \"*\"}, approval: auto", &["answers `auto`"]),
        ("approve", "match: {server: \"*\", tool: [\"*\", x]}, approval: auto", &["answers `auto`"]),
        ("approve", "match: {tool: \"*\"}, approval: approve", &[]),
        ("approve", "match: {tool: \"*\"}, approval: block", &["blocks every call"]),
        ("approve", "match: {tool: \"*\"}, approval: auto, mode: off", &[]),
        ("approve", "match: {tool: \"*\"}, except: {tool: x}, approval: auto", &[]),
        ("approve", "match: {tool: \"*\"}, conditions: {param_exists: x}, approval: auto", &[]),
        ("auto", "match: {tool: \"*\"}, approval: approve", &[]),
    ] {
        let policy = policy(&format!("defaults: {{approval: {defaults}}}\nrules: [{{name: r, {rule}}}]"));
        let warnings: Vec<_> = policy.warnings().iter().map(|warning| &*warning.message).collect();
        assert_eq!(warnings.len(), expected.len(), "{rule}: {warnings:?}");
        assert!(warnings.iter().zip(expected).all(|(warning, part)| warning.contains(part)), "{rule}: {warnings:?}");
    }
}

/// Defends block rules whose author forgot that letter case counts, without crying wolf where something else stops
/// the other case.
#[test]
fn block_rules_evaded_by_letter_case_are_named() {
    let block = "match: {tool: delete_file}, approval: block";
    for (rest, rule, evaded_by) in [
        ("defaults: {approval: auto}", block, Some("`DELETE_FILE`")),
        ("defaults: {approval: auto}", "match: {tool: [\"*[ab]*\", \"Drop*\"]}, approval: block", Some("`DROP`")),
        ("defaults: {approval: auto}", "match: {tool: RM, server: \"prod-*\"}, approval: block", Some("`rm`")),
        ("defaults: {approval: auto}", "match: {tool: [rm, RM]}, approval: block", None),
        ("defaults: {approval: auto}", "match: {tool: [\"*\", \"42\"]}, approval: block", None),
        ("defaults: {approval: auto}", "match: {tool: rm}, approval: approve", None),
        ("defaults: {approval: auto}", "match: {tool: rm}, approval: block, mode: off", None),
        ("defaults: {approval: approve}", block, None),
        ("defaults: {approval: auto}\ngateway: {denied_tools: [\"delete*\"]}", block, None),
        ("defaults: {approval: auto}\ngateway: {allowed_tools: [\"r*\", delete_file]}", block, None),
        ("defaults: {approval: auto}\ntools: {delete_file: {blocked: true}}", block, None),
    ] {
        let policy = policy(&format!("{rest}\nrules: [{{name: r, {rule}}}]"));
        let warnings: Vec<_> = policy.warnings().iter().filter(|w| w.message.contains("letter case")).collect();
        assert_eq!(warnings.len(), usize::from(evaded_by.is_some()), "{rest} {rule}: {warnings:?}");
        if let (Some(tool), Some(warning)) = (evaded_by, warnings.first()) {
            assert!(warning.to_string().starts_with("p.yaml:2:9: rule `r`"), "{warning}");
            assert!(warning.message.contains(tool), "{warning}");
        }
    }
}

/// Trap: version may be text, number or absent; an empty file blocks.
#[test]
fn every_form_of_version_one_loads() {
    for text in ["version: \"1\"", "version: 1", "", "rules:", "# nothing", "scope: global\nscope_id: \"\""] {
        let policy = policy(text);
        assert_eq!(policy.explain(&Query::new("t", "s"), false).approval, Approval::Block, "{text}");
        assert!(!policy.warnings().is_empty());
    }
    let defaults = policy("rules: [{match: {type: t}}]").explain(&Query::new("t", "s"), false);
    assert_eq!((defaults.approval.as_str(), defaults.risk_level.as_str()), ("approve", "medium"));
    assert_eq!(defaults.rule.as_deref(), Some("rule_0"));
    assert_eq!(policy("defaults: {approval: auto, risk_level: HIGH}").default_answer().1.as_str(), "high");
}

/// Traps: a list never matched; a missing agent was the text `*`, so that `?` meant "no agent".
#[test]
fn matching_names() {
    let lists = policy(
        "defaults: {approval: auto}\nrules: [{match: {tool: [\"a*\", b, \"!ab\"], server: \"!dev-*\"}, approval: block}]",
    );
    for (tool, server, approval) in [
        ("a", "s", Approval::Block),
        ("b", "s", Approval::Block),
        ("ab", "s", Approval::Auto),
        ("a", "dev-1", Approval::Auto),
        ("A", "s", Approval::Auto),
    ] {
        assert_eq!(lists.explain(&Query::new(tool, server), false).approval, approval, "{tool} @ {server}");
    }
    let someone = policy("defaults: {approval: auto}\nrules: [{name: q, match: {agent: \"?\"}, approval: block}]");
    for (agent, approval) in [(Some("x"), Approval::Block), (Some("xy"), Approval::Auto), (None, Approval::Block)] {
        assert_eq!(someone.explain(&Query { agent, ..Query::new("t", "s") }, false).approval, approval, "{agent:?}");
    }
    let trusted = policy("defaults: {approval: approve}\nrules: [{match: {agent: \"?\"}, approval: auto}]");
    assert_eq!(trusted.explain(&Query::new("t", "s"), false).approval, Approval::Approve);
}

/// Trap: a name with an invisible character or a newline evaded a block rule.
#[test]
fn look_alike_tool_names_do_not_evade() {
    let block = policy("defaults: {approval: auto}\nrules: [{match: {tool: delete_file}, approval: block}]");
    for tool in ["delete_file", "delete_file\n", "delete\u{200B}_file", "\u{FF44}elete_file", " delete_file"] {
        assert_eq!(block.explain(&Query::new(tool, "s"), false).approval, Approval::Block, "{tool:?}");
    }
    let auto = policy("defaults: {approval: block}\nrules: [{match: {tool: read_file}, approval: auto}]");
    for (tool, approval) in
        [("read_file", Approval::Auto), ("read_file\u{200B}", Approval::Block), ("read_file\n", Approval::Block)]
    {
        assert_eq!(auto.explain(&Query::new(tool, "s"), false).approval, approval, "{tool:?}");
    }
}

/// The explicit ways to carve out and to loosen.
#[test]
fn except_override_mode_and_expiry() {
    let text = "defaults: {approval: auto}\nrules:\n  - {name: all, match: {server: s}, except: [{tool: safe}, {agent: root}], approval: block}\n  \
                - {name: off, match: {tool: safe}, approval: block, mode: off}\n  \
                - {name: old, match: {tool: safe}, approval: block, expires: 2026-01-01}";
    let carved = policy(text);
    let ask = |tool, agent, now: &str| {
        carved.explain(&Query { agent, now: now.parse().unwrap(), ..Query::new(tool, "s") }, false).approval
    };
    assert_eq!(ask("safe", None, "2026-01-02T00:00:00Z"), Approval::Auto);
    assert_eq!(ask("safe", None, "2026-01-01T23:59:59Z"), Approval::Block);
    assert_eq!(ask("other", Some("root"), "2026-01-02T00:00:00Z"), Approval::Auto);
    assert_eq!(ask("other", None, "2026-01-02T00:00:00Z"), Approval::Block);

    let loosened = policy(
        "defaults: {approval: auto}\nrules:\n  - {name: base, match: {tool: t}, approval: block}\n  - {name: more, match: {tool: t}, \
         conditions: {param_gt: {n: 5}}, approval: approve, override: [base]}",
    );
    let query = Query::new("t", "s");
    assert_eq!(decide(&loosened, r#"{"n": 6}"#, &query), Approval::Approve);
    assert_eq!(decide(&loosened, r#"{"n": 5}"#, &query), Approval::Block);
    assert_eq!(decide(&loosened, r"{}", &query), Approval::Block, "an undecided rule overrides nothing");
    assert!(
        refused("rules: [{name: a, match: {tool: t}, override: b}, {name: b, match: {tool: t}, override: a}]")
            .contains("circle")
    );
}

struct Past;

impl History for Past {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        [("read_file", "secrets"), ("list", "dev")].into_iter().any(|(tool, server)| test(tool, server))
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: jiff::Timestamp) -> u64 {
        assert_eq!(since.to_string(), "2026-03-02T09:59:00Z");
        match scope {
            RateScope::Session => 5,
            RateScope::Agent => 9,
            RateScope::Tool => u64::from(tool == "t"),
        }
    }

    fn labels(&self) -> HarmClasses {
        [HarmClass::PersonalData, HarmClass::Injection].into_iter().collect()
    }
}

/// Trap: sequences were only seen inside one plan. Session history and rates.
#[test]
fn the_session_counts() {
    for (conditions, approval) in [
        ("{after_call: \"read_*\"}", Approval::Block),
        ("{after_call: {tool: \"read_*\", server: secrets}}", Approval::Block),
        ("{after_call: {tool: \"read_*\", server: dev}}", Approval::Auto),
        ("{labels: injection}", Approval::Block),
        ("{labels: [secrets, personal_data]}", Approval::Block),
        ("{labels: [secrets]}", Approval::Auto),
        ("{labels: [secrets, injection], param_exists: a}", Approval::Auto),
        ("{rate: {limit: 5, window: 1m}}", Approval::Block),
        ("{rate: {limit: 6, window: 60s, per: session}}", Approval::Auto),
        ("{rate: {limit: 9, window: 1m, per: agent}}", Approval::Block),
        ("{rate: {limit: 2, window: 1m, per: tool}}", Approval::Auto),
    ] {
        let policy = one_rule(conditions, Approval::Block);
        let query = Query { now: "2026-03-02T10:00:00Z".parse().unwrap(), history: &Past, ..Query::new("t", "s") };
        assert_eq!(policy.explain(&query, false).approval, approval, "{conditions}");
    }
}
