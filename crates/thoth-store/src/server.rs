//! What a server keeps beside the holds of its tenants: keys, machines ([`endpoints`]), policy
//! bundles ([`bundles`]) and the events that clients tell, in one SQLite file.
//!
//! Words for scopes, permissions and types of events are the contract's; here they are texts. A key is known by its
//! SHA-256 only. Everything is asked for within one tenant, but a key by its digest, which is how its tenant is found.
//!
//! # Promises
//! * As for the file of holds: many processes at once, and what was answered is on the disk. A key that was taken back
//!   is so for every later look-up, in every process.
//! * It stays bounded: [`MAX_KEYS_OF_TENANT`] keys, and of events [`MAX_EVENT_BYTES_OF_TENANT`], none older than
//!   [`EVENT_DAYS`] days. Where a new event finds no room, the oldest of the same tenant go. They are what clients say of
//!   themselves; the evidence is in the ledger, which loses nothing.

mod bundle_rows;
pub mod bundles;
mod endpoint_rows;
pub mod endpoints;
mod event_rows;
pub mod index;
mod index_file;
mod index_rows;
pub mod inventory;
mod key_rows;
mod pasts;
mod records;
pub mod rules;
mod schema;
pub mod settings;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use bundles::MAX_BUNDLE_BYTES;
pub(crate) use schema::SERVER;

use crate::database::Database;
use crate::error::{Fault, StoreError};
use crate::file::Settings;

pub use index_file::IndexFile;
pub use pasts::{PastCall, SessionPasts, SessionTurn};
pub use records::{EventRecords, KeyRecords, Records};

/// How many keys one tenant may have, with those that were taken back or are over.
pub const MAX_KEYS_OF_TENANT: u32 = 10_000;
/// How much one event may say.
pub const MAX_EVENT_BYTES: usize = 256 << 10;
/// How much all events of a tenant may say.
pub const MAX_EVENT_BYTES_OF_TENANT: u64 = 1 << 30;
/// How long an event is kept after it came.
pub const EVENT_DAYS: i64 = 90;
/// How many events one page has at most.
pub const MAX_PAGE: u32 = 1_000;
/// How much one page says at most, beyond its first event.
pub const MAX_PAGE_BYTES: usize = 4 << 20;
/// The use of a key is written down once in so many seconds.
pub const USE_SECONDS: i64 = 60;

/// Why something is not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A database that is no file.
    #[error(transparent)]
    Database(Box<dyn std::error::Error + Send + Sync>),
    /// A tenant has all the keys that it may have.
    #[error("the tenant has {MAX_KEYS_OF_TENANT} keys, and no more are kept")]
    TooManyKeys,
    /// A key of this id or digest is there already.
    #[error("there is such a key already")]
    KeyExists,
    /// A tenant has all the machines that it may have.
    #[error(
        "the tenant has {} machines, all seen within {} days, and no more are kept",
        endpoints::MAX_ENDPOINTS_OF_TENANT,
        endpoints::FORGOTTEN_AFTER_DAYS
    )]
    TooManyEndpoints,
    /// A machine has all the agents that it may have.
    #[error("the machine has {} agents, and no more are kept", endpoints::MAX_AGENTS_OF_ENDPOINT)]
    TooManyAgents,
    /// A tenant has all the bundles that it may have.
    #[error("the tenant has {} policy bundles, and no more are kept", bundles::MAX_BUNDLES_OF_TENANT)]
    TooManyBundles,
    /// A bundle or a tenant has all the versions that it may have.
    #[error(
        "no more versions are kept: a bundle has at most {}, and all bundles of a tenant at most {} bytes, with those that \
         were deleted",
        bundles::MAX_VERSIONS_OF_BUNDLE,
        bundles::MAX_BUNDLE_BYTES_OF_TENANT
    )]
    TooManyVersions,
    /// A tenant has as many active bundles as it may have.
    #[error("{} policy bundles are active, and no more may be; deactivate one", bundles::MAX_ACTIVE_BUNDLES)]
    TooManyActive,
    /// A policy is too long.
    #[error("a policy bundle has at most {MAX_BUNDLE_BYTES} bytes, and this one has {0}")]
    BundleTooLarge(usize),
    /// An event says too much.
    #[error("an event has at most {MAX_EVENT_BYTES} bytes, and this one has {0}")]
    EventTooLarge(usize),
}

impl ServerError {
    /// Whether whoever asked could not have known: the file or the database, and not what was to be kept.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Database(_))
    }
}

/// A key, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Names it; not secret.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// For people.
    pub name: Option<String>,
    /// For whom it speaks, as a word of the contract.
    pub scope_level: String,
    /// Which fleet, machine or agent.
    pub scope_target: Option<String>,
    /// What it may do, as words of the contract.
    pub permissions: Vec<String>,
    /// Why it was made.
    pub reason: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Whether a key still opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Valid,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Key {
    /// Whether it opens anything at `now`. A clock that was put back to before the key was made tells nothing, and a key
    /// with an end has ended then.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> KeyState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(end)) if now >= end || now < self.created_at => KeyState::Expired,
            _ => KeyState::Valid,
        }
    }

    /// Whether a use of it at `now` is worth writing down: none was within [`USE_SECONDS`] seconds.
    #[must_use]
    pub fn is_use_news(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| now.duration_since(last).as_secs().abs() >= USE_SECONDS)
    }
}

