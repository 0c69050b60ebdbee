//! The store of keys and events of all tenants.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_store::server::{
    Added, Event, EventRecords, Events, Filter, Key, KeyRecords, MAX_EVENT_BYTES_OF_TENANT, MAX_KEYS_OF_TENANT, Page,
    Records, ServerError, check_sizes,
};

use crate::database::{Database, Lane};
use crate::error::Fault;
use crate::session::Order;
use crate::{event_rows, key_rows};

/// Keys and events.
#[derive(Debug)]
pub struct PostgresRecords {
    database: Arc<Database>,
}

impl PostgresRecords {
    /// Those in `database`.
    #[must_use]
    pub const fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl KeyRecords for PostgresRecords {
    fn add_key(&self, key: &Key, digest: &[u8; 32]) -> Result<(), ServerError> {
        let added = self.database.write(Lane::Calls, |session| {
            session.in_order(Order::Keys, &key.tenant)?;
            key_rows::insert(session, key, digest, MAX_KEYS_OF_TENANT)
        });
        added.map_err(Fault::of_server)
    }

    fn key_by_digest(&self, digest: &[u8; 32]) -> Result<Option<Key>, ServerError> {
        self.database.read(Lane::Calls, |session| key_rows::by_digest(session, digest)).map_err(Fault::of_server)
    }

    fn keys(&self, tenant: &str) -> Result<Vec<Key>, ServerError> {
        self.database.read(Lane::Calls, |session| key_rows::of_tenant(session, tenant)).map_err(Fault::of_server)
    }

    fn revoke_key(&self, tenant: &str, id: &str, now: Timestamp) -> Result<Option<Key>, ServerError> {
        let revoked = self.database.write(Lane::Calls, |session| key_rows::revoke(session, tenant, id, now));
        revoked.map_err(Fault::of_server)
    }

    fn replace_key(
        &self,
        id: &str,
        key: &Key,
        digest: &[u8; 32],
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Option<Key>, ServerError> {
        let replaced = self.database.write(Lane::Calls, |session| {
            session.in_order(Order::Keys, &key.tenant)?;
            let Some(old) = key_rows::end(session, &key.tenant, id, now, end)? else { return Ok(None) };
            key_rows::insert(session, key, digest, MAX_KEYS_OF_TENANT)?;
            Ok(Some(old))
        });
        replaced.map_err(Fault::of_server)
    }

    fn key_was_used(&self, key: &Key, now: Timestamp) -> Result<(), ServerError> {
        if !key.is_use_news(now) {
            return Ok(());
        }
        let noted = self.database.write(Lane::Calls, |session| Ok(key_rows::was_used(session, key, now)?));
        noted.map_err(Fault::of_server)
    }
}

impl EventRecords for PostgresRecords {
    fn add_events(&self, tenant: &str, events: &[Event<'_>], now: Timestamp) -> Result<Added, ServerError> {
        check_sizes(events)?;
        let added = self.database.write(Lane::Events, |session| {
            // Whoever follows by cursor must not see a later number before an earlier one.
            session.in_order(Order::Events, tenant)?;
            event_rows::add(session, tenant, events, MAX_EVENT_BYTES_OF_TENANT, now)
        });
        added.map_err(Fault::of_server)
    }

    fn events(&self, tenant: &str, filter: &Filter<'_>, page: &Page) -> Result<Events, ServerError> {
        self.database
            .read(Lane::Events, |session| event_rows::page(session, tenant, filter, page))
            .map_err(Fault::of_server)
    }
}

impl Records for PostgresRecords {
    fn open(&self) -> Result<(), ServerError> {
        self.probe()
    }

    fn probe(&self) -> Result<(), ServerError> {
        self.database.probe().map_err(|error| ServerError::Database(Box::new(error)))
    }
}
