//! What a decision costs. Without arguments: a table of microseconds per decision at 10 to 10,000 rules, and load times
//! (`--quick`: fewer samples). With `--callgrind N [RULES]`: makes exactly N decisions and nothing else after loading,
//! for instruction counts: the difference of two runs with different N is free of the load.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measuring program for people"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use thoth_policy::{Policy, Query, Scratch, Sources, load};
use thoth_types::Arguments;
use thoth_types::json::{Limits, Tape};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const ARGUMENTS: &str =
    r#"{"path": "/srv/data/report.txt", "amount": 1250, "options": {"mode": "append", "depth": 3}}"#;
/// Decisions per sample: the clock costs as much as a decision does.
const PER_SAMPLE: u32 = 64;
const SAMPLES: usize = 4_000;

#[derive(Clone, Copy)]
enum Shape {
    Exact,
    Glob,
    Conditions,
}

impl Shape {
    const ALL: [(&'static str, Self); 3] =
        [("exact", Self::Exact), ("glob", Self::Glob), ("3 conditions", Self::Conditions)];

    fn yaml(self, rules: usize) -> String {
        let mut text = "version: \"1\"\ndefaults: {approval: approve}\nrules:\n".to_owned();
        for i in 0..rules {
            let (tool, conditions) = match self {
                Self::Exact => (format!("tool_{i}"), ""),
                Self::Glob => (format!("*tool_{i}_*"), ""),
                Self::Conditions => (
                    format!("tool_{i}"),
                    "    conditions:\n      param_gt: {amount: 1000}\n      param_glob: {path: \"/srv/*\"}\n      \
                     param_eq: {options.mode: append}\n",
                ),
            };
            writeln!(text, "  - name: r{i}\n    match:\n      tool: \"{tool}\"\n      server: \"prod-*\"").unwrap();
            write!(text, "    risk_level: high\n    approval: block\n{conditions}").unwrap();
        }
        text
    }

    fn tool(self, rules: usize) -> String {
        match self {
            Self::Exact | Self::Conditions => format!("tool_{}", rules - 1),
            Self::Glob => format!("a_tool_{}_b", rules - 1),
        }
    }
}

fn policy(text: &str) -> Policy {
    load("bench.yaml", &Sources::one("bench.yaml", text)).unwrap()
}

/// Resident memory of this process, in MiB. What earlier policies gave back may be used again: it shows for the largest.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

/// Microseconds per call: median and 99th percentile over samples of several calls each.
fn measure(count: usize, mut decide: impl FnMut()) -> (f64, f64) {
    for _ in 0..1_000 {
        decide();
    }
    let mut samples: Vec<f64> = (0..count)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..PER_SAMPLE {
                decide();
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(PER_SAMPLE)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    (samples[count / 2], samples[count * 99 / 100])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut tape = Tape::new();
    let value = tape.parse(ARGUMENTS.as_bytes(), &Limits::default()).unwrap();
    let now = "2026-03-02T10:00:00Z".parse().unwrap();

    if let Some(at) = arguments.iter().position(|a| a == "--callgrind") {
        let number = |offset: usize, or: usize| arguments.get(at + offset).map_or(or, |n| n.parse().unwrap());
        let (count, rules) = (number(1, 1), number(2, 1_000));
        let policy = policy(&Shape::Conditions.yaml(rules));
        let tool = Shape::Conditions.tool(rules);
        let query = Query { arguments: Arguments::new(Some(value)), now, ..Query::new(&tool, "prod-a") };
        let mut scratch = Scratch::new();
        for _ in 0..count {
            black_box(policy.rules(black_box(&query), &mut scratch));
        }
        println!("{count} decisions at {rules} rules");
        return;
    }

    let samples = if arguments.iter().any(|a| a == "--quick") { SAMPLES / 8 } else { SAMPLES };
    println!(
        "| engine | rules are | rules | last rule hit p50 | p99 | nothing hit p50 | p99 | hit with trace p50 | load ms | MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (name, shape) in Shape::ALL {
        for rules in SIZES {
            let text = shape.yaml(rules);
            let before = resident();
            let start = Instant::now();
            let policy = policy(&text);
            let load_ms = start.elapsed().as_secs_f64() * 1e3;
            let grown =
                before.zip(resident()).map_or_else(|| "-".to_owned(), |(b, a)| format!("{:.1}", (a - b).max(0.0)));
            let tool = shape.tool(rules);
            let hit = Query { arguments: Arguments::new(Some(value)), now, ..Query::new(&tool, "prod-a") };
            let miss = Query { tool: "another", ..hit };
            let mut scratch = Scratch::new();
            let on_hit = measure(samples, || {
                black_box(policy.rules(black_box(&hit), &mut scratch));
            });
            let on_miss = measure(samples, || {
                black_box(policy.rules(black_box(&miss), &mut scratch));
            });
            let traced = measure(samples, || {
                black_box(policy.explain(black_box(&hit), true));
            });
            println!(
                "| thoth | {name} | {rules} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {load_ms:.1} | {grown} |",
                on_hit.0, on_hit.1, on_miss.0, on_miss.1, traced.0
            );
        }
    }
}
