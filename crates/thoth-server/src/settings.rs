//! `…/settings`: what administrators set for their tenant, and how it comes to hold.
//!
//! INVARIANT (loosening is the server's own business): a setting is only ever joined with what the server was started with,
//! and the stricter of both holds. The mode is looked up before each call together with the policy; limits and days follow
//! within about a second.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use thoth_api::contract::fault::Code;
use thoth_api::contract::settings::{Answer, Change, Effective, Settings};
use thoth_api::contract::{read, verdict};
use thoth_audit::EventType;
use thoth_store::server::settings::{KeptSettings, Settings as Stored, SettingsRecords};
use thoth_store::server::{EVENT_DAYS, Records, ServerError};
use thoth_types::Mode;

use crate::access::Access;
use crate::app::App;
use crate::clock;
use crate::decide::strictest;
use crate::enforce::unreadable;
use crate::fault::Fault;
use crate::limits::Rates;
use crate::tenant::Tenant;

/// What was read last, and at which count of what holds in the tenant.
#[derive(Debug, Default)]
pub(crate) struct InForce(Mutex<(Option<u64>, KeptSettings)>);

fn mode(stored: &Stored) -> Option<Mode> {
    // A word that is not known here was set by a newer server, and is a restriction.
    stored.enforcement_mode.as_deref().map(|word| verdict::mode(word).unwrap_or(Mode::Block))
}

impl InForce {
    /// What is done about violations at least, as was read last.
    pub(crate) fn mode(&self) -> Option<Mode> {
        mode(&self.0.lock().unwrap_or_else(PoisonError::into_inner).1.settings)
    }

    /// Has what is set at this count hold. Blocks on the disk where it has changed.
    pub(crate) fn at(
        &self,
        tenant: &Tenant,
        store: &(impl SettingsRecords + ?Sized),
        count: u64,
    ) -> Result<Option<Mode>, ServerError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != Some(count) {
            let kept = store.settings(tenant.id.as_str())?;
            tenant.limits.set(rates(&kept.settings, tenant.rates));
            *seen = (Some(count), kept);
        }
        Ok(mode(&seen.1.settings))
    }
}

impl Tenant {
    /// Looks whether other settings hold by now. Blocks on the disk.
    pub(crate) fn look_at_settings(&self, store: &(impl Records + ?Sized)) -> Result<(), ServerError> {
        let count = store.policy_change(self.id.as_str())?;
        self.in_force.at(self, store, count).map(drop)
    }
}

/// The lower ones of what is set and what the server has.
fn rates(stored: &Stored, server: Rates) -> Rates {
    let lower =
        |set: Option<u32>, server: NonZeroU32| set.and_then(NonZeroU32::new).map_or(server, |set| set.min(server));
    Rates {
        enforce: lower(stored.enforce_per_minute, server.enforce),
        events: lower(stored.events_per_minute, server.events),
        polls: lower(stored.polls_per_minute, server.polls),
        endpoints: lower(stored.checkins_per_minute, server.endpoints),
        governance: server.governance,
    }
}

fn days(stored: &Stored) -> u32 {
    let most = u32::try_from(EVENT_DAYS).unwrap_or(u32::MAX);
    stored.event_retention_days.map_or(most, |days| days.clamp(1, most))
}

fn answer(tenant: &Tenant, kept: KeptSettings) -> Answer {
    let rates = rates(&kept.settings, tenant.rates);
    let least = mode(&kept.settings).map_or(tenant.mode, |set| strictest(tenant.mode, set));
    Answer {
        revision: kept.revision,
        settings: Settings {
            enforcement_mode: mode(&kept.settings),
            enforce_per_minute: kept.settings.enforce_per_minute,
            events_per_minute: kept.settings.events_per_minute,
            polls_per_minute: kept.settings.polls_per_minute,
            checkins_per_minute: kept.settings.checkins_per_minute,
            event_retention_days: kept.settings.event_retention_days,
        },
        effective: Effective {
            enforcement_mode: Some(least),
            enforce_per_minute: rates.enforce.get(),
            events_per_minute: rates.events.get(),
            polls_per_minute: rates.polls.get(),
            checkins_per_minute: rates.endpoints.get(),
            event_retention_days: days(&kept.settings),
        },
        updated_at: kept.updated_at.map(|at| at.to_string()),
        updated_by: kept.updated_by,
    }
}

