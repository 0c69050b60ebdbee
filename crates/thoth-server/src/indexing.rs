//! How the index of a tenant's ledger comes to have what the ledger has. It follows behind: no call waits for it, and it
//! takes a small share of one processor however much is decided.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use thoth_audit::view::{Checked, Head, LedgerView, Snapshot, ViewError, check_in_turns};
use thoth_store::server::index::{LedgerIndex, Record};

use crate::fault::Fault;

/// How many events are read at once, about.
const BATCH: usize = 2_048;

/// How many looks are left out at most where nothing comes. Whoever asks has the index catch up at once.
const MOST_LEFT_OUT: u32 = 31;

/// How often it is looked: less and less where nothing comes.
#[derive(Debug, Default)]
struct Pace {
    leave_out: u32,
    left: u32,
}

/// A ledger that can be looked at, and the index of it.
pub(crate) struct Indexing {
    pub(crate) index: Arc<dyn LedgerIndex>,
    view: Arc<dyn LedgerView>,
    /// The key of the log.
    log: OnceLock<String>,
    /// In this process one at a time adds to the index; others would only do the same.
    turn: Mutex<()>,
    pace: Mutex<Pace>,
}

impl From<ViewError> for Fault {
    fn from(error: ViewError) -> Self {
        Self::unavailable(error)
    }
}

impl Indexing {
    pub(crate) fn new(index: Arc<dyn LedgerIndex>, view: Arc<dyn LedgerView>) -> Self {
        Self { index, view, log: OnceLock::new(), turn: Mutex::default(), pace: Mutex::default() }
    }

    /// Looks at the ledger. Blocks on the disk.
    pub(crate) fn look<T>(&self, mut work: impl FnMut(&dyn Snapshot) -> Result<T, ViewError>) -> Result<T, ViewError> {
        let mut seen = None;
        self.view.look(&mut |snapshot| {
            seen = Some(work(snapshot)?);
            Ok(())
        })?;
        seen.ok_or_else(|| ViewError::Damaged("the ledger was not looked at".to_owned()))
    }

    /// Checks a part of the ledger, in turns with whoever keeps it. Blocks on the disk.
    pub(crate) fn check(&self, from: u64, most: u64) -> Result<(Checked, Head), ViewError> {
        check_in_turns(&*self.view, from, most)
    }

    fn log(&self) -> Result<&str, Fault> {
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let log = self.look(|snapshot| Ok(snapshot.head().verifier.to_vkey()))?;
        Ok(self.log.get_or_init(|| log))
    }

    /// Adds what is new, for about so long, unless nothing came for a while. Blocks on the disk.
    pub(crate) fn follow(&self, budget: Duration) -> Result<(), Fault> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.left > 0 {
            pace.left -= 1;
            return Ok(());
        }
        let before = self.index.indexed(self.log()?).map_err(Fault::unavailable)?;
        self.catch_up(budget)?;
        let is_news = self.index.indexed(self.log()?).map_err(Fault::unavailable)? != before;
        pace.leave_out = if is_news { 0 } else { (pace.leave_out * 2 + 1).min(MOST_LEFT_OUT) };
        pace.left = pace.leave_out;
        Ok(())
    }

    /// Adds what is new, for about so long. Whether that was all. Blocks on the disk.
    pub(crate) fn catch_up(&self, budget: Duration) -> Result<bool, Fault> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + budget;
        let log = self.log()?;
        loop {
            let mut from = self.index.indexed(log).map_err(Fault::unavailable)?;
            let (mut size, mut records) = self.read(from)?;
            if from > size {
                // The ledger has become shorter: an older copy of it was put back.
                self.index.indexed("").map_err(Fault::unavailable)?;
                from = self.index.indexed(log).map_err(Fault::unavailable)?;
                (size, records) = self.read(from)?;
            }
            let end = from.saturating_add(i64::try_from(records.len()).unwrap_or(i64::MAX));
            if !records.is_empty() {
                self.index.add(log, from, &records).map_err(Fault::unavailable)?;
            }
            if end >= size || records.is_empty() {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// How many events there are, and those from `from` on, as far as a batch reaches.
    fn read(&self, from: i64) -> Result<(i64, Vec<Record>), Fault> {
        let (size, leaves) = self.look(|snapshot| {
            let Head { checkpoint, .. } = snapshot.head();
            let mut leaves: Vec<Vec<u8>> = Vec::new();
            let mut next = u64::try_from(from).unwrap_or_default();
            while next < checkpoint.size && leaves.len() < BATCH {
                let more = snapshot.leaves(next)?;
                if more.is_empty() {
                    break;
                }
                next += u64::try_from(more.len()).unwrap_or_default();
                leaves.extend(more);
            }
            Ok((i64::try_from(checkpoint.size).unwrap_or(i64::MAX), leaves))
        })?;
        let records = (from..).zip(&leaves).map(|(position, leaf)| Record::of(position, leaf)).collect();
        Ok((size, records))
    }
}
