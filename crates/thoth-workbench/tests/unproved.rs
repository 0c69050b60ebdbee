//! What must not be claimed: each row has a call that would refute the claim, and the policy itself says so.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use thoth_policy::outline::{Glob, TextMatch};
use thoth_policy::{Policy, Sources, load};
use thoth_types::Approval;
use thoth_workbench::{Answer, Call, CheckOptions, FindingKind, Invariant, check, decide, diff};

const NOW: &str = "2026-03-02T12:00:00Z";

fn loaded(text: &str) -> Policy {
    load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}\n{text}", error.render(false)))
}

fn call(tool: &str, arguments: &str) -> Call {
    Call {
        tool: tool.to_owned(),
        server: "default".to_owned(),
        agent: None,
        arguments: arguments.to_owned(),
        at: NOW.parse().unwrap(),
        earlier: Vec::new(),
        labels: thoth_types::HarmClasses::default(),
    }
}

/// A policy with these rules, or lists of tools, that lets everything else run.
fn with(section: &str) -> Policy {
    loaded(&format!("defaults: {{approval: auto}}\n{section}\n"))
}

/// The call is blocked by the section, and is not without it: no check may say that the rule does nothing, and no
/// comparison that it makes no difference.
fn assert_not_proved_useless(section: &str, call: &Call) {
    let (policy, without) = (with(section), with(""));
    assert_eq!(call.decided_by(&policy), Some(Approval::Block), "{section}: {call:?}");
    assert_eq!(call.decided_by(&without), Some(Approval::Auto), "{call:?}");
    let report = check(&policy, &CheckOptions { from: NOW.parse().unwrap(), tools: None });
    let useless = [FindingKind::Unreachable, FindingKind::NeverDecisive, FindingKind::Shadowed];
    let claims: Vec<_> = report.findings.iter().filter(|finding| useless.contains(&finding.kind)).collect();
    assert!(claims.is_empty(), "{section}: {claims:#?}");
    for (old, new) in [(&policy, &without), (&without, &policy)] {
        assert!(!diff(old, new, NOW.parse().unwrap()).is_equal(), "{section}");
    }
}

/// Paths deeper, or with positions further, than a call is put together for.
#[test]
fn far_paths_are_not_proved_unreachable() {
    let deep = ["a"; 129].join(".");
    for path in ["l[1023]", "l[1001]", "l[5].m[1023].n", "x[99999999999]", &deep] {
        for (test, value) in [("param_gt: {PATH: 5}", "6"), ("param_eq: {PATH: x}", "\"x\"")] {
            let test = test.replace("PATH", &format!("\"{path}\""));
            let rule = format!("rules: [{{match: {{tool: a}}, approval: block, conditions: {{{test}}}}}]");
            let arguments = format!("{{\"{path}\": {value}}}");
            assert_not_proved_useless(&rule, &call("a", &arguments));
        }
    }
}

/// Names that read otherwise than they are written.
#[test]
fn rules_for_odd_names_are_not_proved_unreachable() {
    for (glob, name) in [
        (r"*[\x01-\x1f]*", "a\u{1}b"),
        (r"a\x07", "a\u{7}"),
        (r"[\x01]?", "\u{1}x"),
        (" a", " a"),
        ("a ", "a "),
        ("*[ ]", "a "),
        (r"e\u0301", "e\u{301}"),
        (r"e[\u0300-\u0310]", "e\u{301}"),
        ("ﬁ*", "ﬁle"),
        ("[Ａ-Ｚ]x", "Ａx"),
        ("x²", "x²"),
        (r"[\U0010FFF0-\U0010FFFF]x", "\u{10FFFF}x"),
        ("x[²³]*", "x²y"),
    ] {
        let rule = format!("rules: [{{match: {{tool: \"{glob}\"}}, approval: block}}]");
        assert_not_proved_useless(&rule, &call(name, "{}"));
    }
}

