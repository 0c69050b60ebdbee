//! The loop that follows the ledger.

use std::mem::take;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use thoth_api::contract::event::{Event, Receipt};
use thoth_api::{Enforcer, RemoteError};
use thoth_audit::tail::{TailError, tree_end, tree_part};
use tokio::runtime::Runtime;

use super::convert::{self, Leaf, Whose};
use super::cursor::{Cursor, Kept, LastRefused};
use crate::bell::Bell;
use crate::folder::{Folder, FolderError, Held};
use crate::pace;

/// How often it is looked whether the ledger has grown, or whether whoever tells it is gone.
const LOOK: Duration = Duration::from_secs(1);
/// The most bytes of leaves in one batch; a server takes 1 MiB. A single leaf has at most 64 KiB. As many leaves as a tile has,
/// 256, are read at a time, and a server takes 1000 events.
const MAX_BATCH: usize = 512 * 1024;
/// How many characters are kept of what a server says about an event.
const MAX_MESSAGE: usize = 300;

/// Tells the ledger.
pub(crate) struct Teller {
    pub(crate) enforcer: Enforcer,
    pub(crate) folder: Folder,
    pub(crate) cursor: Cursor,
    pub(crate) ledger: PathBuf,
    pub(crate) whose: Whose,
    pub(crate) say: fn(&str),
}

/// Why it does not go on for now.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("{0}")]
    Enforcer(#[from] RemoteError),
    #[error("{0}")]
    Folder(#[from] FolderError),
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] TailError),
    #[error(
        "the ledger has only {size} leaves, and {next} were told: it is an older copy of itself, run `thoth audit verify`"
    )]
    Shorter { size: u64, next: u64 },
}

/// Events that go together.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Event>,
    bytes: usize,
    /// How many leaves they come from, with those that are not told.
    leaves: u64,
}

impl Teller {
    /// Tells until the session ends, and then what is left, as far as there is time.
    pub(crate) fn run(self, runtime: &Runtime, bell: &Bell) {
        let mut held: Option<Held> = None;
        let mut failures: u32 = 0;
        loop {
            let last = bell.rung();
            if held.is_none() {
                // If the lock cannot be had at all, the first that is told says so.
                held = self.folder.hold(&self.cursor.lock()).unwrap_or_else(|error| {
                    (self.say)(&error.to_string());
                    None
                });
            }
            let mut pause = LOOK;
            if held.is_some() {
                match self.tell(runtime, bell) {
                    Ok(()) => failures = 0,
                    Err(stuck) => {
                        failures = failures.saturating_add(1);
                        pause = self.stuck(&stuck, failures);
                    }
                }
            }
            if last.is_some() {
                return;
            }
            bell.wait(pause);
        }
    }

    /// Tells everything that is in the tree now.
    fn tell(&self, runtime: &Runtime, bell: &Bell) -> Result<(), Stuck> {
        let mut kept = self.cursor.read()?;
        loop {
            let size = tree_end(&self.ledger)?.size;
            if size < kept.next {
                return Err(Stuck::Shorter { size, next: kept.next });
            }
            if size == kept.next {
                if kept.error.take().is_some() {
                    self.cursor.write(&kept)?;
                }
                return Ok(());
            }
            for batch in self.batches(kept.next)? {
                if bell.rung().is_some_and(|until| Instant::now() >= until) {
                    return Ok(());
                }
                self.send(runtime, &batch, &mut kept)?;
            }
        }
    }

    /// The leaves of one tile, from this one on, as batches. They end one after the other where the next begins.
    fn batches(&self, next: u64) -> Result<Vec<Batch>, Stuck> {
        let (mut batches, mut batch) = (Vec::new(), Batch::default());
        for (leaf, index) in tree_part(&self.ledger, next)?.into_iter().zip(next..) {
            if batch.bytes + leaf.len() > MAX_BATCH {
                batches.push(take(&mut batch));
            }
            batch.events.extend(convert::event(&leaf, Leaf { log: &self.cursor.log, index }, &self.whose));
            batch.bytes += leaf.len();
            batch.leaves += 1;
        }
        batches.push(batch);
        Ok(batches)
    }

    /// Sends a batch, and notes that it was taken.
    fn send(&self, runtime: &Runtime, batch: &Batch, kept: &mut Kept) -> Result<(), Stuck> {
        let mut refused = Vec::new();
        let told = self.deliver(runtime, &batch.events, &mut refused);
        for LastRefused { event_id, message } in refused {
            (self.say)(&format!("the enforcer does not take the event {event_id}, which is skipped: {message}"));
            kept.refused += 1;
            kept.last_refused = Some(LastRefused { event_id, message });
        }
        told?;
        kept.next += batch.leaves;
        if !batch.events.is_empty() {
            (kept.delivered_at, kept.error) = (Some(Timestamp::now().to_string()), None);
        }
        Ok(self.cursor.write(kept)?)
    }

    /// Has the enforcer take these events. Those that it never will are named.
    fn deliver(&self, runtime: &Runtime, events: &[Event], bad: &mut Vec<LastRefused>) -> Result<(), RemoteError> {
        let Some(first) = events.first() else { return Ok(()) };
        match runtime.block_on(self.enforcer.tell(events)) {
            Ok(receipt) => bad.extend(refused(receipt, events)),
            // It says so of the batch when it takes none of it. Halves find out which ones it means.
            Err(error) if !is_about_events(&error) => return Err(error),
            Err(error) if events.len() == 1 => bad.push(named(first, &error.to_string())),
            Err(_) => {
                let (front, back) = events.split_at(events.len() / 2);
                self.deliver(runtime, front, bad)?;
                self.deliver(runtime, back, bad)?;
            }
        }
        Ok(())
    }

    /// Notes why it does not go on. For how long not to try.
    fn stuck(&self, stuck: &Stuck, failures: u32) -> Duration {
        let text = stuck.to_string();
        if failures == 1 {
            (self.say)(&format!("what is in the ledger is not told to the enforcer for now: {text}"));
        }
        if let Ok(mut kept) = self.cursor.read()
            && kept.error.as_ref() != Some(&text)
        {
            kept.error = Some(text);
            // It is told again, at worst.
            drop(self.cursor.write(&kept));
        }
        match stuck {
            Stuck::Enforcer(error) => pace::after(failures, error),
            _ => pace::after(failures, &RemoteError::Unwritable),
        }
    }
}

/// Whether an answer is about what was sent, so that it would be the same tomorrow. A key that is not taken may be another one
/// tomorrow, and nothing is lost for it.
fn is_about_events(error: &RemoteError) -> bool {
    matches!(error.status(), Some(400 | 413 | 422))
}

fn named(event: &Event, message: &str) -> LastRefused {
    LastRefused {
        event_id: event.event_id.clone().unwrap_or_default(),
        message: message.chars().filter(|letter| !letter.is_control()).take(MAX_MESSAGE).collect(),
    }
}

fn refused(receipt: Receipt, events: &[Event]) -> impl Iterator<Item = LastRefused> + '_ {
    receipt.rejected.into_iter().filter_map(|refused| Some(named(events.get(refused.index)?, &refused.message)))
}
