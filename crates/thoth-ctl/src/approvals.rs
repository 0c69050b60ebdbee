//! `thothctl approvals`: calls that wait for a person, and the person's answers.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_api::contract::approval::{Answer, Approval, Query, Resolve, State};
use thoth_shell::arguments::{self, Extent, Line};
use thoth_shell::cells::{cell, wrapped};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{agrees, fields, line, note};

use crate::connection::Server;
use crate::table::{self, shown, time};

/// How many held calls are asked for at once, and how often.
const PAGE: u32 = 200;
const PAGES: u32 = 50;
/// How many digits of a token tell enough to look for it.
const FEWEST_DIGITS: usize = 4;
/// How wide arguments are shown.
const WIDTH: usize = 96;

/// `thothctl approvals`
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// Lists held calls
    List(ListArgs),
    /// Shows a held call with its arguments
    Show {
        /// The hold: its token, or at least its first 4 digits
        id: String,
    },
    /// Lets one held call through: the very call that is shown
    Approve(AnswerArgs),
    /// Refuses held calls
    Deny(AnswerArgs),
}

/// `thothctl approvals list`
#[derive(Debug, PartialEq, Eq, Args)]
pub(crate) struct ListArgs {
    /// Only those that stand so: pending, approved, denied, expired, spent; or `all`
    #[arg(long, value_name = "STATE", default_value = "pending", value_parser = status)]
    status: Wanted,
}

impl From<ListArgs> for ApprovalsCommand {
    fn from(list: ListArgs) -> Self {
        Self::List(list)
    }
}

/// An answer.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The holds: their tokens, or at least their first 4 digits
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Why, for the records
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask before approving
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Which are listed; none is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted(Option<State>);

fn status(text: &str) -> Result<Wanted, &'static str> {
    match State::parse(text) {
        None if text == "all" => Ok(Wanted(None)),
        None => Err("it is none of pending, approved, denied, expired, spent, all"),
        state => Ok(Wanted(state)),
    }
}

pub(crate) fn run(server: &Server, command: ApprovalsCommand) -> Outcome {
    match command {
        ApprovalsCommand::List(arguments) => list(server, arguments.status.0),
        ApprovalsCommand::Show { id } => {
            let held = find(server, &id)?;
            // A list leaves out long arguments and who has answered.
            let held = server.ask(async |administration| administration.approval(&held.id).await)?;
            if server.json {
                return Server::print(&held);
            }
            show(&held)?;
            Ok(ExitCode::SUCCESS)
        }
        ApprovalsCommand::Approve(arguments) => answer(server, Answer::Approve, &arguments),
        ApprovalsCommand::Deny(arguments) => answer(server, Answer::Deny, &arguments),
    }
}

/// All held calls that stand so, as far as pages go.
fn all(server: &Server, status: Option<State>) -> Result<Vec<Approval>, Failure> {
    let mut held: Vec<Approval> = Vec::new();
    for page in 1..=PAGES {
        let query = Query { status, page: Some(page), per_page: Some(PAGE) };
        let list = server.ask(async |administration| administration.approvals(&query).await)?;
        let is_last = list.data.is_empty();
        held.extend(list.data);
        let total = list.total.and_then(|total| usize::try_from(total).ok());
        if is_last || total.is_none_or(|total| held.len() >= total) {
            break;
        }
    }
    Ok(held)
}

