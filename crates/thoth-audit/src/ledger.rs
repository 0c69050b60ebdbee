//! The ledger as files: journals that are appended to before an effect, and the tree that they are folded into.
//!
//! Layout of the directory (0700, files 0600): `log.vkey`, the public key and with it the log's name; `checkpoint`,
//! the signed head; `tile/`, the tree as C2SP tlog-tiles lays it out; `state`, what the tree contains and how far
//! into each journal that reaches; `journal/`, one file per open writer; `quarantine/`, journals that are damaged;
//! `integrate.lock`. Unlike a public log, a ledger keeps only the newest partial tiles.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use thoth_types::json::{Limits, Tape};

mod copy;
pub(crate) mod edge;
mod error;
#[cfg(test)]
mod fault_tests;
pub(crate) mod files;
mod fold;
mod integrate;
mod journal;
pub(crate) mod journal_name;
pub(crate) mod lines;
pub(crate) mod lock;
mod recovery;
mod snapshot;
pub(crate) mod state;
mod worker;

pub use copy::LedgerCopy;
pub use error::LedgerError;
pub use files::FileError;
pub use lines::LineError;
pub use snapshot::snapshot;

use crate::event::Event;
use crate::keys::LedgerKeys;
use crate::note::Verifier;
use crate::tiles::{MAX_ENTRY_BYTES, TILE_DIR};
use files::{Store, during};
use integrate::Integrator;
use journal::Journal;
use lock::{LOCK_FILE, TreeLock, give_way};
use state::State;
use worker::Signals;

/// The signed head of the tree.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// The public key.
pub const VKEY_FILE: &str = "log.vkey";
pub(crate) const STATE_FILE: &str = "state";
pub(crate) const JOURNAL_DIR: &str = "journal";
pub(crate) const QUARANTINE_DIR: &str = "quarantine";

/// How long opening and closing wait for another process that has the tree locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many rounds closing spends on what others have left, at about a megabyte each.
const CLOSING_ROUNDS: u32 = 64;

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The operating system has the bytes: they survive the death of any or all of our processes.
    #[default]
    Process,
    /// The disk has them: they survive a power failure too.
    Power,
}

/// Settings of an open ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct LedgerOptions {
    /// What an append waits for.
    pub durability: Durability,
}

