//! What holds for every policy and every call.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use thoth_policy::{Labelled, Policy, Query, Scratch, Sources, load};
use thoth_testkit::naive_policy::{NaiveAnswer, NaiveCall, NaivePolicy, calls, policies, policies_with_overrides};
use thoth_types::Arguments;
use thoth_types::json::{Limits, Tape};

fn loaded(policy: &NaivePolicy) -> Policy {
    let text = policy.to_yaml();
    load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn answer(policy: &Policy, call: &NaiveCall, scratch: &mut Scratch) -> NaiveAnswer {
    let text = call.arguments.to_string();
    let mut tape = Tape::new();
    let value = tape.parse(text.as_bytes(), &Limits::default()).unwrap();
    let labels = Labelled(call.labels.iter().copied().collect());
    let query = Query {
        agent: call.agent.as_deref(),
        arguments: Arguments::new(Some(value)),
        history: &labels,
        ..Query::new(&call.tool, &call.server)
    };
    let verdict = policy.rules(&query, scratch);
    let names = scratch.matched().iter().filter_map(|id| policy.rule(*id));
    NaiveAnswer {
        approval: verdict.approval,
        risk: verdict.risk,
        matched: names.map(|rule| rule.name.to_string()).collect::<BTreeSet<_>>(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends the index, the compilation and the combining rule: all answers equal those of the naive evaluator.
    #[test]
    fn index_equals_naive(policy in policies_with_overrides(), calls in prop::collection::vec(calls(), 1..8)) {
        let compiled = loaded(&policy);
        let mut scratch = Scratch::new();
        for call in &calls {
            prop_assert_eq!(answer(&compiled, call, &mut scratch), policy.evaluate(call), "{:?}\n{}", call, policy.to_yaml());
        }
    }

    /// Defends stopping early: it changes what is listed, never what is decided or by which rule.
    #[test]
    fn stopping_early_changes_no_verdict(policy in policies_with_overrides(), call in calls()) {
        let compiled = loaded(&policy);
        let text = call.arguments.to_string();
        let mut tape = Tape::new();
        let value = tape.parse(text.as_bytes(), &Limits::default()).unwrap();
        let arguments = Arguments::new(Some(value));
        let labels = Labelled(call.labels.iter().copied().collect());
        let query = Query { agent: call.agent.as_deref(), arguments, history: &labels, ..Query::new(&call.tool, &call.server) };
        let complete = compiled.rules(&query, &mut Scratch::new());
        prop_assert_eq!(compiled.rules(&query, &mut Scratch::deciding()), complete);
    }

    /// Defends migration from first-match files: strictest can only tighten.
    #[test]
    fn strictest_is_never_looser_than_first_match(policy in policies(), call in calls()) {
        let first = NaivePolicy { first_match: true, ..policy.clone() };
        let mut scratch = Scratch::new();
        let strict = answer(&loaded(&policy), &call, &mut scratch);
        let by_order = answer(&loaded(&first), &call, &mut scratch);
        prop_assert_eq!(&by_order, &first.evaluate(&call));
        prop_assert!(strict.approval >= by_order.approval && strict.risk >= by_order.risk);
    }

    /// Defends "order does not matter", the deciding rule included.
    #[test]
    fn reordering_is_a_no_op(policy in policies_with_overrides(), call in calls(), turn in 0_usize..12) {
        let mut turned = policy.clone();
        let by = turn.min(turned.rules.len());
        turned.rules.rotate_left(by);
        let (one, other) = (loaded(&policy), loaded(&turned));
        let query = Query { agent: call.agent.as_deref(), ..Query::new(&call.tool, &call.server) };
        let (one, other) = (one.explain(&query, false), other.explain(&query, false));
        prop_assert_eq!((one.approval, one.risk_level, one.rule), (other.approval, other.risk_level, other.rule));
    }

    /// Defends "merging is commutative": the order of includes does not change the answer.
    #[test]
    fn merging_is_commutative(a in policies(), b in policies(), call in calls()) {
        let mut b = b;
        for rule in &mut b.rules {
            rule.name.insert(0, 'b');
        }
        let merged = |list: &str| {
            let sources = Sources::new()
                .with("p", format!("include: {list}"))
                .with("a", a.to_yaml())
                .with("b", b.to_yaml());
            load("p", &sources).unwrap()
        };
        let (one, other) = (merged("[a, b]"), merged("[b, a]"));
        let query = Query { agent: call.agent.as_deref(), ..Query::new(&call.tool, &call.server) };
        let (one, other) = (one.explain(&query, false), other.explain(&query, false));
        prop_assert_eq!((one.approval, one.risk_level, one.rule), (other.approval, other.risk_level, other.rule));
    }

    /// Defends the loader: no text makes it panic.
    #[test]
    fn loading_never_panics(text in "([a-z_]{0,8}|[-:\\[\\]{}*&!'\"#|>%@,? \n]{1,4}|rules:\n|- match: |conditions: |param_gt: |time_after: |approvals: |approvers: |volatile: |ttl: |\t|é|0x1|1e9){0,24}") {
        if let Err(error) = load("p", &Sources::one("p", text)) {
            prop_assert!(!error.render(true).is_empty());
        }
    }

    #[test]
    fn loading_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Err(error) = load("p", &Sources::one("p", bytes)) {
            prop_assert!(!error.render(false).is_empty());
        }
    }
}
