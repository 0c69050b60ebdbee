//! `thothctl sessions` and `thothctl agents`: of whom calls were decided, as the server's ledger says.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_api::contract::endpoint::Presence;
use thoth_api::contract::session::{Agent, AgentQuery, Counts, Named, Query, Session};
use thoth_shell::cells::cell;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{fields, line, note};

use crate::connection::Server;
use crate::endpoints::state;
use crate::table::{self, instant, shown, time};

/// Up to where a server counts names.
const MOST_COUNTED: u64 = 1_000;

/// `thothctl sessions`
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// Lists sessions, those that began last first
    List(ListArgs),
    /// Shows one session
    Show {
        /// The session
        id: String,
    },
}

impl From<ListArgs> for SessionsCommand {
    fn from(list: ListArgs) -> Self {
        Self::List(list)
    }
}

/// `thothctl sessions list`
#[derive(Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  thothctl sessions list --agent-id bot --since 2026-01-31T00:00:00Z
  thothctl sessions list --user-id ann@example.com --json")]
pub(crate) struct ListArgs {
    /// Only of this agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// Only of this person
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Only those with a call since this instant, as in `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<String>,
    /// Only those that began until this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Go on where the last list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

/// `thothctl agents`
#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// Lists agents by name
    List(Box<AgentListArgs>),
    /// Shows one agent, and the policy that holds for it
    Show {
        /// The agent
        id: String,
    },
}

/// `thothctl agents list`
#[derive(Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  thothctl agents list --fleet-id berlin --status stale
  thothctl agents list --since 2026-01-31T00:00:00Z --json")]
pub(crate) struct AgentListArgs {
    /// Only those on a machine of this environment
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Only those on a machine of this fleet
    #[arg(long, value_name = "ID")]
    fleet_id: Option<String>,
    /// Only those on this machine
    #[arg(long, value_name = "ID")]
    endpoint_id: Option<String>,
    /// Only those on a machine that stands so: online, offline, stale, quarantined
    #[arg(long, value_name = "STATE", value_parser = state)]
    status: Option<Presence>,
    /// Only those with a call since this instant, as in `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<String>,
    /// Only those that began until this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the last list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl From<AgentListArgs> for AgentsCommand {
    fn from(list: AgentListArgs) -> Self {
        Self::List(Box::new(list))
    }
}

