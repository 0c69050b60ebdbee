//! The analyser against brute force: on small random policies, what it says of all calls is held against every call of
//! a small universe. `PROPTEST_CASES` sets how many policies are tried.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod policies;
mod universe;

use policies::{approvals, assemble, gateway, names, policy_texts, rule, rules};
use proptest::prelude::*;
use thoth_policy::outline::{Glob, RuleOutline, TextMatch};
use thoth_policy::{Policy, Sources, Truth, load};
use thoth_types::Approval;
use thoth_workbench::{Answer, Call, CheckOptions, FindingKind, Invariant, check, decide, diff};
use universe::{START, universe};

fn loaded(text: &str) -> Policy {
    load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}\n{text}", error.render(false)))
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn globs(texts: &[String]) -> TextMatch {
    let list = |excludes: bool| -> Box<[Glob]> {
        let own = texts.iter().filter(|text| text.starts_with('!') == excludes);
        own.map(|text| Glob::parse(text.trim_start_matches('!')).unwrap()).collect()
    };
    TextMatch { any: list(false), none: list(true) }
}

/// The second of two policies: the first with some things changed, or another one.
fn pairs() -> impl Strategy<Value = (String, String)> {
    let sides = (rules(5), approvals(), gateway(), prop::option::of(approvals()), prop::option::of(gateway()));
    let edits = (any::<prop::sample::Index>(), 0_u8..5, rule());
    let edited = (sides, edits).prop_map(
        |(((rules, first_match), default, lists, other_default, other_lists), (at, edit, new))| {
            let mut changed = rules.clone();
            let mut first = first_match;
            if !changed.is_empty() {
                let at = at.index(changed.len());
                let name = changed[at]["name"].clone();
                match edit {
                    0 => changed.rotate_left(at),
                    1 if !rules.iter().any(|rule| rule["override"][0] == name) => drop(changed.remove(at)),
                    2 => {
                        changed[at] = new;
                        changed[at]["name"] = name;
                    }
                    3 if rules.iter().all(|rule| rule.get("override").is_none()) => first = !first,
                    _ => changed[at]["approval"] = "approve".into(),
                }
            }
            let one = assemble(&rules, default, first_match, &lists);
            let other = assemble(&changed, other_default.unwrap_or(default), first, &other_lists.unwrap_or(lists));
            (one, other)
        },
    );
    prop_oneof![3 => edited, 1 => (policy_texts(), policy_texts())]
}

