//! `thothctl inventory`: the tools that agents have, and what they do with them.

use std::process::ExitCode;

use clap::Args;
use thoth_api::contract::inventory::{Report, ReportQuery};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::line;

use crate::connection::Server;
use crate::table::{self, shown, time};

/// `thothctl inventory`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl inventory --window-hours 24
  thothctl inventory --agent-id bot --json

A tool that its agent did not list has no fingerprint here; its calls are the unapproved ones.")]
pub(crate) struct InventoryArgs {
    /// Only of this agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// How many hours back calls are counted
    #[arg(long, value_name = "HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=2160))]
    window_hours: u32,
}

pub(crate) fn run(server: &Server, arguments: &InventoryArgs) -> Outcome {
    let mut report = whole(server, arguments.window_hours)?;
    if let Some(agent) = &arguments.agent_id {
        report.agents.retain(|known| known.agent_id == *agent);
    }
    if server.json {
        return Server::print(&report);
    }
    let tools = report.agents.iter().flat_map(|agent| agent.tools.iter().map(move |tool| (agent, tool)));
    let rows: Vec<_> = tools
        .map(|(agent, tool)| {
            let digits = tool.fingerprint.as_deref().and_then(|digest| digest.get(..19));
            [
                shown(Some(&agent.agent_id)),
                shown(Some(&tool.name)),
                if tool.listed { shown(digits) } else { "not listed".to_owned() },
                tool.changed_at.as_deref().map_or_else(|| "-".to_owned(), |at| time(Some(at))),
                time(tool.last_seen.as_deref()),
                tool.calls.to_string(),
                tool.refused_calls.to_string(),
            ]
        })
        .collect();
    if rows.is_empty() {
        line("no agent listed or called any tool")?;
        return Ok(ExitCode::SUCCESS);
    }
    table::print(["AGENT", "TOOL", "FINGERPRINT", "CHANGED", "LISTED", "CALLS", "REFUSED"], &rows)?;
    line(format_args!(
        "{} calls since {}, {} of tools that were not listed; {} tools became others",
        report.calls,
        time(Some(&report.since)),
        report.unapproved_calls,
        report.changed_tools
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// All pages of a report as one. What was counted is what the first one says.
fn whole(server: &Server, window_hours: u32) -> Result<Report, Failure> {
    let mut query = ReportQuery { window_hours: Some(window_hours), ..ReportQuery::default() };
    let mut whole: Option<Report> = None;
    loop {
        let page = server.ask(async |administration| administration.inventory(&query).await)?;
        let next = page.next_cursor.clone();
        let report = match &mut whole {
            None => whole.insert(page),
            Some(report) => {
                for agent in page.agents {
                    match report.agents.last_mut().filter(|last| last.agent_id == agent.agent_id) {
                        Some(last) => last.tools.extend(agent.tools),
                        None => report.agents.push(agent),
                    }
                }
                report
            }
        };
        report.next_cursor = None;
        // A server that begins again would never come to an end.
        if next.is_none() || next == query.cursor {
            return whole.ok_or_else(|| Failure::failed("the server has no report"));
        }
        query.cursor = next;
    }
}