pub(crate) fn run(server: &Server, command: SessionsCommand) -> Outcome {
    match command {
        SessionsCommand::List(arguments) => list(server, arguments),
        SessionsCommand::Show { id } => {
            let session = server.ask(async |administration| administration.session(&id).await)?;
            if server.json {
                return Server::print(&session);
            }
            show(&session)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(server: &Server, arguments: ListArgs) -> Outcome {
    let query = Query {
        agent_id: arguments.agent_id,
        user_id: arguments.user_id,
        since: arguments.since,
        until: arguments.until,
        cursor: arguments.cursor,
        limit: Some(arguments.limit),
    };
    let list = server.ask(async |administration| administration.sessions(&query).await)?;
    if server.json {
        return Server::print(&list);
    }
    if list.data.is_empty() {
        line("there are no such sessions")?;
    } else {
        let rows = list.data.iter().map(|session| {
            [
                shown(Some(&session.session_id)),
                names(&session.agents, session.agent_count, 40),
                names(&session.users, session.user_count, 40),
                time(Some(&session.first_seen)),
                time(Some(&session.last_seen)),
                session.decisions.total.to_string(),
                session.decisions.block.to_string(),
                session.decisions.step_up.to_string(),
            ]
        });
        let heading = ["SESSION", "AGENT", "USER", "FIRST CALL", "LAST CALL", "CALLS", "BLOCKED", "HELD"];
        table::print(heading, &rows.collect::<Vec<_>>())?;
    }
    if let Some(cursor) = &list.next_cursor {
        note(format_args!("there may be more: --cursor {}", shown(Some(cursor))));
    }
    Ok(ExitCode::SUCCESS)
}

fn names(names: &[Named], count: u64, widest: usize) -> String {
    let shown: Vec<String> = names.iter().map(|named| named.name.clone()).collect();
    some_of(&shown, count, widest)
}

/// Some names, and how many there are if there are more. A server counts up to 1000.
fn some_of(shown: &[String], count: u64, widest: usize) -> String {
    let joined = if shown.is_empty() { "-".to_owned() } else { cell(&shown.join(", "), widest) };
    let is_all = u64::try_from(shown.len()).is_ok_and(|shown| shown >= count);
    match count {
        _ if is_all => joined,
        MOST_COUNTED.. => format!("{joined} (of {MOST_COUNTED} or more)"),
        _ => format!("{joined} (of {count})"),
    }
}

fn counted(counts: &Counts) -> String {
    let Counts { total, allow, modify, step_up, defer, block } = counts;
    format!("{total} ({allow} allowed, {modify} modified, {step_up} held, {defer} put off, {block} blocked)")
}

fn show(session: &Session) -> Result<(), Failure> {
    let tools: Vec<String> = session.tools.iter().map(|tool| format!("{} ({})", tool.name, tool.calls)).collect();
    fields(&[
        ("session", cell(&session.session_id, 200)),
        ("agents", names(&session.agents, session.agent_count, 400)),
        ("users", names(&session.users, session.user_count, 400)),
        ("first call", time(Some(&session.first_seen))),
        ("last call", time(Some(&session.last_seen))),
        ("calls", counted(&session.decisions)),
        ("tools", some_of(&tools, session.tool_count, 2000)),
        ("index", session.first_index.to_string()),
    ])
}

pub(crate) fn run_agents(server: &Server, command: AgentsCommand) -> Outcome {
    match command {
        AgentsCommand::List(arguments) => {
            let AgentListArgs { env, fleet_id, endpoint_id, status, since, until, limit, cursor } = *arguments;
            let query = AgentQuery { env, fleet_id, endpoint_id, status, since, until, cursor, limit: Some(limit) };
            let everybody = AgentQuery { cursor: query.cursor.clone(), limit: query.limit, ..AgentQuery::default() };
            let list = server.ask(async |administration| administration.agents(&query).await)?;
            if server.json {
                return Server::print(&list);
            }
            if list.data.is_empty() {
                let nobody = "no call of any agent was decided yet";
                line(if query == everybody { nobody } else { "there are no such agents" })?;
            }
            let rows = list.data.iter().map(|agent| {
                [
                    shown(Some(&agent.agent_id)),
                    time(Some(&agent.first_seen)),
                    time(Some(&agent.last_seen)),
                    agent.decisions.total.to_string(),
                    agent.decisions.block.to_string(),
                    agent.decisions.step_up.to_string(),
                ]
            });
            let heading = ["AGENT", "FIRST CALL", "LAST CALL", "CALLS", "BLOCKED", "HELD"];
            let rows: Vec<_> = rows.collect();
            if !rows.is_empty() {
                table::print(heading, &rows)?;
            }
            if let Some(cursor) = &list.next_cursor {
                note(format_args!("there may be more: --cursor {}", shown(Some(cursor))));
            }
            Ok(ExitCode::SUCCESS)
        }
        AgentsCommand::Show { id } => {
            let agent = server.ask(async |administration| administration.agent(&id).await)?;
            if server.json {
                return Server::print(&agent);
            }
            show_agent(&agent)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show_agent(agent: &Agent) -> Result<(), Failure> {
    let bundles: Vec<String> =
        agent.bundles.iter().map(|bundle| format!("{}@{}", bundle.name, bundle.version)).collect();
    fields(&[
        ("agent", cell(&agent.agent_id, 200)),
        ("first call", time(Some(&agent.first_seen))),
        ("last call", time(Some(&agent.last_seen))),
        ("calls", counted(&agent.decisions)),
        ("policy", agent.policy_digest.as_deref().map_or_else(|| "-".to_owned(), |digest| cell(digest, 80))),
        ("bundles", if bundles.is_empty() { "-".to_owned() } else { cell(&bundles.join(", "), 2000) }),
    ])
}
