//! How load errors look to a person.
#![expect(clippy::expect_used, reason = "helpers of tests fail the test")]

use thoth_policy::{Query, Sources, describe_requirement, load};

fn render(text: &str) -> String {
    load("policy.yaml", &Sources::one("policy.yaml", text)).expect_err("must not load").render(false)
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(render("rules:\n  - name: a\n    match: {tool: \"x*\"}\n    aproval: block\n"), @r#"
    error[unknown_key]: unknown key `aproval` in a rule
     --> policy.yaml:4:5
      |
    3 |     match: {tool: "x*"}
    4 |     aproval: block
      |     ^^^^^^^
      |
      = help: did you mean `approval`?
    "#);
}

#[test]
fn a_time_that_was_a_number() {
    insta::assert_snapshot!(render("rules:\n  - match: {tool: x}\n    conditions: {time_after: 1080}\n"), @r#"
    error[bad_time]: `1080` is no time of day
     --> policy.yaml:3:30
      |
    2 |   - match: {tool: x}
    3 |     conditions: {time_after: 1080}
      |                              ^^^^
      |
      = help: write "18:00" with quotes: tools of YAML 1.1 turn it into the number 1080
    "#);
}

#[test]
fn a_control_without_a_regime() {
    insta::assert_snapshot!(render("rules:\n  - match: {tool: x}\n    controls: [\"hipaa:164.502(b)\", CC6.1]\n"), @r#"
    error[bad_value]: `CC6.1` names no control
     --> policy.yaml:3:36
      |
    2 |   - match: {tool: x}
    3 |     controls: ["hipaa:164.502(b)", CC6.1]
      |                                    ^^^^^
      |
      = help: write the regime, a colon and the control, without spaces, as in `hipaa:164.502(b)`
    "#);
}

#[test]
fn two_rules_with_one_name() {
    insta::assert_snapshot!(render("rules:\n  - name: a\n    match: {tool: x}\n  - name: a\n    match: {tool: y}\n"), @r#"
    error[duplicate_name]: two rules are called `a`
     --> policy.yaml:4:11
      |
    3 |     match: {tool: x}
    4 |   - name: a
      |           ^
      |
     ::: policy.yaml:2:11
      |
    1 | rules:
    2 |   - name: a
      |           - the first one
      |
      = help: give each rule its own name: evidence refers to rules by name
    "#);
}

#[test]
fn a_duplicate_key() {
    insta::assert_snapshot!(render("defaults: {approval: auto}\ndefaults: {approval: block}\n"), @r#"
    error[duplicate_key]: duplicate key `defaults`
     --> policy.yaml:2:1
      |
    1 | defaults: {approval: auto}
    2 | defaults: {approval: block}
      | ^^^^^^^^
      |
     ::: policy.yaml:1:1
      |
    1 | defaults: {approval: auto}
      | -------- first written here
    "#);
}

#[test]
fn a_bare_star() {
    insta::assert_snapshot!(render("rules:\n  - match: {tool: *}\n"), @r#"
    error[syntax]: not valid YAML: while scanning an anchor or alias, did not find expected alphabetic or numeric character
     --> policy.yaml:2:19
      |
    1 | rules:
    2 |   - match: {tool: *}
      |                   ^
      |
      = help: put quotes around a pattern that starts with `*`, `&` or `!`
    "#);
}

#[test]
fn a_bad_glob_and_a_bad_pattern_at_once() {
    insta::assert_snapshot!(render("rules:\n  - match: {tool: \"[ab\"}\n    conditions: {param_matches: {p: \"a(\"}}\n"), @r#"
    error[bad_glob]: bad pattern `[ab`: `[` without a closing `]`
     --> policy.yaml:2:19
      |
    1 | rules:
    2 |   - match: {tool: "[ab"}
      |                   ^^^^^
      |
      = help: `*` is any text, `?` one character, `[abc]` and `[!abc]` are classes, `[[]` is a `[`

    error[bad_pattern]: bad regular expression: unclosed group
     --> policy.yaml:3:37
      |
    2 |   - match: {tool: "[ab"}
    3 |     conditions: {param_matches: {p: "a("}}
      |                                     ^^^^
      |
      = help: expressions run in linear time: look-around and back-references do not exist
    "#);
}

#[test]
fn the_json_of_an_explanation() {
    let text = "defaults: {approval: auto}\nrules:\n  - name: big\n    match: {tool: t}\n    conditions: {param_gt: {n: 5}}\n    approval: block\n";
    let policy = load("policy.yaml", &Sources::one("policy.yaml", text)).unwrap();
    insta::assert_snapshot!(policy.explain(&Query::new("t", "s"), true).to_json(), @r#"{"approval":"block","effect":"deny","findings":[{"approval":"block","detail":"rule `big` blocks this call; a condition of it could not be decided","hard":true,"reason_code":"rule_block","risk_level":"medium","rule":"big","span":{"column":5,"file":"policy.yaml","line":3},"stage":"rules"}],"integrity":{"on_change":"quarantine","on_finding":{"critical":"block","warning":"allow"},"on_first_use":"pin","on_stale":"allow","on_unlisted":"ask","quarantined_tools":"hide"},"matched":["big"],"policy_digest":"sha256:3e937d33716f77e02641cb852df716644bb20e3e47569702977f4c76c8fd4fc4","reason":"rule `big` blocks this call; a condition of it could not be decided","reason_code":"rule_block","risk_level":"medium","rule":"big","span":{"column":5,"file":"policy.yaml","line":3},"trace":[{"applied":true,"approval":"block","conditions":[{"condition":"match","outcome":"true","value":"t @ s by (no agent)"},{"condition":"param_gt n 5","outcome":"error","value":null}],"mode":"enforce","outcome":"error","rule":"big","span":{"column":5,"file":"policy.yaml","line":3}}]}"#);
}

/// Defends `explain`: where the answer is to ask, it says what an approval takes, and whether anybody could give it.
#[test]
fn the_json_of_a_question() {
    let text = "approvals: {approvers: [local_user, \"user:al\"], ask: inline, volatile: [{tool: t, arguments: [id]}]}\n\
                defaults: {approval: approve}\nrules:\n  - {match: {tool: t}, approvers: \"user:al\", ttl: 5m}\n  \
                - {match: {tool: \"?\"}, approvers: local_terminal, quorum: 1}\n";
    let policy = load("policy.yaml", &Sources::one("policy.yaml", text)).unwrap();
    let asks = |tool: &str| {
        let answer: serde_json::Value =
            serde_json::from_str(&policy.explain(&Query::new(tool, "s"), false).to_json()).unwrap();
        answer["requirement"].to_string()
    };
    insta::assert_snapshot!(asks("t"), @r#"{"approvers":[["local_user","user:al"],["local_terminal"],["user:al"]],"ask":"inline","can_be_met":true,"longest_grant_seconds":0,"quorum":1,"requester_may_approve":true,"terminal":true,"ttl_seconds":300,"url":null,"volatile":["id"]}"#);
    insta::assert_snapshot!(asks("other"), @r#"{"approvers":[["local_user","user:al"]],"ask":"inline","can_be_met":true,"longest_grant_seconds":0,"quorum":1,"requester_may_approve":true,"terminal":true,"ttl_seconds":900,"url":null,"volatile":[]}"#);
    let nobody = "approvals: {approvers: [\"user:al\", \"user:bo\"]}\nrules:\n  - {match: {tool: t}, approvers: \"user:al\"}\n  \
                  - {name: b, match: {tool: t}, approvers: \"user:bo\"}\n";
    let nobody = load("p", &Sources::one("p", nobody)).unwrap();
    assert!(nobody.explain(&Query::new("t", "s"), false).asks.is_some_and(|asks| !asks.can_be_met));
    let auto = load("p", &Sources::one("p", "defaults: {approval: auto}")).unwrap();
    assert!(!auto.explain(&Query::new("t", "s"), false).to_json().contains("requirement"));
}

#[test]
fn a_requirement_in_words() {
    for (section, who, how) in [
        ("{}", "one of local_terminal", "within 15m"),
        (
            "{approvers: [local_user, \"user:al\"], ttl: 90s, terminal: false}",
            "one of local_user, user:al",
            "within 90s; no terminal needed",
        ),
        (
            "{approvers: [\"user:al\", \"user:bo\"], quorum: 2, requester_may_approve: false, grants: {longest: 24h}, url: \"https://h.example/{hold}\"}",
            "2 different accounts, each one of user:al, user:bo; not the account that asks",
            "within 15m; or a grant of up to 1d; at https://h.example/{hold}",
        ),
    ] {
        let policy = load("p", &Sources::one("p", format!("approvals: {section}"))).unwrap();
        assert_eq!(describe_requirement(&policy.requirement(&[])), (who.to_owned(), how.to_owned()));
    }
}

/// Defends what is told to clients when the policy is invalid: one short line, without the list of all known keys.
#[test]
fn the_first_error_in_one_line() {
    for (text, expected) in [
        ("rules:\n  - zzz: 1\n", "policy.yaml:2:5: unknown key `zzz` in a rule"),
        ("zzz: 1\nyyy: 2\nxxx: 3\n", "policy.yaml:1:1: unknown key `zzz` in the policy (and 2 more)"),
        ("\"a\\nb\\e[31m\": 1\n", "policy.yaml:1:1: unknown key `a b [31m` in the policy"),
    ] {
        let error = load("policy.yaml", &Sources::one("policy.yaml", text)).expect_err("must not load");
        assert_eq!(error.first(), expected);
    }
    let long = format!("{}: 1\n", "é".repeat(900));
    let first = load("p", &Sources::one("p", long)).expect_err("must not load").first();
    assert!(first.chars().count() == 301 && first.ends_with("éé…"), "{first}");
    assert_eq!(load("gone", &Sources::new()).expect_err("must not load").first(), "no such file `gone`");
}

/// Defends that no key counts twice, however many there are: few are compared, many are looked up.
#[test]
fn duplicate_keys_among_many() {
    for count in [2, 15, 16, 17, 18, 200] {
        for again in [0, count / 2, count - 1] {
            let keys = |extra: &str| -> String {
                (0..count).map(|key| format!("x-{key}: {{a: [1, {{b: 2}}]}}\n")).chain([extra.to_owned()]).collect()
            };
            let good = format!("defaults: {{approval: block}}\n{}", keys(""));
            assert!(load("p", &Sources::one("p", good)).is_ok(), "{count}");
            let text = format!("defaults: {{approval: block}}\n{}", keys(&format!("x-{again}: 1\n")));
            assert!(render(&text).contains(&format!("duplicate key `x-{again}`")), "{count} {again}");
        }
    }
}