/// Each row: sections, the glob and the answer of an invariant, and a call that violates it.
#[test]
fn invariants_about_odd_names_are_not_proved() {
    for (section, never, glob, tool) in [
        ("", Approval::Auto, "*[\u{1}-\u{1f}]*", "a\u{1}b"),
        ("", Approval::Auto, "a ", "a "),
        ("", Approval::Auto, "[ﬀ-ﬅ]x", "ﬁx"),
        ("rules: [{match: {tool: ab}, approval: block}]", Approval::Block, "a[\u{1}]b", "a\u{1}b"),
        ("rules: [{match: {tool: a}, approval: block}]", Approval::Block, "a?", "a\u{1}"),
        ("rules: [{match: {tool: \"[!a]*\"}, approval: block}]", Approval::Block, "a*", "a\u{301}"),
        ("rules: [{match: {tool: a}, approval: approve}]", Approval::Approve, " a", " a"),
    ] {
        let policy = with(section);
        assert_eq!(call(tool, "{}").decided_by(&policy), Some(never), "{section} {glob:?}");
        let tool = TextMatch { any: [Glob::parse(glob).unwrap()].into(), none: Box::default() };
        let invariant = Invariant { never: vec![never], tool, ..Invariant::default() };
        let answer = decide(&policy, &invariant, NOW.parse().unwrap());
        assert_ne!(answer, Answer::Holds, "{section} {glob:?}");
    }
}

/// Each row: two lists, and a name that only one of them has once letter case is taken away.
#[test]
fn lists_in_any_case_are_not_proved_equal() {
    for (one, other, name) in [
        ("\"x\"", "\"x\", \"[а-я]*\"", "Ж"),
        ("\"x\"", "\"x\", \"ss\"", "ß"),
        ("\"s[s]\"", "\"ss\", \"ß\", \"?\"", "ж"),
        ("\"[i]\"", "\"i\", \"[à-ÿ]\"", "É"),
        ("\"ς*\"", "\"σ*\", \"τ*\"", "Τx"),
        ("\"x\"", "\"x\", \"[θ]\"", "Θ"),
    ] {
        let policies = [one, other].map(|list| with(&format!("gateway: {{denied_tools: [{list}]}}")));
        let answers = policies.each_ref().map(|policy| call(name, "{}").decided_by(policy).unwrap());
        let [old, new] = &policies;
        assert_ne!(answers[0], answers[1], "{one} and {other}: {name}");
        assert!(!diff(old, new, NOW.parse().unwrap()).is_equal(), "{one} and {other}");
    }
}

/// A list covers a rule only for names that it has; a rule that names what the list has not matters.
#[test]
fn rules_beside_lists_in_any_case_are_not_proved_useless() {
    for (list, glob, name, listed) in [
        ("[а-я]*", "Ж*", "Жx", true),
        ("σ*", "ς*", "ςx", true),
        ("ss", "ß", "ß", true),
        ("i*", "ı*", "ıx", true),
        ("w*", "W*", "W\u{30a}", false),
        ("[!б]*", "Б*", "Бx", true),
    ] {
        let only = with(&format!("gateway: {{denied_tools: [\"{list}\"]}}"));
        let wanted = if listed { Approval::Block } else { Approval::Auto };
        assert_eq!(call(name, "{}").decided_by(&only), Some(wanted), "{list} {name}");
        let tool = TextMatch { any: [Glob::parse(glob).unwrap()].into(), none: Box::default() };
        let invariant = Invariant { never: vec![wanted], tool, ..Invariant::default() };
        assert_ne!(decide(&only, &invariant, NOW.parse().unwrap()), Answer::Holds, "{list} {glob}");
    }
}

/// Names beyond ASCII in lists that are compared without letter case: where what one list takes out is nothing that the
/// other has, the policies are equal, and this is sure.
#[test]
fn what_lists_take_out_of_nothing_makes_no_difference() {
    let (wide, narrow) = (with("gateway: {denied_tools: [\"b*\"]}"), with("gateway: {denied_tools: [\"b*\", \"!a\"]}"));
    assert!(diff(&wide, &narrow, NOW.parse().unwrap()).is_equal());
    let narrower = with("gateway: {denied_tools: [\"b*\", \"!bé\"]}");
    assert!(!diff(&wide, &narrower, NOW.parse().unwrap()).is_equal());
}
