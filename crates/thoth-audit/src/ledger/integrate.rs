//! Folding journals into the tree, exactly once.
//!
//! The order of steps is what makes a crash harmless at every instant. New tiles never replace a file that the
//! current state refers to; renaming `state` is the one commit; everything after it (checkpoint, removal of what is
//! superseded) is repeated by the next round when the mark in the lock file says that it was interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thoth_types::{Mode, ServerName, SessionId};

use super::edge::{Edge, EdgeError};
use super::error::LedgerError;
use super::files::{self, Store, during};
use super::lines::{self, LineError, Lines, MAX_LINE};
use super::lock::TreeLock;
use super::state::{Mark, State, Status, key_name};
use super::{CHECKPOINT_FILE, JOURNAL_DIR, QUARANTINE_DIR, STATE_FILE};
use crate::event::{Event, EventType, SessionFields};
use crate::keys::LedgerKeys;
use crate::note::{Signer, Verifier};
use crate::tiles::{self, TILE_DIR};

/// How many bytes of journals one round reads at most: a bound on memory and on how long the lock is held.
const ROUND_BYTES: u64 = 1 << 20;
/// The same where every round must reach the disk, several times, and each time in the way of the calls that wait for it.
const SYNCED_ROUND_BYTES: u64 = 8 << 20;

/// Whether a file in the journal directory is a journal: `<32 hex digits>-<6 digits>.jsonl`.
pub(crate) fn is_journal(name: &str) -> bool {
    let Some((id, sequence)) = name.strip_suffix(".jsonl").and_then(|stem| stem.split_once('-')) else { return false };
    id.len() == 32
        && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && sequence.len() == 6
        && sequence.bytes().all(|b| b.is_ascii_digit())
}

/// Writes the tree of one ledger.
#[derive(Debug)]
pub(crate) struct Integrator {
    root: PathBuf,
    origin: String,
    signer: Signer,
    state_signer: Signer,
    state_verifier: Verifier,
    sync: bool,
}

/// What a round has done.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Whether there is more to do at once.
    pub(crate) more: bool,
    /// Journals that cannot be read on.
    pub(crate) problems: Vec<LedgerError>,
}

impl Integrator {
    pub(crate) fn new(root: PathBuf, origin: String, keys: &LedgerKeys, sync: bool) -> Result<Self, LedgerError> {
        let signer = |name: &str| {
            Signer::new(name, keys.seed.expose_secret())
                .map_err(|source| LedgerError::Unsigned { file: root.join(super::VKEY_FILE), source: source.into() })
        };
        let (checkpoint, state) = (signer(&origin)?, signer(&key_name(&origin))?);
        let state_verifier = state.verifier();
        Ok(Self { signer: checkpoint, state_signer: state, state_verifier, root, origin, sync })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn verifier(&self) -> Verifier {
        self.signer.verifier()
    }

    pub(crate) fn read_state(&self) -> Result<State, LedgerError> {
        let file = self.root.join(STATE_FILE);
        let bytes = files::read_regular(&file).map_err(during("read", &file))?;
        State::open(&bytes, &self.state_verifier).map_err(|source| LedgerError::Unsigned { file, source })
    }

    /// Writes `state` and `checkpoint` of a tree.
    pub(crate) fn commit(&self, store: &mut Store, state: &State) -> Result<(), LedgerError> {
        store.sync_directories()?;
        store.replace(STATE_FILE, state.sign(self.state_signer_name(), &self.state_signer).as_bytes())?;
        self.publish(store, state)
    }

    fn publish(&self, store: &mut Store, state: &State) -> Result<(), LedgerError> {
        Ok(store.replace(CHECKPOINT_FILE, state.checkpoint(&self.origin).sign(&self.signer).as_bytes())?)
    }

    fn state_signer_name(&self) -> &str {
        self.state_verifier.name()
    }

    /// Folds what there is, the journals of writer `first` before the others. `None` when somebody else holds the
    /// lock for longer than `patience`.
    pub(crate) fn round(&self, first: &str, patience: Duration) -> Result<Option<Round>, LedgerError> {
        let lock = TreeLock::exclusive(&self.root, patience).map_err(during("lock", &self.root))?;
        let Some(mut lock) = lock else { return Ok(None) };
        let state = self.read_state()?;
        let mut store = Store::new(self.root.clone(), self.sync);
        if lock.is_marked().map_err(during("read", &self.root))? {
            self.clean(&mut store, &state)?;
            lock.unmark().map_err(during("unmark", &self.root))?;
        }
        let mut names = self.journals()?;
        names.sort_by_key(|name| (!name.starts_with(first), name.clone()));
        let mut fold = Fold {
            integrator: self,
            old_size: state.size,
            present: names.iter().cloned().collect(),
            state,
            store,
            lock,
            edge: None,
            budget: if self.sync { SYNCED_ROUND_BYTES } else { ROUND_BYTES },
            changed: false,
            remove: Vec::new(),
            set_aside: Vec::new(),
            round: Round::default(),
        };
        for name in &names {
            fold.journal(name)?;
        }
        fold.missing()?;
        fold.commit().map(Some)
    }

    /// The journals that exist. Drafts of journals whose makers have died are removed.
    fn journals(&self) -> Result<Vec<String>, LedgerError> {
        let dir = self.root.join(JOURNAL_DIR);
        let mut names = Vec::new();
        for entry in fs::read_dir(&dir).map_err(during("list", &dir))? {
            let entry = entry.map_err(during("list", &dir))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_journal(&name) {
                names.push(name);
            } else if name.strip_suffix(".new").is_some_and(is_journal) {
                // Its maker retries if this happens before it has the lock.
                if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
                    files::remove(&entry.path()).map_err(during("remove", &entry.path()))?;
                }
            }
        }
        Ok(names)
    }

