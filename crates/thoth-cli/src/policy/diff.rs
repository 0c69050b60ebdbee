//! `thoth policy diff`.

use std::process::ExitCode;

use clap::Args;
use thoth_shell::exit::Outcome;
use thoth_shell::terminal::line;
use thoth_workbench::{Comparison, changes_json, changes_text};

use super::check::painted;
use super::revision;

/// `thoth policy diff`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth policy diff old.yaml new.yaml
  thoth policy diff HEAD~1:policy.yaml policy.yaml

Exit codes: 0 every call gets the same answer; 1 only stricter; 2 something got looser, or could have: a section that is
not compared by meaning differs, rules ask other people, or of other calls, or not everything was decided; 3 a policy is
invalid or cannot be read.")]
pub(crate) struct DiffArgs {
    /// The old policy: a file, or REVISION:PATH of the git repository here
    pub(crate) old: String,
    /// The new policy
    pub(crate) new: String,
    /// When calls come, such as 2026-11-20T22:00:00Z, and later; the default is now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn diff(arguments: &DiffArgs) -> Outcome {
    let (old, new) = (revision::load(&arguments.old)?, revision::load(&arguments.new)?);
    let comparison = thoth_workbench::diff(&old, &new, super::moment(arguments.at.as_deref())?);
    if arguments.json {
        line(changes_json(&comparison))?;
    } else {
        line(changes_text(&comparison, &painted).trim_end())?;
    }
    Ok(exit_code(&comparison))
}

/// What the differences come to: 0 equal, 1 stricter, 2 looser or perhaps so.
pub(super) fn exit_code(comparison: &Comparison) -> ExitCode {
    match () {
        () if comparison.is_looser() || comparison.may_differ() => ExitCode::from(2),
        () if comparison.is_equal() => ExitCode::SUCCESS,
        () => ExitCode::from(1),
    }
}
