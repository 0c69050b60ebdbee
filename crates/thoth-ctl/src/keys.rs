//! `thothctl keys`: API keys.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_api::contract::key::{
    ApiKey, Authorize, Create, Created, MAX_GRACE_SECONDS, Permission, Rotate, Rotated, Row, ScopeLevel,
};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{fields, harmless_text, line, note};
use thoth_types::Redacted;

use crate::connection::Server;
use crate::credential;
use crate::group::NoFlags;
use crate::table::{self, shown, time};

/// `thothctl keys`
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes a key, and shows it this once
    Create(CreateArgs),
    /// Lists the keys; never the keys' texts
    List,
    /// Makes a key in place of another one, for the same, with the same permissions, name and lifetime
    Rotate(RotateArgs),
    /// Says whether a key is this one, and whether it may do something for somebody; ends with 1 if not
    Authorize(AuthorizeArgs),
    /// Takes keys back, at once and for good
    Revoke {
        /// The keys' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

impl From<NoFlags> for KeysCommand {
    fn from(_: NoFlags) -> Self {
        Self::List
    }
}

/// `thothctl keys create`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl keys create --agent-id billing-agent --permission execute --permission write --ttl-seconds 86400
  thothctl keys create --organization --permission read --name dashboard --out dashboard.key.json")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// What it may do; repeat for several
    #[arg(long = "permission", required = true, value_name = "WHAT", value_parser = permission)]
    permissions: Vec<Permission>,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long it lives; for good where nothing is said
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    ttl_seconds: Option<u64>,
    /// Why it is needed, for the records
    #[arg(long, value_name = "TEXT")]
    jit_reason: Option<String>,
    /// Put the key into this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `thothctl keys rotate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl keys rotate key_0123456789abcdef --grace-seconds 3600 --out bot.key.json
  thothctl keys rotate key_0123456789abcdef        # it leaked: the old one ends now")]
pub(crate) struct RotateArgs {
    /// The key's id
    id: String,
    /// How long the old key goes on beside the new one; it ends at once where nothing is said
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=MAX_GRACE_SECONDS))]
    grace_seconds: Option<u64>,
    /// Put the key into this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `thothctl keys authorize`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  thothctl keys authorize key_0123456789abcdef --key-file bot.key.json --permission execute --agent-id bot")]
pub(crate) struct AuthorizeArgs {
    /// The key's id
    id: String,
    /// The file with the key that is asked about; `-` is standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// What it is to be good for
    #[arg(long, value_name = "WHAT", value_parser = permission)]
    permission: Permission,
    #[command(flatten)]
    scope: ScopeArgs,
}

/// For whom a key speaks: exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ScopeArgs {
    /// For everybody in the organisation
    #[arg(long)]
    organization: bool,
    /// For the machines of one fleet
    #[arg(long, value_name = "ID")]
    fleet_id: Option<String>,
    /// For one machine
    #[arg(long, value_name = "ID")]
    endpoint_id: Option<String>,
    /// For one agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
}

impl ScopeArgs {
    fn named(self) -> (ScopeLevel, Option<String>) {
        let Self { fleet_id, endpoint_id, agent_id, .. } = self;
        let targets =
            [(ScopeLevel::Fleet, fleet_id), (ScopeLevel::Endpoint, endpoint_id), (ScopeLevel::Agent, agent_id)];
        let target = targets.into_iter().find_map(|(level, id)| Some((level, id?)));
        target.map_or((ScopeLevel::Organization, None), |(level, id)| (level, Some(id)))
    }
}

fn permission(text: &str) -> Result<Permission, &'static str> {
    Permission::parse(text).ok_or("it is none of read, write, execute")
}

pub(crate) fn run(server: &Server, command: KeysCommand) -> Outcome {
    match command {
        KeysCommand::Create(arguments) => create(server, arguments),
        KeysCommand::List => list(server),
        KeysCommand::Rotate(arguments) => rotate(server, &arguments),
        KeysCommand::Authorize(arguments) => authorize(server, arguments),
        KeysCommand::Revoke { ids } => revoke(server, &ids),
    }
}

fn create(server: &Server, arguments: CreateArgs) -> Outcome {
    let (scope_level, scope_target_id) = arguments.scope.named();
    let create = Create {
        name: arguments.name,
        scope_level,
        scope_target_id,
        permissions: arguments.permissions.into_iter().collect(),
        ttl_seconds: arguments.ttl_seconds,
        jit_reason: arguments.jit_reason,
    };
    create.check().map_err(Failure::usage)?;
    let (file, created) = handed_over(arguments.out.as_deref(), || {
        server.ask(async |administration| administration.create_key(&create).await)
    })?;
    keep(server, file, &created, None)
}

/// Has a key made that is to be kept in a file, which is opened before: a key that nobody can keep should not be there.
fn handed_over<T>(
    out: Option<&Path>,
    make: impl FnOnce() -> Result<T, Failure>,
) -> Result<(Option<(File, String)>, T), Failure> {
    let file = out.map(|path| {
        let opened = File::options().write(true).create_new(true).mode(0o600).open(path);
        let shown = harmless_text(&path.display().to_string());
        opened.map(|file| (file, shown.clone())).map_err(|error| {
            Failure::failed(format!("cannot create `{shown}`: {error}")).hint("name a file that is not there yet")
        })
    });
    let file = file.transpose()?;
    let made = make().inspect_err(|_| {
        // It is empty, and would be in the way of the next attempt.
        drop(out.map(std::fs::remove_file));
    })?;
    Ok((file, made))
}

