//! Calls, answers, gives back and sweeps at random on one store of holds until it is killed, and writes down what it was
//! told, so that a test can hold all that was told against each other.
//!
//! Usage: `hold_worker STORE LOG NAME SEED CALLS`, with a NAME and a SEED that no other worker has. Prints one line for each thing done. The log is shared by all workers
//! and synchronised after each line:
//! `spent TOKEN CALL` after a hold was used up, `return TOKEN CALL` *before* it is given back, `approved TOKEN`,
//! `denied TOKEN` and `expired TOKEN` after the answer or the end was written.
//!
//! The log's length is the workers' clock: it is the same for all of them, never goes back, and goes on only with what
//! they do.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use thoth_gate::hold::{Consulted, HoldState};
use thoth_gate::{Holds, HoldsError};
use thoth_store::{SqliteHolds, StoreError};
use thoth_testkit::holds_suite::{answer, at, milled_call, vote};
use thoth_types::HoldToken;

/// How long the other workers may keep the store to themselves. A process that is not so patient refuses a call, which is
/// no end of a worker.
const PATIENCE: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

struct Worker {
    holds: SqliteHolds,
    log: File,
    name: String,
    seed: u64,
    dice: u64,
    known: Vec<HoldToken>,
}

impl Worker {
    fn below(&mut self, n: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % n
    }

    fn now(&self) -> Result<Timestamp, Failure> {
        Ok(at(0) + SignedDuration::from_millis(i64::try_from(self.log.metadata()?.len())?))
    }

    /// One of all calls, or more often one of a few on which all workers are at the same time.
    fn choose(&mut self, calls: u64) -> Result<u16, Failure> {
        let hot = self.log.metadata()?.len() / 500;
        let number = if self.below(3) == 0 { self.below(calls) } else { (hot + self.below(3)) % calls };
        Ok(u16::try_from(number)?)
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        // One write, which the system appends as a whole.
        self.log.write_all(format!("{line}\n").as_bytes())?;
        Ok(self.log.sync_data()?)
    }

    fn call(&mut self, number: u16, sequence: u64) -> Result<(), Failure> {
        let call_id = format!("{}.{sequence}", self.name);
        let token = (u128::from(self.seed) << 64) | u128::from(sequence + 1);
        let now = self.now()?;
        match patiently(|| milled_call(number).consult(&self.holds, token, Some(&call_id), now))? {
            Consulted::Created(hold, _) | Consulted::Pending(hold) => self.known.push(hold.token),
            Consulted::Spent(hold) => {
                if now >= hold.ends_at {
                    return Err(format!("{} was used up after its end", hold.token).into());
                }
                self.write(&format!("spent {} {call_id}", hold.token))?;
                if self.below(4) == 0 {
                    self.write(&format!("return {} {call_id}", hold.token))?;
                    patiently(|| {
                        self.holds.update(&hold.token, &mut |hold| {
                            hold.give_back(&call_id);
                            Ok(())
                        })
                    })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, approves: bool) -> Result<(), Failure> {
        let Some(highest) = (self.known.len() as u64).checked_sub(1) else { return Ok(()) };
        // The one met last, or any.
        let which = if self.below(2) == 0 { highest } else { self.below(highest + 1) };
        let which = usize::try_from(which)?;
        let Some(token) = self.known.get(which).cloned() else { return Ok(()) };
        let uid = if self.below(2) == 0 { 1000 } else { 0 };
        let vote = patiently(|| {
            let at = self.now().map_err(|error| HoldsError::Store(error.to_string().into()))?;
            vote(&self.holds, &token, &answer(uid, approves, at))
        });
        match vote {
            Ok(hold) if hold.state == HoldState::Approved => self.write(&format!("approved {token}")),
            Ok(hold) if hold.state == HoldState::Denied => self.write(&format!("denied {token}")),
            Ok(_) => Ok(()),
            Err(HoldsError::Vote(_)) => {
                self.known.swap_remove(which);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn sweep(&mut self) -> Result<(), Failure> {
        let now = self.now()?;
        for token in patiently(|| self.holds.lapsed(now))?.into_iter().take(3) {
            let mut news = false;
            patiently(|| {
                self.holds.update(&token, &mut |hold| {
                    news = hold.expire(now);
                    Ok(())
                })
            })?;
            if news {
                self.write(&format!("expired {token}"))?;
            }
        }
        Ok(())
    }
}

/// Does this, again while others are in the way.
fn patiently<T>(mut act: impl FnMut() -> Result<T, HoldsError>) -> Result<T, HoldsError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match act() {
            Err(HoldsError::Store(source))
                if matches!(source.downcast_ref(), Some(StoreError::Busy { .. })) && Instant::now() < deadline => {}
            result => return result,
        }
    }
}

/// Seeds that differ little make streams that differ much (splitmix64).
fn scattered(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) | 1
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, log, name, seed, calls] = arguments.as_slice() else {
        return Err("usage: hold_worker STORE LOG NAME SEED CALLS".into());
    };
    let (seed, calls): (u64, u64) = (seed.parse()?, calls.parse()?);
    let holds = SqliteHolds::new(Path::new(store).to_owned(), Path::new("/ledger").to_owned());
    let log = File::options().append(true).create(true).open(log)?;
    let mut worker = Worker { holds, log, name: name.clone(), seed, dice: scattered(seed), known: Vec::new() };
    let open = |state| matches!(state, HoldState::Pending | HoldState::Approved);
    worker.known =
        patiently(|| worker.holds.list())?.into_iter().filter(|hold| open(hold.state)).map(|hold| hold.token).collect();
    let mut out = std::io::stdout().lock();
    for sequence in 0.. {
        match worker.below(20) {
            0..=9 => {
                let number = worker.choose(calls)?;
                worker.call(number, sequence)?;
            }
            10..=16 => worker.answer(true)?,
            17 => worker.answer(false)?,
            18 => worker.sweep()?,
            _ => drop(patiently(|| worker.holds.changed())?),
        }
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`: the reader may be gone.
            drop(writeln!(std::io::stderr(), "hold_worker: {error}"));
            ExitCode::FAILURE
        }
    }
}
