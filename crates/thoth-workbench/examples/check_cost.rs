//! How long a check and a comparison take: `cargo run --release -p thoth-workbench --example check_cost`.
#![expect(clippy::print_stdout, clippy::panic, reason = "a program for the terminal of a developer")]

use std::fmt::Write as _;
use std::time::Instant;

use thoth_policy::{Policy, Sources, load};
use thoth_workbench::{CheckOptions, check, diff};

#[path = "../tests/hostile/policies.rs"]
mod policies;

use policies::hostile_policies;

/// Half of the rules name a tool, three in ten a prefix, the rest a server; a fifth has conditions.
fn ordinary(rules: usize, evaluation: &str) -> String {
    let mut text = format!("version: \"1\"\nevaluation: {evaluation}\ndefaults: {{approval: approve}}\nrules:\n");
    for index in 0..rules {
        let matcher = match index % 10 {
            0..=4 => format!("tool: tool_{index}"),
            5..=7 => format!("tool: \"area{index}_*\""),
            8 => format!("tool: \"read_*\", server: \"team{index}-*\""),
            _ => format!("server: prod-{index}"),
        };
        let approval = ["auto", "approve", "block"].get(index % 3).copied().unwrap_or("auto");
        let conditions = match index % 5 {
            0 => format!("    conditions: {{param_gt: {{amount: {index}}}}}\n"),
            1 if index % 2 == 0 => "    conditions: {time_after: \"18:00\", time_before: \"08:00\"}\n".to_owned(),
            _ => String::new(),
        };
        let _ = write!(text, "  - name: r{index}\n    match: {{{matcher}}}\n    approval: {approval}\n{conditions}");
    }
    text
}

fn loaded(text: &str) -> Policy {
    load("p", &Sources::one("p", text)).unwrap_or_else(|error| {
        panic!(
            "{}",
            error
                .to_string()
                .lines()
                .take(1)
                .map(|line| line.chars().take(300).collect::<String>())
                .collect::<String>()
        )
    })
}

fn main() {
    let only: Option<String> = std::env::args().nth(1);
    let from = jiff::Timestamp::UNIX_EPOCH;
    let mut all: Vec<(String, String)> = Vec::new();
    for rules in [1_000, 10_000] {
        for evaluation in ["strictest", "first-match"] {
            all.push((format!("{rules} rules, {evaluation}"), ordinary(rules, evaluation)));
        }
    }
    for rules in [100, 300, 1_000] {
        let hostile = hostile_policies(rules).into_iter();
        all.extend(hostile.map(|(what, text)| (format!("hostile {what}, {rules} rules"), text)));
    }
    for (what, text) in all {
        if only.as_ref().is_some_and(|only| !what.contains(&**only)) {
            continue;
        }
        let start = Instant::now();
        let policy = loaded(&text);
        println!("load   {what:36} {:>10.3?}", start.elapsed());
        let start = Instant::now();
        let report = check(&policy, &CheckOptions { from, tools: None });
        let took = start.elapsed();
        let per_step = took.as_nanos() / u128::from(report.steps.max(1));
        println!(
            "check  {what:36} {took:>10.3?}  findings {}, open {}, steps {} of {per_step} ns",
            report.findings.len(),
            report.undecided.len(),
            report.steps
        );
        let other = loaded(&text.replacen("approval: block", "approval: approve", 20));
        let start = Instant::now();
        let comparison = diff(&policy, &other, from);
        let took = start.elapsed();
        let per_step = took.as_nanos() / u128::from(comparison.steps.max(1));
        println!(
            "diff   {what:36} {took:>10.3?}  changes {}, approximated {}, steps {} of {per_step} ns",
            comparison.changes.len(),
            comparison.approximated,
            comparison.steps
        );
    }
}
