//! Policies that would take for ever: every question ends within its steps, and says what it left open.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use thoth_policy::{Policy, Sources, load};
use thoth_workbench::{CheckOptions, FindingKind, KnownTools, check, diff};

mod policies;

use policies::hostile_policies;

const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

/// What a question may take, and the last thing that it began.
const MOST_STEPS: u64 = 48_000_000 + 4_000_000;

/// The policy, and it with some stricter answers made looser.
fn loaded(what: &str, rules: usize) -> [Policy; 2] {
    let all = hostile_policies(rules);
    let Some((_, text)) = all.iter().find(|(own, _)| *own == what) else { panic!("no policy `{what}`") };
    [text.clone(), text.replacen("approval: block", "approval: approve", 20)]
        .map(|text| load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}", error.render(false))))
}

/// Defends that a check ends, and never takes what it did not look at for proved.
#[test]
fn checks_end_and_say_what_is_open() {
    for (what, rules, some_open) in [
        ("globs", 100, true),
        ("overriding", 100, true),
        ("overridden", 300, true),
        ("sizes", 300, true),
        ("exceptions", 300, true),
        ("lists", 300, true),
        ("names", 300, true),
        ("conditions", 300, false),
        ("demands", 100, false),
    ] {
        let [policy, _] = loaded(what, rules);
        let report = check(&policy, &CheckOptions { from: NOW, tools: None });
        assert!(report.steps < MOST_STEPS, "{what}: {}", report.steps);
        assert_eq!(report.is_exact(), !some_open, "{what}: {:?}", report.undecided);
    }
}

/// Defends that a comparison ends, and is called an approximation where it is one.
#[test]
fn comparisons_end_and_say_what_is_open() {
    for (what, rules, approximated) in [
        ("overriding", 100, true),
        ("overridden", 300, true),
        ("sizes", 300, true),
        ("exceptions", 300, true),
        ("demands", 300, true),
        ("past", 100, true),
        ("numbers", 100, false),
        ("names", 100, false),
    ] {
        let [old, new] = loaded(what, rules);
        let comparison = diff(&old, &new, NOW);
        assert!(comparison.steps < MOST_STEPS, "{what}: {}", comparison.steps);
        assert_eq!(comparison.approximated, approximated, "{what}");
        assert!(!comparison.is_equal() || !approximated, "{what}");
    }
}

/// Defends against definitions that name themselves over and over: what was not looked through is not missing.
#[test]
fn definitions_that_never_end() {
    let policy =
        load("p", &Sources::one("p", "rules: [{match: {tool: a}, approval: block, conditions: {param_eq: {x.y: 1}}}]"));
    let policy = policy.unwrap_or_else(|error| panic!("{}", error.render(false)));
    let again = |pointer: &str| vec![format!(r##"{{"$ref": "#{pointer}"}}"##); 8].join(",");
    let at_once = format!(r#"{{"anyOf": [{}]}}"#, again(""));
    let below = format!(r#"{{"properties": {{"x": {{"anyOf": [{}]}}}}}}"#, again("/properties/x"));
    for schema in [at_once, below] {
        let tools = format!(r#"{{"tools": [{{"name": "a", "inputSchema": {schema}}}]}}"#);
        let tools = KnownTools::parse(&tools).unwrap_or_else(|error| panic!("{error}"));
        let report = check(&policy, &CheckOptions { from: NOW, tools: Some(tools) });
        assert!(report.undecided.iter().any(|open| open.contains("tools")), "{:?}", report.undecided);
        let missing = [FindingKind::UnknownArgument, FindingKind::ArgumentType];
        assert!(!report.findings.iter().any(|finding| missing.contains(&finding.kind)), "{:?}", report.findings);
    }
}
