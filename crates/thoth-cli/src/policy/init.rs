//! `thoth policy init`

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{GOOD, fields, line, quoted, styled};
use thoth_workbench::packs::{PACKS, Pack};

/// `thoth policy init`
#[derive(Debug, Args)]
#[command(after_help = "\
Writes the policy and, beside it, its tests. Files that exist are never overwritten.

Examples:
  thoth policy init
  thoth policy init --pack database db.yaml && thoth policy test db.yaml")]
pub(crate) struct InitArgs {
    /// The pack; without it all packs are listed
    #[arg(long, value_name = "NAME")]
    pub(crate) pack: Option<String>,
    /// Where the policy goes
    #[arg(default_value = "policy.yaml")]
    pub(crate) file: PathBuf,
    /// Print the pack's explanation and write nothing
    #[arg(long, requires = "pack")]
    pub(crate) explain: bool,
}

pub(super) fn run(arguments: InitArgs) -> Outcome {
    let Some(name) = arguments.pack else {
        let rows: Vec<(&str, String)> = PACKS.iter().map(|pack| (pack.name, pack.title.to_owned())).collect();
        fields(&rows)?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some(pack) = Pack::named(&name) else {
        let known: Vec<&str> = PACKS.iter().map(|pack| pack.name).collect();
        let failure = Failure::usage(format!("there is no pack `{}`", name.escape_debug()));
        return Err(failure.hint(format!("known: {}", known.join(", "))));
    };
    if arguments.explain {
        line(pack.explanation.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = arguments.file;
    let Some(name) = file.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Err(Failure::usage(format!("`{}` names no file", file.display())));
    };
    let tests = file.with_extension("test.yaml");
    // Both or none: a policy whose tests could not be written would look tested.
    let mut both = [(create(&file)?, &file, pack.policy.to_owned()), {
        let created = create(&tests).inspect_err(|_| drop(std::fs::remove_file(&file)))?;
        (created, &tests, pack.tests_for(&name))
    }];
    for (open, path, text) in &mut both {
        open.write_all(text.as_bytes())
            .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?;
        line(format_args!("{} {}", styled(GOOD, "wrote"), path.display()))?;
    }
    line(format_args!("\nnext: thoth policy test {}", quoted(file.display())))?;
    Ok(ExitCode::SUCCESS)
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| {
        let failure = Failure::failed(format!("cannot write `{}`: {error}", path.display()));
        match error.kind() {
            ErrorKind::AlreadyExists => failure.hint("name another file; what exists is never overwritten"),
            _ => failure,
        }
    })
}
