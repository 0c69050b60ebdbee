//! `thothd`: its command line. What it serves is in the library.

mod collector;
mod copies;
mod healthcheck;
mod logins;
mod options;
mod places;
mod serving;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Parser, Subcommand};
use thoth_api::contract::key::{Create, Permission, ScopeLevel};
use thoth_postgres::{ExportError, PostgresError};
use thoth_server::{KeyError, TenantName};
use thoth_shell::command_line;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{line, note};

use copies::{BackupArgs, RestoreArgs};
use healthcheck::HealthArgs;
use options::{ConfigCommand, DATABASE, Flags, PLACE, Resolved, SERVING};

const EXIT_CODES: &str = "\
Exit codes:
  0    done; `serve` was told to stop
  1    something could not be done
  2    wrong command line
  4    a ledger or a backup does not verify

Files live in `--data`, by default `$THOTH_HOME/thothd` or `~/.thoth/thothd`.";

/// The enforcer: decides the calls of agents over HTTP, keeps those that wait for a person, and takes in their events.
#[derive(Debug, Parser)]
#[command(name = "thothd", version, propagate_version = true, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM or SIGINT
    Serve(Box<Flags<SERVING>>),
    /// Looks at settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Makes keys beside the server: the first one has to come from somewhere
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Sets a database up, or brings it up to date, with a role that may create tables
    Migrate(Flags<DATABASE>),
    /// Copies the data directory, while the server runs, and verifies the copy
    Backup(BackupArgs),
    /// Makes a data directory of a copy, verified
    Restore(RestoreArgs),
    /// Asks the server of these settings whether it lives
    Healthcheck(Box<HealthArgs>),
    /// Takes evidence out of a database
    #[command(subcommand)]
    Ledger(LedgerCommand),
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Checks the ledger of a tenant and writes it as a directory, which `thoth audit verify` reads
    Export(ExportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothd ledger export --tenant acme --database-url-file url acme-ledger && thoth audit verify acme-ledger")]
struct ExportArgs {
    #[command(flatten)]
    settings: Flags<DATABASE>,
    /// Whose ledger
    #[arg(long, value_name = "NAME")]
    tenant: TenantName,
    /// Where to; it must be empty or not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Makes a key and shows it, once
    Create(Box<CreateArgs>),
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("scope").required(true),
    after_help = "\
A key with `execute` is for agents: it may neither answer held calls nor change keys.

Examples:
  thothd keys create --tenant acme --name ops --organization --permission read --permission write
  thothd keys create --tenant acme --agent-id billing-bot --permission execute --permission write"
)]
struct CreateArgs {
    #[command(flatten)]
    settings: Flags<PLACE>,
    /// Whose key
    #[arg(long, value_name = "NAME")]
    tenant: TenantName,
    /// What people call it; `approvers: [user:NAME]` in a policy means it
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// For all of the tenant
    #[arg(long, group = "scope", visible_alias = "organisation")]
    organization: bool,
    /// For one agent
    #[arg(long, group = "scope", value_name = "ID")]
    agent_id: Option<String>,
    /// For one machine
    #[arg(long, group = "scope", value_name = "ID")]
    endpoint_id: Option<String>,
    /// For the machines of one fleet
    #[arg(long, group = "scope", value_name = "ID")]
    fleet_id: Option<String>,
    /// What it may do: read, write or execute; repeat for several
    #[arg(long = "permission", required = true, value_name = "WORD", value_parser = permission)]
    permissions: Vec<Permission>,
    /// How long it lives; for good unless given
    #[arg(long, value_name = "N")]
    ttl_seconds: Option<u64>,
}

fn permission(word: &str) -> Result<Permission, String> {
    Permission::parse(word).ok_or_else(|| "it is none of read, write, execute".to_owned())
}

fn create_key(arguments: CreateArgs) -> Outcome {
    let resolved = Resolved::of(&arguments.settings)?;
    let database = places::database(&resolved)?;
    let targets = [
        (ScopeLevel::Agent, arguments.agent_id),
        (ScopeLevel::Endpoint, arguments.endpoint_id),
        (ScopeLevel::Fleet, arguments.fleet_id),
    ];
    let target = targets.into_iter().find_map(|(level, id)| id.map(|id| (level, Some(id))));
    let (scope_level, scope_target_id) = target.unwrap_or((ScopeLevel::Organization, None));
    let wanted = Create {
        name: arguments.name,
        scope_level,
        scope_target_id,
        permissions: arguments.permissions.into_iter().collect(),
        ttl_seconds: arguments.ttl_seconds,
        jit_reason: None,
    };
    let made = match database {
        Some(database) => thoth_server::create_key_in(database, &arguments.tenant, &wanted),
        None => thoth_server::create_key(&places::data(&resolved)?, &arguments.tenant, &wanted),
    };
    let made = made.map_err(|error| {
        let code =
            if matches!(error, KeyError::Store(_) | KeyError::NoRandomness) { Code::Failed } else { Code::Usage };
        Failure::new(code, error)
    })?;
    note(format_args!("{}: this is shown once; keep it where only its user can read it", made.row.id));
    line(made.api_key.expose_secret())?;
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    let outcome = match command_line::read::<Cli>().command {
        Command::Serve(flags) => serving::serve(&flags),
        Command::Config(command) => options::run(command),
        Command::Keys(KeysCommand::Create(arguments)) => create_key(*arguments),
        Command::Migrate(flags) => migrate(&flags),
        Command::Backup(arguments) => copies::run_backup(&arguments),
        Command::Restore(arguments) => copies::run_restore(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Ledger(LedgerCommand::Export(arguments)) => export(&arguments),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}

fn migrate(flags: &Flags<DATABASE>) -> Outcome {
    let database = places::required_database(&Resolved::of(flags)?)?;
    let format = database.migrate().map_err(Failure::failed)?;
    line(match format.before {
        before if before == format.now => format!("the database has the format {before} already"),
        0 => format!("the database was set up, with the format {}", format.now),
        before => format!("the database was brought from the format {before} to {}", format.now),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn export(arguments: &ExportArgs) -> Outcome {
    let database = places::required_database(&Resolved::of(&arguments.settings)?)?;
    let exported = thoth_postgres::export(&database, arguments.tenant.as_str(), &arguments.dir).map_err(|error| {
        let code = if matches!(error, ExportError::Postgres(PostgresError::Damaged(_))) {
            Code::NotVerified
        } else {
            Code::Failed
        };
        Failure::new(code, error)
    })?;
    line(format_args!("{} events of {}", exported.size, exported.origin))?;
    Ok(ExitCode::SUCCESS)
}
