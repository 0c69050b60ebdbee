//! Whom rules ask, compared: an approval by other people, or of fewer calls, is never called equal.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use jiff::Timestamp;
use thoth_policy::{Policy, Sources, load};
use thoth_workbench::{Comparison, diff, with_evaluation};

const HEAD: &str = "version: \"1\"\ndefaults: {approval: approve}\nrules:\n";
const PAY: &str = "- {name: payments, match: {tool: \"pay*\"}, approval: approve, \
                   approvers: [\"user:alice\", \"user:bob\"], quorum: 2}\n";
const READ: &str = "- {name: read, match: {tool: \"read*\"}, approval: auto}\n";
const ASK: &str = "- {name: ask, match: {tool: \"*\"}, approval: approve}\n";

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{text}\n{}", error.render(false)))
}

fn compared(old: &str, new: &str) -> Comparison {
    diff(&policy(old), &policy(new), Timestamp::UNIX_EPOCH)
}

fn rules(rules: &[&str]) -> String {
    format!("{HEAD}{}", rules.concat())
}

/// `PAY` with one thing written otherwise.
fn pay(from: &str, to: &str) -> String {
    assert!(PAY.contains(from), "{from}");
    PAY.replace(from, to)
}

/// Defends that a rule for two people no longer covering a call is a difference, although the answer is the same word.
#[test]
fn what_a_demand_reaches_is_compared() {
    let except = "tool: \"pay*\"}, except: {server: x}";
    let when = "tool: \"pay*\"}, conditions: {param_gt: {amount: 5}}";
    let shadow = "tool: \"pay*\"}, mode: shadow";
    let vip = "- {name: vip, match: {tool: pay_vip}, approval: approve, override: [payments]}\n";
    let top = "- {name: top, match: {tool: pay_vip}, approval: approve, override: [vip]}\n";
    let wide = vip.replace("pay_vip", "\"pay*\"");
    for (what, old, new, expected) in [
        ("nothing", rules(&[READ, PAY]), rules(&[READ, PAY]), false),
        ("the order", rules(&[READ, PAY, ASK]), rules(&[ASK, PAY, READ]), false),
        ("another rule", rules(&[PAY]), rules(&[PAY, ASK]), false),
        ("an override, untouched", rules(&[PAY, vip]), rules(&[vip, PAY]), false),
        ("the server", rules(&[PAY]), rules(&[&pay("\"pay*\"}", "\"pay*\", server: nowhere}")]), true),
        ("an agent", rules(&[PAY]), rules(&[&pay("\"pay*\"}", "\"pay*\", agent: a}")]), true),
        ("an exception", rules(&[PAY]), rules(&[&pay("tool: \"pay*\"}", except)]), true),
        ("a condition", rules(&[PAY]), rules(&[&pay("tool: \"pay*\"}", when)]), true),
        ("an end", rules(&[PAY]), rules(&[&pay("quorum: 2", "quorum: 2, expires: \"1970-01-02\"")]), true),
        ("the mode", rules(&[PAY]), rules(&[&pay("tool: \"pay*\"}", shadow)]), true),
        ("an override", rules(&[PAY]), rules(&[PAY, vip]), true),
        ("a wider override", rules(&[PAY, vip]), rules(&[PAY, &wide]), true),
        ("an override of an override", rules(&[PAY, vip]), rules(&[PAY, vip, top]), true),
        ("the people", rules(&[PAY]), rules(&[&pay("alice", "carol")]), true),
        ("the quorum", rules(&[PAY]), rules(&[&pay("quorum: 2", "quorum: 1")]), true),
        ("the rule", rules(&[PAY]), rules(&[READ]), true),
        ("the name", rules(&[PAY]), rules(&[&pay("payments", "paying")]), true),
    ] {
        for (old, new) in [(&old, &new), (&new, &old)] {
            let comparison = compared(old, new);
            assert_eq!(!comparison.other_demands.is_empty(), expected, "{what}\n{old}{new}{comparison:#?}");
            assert!(!(expected && comparison.is_equal()), "{what}");
        }
    }
    assert!(compared(&rules(&[READ, PAY, ASK]), &rules(&[ASK, PAY, READ])).is_equal());
}

/// Defends the order where the first match decides, and going over to the strictest.
#[test]
fn who_is_asked_depends_on_the_order_where_the_first_match_decides() {
    let first = |all: &[&str]| with_evaluation(&rules(all), "first-match");
    let strictest = |all: &[&str]| with_evaluation(&rules(all), "strictest");
    let listed = "gateway: {sensitive_tools: [read_pay]}\n";
    let any = pay("pay*", "*pay*");
    let other = pay("payments", "transfers").replace("alice", "carol");
    for (what, old, new, expected) in [
        ("nothing", first(&[READ, PAY, ASK]), first(&[READ, PAY, ASK]), false),
        ("what comes later", first(&[PAY, ASK, READ]), first(&[PAY, READ, ASK]), false),
        ("what comes before", first(&[PAY, ASK]), first(&[ASK, PAY]), true),
        ("evaluation, one rule asks", first(&[READ, PAY]), strictest(&[READ, PAY]), false),
        ("evaluation, two rules ask", first(&[ASK, PAY]), strictest(&[ASK, PAY]), true),
        ("evaluation, two demands", first(&[PAY, &other]), strictest(&[PAY, &other]), true),
        ("evaluation, a rule and a list ask", first(&[READ, &any]) + listed, strictest(&[READ, &any]) + listed, true),
        ("evaluation, no demand", first(&[ASK, READ]), strictest(&[ASK, READ]), false),
    ] {
        let comparison = compared(&old, &new);
        assert_eq!(!comparison.other_demands.is_empty(), expected, "{what}\n{old}{new}{comparison:#?}");
        assert!(!(expected && comparison.is_equal()), "{what}");
    }
}

/// Defends that another risk is told, and is neither stricter nor looser.
#[test]
fn other_risks_are_told() {
    let policy = |risk: &str, more: &str| {
        let text = format!(
            "defaults: {{approval: block}}\nrules: [{{name: a, match: {{tool: a}}, approval: auto, risk_level: {risk}}}{more}]\n"
        );
        load("p", &Sources::one("p", text)).unwrap()
    };
    let more = ", {name: b, match: {tool: b}, approval: block, risk_level: low}";
    let (old, new) = (policy("low", ""), policy("high", more));
    let comparison = diff(&old, &new, Timestamp::UNIX_EPOCH);
    assert!(comparison.is_equal() && !comparison.is_looser(), "{comparison:?}");
    let text = thoth_workbench::changes_text(&comparison, &|_, word| word.to_owned());
    assert_eq!(text, "risk   rule `a` has risk `high`, had `low`\nequal  every call gets the same answer\n");
    let json = thoth_workbench::changes_json(&comparison);
    assert_eq!(json["other_risks"], serde_json::json!([{"what": "rule `a`", "old": "low", "new": "high"}]));
    let same = diff(&old, &old, Timestamp::UNIX_EPOCH);
    assert!(same.other_risks.is_empty());
}
