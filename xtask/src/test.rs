//! `cargo xtask test`: every check and every test, one closing line.
//!
//! A step that fails does not stop the next one, so that one run shows everything that is wrong.

use anyhow::Result;

use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{deny, fixtures, process, report, room, tidy};

/// The seed of property tests. The same commit gives the same result; looking for new cases is a choice, and takes
/// another seed and more of them (`PROPTEST_CASES`).
const SEED: &str = "PROPTEST_RNG_SEED";

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave out what needs installed peers or takes long: fixtures, cargo-deny, the peer tests.
    #[arg(long)]
    quick: bool,
    /// Run only the tests whose name contains this, and no other check.
    filter: Option<String>,
}

/// Runs the steps and prints the closing line.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let mut tally = Tally::default();
    room::check(workspace)?;
    if !options.quick {
        step(&mut tally, "fixtures", || fixtures::run(workspace).map(|()| true));
    }
    if options.filter.is_none() {
        step(&mut tally, "format", || process::succeeds(workspace.cargo().args(["fmt", "--all", "--check"])));
        step(&mut tally, "tidy", || tidy::run(workspace));
        step(&mut tally, "clippy", || {
            let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
            process::succeeds(workspace.cargo().args(clippy))
        });
        if !options.quick {
            step(&mut tally, "licences, sources, bans and layers", || deny::run(workspace));
        }
    }
    tests(workspace, options, &mut tally);
    if options.filter.is_none() && !options.quick {
        documentation_tests(workspace, &mut tally);
    }
    report::say(&tally.closing_line());
    Ok(tally.failed == 0)
}

/// Runs one check and counts it.
fn step(tally: &mut Tally, name: &str, check: impl FnOnce() -> Result<bool>) {
    report::step(name);
    let success = check().unwrap_or_else(|error| {
        report::error(&format!("{error:#}"));
        false
    });
    if !success {
        report::error(&format!("the step `{name}` failed"));
    }
    tally.step(success);
}

/// Builds every test binary once and runs the cases, with nextest where it is installed.
fn tests(workspace: &Workspace, options: &Options, tally: &mut Tally) {
    report::step("tests");
    let nextest = process::answers(workspace.cargo().args(["nextest", "--version"]));
    let mut command = workspace.cargo();
    if nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--final-status-level=slow"]);
        if options.quick {
            command.args(["--profile", "quick"]);
        }
    } else {
        report::warning("cargo-nextest is not installed: using `cargo test`, slower and without time limits");
        command.args(["test", "--workspace", "--no-fail-fast", "--quiet"]);
        command.args(if options.quick { ["--lib", "--bins"] } else { ["--tests", "--examples"] });
    }
    command.args(options.filter.as_deref());
    if std::env::var_os(SEED).is_none() {
        command.env(SEED, "1");
    }
    counted(&mut command, tally);
}

/// nextest does not run documentation tests.
fn documentation_tests(workspace: &Workspace, tally: &mut Tally) {
    report::step("documentation tests");
    counted(workspace.cargo().args(["test", "--doc", "--workspace", "--no-fail-fast", "--quiet"]), tally);
}

/// Runs a test runner and adds its counts. A runner that fails without reporting a failed case counts as one.
fn counted(command: &mut std::process::Command, tally: &mut Tally) {
    let mut counts = Tally::default();
    let success = process::watched(command, |line| counts.read_line(line)).unwrap_or_else(|error| {
        report::error(&format!("{error:#}"));
        false
    });
    if !success && counts.failed == 0 {
        counts.step(false);
    }
    tally.add(counts);
}
