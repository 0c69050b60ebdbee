//! What is refused in `approvals`, `progressive` and in what rules say about approvals, and where it is shown.

use thoth_policy::{Sources, load};

/// Defends the person who writes it: nothing is accepted that could not mean what it says, and the place is told.
#[test]
fn mistakes_are_load_errors() {
    let names = (0..65).map(|i| format!("a{i}")).collect::<Vec<_>>().join(", ");
    for (text, line, message) in [
        ("approvals: []", 1, "`approvals` wants a mapping"),
        ("approvals:\n  approver: local_user", 2, "did you mean `approvers`"),
        ("approvals:\n  approvers: []", 2, "`approvers` is an empty list"),
        ("approvals:\n  approvers:", 2, "wants a text, not nothing"),
        ("approvals:\n  approvers: [user: alice]", 2, "wants a text, not a mapping"),
        ("approvals:\n  approvers: [alice]", 2, "`local_user`, `local_terminal`, `user:NAME` or `group:NAME`"),
        ("approvals:\n  approvers: [local_usr]", 2, "did you mean `local_user`"),
        ("approvals:\n  approvers: [\"user:\"]", 2, "no name of an account"),
        ("approvals:\n  approvers: [\"user: alice\"]", 2, "no name of an account"),
        ("approvals:\n  approvers: [\"user:al\\u200Bice\"]", 2, "no name of an account"),
        ("approvals:\n  approvers: [\"user:user:alice\"]", 2, "no name of an account"),
        ("approvals:\n  approvers: [\"group:team\"]", 2, "declare it: `approvals: {groups:"),
        ("approvals:\n  groups: {team: [a]}\n  approvers: [\"group:taem\"]", 3, "did you mean `team`"),
        ("approvals:\n  groups:\n    team: []", 3, "a group is an empty list"),
        ("approvals:\n  groups:\n    team:", 3, "wants a text, not nothing"),
        ("approvals:\n  groups:\n    team: [\"group:x\"]", 3, "no name of an account or group"),
        ("approvals:\n  groups:\n    \"a:b\": [x]", 3, "no name of an account or group"),
        ("approvals:\n  groups:\n    a: [x]\n    a: [y]", 4, "duplicate key `a`"),
        (&format!("approvals:\n  groups:\n    a: [{names}]"), 3, "has 65 members; the most is 64"),
        ("approvals:\n  quorum: 0", 2, "from 1 to 8"),
        ("approvals:\n  quorum: 9", 2, "from 1 to 8"),
        ("approvals:\n  quorum: \"2\"", 2, "wants a whole number"),
        ("approvals:\n  requester_may_approve: no", 2, "wants true or false"),
        ("approvals:\n  terminal: 1", 2, "wants true or false"),
        ("approvals:\n  ttl: 9s", 2, "from `10s` to `7d`"),
        ("approvals:\n  ttl: 8d", 2, "from `10s` to `7d`"),
        ("approvals:\n  ttl: 15", 2, "`15` is no duration for `ttl`"),
        ("approvals:\n  ttl: +15m", 2, "no duration"),
        ("approvals:\n  ttl: m", 2, "no duration"),
        ("approvals:\n  ttl: 99999999999d", 2, "no duration"),
        ("approvals:\n  on_timeout: allow", 2, "never goes out"),
        ("approvals:\n  on_timeout: approve", 2, "`on_timeout: approve` is not possible"),
        ("approvals:\n  ask: elicitt", 2, "did you mean `elicit`"),
        ("approvals:\n  grants: {longest: 25h}", 2, "from `0s` to `1d`"),
        ("approvals:\n  grants: {}", 2, "does not say how long"),
        ("approvals:\n  grants:", 2, "does not say how long"),
        ("approvals:\n  grants: {long: 1h}", 2, "did you mean `longest`"),
        ("approvals:\n  volatile: {tool: x, arguments: [a]}", 2, "wants a list"),
        ("approvals:\n  volatile:\n    - tool: x", 3, "wants `tool` and `arguments`"),
        ("approvals:\n  volatile:\n    - arguments: [x]", 3, "wants `tool` and `arguments`"),
        ("approvals:\n  volatile:\n    - {tool: x, arguments: []}", 3, "empty list"),
        ("approvals:\n  volatile:\n    - {tool: \"[x\", arguments: [a]}", 3, "bad pattern"),
        ("approvals:\n  volatile:\n    - {tool: x, arguments: [\"a[0]\"]}", 3, "names no argument"),
        ("approvals:\n  volatile:\n    - {tool: x, arguments: [a..b]}", 3, "names no argument"),
        ("approvals:\n  volatile:\n    - {tool: x, arguments: [\"*\"]}", 3, "names no argument"),
        ("approvals:\n  volatile:\n    - {tool: x, arguments: [\"a\\e[2J\"]}", 3, "names no argument"),
        ("approvals:\n  url: \"https://h.example/\"", 2, "which hold is meant"),
        ("approvals:\n  url: \"http://h.example/{hold}\"", 2, "no https address"),
        ("approvals:\n  url: \"http://localhost.evil.example/{hold}\"", 2, "no https address"),
        ("approvals:\n  url: \"http://localhost@evil.example/{hold}\"", 2, "no https address"),
        ("approvals:\n  url: \"https://u:p@h.example/{hold}\"", 2, "no https address"),
        ("approvals:\n  url: \"https://{hold}.example/\"", 2, "no https address"),
        ("approvals:\n  url: \"https:///{hold}\"", 2, "no https address"),
        ("approvals:\n  url: \"javascript:alert('{hold}')\"", 2, "no https address"),
        ("approvals:\n  url: \"https://h.example/a b/{hold}\"", 2, "no address"),
        ("progressive:\n  warn: -1", 2, "whole number"),
        ("progressive:\n  warn: 1001", 2, "from 0 to 1000"),
        ("progressive:\n  block: 3", 2, "unknown key `block`"),
        ("progressive:\n  per: tool", 2, "known here: session, agent"),
        ("progressive:\n  per: agnt", 2, "did you mean `agent`"),
        ("progressive:\n  window: 59s", 2, "from `1m` to `31d`"),
        ("rules:\n  - match: {tool: x}\n    quorum: 9", 3, "from 1 to 8"),
        ("rules:\n  - match: {tool: x}\n    approver: local_user", 3, "did you mean `approvers`"),
        ("rules:\n  - match: {tool: x}\n    approvers: [\"group:x\"]", 3, "no group is called `x`"),
        (
            "rules:\n  - match: {tool: x}\n    approval: block\n    ttl: 1h",
            4,
            "`ttl` has no meaning in a rule with `approval: block`",
        ),
        ("rules:\n  - match: {tool: x}\n    quorum: 1\n    approval: auto", 3, "with `approval: auto`"),
        ("rules:\n  - match: {tool: x}\n    approvers: local_user\n    approval: auto", 3, "write `approval: approve`"),
    ] {
        let error = load("p.yaml", &Sources::one("p.yaml", text)).expect_err(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
        assert!(error.starts_with(&format!("p.yaml:{line}:")), "{text}: {error}");
    }
}

/// Defends calls that ask: a policy under which nobody could ever approve them does not load, wherever its parts stand.
#[test]
fn somebody_can_approve() {
    let team = "groups: {team: [alice, bob]}";
    for (section, rule, problem) in [
        ("{quorum: 2}", "", Some("p:1:13: nobody could approve: 2 different accounts must, and no more than 1 may")),
        ("{quorum: 2, approvers: [local_user, local_terminal]}", "", Some("no more than 1 may")),
        ("{quorum: 2, approvers: [local_user, \"user:alice\"]}", "", None),
        ("{quorum: 3, approvers: [local_user, \"user:alice\"]}", "", Some("no more than 2 may")),
        ("{requester_may_approve: false}", "", Some("p:1:13: nobody could approve: whoever asks may not")),
        ("{requester_may_approve: false, approvers: [local_user]}", "", Some("whoever asks may not")),
        ("{requester_may_approve: false, approvers: [local_user, \"user:alice\"]}", "", None),
        (
            "{requester_may_approve: false, quorum: 2, approvers: [local_user, \"user:a\"]}",
            "",
            Some("no more than 1 may"),
        ),
        (&format!("{{quorum: 2, {team}, approvers: [\"group:team\"]}}"), "", None),
        (&format!("{{quorum: 3, {team}, approvers: [\"group:team\"]}}"), "", Some("no more than 2 may")),
        (&format!("{{quorum: 2, {team}, approvers: [\"group:team\", \"user:alice\"]}}"), "", None),
        ("{}", "quorum: 2", Some("p:2:28: nobody could approve: 2 different accounts must")),
        (
            "{approvers: [\"user:alice\"]}",
            "approvers: [\"user:bob\"]",
            Some("p:2:28: nobody could approve: no account is on"),
        ),
        // The account of the sidecar may be alice's.
        ("{approvers: [local_user]}", "approvers: [\"user:alice\"]", None),
        ("{approvers: [local_user]}", "approvers: [\"user:alice\"], quorum: 2", Some("no more than 1 may")),
        (
            "{requester_may_approve: false, approvers: [\"user:bob\"]}",
            "approvers: local_user",
            Some("whoever asks may not"),
        ),
        ("{approvers: [local_user, \"user:alice\"]}", "quorum: 2", None),
    ] {
        let rule = if rule.is_empty() { String::new() } else { format!("rules: [{{match: {{tool: x}}, {rule}}}]") };
        let text = format!("approvals: {section}\n{rule}\n");
        let error = load("p", &Sources::one("p", text.as_str())).err().map(|error| error.to_string());
        match problem {
            Some(message) => {
                let error = error.unwrap_or_default();
                assert!(error.contains(message), "{text}: {error}");
                assert!(error.starts_with("p:") && error.matches("nobody could").count() == 1, "{text}: {error}");
            }
            None => assert_eq!(error, None, "{text}"),
        }
    }
}

/// Defends files that were good alone: what they say together is checked too, and shown in both.
#[test]
fn files_that_contradict_each_other() {
    let fails = |a: &str, b: &str| {
        let sources = Sources::new().with("p", "include: [a, b]").with("a", a).with("b", b);
        load("p", &sources).expect_err("must not load").render(false)
    };
    let groups = fails("approvals: {groups: {team: [alice]}}", "approvals:\n  groups:\n    team: [mallory]\n");
    insta::assert_snapshot!(groups, @r"
    error[duplicate_name]: two groups are called `team`
     --> b:3:5
      |
    2 |   groups:
    3 |     team: [mallory]
      |     ^^^^
      |
     ::: a:1:22
      |
    1 | approvals: {groups: {team: [alice]}}
      |                      ---- the first one
      |
      = help: declare a group in one file only
    ");
    let lists = fails("approvals: {approvers: \"user:alice\"}", "approvals: {approvers: \"user:bob\"}");
    insta::assert_snapshot!(lists, @r#"
    error[bad_value]: nobody could approve: no account is on every list of `approvers`
     --> b:1:13
      |
    1 | approvals: {approvers: "user:bob"}
      |             ^^^^^^^^^
      |
     ::: a:1:13
      |
    1 | approvals: {approvers: "user:alice"}
      |             --------- together with this
      |
      = help: who approves must be on the list of each file and rule
    "#);
    let url = |host: &str| format!("approvals: {{url: \"https://{host}.example/{{hold}}\"}}");
    insta::assert_snapshot!(fails(&url("a"), &url("b")), @r#"
    error[conflict]: the files of one policy disagree on `url` of `approvals`
     --> b:1:18
      |
    1 | approvals: {url: "https://b.example/{hold}"}
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
     ::: a:1:18
      |
    1 | approvals: {url: "https://a.example/{hold}"}
      |                  -------------------------- the other file
    "#);
    let rule = fails("approvals: {approvers: \"user:alice\"}", "rules:\n  - match: {tool: x}\n    quorum: 2\n");
    insta::assert_snapshot!(rule, @r#"
    error[bad_value]: nobody could approve: 2 different accounts must, and no more than 1 may
     --> b:3:5
      |
    2 |   - match: {tool: x}
    3 |     quorum: 2
      |     ^^^^^^
      |
     ::: a:1:13
      |
    1 | approvals: {approvers: "user:alice"}
      |             --------- together with this
      |
      = help: name more accounts in `approvers`, or lower `quorum`
    "#);
}
