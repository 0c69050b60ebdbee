//! `thothd`: flags, the data directory, signals. What it serves is in the library.

mod database_args;
mod oidc_args;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use database_args::DatabaseArgs;
use oidc_args::OidcArgs;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use thoth_api::contract::key::{Create, Permission, ScopeLevel};
use thoth_postgres::{ExportError, PostgresError};
use thoth_server::{KeyError, Options, Rates, Server, TenantName, listen};
use thoth_shell::command_line;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::home::{Care, Home, private, write_new};
use thoth_shell::terminal::{harmless_text, line, note, quoted};
use thoth_types::Mode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const EXIT_CODES: &str = "\
Exit codes:
  0    done; `serve` was told to stop
  1    something could not be done
  2    wrong command line
  4    a ledger does not verify

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
    Serve(Box<ServeArgs>),
    /// Makes keys beside the server: the first one has to come from somewhere
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Sets a database up, or brings it up to date, with a role that may create tables
    Migrate(DatabaseArgs),
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
    database: DatabaseArgs,
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
    data: DataArgs,
    #[command(flatten)]
    database: DatabaseArgs,
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
    let database = arguments.database.database()?;
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
        None => thoth_server::create_key(&data(arguments.data)?, &arguments.tenant, &wanted),
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

#[derive(Debug, Args)]
struct DataArgs {
    /// Where everything is kept
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Where to listen; other machines are listened to with TLS only
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// The policy of all tenants; `policy.yaml` in the data directory unless given
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The certificate and those above it, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// What is done about violations at least; a client may ask for a stricter mode, never for a looser one
    #[arg(long, value_enum, default_value_t = ModeArg::Block)]
    enforcement_mode: ModeArg,
    /// Calls that a tenant may have decided per minute
    #[arg(long, value_name = "N", default_value_t = Rates::default().enforce)]
    enforce_per_minute: NonZeroU32,
    /// Batches of events that a tenant may send per minute
    #[arg(long, value_name = "N", default_value_t = Rates::default().events)]
    events_per_minute: NonZeroU32,
    /// Questions about held calls that a tenant may ask per minute
    #[arg(long, value_name = "N", default_value_t = Rates::default().polls)]
    polls_per_minute: NonZeroU32,
    /// Registrations and check-ins of machines that a tenant may send per minute
    #[arg(long, value_name = "N", default_value_t = Rates::default().endpoints)]
    checkins_per_minute: NonZeroU32,
    /// Other requests of a tenant per minute: lists, answers, keys
    #[arg(long, value_name = "N", default_value_t = Rates::default().governance)]
    governance_per_minute: NonZeroU32,
    #[command(flatten)]
    oidc: OidcArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// Evaluate and record, never interrupt
    #[value(alias = "shadow")]
    Observe,
    /// A violation asks a person
    #[value(name = "step_up", alias = "step-up")]
    StepUp,
    /// The first violation warns, the second asks, the third blocks
    Progressive,
    /// A violation blocks
    Block,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Observe => Self::Observe,
            ModeArg::StepUp => Self::StepUp,
            ModeArg::Progressive => Self::Progressive,
            ModeArg::Block => Self::Block,
        }
    }
}

fn main() -> ExitCode {
    let outcome = match command_line::read::<Cli>().command {
        Command::Serve(arguments) => serve(*arguments),
        Command::Keys(KeysCommand::Create(arguments)) => create_key(*arguments),
        Command::Migrate(arguments) => migrate(&arguments),
        Command::Ledger(LedgerCommand::Export(arguments)) => export(&arguments),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}

fn migrate(arguments: &DatabaseArgs) -> Outcome {
    let format = arguments.required()?.migrate().map_err(Failure::failed)?;
    line(match format.before {
        before if before == format.now => format!("the database has the format {before} already"),
        0 => format!("the database was set up, with the format {}", format.now),
        before => format!("the database was brought from the format {before} to {}", format.now),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn export(arguments: &ExportArgs) -> Outcome {
    let database = arguments.database.required()?;
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

/// The data directory, private.
fn data(arguments: DataArgs) -> Result<PathBuf, Failure> {
    let (path, care) = match arguments.data {
        Some(path) => (path, Care::Refuse),
        None => (Home::open()?.path().join("thothd"), Care::Repair),
    };
    let path = std::path::absolute(&path).map_err(|error| Failure::failed(format!("--data: {error}")))?;
    private(&path, care)?;
    let mode = std::fs::metadata(&path).map_err(Failure::failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let shown = harmless_text(&path.to_string_lossy());
        return Err(Failure::failed(format!("others can get into `{shown}` (mode {mode:o})"))
            .hint(format!("run `chmod go= {}`, or use another directory", quoted(&shown))));
    }
    Ok(path)
}

fn serve(arguments: ServeArgs) -> Outcome {
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(listen::tls(certificate, key).map_err(Failure::failed)?),
        _ => None,
    };
    if tls.is_none() && listen::needs_tls(&arguments.listen) {
        return Err(Failure::usage(format!(
            "`{}` can be reached by other machines, and there is no TLS",
            arguments.listen
        ))
        .hint("give --tls-cert and --tls-key, or listen at 127.0.0.1 behind a proxy that speaks TLS"));
    }
    let logins = arguments.oidc.options()?;
    let database = arguments.database.database()?;
    let (data, policy) = match (arguments.policy, &database) {
        // Nothing else is kept there.
        (Some(policy), Some(_)) => (PathBuf::new(), policy),
        (Some(policy), None) => (data(arguments.data)?, policy),
        (None, _) => {
            let data = data(arguments.data)?;
            let policy = starter(&data)?;
            (data, policy)
        }
    };
    // Not a reason not to start: it may come back, and whoever asks is refused until then.
    if let Some(Err(error)) = database.as_ref().map(|database| database.probe()) {
        note(format_args!("every call is refused until this is mended: {error}"));
    }
    let options = Options {
        data,
        policy,
        mode: arguments.enforcement_mode.into(),
        rates: Rates {
            enforce: arguments.enforce_per_minute,
            events: arguments.events_per_minute,
            polls: arguments.polls_per_minute,
            endpoints: arguments.checkins_per_minute,
            governance: arguments.governance_per_minute,
        },
    };
    let failed = |what: &str, error: &dyn std::fmt::Display| Failure::failed(format!("cannot {what}: {error}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed("begin", &error))?;
    runtime.block_on(async move {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed("wait for signals", &error))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed("wait for signals", &error))?;
        let address = arguments.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|error| failed(&format!("listen at `{address}`"), &error))?;
        let address = listener.local_addr().map_err(|error| failed("tell the address", &error))?;
        let server = match database {
            Some(database) => Server::on(database, options),
            None => Server::new(options),
        };
        let server = server.map_err(|error| failed("begin", &error))?;
        let server = logins.into_iter().fold(server, Server::with_logins);
        let scheme = if tls.is_some() { "https" } else { "http" };
        // Scripts that let the system choose a port read it here.
        line(format_args!("listening at {scheme}://{address}"))?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            note("stopping");
        };
        server.serve(listener, tls, stop).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The policy in the data directory, written there if it is not.
fn starter(data: &std::path::Path) -> Result<PathBuf, Failure> {
    let path = data.join("policy.yaml");
    // What is there is not written over, so a full disk is no reason not to start.
    if path.symlink_metadata().is_ok() {
        return Ok(path);
    }
    let written = write_new(&path, thoth_policy::STARTER)
        .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?;
    if written {
        note(format_args!(
            "wrote a starter policy to {}: it allows reading, asks before writing, and blocks deleting",
            path.display()
        ));
    }
    Ok(path)
}
