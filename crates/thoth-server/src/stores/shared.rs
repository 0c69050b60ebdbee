//! A PostgreSQL database that any number of servers share; none of them keeps anything of its own that counts.

use std::sync::Arc;

use thoth_postgres::{
    Database, PostgresHolds, PostgresIndex, PostgresLedger, PostgresPasts, PostgresRecords, PostgresView, seal_key,
};
use thoth_store::server::Records;
use thoth_telemetry::metrics::Connections;

use super::{OpenError, Stores, TenantStores};
use crate::fault::Fault;
use crate::tenants::TenantName;

/// A database.
#[derive(Debug)]
pub(crate) struct Shared {
    database: Arc<Database>,
}

impl Shared {
    pub(crate) const fn new(database: Arc<Database>) -> Self {
        Self { database }
    }
}

impl Stores for Shared {
    fn records(&self) -> Arc<dyn Records> {
        Arc::new(PostgresRecords::new(Arc::clone(&self.database)))
    }

    fn tenant(&self, name: &TenantName) -> Result<TenantStores, OpenError> {
        let ledger = PostgresLedger::open(Arc::clone(&self.database), name.as_str());
        let ledger = ledger.map_err(|error| OpenError::of(name, &error))?;
        let seal = seal_key(&self.database, name.as_str()).map_err(|error| OpenError::of(name, &error))?;
        Ok(TenantStores {
            holds: Arc::new(PostgresHolds::new(Arc::clone(&self.database), name.as_str())),
            content_key: ledger.content_key().clone(),
            ledger: Arc::new(ledger),
            view: Arc::new(PostgresView::new(Arc::clone(&self.database), name.as_str())),
            index: Arc::new(PostgresIndex::new(Arc::clone(&self.database), name.as_str())),
            pasts: Some(Arc::new(PostgresPasts::new(Arc::clone(&self.database), name.as_str()))),
            seal,
        })
    }

    fn connections(&self) -> Option<Connections> {
        let used = self.database.connections();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Some(Connections {
            busy: wide(used.busy),
            idle: wide(used.idle),
            most: wide(used.most),
            waiting: wide(used.waiting),
        })
    }

    /// Whether the database can be written is asked of the records.
    fn ready(&self) -> Result<(), Fault> {
        Ok(())
    }
}
