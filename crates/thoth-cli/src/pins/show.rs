//! `thoth pins show`: a definition in full, and what is known of it.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use thoth_scan::fingerprint::{FieldText, diff};
use thoth_store::{Pin, Version};
use thoth_types::{Severity, Threat};

use crate::approvals::times::clock;
use crate::approvals::{USUAL_WIDTH, width};
use thoth_shell::cells::{cell, columns, oddities, wrapped};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{BAD, CARE, DIM, line, styled};

use super::chosen::{Chosen, store, title};
use super::found::Found;
use super::json::print_json;

/// `thoth pins show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth pins show files read_file
  thoth pins show files --kind instructions
  thoth pins show files read_file --json | jq '.pins[0].approved.definition'")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &ShowArgs) -> Outcome {
    let (_, store) = store()?;
    let pins = arguments.chosen.find(&store, |_| true)?;
    if arguments.json {
        return print_json(&pins);
    }
    let found = Found::of(&store, &pins)?;
    pins.iter().try_for_each(|pin| print(pin, &found.threats(pin)))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a pin, what is found in it, and the definition that was seen last.
pub(crate) fn print(pin: &Pin, threats: &[Threat]) -> Result<(), Failure> {
    let state = pin.state();
    line(format_args!("{}  {}", styled(super::list::style(state), state), title(pin)))?;
    let now = Timestamp::now();
    let mut rows = vec![("first seen", clock(pin.first_seen, now))];
    if let Some((version, approval)) = &pin.approved {
        let by = approval.by.as_deref().map_or_else(|| "on first use".to_owned(), |by| format!("by {}", cell(by, 64)));
        let channel = approval.channel.map(|channel| format!(" ({channel}, {})", cell(&approval.origin, 64)));
        rows.push(("approved", format!("{} {by}{}", clock(approval.at, now), channel.unwrap_or_default())));
        rows.push(("digest", version.fingerprint.digest.to_string()));
        if !approval.accepted.is_empty() {
            let rules: Vec<String> = approval.accepted.iter().map(|rule| cell(rule, 64)).collect();
            rows.push(("accepted", rules.join(", ")));
        }
    }
    if let Some(version) = &pin.candidate {
        rows.push(("seen", format!("{} at {}", version.fingerprint.digest, clock(version.seen_at, now))));
    }
    for (label, value) in rows {
        line(styled(DIM, format_args!("  {label:10}  {value}")))?;
    }
    findings(threats)?;
    pin.latest().map_or(Ok(()), definition)
}

/// Prints all fields of a definition.
fn definition(version: &Version) -> Result<(), Failure> {
    let room = room();
    for field in diff(None, &version.fingerprint) {
        line(styled(DIM, format_args!("  {}", cell(&field.field, 64))))?;
        let Some(FieldText::Text(text) | FieldText::Json(text)) = field.new else { continue };
        for what in oddities(&text) {
            line(styled(BAD, format_args!("  ! {what}")))?;
        }
        for part in text.lines().flat_map(|part| wrapped(part, room)) {
            line(format_args!("    │ {part}"))?;
        }
    }
    Ok(())
}

fn room() -> usize {
    width().unwrap_or(USUAL_WIDTH).saturating_sub(6).max(20)
}

/// Prints what a scanner finds in a definition.
pub(crate) fn findings(threats: &[Threat]) -> Result<(), Failure> {
    let room = room();
    for threat in threats {
        let style = if threat.severity == Severity::Critical { BAD } else { CARE };
        let mut lines = wrapped(&format!("{}: {}", threat.severity, threat.message), room);
        // A rule's id is for copying: it stands on one line.
        let rule = format!("({})", cell(&threat.rule, room.saturating_sub(2)));
        match lines.last_mut() {
            Some(last) if columns(last) + 1 + columns(&rule) <= room => *last = format!("{last} {rule}"),
            _ => lines.push(rule),
        }
        lines.into_iter().try_for_each(|text| line(styled(style, format_args!("  ! {text}"))))?;
    }
    Ok(())
}
