//! The policy of the Aegis guide, whose table its own first-match evaluation does not give.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use jiff::Timestamp;
use thoth_policy::outline::{Glob, TextMatch};
use thoth_policy::{Policy, Sources, load};
use thoth_types::Approval;
use thoth_workbench::{Answer, CheckOptions, FindingKind, Invariant, Severity, check, decide, diff};

const GUIDE: &str = include_str!("../../thoth-policy/tests/policies/guide.yaml");

fn policy(text: &str) -> Policy {
    load("guide.yaml", &Sources::one("guide.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn first_match(text: &str) -> String {
    text.replace("version: \"1\"", "version: \"1\"\nevaluation: first-match")
}

/// The rule for the production server before all others.
fn reordered() -> String {
    let at = GUIDE.find("  - name: prod_fs_block").unwrap();
    let (others, last) = GUIDE.split_at(at);
    others.replace("rules:\n", &format!("rules:\n{last}"))
}

/// Defends the case that no other tool notices: the rule for production is partially shadowed, and a call shows it.
#[test]
fn the_shadowed_production_rule_is_reported() {
    let options = CheckOptions { from: Timestamp::UNIX_EPOCH, tools: None };
    let report = check(&policy(&first_match(GUIDE)), &options);
    assert!(report.is_exact());
    let warnings: Vec<_> = report.findings.iter().filter(|finding| finding.severity == Severity::Warning).collect();
    let [finding] = &*warnings else { panic!("{warnings:#?}") };
    assert_eq!(finding.kind, FindingKind::PartiallyShadowed);
    assert_eq!(finding.rule.as_deref(), Some("prod_fs_block"));
    let by: Vec<_> = finding.related.iter().map(|related| &*related.rule).collect();
    assert_eq!(by, ["mcp_read", "mcp_list", "mcp_write"]);
    let (call, answer) = finding.witness.as_ref().unwrap();
    assert_eq!((call.to_string().as_str(), *answer), ("read_file on prod-filesystem", Approval::Auto));
    assert!(!check(&policy(GUIDE), &options).has_warnings(), "in strictest mode nothing is wrong with it");
}

/// Defends the comparison: of the two orders exactly these calls change, and in strictest mode none.
#[test]
fn the_two_orders_differ_in_first_match_mode_only() {
    let (old, new) = (policy(&first_match(GUIDE)), policy(&first_match(&reordered())));
    let rows = |comparison: &thoth_workbench::Comparison| -> Vec<String> {
        let changes = comparison.changes.iter();
        changes
            .map(|change| {
                let (was, is) = (&change.old_decider.what, &change.new_decider.what);
                format!("{} -> {}  {was} -> {is}  {}", change.old, change.new, change.witness)
            })
            .collect()
    };
    let comparison = diff(&old, &new, Timestamp::UNIX_EPOCH);
    assert_eq!(
        rows(&comparison),
        [
            "auto -> block  `mcp_read` -> `prod_fs_block`  read_file on prod-filesystem",
            "auto -> block  `mcp_list` -> `prod_fs_block`  list_x on prod-filesystem",
            "approve -> block  `mcp_write` -> `prod_fs_block`  write_file on prod-filesystem",
        ]
    );
    assert!(!comparison.is_looser() && !comparison.may_differ());
    let back = diff(&new, &old, Timestamp::UNIX_EPOCH);
    assert!(back.is_looser() && back.changes.iter().all(thoth_workbench::Change::is_looser));
    let strictest = diff(&policy(GUIDE), &policy(&reordered()), Timestamp::UNIX_EPOCH);
    assert!(strictest.is_equal(), "{strictest:#?}");
}

/// Defends invariants: proved where they hold, with a counterexample where they do not.
#[test]
fn production_never_runs_by_itself_in_strictest_mode() {
    let production = || TextMatch { any: [Glob::parse("prod-*").unwrap()].into(), none: Box::default() };
    let invariant = |server| Invariant { never: vec![Approval::Auto], server, ..Invariant::default() };
    let exact = TextMatch { any: [Glob::parse("prod-filesystem").unwrap()].into(), none: Box::default() };
    let from = Timestamp::UNIX_EPOCH;
    assert_eq!(decide(&policy(GUIDE), &invariant(exact), from), Answer::Holds);
    let Answer::Violated(call, Approval::Auto) = decide(&policy(GUIDE), &invariant(production()), from) else {
        panic!("other servers are called prod-something, too");
    };
    assert_eq!(call.tool, "read_file");
    assert!(call.server.starts_with("prod-") && call.server != "prod-filesystem");
}
