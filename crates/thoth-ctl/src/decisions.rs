//! `thothctl decisions` and `thothctl violations`: what was decided, as the server's ledger says.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use thoth_api::contract::decision::{Decision, Outcome as DecisionOutcome, Query, Violation};
use thoth_api::contract::event::Order;
use thoth_api::contract::list::List;
use thoth_api::contract::verdict::known_decision;
use thoth_shell::cells::cell;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{fields, harmless_text, line, note};

use crate::connection::Server;
use crate::table::{self, instant, shown, time};

/// How many pages are asked for at most to fill one list: a page of something rare may be empty.
const PAGES: usize = 50;

/// `thothctl decisions`
#[derive(Debug, Subcommand)]
pub(crate) enum DecisionsCommand {
    /// Lists decisions, newest first; with --follow oldest first, and then those that come
    List(Box<ListArgs>),
}

/// `thothctl violations`
#[derive(Debug, Subcommand)]
pub(crate) enum ViolationsCommand {
    /// Lists decisions that refused or held a call, newest first
    List(Box<ListArgs>),
    /// Shows one, with its record in the ledger
    Show {
        /// Its id, `vio_…`
        id: String,
    },
}

impl From<ListArgs> for DecisionsCommand {
    fn from(list: ListArgs) -> Self {
        Self::List(Box::new(list))
    }
}

impl From<ListArgs> for ViolationsCommand {
    fn from(list: ListArgs) -> Self {
        Self::List(Box::new(list))
    }
}

/// `thothctl decisions list` and `thothctl violations list`
#[derive(Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  thothctl decisions list --agent-id bot --decision BLOCK
  thothctl decisions list --since 2026-01-31T00:00:00Z --json
  thothctl violations list --follow")]
pub(crate) struct ListArgs {
    /// Only of this agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// Only of this session
    #[arg(long, value_name = "ID")]
    session_id: Option<String>,
    /// Only of this person
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Only about this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only those answered so: ALLOW, BLOCK, STEP_UP, MODIFY, DEFER
    #[arg(long, value_name = "DECISION", value_parser = decided)]
    decision: Option<String>,
    /// Only those whose call came to this: allowed, needs_approval, blocked, deferred
    #[arg(long, value_name = "OUTCOME", value_parser = came_to)]
    outcome: Option<DecisionOutcome>,
    /// Only those for this reason
    #[arg(long, value_name = "CODE")]
    reason_code: Option<String>,
    /// Only those by this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only those that whoever asked calls so
    #[arg(long, value_name = "ID")]
    enforcement_trace_id: Option<String>,
    /// Not before this instant, as in `2026-01-31T12:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<String>,
    /// Not after this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the last list ended
    #[arg(long, value_name = "CURSOR", conflicts_with = "follow")]
    cursor: Option<String>,
    /// Wait for more, until interrupted; with --json, one decision on a line
    #[arg(long, short)]
    follow: bool,
    /// How often --follow asks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval_seconds: u64,
}

/// Here and not only at the server: a word that is none is a wrong command line, and asks nobody.
fn decided(word: &str) -> Result<String, &'static str> {
    let decision = known_decision(word).ok_or("it is none of ALLOW, BLOCK, STEP_UP, MODIFY, DEFER")?;
    Ok(decision.as_str().to_owned())
}

fn came_to(word: &str) -> Result<DecisionOutcome, &'static str> {
    DecisionOutcome::parse(word).ok_or("it is none of allowed, needs_approval, blocked, deferred")
}

pub(crate) fn run(server: &Server, DecisionsCommand::List(arguments): DecisionsCommand) -> Outcome {
    list(server, *arguments, false)
}