/// A batch of events in canonical bytes, to be appended together.
#[derive(Debug, Clone, Default)]
pub struct Leaves {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Leaves {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    /// Adds an event.
    pub fn push(&mut self, event: &Event<'_>) {
        /// About what a call's record takes without its arguments.
        const TYPICAL: usize = 1536;
        self.bytes.reserve(TYPICAL);
        event.write_canonical(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Adds the bytes of an event that was written elsewhere.
    ///
    /// # Errors
    /// When they are not the RFC 8785 form of a JSON object: such a ledger would not verify.
    pub fn push_canonical(&mut self, leaf: &[u8]) -> Result<(), LedgerError> {
        let mut tape = Tape::new();
        let value = tape.parse(leaf, &Limits::default()).map_err(|_| LedgerError::NotCanonical)?;
        let start = self.bytes.len();
        crate::canonical::jcs(value, &mut self.bytes);
        if !value.is_object() || self.bytes.get(start..) != Some(leaf) {
            self.bytes.truncate(start);
            return Err(LedgerError::NotCanonical);
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many events there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The events' bytes in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}

/// An open ledger. Any number of threads may append to it, and any number of processes may have it open.
pub struct Ledger {
    integrator: Arc<Integrator>,
    journal: Journal,
    signals: Arc<Signals>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({:?})", self.integrator.root())
    }
}

impl Ledger {
    /// Whether these keys could open the ledger in a directory; nothing is written. Where there is none yet, any could.
    ///
    /// # Errors
    /// As [`Self::open`], for what can be told without writing: [`LedgerError::WrongKey`] where the ledger is another
    /// key's.
    pub fn check_key(dir: &Path, keys: &LedgerKeys) -> Result<(), LedgerError> {
        let Some(verifier) = read_vkey(dir)? else { return Ok(()) };
        let integrator = Integrator::new(dir.to_owned(), verifier.name().to_owned(), keys, false)?;
        if integrator.verifier() == verifier {
            return Ok(());
        }
        Err(LedgerError::WrongKey { dir: dir.to_owned(), key: keys.file.clone() })
    }

    /// Opens the ledger in a directory, and creates it when there is none. What other processes left behind when
    /// they died is repaired in the background.
    ///
    /// # Errors
    /// When the directory cannot be written, holds something else, or belongs to another key.
    pub fn open(dir: &Path, keys: &LedgerKeys, options: LedgerOptions) -> Result<Self, LedgerError> {
        let sync = options.durability == Durability::Power;
        let origin = match read_vkey(dir)? {
            Some(verifier) => verifier.name().to_owned(),
            None => create(dir, keys, sync)?,
        };
        Self::check_key(dir, keys)?;
        let integrator = Arc::new(Integrator::new(dir.to_owned(), origin, keys, sync)?);
        let others = left_overs(dir)?;
        let journal = Journal::create(Arc::clone(&integrator), options.durability)?;
        let signals = Arc::new(Signals::default());
        let worker = worker::start(Arc::clone(&integrator), Arc::clone(&signals), journal.writer_id().to_owned())?;
        if others {
            signals.hurry();
        }
        Ok(Self { integrator, journal, signals, worker: Mutex::new(Some(worker)) })
    }

    /// Appends a batch. When this returns, all of it is as durable as the ledger's [`Durability`] says.
    ///
    /// # Errors
    /// When it could not be written: then the effect that it is evidence for must not happen. The batch is not in
    /// the ledger, except perhaps its first events, if another process was just reading them.
    pub fn append(&self, leaves: &Leaves) -> Result<(), LedgerError> {
        self.appended(leaves, Journal::append)
    }

    /// Appends a batch without waiting for the disk, whatever the ledger's [`Durability`]: it survives the death of our
    /// processes at once, and a power failure from the next [`Self::append`] or fold on. For records of what has
    /// already happened.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_unsynced(&self, leaves: &Leaves) -> Result<(), LedgerError> {
        self.appended(leaves, Journal::append_unsynced)
    }

    fn appended(
        &self,
        leaves: &Leaves,
        append: impl FnOnce(&Journal, &Leaves) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        if leaves.is_empty() {
            return Ok(());
        }
        if let Some(long) = leaves.iter().map(<[u8]>::len).find(|length| *length > MAX_ENTRY_BYTES) {
            return Err(LedgerError::TooLong(long));
        }
        append(&self.journal, leaves)?;
        self.signals.appended(u64::try_from(leaves.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// The latest problem of the background thread, if it has had one since the last question. Appending goes on
    /// regardless: what the tree lacks stands in the journal.
    pub fn take_problem(&self) -> Option<LedgerError> {
        self.signals.take_problem()
    }

    /// The log's name: `thoth.local/ledger/<128 random bits>`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.integrator.origin()
    }

    /// Folds everything that this ledger has appended into the tree, and lets go of its journal.
    ///
    /// # Errors
    /// When that was not possible. Nothing is lost: the journal stays, and whoever opens the ledger next folds it.
    pub fn close(&self) -> Result<(), LedgerError> {
        self.finish()
    }

    fn finish(&self) -> Result<(), LedgerError> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(worker) = worker else { return Ok(()) };
        self.signals.stop();
        // A panic of the thread has been reported by the panic hook; what it left undone is done below.
        drop(worker.join());
        self.journal.release();
        let mut result = Ok(());
        for number in 0.. {
            let round = self.integrator.round(self.journal.writer_id(), PATIENCE)?;
            let Some(round) = round else { return Err(LedgerError::Busy(self.integrator.root().to_owned())) };
            if let Some(problem) = round.problems.into_iter().next() {
                result = Err(problem);
            }
            // Others may append faster than this can fold; it only has to be finished with its own.
            if !round.more || (number >= CLOSING_ROUNDS && !self.journal.remains()) {
                break;
            }
            give_way();
        }
        result
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Whatever goes wrong here, the journal stays and is folded by whoever opens the ledger next.
        drop(self.finish());
    }
}

pub(crate) fn read_vkey(dir: &Path) -> Result<Option<Verifier>, LedgerError> {
    let file = dir.join(VKEY_FILE);
    let text = match files::read_regular(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(during("read", &file))?,
    };
    let text = std::str::from_utf8(&text).ok();
    let key = text.and_then(|text| text.strip_suffix('\n')).map(Verifier::parse);
    match key {
        Some(Ok(verifier)) => Ok(Some(verifier)),
        _ => Err(LedgerError::Damaged { file, reason: "it is not a verifier key and a newline".to_owned() }),
    }
}

/// Whether there is a ledger in a directory, or what is left of one: another must not be begun over it.
#[must_use]
pub fn is_begun(dir: &Path) -> bool {
    dir.join(VKEY_FILE).symlink_metadata().is_ok() || has_events(dir).is_ok_and(|has| has)
}

/// Whether there are files with events in a directory. An interrupted creation leaves none.
fn has_events(dir: &Path) -> std::io::Result<bool> {
    let mut found = Vec::new();
    for below in [JOURNAL_DIR, TILE_DIR] {
        files::walk(dir, below, &mut found)?;
    }
    Ok(!found.is_empty())
}

/// Whether there is anything that a process has left behind, or another one is at work.
fn left_overs(dir: &Path) -> Result<bool, LedgerError> {
    let journals = dir.join(JOURNAL_DIR);
    let mut entries = std::fs::read_dir(&journals).map_err(during("list", &journals))?;
    let marked = std::fs::metadata(dir.join(LOCK_FILE)).is_ok_and(|lock| lock.len() > 0);
    Ok(marked || entries.next().is_some())
}

/// Creates the files of an empty ledger, unless another process is faster, and returns the log's name.
fn create(dir: &Path, keys: &LedgerKeys, sync: bool) -> Result<String, LedgerError> {
    files::create_private_dir(dir).map_err(during("create the ledger directory", dir))?;
    let lock = TreeLock::exclusive(dir, PATIENCE).map_err(during("lock", &dir.join(LOCK_FILE)))?;
    let _lock = lock.ok_or_else(|| LedgerError::Busy(dir.to_owned()))?;
    if let Some(verifier) = read_vkey(dir)? {
        return Ok(verifier.name().to_owned());
    }
    if has_events(dir).map_err(during("list", dir))? {
        return Err(LedgerError::Headless { dir: dir.to_owned() });
    }
    // What an interrupted creation leaves is overwritten; anything else is not ours.
    let ours =
        [LOCK_FILE, STATE_FILE, CHECKPOINT_FILE, "state.new", "checkpoint.new", "log.vkey.new", JOURNAL_DIR, TILE_DIR];
    for entry in std::fs::read_dir(dir).map_err(during("list", dir))? {
        let name = entry.map_err(during("list", dir))?.file_name();
        if !ours.iter().any(|known| name.as_encoded_bytes() == known.as_bytes()) {
            let found = name.to_string_lossy().into_owned();
            return Err(LedgerError::NotALedger { dir: dir.to_owned(), found });
        }
    }
    let id = files::random::<16>().map_err(LedgerError::NoRandomness)?;
    let origin = format!("thoth.local/ledger/{}", crate::hex::encode(&id));
    let integrator = Integrator::new(dir.to_owned(), origin.clone(), keys, sync)?;
    for below in [JOURNAL_DIR, TILE_DIR] {
        let path = dir.join(below);
        files::create_private_dir(&path).map_err(during("create", &path))?;
    }
    let mut store = Store::new(dir.to_owned(), sync);
    integrator.commit(&mut store, &State::empty())?;
    // The key comes last: a directory that has it is a complete ledger.
    store.replace(VKEY_FILE, format!("{}\n", integrator.verifier().to_vkey()).as_bytes())?;
    Ok(origin)
}
