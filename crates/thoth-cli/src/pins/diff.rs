//! `thoth pins diff`: what changed since it was approved.

use std::process::ExitCode;

use clap::Args;
use clap::builder::styling::Style;
use jiff::Timestamp;
use similar::{ChangeTag, TextDiff};
use thoth_scan::fingerprint::{FieldChange, FieldText};
use thoth_store::Pin;
use thoth_types::PinState;

use crate::approvals::times::clock;
use crate::approvals::{USUAL_WIDTH, width};
use thoth_shell::cells::{cell, oddities, wrapped};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, line, styled};

use super::chosen::{Chosen, store, title};
use super::json::{changes, print_json};

/// What is shown of one field without `--full`, in bytes of each side.
const FIELD_BYTES: usize = 16 * 1024;

/// `thoth pins diff`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth pins diff files
  thoth pins diff files read_file --full | less
  thoth pins diff files --json | jq '.pins[].changed'")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Show long fields to their end
    #[arg(long)]
    full: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &DiffArgs) -> Outcome {
    let (_, pins) = store()?;
    let pins = arguments.chosen.find(&pins, |pin| pin.state() != PinState::Approved)?;
    if arguments.json {
        return print_json(&pins);
    }
    if pins.is_empty() {
        line("everything of this server is as it was approved")?;
    }
    for pin in &pins {
        print(pin, arguments.full)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what changed, or that nothing has.
pub(crate) fn print(pin: &Pin, full: bool) -> Result<(), Failure> {
    let changes = changes(pin);
    let state = pin.state();
    line(format_args!("{}  {}", styled(super::list::style(state), state), title(pin)))?;
    match (&pin.approved, &pin.candidate) {
        (Some((approved, _)), Some(seen)) => {
            let at = clock(seen.seen_at, Timestamp::now());
            line(styled(DIM, format_args!("  approved  {}", approved.fingerprint.digest)))?;
            line(styled(DIM, format_args!("  seen      {} at {at}", seen.fingerprint.digest)))?;
        }
        (None, _) => line("  nobody has approved it yet; `thoth pins show` has all of it")?,
        (Some(_), None) if pin.revoked => {
            line("  the approval was taken back; the definition is the one that was approved")?
        }
        (Some(_), None) => line("  it is as it was approved")?,
    }
    changes.iter().try_for_each(|change| field(change, full))
}

fn text(side: Option<&FieldText>, full: bool) -> (String, usize) {
    let text = match side {
        None => return (String::new(), 0),
        Some(FieldText::Text(text) | FieldText::Json(text)) => text,
    };
    let end = if full { text.len() } else { text.floor_char_boundary(FIELD_BYTES) };
    (text.get(..end).unwrap_or_default().to_owned(), text.len() - end)
}

fn field(change: &FieldChange, full: bool) -> Result<(), Failure> {
    let what = match (&change.old, &change.new) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    line(styled(CARE, format_args!("  {} {what}", cell(&change.field, 40))))?;
    let ((old, old_rest), (new, new_rest)) = (text(change.old.as_ref(), full), text(change.new.as_ref(), full));
    for what in oddities(&new) {
        line(styled(BAD, format_args!("  ! {what}")))?;
    }
    let room = width().unwrap_or(USUAL_WIDTH).saturating_sub(6).max(20);
    for group in TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).iter_hunks() {
        for one in group.iter_changes() {
            let (sign, style) = match one.tag() {
                ChangeTag::Delete => ("-", BAD),
                ChangeTag::Insert => ("+", GOOD),
                ChangeTag::Equal => (" ", Style::new()),
            };
            // The bar keeps the server's text from passing for ours, however long its lines are.
            for part in wrapped(one.value().trim_end_matches(['\n', '\r']), room) {
                line(styled(style, format_args!("  {sign} │ {part}")))?;
            }
        }
    }
    if old_rest + new_rest > 0 {
        line(styled(BAD, format_args!("  {} bytes are not compared; `--full` shows all", old_rest + new_rest)))?;
    }
    Ok(())
}
