//! What administrators set for their tenant.

use jiff::Timestamp;
use thoth_store::server::ServerError;
use thoth_store::server::settings::{KeptSettings, Settings, SettingsRecords};

use crate::bundle_rows;
use crate::database::Lane;
use crate::error::Fault;
use crate::records::PostgresRecords;
use crate::rows::{nanoseconds, time};
use crate::session::{Order, Session, damaged};

impl SettingsRecords for PostgresRecords {
    fn settings(&self, tenant: &str) -> Result<KeptSettings, ServerError> {
        self.database().read(Lane::Calls, |session| of_tenant(session, tenant)).map_err(Fault::of_server)
    }

    fn set_settings(
        &self,
        tenant: &str,
        settings: &Settings,
        seen: u64,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<KeptSettings>, ServerError> {
        let set = self.database().write(Lane::Calls, |session| {
            session.in_order(Order::Bundles, tenant)?;
            if of_tenant(session, tenant)?.revision != seen {
                return Ok(None);
            }
            let document = serde_json::to_string(settings).map_err(damaged)?;
            let revision = i64::try_from(seen).unwrap_or(i64::MAX).saturating_add(1);
            session.change(
                "INSERT INTO settings (tenant, revision, document, event_days, updated_at, updated_by)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant) DO UPDATE SET revision = excluded.revision,
                     document = excluded.document, event_days = excluded.event_days, updated_at = excluded.updated_at,
                     updated_by = excluded.updated_by",
                &[
                    &tenant,
                    &revision,
                    &document,
                    &settings.event_retention_days.map(i64::from),
                    &nanoseconds(now)?,
                    &by,
                ],
            )?;
            bundle_rows::count(session, tenant)?;
            of_tenant(session, tenant).map(Some)
        });
        set.map_err(Fault::of_server)
    }
}

fn of_tenant(session: &Session<'_>, tenant: &str) -> Result<KeptSettings, Fault> {
    let sql = "SELECT revision, document, updated_at, updated_by FROM settings WHERE tenant = $1";
    let Some(row) = session.row(sql, &[&tenant])? else { return Ok(KeptSettings::default()) };
    let document: &str = row.try_get(1)?;
    Ok(KeptSettings {
        revision: u64::try_from(row.try_get::<_, i64>(0)?).map_err(damaged)?,
        // An older server does not ignore what a newer one set: it may be a restriction.
        settings: serde_json::from_str(document).map_err(damaged)?,
        updated_at: Some(time(row.try_get(2)?)?),
        updated_by: Some(row.try_get(3)?),
    })
}

/// For how many days the events of a tenant are kept, where it is set.
pub(crate) fn event_days(session: &Session<'_>, tenant: &str) -> Result<Option<i64>, Fault> {
    let row = session.row("SELECT event_days FROM settings WHERE tenant = $1", &[&tenant])?;
    Ok(row.map(|row| row.try_get::<_, Option<i64>>(0)).transpose()?.flatten())
}
