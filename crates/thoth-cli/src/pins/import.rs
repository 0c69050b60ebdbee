//! `thoth pins import`: the approved definitions of another installation, which takes what an approval takes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use thoth_scan::fingerprint;
use thoth_store::{Approval, Pin, PinKey, Version};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Channel, Threat};

use crate::approvals::person::Person;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{GOOD, agrees, harmless_text, line, note, styled};

use super::answer::{OpenPins, caller};
use super::chosen::{failed, store, title};
use super::export::{Exported, ExportedPin, FORMAT};
use super::person::{Needs, approval, may_approve};
use super::show;

/// The largest file that is read.
const MAX_BYTES: u64 = 256 << 20;

/// `thoth pins import`
#[derive(Debug, Args)]
#[command(after_help = "\
What is found in the definitions is shown, and accepted with them; where nobody can be asked, as root without a terminal, only
with --yes. What is pinned here already stays as it is. A definition of the file that a server does not show counts as changed.

Example:
  thoth pins import pins.json")]
pub(crate) struct ImportArgs {
    /// The file that `thoth pins export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not ask, and accept what is found; an import needs a terminal or root all the same
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(crate) fn run(arguments: &ImportArgs) -> Outcome {
    let person = Person::here();
    may_approve(&person, Needs::TerminalOrRoot)?;
    let shown = harmless_text(&arguments.file.to_string_lossy());
    let unread = |why: &dyn std::fmt::Display| Failure::failed(format!("cannot read `{shown}`: {why}"));
    let size = std::fs::metadata(&arguments.file).map_err(|error| unread(&error))?.len();
    if size > MAX_BYTES {
        return Err(unread(&"it is too large"));
    }
    let text = std::fs::read_to_string(&arguments.file).map_err(|error| unread(&error))?;
    let file: Exported = serde_json::from_str(&text).map_err(|error| unread(&error))?;
    if file.format != FORMAT {
        return Err(unread(&"it is no file of pins, or of a newer version"));
    }
    let by = approval(&person, Vec::new());
    let pins = file.pins.iter().map(|one| pin(one, &by)).collect::<Result<Vec<_>, _>>();
    let (mut pins, found): (Vec<Pin>, Vec<Vec<Threat>>) = pins.map_err(|error| unread(&error))?.into_iter().unzip();
    let Some(session) = pins.first().map(caller).transpose()? else {
        line("the file has no pins")?;
        return Ok(ExitCode::SUCCESS);
    };
    line(format_args!("{} definitions from `{shown}`", pins.len()))?;
    for (pin, threats) in pins.iter().zip(&found).filter(|(_, threats)| !threats.is_empty()) {
        line(title(pin))?;
        show::findings(threats)?;
    }
    if !arguments.yes && person.channel == Channel::Terminal {
        if !agrees("Approve?")? {
            return Err(Failure::failed("nothing was imported"));
        }
    } else if !arguments.yes {
        accept_nothing(&mut pins);
        if found.iter().any(|threats| !threats.is_empty()) {
            note(
                "nobody was asked, so what is found is not accepted; --yes accepts it, or `thoth pins approve` afterwards",
            );
        }
    }
    let (store, _) = store()?;
    let (ledger, _) = store.ledger(&store.usual_ledger(), "the import")?;
    let open = OpenPins::on(store.holds().pins(), ledger);
    let mut added = 0;
    let mut done = Ok(());
    for pin in &pins {
        match open.desk.add(&session, pin, &by) {
            Ok(true) => added += 1,
            Ok(false) => {}
            Err(error) => {
                done = Err(failed(&error).hint(format_args!("{} was not imported, nor what follows it", title(pin))));
                break;
            }
        }
    }
    open.close();
    line(format_args!("{} {added}; {} were pinned here before", styled(GOOD, "imported"), pins.len() - added))?;
    done.map(|()| ExitCode::SUCCESS)
}

/// Has sessions keep back what they would keep back without the import: nobody has seen what is found.
fn accept_nothing(pins: &mut [Pin]) {
    for (_, approval) in pins.iter_mut().filter_map(|pin| pin.approved.as_mut()) {
        approval.accepted = Arc::from([]);
    }
}

/// A pin of the file, with digests of our own, and what is found in it here, which is accepted with it. What the other
/// installation has accepted says nothing about the rules of this one.
fn pin(one: &ExportedPin, by: &Approval) -> Result<(Pin, Vec<Threat>), String> {
    let place = |error: &dyn std::fmt::Display| format!("{} `{}`: {error}", one.kind, one.name.escape_debug());
    let kind = one.kind.parse().map_err(|error| place(&format!("{error}")))?;
    let server = one.server.parse().map_err(|error| place(&format!("{error}")))?;
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
    let definition = tape.parse(one.definition.get().as_bytes(), &limits).map_err(|error| place(&error))?;
    if !definition.is_object() {
        return Err(place(&"its definition is no object"));
    }
    let fingerprint = fingerprint::of_definition(kind, definition);
    if fingerprint.digest.to_string() != one.digest {
        return Err(place(&"its digest is not that of its definition"));
    }
    let found = thoth_proxy::scan_definition(kind, &fingerprint);
    let accepted = found.iter().map(|threat| threat.rule.clone()).collect();
    let version = Version { fingerprint, seen_at: by.at };
    let pin = Pin {
        key: PinKey { server, kind, name: one.name.as_str().into() },
        first_seen: by.at,
        approved: Some((version, Approval { accepted, ..by.clone() })),
        candidate: None,
        revoked: false,
    };
    Ok((pin, found))
}
