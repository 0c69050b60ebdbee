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
mod group;
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
use crate::group::Group;

const MORE: &str = "\
The server is asked with an API key or with a login. --api-key-file and --auth-token-file count \
first, then what the environment has: the first of THOTH_ORG_API_KEY, THOTH_API_KEY and \
THOTH_API_KEY_FILE, or of THOTH_ADMIN_BEARER_TOKEN, THOTH_ADMIN_BEARER_TOKEN_FILE and \
THOTH_AUTH_SESSION_FILE, then the login of `thothctl auth login`. Neither is ever an argument: \
other users of the machine can see those. Lists take a key or a login that may `read`, changes one \
that may `write`.

What can be listed is listed where nothing else is said: `thothctl events --follow` is \
`thothctl events list --follow`.

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
    #[command(visible_alias = "api-keys")]
    Keys(Group<keys::KeysCommand, group::NoFlags>),
    /// Shows and answers calls that wait for a person
    Approvals(Group<approvals::ApprovalsCommand, approvals::ListArgs>),
    /// Shows the machines on which agents run, and has all calls of one refused
    Endpoints(Box<Group<endpoints::EndpointsCommand, endpoints::ListArgs>>),
    /// Uploads policies, has versions of them hold, and says for whom
    #[command(visible_alias = "policy-bundles")]
    Policies(Group<policies::PoliciesCommand, group::NoFlags>),
    /// Shows what was decided
    Decisions(Box<Group<decisions::DecisionsCommand, decisions::ListArgs>>),
    /// Shows what was refused or held
    Violations(Box<Group<decisions::ViolationsCommand, decisions::ListArgs>>),
    /// Shows the sessions in which calls were decided
    Sessions(Box<Group<sessions::SessionsCommand, sessions::ListArgs>>),
    /// Shows the agents of which calls were decided
    Agents(Group<sessions::AgentsCommand, sessions::AgentListArgs>),
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
    Events(Box<Group<events::EventsCommand, events::ListArgs>>),
}

fn main() -> ExitCode {
    let cli = command_line::read::<Cli>();
    let json = cli.connection.json;
    let outcome = match cli.command {
        Command::Auth(command) => auth::run(&cli.connection, command),
        Command::Asking(asking) => cli.connection.open().and_then(|server| match asking {
            Asking::Keys(group) => keys::run(&server, group.command()?),
            Asking::Approvals(group) => approvals::run(&server, group.command()?),
            Asking::Endpoints(group) => endpoints::run(&server, group.command()?),
            Asking::Policies(group) => policies::run(&server, group.command()?),
            Asking::Decisions(group) => decisions::run(&server, group.command()?),
            Asking::Violations(group) => decisions::run_violations(&server, group.command()?),
            Asking::Sessions(group) => sessions::run(&server, group.command()?),
            Asking::Agents(group) => sessions::run_agents(&server, group.command()?),
            Asking::Evidence(command) => evidence::run(&server, command),
            Asking::Inventory(arguments) => inventory::run(&server, &arguments),
            Asking::Settings(command) => settings::run(&server, command),
            Asking::Bootstrap(arguments) => bootstrap::run(&server, &arguments),
            Asking::Events(group) => events::run(&server, group.command()?),
        }),
    };
    exit::finish(outcome, json).unwrap_or_else(|failure| failure.report())
}
