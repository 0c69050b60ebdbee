//! The `thothctl` command: administration of a server over the HTTP contract.
//!
//! It knows what the contract says and nothing else: no file of the server, no store, no policy.

mod approvals;
mod auth;
mod bootstrap;
mod connection;
mod credential;
mod decisions;
mod endpoints;
mod events;
mod evidence;
mod inventory;
mod keys;
mod packs;
mod policies;
mod sessions;
mod settings;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thoth_shell::{command_line, exit};

use crate::connection::ConnectionArgs;

const MORE: &str = "\
The server is asked with an API key or with a login. --api-key-file and --auth-token-file count first, then what the
environment has: the first of THOTH_ORG_API_KEY, THOTH_API_KEY and THOTH_API_KEY_FILE, or THOTH_AUTH_SESSION_FILE, then the
login of `thothctl auth login`. Neither is ever an argument: other users of the machine can see those. Lists take a key or
a login that may `read`, changes one that may `write`.

Exit codes:
  0    done
  1    it could not be done, or the server says no
  2    wrong command line
  3    a policy is not valid
  4    the ledger does not verify
  5    a policy is valid, and something about it is odd
  141  whoever read standard output has gone away";

/// Administers a Thoth server: keys, held calls, machines, policies, and what its ledger and its clients tell.
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
    /// Logs people in and out
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    #[command(flatten)]
    Asking(Asking),
}

/// What asks the server in somebody's name.
#[derive(Debug, Subcommand)]
enum Asking {
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
    /// Shows what was decided
    #[command(subcommand)]
    Decisions(decisions::DecisionsCommand),
    /// Shows what was refused or held
    #[command(subcommand)]
    Violations(decisions::ViolationsCommand),
    /// Shows the sessions in which calls were decided
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// Shows the agents of which calls were decided
    #[command(subcommand)]
    Agents(sessions::AgentsCommand),
    /// Checks the server's ledger, shows it, and takes evidence out of it
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Shows the tools that agents have, and what they do with them
    Inventory(inventory::InventoryArgs),
    /// Shows and sets what holds for the whole organisation
    #[command(subcommand)]
    Settings(settings::SettingsCommand),
    /// Sets an organisation up: settings, policies, and a key for an agent
    Bootstrap(bootstrap::BootstrapArgs),
    /// Shows what clients told of what they did
    #[command(subcommand)]
    Events(events::EventsCommand),
}

fn main() -> ExitCode {
    let cli = command_line::read::<Cli>();
    let json = cli.connection.json;
    let outcome = match cli.command {
        Command::Auth(command) => auth::run(&cli.connection, command),
        Command::Asking(asking) => cli.connection.open().and_then(|server| match asking {
            Asking::Keys(command) => keys::run(&server, command),
            Asking::Approvals(command) => approvals::run(&server, command),
            Asking::Endpoints(command) => endpoints::run(&server, command),
            Asking::Policies(command) => policies::run(&server, command),
            Asking::Decisions(command) => decisions::run(&server, command),
            Asking::Violations(command) => decisions::run_violations(&server, command),
            Asking::Sessions(command) => sessions::run(&server, command),
            Asking::Agents(command) => sessions::run_agents(&server, command),
            Asking::Evidence(command) => evidence::run(&server, command),
            Asking::Inventory(arguments) => inventory::run(&server, &arguments),
            Asking::Settings(command) => settings::run(&server, command),
            Asking::Bootstrap(arguments) => bootstrap::run(&server, &arguments),
            Asking::Events(command) => events::run(&server, command),
        }),
    };
    exit::finish(outcome, json).unwrap_or_else(|failure| failure.report())
}