fn rotate(server: &Server, arguments: &RotateArgs) -> Outcome {
    let (id, rotate) = (&arguments.id, Rotate { grace_seconds: arguments.grace_seconds });
    let (file, Rotated { created, replaced }) = handed_over(arguments.out.as_deref(), || {
        server.ask(async |administration| administration.rotate_key(id, &rotate).await)
    })?;
    let outcome = keep(server, file, &created, Some(&replaced))?;
    if !server.json {
        let end = match (&replaced.revoked_at, &replaced.expires_at) {
            (None, Some(end)) => format!("goes on until {}", time(Some(end))),
            _ => "is taken back".to_owned(),
        };
        note(format_args!("{} {end}", harmless_text(&replaced.id)));
    }
    Ok(outcome)
}

/// Puts a key where it was to be, or shows it.
fn keep(server: &Server, file: Option<(File, String)>, created: &Created, replaced: Option<&Row>) -> Outcome {
    let Some((mut file, path)) = file else { return show(server, created, replaced) };
    let text = serde_json::json!({ "api_key": created.api_key.expose_secret(), "key_id": created.row.id });
    let text = Redacted::new(format!("{text:#}\n"));
    let written = file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        Failure::failed(format!("cannot write `{path}`: {error}")).hint(format!(
            "the key is lost: `thothctl keys revoke {}`, and make another",
            harmless_text(&created.row.id)
        ))
    })?;
    if server.json {
        return Server::print(&created.row);
    }
    line(format_args!("wrote key {} to {path}", harmless_text(&created.row.id)))?;
    Ok(ExitCode::SUCCESS)
}

fn show(server: &Server, created: &Created, replaced: Option<&Row>) -> Outcome {
    if server.json {
        return match replaced {
            Some(replaced) => Server::print(&Rotated { created: created.clone(), replaced: replaced.clone() }),
            None => Server::print(created),
        };
    }
    note("the key is shown this once; nobody can look it up later");
    line(created.api_key.expose_secret())?;
    note(format_args!("its id is {}", harmless_text(&created.row.id)));
    Ok(ExitCode::SUCCESS)
}

fn state(key: &Row) -> &'static str {
    let is_over = |end: &String| end.parse::<jiff::Timestamp>().is_ok_and(|end| end <= jiff::Timestamp::now());
    match (&key.revoked_at, &key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if is_over(end) => "expired",
        _ => "valid",
    }
}

fn list(server: &Server) -> Outcome {
    let keys = server.ask(async |administration| administration.keys().await)?;
    if server.json {
        return Server::print(&keys);
    }
    if keys.api_keys.is_empty() {
        line("there are no keys")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = keys.api_keys.iter().map(|key| {
        let scope = match &key.scope_target_id {
            Some(target) => format!("{} {}", key.scope_level, shown(Some(target))),
            None => key.scope_level.to_string(),
        };
        [
            shown(Some(&key.id)),
            state(key).to_owned(),
            scope,
            key.permissions.to_string(),
            shown(key.name.as_deref()),
            time(key.created_at.as_deref()),
            time(key.expires_at.as_deref()),
            time(key.last_used_at.as_deref()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["ID", "STATE", "FOR", "MAY", "NAME", "CREATED", "EXPIRES", "LAST USED"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn authorize(server: &Server, arguments: AuthorizeArgs) -> Outcome {
    let text = credential::from_flag(&arguments.key_file)?;
    let api_key = ApiKey::parse(text.expose_secret())
        .ok_or_else(|| Failure::usage("this is not an API key: it is empty, too long, or not one word"))?;
    let (level, resource_id) = arguments.scope.named();
    let asked = Authorize { api_key, permission: arguments.permission, resource_type: Some(level), resource_id };
    let told = server.ask(async |administration| administration.authorize_key(&arguments.id, &asked).await)?;
    let is_good = told.valid && told.permission_allowed && told.scope_allowed;
    let outcome = if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if server.json {
        Server::print(&told)?;
        return Ok(outcome);
    }
    let word = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    fields(&[
        ("valid", if told.expired { "no, its time is over".to_owned() } else { word(told.valid) }),
        ("may do it", word(told.permission_allowed)),
        ("for them", word(told.scope_allowed)),
        ("speaks for", format!("{} {}", told.scope_level, shown(told.scope_target_id.as_deref()))),
    ])?;
    Ok(outcome)
}

fn revoke(server: &Server, ids: &[String]) -> Outcome {
    for id in ids {
        let row = server.ask(async |administration| administration.revoke_key(id).await)?;
        if server.json {
            Server::print(&row.map_or_else(|| serde_json::json!({ "id": id }), |row| serde_json::json!(row)))?;
        } else {
            line(format_args!("revoked {}", harmless_text(id)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
