//! `thoth policy fmt`

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tempfile::NamedTempFile;
use thoth_policy::Source as _;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{CARE, GOOD, line, styled};
use thoth_workbench::layout::{LayoutError, known, lay_out};

use super::findings;
use crate::policy_files::PolicyFiles;

/// `thoth policy fmt`
#[derive(Debug, Args)]
#[command(after_help = "\
Comments are kept, and what a file means does not change; a file of which that cannot be promised is left alone. Files that
a policy includes are laid out when they are named.

Exit codes: 0 done, or nothing to do; 1 with --check, a file is not laid out; 3 a file is invalid.

Examples:
  thoth policy fmt policy.yaml policy.test.yaml
  thoth policy fmt --check policy.yaml")]
pub(crate) struct FmtArgs {
    /// Policies and test files
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Change nothing; say which files would change
    #[arg(long)]
    pub(crate) check: bool,
}

pub(super) fn run(arguments: FmtArgs) -> Outcome {
    // All are read before any is written.
    let mut changes = Vec::new();
    for file in arguments.files {
        let name = file.display().to_string();
        let source = PolicyFiles::new(file.clone())
            .read(&name, None)
            .map_err(|error| Failure::new(Code::InvalidPolicy, format!("nothing is laid out: {error}")))?;
        let text = lay_out(&name, &source.bytes).map_err(|error| refused(&error))?;
        known(&name, &source.bytes).map_err(|error| refused(&LayoutError::Invalid(error)))?;
        if text.as_bytes() != source.bytes {
            changes.push((file, source.bytes, text));
        }
    }
    for (file, before, text) in &changes {
        if arguments.check {
            line(format_args!("{} {}", styled(CARE, "would change"), file.display()))?;
        } else {
            replace(file, before, text)?;
            line(format_args!("{} {}", styled(GOOD, "changed"), file.display()))?;
        }
    }
    let failed = arguments.check && !changes.is_empty();
    Ok(if failed { ExitCode::from(Code::Failed as u8) } else { ExitCode::SUCCESS })
}

fn refused(error: &LayoutError) -> Failure {
    match error {
        LayoutError::Invalid(error) => {
            Failure::new(Code::InvalidPolicy, format!("nothing is laid out\n{}", error.render(false)))
                .detail("errors", findings(&error.diagnostics))
        }
        LayoutError::Unknown { .. } | LayoutError::Differs { .. } => {
            Failure::new(Code::InvalidPolicy, format!("nothing is laid out: {error}"))
        }
    }
}

/// Puts the text into the file's place in one step, with the file's permissions.
fn replace(file: &Path, before: &[u8], text: &str) -> Result<(), Failure> {
    let unwritten = |error: std::io::Error| Failure::failed(format!("cannot write `{}`: {error}", file.display()));
    // A link stays a link.
    let path = fs::canonicalize(file).map_err(unwritten)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut fresh = NamedTempFile::new_in(folder).map_err(unwritten)?;
    fresh.write_all(text.as_bytes()).map_err(unwritten)?;
    fresh.as_file().set_permissions(fs::metadata(&path).map_err(unwritten)?.permissions()).map_err(unwritten)?;
    fresh.as_file().sync_all().map_err(unwritten)?;
    if fs::read(&path).map_err(unwritten)? != before {
        let failure = Failure::failed(format!("`{}` was written by somebody else just now", file.display()));
        return Err(failure.hint("run the command again"));
    }
    fresh.persist(&path).map_err(|error| unwritten(error.error))?;
    Ok(())
}
