//! Instructions per operation, counted by callgrind.
//!
//! A program runs twice with different counts of operations; the difference, divided by the difference of the counts, is
//! what one operation costs without start and set-up. Unlike time, this hardly depends on the machine or its load.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::budgets::Budgets;
use super::programs::Programs;
use crate::workspace::Workspace;
use crate::{process, report};

/// One operation whose instructions are counted.
struct Counted {
    /// The name in `benches/budgets.json`.
    name: &'static str,
    program: &'static str,
    /// What follows the count.
    setting: &'static [&'static str],
    /// How often it is done in the longer run; in the shorter one, an eleventh of that.
    operations: u64,
}

const COUNTED: &[Counted] = &[
    Counted {
        name: "decision, 1000 rules with 3 conditions",
        program: "decision_cost",
        setting: &["1000"],
        operations: 22_000,
    },
    Counted {
        name: "decision, 10000 rules with 3 conditions",
        program: "decision_cost",
        setting: &["10000"],
        operations: 22_000,
    },
    Counted { name: "parse, call of 1 kB", program: "parse_cost", setting: &["call_1kB"], operations: 5_500 },
    Counted {
        name: "parse, result of 100 kB, one string",
        program: "parse_cost",
        setting: &["result_100kB_string"],
        operations: 550,
    },
    Counted {
        name: "parse, result of 100 kB, objects",
        program: "parse_cost",
        setting: &["result_100kB_objects"],
        operations: 55,
    },
    Counted { name: "admit and settle, call of 1 kB", program: "admit_cost", setting: &[], operations: 2_200 },
];

/// Counts and prints; with `check`, `false` when a count is over its budget or has none.
pub(super) fn measure(workspace: &Workspace, programs: &Programs, check: bool) -> Result<bool> {
    if !process::answers(Command::new("valgrind").arg("--version")) {
        if check {
            bail!("valgrind is not installed, so no instructions can be counted; install the package `valgrind`");
        }
        report::warning("SKIPPED: valgrind is not installed, so no instructions are counted; install `valgrind`");
        return Ok(true);
    }
    let budgets = Budgets::read(&workspace.root().join("benches").join("budgets.json"))?;
    report::say("| operation | instructions | budget | of the budget |");
    report::say("|---|---|---|---|");
    let mut over = Vec::new();
    for counted in COUNTED {
        let count = per_operation(counted, programs)?;
        let verdict = budgets.compare(counted.name, count);
        report::say(&format!("| {} | {count} | {} | {} |", counted.name, verdict.budget(), verdict.share()));
        if !verdict.kept() {
            over.push(counted.name);
        }
    }
    if check && !over.is_empty() {
        report::error(&format!(
            "over budget by more than {} %, or without one: {}",
            budgets.tolerance(),
            over.join("; ")
        ));
        return Ok(false);
    }
    Ok(true)
}

fn per_operation(counted: &Counted, programs: &Programs) -> Result<u64> {
    let program = programs.path(counted.program)?;
    let few = counted.operations / 11;
    let (short, long) = (run(counted, program, few)?, run(counted, program, counted.operations)?);
    Ok(long.saturating_sub(short) / (counted.operations - few))
}

/// All instructions of one run.
fn run(counted: &Counted, program: &Path, operations: u64) -> Result<u64> {
    // Beside the program, where there is certainly room; callgrind's own default is the current folder.
    let written = program.with_file_name(format!("callgrind.out.{}", std::process::id()));
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", written.display()))
        .arg(program)
        .arg("--callgrind")
        .arg(operations.to_string())
        .args(counted.setting)
        .stdin(Stdio::null())
        .output()
        .context("cannot start valgrind")?;
    let text = fs::read_to_string(&written);
    drop(fs::remove_file(&written));
    if !output.status.success() {
        bail!("`{}` failed under valgrind: {}", counted.program, String::from_utf8_lossy(&output.stderr).trim());
    }
    total(&text.with_context(|| format!("callgrind did not write `{}`", written.display()))?)
        .context("callgrind wrote no total")
}

/// The total in callgrind's output.
fn total(text: &str) -> Option<u64> {
    let total = |key| text.lines().rev().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    total("totals:").or_else(|| total("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_whichever_name_it_has() {
        assert_eq!(total("version: 1\nfn=(1)\n1 20\ntotals: 12345\n"), Some(12345));
        assert_eq!(total("summary: 7\n1 20\n"), Some(7));
        assert_eq!(total("1 20\n"), None);
    }
}
