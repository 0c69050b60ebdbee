//! The machines that a tenant knows of, as a server keeps them.
//!
//! Words for states and modes are the contract's; here they are texts. Everything is asked for within one tenant.
//!
//! # Promises
//! * A machine that is in quarantine is so for every later look-up, in every process, until somebody takes that back: neither
//!   registering anew nor checking in does, and its record is never the one that gives way.
//! * It stays bounded: [`MAX_ENDPOINTS_OF_TENANT`]. Where a new one finds no room, the one that was seen longest ago goes, if
//!   that is more than [`FORGOTTEN_AFTER_DAYS`] days ago.

use jiff::Timestamp;

use super::rules::{self, Registration};
use super::{ServerError, ServerStore, endpoint_rows, read, write};

#[cfg(test)]
mod tests;

/// How many machines one tenant may have.
pub const MAX_ENDPOINTS_OF_TENANT: u32 = 100_000;
/// Only a machine that was not seen for so long gives way to a new one.
pub const FORGOTTEN_AFTER_DAYS: i64 = 30;
/// How many agents a machine may have.
pub const MAX_AGENTS_OF_ENDPOINT: usize = 64;
/// How many machines one page has at most.
pub const MAX_ENDPOINT_PAGE: u32 = 1_000;

/// A machine, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Names it within its tenant.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What it tells of itself.
    pub told: Told,
    /// The digest of the policy that it had when it checked in last.
    pub policy_digest: Option<String>,
    /// How many events it had not sent then.
    pub events_pending: Option<u64>,
    /// When it registered first.
    pub created_at: Timestamp,
    /// When it registered last.
    pub updated_at: Timestamp,
    /// When it registered or checked in last.
    pub last_seen: Timestamp,
    /// Whether all of its calls are refused.
    pub quarantine: Option<Quarantine>,
}

/// What a machine tells of itself when it registers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Its name for people.
    pub hostname: String,
    /// Its system.
    pub os: Option<String>,
    /// Which version of that.
    pub os_version: Option<String>,
    /// Which version of the proxy runs there.
    pub proxy_version: Option<String>,
    /// `dev`, `staging` or `prod`.
    pub environment: Option<String>,
    /// Who manages it.
    pub enrollment: Option<String>,
    /// The fleet that it belongs to.
    pub fleet: Option<String>,
    /// The agents on it.
    pub agents: Vec<String>,
    /// What it does about violations.
    pub enforcement_mode: Option<String>,
}

/// Why all calls of a machine are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// In somebody's words.
    pub reason: Option<String>,
    /// Whose.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
}

/// What a machine tells when it checks in. What is absent stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckIn {
    /// The agents on it.
    pub agents: Option<Vec<String>>,
    /// Which version of the proxy runs there.
    pub proxy_version: Option<String>,
    /// The digest of the policy that it has.
    pub policy_digest: Option<String>,
    /// How many events it has not sent.
    pub events_pending: Option<u64>,
}

/// Whether a machine is seen, by when it was seen last. A machine in quarantine is in none of these but that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Since this time.
    Since(Timestamp),
    /// Between these times: from the first, before the second.
    Between(Timestamp, Timestamp),
    /// Before this time.
    Before(Timestamp),
    /// In quarantine, whenever it was seen.
    Quarantined,
}

/// Which machines are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndpointFilter<'f> {
    /// Only this one.
    pub id: Option<&'f str>,
    /// Of this environment.
    pub environment: Option<&'f str>,
    /// Of this fleet.
    pub fleet: Option<&'f str>,
    /// Seen then.
    pub seen: Option<Seen>,
    /// Registered before the one with this cursor.
    pub beyond: Option<i64>,
    /// How many at most.
    pub limit: u32,
}

/// Machines, those that registered last first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The machines.
    pub found: Vec<Endpoint>,
    /// The cursor of the last one, if there are more.
    pub next: Option<i64>,
}

/// How many machines there are of each kind; one may be of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointCounts {
    /// All.
    pub total: u64,
    /// Nothing manages them, or that is not known.
    pub unmanaged: u64,
    /// Seen since the first time that was asked with, and not in quarantine.
    pub online: u64,
    /// Not seen since the second time, and not in quarantine.
    pub stale: u64,
    /// In quarantine.
    pub quarantined: u64,
    /// They stop nothing, or are not seen.
    pub at_risk: u64,
    /// How many have each version of the proxy, where they tell it.
    pub versions: Vec<(String, u64)>,
}

/// What of a machine decides about its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointStanding {
    /// The fleet that it registered with.
    pub fleet: Option<String>,
    /// Whether its calls are refused.
    pub quarantined: bool,
}

/// What somebody may do to a machine that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Nothing.
    Nothing,
    /// Add agents, and tell versions and that it was seen; what it is described as stays.
    Join,
    /// Say what it is.
    Change,
}

/// Says what may be done to a machine that is there already.
pub type MayChange<'m> = dyn Fn(&Endpoint) -> May + 'm;

