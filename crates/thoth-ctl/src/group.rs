//! Commands of which `list` is the one that is meant where none is said.

use clap::{ArgMatches, Args, Command, Subcommand};
use thoth_shell::exit::Failure;

/// The commands of a group, or the flags of its list.
#[derive(Debug, Args)]
pub(crate) struct Group<C: Subcommand, L: Args> {
    #[command(subcommand)]
    command: Option<C>,
    #[command(flatten)]
    list: L,
}

impl<C: Subcommand + From<L>, L: Args + PartialEq> Group<C, L> {
    /// The command that is meant. Flags of a list before another command would be passed over.
    pub(crate) fn command(self) -> Result<C, Failure> {
        match self.command {
            None => Ok(self.list.into()),
            Some(command) if unsaid::<L>().is_none_or(|unsaid| unsaid == self.list) => Ok(command),
            Some(_) => Err(Failure::usage("flags of a list stand before another command")
                .hint("put them behind `list`, or leave the other command out")),
        }
    }
}

/// The flags of a list of which none is said.
fn unsaid<L: Args>() -> Option<L> {
    let matches: ArgMatches = L::augment_args(Command::new("list")).try_get_matches_from(["list"]).ok()?;
    L::from_arg_matches(&matches).ok()
}

/// The flags of a list that has none.
#[derive(Debug, PartialEq, Eq, Args)]
pub(crate) struct NoFlags {}