fn list(server: &Server, status: Option<State>) -> Outcome {
    let held = all(server, status)?;
    if server.json {
        return Server::print(&thoth_api::contract::list::List::complete(held));
    }
    if held.is_empty() {
        line(status.map_or_else(|| "no calls are held".to_owned(), |status| format!("no calls are {status}")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let risk = |held: &Approval| held.risk_score.map_or_else(|| "-".to_owned(), |score| format!("{score:.0}"));
    let rows = held.iter().map(|held| {
        [
            shown(Some(held.id.strip_prefix("hold_").and_then(|digits| digits.get(..8)).unwrap_or(&held.id))),
            held.status.to_string(),
            shown(held.agent_id.as_deref()),
            shown(held.user_id.as_deref()),
            shown(Some(&held.tool_name)),
            risk(held),
            shown(held.decision_reason_code.as_deref()),
            time(held.expires_at.as_deref()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["ID", "STATUS", "AGENT", "USER", "TOOL", "RISK", "WHY", "EXPIRES"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// The one held call whose token begins so.
fn find(server: &Server, id: &str) -> Result<Approval, Failure> {
    let digits = id.strip_prefix("hold_").unwrap_or(id);
    if digits.len() < FEWEST_DIGITS {
        return Err(Failure::usage(format!("`{}` is too short for a hold", shown(Some(id))))
            .hint("say at least the first 4 digits of its token"));
    }
    let mut matching = all(server, None)?;
    matching.retain(|held| held.id.strip_prefix("hold_").unwrap_or(&held.id).starts_with(digits));
    match (matching.pop(), matching.len()) {
        (Some(held), 0) => Ok(held),
        (None, _) => Err(Failure::failed(format!("there is no hold `{}`", shown(Some(id))))
            .hint("`thothctl approvals list --status all` lists them")),
        (Some(_), _) => {
            Err(Failure::failed(format!("several holds begin with `{}`", shown(Some(id)))).hint("say more digits"))
        }
    }
}

/// The held call with its arguments, which a list may have left out.
fn whole(server: &Server, held: Approval) -> Result<Approval, Failure> {
    if held.tool_args.is_some() || held.tool_args_bytes.is_none() {
        return Ok(held);
    }
    server.ask(async |administration| administration.approval(&held.id).await)
}

fn show(held: &Approval) -> Result<(), Failure> {
    let people = match (held.approvals_given, held.approvals_required) {
        (given, Some(required)) => format!("{} of {required}", given.unwrap_or_default()),
        _ => "-".to_owned(),
    };
    fields(&[
        ("hold", shown(Some(&held.id))),
        ("status", held.status.to_string()),
        ("tool", shown(Some(&held.tool_name))),
        ("agent", shown(held.agent_id.as_deref())),
        ("session", shown(held.session_id.as_deref())),
        ("user", shown(held.user_id.as_deref())),
        ("why", wrapped(held.reason.as_deref().unwrap_or("-"), WIDTH).join("\n      ")),
        ("code", shown(held.decision_reason_code.as_deref())),
        ("rule", shown(held.matched_rule_ids.first().map(String::as_str))),
        ("risk", held.risk_score.map_or_else(|| "-".to_owned(), |score| format!("{score:.0}"))),
        ("approvals", people),
        ("held", time(held.created_at.as_deref())),
        ("expires", time(held.expires_at.as_deref())),
        ("answered by", shown(held.resolved_by.as_deref())),
    ])?;
    for vote in &held.votes {
        let said = match vote.answer {
            Answer::Approve => "approved",
            Answer::Deny => "denied",
        };
        let (by, at, channel) = (shown(Some(&vote.by)), time(Some(&vote.at)), shown(Some(&vote.channel)));
        let reason = vote.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", cell(reason, WIDTH)));
        line(format_args!("  {at}  {said} by {by} ({channel}){reason}"))?;
    }
    line("arguments")?;
    let Some(arguments) = &held.tool_args else { return line("  (the server does not show them)") };
    let shown = arguments::shown(arguments.text().as_bytes(), WIDTH, Extent::Everything);
    shown.lines.iter().try_for_each(|shown| match shown {
        Line::Text(text) => line(format_args!("  {text}")),
        Line::Note(text) => line(format_args!("  ({text})")),
    })
}

/// Answers one hold after the other; all must be there before the first is answered.
fn answer(server: &Server, decision: Answer, arguments: &AnswerArgs) -> Outcome {
    let mut holds: Vec<Approval> = Vec::new();
    for id in &arguments.ids {
        let held = find(server, id)?;
        if holds.iter().all(|known| known.id != held.id) {
            holds.push(held);
        }
    }
    let resolve = Resolve { decision, reason: arguments.reason.clone() };
    for held in holds {
        if decision == Answer::Approve && !arguments.yes {
            confirmed(server, &held)?;
        }
        let now = server.answer(async |administration| administration.resolve(&held.id, &resolve).await)?;
        let status = now.as_ref().map_or("answered", |now| now.status.as_str());
        if server.json {
            let id = &held.id;
            Server::print(&now.as_ref().map_or_else(|| serde_json::json!({ "id": id }), |now| serde_json::json!(now)))?;
        } else {
            line(format_args!("{}: {status}", shown(Some(&held.id))))?;
        }
        if now.is_some_and(|now| decision == Answer::Approve && now.status == State::Pending) {
            note("somebody else must approve it, too");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the call and asks.
fn confirmed(server: &Server, held: &Approval) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::usage("nobody is there to be asked").hint("say --yes to approve without being asked"));
    }
    show(&whole(server, held.clone())?)?;
    if agrees("Let this call through?")? {
        return Ok(());
    }
    Err(Failure::failed(format!("{} was not approved; it still waits", shown(Some(&held.id)))))
}