/// The machines of tenants.
pub trait EndpointRecords: Send + Sync {
    /// Takes a machine in, or what is new about one. Its quarantine and when it came first stay. A fleet that is not told
    /// stays, too. `None`: there is such a machine, and `may` says that nothing may be done to it.
    ///
    /// # Errors
    /// If there is no room, or it cannot be written.
    fn register_endpoint(
        &self,
        tenant: &str,
        id: &str,
        told: &Told,
        may: &MayChange<'_>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, ServerError>;

    /// Notes that a machine was seen, and what it tells. `None`: there is no such machine, or `may` says no.
    ///
    /// # Errors
    /// If it cannot be written.
    fn check_in(
        &self,
        tenant: &str,
        id: &str,
        told: &CheckIn,
        may: &MayChange<'_>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, ServerError>;

    /// Puts a machine into quarantine, or takes it out. `None`: there is no such machine. A quarantine that stands is not
    /// begun anew.
    ///
    /// # Errors
    /// If it cannot be written.
    fn quarantine_endpoint(
        &self,
        tenant: &str,
        id: &str,
        quarantine: Option<&Quarantine>,
    ) -> Result<Option<Endpoint>, ServerError>;

    /// One machine.
    ///
    /// # Errors
    /// If it cannot be read.
    fn endpoint(&self, tenant: &str, id: &str) -> Result<Option<Endpoint>, ServerError>;

    /// What of it decides about its calls; asked before each.
    ///
    /// # Errors
    /// If it cannot be read.
    fn endpoint_standing(&self, tenant: &str, id: &str) -> Result<Option<EndpointStanding>, ServerError>;

    /// A page of machines.
    ///
    /// # Errors
    /// If they cannot be read.
    fn endpoints(&self, tenant: &str, filter: &EndpointFilter<'_>) -> Result<Endpoints, ServerError>;

    /// The agents on the machines that fit, by name and each once: those beyond this name, at most as many as the filter says. Its
    /// cursor is not looked at.
    ///
    /// # Errors
    /// If they cannot be read.
    fn agents_of_endpoints(
        &self,
        tenant: &str,
        filter: &EndpointFilter<'_>,
        beyond: &str,
    ) -> Result<Vec<String>, ServerError>;

    /// How many there are. Seen since `online` is online, not seen since `stale` is stale.
    ///
    /// # Errors
    /// If they cannot be counted.
    fn endpoint_counts(&self, tenant: &str, online: Timestamp, stale: Timestamp)
    -> Result<EndpointCounts, ServerError>;
}

impl EndpointRecords for ServerStore {
    fn register_endpoint(
        &self,
        tenant: &str,
        id: &str,
        told: &Told,
        may: &MayChange<'_>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, ServerError> {
        write(&self.keys, |file| {
            let known = endpoint_rows::one(file, tenant, id)?;
            let told = match rules::register(known.as_ref(), told, may)? {
                Registration::Refused => return Ok(None),
                Registration::Known(told) => told,
                Registration::New(told) => {
                    endpoint_rows::make_room(file, tenant, MAX_ENDPOINTS_OF_TENANT, rules::forgotten(now))?;
                    told
                }
            };
            endpoint_rows::put(file, tenant, id, &told, now)?;
            endpoint_rows::one(file, tenant, id)
        })
    }

    fn check_in(
        &self,
        tenant: &str,
        id: &str,
        told: &CheckIn,
        may: &MayChange<'_>,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, ServerError> {
        write(&self.keys, |file| {
            let known = endpoint_rows::one(file, tenant, id)?;
            let Some(told) = rules::check_in(known.as_ref(), told, may)? else { return Ok(None) };
            endpoint_rows::seen(file, tenant, id, &told, now)?;
            endpoint_rows::one(file, tenant, id)
        })
    }

    fn quarantine_endpoint(
        &self,
        tenant: &str,
        id: &str,
        quarantine: Option<&Quarantine>,
    ) -> Result<Option<Endpoint>, ServerError> {
        write(&self.keys, |file| {
            endpoint_rows::quarantine(file, tenant, id, quarantine)?;
            endpoint_rows::one(file, tenant, id)
        })
    }

    fn endpoint(&self, tenant: &str, id: &str) -> Result<Option<Endpoint>, ServerError> {
        Ok(read(&self.keys, |file| endpoint_rows::one(file, tenant, id))?.flatten())
    }

    fn endpoint_standing(&self, tenant: &str, id: &str) -> Result<Option<EndpointStanding>, ServerError> {
        Ok(read(&self.keys, |file| endpoint_rows::standing(file, tenant, id))?.flatten())
    }

    fn endpoints(&self, tenant: &str, filter: &EndpointFilter<'_>) -> Result<Endpoints, ServerError> {
        let none = Endpoints { found: Vec::new(), next: None };
        Ok(read(&self.events, |file| endpoint_rows::page(file, tenant, filter))?.unwrap_or(none))
    }

    fn agents_of_endpoints(
        &self,
        tenant: &str,
        filter: &EndpointFilter<'_>,
        beyond: &str,
    ) -> Result<Vec<String>, ServerError> {
        Ok(read(&self.events, |file| endpoint_rows::agents(file, tenant, filter, beyond))?.unwrap_or_default())
    }

    fn endpoint_counts(
        &self,
        tenant: &str,
        online: Timestamp,
        stale: Timestamp,
    ) -> Result<EndpointCounts, ServerError> {
        Ok(read(&self.events, |file| endpoint_rows::counts(file, tenant, online, stale))?.unwrap_or_default())
    }
}
