//! One round of folding journals into the tree, under its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};

use super::edge::{Edge, EdgeError};
use super::error::LedgerError;
use super::files::{self, Store, during, remove_tile};
use super::integrate::Integrator;
use super::lines::{self, LineError, Lines, MAX_LINE};
use super::lock::TreeLock;
use super::recovery::recovery_leaf;
use super::state::{Mark, State, Status};
use super::{JOURNAL_DIR, QUARANTINE_DIR};
use crate::tiles::{self, TILE_DIR};

/// How many bytes of journals one round reads at most: a bound on memory and on how long the lock is held.
const ROUND_BYTES: u64 = 1 << 20;
/// The same where every round must reach the disk, several times, and each time in the way of the calls that wait for it.
const SYNCED_ROUND_BYTES: u64 = 8 << 20;

/// What a round has done.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Whether there is more to do at once.
    pub(crate) more: bool,
    /// Journals that cannot be read on.
    pub(crate) problems: Vec<LedgerError>,
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
pub(super) struct Fold<'i> {
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

impl<'i> Fold<'i> {
    /// Begins a round on the tree of `state`. `store` may have written already; `lock` is held until the round ends.
    pub(super) fn new(integrator: &'i Integrator, state: State, store: Store, lock: TreeLock) -> Self {
        Self {
            integrator,
            old_size: state.size,
            present: BTreeSet::new(),
            state,
            store,
            lock,
            edge: None,
            budget: if integrator.syncs() { SYNCED_ROUND_BYTES } else { ROUND_BYTES },
            changed: false,
            remove: Vec::new(),
            set_aside: Vec::new(),
            round: Round::default(),
        }
    }

    /// Folds all the journals that there are, in this order.
    pub(super) fn run(mut self, journals: &[String]) -> Result<Round, LedgerError> {
        self.present = journals.iter().cloned().collect();
        for name in journals {
            self.journal(name)?;
        }
        self.missing()?;
        self.commit()
    }

    /// Appends a leaf. The first one marks the tree as being changed.
    fn push(&mut self, leaf: &[u8]) -> Result<(), LedgerError> {
        if self.edge.is_none() {
            let root = self.integrator.root();
            let damaged = |reason: String| LedgerError::Damaged { file: root.join(TILE_DIR), reason };
            let edge = Edge::load(root, self.old_size).map_err(|error| match error {
                EdgeError::File(error) => error.into(),
                EdgeError::Damaged(file) => damaged(format!("`{file}` is not a good tile")),
            })?;
            if edge.root() != self.state.root {
                return Err(damaged("the tiles do not have the root that was signed".to_owned()));
            }
            self.lock.mark(self.integrator.syncs()).map_err(during("mark", root))?;
            self.edge = Some(edge);
        }
        if let Some(edge) = &mut self.edge {
            edge.push(&mut self.store, leaf)?;
        }
        self.changed = true;
        Ok(())
    }

    fn recovered(&mut self, journal: &str, detail: &str) -> Result<(), LedgerError> {
        let leaf = recovery_leaf(self.integrator.root(), journal, detail)?;
        self.push(&leaf)
    }

    fn set(&mut self, name: &str, mark: Mark) {
        self.state.journals.insert(name.to_owned(), mark);
        self.changed = true;
    }

    /// Folds one journal as far as it goes.
    fn journal(&mut self, name: &str) -> Result<(), LedgerError> {
        let path = self.integrator.root().join(JOURNAL_DIR).join(name);
        let genesis = lines::genesis(self.integrator.origin(), name);
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
        let mut file = match files::open_regular(&path) {
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
        if used > 0 && self.integrator.syncs() {
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
                Status::Broken if self.integrator.root().join(QUARANTINE_DIR).join(&name).exists() => continue,
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
            self.store.note(&self.integrator.root().join(JOURNAL_DIR).join(&name));
        }
        Ok(())
    }

    fn commit(mut self) -> Result<Round, LedgerError> {
        let root = self.integrator.root();
        if self.changed {
            if let Some(edge) = &mut self.edge {
                edge.write_partials(&mut self.store)?;
                self.state.size = edge.size();
                self.state.root = edge.root();
            } else {
                self.lock.mark(self.integrator.syncs()).map_err(during("mark", root))?;
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
