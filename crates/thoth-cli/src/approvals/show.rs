//! `thoth approvals show`: a held call with everything that there is to know about it.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use thoth_store::{Hold, HoldState};
use thoth_types::Channel;
use thoth_types::display::grouped;

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{BAD, json_line, line, note, styled};

use super::json::HoldJson;
use super::page::{Detail, page};
use super::person::Person;
use super::store::{OpenDesk, Store};
use super::width;
use thoth_shell::arguments::Extent;

/// `thoth approvals show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth approvals show 1f0c
  thoth approvals show 1f0c9a77 --full | less
  thoth approvals show 1f0c --json | jq .hold.arguments")]
pub(crate) struct ShowArgs {
    /// The hold: the first digits of its name, at least 4
    #[arg(value_name = "ID")]
    id: String,
    /// Show long arguments to their end
    #[arg(long)]
    full: bool,
    /// Print one JSON object, with the arguments exactly as the client wrote them
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Shown<'h> {
    schema_version: u32,
    hold: HoldJson<'h>,
}

pub(crate) fn run(arguments: &ShowArgs) -> Outcome {
    let person = Person::here();
    let store = Store::locate()?;
    let hold = store.find(&arguments.id)?;
    let now = Timestamp::now();
    if arguments.json {
        let shown = Shown { schema_version: 1, hold: HoldJson::new(&hold, now) };
        json_line(&serde_json::to_string(&shown).map_err(Failure::failed)?)?;
    } else {
        let extent = if arguments.full { Extent::Everything } else { Extent::Usual };
        print(&hold, now, Detail::All, extent)?;
        if hold.state_at(now) == HoldState::Pending {
            let id = hold.token.short();
            line(format_args!("\nanswer with `thoth approvals approve {id}` or `thoth approvals deny {id}`"))?;
        }
    }
    match store.desk(&hold.token) {
        Ok(open) => {
            record(&open, &hold, &person);
            open.close();
        }
        Err(failure) => note(format_args!("that it was shown is not recorded: {}", failure.message())),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a hold.
pub(crate) fn print(hold: &Hold, now: Timestamp, detail: Detail, extent: Extent) -> Result<(), Failure> {
    let page = page(hold, now, width().unwrap_or(super::USUAL_WIDTH), detail, extent);
    for one in page.lines {
        line(styled(one.style, one.text))?;
    }
    if page.left_out > 0 {
        let id = hold.token.short();
        let what = format!("{} bytes of the arguments are not shown", grouped(page.left_out));
        line(styled(BAD, format_args!("{what}; `thoth approvals show {id} --full` shows all")))?;
    }
    Ok(())
}

/// Notes in the ledger that a hold was shown. That this fails keeps nobody from reading it.
pub(crate) fn record(open: &OpenDesk, hold: &Hold, person: &Person) {
    // Whoever answers without a terminal may still be read at one, and the other way round.
    let channel = if std::io::stdout().is_terminal() { Channel::Terminal } else { Channel::Script };
    let (now, token) = (Timestamp::now(), &hold.token);
    if let Err(error) = open.desk.shown(token, channel, &person.origin, now) {
        note(format_args!(
            "that {} was shown is not recorded: {}",
            token.short(),
            super::store::failed(&error).message()
        ));
    }
}