    /// Undoes or completes an interrupted integration.
    fn clean(&self, store: &mut Store, state: &State) -> Result<(), LedgerError> {
        let expected = tiles::all_files(state.size);
        let mut found = Vec::new();
        files::walk(&self.root, TILE_DIR, &mut found).map_err(during("list", &self.root.join(TILE_DIR)))?;
        let drafts = [CHECKPOINT_FILE, STATE_FILE].map(|name| (format!("{name}.new"), true));
        for (path, _) in found.into_iter().filter(|(path, _)| !expected.contains_key(path)).chain(drafts) {
            remove_tile(&self.root.join(path))?;
        }
        self.publish(store, state)
    }

    /// A leaf that says what was repaired.
    fn recovery_leaf(&self, journal: &str, detail: &str) -> Result<Vec<u8>, LedgerError> {
        let id = files::random::<16>().map_err(LedgerError::NoRandomness)?;
        let bad = |error: thoth_types::IdError| LedgerError::Damaged {
            file: self.root.join(JOURNAL_DIR).join(journal),
            reason: error.to_string(),
        };
        let session = SessionFields {
            tenant: None,
            user: None,
            endpoint: None,
            agent: None,
            session: format!("ledger:{journal}").parse::<SessionId>().map_err(bad)?,
            server: "ledger".parse::<ServerName>().map_err(bad)?,
            intent: None,
            approved_scope: Vec::new(),
            mode: Mode::Block,
        };
        let event = Event {
            event_type: EventType::LedgerRecovered,
            event_id: &crate::hex::encode(&id),
            occurred_at: jiff::Timestamp::now(),
            session: &session,
            call: None,
            decision: None,
            outcome: None,
            refusal: None,
            detail: Some(detail),
        };
        let mut leaf = Vec::new();
        event.write_canonical(&mut leaf);
        Ok(leaf)
    }
}

