//! A data directory: one file of keys and events, and a folder for each tenant.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thoth_audit::seal::SealKey;
use thoth_audit::view::FileView;
use thoth_audit::{Ledger, LedgerKeys, LedgerOptions};
use thoth_shell::home::{Care, private};
use thoth_store::SqliteHolds;
use thoth_store::server::{IndexFile, Records, ServerStore};

use super::{OpenError, Stores, TenantStores};
use crate::fault::Fault;
use crate::tenants::TenantName;

/// How much room there must be in the data directory, in bytes: some for calls, their records and events.
const ROOM: usize = 256 << 10;

/// A data directory.
#[derive(Debug)]
pub(crate) struct Files {
    data: PathBuf,
    records: Arc<ServerStore>,
}

impl Files {
    pub(crate) fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), records: Arc::new(ServerStore::new(data.join("thothd.db"))) }
    }
}

impl Stores for Files {
    fn records(&self) -> Arc<dyn Records> {
        Arc::<ServerStore>::clone(&self.records)
    }

    fn tenant(&self, name: &TenantName) -> Result<TenantStores, OpenError> {
        let failed = |error: &dyn std::fmt::Display| OpenError::of(name, error);
        let folder = self.data.join("tenants").join(name.as_str());
        private(&folder, Care::Refuse).map_err(|error| failed(&error.message()))?;
        let directory = folder.join("ledger");
        let keys = LedgerKeys::load_or_create(&folder.join("keys"), &directory).map_err(|error| failed(&error))?;
        let ledger = Ledger::open(&directory, &keys, LedgerOptions::default()).map_err(|error| failed(&error))?;
        let seal = SealKey::load_or_create(&folder.join("keys")).map_err(|error| failed(&error))?;
        let (view, index) = (FileView::new(&directory), IndexFile::new(folder.join("index.db")));
        let records = std::path::absolute(&directory).unwrap_or(directory);
        Ok(TenantStores {
            holds: Arc::new(SqliteHolds::new(folder.join("state.db"), records)),
            ledger: Arc::new(ledger),
            view: Arc::new(view),
            index: Arc::new(index),
            content_key: keys.content_key().clone(),
            pasts: None,
            seal,
        })
    }

    fn ready(&self) -> Result<(), Fault> {
        // What the file of keys has of the disk already is no sign that the ledgers get any more of it.
        let room = tempfile::tempfile_in(&self.data).and_then(|mut file| file.write_all(&[0; ROOM]));
        room.map_err(|error| Fault::unavailable(format!("the data directory cannot be written: {error}")))
    }
}
