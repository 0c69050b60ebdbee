//! What a server needs of a store of keys, machines, policy bundles and events, whatever it is made of.

use jiff::Timestamp;

use super::bundles::BundleRecords;
use super::endpoints::EndpointRecords;
use super::inventory::InventoryRecords;
use super::settings::SettingsRecords;
use super::{Added, Event, Events, Filter, Key, Page, ServerError};

/// Where the keys of tenants are kept.
///
/// INVARIANT: what was answered is kept, and the next look-up over any connection of any process sees it. A key that was
/// taken back is so for good.
pub trait KeyRecords: Send + Sync {
    /// Adds a key, known by the SHA-256 of its text.
    ///
    /// # Errors
    /// If there is no room, or such a key, or it cannot be written.
    fn add_key(&self, key: &Key, digest: &[u8; 32]) -> Result<(), ServerError>;

    /// The key whose text has this SHA-256, of whatever tenant and in whatever state.
    ///
    /// # Errors
    /// If it cannot be read.
    fn key_by_digest(&self, digest: &[u8; 32]) -> Result<Option<Key>, ServerError>;

    /// All keys of a tenant, newest first, with those that are over.
    ///
    /// # Errors
    /// If they cannot be read.
    fn keys(&self, tenant: &str) -> Result<Vec<Key>, ServerError>;

    /// Takes a key back, once and for all. `None`: the tenant has no such key. The time of the first taking back stays.
    ///
    /// # Errors
    /// If it cannot be written.
    fn revoke_key(&self, tenant: &str, id: &str, now: Timestamp) -> Result<Option<Key>, ServerError>;

    /// Adds a key in place of another one of its tenant, which is taken back now, or ends at `end` if that is later: both or
    /// neither. Nothing makes the other one live longer. What the other one is then; `None`: the tenant has no such key that is
    /// still good.
    ///
    /// # Errors
    /// As for [`Self::add_key`].
    fn replace_key(
        &self,
        id: &str,
        key: &Key,
        digest: &[u8; 32],
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Option<Key>, ServerError>;

    /// Notes that a key was used, unless that was noted within the last [`super::USE_SECONDS`] seconds.
    ///
    /// # Errors
    /// If it cannot be written.
    fn key_was_used(&self, key: &Key, now: Timestamp) -> Result<(), ServerError>;
}

/// Where the events that clients tell are kept.
pub trait EventRecords: Send + Sync {
    /// Adds events of a tenant, all or none; those whose id is there already change nothing.
    ///
    /// # Errors
    /// If one is too large, or they cannot be written.
    fn add_events(&self, tenant: &str, events: &[Event<'_>], now: Timestamp) -> Result<Added, ServerError>;

    /// Events of a tenant, a page of them.
    ///
    /// # Errors
    /// If they cannot be read.
    fn events(&self, tenant: &str, filter: &Filter<'_>, page: &Page) -> Result<Events, ServerError>;
}

/// All that a server keeps beside the holds and ledgers of its tenants.
pub trait Records:
    KeyRecords + EventRecords + EndpointRecords + BundleRecords + SettingsRecords + InventoryRecords
{
    /// Opens the store, and begins it if there is none: whether it can be used at all.
    ///
    /// # Errors
    /// If it cannot.
    fn open(&self) -> Result<(), ServerError>;

    /// Whether it can be read and written now.
    ///
    /// # Errors
    /// If it cannot.
    fn probe(&self) -> Result<(), ServerError>;
}