/// Removes a superseded file, and its directory if that was for partial tiles and is now empty.
fn remove_tile(path: &Path) -> Result<(), LedgerError> {
    files::remove(path).map_err(during("remove", path))?;
    if let Some(parent) = path.parent().filter(|p| p.extension().is_some_and(|e| e == "p")) {
        match fs::remove_dir(parent) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                return Err(during("remove", parent)(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Where reading a journal ended.
struct End {
    /// Whether its writer is gone.
    dead: bool,
    /// Whether all that it holds was read.
    whole: bool,
    /// How long it is.
    length: u64,
}

/// One round under the lock.
struct Fold<'i> {
    integrator: &'i Integrator,
    old_size: u64,
    present: BTreeSet<String>,
    state: State,
    store: Store,
    lock: TreeLock,
    edge: Option<Edge>,
    budget: u64,
    changed: bool,
    remove: Vec<String>,
    set_aside: Vec<String>,
    round: Round,
}

impl Fold<'_> {
    /// Appends a leaf. The first one marks the tree as being changed.
    fn push(&mut self, leaf: &[u8]) -> Result<(), LedgerError> {
        if self.edge.is_none() {
            let root = &self.integrator.root;
            let damaged = |reason: String| LedgerError::Damaged { file: root.join(TILE_DIR), reason };
            let edge = Edge::load(root, self.old_size).map_err(|error| match error {
                EdgeError::File(error) => error.into(),
                EdgeError::Damaged(file) => damaged(format!("`{file}` is not a good tile")),
            })?;
            if edge.root() != self.state.root {
                return Err(damaged("the tiles do not have the root that was signed".to_owned()));
            }
            self.lock.mark(self.integrator.sync).map_err(during("mark", root))?;
            self.edge = Some(edge);
        }
        if let Some(edge) = &mut self.edge {
            edge.push(&mut self.store, leaf)?;
        }
        self.changed = true;
        Ok(())
    }

    fn recovered(&mut self, journal: &str, detail: &str) -> Result<(), LedgerError> {
        let leaf = self.integrator.recovery_leaf(journal, detail)?;
        self.push(&leaf)
    }

    fn set(&mut self, name: &str, mark: Mark) {
        self.state.journals.insert(name.to_owned(), mark);
        self.changed = true;
    }

    /// Folds one journal as far as it goes.
    fn journal(&mut self, name: &str) -> Result<(), LedgerError> {
        let path = self.integrator.root.join(JOURNAL_DIR).join(name);
        let genesis = lines::genesis(&self.integrator.origin, name);
        let known = self.state.journals.get(name).copied();
        let mut mark = known.unwrap_or(Mark { offset: 0, chain: genesis, status: Status::Open });
        match mark.status {
            // The state was written, and then something ended the round.
            Status::Done => {
                self.remove.push(name.to_owned());
                return Ok(());
            }
            Status::Broken => {
                self.set_aside.push(name.to_owned());
                return Ok(());
            }
            Status::Open => {}
        }
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(during("open", &path))?,
        };
        let dead = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(during("lock", &path)(error).into()),
        };
        // Read after the lock was tried: a dead journal does not grow any more.
        let length = file.metadata().map_err(during("read", &path))?.len();
        if length < mark.offset {
            return self.cut(name, mark, length, dead);
        }
        if length == mark.offset && !dead {
            return Ok(());
        }
        if dead && length == 0 && known.is_none() {
            self.remove.push(name.to_owned());
            return Ok(());
        }
        if self.budget == 0 {
            self.round.more = true;
            return Ok(());
        }
        let longest = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(mark.offset)).map_err(during("read", &path))?;
        let limit = self.budget.max(longest).min(length - mark.offset);
        file.by_ref().take(limit).read_to_end(&mut bytes).map_err(during("read", &path))?;
        let mut lines = Lines::new(&bytes, mark.chain);
        let mut fault = None;
        while let Some(line) = lines.next_leaf() {
            match line {
                Ok(leaf) => self.push(leaf)?,
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        let (used, chain) = lines.boundary();
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.budget = self.budget.saturating_sub(wide(used));
        let whole = mark.offset + wide(bytes.len()) == length;
        mark.offset += wide(used);
        mark.chain = chain;
        if used > 0 && self.integrator.sync {
            file.sync_data().map_err(during("sync", &path))?;
        }
        self.settle(name, &mut mark, fault, &End { dead, whole, length })?;
        if known != Some(mark) && (used > 0 || mark.status != Status::Open) {
            self.set(name, mark);
        }
        Ok(())
    }

    /// Decides what becomes of a journal after what could be read of it was read.
    fn settle(&mut self, name: &str, mark: &mut Mark, fault: Option<LineError>, end: &End) -> Result<(), LedgerError> {
        match fault {
            Some(source) if end.dead => {
                let detail = format!(
                    "journal {name} is damaged at byte {}: {source}; {} bytes are set aside in {QUARANTINE_DIR}/{name}",
                    mark.offset,
                    end.length - mark.offset
                );
                mark.status = Status::Broken;
                self.recovered(name, &detail)?;
                self.set_aside.push(name.to_owned());
                let offset = mark.offset;
                self.round.problems.push(LedgerError::Journal { journal: name.to_owned(), offset, source });
            }
            Some(source) => {
                let offset = mark.offset;
                self.round.problems.push(LedgerError::Journal { journal: name.to_owned(), offset, source });
            }
            None if end.dead && end.whole => {
                if mark.offset < end.length {
                    let dropped = end.length - mark.offset;
                    let detail = format!(
                        "journal {name} ended in a torn write at byte {}: {dropped} bytes dropped",
                        mark.offset
                    );
                    self.recovered(name, &detail)?;
                }
                mark.status = Status::Done;
                self.remove.push(name.to_owned());
            }
            // Nothing more in this round: the writer's next segment must not overtake the rest of this one.
            None if !end.whole => {
                self.round.more = true;
                self.budget = 0;
            }
            None => {}
        }
        Ok(())
    }

    /// A journal that is shorter than what was read from it. After a power failure that happens in process mode;
    /// what was read is in the tree.
    fn cut(&mut self, name: &str, mut mark: Mark, length: u64, dead: bool) -> Result<(), LedgerError> {
        let offset = mark.offset;
        if !dead {
            self.round.problems.push(LedgerError::JournalCut { journal: name.to_owned(), offset });
            return Ok(());
        }
        let detail = format!("journal {name} was cut to {length} bytes after {offset} bytes of it had been recorded");
        self.recovered(name, &detail)?;
        mark.status = Status::Done;
        self.set(name, mark);
        self.remove.push(name.to_owned());
        Ok(())
    }

    /// Journals that the state knows and that are gone.
    fn missing(&mut self) -> Result<(), LedgerError> {
        let gone: BTreeMap<String, Mark> = self
            .state
            .journals
            .iter()
            .filter(|(name, _)| !self.present.contains(*name))
            .map(|(name, mark)| (name.clone(), *mark))
            .collect();
        for (name, mark) in gone {
            match mark.status {
                Status::Done => {}
                Status::Broken if self.integrator.root.join(QUARANTINE_DIR).join(&name).exists() => continue,
                Status::Broken => {
                    let detail = format!("the damaged journal {name} was taken out of {QUARANTINE_DIR}");
                    self.recovered(&name, &detail)?;
                }
                Status::Open => {
                    let detail = format!("journal {name} vanished after {} bytes of it had been recorded", mark.offset);
                    self.recovered(&name, &detail)?;
                }
            }
            self.state.journals.remove(&name);
            // Its removal must last, or it would be read again from its start.
            self.store.note(&self.integrator.root.join(JOURNAL_DIR).join(&name));
        }
        Ok(())
    }

    fn commit(mut self) -> Result<Round, LedgerError> {
        let root = &self.integrator.root;
        if self.changed {
            if let Some(edge) = &mut self.edge {
                edge.write_partials(&mut self.store)?;
                self.state.size = edge.size();
                self.state.root = edge.root();
            } else {
                self.lock.mark(self.integrator.sync).map_err(during("mark", root))?;
            }
            self.integrator.commit(&mut self.store, &self.state)?;
            let current = tiles::partials(self.state.size);
            for tile in tiles::partials(self.old_size).into_iter().filter(|tile| !current.contains(tile)) {
                remove_tile(&root.join(tile.path()))?;
            }
        }
        for name in &self.set_aside {
            let (from, to) = (root.join(JOURNAL_DIR).join(name), root.join(QUARANTINE_DIR).join(name));
            files::create_private_dir(&root.join(QUARANTINE_DIR)).map_err(during("create", &to))?;
            fs::rename(&from, &to).map_err(during("set aside", &from))?;
            self.store.note(&to);
            self.store.note(&from);
        }
        for name in &self.remove {
            let path = root.join(JOURNAL_DIR).join(name);
            files::remove(&path).map_err(during("remove", &path))?;
            self.store.note(&path);
        }
        self.store.sync_directories()?;
        if self.changed {
            self.lock.unmark().map_err(during("unmark", root))?;
        }
        Ok(self.round)
    }
}
