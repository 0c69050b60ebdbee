//! `thothctl settings`: what holds for a whole organisation beside its policies.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_api::contract::settings::{Answer, Change, Settings};
use thoth_api::contract::verdict;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{fields, line};
use thoth_types::Mode;

use crate::connection::Server;
use crate::table::{shown, time};

/// `thothctl settings`
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Shows what is set, and what holds
    Get,
    /// Sets what is named, and leaves the rest as it is
    Set(SetArgs),
}

/// `thothctl settings set`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl settings set --enforcement-mode block --event-retention-days 30
  thothctl settings set --unset enforce-per-minute

An organisation can only be stricter than its server. Who set what is in the ledger.")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    pub(crate) wanted: WantedArgs,
    /// As the server has it again; repeat for several
    #[arg(long, value_name = "NAME", value_parser = ["enforcement-mode", "enforce-per-minute", "events-per-minute",
        "polls-per-minute", "checkins-per-minute", "event-retention-days"])]
    unset: Vec<String>,
}

/// What there is to set.
#[derive(Debug, Args)]
pub(crate) struct WantedArgs {
    /// What is done about violations at least: observe, `step_up`, progressive, block
    #[arg(long, value_name = "MODE", value_parser = mode)]
    enforcement_mode: Option<Mode>,
    /// How many calls are decided in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    enforce_per_minute: Option<u32>,
    /// How many batches of events are taken in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    events_per_minute: Option<u32>,
    /// How many questions about held calls are answered in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    polls_per_minute: Option<u32>,
    /// How many machines register or check in in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    checkins_per_minute: Option<u32>,
    /// For how many days events that clients tell are kept
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=90))]
    event_retention_days: Option<u32>,
}

fn mode(text: &str) -> Result<Mode, &'static str> {
    verdict::mode(text).ok_or("it is none of observe, step_up, progressive, block")
}

impl WantedArgs {
    /// What is set with these on top of it.
    fn over(&self, known: Settings) -> Settings {
        Settings {
            enforcement_mode: self.enforcement_mode.or(known.enforcement_mode),
            enforce_per_minute: self.enforce_per_minute.or(known.enforce_per_minute),
            events_per_minute: self.events_per_minute.or(known.events_per_minute),
            polls_per_minute: self.polls_per_minute.or(known.polls_per_minute),
            checkins_per_minute: self.checkins_per_minute.or(known.checkins_per_minute),
            event_retention_days: self.event_retention_days.or(known.event_retention_days),
        }
    }
}

pub(crate) fn run(server: &Server, command: SettingsCommand) -> Outcome {
    let answer = match command {
        SettingsCommand::Get => server.ask(async |administration| administration.settings().await)?,
        SettingsCommand::Set(SetArgs { wanted, unset }) => set(server, &wanted, &unset)?.0,
    };
    if server.json {
        return Server::print(&answer);
    }
    show(&answer)?;
    Ok(ExitCode::SUCCESS)
}

/// Sets what is named; whether anything was changed by that.
pub(crate) fn set(server: &Server, wanted: &WantedArgs, unset: &[String]) -> Result<(Answer, bool), Failure> {
    let known = server.ask(async |administration| administration.settings().await)?;
    let mut settings = wanted.over(known.settings);
    for name in unset {
        match &**name {
            "enforcement-mode" => settings.enforcement_mode = None,
            "enforce-per-minute" => settings.enforce_per_minute = None,
            "events-per-minute" => settings.events_per_minute = None,
            "polls-per-minute" => settings.polls_per_minute = None,
            "checkins-per-minute" => settings.checkins_per_minute = None,
            _ => settings.event_retention_days = None,
        }
    }
    if settings == known.settings {
        return Ok((known, false));
    }
    let change = Change { revision: known.revision, settings };
    let answer = server.ask(async |administration| administration.set_settings(&change).await)?;
    Ok((answer, true))
}

pub(crate) fn show(answer: &Answer) -> Result<(), Failure> {
    let Answer { settings, effective, .. } = answer;
    let of = |is_set: bool, value: String| if is_set { value } else { format!("{value} (as the server)") };
    let rate = |set: Option<u32>, value: u32| of(set.is_some(), format!("{value} a minute"));
    let mode = effective.enforcement_mode.map_or("-", |mode| mode.as_str()).to_owned();
    fields(&[
        ("mode", of(settings.enforcement_mode.is_some(), mode)),
        ("decisions", rate(settings.enforce_per_minute, effective.enforce_per_minute)),
        ("batches", rate(settings.events_per_minute, effective.events_per_minute)),
        ("polls", rate(settings.polls_per_minute, effective.polls_per_minute)),
        ("check-ins", rate(settings.checkins_per_minute, effective.checkins_per_minute)),
        (
            "events",
            of(settings.event_retention_days.is_some(), format!("kept for {} days", effective.event_retention_days)),
        ),
    ])?;
    match (&answer.updated_at, &answer.updated_by) {
        (Some(at), by) => {
            line(format_args!("revision {}, set at {} by {}", answer.revision, time(Some(at)), shown(by.as_deref())))
        }
        (None, _) => line("nothing was ever set"),
    }
}
