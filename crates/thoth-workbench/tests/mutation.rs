//! What mutation says equals what an evaluator says that shares no code with the policy.
#![expect(clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use thoth_policy::{Policy, RuleChange, Sources};
use thoth_testkit::naive_policy::{NaiveCall, NaivePolicy, calls, policies, policies_with_overrides};
use thoth_types::Approval;
use thoth_workbench::coverage::Coverage;
use thoth_workbench::mutate::mutate;
use thoth_workbench::suite::{self, Held};

fn loaded(policy: &NaivePolicy) -> Policy {
    let text = policy.to_yaml();
    thoth_policy::load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// A test file in which every call is expected to get the answer that it gets. JSON is YAML.
fn tests(policy: &NaivePolicy, calls: &[NaiveCall]) -> String {
    let case = |call: &NaiveCall| {
        let mut own = json!({"tool": call.tool, "server": call.server, "args": call.arguments});
        if let Some(agent) = &call.agent {
            own["agent"] = json!(agent);
        }
        if !call.labels.is_empty() {
            own["labels"] = call.labels.iter().map(|label| label.as_str()).collect();
        }
        json!({"call": own, "expect": policy.evaluate(call).approval.as_str()})
    };
    json!({"tests": calls.iter().map(case).collect::<Vec<_>>()}).to_string()
}

/// Rule, change, and for changes of conditions how many are noticed: their order is the policy's own affair.
type Noticed = BTreeMap<(String, String), usize>;

fn naive(policy: &NaivePolicy, calls: &[NaiveCall]) -> Noticed {
    let mut all = Noticed::new();
    let mut note = |rule: &str, change: &str, variant: &NaivePolicy| {
        let differs = calls.iter().any(|call| variant.evaluate(call).approval != policy.evaluate(call).approval);
        *all.entry((rule.to_owned(), change.to_owned())).or_default() += usize::from(differs);
    };
    for (index, rule) in policy.rules.iter().enumerate() {
        let mut dropped = policy.clone();
        dropped.rules.remove(index);
        note(&rule.name, "dropped", &dropped);
        for approval in Approval::ALL.iter().filter(|approval| **approval != rule.approval) {
            let mut flipped = policy.clone();
            flipped.rules[index].approval = *approval;
            note(&rule.name, approval.as_str(), &flipped);
        }
        for condition in 0..rule.conditions.len() {
            let mut without = policy.clone();
            without.rules[index].conditions.remove(condition);
            note(&rule.name, "condition", &without);
        }
    }
    all
}

/// Policies in which the strictest rule decides, and some in which the first does.
fn any_policies() -> impl Strategy<Value = NaivePolicy> {
    let first = policies().prop_map(|policy| NaivePolicy { first_match: true, ..policy });
    prop_oneof![2 => policies_with_overrides(), 1 => first]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends `--mutate`: a change is noticed exactly when a test comes out otherwise under the changed policy.
    #[test]
    fn mutation_equals_naive(policy in any_policies(), calls in prop::collection::vec(calls(), 1..8)) {
        let compiled = loaded(&policy);
        let text = tests(&policy, &calls);
        let suites = [suite::read("t", text.clone().into_bytes()).unwrap()];
        let mut coverage = Coverage::new(&compiled);
        let inspect: suite::Inspect<'_> = &|_, _| Vec::new();
        let decide: suite::Decide<'_> = &|_, _| Held::Holds;
        let runs = [suite::run(&compiled, &suites[0], inspect, decide, &mut coverage)];
        prop_assert!(runs[0].passed(), "{text}\n{}", policy.to_yaml());
        let mut found = Noticed::new();
        for mutant in mutate(&compiled, &suites, &runs, inspect, decide) {
            let change = match mutant.change {
                RuleChange::Off => "dropped",
                RuleChange::Approval(approval) => approval.as_str(),
                RuleChange::WithoutCondition(_) => "condition",
            };
            *found.entry((mutant.rule.to_string(), change.to_owned())).or_default() += usize::from(mutant.noticed_by.is_some());
        }
        prop_assert_eq!(found, naive(&policy, &calls), "{}\n{}", text, policy.to_yaml());
    }
}
