//! `cargo xtask deny`: licences, sources, banned crates and layer rules, by cargo-deny.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{fixtures, process, report};

/// Runs the checks that need no network. Advisories do, and say so instead of pretending to have run.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let tool = fixtures::cargo_deny(workspace)?;
    // Building fetches the crates of this platform; licences are checked for every platform.
    process::must(workspace.cargo().args(["fetch", "--quiet", "--locked"]))?;
    let mut command = std::process::Command::new(tool);
    command.current_dir(workspace.root());
    // cargo-deny calls cargo itself and takes the one named here.
    if let Some(cargo) = std::env::var_os("CARGO") {
        command.env("CARGO", cargo);
    }
    command.args(["--offline", "check", "--hide-inclusion-graph"]);
    // The lists are written for the whole house; a part that nobody uses today is not worth a warning.
    command.args(["--allow", "unused-wrapper", "--allow", "license-not-encountered"]);
    command.args(["bans", "licenses", "sources"]);
    let success = process::succeeds(&mut command)?;
    report::warning("advisories NOT checked: cargo-deny needs its database from the network for that");
    Ok(success)
}