pub(crate) fn run_violations(server: &Server, command: ViolationsCommand) -> Outcome {
    match command {
        ViolationsCommand::List(arguments) => list(server, *arguments, true),
        ViolationsCommand::Show { id } => {
            let violation = server.ask(async |administration| administration.violation(&id).await)?;
            if server.json {
                return Server::print(&violation);
            }
            show(&violation)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn page(server: &Server, query: &Query, violations: bool) -> Result<List<Decision>, Failure> {
    server.ask(
        async |administration| {
            if violations { administration.violations(query).await } else { administration.decisions(query).await }
        },
    )
}

fn list(server: &Server, arguments: ListArgs, violations: bool) -> Outcome {
    let mut query = Query {
        agent_id: arguments.agent_id,
        session_id: arguments.session_id,
        user_id: arguments.user_id,
        tool_name: arguments.tool,
        decision: arguments.decision,
        outcome: arguments.outcome,
        reason_code: arguments.reason_code,
        rule: arguments.rule,
        enforcement_trace_id: arguments.enforcement_trace_id,
        since: arguments.since,
        until: arguments.until,
        cursor: arguments.cursor,
        order: None,
        limit: Some(arguments.limit),
    };
    let mut list = page(server, &query, violations)?;
    let most = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    for _ in 0..PAGES {
        if list.data.len() >= most || list.next_cursor.is_none() {
            break;
        }
        query.cursor.clone_from(&list.next_cursor);
        query.limit = u32::try_from(most - list.data.len()).ok();
        let more = page(server, &query, violations)?;
        list.data.extend(more.data);
        list.next_cursor = more.next_cursor;
    }
    if arguments.follow {
        return follow(server, query, &list.data, violations, Duration::from_secs(arguments.interval_seconds));
    }
    if server.json {
        return Server::print(&list);
    }
    if list.data.is_empty() {
        line(if violations { "there are no such violations" } else { "there are no such decisions" })?;
    } else {
        let rows: Vec<_> = list.data.iter().map(cells).collect();
        table::print(["TIME", "DECISION", "AGENT", "SESSION", "TOOL", "REASON", "RULE", "VIOLATION"], &rows)?;
    }
    if let Some(cursor) = &list.next_cursor {
        note(format_args!("there may be older ones: --cursor {}", cell(cursor, 80)));
    }
    Ok(ExitCode::SUCCESS)
}

fn cells(decision: &Decision) -> [String; 8] {
    [
        time(Some(&decision.occurred_at)),
        decision.decision.map_or("-", |word| word.as_str()).to_owned(),
        shown(decision.agent_id.as_deref()),
        shown(Some(&decision.session_id)),
        shown(Some(&decision.tool_name)),
        shown(Some(&decision.decision_reason_code)),
        shown(decision.rule.as_deref()),
        shown(decision.violation_id.as_deref()),
    ]
}

/// Shows the last ones, and each that comes once: a place in the ledger is never used again.
fn follow(server: &Server, mut query: Query, latest: &[Decision], violations: bool, interval: Duration) -> Outcome {
    let mut beyond = latest.first().map(|decision| decision.index);
    for decision in latest.iter().rev() {
        print(server, decision)?;
    }
    (query.order, query.limit) = (Some(Order::Oldest), Some(1000));
    query.cursor = beyond.map(|index| index.to_string());
    loop {
        let list = page(server, &query, violations)?;
        for decision in list.data.iter().filter(|decision| beyond.is_none_or(|beyond| decision.index > beyond)) {
            print(server, decision)?;
        }
        beyond = list.data.last().map(|decision| decision.index).max(beyond);
        let is_more = list.next_cursor.is_some();
        query.cursor = list.next_cursor.or(query.cursor);
        if !is_more || list.data.len() < 1000 {
            server.pause(interval);
        }
    }
}

fn print(server: &Server, decision: &Decision) -> Result<(), Failure> {
    if server.json {
        return Server::print(decision).map(drop);
    }
    let [time, word, agent, session, tool, reason, rule, _] = cells(decision);
    line(format_args!("{time}  {word:<8}  {tool:<24}  {reason:<20}  {rule:<16}  {agent:<20}  {session}"))
}

fn show(found: &Violation) -> Result<(), Failure> {
    let violation = &found.violation;
    fields(&[
        ("violation", shown(violation.violation_id.as_deref())),
        ("when", time(Some(&violation.occurred_at))),
        ("decision", violation.decision.map_or("-", |word| word.as_str()).to_owned()),
        ("agent", shown(violation.agent_id.as_deref())),
        ("user", shown(violation.user_id.as_deref())),
        ("session", shown(Some(&violation.session_id))),
        ("trace", shown(violation.enforcement_trace_id.as_deref())),
        ("machine", shown(violation.endpoint_id.as_deref())),
        ("tool", shown(Some(&violation.tool_name))),
        ("reason", shown(Some(&violation.decision_reason_code))),
        ("because", violation.reason.as_deref().map_or_else(|| "-".to_owned(), |text| cell(text, 400))),
        ("rule", shown(violation.rule.as_deref())),
        ("risk", violation.risk_score.to_string()),
        ("mode", shown(violation.enforcement_mode.as_deref())),
        ("policy", violation.policy_digest.as_deref().map_or_else(|| "-".to_owned(), |text| cell(text, 80))),
        ("index", violation.index.to_string()),
        ("leaf hash", cell(&found.leaf_hash, 80)),
    ])?;
    let event = serde_json::to_string_pretty(&found.event).map_err(Failure::failed)?;
    event.lines().try_for_each(|text| line(harmless_text(text)))
}
