//! `thoth pins list`: what is pinned.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::Args;
use clap::builder::styling::Style;
use jiff::Timestamp;
use thoth_store::{Pin, Pins as _};
use thoth_types::{PinState, ServerName};

use crate::approvals::times::between;
use crate::approvals::width;
use thoth_shell::cells::{cell, columns, cut, oddities};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, line, styled};

use super::chosen::{failed, store};
use super::found::Found;
use super::json::{changes, print_json};

/// The widest cell of a name.
const WIDEST: usize = 32;

/// How wide the last column is where nothing limits the line, and the least that it has.
const NOTE: usize = 80;
const LEAST_NOTE: usize = 20;

/// `thoth pins list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth pins list
  thoth pins list --server files
  thoth pins list --json | jq -r '.pins[] | select(.state == \"quarantined\") | .name'")]
pub(crate) struct ListArgs {
    /// Only those of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only those that are not approved as they are, with what is found in them
    #[arg(long)]
    changed: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &ListArgs) -> Outcome {
    let server = arguments.server.as_deref().map(|text| {
        ServerName::from_str(text)
            .map_err(|error| Failure::usage(format!("--server: `{}`: {error}", harmless_text(text))))
    });
    let server = server.transpose()?;
    let (_, store) = store()?;
    let mut pins = store.list(server.as_ref()).map_err(|error| failed(&error))?;
    // What is found beside other tools is a warning at most, which is no reason to look at what no person has approved. To
    // compare all servers with each other would take seconds where there are many.
    let by_people = pins.iter().filter(|pin| pin.approved.as_ref().is_some_and(|(_, approval)| approval.by.is_some()));
    let found = Found::of(&store, by_people)?;
    pins.retain(|pin| !arguments.changed || found.needs_a_look(pin));
    // What needs a look comes first; the order of the rest is that of their names.
    pins.sort_by_cached_key(|pin| !found.needs_a_look(pin));
    if arguments.json {
        return print_json(&pins);
    }
    if pins.is_empty() {
        line(if arguments.changed { "everything that is pinned is as it was approved" } else { "nothing is pinned" })?;
        return Ok(ExitCode::SUCCESS);
    }
    table(&pins, &found, Timestamp::now(), width()).into_iter().try_for_each(line)?;
    Ok(ExitCode::SUCCESS)
}

const CELLS: usize = 7;

fn table(pins: &[Pin], found: &Found, now: Timestamp, width: Option<usize>) -> Vec<String> {
    let heading = ["", "STATE", "KIND", "SERVER", "NAME", "SEEN", "DIGEST"].map(str::to_owned);
    let rows: Vec<[String; CELLS]> = std::iter::once(heading).chain(pins.iter().map(|pin| cells(pin, now))).collect();
    let mut widths = [0; CELLS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let used: usize = widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum();
    let room = width.map_or(NOTE, |width| width.saturating_sub(used).max(LEAST_NOTE));
    let mut lines = Vec::new();
    let mut odd = false;
    for (index, row) in rows.iter().enumerate() {
        let pin = index.checked_sub(1).and_then(|index| pins.get(index));
        let styles = pin.map_or([DIM; CELLS], |pin| {
            let (plain, state) = (Style::new(), style(pin.state()));
            [CARE, state, plain, plain, plain, plain, DIM]
        });
        let mut text = String::new();
        for ((cell, width), style) in row.iter().zip(widths).zip(styles).filter(|((_, width), _)| *width > 0) {
            // Padded outside of the colour, so that the columns stay aligned.
            text.push_str(&styled(style, cell));
            text.push_str(&" ".repeat(width - columns(cell) + 2));
        }
        match pin {
            None => text.push_str(&styled(DIM, "APPROVED")),
            Some(pin) => text.push_str(&cut(&remark(pin, found, now), room)),
        }
        odd |= pin.is_some_and(is_strange);
        lines.push(text.trim_end().to_owned());
    }
    if odd {
        let what = "! has a name with characters that cannot be seen or look like others";
        lines.push(styled(CARE, what));
    }
    lines
}

fn cells(pin: &Pin, now: Timestamp) -> [String; CELLS] {
    let digest = pin.latest().map(|version| version.fingerprint.digest.to_string()).unwrap_or_default();
    let digits = digest.strip_prefix("sha256:").and_then(|digits| digits.get(..12)).unwrap_or("-");
    let name = if pin.key.name.is_empty() { "-".to_owned() } else { cell(&pin.key.name, WIDEST) };
    [
        if is_strange(pin) { "!" } else { "" }.to_owned(),
        pin.state().to_string(),
        pin.key.kind.to_string(),
        cell(pin.key.server.as_str(), WIDEST),
        name,
        pin.latest().map_or_else(|| "-".to_owned(), |version| between(version.seen_at, now)),
        digits.to_owned(),
    ]
}

/// What changed, what is found in it that nobody accepted, or who approved it.
fn remark(pin: &Pin, found: &Found, now: Timestamp) -> String {
    let changed: Vec<String> = changes(pin).iter().map(|change| cell(&change.field, WIDEST)).collect();
    if !changed.is_empty() {
        return format!("changed: {}", changed.join(", "));
    }
    let found: BTreeSet<_> = found.since(pin).iter().map(|threat| cell(&threat.rule, WIDEST)).collect();
    if !found.is_empty() {
        return format!("found since: {}", found.into_iter().collect::<Vec<_>>().join(", "));
    }
    match &pin.approved {
        None => "nobody yet".to_owned(),
        Some((_, approval)) => {
            let ago = between(approval.at, now);
            match &approval.by {
                Some(by) => format!("by {} {ago} ago", cell(by, WIDEST)),
                None => format!("on first use {ago} ago"),
            }
        }
    }
}

pub(crate) const fn style(state: PinState) -> Style {
    match state {
        PinState::Approved => GOOD,
        PinState::Pending => CARE,
        PinState::Quarantined | PinState::Revoked => BAD,
    }
}

/// Whether its name looks like something that it is not.
fn is_strange(pin: &Pin) -> bool {
    [&*pin.key.name, pin.key.server.as_str()].into_iter().any(|text| oddities(text).next().is_some())
}
