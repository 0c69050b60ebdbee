//! Verification of a whole ledger, from its files alone.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

mod fault;
mod journals;
mod tree;

pub use fault::{Fault, VerifyError};

use crate::checkpoint::Checkpoint;
use crate::json::Object;
use crate::ledger::lock::{LOCK_FILE, TreeLock};
use crate::ledger::state::{State, key_name};
use crate::ledger::{CHECKPOINT_FILE, JOURNAL_DIR, QUARANTINE_DIR, STATE_FILE, VKEY_FILE, files};
use crate::merkle::{self, Hash};
use crate::note::Verifier;
use crate::tile_source::TileSource;
use crate::tiles::{TILE_DIR, is_tile_path};
use fault::at;

const PATIENCE: Duration = Duration::from_secs(5);

/// What else to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions<'o> {
    /// An earlier checkpoint of the ledger, as it was kept elsewhere: the ledger must be an extension of it.
    pub checkpoint: Option<&'o [u8]>,
    /// The log's verifier key, as it was kept elsewhere. Without it the ledger's own is believed.
    pub vkey: Option<&'o str>,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// The key that signed the head.
    pub vkey: String,
    /// How many events the head covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// How many more stand in journals: chained, but not yet under a signature.
    pub pending: u64,
    /// How many events of each type there are, pending ones included.
    pub events: BTreeMap<String, u64>,
    /// The size of the earlier checkpoint that the ledger extends, if one was given.
    pub extends: Option<u64>,
}

impl Report {
    /// The report as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        let mut o = Object::open(&mut out);
        let events = o.key("events");
        events.push(b'{');
        for (number, (name, count)) in self.events.iter().enumerate() {
            if number > 0 {
                events.push(b',');
            }
            crate::json::string(events, name);
            events.extend_from_slice(format!(":{count}").as_bytes());
        }
        events.push(b'}');
        if let Some(extends) = self.extends {
            o.number("extends", extends);
        }
        o.text("origin", &self.origin, usize::MAX);
        o.number("pending", self.pending);
        o.word("root", &STANDARD.encode(self.root));
        o.number("size", self.size);
        o.text("vkey", &self.vkey, usize::MAX);
        o.close();
        String::from_utf8(out).unwrap_or_default()
    }

    fn count(&mut self, event_type: String) {
        *self.events.entry(event_type).or_default() += 1;
    }
}

/// Whether an update of the tree has ended. The mark that says so is not signed, so it excuses nothing that is signed:
/// it only lets stand what an interrupted update leaves beside that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Update {
    Ended,
    Interrupted,
}

/// Verifies a ledger: its key, head and state; every entry, tile and level; the canonical form of every event; what
/// is pending in journals; and that there is nothing else. A ledger that others are writing to can be verified too.
///
/// # Errors
/// The first fault, with the file and the place in it. [`Fault::Interrupted`] comes last, after everything else was found
/// good, and has the report.
pub fn verify(dir: &Path, options: &VerifyOptions<'_>) -> Result<Report, VerifyError> {
    verify_each(dir, options, &mut |_| {})
}

/// The same, and gives every event to `each`, in the ledger's order: those of one session stand in the order in which they
/// were recorded. They are verified only once this has returned: until then they are not to be believed.
///
/// # Errors
/// As [`verify`].
pub fn verify_each(
    dir: &Path,
    options: &VerifyOptions<'_>,
    each: &mut dyn FnMut(&[u8]),
) -> Result<Report, VerifyError> {
    let lock = lock(dir)?;
    let marked = lock.as_ref().map_or(Ok(false), TreeLock::is_marked).map_err(at(LOCK_FILE))?;
    let update = if marked { Update::Interrupted } else { Update::Ended };
    let verifier = verifier_key(dir, options.vkey)?;
    let checkpoint = read(dir, CHECKPOINT_FILE)?;
    let published = Checkpoint::open(&checkpoint, &verifier).map_err(at(CHECKPOINT_FILE))?;
    let state_note = read(dir, STATE_FILE)?;
    let state = State::open(&state_note, &verifier.renamed(&key_name(verifier.name()))).map_err(at(STATE_FILE))?;
    let head = state.checkpoint(&published.origin);
    // The state is written first, so an update that was interrupted may have left the checkpoint behind.
    let behind = update == Update::Interrupted && published.size < head.size;
    if head != published && !behind {
        let differ = Fault::HeadsDiffer { state: state.size, checkpoint: published.size };
        return Err(VerifyError::new(CHECKPOINT_FILE, differ));
    }
    no_others(dir, head.size, update)?;
    let mut report = Report {
        origin: head.origin.clone(),
        vkey: verifier.to_vkey(),
        size: head.size,
        root: head.root,
        pending: 0,
        events: BTreeMap::new(),
        extends: None,
    };
    let mut events = tree::Events::new(each);
    tree::check(dir, &head, &mut report, &mut events)?;
    if behind {
        extends(dir, &head, &checkpoint, &verifier)?;
    }
    journals::check(dir, &head.origin, &state, update, &mut report, &mut events)?;
    if let Some(earlier) = options.checkpoint {
        report.extends = Some(extends(dir, &head, earlier, &verifier)?);
    }
    match update {
        Update::Ended => Ok(report),
        Update::Interrupted => Err(VerifyError::new(LOCK_FILE, Fault::Interrupted(Box::new(report)))),
    }
}

