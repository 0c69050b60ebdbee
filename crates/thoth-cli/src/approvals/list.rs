//! `thoth approvals list`: what waits for an answer.

use std::process::ExitCode;

use clap::Args;
use clap::builder::styling::Style;
use jiff::Timestamp;
use serde::Serialize;
use thoth_store::{Hold, HoldState};

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, json_line, line, styled};

use super::json::HoldJson;
use super::page::risk_style;
use super::store::Store;
use super::times::between;
use super::width;
use thoth_shell::arguments::{is_odd, one_line};
use thoth_shell::cells::{cell, columns, oddities};

/// The widest cell of a name.
const WIDEST: usize = 24;

/// How wide the arguments are where nothing limits the line.
const ARGUMENTS: usize = 160;

/// Columns that the arguments have at least.
const FEWEST: usize = 16;

/// `thoth approvals list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth approvals list
  thoth approvals list --json | jq -r '.holds[].id'")]
pub(crate) struct ListArgs {
    /// Also those that are answered or over
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Listing<'h> {
    schema_version: u32,
    holds: Vec<HoldJson<'h>>,
}

pub(crate) fn run(arguments: &ListArgs) -> Outcome {
    let store = Store::locate()?;
    let now = Timestamp::now();
    let holds = waiting_first(store.list()?, now, arguments.all);
    if arguments.json {
        let listing = Listing { schema_version: 1, holds: holds.iter().map(|hold| HoldJson::new(hold, now)).collect() };
        json_line(&serde_json::to_string(&listing).map_err(Failure::failed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if holds.is_empty() {
        line(if arguments.all { "no calls are held" } else { "no calls wait for approval" })?;
        return Ok(ExitCode::SUCCESS);
    }
    table(&holds, now, arguments.all, width()).into_iter().try_for_each(line)?;
    Ok(ExitCode::SUCCESS)
}

/// The holds that wait, longest first; then the others, newest first.
pub(crate) fn waiting_first(holds: Vec<Hold>, now: Timestamp, all: bool) -> Vec<Hold> {
    let (mut waiting, others): (Vec<_>, Vec<_>) =
        holds.into_iter().partition(|hold| hold.state_at(now) == HoldState::Pending);
    waiting.sort_by_key(|hold| hold.created_at);
    waiting.extend(others.into_iter().filter(|_| all));
    waiting
}

fn table(holds: &[Hold], now: Timestamp, all: bool, width: Option<usize>) -> Vec<String> {
    let mut rows = vec![heading(all).map(str::to_owned)];
    rows.extend(holds.iter().map(|hold| cells(hold, now, all)));
    let mut widths = [0; CELLS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let used: usize = widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum();
    let room = width.map_or(ARGUMENTS, |width| width.saturating_sub(used).max(FEWEST));
    let written = |row: &[String; CELLS], styles: &[Style; CELLS]| {
        let mut text = String::new();
        for ((cell, width), style) in row.iter().zip(widths).zip(styles).filter(|((_, width), _)| *width > 0) {
            // Padded outside of the colour, so that the columns stay aligned.
            text.push_str(&styled(*style, cell));
            text.push_str(&" ".repeat(width - columns(cell) + 2));
        }
        text
    };
    let mut lines = Vec::new();
    let mut odd = false;
    for (index, row) in rows.iter().enumerate() {
        let Some(hold) = index.checked_sub(1).and_then(|index| holds.get(index)) else {
            lines.push(format!("{}{}", written(row, &[DIM; CELLS]), styled(DIM, "ARGUMENTS")));
            continue;
        };
        odd |= is_strange(hold);
        lines.push(format!("{}{}", written(row, &styles(hold, now)), one_line(&hold.arguments, room)));
    }
    if odd {
        let what = "! has characters that cannot be seen or look like others; `thoth approvals show ID` says which";
        lines.push(styled(CARE, what));
    }
    lines
}

const CELLS: usize = 9;

fn heading(all: bool) -> [&'static str; CELLS] {
    let state = if all { "STATE" } else { "" };
    ["", "ID", state, "AGE", "ENDS IN", "AGENT", "SERVER", "TOOL", "RISK"]
}

fn cells(hold: &Hold, now: Timestamp, all: bool) -> [String; CELLS] {
    let state = hold.state_at(now);
    let ends = if hold.stands_at(now) { between(now, hold.ends_at) } else { "-".to_owned() };
    [
        if is_strange(hold) { "!" } else { "" }.to_owned(),
        hold.token.short().to_owned(),
        if all { state.as_str() } else { "" }.to_owned(),
        between(hold.created_at, now),
        ends,
        hold.caller.agent.as_ref().map_or_else(|| "-".to_owned(), |agent| cell(agent.as_str(), WIDEST)),
        cell(hold.caller.server.as_str(), WIDEST),
        cell(&hold.tool, WIDEST),
        hold.why.risk.to_string(),
    ]
}

fn styles(hold: &Hold, now: Timestamp) -> [Style; CELLS] {
    let plain = Style::new();
    let state = match hold.state_at(now) {
        HoldState::Pending => CARE,
        HoldState::Approved => GOOD,
        HoldState::Denied => BAD,
        HoldState::Expired | HoldState::Spent => DIM,
    };
    [CARE, state, state, plain, plain, plain, plain, plain, risk_style(hold.why.risk)]
}

/// Whether anything in it looks like something that it is not.
pub(crate) fn is_strange(hold: &Hold) -> bool {
    let agent = hold.caller.agent.as_ref().map(|agent| agent.as_str()).unwrap_or_default();
    [&*hold.tool, hold.caller.server.as_str(), agent].into_iter().any(|text| oddities(text).next().is_some())
        || is_odd(&hold.arguments)
}
