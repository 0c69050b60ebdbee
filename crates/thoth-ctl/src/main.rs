//! The `thothctl` command: administration of a server over the HTTP contract.
//!
//! It knows what the contract says and nothing else: no file of the server, no store, no policy.

mod approvals;
mod connection;
mod endpoints;
mod events;
mod keys;
mod policies;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thoth_shell::{command_line, exit};

use crate::connection::ConnectionArgs;

const MORE: &str = "\
The key is read from --api-key-file, or else from the first of these that is set: THOTH_ORG_API_KEY, THOTH_API_KEY,
THOTH_API_KEY_FILE. It is never an argument: other users of the machine can see those. Lists take a key that may `read`,
changes one that may `write`.

Exit codes:
  0    done
  1    it could not be done, or the server says no
  2    wrong command line
  141  whoever read standard output has gone away";

/// Administers a Thoth server: keys, held calls, machines, policies, events.
#[derive(Debug, Parser)]
#[command(name = "thothctl", version, propagate_version = true, after_help = MORE, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes, lists and takes back API keys
    #[command(subcommand, visible_alias = "api-keys")]
    Keys(keys::KeysCommand),
    /// Shows and answers calls that wait for a person
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// Shows the machines on which agents run, and has all calls of one refused
    #[command(subcommand)]
    Endpoints(endpoints::EndpointsCommand),
    /// Uploads policies, has versions of them hold, and says for whom
    #[command(subcommand, visible_alias = "policy-bundles")]
    Policies(policies::PoliciesCommand),
    /// Shows what clients told of what they did
    #[command(subcommand)]
    Events(events::EventsCommand),
}

fn main() -> ExitCode {
    let cli = command_line::read::<Cli>();
    let json = cli.connection.json;
    let outcome = cli.connection.open().and_then(|server| match cli.command {
        Command::Keys(command) => keys::run(&server, command),
        Command::Approvals(command) => approvals::run(&server, command),
        Command::Endpoints(command) => endpoints::run(&server, command),
        Command::Policies(command) => policies::run(&server, command),
        Command::Events(command) => events::run(&server, command),
    });
    exit::finish(outcome, json).unwrap_or_else(|failure| failure.report())
}
