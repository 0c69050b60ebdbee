//! Development tasks: `cargo xtask <task>`.
//!
//! One entry point for people and for CI, so that what passes here passes there. It is built before everything else,
//! so it stays small: no dependency that the product does not already have, apart from `anyhow`, which is allowed in
//! this crate only.

mod bench;
mod deny;
mod eval;
mod fixtures;
mod process;
mod report;
mod room;
mod setup;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Development tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Set up what the tests need, run every check and every test, and close with `N passed, N failed`.
    Test(test::Options),
    /// Check the rules of the house that neither the compiler nor clippy can hold.
    Tidy,
    /// Install the MCP servers, SDKs and tools that the tests run against, into `target/`.
    Fixtures,
    /// Check licences, sources, banned crates and the layer rules with cargo-deny.
    Deny,
    /// Measure everything beside its peers in one run, and check instruction counts.
    Bench(bench::Options),
    /// Measure the scanner and the inspection on labelled files, each source left out in turn.
    Eval(eval::Options),
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs one task; `false` means that it ran and found something wrong.
fn run(args: &Args) -> Result<bool> {
    let workspace = Workspace::locate()?;
    match &args.task {
        Task::Test(options) => test::run(&workspace, options),
        Task::Tidy => tidy::run(&workspace),
        Task::Fixtures => fixtures::run(&workspace).map(|()| true),
        Task::Deny => deny::run(&workspace),
        Task::Eval(options) => eval::run(&workspace, options),
        Task::Bench(options) => bench::run(&workspace, options),
    }
}
