//! `thoth approvals`: calls that wait for a person, and that person's answers.

mod answer;
mod grants;
mod json;
mod list;
pub(crate) mod notifier;
mod page;
pub(crate) mod person;
mod show;
pub(crate) mod store;
pub(crate) mod times;
mod watch;

use clap::Subcommand;
use rustix::termios::tcgetwinsize;

use thoth_shell::exit::{Outcome, finish};

/// How wide pages are where no terminal says.
pub(crate) const USUAL_WIDTH: usize = 100;

/// The narrowest terminal that lines are made for.
const NARROWEST: usize = 48;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  thoth approvals list
  thoth approvals show 1f0c
  thoth approvals approve 1f0c
  thoth approvals deny 1f0c")]
pub(crate) enum ApprovalsCommand {
    /// Lists the calls that wait for approval
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Shows a held call: who asks, why, and the arguments in full
    Show(show::ShowArgs),
    /// Lets a held call pass, after showing it and asking
    Approve(answer::ApproveArgs),
    /// Refuses a held call, also when it is made again
    Deny(answer::DenyArgs),
    /// Shows what waits as it comes, on the whole screen, and takes answers
    Watch(watch::WatchArgs),
    /// Lists the grants: leave for further calls, given with an approval
    Grants(grants::GrantsArgs),
    /// Ends a grant
    Revoke(grants::RevokeArgs),
}

pub(crate) fn run(command: ApprovalsCommand) -> Outcome {
    match command {
        ApprovalsCommand::List(arguments) => finish(list::run(&arguments), arguments.json),
        ApprovalsCommand::Show(arguments) => finish(show::run(&arguments), arguments.json),
        ApprovalsCommand::Approve(arguments) => answer::approve(&arguments),
        ApprovalsCommand::Deny(arguments) => answer::deny(&arguments),
        ApprovalsCommand::Watch(arguments) => watch::run(&arguments),
        ApprovalsCommand::Grants(arguments) => finish(grants::list(&arguments), arguments.json),
        ApprovalsCommand::Revoke(arguments) => grants::revoke(&arguments),
    }
}

/// How wide the terminal is that is written to, if it is one.
pub(crate) fn width() -> Option<usize> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col).max(NARROWEST))
}
