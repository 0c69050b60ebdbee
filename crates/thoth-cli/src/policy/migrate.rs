//! `thoth policy migrate`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{line, note};
use thoth_workbench::changes_text;

use super::check::painted;
use super::diff::exit_code;
use super::invalid;
use crate::policy_files::PolicyFiles;

/// `thoth policy migrate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth policy migrate policy.yaml
  thoth policy migrate policy.yaml --output strictest.yaml

The file itself is not changed. Exit codes as for `thoth policy diff`; 2 also where FILE cannot be written, as where it
exists.")]
pub(crate) struct MigrateArgs {
    /// The policy, in which the first matching rule was meant to decide
    pub(crate) file: PathBuf,
    /// Where to write the policy in which the strictest rule decides
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// When calls come, such as 2026-11-20T22:00:00Z, and later; the default is now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

pub(super) fn migrate(arguments: &MigrateArgs) -> Outcome {
    let name = arguments.file.display().to_string();
    let loaded = PolicyFiles::new(arguments.file.clone()).load().map_err(|problem| invalid(&name, &problem))?;
    if let [_, others @ ..] = loaded.files()
        && !others.is_empty()
    {
        let message = format!("`{name}` includes other files");
        return Err(Failure::new(Code::InvalidPolicy, message).hint("migrate each file on its own"));
    }
    let text = fs::read_to_string(&arguments.file).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    let read = |text: String| {
        thoth_policy::load(&name, &thoth_policy::Sources::one(&name, text)).map_err(|error| {
            Failure::new(
                Code::InvalidPolicy,
                format!("the file cannot be migrated as it is written\n{}", error.render(false)),
            )
        })
    };
    let strictest = thoth_workbench::with_evaluation(&text, "strictest");
    let in_place = |word| read(thoth_workbench::in_place(&text, word));
    let (old, new) = (in_place("first-match")?, in_place("strictest")?);
    read(strictest.clone())?;
    let comparison = thoth_workbench::diff(&old, &new, super::moment(arguments.at.as_deref())?);
    line(changes_text(&comparison, &painted).trim_end())?;
    if let Some(output) = &arguments.output {
        let shown = output.display();
        let mut options = fs::File::options();
        let created = options.write(true).create_new(true).open(output);
        created.and_then(|mut file| std::io::Write::write_all(&mut file, strictest.as_bytes())).map_err(|error| {
            Failure::failed(format!("cannot write `{shown}`: {error}"))
                .hint("name a file that does not exist, in a folder that you may write to")
        })?;
        note(format_args!("wrote `{shown}`"));
    }
    Ok(exit_code(&comparison))
}
