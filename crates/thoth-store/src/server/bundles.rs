//! The policy bundles of a tenant, as a server keeps them: named policies in versions, which of them are active, and for whom.
//!
//! A version never changes. What changes is which one is active and to whom a bundle is assigned; each such change moves the
//! tenant's counter, so that whoever has the bundles in memory sees by one number that they are no longer the ones.
//!
//! # Promises
//! * A change is made only on top of the state that whoever makes it has seen: each takes the counter that it was looked at
//!   with, and changes nothing if it has moved since.
//! * It stays bounded: [`MAX_BUNDLES_OF_TENANT`], [`MAX_VERSIONS_OF_BUNDLE`] of [`MAX_BUNDLE_BYTES`] each,
//!   [`MAX_ACTIVE_BUNDLES`], [`MAX_ASSIGNMENTS`]. Nothing gives way to anything: what was active once is evidence.

use jiff::Timestamp;

use super::{ServerError, ServerStore, bundle_rows, read, rules, write};

/// How many bundles one tenant may have, without those that were deleted.
pub const MAX_BUNDLES_OF_TENANT: u32 = 200;
/// How many versions one bundle may have.
pub const MAX_VERSIONS_OF_BUNDLE: u32 = 1_000;
/// How long the text of a version may be.
pub const MAX_BUNDLE_BYTES: usize = 256 << 10;
/// How much all versions of a tenant may say, with those of deleted bundles.
pub const MAX_BUNDLE_BYTES_OF_TENANT: u64 = 256 << 20;
/// How many bundles of a tenant may be active at once.
pub const MAX_ACTIVE_BUNDLES: u32 = 32;
/// To how many a bundle may be assigned.
pub const MAX_ASSIGNMENTS: usize = 256;

/// A bundle, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Names it for good.
    pub id: String,
    /// Names it among those that are not deleted.
    pub name: String,
    /// Which version is active.
    pub active: Option<u32>,
    /// Which one was before it.
    pub previous: Option<u32>,
    /// The newest version.
    pub latest: u32,
    /// For whom it is, as words of the contract.
    pub assignments: Vec<String>,
    /// When the first version came.
    pub created_at: Timestamp,
    /// When something about it changed last.
    pub updated_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

/// A version of a bundle, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// From 1.
    pub version: u32,
    /// Of its text.
    pub digest: String,
    /// In somebody's words.
    pub description: Option<String>,
    /// Whether sidecars that hold it may decide by themselves, as a word of the contract.
    pub decisions: String,
    /// Who brought it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// What is to be a version.
#[derive(Debug, Clone, Copy)]
pub struct NewVersion<'v> {
    /// The id of the bundle, where there is none of this name yet.
    pub id: &'v str,
    /// The bundle's name.
    pub name: &'v str,
    /// The policy.
    pub text: &'v str,
    /// Its digest.
    pub digest: &'v str,
    /// In somebody's words.
    pub description: Option<&'v str>,
    /// Whether sidecars that hold it may decide by themselves.
    pub decisions: &'v str,
    /// Who brings it.
    pub created_by: &'v str,
    /// For whom the bundle is, where there is none of this name yet.
    pub assignments: &'v [String],
}

/// A bundle that is active, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveBundle {
    /// Names it for good.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Which version.
    pub version: u32,
    /// Of its text.
    pub digest: String,
    /// The policy.
    pub text: String,
    /// Whether sidecars that hold it may decide by themselves.
    pub decisions: String,
    /// For whom it is.
    pub assignments: Vec<String>,
}

/// A change of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleChange<'c> {
    /// This version is active from now on, or none; and that is the one before.
    Activate {
        /// Which one.
        active: Option<u32>,
        /// Which one to go back to.
        previous: Option<u32>,
    },
    /// It is for these.
    Assign(&'c [String]),
    /// It is deleted; only one that is not active.
    Delete,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done(Bundle),
    /// There is no such bundle or version, or not in a state for it.
    Gone,
    /// Something else was changed in between.
    Moved,
}

/// The policy bundles of tenants.
pub trait BundleRecords: Send + Sync {
    /// Adds a version, and the bundle if there is none of its name. A text that is the newest version already is not added
    /// again, if nothing else about it differs either.
    ///
    /// # Errors
    /// If there is no room, or it cannot be written.
    fn add_bundle_version(
        &self,
        tenant: &str,
        version: &NewVersion<'_>,
        now: Timestamp,
    ) -> Result<(Bundle, Version), ServerError>;