/// How a rule comes out for a call, as the policy's own trace says.
fn outcome(rules: &[RuleOutline<'_>], name: &str, call: &Call) -> Truth {
    let rule = rules.iter().find(|rule| &*rule.info().name == name).unwrap();
    call.with_query(|query| rule.holds(&call.tool, query)).unwrap()
}

/// Whether a question about the policy may stay open: of what lists contain, and of rates, not all combinations are
/// tried, and differences of rules that override each other may take too many steps.
fn may_be_open(text: &str) -> bool {
    ["param_contains", "\"rate\"", "\"override\""].iter().any(|part| text.contains(part))
}

fn answer_of(rule: &serde_json::Value) -> Approval {
    rule["approval"].as_str().unwrap().parse().unwrap()
}

proptest! {
    #![proptest_config(config())]

    /// Defends comparing by meaning: every class has a call that both policies answer as said, every call of the universe
    /// that changes belongs to a class of its two answers, and where nothing is reported nothing changes.
    #[test]
    fn differences_equal_brute_force((old, new) in pairs()) {
        let (one, other) = (loaded(&old), loaded(&new));
        let comparison = diff(&one, &other, START.parse().unwrap());
        let shown = || format!("{comparison:#?}\n{old}\n{new}");
        prop_assert!(!comparison.may_differ() || may_be_open(&old) || may_be_open(&new), "{}", shown());
        let mut classes = std::collections::BTreeSet::new();
        for change in &comparison.changes {
            let answers = (change.witness.decided_by(&one), change.witness.decided_by(&other));
            prop_assert_eq!(answers, (Some(change.old), Some(change.new)), "{}", shown());
            prop_assert_ne!(change.old, change.new);
            classes.insert((change.old, change.new));
        }
        for call in universe() {
            let (was, is) = (call.decided_by(&one).unwrap(), call.decided_by(&other).unwrap());
            prop_assert!(was == is || classes.contains(&(was, is)), "{call} at {}: {was} {is} {}", call.at, shown());
        }
    }

    /// Defends the check: what it says of a rule holds for every call of the universe, what it shows is so, and nothing is
    /// left undecided.
    #[test]
    fn findings_equal_brute_force((rules, first_match) in rules(6), default in approvals(), lists in gateway()) {
        let text = assemble(&rules, default, first_match, &lists);
        let policy = loaded(&text);
        let report = check(&policy, &CheckOptions { from: START.parse().unwrap(), tools: None });
        let outlines = policy.rule_outlines();
        prop_assert!(report.is_exact() || may_be_open(&text), "{:?}\n{text}", report.undecided);
        for finding in &report.findings {
            if let Some((call, answer)) = &finding.witness {
                prop_assert_eq!(call.decided_by(&policy), Some(*answer));
            }
            let Some(name) = &finding.rule else { continue };
            let at = rules.iter().position(|rule| rule["name"] == **name).unwrap();
            match finding.kind {
                FindingKind::Unreachable => {
                    for call in universe() {
                        let outcome = outcome(&outlines, name, call);
                        prop_assert_ne!(outcome, Truth::True, "{} {} at {}\n{}", name, call, call.at, text);
                    }
                }
                FindingKind::Shadowed | FindingKind::NeverDecisive => {
                    let mut fewer = rules.clone();
                    drop(fewer.remove(at));
                    for rule in &mut fewer {
                        if rule["override"][0] == **name {
                            drop(rule.as_object_mut().unwrap().remove("override"));
                        }
                    }
                    let without = loaded(&assemble(&fewer, default, first_match, &lists));
                    for call in universe() {
                        let (with, without) = (call.decided_by(&policy), call.decided_by(&without));
                        prop_assert_eq!(with, without, "{} {} at {}\n{}", name, call, call.at, text);
                    }
                }
                FindingKind::PartiallyShadowed => {
                    let (call, answer) = finding.witness.as_ref().unwrap();
                    prop_assert!(answer.as_str() != rules[at]["approval"], "{}\n{}", call, text);
                    prop_assert_ne!(outcome(&outlines, name, call), Truth::False);
                }
                FindingKind::Conflict => {
                    let (call, _) = finding.witness.as_ref().unwrap();
                    let other = &finding.related[0].rule;
                    prop_assert_ne!(outcome(&outlines, name, call), Truth::False);
                    prop_assert_ne!(outcome(&outlines, other, call), Truth::False);
                }
                _ => {}
            }
        }
        let found = |kind, name: &str| report.findings.iter().any(|f| f.kind == kind && f.rule.as_deref() == Some(name));
        let dead = |name: &str| found(FindingKind::Shadowed, name) || found(FindingKind::Unreachable, name);
        // The other way round: what the universe shows is found.
        if first_match {
            for call in universe() {
                let fitting = || rules.iter().filter(|rule| {
                    let outcome = outcome(&outlines, rule["name"].as_str().unwrap(), call);
                    outcome == Truth::True || (outcome == Truth::Error && rule["approval"] != "auto")
                });
                let Some(first) = fitting().next() else { continue };
                prop_assert!(!found(FindingKind::Shadowed, first["name"].as_str().unwrap()));
                let answer = call.decided_by(&policy).unwrap();
                for later in fitting().skip(1).filter(|later| answer_of(later) > answer) {
                    let name = later["name"].as_str().unwrap();
                    let whole = later["match"].as_object().unwrap().values().all(|globs| {
                        let globs = globs.as_array().unwrap();
                        globs.iter().any(|g| g == "*") && !globs.iter().any(|g| g.as_str().unwrap().starts_with('!'))
                    });
                    let sure = outcome(&outlines, first["name"].as_str().unwrap(), call) == Truth::True;
                    prop_assert!(
                        !sure || whole || dead(name) || found(FindingKind::PartiallyShadowed, name), "{name} {call}\n{text}"
                    );
                }
            }
        }
        if default == "auto" {
            let named = |call: &Call| rules.iter().any(|rule| {
                outcome(&outlines, rule["name"].as_str().unwrap(), call) != Truth::False
            });
            let runs = universe().iter().any(|call| !named(call) && call.decided_by(&policy) == Some(Approval::Auto));
            let said = report.findings.iter().any(|finding| finding.kind == FindingKind::AllowByDefault);
            prop_assert!(!runs || said, "{text}");
        }
    }

    /// Defends invariants: one that holds holds for every call of the universe, one that does not has a witness, and
    /// nothing is left undecided but what names that read otherwise than they are written may bring in.
    #[test]
    fn invariants_equal_brute_force(
        text in policy_texts(),
        never in prop::sample::select(Approval::ALL),
        tools in names(), servers in names(), agents in names(),
    ) {
        let policy = loaded(&text);
        let invariant = Invariant { never: vec![never], tool: globs(&tools), server: globs(&servers), agent: globs(&agents) };
        let concerned = |call: &Call| {
            invariant.tool.matches(&call.tool) && invariant.server.matches(&call.server)
                && call.agent.as_ref().map_or(invariant.agent.matches_everything(), |agent| invariant.agent.matches(agent))
        };
        match decide(&policy, &invariant, START.parse().unwrap()) {
            Answer::Holds => {
                for call in universe().iter().filter(|call| concerned(call)) {
                    prop_assert_ne!(call.decided_by(&policy), Some(never), "{} at {}\n{}", call, call.at, text);
                }
            }
            Answer::Violated(call, answer) => {
                prop_assert!(concerned(&call), "{call}\n{text}");
                prop_assert_eq!(Some(answer), call.decided_by(&policy));
                prop_assert_eq!(answer, never, "{}\n{}", call, text);
            }
            Answer::Unknown(why) => {
                let closed = |glob: &String| ["a", "b", "ab", "x", "A", "*b", "[ab]"].contains(&&**glob);
                let odd_names = never > Approval::Auto && !tools.iter().all(closed);
                prop_assert!(odd_names || may_be_open(&text), "{why}\n{text}");
            }
        }
    }
}
