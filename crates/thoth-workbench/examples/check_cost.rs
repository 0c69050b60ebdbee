//! How long a check and a comparison take: `cargo run --release -p thoth-workbench --example check_cost`.
#![expect(clippy::print_stdout, clippy::panic, reason = "a program for the terminal of a developer")]

use std::fmt::Write as _;
use std::time::Instant;

use thoth_policy::{Policy, Sources, load};
use thoth_workbench::{CheckOptions, check, diff};

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

/// Globs that look anywhere in a name, and windows of all kinds.
fn hostile(rules: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: {approval: auto}\nrules:\n".to_owned();
    for index in 0..rules {
        let (hour, minute) = (index % 24, index % 60);
        let letters: String = (0..6).map(|bit| if index >> bit & 1 == 1 { "*a" } else { "*b?" }).collect();
        let approval = ["auto", "approve", "block"].get(index % 3).copied().unwrap_or("auto");
        let _ = write!(
            text,
            "  - match: {{tool: \"{letters}*{index}*\", server: \"*{letters}*\"}}\n    approval: {approval}\n    \
             conditions: {{time_after: \"{hour:02}:{minute:02}\", param_glob: {{x: \"*{index}*a*\"}}}}\n"
        );
    }
    text
}

fn loaded(text: &str) -> Policy {
    load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn main() {
    let from = jiff::Timestamp::UNIX_EPOCH;
    for (what, text) in [
        ("1,000 rules, strictest", ordinary(1_000, "strictest")),
        ("1,000 rules, first-match", ordinary(1_000, "first-match")),
        ("10,000 rules, strictest", ordinary(10_000, "strictest")),
        ("10,000 rules, first-match", ordinary(10_000, "first-match")),
        ("hostile, 300 rules", hostile(300)),
        ("hostile, 3,000 rules", hostile(3_000)),
    ] {
        let policy = loaded(&text);
        let start = Instant::now();
        let report = check(&policy, &CheckOptions { from, tools: None });
        let took = start.elapsed();
        println!("check  {what:28} {took:>10.3?}  findings {}, open {}", report.findings.len(), report.undecided.len());
        let other = loaded(&text.replacen("approval: block\n", "approval: approve\n", 20));
        let start = Instant::now();
        let comparison = diff(&policy, &other, from);
        let took = start.elapsed();
        println!(
            "diff   {what:28} {took:>10.3?}  changes {}, approximated {}",
            comparison.changes.len(),
            comparison.approximated
        );
    }
}
