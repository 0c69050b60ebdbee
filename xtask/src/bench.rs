//! `cargo xtask bench`: builds the product and the measuring programs with the release profile, runs them all, and
//! prints what they measured, each beside its peers and the machine.
//!
//! Timing never passes or fails: it depends on the machine and on what else runs there. Counts of instructions do not,
//! so `--check` compares those, and only those, with `benches/budgets.json`.

mod budgets;
mod decisions;
mod instructions;
pub(crate) mod machine;
mod programs;

use std::process::Command;

use anyhow::Result;

use self::programs::Programs;
use crate::workspace::Workspace;
use crate::{process, report};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Fewer repetitions, for a quick look
    #[arg(long)]
    quick: bool,
    /// Only this section; may be given more than once
    #[arg(long, value_enum, value_name = "SECTION")]
    only: Vec<Section>,
    /// Only count instructions, and fail when a count is over its budget
    #[arg(long, conflicts_with = "only")]
    check: bool,
    /// Passed on to the program that measures the data path or the server; try `--help`
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// One part of the run, in the order in which it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Section {
    /// `thoth run` beside a direct pipe and a copy loop, on all processors
    Path,
    /// The same with everything on one processor, where the scheduler disturbs least
    Pinned,
    /// Durability `power` beside what the disk alone allows
    Power,
    /// From an approval until the waiting call goes out
    Approvals,
    /// Decisions, beside the Python packages that decide about tool calls
    Decisions,
    /// Reading messages, beside `serde_json`
    Parse,
    /// One governed call inside the process
    Admit,
    /// `thothd` over HTTP, on files and on PostgreSQL, beside a handler that decides nothing on the same stack
    Enforcer,
    /// Appends to the ledger, beside plain writes
    Appends,
    /// Instructions per operation on the hot paths
    Instructions,
}

impl Section {
    const ALL: [Self; 10] = [
        Self::Path,
        Self::Pinned,
        Self::Power,
        Self::Approvals,
        Self::Decisions,
        Self::Parse,
        Self::Admit,
        Self::Enforcer,
        Self::Appends,
        Self::Instructions,
    ];
}

/// Builds everything once, so that all has the same profile, and runs the sections; `false` when a check failed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let sections = match options {
        Options { check: true, .. } => &[Section::Instructions][..],
        Options { only, .. } if only.is_empty() => &Section::ALL[..],
        Options { only, .. } => only,
    };
    let programs = Programs::build(workspace, sections.contains(&Section::Enforcer))?;
    let mut good = true;
    for section in Section::ALL.iter().filter(|section| sections.contains(section)) {
        good &= measure(*section, workspace, &programs, options)?;
    }
    Ok(good)
}

fn measure(section: Section, workspace: &Workspace, programs: &Programs, options: &Options) -> Result<bool> {
    let path = |more: &[&str]| {
        let mut command = program(programs, "thoth-bench", options.quick)?;
        process::must(command.args(more).args(&options.args))
    };
    match section {
        Section::Path => {
            heading("Data path, on all processors");
            report::say(
                "PyPI's `mcp-proxy` is not in this pipe: it puts stdio behind HTTP or HTTP behind stdio, never stdio \
                 behind stdio. The copy loop is the peer.\n",
            );
            path(&[])?;
        }
        Section::Pinned => {
            heading("Data path, everything on one processor");
            path(&["--pin", "0"])?;
        }
        Section::Power => {
            heading("Data path with durability `power`");
            path(&["--power"])?;
        }
        Section::Approvals => {
            heading("From an approval until the waiting call goes out");
            path(&["--approvals"])?;
        }
        Section::Decisions => {
            heading("Decisions (µs)");
            decisions::measure(workspace, program(programs, "decision_cost", options.quick)?, options.quick)?;
        }
        Section::Parse => {
            heading("Reading messages");
            process::must(&mut program(programs, "parse_cost", options.quick)?)?;
        }
        Section::Admit => {
            heading("One governed call inside the process, without pipes and disk");
            process::must(&mut program(programs, "admit_cost", options.quick)?)?;
        }
        Section::Enforcer => {
            heading("The enforcer over HTTP; client and server share the processors");
            let mut load = program(programs, "serve_load", options.quick)?;
            load.arg("--thothd").arg(programs.path("thothd")?).args(&options.args);
            let has = |word: &str| options.args.iter().any(|argument| argument.starts_with(word));
            if !has("--pace") {
                load.args((!has("--postgres") && !has("--serve=--database")).then_some("--postgres"));
            }
            process::must(&mut load)?;
        }
        Section::Appends => {
            heading("Appends to the ledger");
            process::must(&mut program(programs, "append_rate", options.quick)?)?;
        }
        Section::Instructions => {
            heading("Instructions per operation (callgrind)");
            return instructions::measure(workspace, programs, options.check);
        }
    }
    Ok(true)
}

fn program(programs: &Programs, name: &str, quick: bool) -> Result<Command> {
    let mut command = Command::new(programs.path(name)?);
    command.args(quick.then_some("--quick"));
    Ok(command)
}

/// The machine stands beside every table, with how loaded it is at that moment.
fn heading(what: &str) {
    report::say(&format!("\n# {what}\n\n{}\n", machine::described()));
}
