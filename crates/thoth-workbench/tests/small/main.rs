//! The analyser against brute force: on small random policies, what it says of all calls is held against every call of
//! a small universe. `PROPTEST_CASES` sets how many policies are tried.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod policies;
mod universe;

use policies::{policy_texts, names};
use proptest::prelude::*;
use thoth_policy::outline::{Glob, TextMatch};
use thoth_policy::{Policy, Sources, load};
use thoth_types::Approval;
use thoth_workbench::{Answer, Invariant, decide};
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

proptest! {
    #![proptest_config(config())]

    /// Defends invariants: one that holds holds for every call of the universe, one that does not has a witness, and
    /// nothing is left undecided.
    #[test]
    fn invariants_equal_brute_force(
        text in policy_texts(),
        never in prop::sample::select(Approval::ALL),
        tools in names(), servers in names(), agents in names(),
    ) {
        let policy = loaded(&text);
        let invariant = Invariant { never: vec![never], tool: globs(&tools), server: globs(&servers), agent: globs(&agents) };
        let concerned = |call: &thoth_workbench::Call| {
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
            Answer::Unknown(why) => prop_assert!(false, "{why}\n{text}"),
        }
    }
}
