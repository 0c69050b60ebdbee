//! A ledger that is kept elsewhere, written as a directory of tiles that verifies like any other.

use std::path::Path;

use super::edge::Edge;
use super::files::{self, Store, during};
use super::integrate::Integrator;
use super::state::State;
use super::{JOURNAL_DIR, LedgerError, TILE_DIR, VKEY_FILE};
use crate::keys::LedgerKeys;
use crate::merkle::Hash;

/// A copy that is being written. Only [`Self::finish`] makes it a ledger: before, its key is missing.
#[derive(Debug)]
pub struct LedgerCopy {
    integrator: Integrator,
    store: Store,
    edge: Edge,
}

impl LedgerCopy {
    /// Begins a copy of the ledger `origin`, which these keys sign, in a directory that is empty or not there.
    ///
    /// # Errors
    /// If the directory has anything in it, or cannot be written.
    pub fn create(dir: &Path, origin: &str, keys: &LedgerKeys) -> Result<Self, LedgerError> {
        files::create_private_dir(dir).map_err(during("create the ledger directory", dir))?;
        if let Some(entry) = std::fs::read_dir(dir).map_err(during("list", dir))?.next() {
            let found = entry.map_err(during("list", dir))?.file_name().to_string_lossy().into_owned();
            return Err(LedgerError::NotALedger { dir: dir.to_owned(), found });
        }
        for below in [JOURNAL_DIR, TILE_DIR] {
            let path = dir.join(below);
            files::create_private_dir(&path).map_err(during("create", &path))?;
        }
        let integrator = Integrator::new(dir.to_owned(), origin.to_owned(), keys, true)?;
        let damaged = |error: super::edge::EdgeError| LedgerError::Damaged {
            file: dir.join(TILE_DIR),
            reason: error.to_string(),
        };
        let edge = Edge::load(dir, 0).map_err(damaged)?;
        Ok(Self { integrator, store: Store::new(dir.to_owned(), true), edge })
    }

    /// Appends the bytes of an event.
    ///
    /// # Errors
    /// If it is too long, or cannot be written.
    pub fn push(&mut self, leaf: &[u8]) -> Result<(), LedgerError> {
        Ok(self.edge.push(&mut self.store, leaf)?)
    }

    /// How many events it has, and the root over them.
    #[must_use]
    pub fn head(&self) -> (u64, Hash) {
        (self.edge.size(), self.edge.root())
    }

    /// Writes the signed head, and the public key last.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> Result<(), LedgerError> {
        self.edge.write_partials(&mut self.store)?;
        let state = State { size: self.edge.size(), root: self.edge.root(), ..State::empty() };
        self.integrator.commit(&mut self.store, &state)?;
        let vkey = format!("{}\n", self.integrator.verifier().to_vkey());
        self.store.replace(VKEY_FILE, vkey.as_bytes())?;
        Ok(self.store.sync_directories()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{VerifyOptions, verify};

    /// Defends: a copy verifies at the sizes at which tiles begin and end, half a copy is no ledger, and nothing that is
    /// there already is written over.
    #[test]
    fn a_copy_verifies() {
        let home = tempfile::tempdir().unwrap();
        let keys = LedgerKeys::new([1; 32], [2; 32]);
        for size in [0, 1, 255, 256, 257, 600] {
            let dir = home.path().join(size.to_string());
            let mut copy = LedgerCopy::create(&dir, "thoth.local/ledger/copy", &keys).unwrap();
            for number in 0..size {
                copy.push(format!(r#"{{"eventType":"TOOL_CALL_PRE","n":{number}}}"#).as_bytes()).unwrap();
            }
            let (_, root) = copy.head();
            assert!(verify(&dir, &VerifyOptions::default()).is_err(), "{size}: before its end");
            copy.finish().unwrap();
            let report = verify(&dir, &VerifyOptions::default()).unwrap();
            assert_eq!((report.size, report.root, report.pending), (size, root, 0));
            let again = LedgerCopy::create(&dir, "thoth.local/ledger/copy", &keys).unwrap_err();
            assert!(matches!(again, LedgerError::NotALedger { .. }), "{again}");
        }
    }
}
