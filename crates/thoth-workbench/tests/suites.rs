//! Test files: how they are read, what they find, what they reach and what they notice.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use insta::assert_snapshot;
use thoth_policy::{Policy, Sources};
use thoth_workbench::coverage::Coverage;
use thoth_workbench::junit::junit;
use thoth_workbench::mutate::{Mutant, mutate};
use thoth_workbench::suite::{self, Counterexample, Held, Report, Run, Suite};

const GUIDE: &str = include_str!("../../thoth-policy/tests/policies/guide.yaml");

fn policy(text: &str) -> Policy {
    thoth_policy::load("p.yaml", &Sources::one("p.yaml", text)).unwrap()
}

/// A policy and its tests, run in every way.
struct Tested {
    policy: Policy,
    runs: Vec<Run>,
    coverage: Coverage,
    mutants: Vec<Mutant>,
}

impl Tested {
    fn new(rules: &str, tests: &str) -> Self {
        let policy = policy(rules);
        let suites: Vec<Suite> = vec![suite::read("t.yaml", tests.as_bytes().to_vec()).unwrap()];
        let mut coverage = Coverage::new(&policy);
        let decide: suite::Decide<'_> = &|_, invariant| match &*invariant.name {
            "known" => Held::Holds,
            "broken" => Held::Violated(Counterexample {
                whole: "read_file @ prod".to_owned(),
                shown: "read_file @ prod".to_owned(),
            }),
            _ => Held::Unknown("too large".to_owned()),
        };
        let inspect: suite::Inspect<'_> = &|_, _| Vec::new();
        let runs: Vec<Run> =
            suites.iter().map(|suite| suite::run(&policy, suite, inspect, decide, &mut coverage)).collect();
        let mutants = mutate(&policy, &suites, &runs, inspect, decide);
        Self { policy, runs, coverage, mutants }
    }

    fn report(&self, all: bool) -> Report<'_> {
        Report {
            policy: &self.policy,
            runs: &self.runs,
            coverage: all.then_some(&self.coverage),
            mutants: all.then_some(&self.mutants),
        }
    }

    fn shown(&self, all: bool) -> String {
        let lines = self.report(all).lines();
        lines.iter().map(|line| format!("{} {}", line.word, line.text)).collect::<Vec<_>>().join("\n")
    }

    fn passed(&self) -> bool {
        self.report(false).passed()
    }
}

