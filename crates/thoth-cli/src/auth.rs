//! `thoth auth`: hands its arguments to `thothctl auth`, which administers servers.
//!
//! It is the one beside this program, or else the first in the path. It knows no login and no token itself.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::harmless_text;

const PROGRAM: &str = "thothctl";

/// `thoth auth`
#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    /// `login`, `status` or `logout`, and the flags of `thothctl auth`
    #[arg(value_name = "ARGUMENT", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(arguments: &AuthArgs) -> Outcome {
    let beside = std::env::current_exe().and_then(|this| this.canonicalize()).ok();
    let beside = beside.and_then(|this| Some(this.parent()?.join(PROGRAM)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = beside.into_iter().chain(in_path(&path)).find(|program| can_run(program));
    let program = found.ok_or_else(|| {
        Failure::new(Code::NotFound, format!("`{PROGRAM}` is neither beside this program nor in the path"))
            .hint("install it: it comes with the same release")
    })?;
    // It takes this one's place, so that its exit code and signals are this one's.
    let error = Command::new(&program).arg("auth").args(&arguments.arguments).exec();
    let shown = harmless_text(&program.display().to_string());
    Err(Failure::new(Code::NotExecutable, format!("cannot run `{shown}`: {error}")))
}

/// The programs of that name in the path. One that is relative would be found in a project's folder.
fn in_path(path: &OsString) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(PROGRAM))
}

fn can_run(program: &Path) -> bool {
    program.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