    /// All bundles that are not deleted, by name.
    ///
    /// # Errors
    /// If they cannot be read.
    fn bundles(&self, tenant: &str) -> Result<Vec<Bundle>, ServerError>;

    /// One bundle, by its id or, if it is not deleted, by its name.
    ///
    /// # Errors
    /// If it cannot be read.
    fn bundle(&self, tenant: &str, id_or_name: &str) -> Result<Option<Bundle>, ServerError>;

    /// The versions of a bundle, newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn bundle_versions(&self, tenant: &str, id: &str) -> Result<Vec<Version>, ServerError>;

    /// A version with its text.
    ///
    /// # Errors
    /// If it cannot be read.
    fn bundle_version(&self, tenant: &str, id: &str, version: u32) -> Result<Option<(Version, String)>, ServerError>;

    /// Changes a bundle, if the tenant's counter still is `seen`, and moves the counter.
    ///
    /// # Errors
    /// If too many would be active, or it cannot be written.
    fn change_bundle(
        &self,
        tenant: &str,
        id: &str,
        change: &BundleChange<'_>,
        seen: u64,
        now: Timestamp,
    ) -> Result<Changed, ServerError>;

    /// The tenant's counter: how often the bundles that hold for anybody have changed. Asked before each call.
    ///
    /// # Errors
    /// If it cannot be read.
    fn policy_change(&self, tenant: &str) -> Result<u64, ServerError>;

    /// The counter, and all that is active, by the bundles' ids.
    ///
    /// # Errors
    /// If it cannot be read.
    fn active_bundles(&self, tenant: &str) -> Result<(u64, Vec<ActiveBundle>), ServerError>;
}

impl BundleRecords for ServerStore {
    fn add_bundle_version(
        &self,
        tenant: &str,
        version: &NewVersion<'_>,
        now: Timestamp,
    ) -> Result<(Bundle, Version), ServerError> {
        rules::fits(version.text)?;
        write(&self.keys, |file| bundle_rows::add(file, tenant, version, now))
    }

    fn bundles(&self, tenant: &str) -> Result<Vec<Bundle>, ServerError> {
        Ok(read(&self.events, |file| bundle_rows::of_tenant(file, tenant))?.unwrap_or_default())
    }

    fn bundle(&self, tenant: &str, id_or_name: &str) -> Result<Option<Bundle>, ServerError> {
        Ok(read(&self.events, |file| bundle_rows::one(file, tenant, id_or_name))?.flatten())
    }

    fn bundle_versions(&self, tenant: &str, id: &str) -> Result<Vec<Version>, ServerError> {
        Ok(read(&self.events, |file| bundle_rows::versions(file, tenant, id))?.unwrap_or_default())
    }

    fn bundle_version(&self, tenant: &str, id: &str, version: u32) -> Result<Option<(Version, String)>, ServerError> {
        Ok(read(&self.events, |file| bundle_rows::version(file, tenant, id, version))?.flatten())
    }

    fn change_bundle(
        &self,
        tenant: &str,
        id: &str,
        change: &BundleChange<'_>,
        seen: u64,
        now: Timestamp,
    ) -> Result<Changed, ServerError> {
        write(&self.keys, |file| {
            if bundle_rows::counter(file, tenant)? != seen {
                return Ok(Changed::Moved);
            }
            if !bundle_rows::change(file, tenant, id, change, now)? {
                return Ok(Changed::Gone);
            }
            bundle_rows::count(file, tenant)?;
            Ok(bundle_rows::one(file, tenant, id)?.map_or(Changed::Gone, Changed::Done))
        })
    }

    fn policy_change(&self, tenant: &str) -> Result<u64, ServerError> {
        Ok(read(&self.keys, |file| bundle_rows::counter(file, tenant))?.unwrap_or_default())
    }

    fn active_bundles(&self, tenant: &str) -> Result<(u64, Vec<ActiveBundle>), ServerError> {
        // The counter first: what changes after it was read is found by the next look.
        let counter = self.policy_change(tenant)?;
        Ok((counter, read(&self.events, |file| bundle_rows::active(file, tenant))?.unwrap_or_default()))
    }
}