fn lock(dir: &Path) -> Result<Option<TreeLock>, VerifyError> {
    match TreeLock::shared(dir, PATIENCE) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(VerifyError::new(LOCK_FILE, Fault::Busy)),
        // A copy without a lock file is one that nobody writes to.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(LOCK_FILE)(error)),
    }
}

fn read(dir: &Path, file: &str) -> Result<Vec<u8>, VerifyError> {
    files::read_regular(&dir.join(file)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => VerifyError::new(file, Fault::Missing),
        _ => at(file)(error),
    })
}

fn verifier_key(dir: &Path, pinned: Option<&str>) -> Result<Verifier, VerifyError> {
    let bytes = read(dir, VKEY_FILE)?;
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let bad = || VerifyError::new(VKEY_FILE, Fault::BadKey);
    let verifier = Verifier::parse(text.ok_or_else(bad)?).map_err(|_| bad())?;
    if pinned.is_some_and(|pinned| pinned.trim() != verifier.to_vkey()) {
        return Err(VerifyError::new(VKEY_FILE, Fault::OtherKey));
    }
    Ok(verifier)
}

/// Nothing may lie in the directory that verification does not look at, except tiles of an update that was interrupted:
/// those that nothing refers to yet, those that nothing refers to any more, and drafts.
fn no_others(dir: &Path, size: u64, update: Update) -> Result<(), VerifyError> {
    let expected = crate::tiles::all_files(size);
    let mut found = Vec::new();
    files::walk(dir, "", &mut found).map_err(at("."))?;
    found.sort();
    for (path, plain) in found {
        let top = path.split('/').next().unwrap_or_default();
        let left_over = |path: &str| {
            let draft = path.strip_suffix(".new").is_some_and(|name| [CHECKPOINT_FILE, STATE_FILE].contains(&name));
            update == Update::Interrupted && (draft || is_tile_path(path))
        };
        let known = match top {
            CHECKPOINT_FILE | STATE_FILE | VKEY_FILE | LOCK_FILE => top == path,
            TILE_DIR => expected.contains_key(&path) || left_over(&path),
            // Looked at one by one later on.
            JOURNAL_DIR => true,
            QUARANTINE_DIR => return Err(VerifyError::new(&path, Fault::Quarantined)),
            _ => left_over(&path),
        };
        if !known || !plain {
            return Err(VerifyError::new(&path, Fault::Unexpected));
        }
    }
    Ok(())
}

/// Checks that the ledger begins with what an earlier checkpoint covers. The tiles have been verified before.
fn extends(dir: &Path, head: &Checkpoint, earlier: &[u8], verifier: &Verifier) -> Result<u64, VerifyError> {
    const GIVEN: &str = "(the earlier checkpoint)";
    let earlier = Checkpoint::open(earlier, verifier).map_err(at(GIVEN))?;
    if earlier.size > head.size {
        return Err(VerifyError::new(CHECKPOINT_FILE, Fault::RolledBack { earlier: earlier.size, now: head.size }));
    }
    let source = TileSource::new(dir, head.size);
    let path = crate::proof::consistency(&source, earlier.size, head.size).map_err(at(TILE_DIR))?;
    let root = merkle::root(&source, earlier.size).map_err(at(TILE_DIR))?;
    let proven = crate::proof::verify_consistency(earlier.size, &earlier.root, head.size, &head.root, &path);
    if root != earlier.root || !proven {
        return Err(VerifyError::new(CHECKPOINT_FILE, Fault::NotAnExtension { earlier: earlier.size }));
    }
    Ok(earlier.size)
}

/// Whether a journal's writer is alive.
fn is_live(file: &File) -> std::io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