/// The two forms that Aegis 1.0 documents, as they stand there, with a policy for them.
#[test]
fn both_forms_of_aegis_are_read_unchanged() {
    let rules = "\
defaults: {approval: approve}
rules:
  - {name: crm, match: {type: read, target: crm}, approval: auto, risk_level: low}
  - {name: sql, match: {type: db_query, target: production}, approval: block, risk_level: critical}
";
    let simple = r#"
name: "My suite"
tests:
  - action: {type: read, target: crm}
    expected_decision: auto
    expected_risk_level: low
    description: Read CRM auto-approves
  - action: {type: write, target: "", agent_id: "", params: {}}
    expected_decision: APPROVE
    expected_risk_level: ""
"#;
    let expecting = r#"
suite: "My Tests"
policy: "./policy.yaml"
tests:
  - name: "blocks SQL injection"
    action:
      type: db_query
      target: production
      params:
        query: "DROP TABLE"
    expect:
      approval: block
      risk_level: critical
  - name: "warns"
    action: {type: write, target: crm, description: words}
    expect: {approval: warn}
  - name: "not yet"
    action: {type: write, target: crm}
    expect: {approval: allow}
    skip: true
    skip_reason: "known"
"#;
    assert_snapshot!(Tested::new(rules, simple).shown(false), @"passed t.yaml My suite: 2 passed");
    assert_snapshot!(Tested::new(rules, expecting).shown(false), @r"
    passed t.yaml My Tests: 2 passed, 1 skipped
      skipped not yet: known
    ");
    let suite = suite::read("t.yaml", expecting.as_bytes().to_vec()).unwrap();
    assert_eq!(suite.policy.as_deref(), Some("./policy.yaml"));
    assert_eq!(suite.cases[0].call.arguments.as_deref(), Some(r#"{"query":"DROP TABLE"}"#));
}

/// What a failed test shows: each difference, the call and what decided.
#[test]
fn failures_say_what_was_expected_and_what_decided() {
    let tests = r#"
defaults: {server: dev}
tests:
  - name: all of it
    call: {tool: read_file, server: prod-filesystem, agent: a, args: {path: "/x", n: 1e2}}
    expect: {effect: allow, risk_level: low, rule: mcp_read, reason_code: rule_auto, matched: [mcp_read, mcp_list], reason: allows}
  - {call: {tool: move_file}, expect: {approval: block, rule: mcp_write}}
  - {call: {tool: read_file}, expect: {rule: ~}}
  - {call: {tool: move_file}, expect: {rule: ~, reason: no rule matches, reason_code: default_approve}}
invariants:
  - {name: known, never: {effect: auto, server: "prod-*"}}
  - {name: broken, always: {effect: [approve, block], server: "prod*"}}
  - {never: {effect: deny, tool: [read_*, "!read_x"], agent: a}}
"#;
    let tested = Tested::new(GUIDE, tests);
    assert!(!tested.passed());
    assert_snapshot!(tested.shown(false), @r#"
    failed t.yaml: 1 passed, 3 failed, 1 invariant holds, 1 invariant does not hold, 1 invariant could not be told
      failed all of it  t.yaml:4:5
        approval     expected auto, found block
        risk         expected low, found critical
        rule         expected `mcp_read`, found `prod_fs_block`
        reason_code  expected rule_auto, found rule_block
        reason       expected …allows…, found rule `prod_fs_block` blocks this call
        matched      expected mcp_list, found mcp_read, prod_fs_block
        call         read_file @ prod-filesystem by a {"path":"/x","n":1e2}
        decided      block by prod_fs_block (p.yaml:26:5)
      failed move_file @ dev  t.yaml:7:5
        approval  expected block, found approve
        rule      expected `mcp_write`, found no rule
        call      move_file @ dev
        decided   approve by no rule matches; the policy's defaults hold
      failed read_file @ dev  t.yaml:8:5
        rule     expected no rule, found `mcp_read`
        call     read_file @ dev
        decided  auto by mcp_read (p.yaml:6:5)
      violated broken  t.yaml:12:5
                read_file @ prod
      unknown never block tool read_*|!read_x agent a  t.yaml:13:5
                too large
    "#);
}

/// What a call may have: a past, a time, and several tools and servers at once. Whoever looks at the clock is told it.
#[test]
fn calls_have_a_past_and_a_time() {
    let rules = "\
defaults: {approval: auto}
rules:
  - {name: often, match: {tool: mail}, conditions: {rate: {limit: 3, window: 1h, per: tool}}, approval: block}
  - {name: busy, match: {tool: post}, conditions: {rate: {limit: 3, window: 1h}}, approval: block}
  - {name: leak, match: {tool: send}, conditions: {after_call: {tool: 'read_*', server: private}}, approval: block}
  - {name: night, match: {tool: deploy}, conditions: {time_after: '18:00', time_before: '08:00', weekdays: [fri, sun]}, approval: block}
  - {name: once, match: {tool: old}, expires: 2026-01-01, approval: block}
  - {name: told, match: {tool: push}, conditions: {labels: [injection, secrets]}, approval: block}
";
    let tests = "\
tests:
  - {call: {tool: mail, history: [mail, {tool: Mail, ago: 60m, times: 2}]}, expect: block}
  - {call: {tool: mail, history: [mail, {tool: mail, ago: 61m, times: 2}]}, expect: auto}
  - {call: {tool: mail, history: [mail, {tool: other, times: 9}]}, expect: auto}
  - {call: {tool: post, history: [mail, {tool: other, times: 9}]}, expect: block}
  - {call: {tool: send, history: [{tool: read_x, server: private, ago: 3d}]}, expect: deny}
  - {call: {tool: send, history: [{tool: read_x, server: public}]}, expect: allow}
  - {call: {tool: deploy, at: '2026-11-20T22:00:00Z'}, expect: block}
  - {call: {tool: deploy, time: '2026-11-21T09:00:00+02:00'}, expect: block}
  - {call: {tool: deploy, at: '2026-11-21T22:00:00Z'}, expect: auto}
  - {call: {tool: old, at: '2025-12-31T23:59:59Z'}, expect: block}
  - {call: {tool: old, at: '2026-01-02T00:00:00Z'}, expect: auto}
  - {name: any, call: {tool: [a, b], server: [x, y]}, expect: auto}
  - {call: {tool: deploy}, expect: block}
  - {call: {tool: old}, expect: block}
  - {call: {tool: push, labels: [personal_data, secrets]}, expect: block}
  - {call: {tool: push, labels: personal_data}, expect: auto}
  - {call: {tool: push, labels: [personal_data, injection]}, expect: auto}
";
    assert_snapshot!(Tested::new(rules, tests).shown(false), @r"
    failed t.yaml: 17 passed, 3 failed
      failed deploy @ default  t.yaml:14:5
        time     expected a test that says when: `at: 2026-11-20T22:00:00Z`, found rule `night` looks at the clock
        call     deploy @ default
        decided  auto by no rule matches; the policy's defaults hold
      failed old @ default  t.yaml:15:5
        time     expected a test that says when: `at: 2026-11-20T22:00:00Z`, found rule `once` looks at the clock
        call     old @ default
        decided  block by once (p.yaml:7:5)
      failed push @ default in a session with [personal_data, injection]  t.yaml:18:5
        approval  expected auto, found block
        call      push @ default in a session with [personal_data, injection]
        decided   block by told (p.yaml:8:5)
    ");
}

/// What is wrong with a test file, with its place and what to do.
#[test]
fn mistakes_in_test_files_are_told() {
    for (text, expected) in [
        ("", "t:1:1: a test file without tests (write `tests: [{call: {tool: read_file}, expect: auto}]`)"),
        ("tests: []", "t:1:1: a test file without tests (write `tests: [{call: {tool: read_file}, expect: auto}]`)"),
        ("tests: {a: b}", "t:1:8: `tests` wants a list, not a mapping"),
        ("- a", "t:1:1: a test file wants a mapping, not a list"),
        ("test: []", "t:1:1: unknown key `test` in a test file (did you mean `tests`?)"),
        ("tests: [{expect: auto}]", "t:1:9: a test without a call (write `call: {tool: read_file, server: files}`)"),
        (
            "tests: [{call: {server: s}, expect: auto}]",
            "t:1:9: a call that names no tool (write `call: {tool: read_file}`)",
        ),
        ("tests: [{call: {tool: ''}, expect: auto}]", "t:1:23: `tool` is empty"),
        ("policy: 5\ntests: [{call: {tool: t}, expect: auto}]", "t:1:9: `policy` wants a text, not `5`: quote a name"),
        (
            "policy: true\ntests: [{call: {tool: t}, expect: auto}]",
            "t:1:9: `policy` wants a text, not `true`: quote a name",
        ),
        (
            "tests: [{call: {tool: t}}]",
            "t:1:9: a test that expects nothing (write `expect: auto`, `expect: approve` or `expect: block`)",
        ),
        (
            "tests: [{call: {tool: t}, expect: {}}]",
            "t:1:9: a test that expects nothing (write `expect: auto`, `expect: approve` or `expect: block`)",
        ),
        ("tests: [{call: {tool: t}, expect: atuo}]", "t:1:35: `atuo` is no answer (did you mean `auto`?)"),
        (
            "tests: [{call: {tool: t}, expect: {aproval: auto}}]",
            "t:1:36: unknown key `aproval` in `expect` (did you mean `approval`?)",
        ),
        ("tests: [{call: {tool: t}, expect: {approval: auto, effect: deny}}]", "t:1:52: two keys say the same"),
        ("tests: [{call: {tool: t}, expected_decision: auto, expect: block}]", "t:1:60: two keys say the same"),
        (
            "tests: [{call: {tool: t, type: u}, expect: auto}]",
            "t:1:26: `type` says the same as a key before it: the tool",
        ),
        (
            "tests: [{call: {tool: t}, action: {type: u}, expect: auto}]",
            "t:1:27: `call` and `action` are two names for the same thing",
        ),
        ("tests: [{call: {tool: t, args: [1]}, expect: auto}]", "t:1:32: `args` wants a mapping, not a list"),
        (
            "tests: [{call: {tool: t, args: {a: yes}}, expect: auto}]",
            "t:1:36: `yes` is read differently by different YAML versions (quote it if it is a text; write a plain decimal number, true or false if it is not)",
        ),
        (
            "tests: [{call: {tool: t, at: noon}, expect: auto}]",
            "t:1:30: `noon` is not a date, a time and an offset (write 2026-11-20T22:00:00Z or 2026-11-20T22:00:00+01:00)",
        ),
        ("tests: [{call: {tool: t, history: [{ago: 1h}]}, expect: auto}]", "t:1:36: a call before that names no tool"),
        (
            "tests: [{call: {tool: t, history: [{tool: a, ago: 1w}]}, expect: auto}]",
            "t:1:51: `1w` is no duration for `ago` (write a number with `s`, `m`, `h` or `d`, from `0s` to `31d`)",
        ),
        ("tests: [{call: {tool: t}, expect: auto, skip: maybe}]", "t:1:47: `skip` wants true or false, not `maybe`"),
        ("tests: [{call: {tool: t}, call: {tool: t}}]", "t:1:27: duplicate key `call`"),
        (
            "invariants: [{name: n}]",
            "t:1:14: an invariant wants `never` or `always` (write `never: {effect: auto, server: \"prod-*\"}`)",
        ),
        (
            "invariants: [{never: {server: s}}]",
            "t:1:22: `never` names no effect (write `never: {effect: auto, server: \"prod-*\"}`)",
        ),
        (
            "invariants: [{never: {effect: auto, sever: s}}]",
            "t:1:37: unknown key `sever` in `never` (did you mean `server`?)",
        ),
        (
            "invariants: [{always: {effect: [auto, ask, deny]}}]",
            "t:1:23: `always` with these effects says nothing about a policy",
        ),
        (
            "invariants: [{never: {effect: auto, tool: '[a'}}]",
            "t:1:43: bad pattern `[a`: `[` without a closing `]` (`*` is any text, `?` one character, `[abc]` and `[!abc]` are classes, `[[]` is a `[`)",
        ),
        ("tests: [", "t:1:8: not valid YAML: unclosed bracket '['"),
    ] {
        let error = suite::read("t", text.as_bytes().to_vec()).unwrap_err();
        assert_eq!(error.diagnostics[0].to_string(), expected, "{text}");
    }
    let error = suite::read("t", vec![b'a', 0xff]).unwrap_err();
    assert_eq!(error.to_string(), "`t` is not UTF-8 at byte 1");
    let spread = format!("tests: [{{call: {{tool: [{0}], server: [{0}]}}, expect: auto}}]", vec!["t"; 400].join(","));
    let error = suite::read("t", spread.into_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "t:1:9: more than 100000 tests in one file");
}

const SPENDING: &str = "\
defaults: {approval: approve}
rules:
  - {name: big, match: {tool: pay}, conditions: {param_gt: {amount: 100}}, approval: block, risk_level: critical}
  - {name: small, match: {tool: pay}, conditions: {param_lte: {amount: 100}, param_eq: {currency: EUR}}, approval: auto}
  - {name: unused, match: {tool: 'pay_*'}, approval: block}
";

/// Tests that reach everything and notice everything.
const COMPLETE: &str = "\
tests:
  - {name: much, call: {tool: pay, args: {amount: 101, currency: EUR}}, expect: block}
  - {name: little, call: {tool: pay, args: {amount: 100, currency: EUR}}, expect: auto}
  - {name: dollars, call: {tool: pay, args: {amount: 100, currency: USD}}, expect: approve}
  - {name: bill, call: {tool: pay_bill}, expect: block}
";

/// Coverage and mutation of complete tests, and what is told when any one of them is missing.
#[test]
fn what_tests_reach_and_notice() {
    assert_snapshot!(Tested::new(SPENDING, COMPLETE).shown(true), @r"
    passed t.yaml: 4 passed
    coverage 3 of 3 rules decide a test, 6 of 6 outcomes of conditions seen
    mutants 11 of 12 changes of rules are noticed
      unnoticed small: without `param_lte amount 100`  p.yaml:4:5 (or no call needs it)
    ");
    let without = |name: &str| {
        let kept: Vec<&str> = COMPLETE.lines().filter(|line| !line.contains(name)).collect();
        Tested::new(SPENDING, &kept.join("\n")).shown(true)
    };
    assert_snapshot!(without("much"), @r"
    passed t.yaml: 3 passed
    coverage 2 of 3 rules decide a test, 4 of 6 outcomes of conditions seen
      missing big matches no test  p.yaml:3:5
      missing big: `param_gt amount 100` never holds  p.yaml:3:5
      missing small: `param_lte amount 100` never fails  p.yaml:4:5
    mutants 8 of 12 changes of rules are noticed
      unnoticed big: dropped  p.yaml:3:5
      unnoticed big: block becomes auto  p.yaml:3:5
      unnoticed big: block becomes approve  p.yaml:3:5
      unnoticed small: without `param_lte amount 100`  p.yaml:4:5 (or no call needs it)
    ");
    assert_snapshot!(without("dollars"), @r#"
    passed t.yaml: 3 passed
    coverage 3 of 3 rules decide a test, 5 of 6 outcomes of conditions seen; no test reaches the defaults
      missing small: `param_eq currency "EUR"` never fails  p.yaml:4:5
    mutants 10 of 12 changes of rules are noticed
      unnoticed small: without `param_lte amount 100`  p.yaml:4:5 (or no call needs it)
      unnoticed small: without `param_eq currency "EUR"`  p.yaml:4:5 (or no call needs it)
    "#);
    assert_snapshot!(without("bill"), @r"
    passed t.yaml: 3 passed
    coverage 2 of 3 rules decide a test, 6 of 6 outcomes of conditions seen
      missing unused matches no test  p.yaml:5:5
    mutants 8 of 12 changes of rules are noticed
      unnoticed unused: dropped  p.yaml:5:5
      unnoticed unused: block becomes auto  p.yaml:5:5
      unnoticed unused: block becomes approve  p.yaml:5:5
      unnoticed small: without `param_lte amount 100`  p.yaml:4:5 (or no call needs it)
    ");
}

#[test]
fn junit_for_build_servers() {
    let tests = "\
name: <pay>
tests:
  - {name: much, call: {tool: pay, args: {amount: 101}}, expect: {approval: auto, risk_level: low}}
  - {name: little, call: {tool: pay, args: {amount: 1, currency: EUR}}, expect: auto}
  - {name: later, call: {tool: pay}, expect: auto, skip: true, skip_reason: '\"soon\"'}
invariants:
  - {name: known, never: {effect: auto}}
  - {name: broken, never: {effect: block}}
";
    let tested = Tested::new(SPENDING, tests);
    assert_snapshot!(junit(&tested.report(false)), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="&lt;pay&gt;" tests="5" failures="2" errors="0" skipped="1">
        <testcase name="much" classname="&lt;pay&gt;" file="t.yaml" line="3"><failure message="approval: expected auto, found block; risk: expected low, found critical">pay @ default {&quot;amount&quot;:101}</failure></testcase>
        <testcase name="little" classname="&lt;pay&gt;" file="t.yaml" line="4"/>
        <testcase name="later" classname="&lt;pay&gt;" file="t.yaml" line="5"><skipped message="&quot;soon&quot;"/></testcase>
        <testcase name="known" classname="&lt;pay&gt;" file="t.yaml" line="7"/>
        <testcase name="broken" classname="&lt;pay&gt;" file="t.yaml" line="8"><failure message="the invariant does not hold">read_file @ prod</failure></testcase>
      </testsuite>
    </testsuites>
    "#);
    assert!(
        junit(&tested.report(true))
            .contains("<testsuite name=\"changes of rules\" tests=\"12\" failures=\"6\" errors=\"0\" skipped=\"2\"")
    );
}

/// Invariants are about all calls: they find the one that no test thought of, and notice what no test notices.
#[test]
fn invariants_are_decided() {
    let policy = policy(GUIDE);
    let tests = "\
invariants:
  - {name: production, never: {effect: [auto, approve], server: prod-filesystem}}
  - {name: deletes, always: {effect: block, tool: 'delete_*'}}
";
    let suites = [suite::read("t.yaml", tests.as_bytes().to_vec()).unwrap()];
    let inspect: suite::Inspect<'_> = &|_, _| Vec::new();
    let decide: suite::Decide<'_> = &|policy, invariant| invariant.decide(policy, jiff::Timestamp::UNIX_EPOCH);
    let mut coverage = Coverage::new(&policy);
    let runs = [suite::run(&policy, &suites[0], inspect, decide, &mut coverage)];
    let held: Vec<&Held> = runs[0].invariants.iter().map(|invariant| &invariant.held).collect();
    assert_eq!(held[0], &Held::Holds);
    let Held::Violated(call) = held[1] else { panic!("{held:?}") };
    // `delete_file` is blocked; any other such name is asked for.
    let call = &call.whole;
    assert!(
        call.starts_with("delete_") && !call.starts_with("delete_file ") && call.ends_with("gets `approve`"),
        "{call}"
    );
    let noticed: Vec<(String, bool)> = mutate(&policy, &suites, &runs, inspect, decide)
        .into_iter()
        .map(|mutant| (format!("{}: {}", mutant.rule, mutant.words), mutant.noticed_by.is_some()))
        .filter(|(_, noticed)| *noticed)
        .collect();
    let expected = ["dropped", "block becomes auto", "block becomes approve"];
    assert_eq!(noticed, expected.map(|change| (format!("prod_fs_block: {change}"), true)));
}

/// A name that no rule has is a slip, and one that a rule has is not; one of a thing is one.
#[test]
fn expected_rules_that_do_not_exist_are_told() {
    let rules = "rules: [{name: read_all, match: {tool: r}, approval: auto}, {name: other, match: {tool: o}, approval: auto}]\n\
                 defaults: {approval: block}\n";
    for (expected, told) in [
        ("{rule: read_al}", Some("found `read_all` (no rule is called `read_al`; did you mean `read_all`?)")),
        ("{rule: nothing_like_it}", Some("found `read_all` (no rule is called `nothing_like_it`)")),
        ("{rule: other}", Some("expected `other`, found `read_all`\n")),
        ("{matched: [read_al]}", Some("(no rule is called `read_al`; did you mean `read_all`?)")),
        ("{rule: read_all}", None),
    ] {
        let tests = format!(
            "tests: [{{call: {{tool: r}}, expect: {expected}}}]\ninvariants: [{{name: known, never: {{effect: auto}}}}]"
        );
        let shown = format!("{}\n", Tested::new(rules, &tests).shown(false));
        assert!(told.is_none_or(|told| shown.contains(told)), "{expected}: {shown}");
        assert_eq!(shown.contains("failed"), told.is_some(), "{shown}");
        assert!(shown.contains("1 invariant holds"), "{shown}");
    }
}
