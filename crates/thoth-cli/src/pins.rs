//! `thoth pins`: what servers offer, what of it has changed since it was approved, and who approved it.

mod answer;
mod chosen;
mod diff;
mod export;
mod found;
mod import;
mod json;
mod list;
mod person;
mod show;

use clap::Subcommand;

use thoth_shell::exit::{Outcome, finish};
use thoth_shell::home::Home;

use crate::scan_rules;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  thoth pins list
  thoth pins diff files read_file
  thoth pins approve files read_file
  thoth pins revoke files read_file")]
pub(crate) enum PinsCommand {
    /// Lists what is pinned, what needs a look first
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Shows a pinned definition in full, and what is known of it
    Show(show::ShowArgs),
    /// Shows what changed since it was approved, field by field
    Diff(diff::DiffArgs),
    /// Approves definitions as they were last seen, after showing what changed and asking
    Approve(answer::ApproveArgs),
    /// Takes an approval back: calls are refused until somebody approves the definition anew
    Revoke(answer::RevokeArgs),
    /// Writes approved pins for another installation
    Export(export::ExportArgs),
    /// Takes in the pins of another installation, where there are none of the same names yet
    Import(import::ImportArgs),
}

pub(crate) fn run(command: PinsCommand) -> Outcome {
    match command {
        PinsCommand::List(arguments) => finish(by_all_rules(|| list::run(&arguments)), arguments.json),
        PinsCommand::Show(arguments) => finish(by_all_rules(|| show::run(&arguments)), arguments.json),
        PinsCommand::Diff(arguments) => finish(by_all_rules(|| diff::run(&arguments)), arguments.json),
        PinsCommand::Approve(arguments) => by_all_rules(|| answer::approve(&arguments)),
        PinsCommand::Revoke(arguments) => answer::revoke(&arguments),
        PinsCommand::Export(arguments) => export::run(&arguments),
        PinsCommand::Import(arguments) => by_all_rules(|| import::run(&arguments)),
    }
}

/// Shows and approves by the rules that sessions scan by: what is approved is what is found by all of them.
fn by_all_rules(answer: impl FnOnce() -> Outcome) -> Outcome {
    scan_rules::put_in_force(&Home::locate()?)?;
    answer()
}
