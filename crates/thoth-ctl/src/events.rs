//! `thothctl events`: what clients told of what they did.

use std::collections::{HashSet, VecDeque};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use thoth_api::contract::event::{Event, Query};
use thoth_api::contract::list::List;
use thoth_shell::cells::cell;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::line;

use crate::connection::Server;
use crate::table::{self, shown, time};

/// How many events are looked back for those that are shown already.
const REMEMBERED: usize = 10_000;
/// How many pages one look of `--follow` reads at most.
const PAGES: usize = 20;

/// `thothctl events`
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Lists events, newest first; with --follow oldest first, and then those that come
    List(ListArgs),
}

impl From<ListArgs> for EventsCommand {
    fn from(list: ListArgs) -> Self {
        Self::List(list)
    }
}

/// `thothctl events list`
#[derive(Debug, PartialEq, Eq, Args)]
pub(crate) struct ListArgs {
    /// Only of this agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// Only of this session
    #[arg(long, value_name = "ID")]
    session_id: Option<String>,
    /// Only of this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only of this type, as in `TOOL_CALL_BLOCK`
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the last list ended
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    cursor: Option<String>,
    /// Wait for more, until interrupted; with --json, one event on a line
    #[arg(long, short)]
    follow: bool,
    /// How often --follow asks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval_seconds: u64,
}

pub(crate) fn run(server: &Server, EventsCommand::List(arguments): EventsCommand) -> Outcome {
    let query = Query {
        agent_id: arguments.agent_id,
        session_id: arguments.session_id,
        tool_name: arguments.tool,
        event_type: arguments.event_type,
        cursor: arguments.cursor,
        order: None,
        limit: Some(arguments.limit),
    };
    if arguments.follow {
        return follow(server, query, Duration::from_secs(arguments.interval_seconds));
    }
    let list = server.ask(async |administration| administration.events(&query).await)?;
    if server.json {
        return Server::print(&list);
    }
    if list.data.is_empty() {
        line("there are no such events")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<_> = list.data.iter().map(cells).collect();
    table::print(["TIME", "TYPE", "AGENT", "SESSION", "TOOL"], &rows)?;
    if let Some(cursor) = &list.next_cursor {
        thoth_shell::terminal::note(format_args!("there may be older ones: --cursor {}", cell(cursor, 80)));
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(event: &Event) -> [String; 5] {
    [
        time(event.occurred_at.as_deref()),
        shown(Some(&event.event_type)),
        shown(event.agent_id.as_deref()),
        shown(Some(&event.session_id)),
        shown(event.tool_name.as_deref()),
    ]
}

/// Shows each event once, oldest first, until interrupted. What is new is told by the events' ids, so that no order of
/// the server's and no cursor has to be trusted.
fn follow(server: &Server, mut query: Query, interval: Duration) -> Outcome {
    let (mut known, mut order) = (HashSet::new(), VecDeque::new());
    let mut pages = 1;
    loop {
        for event in news(server, &query, &known, pages)?.into_iter().rev() {
            print(server, &event)?;
            let id = event.id_within(&event.tenant_id);
            known.insert(id.clone());
            order.push_back(id);
        }
        while order.len() > REMEMBERED {
            order.pop_front().map(|oldest| known.remove(&oldest));
        }
        // The first look shows as many as asked for; later ones whatever came.
        (pages, query.limit) = (PAGES, Some(200));
        server.pause(interval);
    }
}

/// The events that are not known yet, newest first.
fn news(server: &Server, query: &Query, known: &HashSet<String>, pages: usize) -> Result<Vec<Event>, Failure> {
    let (mut found, mut query): (Vec<Event>, Query) = (Vec::new(), query.clone());
    for _ in 0..pages {
        let List { data, next_cursor, .. } = server.ask(async |administration| administration.events(&query).await)?;
        let before = found.len() + data.len();
        found.extend(data.into_iter().take_while(|event| !known.contains(&event.id_within(&event.tenant_id))));
        if found.len() < before || next_cursor.is_none() {
            break;
        }
        query.cursor = next_cursor;
    }
    Ok(found)
}

fn print(server: &Server, event: &Event) -> Result<(), Failure> {
    if server.json {
        return Server::print(event).map(drop);
    }
    let [time, kind, agent, session, tool] = cells(event);
    line(format_args!("{time}  {kind:<16}  {tool:<24}  {agent:<20}  {session}"))
}
