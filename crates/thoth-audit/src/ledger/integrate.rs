//! Folding journals into the tree, exactly once.
//!
//! The order of steps is what makes a crash harmless at every instant. New tiles never replace a file that the
//! current state refers to; renaming `state` is the one commit; everything after it (checkpoint, removal of what is
//! superseded) is repeated by the next round when the mark in the lock file says that it was interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::LedgerError;
use super::files::{self, Store, during, remove_tile};
use super::fold::{Fold, Round};
use super::journal_name::is_journal;
use super::lock::TreeLock;
use super::state::{State, key_name};
use super::{CHECKPOINT_FILE, JOURNAL_DIR, STATE_FILE};
use crate::keys::LedgerKeys;
use crate::note::{Signer, Verifier};
use crate::tiles::{self, TILE_DIR};

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

    /// Whether what is written must reach the disk before it is referred to.
    pub(super) const fn syncs(&self) -> bool {
        self.sync
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
        Fold::new(self, state, store, lock).run(&names).map(Some)
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
                if files::open_regular(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
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
}