/// The settings of the tenant. Blocks on the disk.
pub(crate) fn show(app: &App, access: &Access) -> Result<Answer, Fault> {
    let kept = app.store.settings(access.tenant.id.as_str()).map_err(Fault::unavailable)?;
    Ok(answer(&access.tenant, kept))
}

/// Refuses what would have no effect or be looser than the server.
fn checked(tenant: &Tenant, wanted: &Settings) -> Result<Stored, Fault> {
    if let Some(mode) = wanted.enforcement_mode
        && mode != tenant.mode
        && strictest(tenant.mode, mode) == tenant.mode
    {
        let message = format!(
            "`enforcement_mode` is looser than the server's, `{}`: a tenant can only be stricter than its server",
            tenant.mode.as_str()
        );
        return Err(Fault::bad(message));
    }
    let limits = [
        ("enforce_per_minute", wanted.enforce_per_minute, tenant.rates.enforce),
        ("events_per_minute", wanted.events_per_minute, tenant.rates.events),
        ("polls_per_minute", wanted.polls_per_minute, tenant.rates.polls),
        ("checkins_per_minute", wanted.checkins_per_minute, tenant.rates.endpoints),
    ];
    for (field, set, server) in limits {
        if set.is_some_and(|set| set == 0 || set > server.get()) {
            return Err(Fault::bad(format!("`{field}` is 1 to {server}, which is the server's own limit")));
        }
    }
    if wanted.event_retention_days.is_some_and(|days| days == 0 || i64::from(days) > EVENT_DAYS) {
        return Err(Fault::bad(format!("`event_retention_days` is 1 to {EVENT_DAYS}")));
    }
    Ok(Stored {
        enforcement_mode: wanted.enforcement_mode.map(|mode| mode.as_str().to_owned()),
        enforce_per_minute: wanted.enforce_per_minute,
        events_per_minute: wanted.events_per_minute,
        polls_per_minute: wanted.polls_per_minute,
        checkins_per_minute: wanted.checkins_per_minute,
        event_retention_days: wanted.event_retention_days,
    })
}

/// Sets them: in the ledger before it counts and after. Blocks on the disk.
pub(crate) fn set(app: &App, access: &Access, body: &[u8]) -> Result<Answer, Fault> {
    let Change { revision, settings } = read(body).map_err(|error| unreadable(&error))?;
    let tenant = &*access.tenant;
    let wanted = checked(tenant, &settings)?;
    let moved = || Fault::new(Code::Conflict, "the settings were changed in between: look at them, and set them anew");
    let known = app.store.settings(tenant.id.as_str()).map_err(Fault::unavailable)?;
    if known.revision != revision {
        return Err(moved());
    }
    if known.settings == wanted {
        return Ok(answer(tenant, known));
    }
    let document = |settings: &Stored| serde_json::to_string(settings).map_err(Fault::broken);
    let (before, after) = (document(&known.settings)?, document(&wanted)?);
    let what = format!("set revision {} of the settings, {after} instead of {before}", revision + 1);
    let kept = access.change(EventType::SettingsChanged, &what, || {
        let label = access.key.label();
        let kept = app.store.set_settings(tenant.id.as_str(), &wanted, revision, label, clock::now().wall);
        Ok(kept.map_err(Fault::unavailable)?.ok_or_else(moved))
    })?;
    tenant.look_at_settings(&*app.store).map_err(Fault::unavailable)?;
    Ok(answer(tenant, kept))
}
