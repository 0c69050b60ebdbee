//! `cargo xtask bench`: builds the product with the release profile and runs the measuring program of the testkit.

use std::ffi::OsString;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{process, report};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Passed on to the measuring program; try `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// Builds `thoth` and the measuring program together, so that both have the same profile, and runs the latter.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    report::step("build for measuring");
    let build = ["build", "--release", "-p", "thoth-cli", "-p", "thoth-testkit", "--bins"];
    process::must(workspace.cargo().args(build))?;
    report::step("measure");
    let measure = ["run", "--release", "--quiet", "-p", "thoth-testkit", "--bin", "thoth-bench", "--"];
    process::succeeds(workspace.cargo().args(measure).args(&options.args))
}
