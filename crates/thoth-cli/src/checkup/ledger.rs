//! The ledger: there, sound, and with room to grow.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{StatVfsMountFlags, statvfs};
use thoth_audit::tail::Follower;
use thoth_audit::verify::Fault;
use thoth_audit::{Ledger, LedgerKeys, VerifyError, VerifyOptions, verify};

use super::Check;
use crate::audit::is_ledger;

const NAME: &str = "ledger";
/// Below this much free space, calls may soon be refused: a call that cannot be recorded does not go out.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;
/// Below this much, they are about to be.
const NO_ROOM: u64 = 4 * 1024 * 1024;

/// How long checking may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Thoroughness {
    /// Some milliseconds: only small ledgers are verified.
    Cheap,
    /// Some seconds.
    Thorough,
}

impl Thoroughness {
    /// The largest ledger that is verified whole, in events; about 0.5 µs an event was measured.
    const fn events(self) -> u64 {
        match self {
            Self::Cheap => 10_000,
            Self::Thorough => 5_000_000,
        }
    }
}

/// What was found out about the ledger.
pub(crate) struct LedgerState {
    pub(crate) check: Check,
    /// How many events it has, as far as that is known.
    pub(crate) events: Option<u64>,
    /// When the newest one was written.
    pub(crate) newest: Option<Timestamp>,
}

/// Looks at the ledger in `directory`, which is signed with a key in `keys`. Of what is wrong with it and what is wrong
/// with its disk, the worse is told.
pub(crate) fn ledger(directory: &Path, keys: &Path, thoroughness: Thoroughness) -> LedgerState {
    let mut state = contents(directory, keys, thoroughness);
    if let Some(room) = room(directory)
        && room.verdict > state.check.verdict
    {
        state.check = room;
    }
    state
}

fn contents(directory: &Path, keys: &Path, thoroughness: Thoroughness) -> LedgerState {
    let shown = directory.display();
    let newest = newest(directory);
    let alone = |check| LedgerState { check, events: None, newest };
    if !is_ledger(directory) {
        let evidence = format!("there is no ledger in {shown} yet; the first `thoth run` begins it");
        return alone(Check::skipped(NAME, evidence));
    }
    if let Some(evidence) = key_trouble(directory, keys) {
        let remedy = format!("restore the key, or move {shown} away as evidence and begin a new ledger");
        return alone(Check::failure(NAME, format!("every call is refused: {evidence}"), remedy));
    }
    if let Some(size) = size(directory)
        && size > thoroughness.events()
    {
        let evidence = format!("{shown}, {size} events; not verified here, as that would take a while");
        return LedgerState { check: Check::ok(NAME, evidence), events: Some(size), newest };
    }
    match verify(directory, &VerifyOptions { checkpoint: None, vkey: None }) {
        Ok(report) => {
            let events = report.size + report.pending;
            LedgerState {
                check: Check::ok(NAME, format!("{shown}, {events} events, verified")),
                events: Some(events),
                newest,
            }
        }
        Err(VerifyError { fault: Fault::Busy, .. }) => LedgerState {
            check: Check::ok(NAME, format!("{shown}, being written to; not verified")),
            events: size(directory),
            newest,
        },
        Err(VerifyError { fault: Fault::Interrupted(report), .. }) => LedgerState {
            check: Check::warning(
                NAME,
                format!("{shown}: nothing is lost, but its last update was interrupted"),
                format!("run `thoth audit repair {shown}`; the next `thoth run` does it too"),
            ),
            events: Some(report.size + report.pending),
            newest,
        },
        Err(error) => LedgerState {
            check: Check::failure(
                NAME,
                format!("it does not verify: {error}"),
                format!(
                    "run `thoth audit verify {shown}`; keep a copy of the directory as evidence before you change anything"
                ),
            ),
            events: None,
            newest,
        },
    }
}

/// Why a session could not sign what it adds.
fn key_trouble(directory: &Path, keys: &Path) -> Option<String> {
    match LedgerKeys::load(keys, directory) {
        Ok(None) => None,
        Ok(Some(keys)) => Ledger::check_key(directory, &keys).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// A complaint about the free space of the nearest directory that exists.
fn room(directory: &Path) -> Option<Check> {
    let existing = directory.ancestors().find(|path| path.is_dir())?;
    let disk = statvfs(existing).ok()?;
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let evidence =
            format!("{} is on a file system that cannot be written to: every call is refused", directory.display());
        return Some(Check::failure(
            NAME,
            evidence,
            "mount it for writing, or set THOTH_HOME to a directory elsewhere",
        ));
    }
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let evidence = format!("{} MiB left on the disk of {}", free >> 20, directory.display());
    let remedy = "make room: a call that cannot be recorded is refused";
    if free < NO_ROOM {
        Some(Check::failure(NAME, evidence, remedy))
    } else if free < LITTLE_ROOM {
        Some(Check::warning(NAME, evidence, remedy))
    } else {
        None
    }
}

/// The size that the ledger's head states, unverified.
fn size(directory: &Path) -> Option<u64> {
    fs::read_to_string(directory.join("checkpoint")).ok()?.lines().nth(1)?.parse().ok()
}

fn newest(directory: &Path) -> Option<Timestamp> {
    let (_, events) = Follower::last(directory, 1).ok()?;
    let event: serde_json::Value = serde_json::from_slice(events.last()?).ok()?;
    event.get("occurredAt")?.as_str()?.parse().ok()
}
