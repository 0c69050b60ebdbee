//! `thothctl endpoints`: the machines on which agents run.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_api::contract::endpoint::{Endpoint, Presence, Quarantine, Query};
use thoth_api::contract::list::List;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{agrees, fields, line, note};

use crate::connection::Server;
use crate::table::{self, shown, time};

/// `thothctl endpoints`
#[derive(Debug, Subcommand)]
pub(crate) enum EndpointsCommand {
    /// Lists machines, those that registered last first
    List(ListArgs),
    /// Shows one machine
    Show {
        /// The machine
        id: String,
    },
    /// Counts machines by how they stand
    Stats,
    /// Has all calls of a machine refused, from the next one on
    Quarantine(QuarantineArgs),
    /// Ends that
    Release {
        /// The machine
        id: String,
        /// Why, for the records
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

impl From<ListArgs> for EndpointsCommand {
    fn from(list: ListArgs) -> Self {
        Self::List(list)
    }
}

/// `thothctl endpoints list`
#[derive(Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  thothctl endpoints list --status stale
  thothctl endpoints list --env prod --fleet-id berlin --json")]
pub(crate) struct ListArgs {
    /// Only of this environment
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Only of this fleet
    #[arg(long, value_name = "ID")]
    fleet_id: Option<String>,
    /// Only those that stand so: online, offline, stale, quarantined
    #[arg(long, value_name = "STATE", value_parser = state)]
    status: Option<Presence>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the last list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// `thothctl endpoints quarantine`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  thothctl endpoints quarantine mac-042 --reason 'reported stolen'")]
pub(crate) struct QuarantineArgs {
    /// The machine
    id: String,
    /// Why, for the records
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn state(text: &str) -> Result<Presence, &'static str> {
    Presence::parse(text).ok_or("it is none of online, offline, stale, quarantined")
}

pub(crate) fn run(server: &Server, command: EndpointsCommand) -> Outcome {
    match command {
        EndpointsCommand::List(arguments) => list(server, arguments),
        EndpointsCommand::Show { id } => {
            let endpoint = server.ask(async |administration| administration.endpoint(&id).await)?;
            if server.json {
                return Server::print(&endpoint);
            }
            show(&endpoint)?;
            Ok(ExitCode::SUCCESS)
        }
        EndpointsCommand::Stats => stats(server),
        EndpointsCommand::Quarantine(QuarantineArgs { id, reason }) => quarantine(server, &id, true, reason),
        EndpointsCommand::Release { id, reason } => release(server, &id, reason),
    }
}

fn list(server: &Server, arguments: ListArgs) -> Outcome {
    let query = Query {
        env: arguments.env,
        fleet_id: arguments.fleet_id,
        status: arguments.status,
        cursor: arguments.cursor,
        limit: Some(arguments.limit),
    };
    let list: List<Endpoint> = server.ask(async |administration| administration.endpoints(&query).await)?;
    if server.json {
        return Server::print(&list);
    }
    if list.data.is_empty() {
        line("there are no such machines")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = list.data.iter().map(|endpoint| {
        [
            shown(Some(&endpoint.endpoint_id)),
            endpoint.status.to_string(),
            shown(Some(&endpoint.hostname)),
            shown(endpoint.os.as_deref()),
            shown(endpoint.environment.as_deref()),
            shown(endpoint.fleet_id.as_deref()),
            shown(endpoint.proxy_version.as_deref()),
            endpoint.agent_ids.len().to_string(),
            time(Some(&endpoint.last_seen)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["ID", "STATUS", "HOST", "OS", "ENV", "FLEET", "PROXY", "AGENTS", "LAST SEEN"], &rows)?;
    if let Some(cursor) = &list.next_cursor {
        note(format_args!("there are more: --cursor {}", shown(Some(cursor))));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(endpoint: &Endpoint) -> Result<(), Failure> {
    let agents: Vec<String> = endpoint.agent_ids.iter().map(|agent| shown(Some(agent))).collect();
    let system = [endpoint.os.as_deref(), endpoint.os_version.as_deref()];
    let system: Vec<String> = system.into_iter().flatten().map(|text| shown(Some(text))).collect();
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let mut rows = vec![
        ("machine", shown(Some(&endpoint.endpoint_id))),
        ("status", endpoint.status.to_string()),
        ("host", shown(Some(&endpoint.hostname))),
        ("system", or_dash(system.join(" "))),
        ("proxy", shown(endpoint.proxy_version.as_deref())),
        ("environment", shown(endpoint.environment.as_deref())),
        ("fleet", shown(endpoint.fleet_id.as_deref())),
        ("enrollment", endpoint.enrollment.map_or_else(|| "-".to_owned(), |word| word.to_string())),
        ("enforcement", endpoint.enforcement_mode.map_or_else(|| "-".to_owned(), |word| word.to_string())),
        ("agents", or_dash(agents.join(", "))),
        ("policy", shown(endpoint.policy_digest.as_deref())),
        ("events", endpoint.events_pending.map_or_else(|| "-".to_owned(), |count| format!("{count} not sent"))),
        ("last seen", time(Some(&endpoint.last_seen))),
        ("registered", time(endpoint.created_at.as_deref())),
    ];
    if endpoint.status == Presence::Quarantined {
        rows.push(("quarantined", time(endpoint.quarantined_at.as_deref())));
        rows.push(("by", shown(endpoint.quarantined_by.as_deref())));
        rows.push(("reason", shown(endpoint.quarantine_reason.as_deref())));
    }
    fields(&rows)
}

fn stats(server: &Server) -> Outcome {
    let stats = server.ask(async |administration| administration.endpoint_stats().await)?;
    if server.json {
        return Server::print(&stats);
    }
    fields(&[
        ("total", stats.total.to_string()),
        ("managed", stats.managed.to_string()),
        ("unmanaged", stats.unmanaged.to_string()),
        ("online", stats.online.to_string()),
        ("quarantined", stats.quarantined.to_string()),
        ("stale", stats.stale.to_string()),
        ("at risk", stats.at_risk.to_string()),
        ("outdated", stats.proxy_outdated.to_string()),
        ("newest", shown(stats.latest_version.as_deref())),
    ])?;
    Ok(ExitCode::SUCCESS)
}

fn quarantine(server: &Server, id: &str, quarantined: bool, reason: Option<String>) -> Outcome {
    let wanted = Quarantine { quarantined, reason };
    let now = server.ask(async |administration| administration.quarantine(id, &wanted).await)?;
    if server.json {
        return Server::print(
            &now.map_or_else(|| serde_json::json!({ "endpoint_id": id }), |now| serde_json::json!(now)),
        );
    }
    let done = if quarantined { "all calls of it are refused" } else { "its calls are decided again" };
    line(format_args!("{}: {done}", shown(Some(id))))?;
    Ok(ExitCode::SUCCESS)
}

/// It loosens, so that the reason of the quarantine is shown to a person first.
fn release(server: &Server, id: &str, reason: Option<String>) -> Outcome {
    use std::io::IsTerminal as _;
    if !server.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        let endpoint = server.ask(async |administration| administration.endpoint(id).await)?;
        show(&endpoint)?;
        if !agrees("Have calls of this machine decided again?")? {
            return Err(Failure::failed(format!("{} was not released", shown(Some(id)))));
        }
    }
    quarantine(server, id, false, reason)
}