/// An event, as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    /// Names it within its tenant.
    pub id: &'e str,
    /// The agent's session.
    pub session: &'e str,
    /// The agent.
    pub agent: Option<&'e str>,
    /// The tool.
    pub tool: Option<&'e str>,
    /// Its type.
    pub kind: &'e str,
    /// When it happened, as the client says.
    pub occurred_at: Option<Timestamp>,
    /// All that it says, as JSON.
    pub body: &'e str,
}

/// What became of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// How many are new.
    pub new: usize,
    /// How many were there already.
    pub known: usize,
}

/// Which events are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'f> {
    /// Of this agent.
    pub agent: Option<&'f str>,
    /// Of this session.
    pub session: Option<&'f str>,
    /// Of this tool.
    pub tool: Option<&'f str>,
    /// Of this type.
    pub kind: Option<&'f str>,
}

/// Which part of them.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Beyond this cursor.
    pub beyond: Option<i64>,
    /// Oldest first, and beyond means newer; else newest first, and beyond means older.
    pub oldest_first: bool,
    /// How many at most.
    pub limit: u32,
}

/// Events, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// What each says, as JSON.
    pub bodies: Vec<String>,
    /// The cursor of the last one.
    pub last: Option<i64>,
    /// Whether there are more beyond it now.
    pub more: bool,
}

/// The file of a server. It is opened at the first use.
pub struct ServerStore {
    keys: Database,
    /// The same file over another connection, so that a long list of events keeps no key waiting.
    events: Database,
}

impl std::fmt::Debug for ServerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerStore").field("path", &self.keys.path()).finish_non_exhaustive()
    }
}

impl ServerStore {
    /// The store in the file `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let settings = Settings { schema: &SERVER, ..Settings::default() };
        Self { keys: Database::new(path.clone(), settings), events: Database::new(path, settings) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.keys.path()
    }
}

impl KeyRecords for ServerStore {
    fn add_key(&self, key: &Key, digest: &[u8; 32]) -> Result<(), ServerError> {
        write(&self.keys, |file| key_rows::insert(file, key, digest, MAX_KEYS_OF_TENANT))
    }

    fn key_by_digest(&self, digest: &[u8; 32]) -> Result<Option<Key>, ServerError> {
        Ok(read(&self.keys, |file| key_rows::by_digest(file, digest))?.flatten())
    }

    fn keys(&self, tenant: &str) -> Result<Vec<Key>, ServerError> {
        Ok(read(&self.keys, |file| key_rows::of_tenant(file, tenant))?.unwrap_or_default())
    }

    fn revoke_key(&self, tenant: &str, id: &str, now: Timestamp) -> Result<Option<Key>, ServerError> {
        write(&self.keys, |file| key_rows::revoke(file, tenant, id, now))
    }

    fn replace_key(
        &self,
        id: &str,
        key: &Key,
        digest: &[u8; 32],
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Option<Key>, ServerError> {
        write(&self.keys, |file| {
            let Some(old) = key_rows::end(file, &key.tenant, id, now, end)? else { return Ok(None) };
            key_rows::insert(file, key, digest, MAX_KEYS_OF_TENANT)?;
            Ok(Some(old))
        })
    }

    fn key_was_used(&self, key: &Key, now: Timestamp) -> Result<(), ServerError> {
        if key.is_use_news(now) { write(&self.keys, |file| key_rows::was_used(file, &key.id, now)) } else { Ok(()) }
    }
}

impl EventRecords for ServerStore {
    fn add_events(&self, tenant: &str, events: &[Event<'_>], now: Timestamp) -> Result<Added, ServerError> {
        check_sizes(events)?;
        write(&self.events, |file| event_rows::add(file, tenant, events, MAX_EVENT_BYTES_OF_TENANT, now))
    }

    fn events(&self, tenant: &str, filter: &Filter<'_>, page: &Page) -> Result<Events, ServerError> {
        let none = Events { bodies: Vec::new(), last: None, more: false };
        Ok(read(&self.events, |file| event_rows::page(file, tenant, filter, page))?.unwrap_or(none))
    }
}

impl Records for ServerStore {
    fn open(&self) -> Result<(), ServerError> {
        write(&self.keys, |_| Ok(()))
    }

    /// It writes to the file, and takes that back. One that was opened here and was moved away since is not begun anew.
    fn probe(&self) -> Result<(), ServerError> {
        self.keys.probe().map_err(refused)
    }
}

/// Whether each of these events is small enough to be kept.
///
/// # Errors
/// If one is not.
pub fn check_sizes(events: &[Event<'_>]) -> Result<(), ServerError> {
    match events.iter().find(|event| event.body.len() > MAX_EVENT_BYTES) {
        Some(large) => Err(ServerError::EventTooLarge(large.body.len())),
        None => Ok(()),
    }
}

fn read<T>(database: &Database, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<Option<T>, ServerError> {
    database.read(work).map_err(refused)
}

fn write<T>(database: &Database, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, ServerError> {
    let done = database.write(true, work).map_err(refused)?;
    // It creates the file, so there is one.
    let gone = || StoreError::File {
        action: "find",
        path: database.path().to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    };
    done.ok_or_else(|| gone().into())
}

/// What went wrong, in the words of a server.
fn refused(fault: Fault) -> ServerError {
    match fault {
        Fault::Server(error) => error,
        Fault::Store(error) => error.into(),
        other => StoreError::Damaged { path: PathBuf::new(), what: other.to_string() }.into(),
    }
}

#[cfg(test)]
mod tests;
