//! `…/settings`: what administrators set for their tenant. A tenant can only be stricter than the server that it is on.

use serde::{Deserialize, Serialize};
use thoth_types::Mode;

use super::read::text;

/// How modes are written where there may be none.
pub(crate) mod optional_mode {
    use serde::{Deserialize, Deserializer, Serializer};
    use thoth_types::Mode;

    use crate::contract::verdict::mode;
    use crate::contract::words::unknown;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Mode>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(mode) => serializer.serialize_str(mode.as_str()),
            None => serializer.serialize_none(),
        }
    }

    /// A word that is none is no setting, and no absent one.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mode>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let Some(text) = text else { return Ok(None) };
        mode(&text).map(Some).ok_or_else(|| unknown(&["observe", "step_up", "progressive", "block"]))
    }
}

/// What is set. What is absent is as the server has it, so that a name which nobody knows is refused: it would take back what
/// it was meant to set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TenantSettings))]
pub struct Settings {
    /// What is done about violations at least. Not looser than the server's.
    #[serde(default, with = "optional_mode", alias = "enforcementMode", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::openapi::ModeWord>))]
    pub enforcement_mode: Option<Mode>,
    /// How many calls are decided in a minute. Not more than the server's.
    #[serde(default, alias = "enforcePerMinute", skip_serializing_if = "Option::is_none")]
    pub enforce_per_minute: Option<u32>,
    /// How many batches of events are taken in a minute. Not more than the server's.
    #[serde(default, alias = "eventsPerMinute", skip_serializing_if = "Option::is_none")]
    pub events_per_minute: Option<u32>,
    /// How many questions about held calls are answered in a minute. Not more than the server's.
    #[serde(default, alias = "pollsPerMinute", skip_serializing_if = "Option::is_none")]
    pub polls_per_minute: Option<u32>,
    /// How many machines register or check in in a minute. Not more than the server's.
    #[serde(default, alias = "checkinsPerMinute", skip_serializing_if = "Option::is_none")]
    pub checkins_per_minute: Option<u32>,
    /// For how many days events that clients tell are kept: 1 to 90. The ledger loses nothing.
    #[serde(default, alias = "eventRetentionDays", skip_serializing_if = "Option::is_none")]
    pub event_retention_days: Option<u32>,
}

/// What holds, with what the server has where nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EffectiveSettings))]
pub struct Effective {
    /// What is done about violations at least.
    #[serde(alias = "enforcementMode", with = "optional_mode")]
    #[cfg_attr(feature = "openapi", schema(value_type = super::openapi::ModeWord))]
    pub enforcement_mode: Option<Mode>,
    /// How many calls are decided in a minute.
    #[serde(alias = "enforcePerMinute")]
    pub enforce_per_minute: u32,
    /// How many batches of events are taken in a minute.
    #[serde(alias = "eventsPerMinute")]
    pub events_per_minute: u32,
    /// How many questions about held calls are answered in a minute.
    #[serde(alias = "pollsPerMinute")]
    pub polls_per_minute: u32,
    /// How many machines register or check in in a minute.
    #[serde(alias = "checkinsPerMinute")]
    pub checkins_per_minute: u32,
    /// For how many days events that clients tell are kept.
    #[serde(alias = "eventRetentionDays")]
    pub event_retention_days: u32,
}

/// The settings of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TenantSettingsAnswer))]
pub struct Answer {
    /// How often they were set. Whoever sets them says which one they have seen.
    pub revision: u64,
    /// What is set.
    pub settings: Settings,
    /// What holds.
    pub effective: Effective,
    /// When they were set last, RFC 3339.
    #[serde(default, alias = "updatedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// By whom.
    #[serde(default, alias = "updatedBy", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

/// Sets all settings: what is absent is as the server has it from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TenantSettingsChange))]
pub struct Change {
    /// The revision that they were seen in. If they have another one by now, nothing is set.
    pub revision: u64,
    /// What is to be set.
    pub settings: Settings,
}
