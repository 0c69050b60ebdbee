//! Every call that a small universe has.

use std::sync::OnceLock;

use thoth_types::HarmClasses;
use thoth_workbench::{Call, Earlier};

/// From when on calls are looked at: a Monday.
pub(crate) const START: &str = "2026-03-02T00:00:00Z";

/// Each tool on each server by each agent, each time with each of the arguments and at each time in turn.
pub(crate) fn universe() -> &'static [Call] {
    static CALLS: OnceLock<Vec<Call>> = OnceLock::new();
    CALLS.get_or_init(|| {
        let mut calls = Vec::new();
        for tool in ["a", "b", "ab", "ba", "x", "A"] {
            for server in ["a", "b", "ax"] {
                for agent in [None, Some("a"), Some("bb")] {
                    for arguments in DOCUMENTS {
                        for at in TIMES {
                            calls.push(Call {
                                tool: tool.to_owned(),
                                server: server.to_owned(),
                                agent: agent.map(str::to_owned),
                                arguments: arguments.to_owned(),
                                at: at.parse().unwrap(),
                                earlier: Vec::new(),
                                labels: HarmClasses::NONE,
                            });
                        }
                    }
                }
            }
        }
        let labels = (1..=u8::MAX).map(HarmClasses::from_bits).cycle();
        let labelled = calls.iter().step_by(11).cloned().zip(labels);
        let labelled: Vec<Call> = labelled.map(|(call, labels)| Call { labels, ..call }).collect();
        let after: Vec<Call> = calls.iter().step_by(7).cloned().collect();
        calls.extend(after.into_iter().map(|call| Call {
            earlier: vec![Earlier { tool: "b".to_owned(), server: "a".to_owned(), count: 2, seconds_ago: 30 }],
            ..call
        }));
        calls.extend(labelled);
        calls
    })
}

const TIMES: [&str; 4] =
    ["2026-03-02T10:00:00Z", "2026-03-02T20:00:00Z", "2026-03-07T03:00:00Z", "2026-06-01T10:00:00Z"];

const DOCUMENTS: [&str; 16] = [
    "{}",
    r#"{"n":0}"#,
    r#"{"n":2}"#,
    r#"{"n":1.5,"s":"ab"}"#,
    r#"{"n":3,"s":"b"}"#,
    r#"{"s":"a"}"#,
    r#"{"s":"x","n":1}"#,
    r#"{"n":"a","s":2}"#,
    r#"{"n":null}"#,
    r#"{"n":[1,2],"s":["a","b"]}"#,
    r#"{"s":["a"],"n":"2"}"#,
    r#"{"s":[],"n":true}"#,
    r#"{"o":{"n":2}}"#,
    r#"{"o":{"n":0},"n":2,"s":"a"}"#,
    r#"{"o":5,"n":2}"#,
    r#"{"o.n":1,"o":{"n":1},"s":"aa"}"#,
];
