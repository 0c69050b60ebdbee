//! What administrators set for their tenant. What a setting means, and whether it may be set so, is the server's business.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{ServerError, ServerStore, bundle_rows, read, write};
use crate::error::Fault;
use crate::rows::{nanoseconds, time};

/// The settings of a tenant. What is absent is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is done about violations at least, as a word of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement_mode: Option<String>,
    /// How many calls are decided in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_per_minute: Option<u32>,
    /// How many batches of events are taken in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_per_minute: Option<u32>,
    /// How many questions about held calls are answered in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polls_per_minute: Option<u32>,
    /// How many machines register or check in in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkins_per_minute: Option<u32>,
    /// For how many days events are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_retention_days: Option<u32>,
}

/// Settings as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptSettings {
    /// How often they were set.
    pub revision: u64,
    /// What is set.
    pub settings: Settings,
    /// When they were set last.
    pub updated_at: Option<Timestamp>,
    /// By whom.
    pub updated_by: Option<String>,
}

/// Where the settings of tenants are kept.
pub trait SettingsRecords: Send + Sync {
    /// The settings of a tenant.
    ///
    /// # Errors
    /// If they cannot be read.
    fn settings(&self, tenant: &str) -> Result<KeptSettings, ServerError>;

    /// Sets them, if they are still as of the revision `seen`, and moves the tenant's counter of what holds. `None`: somebody
    /// else has set them.
    ///
    /// # Errors
    /// If they cannot be written.
    fn set_settings(
        &self,
        tenant: &str,
        settings: &Settings,
        seen: u64,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<KeptSettings>, ServerError>;
}

impl SettingsRecords for ServerStore {
    fn settings(&self, tenant: &str) -> Result<KeptSettings, ServerError> {
        Ok(read(&self.keys, |file| of_tenant(file, tenant))?.unwrap_or_default())
    }

    fn set_settings(
        &self,
        tenant: &str,
        settings: &Settings,
        seen: u64,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<KeptSettings>, ServerError> {
        write(&self.keys, |file| {
            if of_tenant(file, tenant)?.revision != seen {
                return Ok(None);
            }
            let document = serde_json::to_string(settings).map_err(|error| Fault::Damaged(error.to_string()))?;
            let revision = i64::try_from(seen).unwrap_or(i64::MAX).saturating_add(1);
            file.prepare_cached(
                "INSERT OR REPLACE INTO settings (tenant, revision, document, event_days, updated_at, updated_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                tenant,
                revision,
                document,
                settings.event_retention_days,
                nanoseconds(now)?,
                by
            ])?;
            bundle_rows::count(file, tenant)?;
            of_tenant(file, tenant).map(Some)
        })
    }
}

fn of_tenant(connection: &Connection, tenant: &str) -> Result<KeptSettings, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT revision, document, updated_at, updated_by FROM settings WHERE tenant = ?1")?;
    let row = statement.query_row([tenant], |row| {
        let (revision, document, at, by): (i64, String, i64, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((revision, document, at, by))
    });
    let Some((revision, document, at, by)) = row.optional()? else { return Ok(KeptSettings::default()) };
    Ok(KeptSettings {
        revision: u64::try_from(revision).unwrap_or_default(),
        // An older server does not ignore what a newer one set: it may be a restriction.
        settings: serde_json::from_str(&document).map_err(|error| Fault::Damaged(format!("settings: {error}")))?,
        updated_at: Some(time(at)?),
        updated_by: Some(by),
    })
}

/// For how many days the events of a tenant are kept, where it is set.
pub(super) fn event_days(connection: &Connection, tenant: &str) -> Result<Option<i64>, Fault> {
    let mut statement = connection.prepare_cached("SELECT event_days FROM settings WHERE tenant = ?1")?;
    Ok(statement.query_row([tenant], |row| row.get(0)).optional()?.flatten())
}
