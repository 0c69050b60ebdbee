//! What stands in journals.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::fault::{Fault, VerifyError, at};
use super::tree::Events;
use super::{Report, Update, is_live};
use crate::ledger::files::open_regular;
use crate::ledger::journal_name::is_journal;
use crate::ledger::lines::{self, Lines};
use crate::ledger::state::{State, Status};
use crate::ledger::{JOURNAL_DIR, QUARANTINE_DIR};

/// Checks every journal from its first byte, and that none is missing.
pub(super) fn check(
    dir: &Path,
    origin: &str,
    state: &State,
    update: Update,
    report: &mut Report,
    events: &mut Events<'_>,
) -> Result<(), VerifyError> {
    let mut names = BTreeSet::new();
    match fs::read_dir(dir.join(JOURNAL_DIR)) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(at(JOURNAL_DIR))?;
                names.insert(entry.file_name().to_string_lossy().into_owned());
            }
        }
        // A copy of a closed ledger may have lost its empty directory.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(JOURNAL_DIR)(error)),
    }
    for (name, mark) in &state.journals {
        match mark.status {
            Status::Open if !names.contains(name) => {
                return Err(VerifyError::new(&format!("{JOURNAL_DIR}/{name}"), Fault::Vanished));
            }
            Status::Broken => {
                return Err(
                    VerifyError::new(&format!("{QUARANTINE_DIR}/{name}"), Fault::Quarantined).offset(mark.offset)
                );
            }
            Status::Open | Status::Done => {}
        }
    }
    for name in &names {
        journal(dir, name, origin, state, update, report, events)?;
    }
    Ok(())
}

fn journal(
    dir: &Path,
    name: &str,
    origin: &str,
    state: &State,
    update: Update,
    report: &mut Report,
    events: &mut Events<'_>,
) -> Result<(), VerifyError> {
    let path = format!("{JOURNAL_DIR}/{name}");
    let mark = state.journals.get(name);
    let mut file = match open_regular(&dir.join(&path)) {
        // Its writer has just placed it, or closed and had it removed before this process got the lock.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && mark.is_none() => return Ok(()),
        file => file.map_err(at(&path))?,
    };
    let live = is_live(&file).map_err(at(&path))?;
    // A journal gets its name only once it is locked, and events only once it has its name. A writer that was killed in
    // between leaves an empty draft, which the next session removes.
    let empty = file.metadata().map_err(at(&path))?.len() == 0;
    let draft = name.strip_suffix(".new").is_some_and(is_journal) && (live || empty);
    let done = mark.is_some_and(|mark| mark.status == Status::Done);
    // All of it is in the tree: only the end of the update is missing, which removes it.
    let excused = mark.is_none_or(|mark| mark.status == Status::Open) || (done && update == Update::Interrupted);
    if !draft && (!is_journal(name) || !excused) {
        return Err(VerifyError::new(&path, Fault::Unexpected));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(at(&path))?;
    let mut lines = Lines::new(&bytes, lines::genesis(origin, name));
    let recorded = mark.map_or(0, |mark| mark.offset);
    let mut met = mark.is_none();
    loop {
        let (offset, chain) = lines.boundary();
        let offset = u64::try_from(offset).unwrap_or(u64::MAX);
        let fail = |fault| VerifyError::new(&path, fault).offset(offset);
        met |= mark.is_some_and(|mark| mark.offset == offset && mark.chain == chain);
        if !met && offset >= recorded {
            return Err(fail(Fault::NotAsRecorded));
        }
        match lines.next_leaf() {
            Some(Ok(leaf)) => {
                let event_type = events.event_type(leaf).ok_or_else(|| fail(Fault::NotCanonical))?;
                if done && offset >= recorded {
                    return Err(fail(Fault::NotAsRecorded));
                }
                if offset >= recorded {
                    report.pending += 1;
                    events.counts(leaf, event_type, report);
                }
            }
            Some(Err(error)) => return Err(fail(error.into())),
            None if !met => return Err(fail(Fault::NotAsRecorded)),
            // What a finished journal has behind its last line was recorded as dropped.
            None if !done && !live && offset < u64::try_from(bytes.len()).unwrap_or(u64::MAX) => {
                return Err(fail(Fault::Torn));
            }
            None => return Ok(()),
        }
    }
}
