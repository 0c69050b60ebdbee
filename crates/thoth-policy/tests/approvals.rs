//! What an approval takes: sections, rules, files together; what a grant covers; the thresholds of progressive mode.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use std::sync::Arc;

use thoth_policy::{ArgumentPatterns, Policy, Progressive, ProgressiveScope, Query, Scratch, Sources, load};
use thoth_types::json::{Limits, Tape};
use thoth_types::{ApproverRule, ArgumentPattern, Arguments, Requirement, Way};

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn files(a: &str, b: &str) -> Policy {
    let sources = Sources::new().with("p", "include: [a, b]").with("a", a).with("b", b);
    load("p", &sources).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// What an approval of a call of `tool` takes.
fn of(policy: &Policy, tool: &str) -> Requirement {
    let mut scratch = Scratch::new();
    let _verdict = policy.rules(&Query::new(tool, "s"), &mut scratch);
    policy.requirement(scratch.matched())
}

fn account(name: &str) -> ApproverRule {
    ApproverRule::Account(name.into())
}

/// Defends the keys of the section: each is taken as written, and what is left out is the strict default.
#[test]
fn a_section_is_taken_as_written() {
    use ApproverRule::{LocalTerminal, LocalUser};
    let default = Requirement::default;
    let team = "groups: {team: [bob, alice]}";
    for (section, expected) in [
        ("{}".to_owned(), default()),
        ("{approvers: local_user}".to_owned(), Requirement { approvers: vec![vec![LocalUser]], ..default() }),
        ("{approvers: [local_terminal]}".to_owned(), default()),
        (
            format!("{{approvers: [\"group:team\", \"user:bob\", local_user, \"user:carol\"], {team}}}"),
            Requirement {
                approvers: vec![vec![LocalUser, account("alice"), account("bob"), account("carol")]],
                ..default()
            },
        ),
        (
            format!("{{approvers: [\"group:team\"], quorum: 2, {team}}}"),
            Requirement { approvers: vec![vec![account("alice"), account("bob")]], quorum: 2, ..default() },
        ),
        (
            "{requester_may_approve: false, approvers: \"user:alice\"}".to_owned(),
            Requirement { approvers: vec![vec![account("alice")]], requester_may_approve: false, ..default() },
        ),
        ("{terminal: false}".to_owned(), Requirement { terminal: false, ..default() }),
        ("{ttl: 90s}".to_owned(), Requirement { ttl_seconds: 90, ..default() }),
        ("{ttl: 7d, on_timeout: block}".to_owned(), Requirement { ttl_seconds: 7 * 86_400, ..default() }),
        ("{grants: {longest: 30m}}".to_owned(), Requirement { longest_grant_seconds: 1_800, ..default() }),
        ("{grants: {longest: 0s}}".to_owned(), default()),
        (
            "{url: \"https://a.example/x/{hold}?y\"}".to_owned(),
            Requirement { url: Some(Arc::from("https://a.example/x/{hold}?y")), ..default() },
        ),
        (
            "{url: \"http://[::1]:8080/{hold}\"}".to_owned(),
            Requirement { url: Some(Arc::from("http://[::1]:8080/{hold}")), ..default() },
        ),
        ("{approvers: [local_terminal, local_user]}".to_owned(), {
            Requirement { approvers: vec![vec![LocalUser, LocalTerminal]], ..default() }
        }),
    ] {
        assert_eq!(of(&policy(&format!("approvals: {section}")), "t"), expected, "{section}");
    }
}

/// Defends rules: what a matching rule that asks says holds together with the section, and no other rule's does.
#[test]
fn rules_add_what_they_ask() {
    let text = "
approvals: {approvers: [local_user, \"user:alice\", \"user:bob\"], ttl: 5m}
rules:
  - {name: two, match: {tool: \"a*\"}, approvers: [\"user:bob\", local_user, \"user:alice\"], quorum: 2, ttl: 1h}
  - {name: alice, match: {tool: \"*b\"}, approvers: [\"user:alice\"], ttl: 1m, approval: approve}
  - {name: off, match: {tool: \"c\"}, quorum: 3, mode: off}
  - {name: plain, match: {tool: \"*\"}, approval: auto}
  - {name: over, match: {tool: ax}, approval: approve, override: [two]}
";
    let policy = policy(text);
    let base = vec![ApproverRule::LocalUser, account("alice"), account("bob")];
    for (tool, lists, quorum, ttl) in [
        ("x", vec![base.clone()], 1, 300),
        ("c", vec![base.clone()], 1, 300),
        ("a", vec![base.clone()], 2, 300),
        ("ax", vec![base.clone()], 1, 300),
        ("b", vec![base.clone(), vec![account("alice")]], 1, 60),
        ("ab", vec![base, vec![account("alice")]], 2, 60),
    ] {
        let found = of(&policy, tool);
        assert_eq!((found.approvers, found.quorum, found.ttl_seconds), (lists, quorum, ttl), "{tool}");
    }
    // A rule's own keys replace the defaults, which nobody wrote.
    let alone = "rules: [{match: {tool: t}, approvers: [\"user:alice\"], ttl: 2h}]";
    let found = of(&self::policy(alone), "t");
    assert_eq!((found.approvers, found.ttl_seconds), (vec![vec![account("alice")]], 7_200));
}

/// Defends the merge of files: whatever any of them asks, in any order.
#[test]
fn files_add_up() {
    let a = "approvals: {approvers: [local_user, \"group:team\"], ttl: 1h, ask: auto, grants: {longest: 1h}, terminal: false,
             volatile: [{tool: \"f*\", arguments: [timeout]}]}\nprogressive: {warn: 3, ask: 0, per: session, window: 1h}";
    let b = "approvals: {groups: {team: [alice]}, approvers: [\"user:alice\", local_user], quorum: 1, ttl: 10m, ask: inline,
             grants: {longest: 5m}, terminal: true, url: \"https://h.example/{hold}\",
             volatile: [{tool: \"*\", arguments: [timeout, options.trace]}]}\nprogressive: {warn: 1, ask: 2, per: agent}";
    for (one, other) in [(a, b), (b, a)] {
        let policy = files(one, other);
        let found = of(&policy, "t");
        let expected = Requirement {
            approvers: vec![vec![ApproverRule::LocalUser, account("alice")]],
            quorum: 1,
            requester_may_approve: true,
            terminal: true,
            ttl_seconds: 600,
            longest_grant_seconds: 300,
            url: Some("https://h.example/{hold}".into()),
        };
        assert_eq!(found, expected);
        assert_eq!(policy.way(), Some(Way::Inline));
        assert_eq!(policy.volatile("fetch").collect::<Vec<_>>(), ["options.trace", "timeout"]);
        let progressive = Progressive { warn: 1, ask: 0, per: ProgressiveScope::Agent, window_seconds: 3_600 };
        assert_eq!(policy.progressive(), progressive);
    }
    let nothing = policy("defaults: {approval: approve}");
    assert_eq!(nothing.progressive(), Progressive::default());
    assert_eq!((nothing.way(), nothing.volatile("t").count()), (None, 0));
}

/// Defends the person who writes it: what has no effect is said.
#[test]
fn what_has_no_effect_is_said() {
    let elicit = "`ask: elicit` never asks the client";
    for (section, rule, warning) in [
        ("{ask: elicit}", "local_terminal", Some(elicit)),
        ("{ask: elicit, approvers: local_terminal}", "local_terminal", Some(elicit)),
        ("{ask: elicit, approvers: [local_user, \"user:al\"], quorum: 2}", "[local_user, \"user:al\"]", Some(elicit)),
        (
            "{ask: elicit, approvers: [local_user, \"user:al\"], requester_may_approve: false}",
            "\"user:al\"",
            Some(elicit),
        ),
        ("{ask: elicit, url: \"https://h.example/{hold}\"}", "local_terminal", None),
        ("{ask: elicit, approvers: local_user}", "local_terminal", None),
        ("{ask: auto}", "local_terminal", None),
        ("{groups: {a: x, b: y}, approvers: [local_user, \"group:a\"]}", "[local_user, \"group:b\"]", None),
        ("{groups: {a: x, c: y}, approvers: \"group:a\"}", "local_user", Some("no list names group `c`")),
    ] {
        let rules = format!("rules: [{{match: {{tool: t}}, approvers: {rule}}}]");
        let policy = policy(&format!("defaults: {{approval: approve}}\napprovals: {section}\n{rules}\n"));
        let found: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
        let expected = usize::from(warning.is_some());
        let said = found.iter().filter(|found| warning.is_some_and(|warning| found.contains(warning)));
        assert_eq!((found.len(), said.count()), (expected, expected), "{section}: {found:?}");
        assert!(found.iter().all(|found| found.starts_with("p.yaml:2:")), "{found:?}");
    }
}

/// Defends the binding: a tool that only looks like one with volatile arguments keeps all of them.
#[test]
fn volatile_arguments_are_those_of_the_named_tools() {
    let policy = policy("approvals: {volatile: [{tool: [fetch, \"get_*\", \"!get_key\"], arguments: [b.c, a]}]}");
    for (tool, expected) in [
        ("fetch", vec!["a", "b.c"]),
        ("get_x", vec!["a", "b.c"]),
        ("get_key", vec![]),
        ("get_key\u{200B}", vec![]),
        ("fetch\u{200B}", vec![]),
        ("Fetch", vec![]),
        ("other", vec![]),
    ] {
        assert_eq!(policy.volatile(tool).collect::<Vec<_>>(), expected, "{tool:?}");
    }
}

/// Defends grants: they cover what their patterns say and nothing that could be read otherwise.
#[test]
fn patterns_of_arguments() {
    let covers = |patterns: &[(&str, &str)], arguments: &str| {
        let patterns: Vec<_> = patterns
            .iter()
            .map(|(argument, glob)| ArgumentPattern { argument: (*argument).to_owned(), glob: (*glob).to_owned() })
            .collect();
        let mut tape = Tape::new();
        let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
        ArgumentPatterns::compile(&patterns).unwrap().matches(Arguments::new(Some(value)))
    };
    for (patterns, arguments, expected) in [
        (&[][..], r#"{"a": 1}"#, true),
        (&[("path", "/srv/*")], r#"{"path": "/srv/a/b"}"#, true),
        (&[("path", "/srv/*")], r#"{"path": "\/srv\/a"}"#, true),
        (&[("path", "/srv/*")], r#"{"path": "/srv/../etc"}"#, false),
        (&[("path", "/srv/*")], r#"{"path": "/srv/a\\..\\b"}"#, false),
        (&[("path", "/srv/*")], r#"{"path": "/srv/a..b"}"#, true),
        (&[("path", "/srv/../*")], r#"{"path": "/srv/../etc"}"#, true),
        (&[("path", "/srv/../*")], r#"{"path": "/srv/../etc/.."}"#, false),
        (&[("path", "/srv/../etc")], r#"{"path": "/srv/../etc"}"#, true),
        (&[("path", "*")], r"{}", false),
        (&[("path", "*")], r#"{"path": null}"#, true),
        (&[("path", "*")], r#"{"Path": "x"}"#, false),
        (&[("o.n", "1")], r#"{"o": {"n": 1}}"#, true),
        (&[("o.n", "1")], r#"{"o": {"n": 1.0}}"#, false),
        (&[("o.n", "1")], r#"{"o": {"n": "1"}}"#, true),
        (&[("o.n", "1")], r#"{"o": {"n": 1}, "o.n": 1}"#, false),
        (&[("o.n", "1")], r#"{"o.n": 1}"#, true),
        (&[("o[0]", "true")], r#"{"o": [true]}"#, true),
        (&[("o", "[[]1,*]")], r#"{"o": [1,2]}"#, true),
        (&[("o", "[[]1,*]")], r#"{"o": [1, 2]}"#, true),
        (&[("o", "[[]1,2]")], r#"{"o": [1, 2]}"#, false),
        (&[("o", "*")], r#"{"o": ["/a/\u002e\u002e"]}"#, false),
        (&[("o", "*")], r#"{"o": ["/a/../b"]}"#, false),
        (&[("a", "x"), ("b", "?")], r#"{"a": "x", "b": "y"}"#, true),
        (&[("a", "x"), ("b", "?")], r#"{"a": "x", "b": "yy"}"#, false),
        (&[("a", "x"), ("b", "?")], r#"{"a": "x"}"#, false),
    ] {
        assert_eq!(covers(patterns, arguments), expected, "{patterns:?} {arguments}");
    }
    assert!(ArgumentPatterns::compile(&[]).unwrap().matches(Arguments::NONE));
    let any = ArgumentPattern { argument: "a".to_owned(), glob: "*".to_owned() };
    assert!(!ArgumentPatterns::compile(std::slice::from_ref(&any)).unwrap().matches(Arguments::NONE));
    for (pattern, message) in [
        (ArgumentPattern { argument: "a.".to_owned(), glob: "*".to_owned() }, "`a.` is no argument path"),
        (ArgumentPattern { argument: "a".to_owned(), glob: "[x".to_owned() }, "bad pattern `[x` for `a`"),
        (ArgumentPattern { argument: "a".to_owned(), glob: String::new() }, "the glob is empty"),
        (ArgumentPattern { argument: "a".to_owned(), glob: "x".repeat(2_000) }, "longer than"),
    ] {
        let error = ArgumentPatterns::compile(&[any.clone(), pattern]).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(ArgumentPatterns::compile(&vec![any; 65]).is_err());
}
