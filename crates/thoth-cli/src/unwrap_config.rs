//! `thoth unwrap-config`.

use clap::Args;
use thoth_endpoint::document::Document;
use thoth_endpoint::unwrap::unwrap;

use crate::clients::{ClientFile, Machine};
use crate::rewriting::{self, Answer, Direction, Purpose, Selection, Task};
use thoth_shell::config_file::Backups;
use thoth_shell::exit::{Outcome, finish};
use thoth_shell::home::Home;

/// `thoth unwrap-config`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth unwrap-config
  thoth unwrap-config --host cursor --server github
  thoth unwrap-config --output - claude_desktop_config.json")]
pub(crate) struct UnwrapArgs {
    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(arguments: &UnwrapArgs) -> Outcome {
    finish(unwrap_files(&arguments.selection), arguments.selection.json)
}

fn unwrap_files(selection: &Selection) -> Outcome {
    let machine = Machine::here()?;
    let home = Home::locate()?;
    let purpose = if selection.dry_run { Purpose::Show } else { Purpose::Write };
    let files = selection.files(&machine)?;
    selection.check_servers(&files)?;
    if purpose == Purpose::Write && selection.output.is_none() {
        Home::open()?;
    }
    let change = |document: &Document, file: &ClientFile| unwrap(document, file.shape, &selection.server);
    let output = selection.output.as_deref();
    let backups = Backups::new(home.backups());
    let task = Task { purpose, output, backups, change: &change, own: &|_, _| Vec::new() };
    let left_out = rewriting::left_out(selection, &machine);
    let notes: Vec<_> = (left_out > 0)
        .then(|| format!("{left_out} files of other projects were not looked at; --all includes them"))
        .into_iter()
        .collect();
    let reports = task.run(files);
    let answer = Answer {
        machine: &machine,
        direction: Direction::Unwrap,
        purpose,
        reports: &reports,
        ungoverned: &[],
        notes: &notes,
        output,
    };
    rewriting::print(&answer, selection.json)?;
    Ok(rewriting::exit_code(purpose, &reports))
}
