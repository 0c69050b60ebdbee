//! `POST /v1/endpoints/register`, `POST /v1/endpoints/checkin` and `…/endpoints`: the machines on which agents run.

use serde::{Deserialize, Serialize};

use super::policy_bundle::BundleRef;
use super::read::{list, text};
use super::words;

/// How many agents one machine may name.
pub const MAX_AGENTS: usize = 64;

words! {
    /// Whether the calls of a machine are decided, or all refused.
    Standing {
        /// They are decided.
        Active => "active",
        /// All are refused.
        Quarantined => "quarantined",
    }
}

words! {
    /// How a machine stands, by when it was seen last.
    Presence {
        /// It checks in.
        Online => "online",
        /// It has missed some check-ins.
        Offline => "offline",
        /// It was not seen for a day.
        Stale => "stale",
        /// All of its calls are refused, whenever it was seen.
        Quarantined => "quarantined",
    }
}

words! {
    /// Who manages a machine.
    Enrollment {
        /// Jamf.
        Jamf => "jamf",
        /// Intune.
        Intune => "intune",
        /// Kandji.
        Kandji => "kandji",
        /// Workspace ONE.
        WorkspaceOne => "workspace_one",
        /// Somebody by hand.
        Manual => "manual",
        /// Nobody.
        Unmanaged => "unmanaged",
    }
}

words! {
    /// What a machine does about violations.
    Enforcement {
        /// It stops calls.
        Enforce => "enforce" | "block" | "step_up" | "progressive",
        /// It only records what it would have done.
        Shadow => "shadow" | "observe",
        /// Nothing.
        Off => "off" | "disabled",
    }
}

/// A machine that registers. Registering again says what is new about it, and takes nothing back that was said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EndpointRegistration))]
pub struct Register {
    /// The organisation.
    #[serde(default, alias = "tenantId")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub tenant_id: String,
    /// Names the machine.
    #[serde(alias = "endpointId", alias = "device_id", alias = "deviceId")]
    pub endpoint_id: String,
    /// Its name for people.
    #[serde(alias = "hostName", alias = "host_name")]
    pub hostname: String,
    /// `macos`, `windows` or `linux`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Which version of that.
    #[serde(default, alias = "osVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Which version of the proxy runs there.
    #[serde(default, alias = "proxyVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub proxy_version: Option<String>,
    /// `dev`, `staging` or `prod`.
    #[serde(default, alias = "env", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who manages it.
    #[serde(default, alias = "enrollment_source", alias = "enrollmentSource", skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<Enrollment>,
    /// The fleet that it belongs to. Once it is in one, only an administrator's key moves it to another.
    #[serde(default, alias = "fleetId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// The agents on it.
    #[serde(default, alias = "agentIds", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub agent_ids: Vec<String>,
    /// What it does about violations.
    #[serde(default, alias = "enforcementMode", skip_serializing_if = "Option::is_none")]
    pub enforcement_mode: Option<Enforcement>,
}

/// A machine that is still there. What is absent stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EndpointCheckIn))]
pub struct CheckIn {
    /// The organisation.
    #[serde(alias = "tenantId")]
    pub tenant_id: String,
    /// Names the machine.
    #[serde(alias = "endpointId", alias = "device_id", alias = "deviceId")]
    pub endpoint_id: String,
    /// The agents on it.
    #[serde(default, alias = "agentIds", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub agent_ids: Vec<String>,
    /// Which version of the proxy runs there.
    #[serde(default, alias = "proxyVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub proxy_version: Option<String>,
    /// The digest of the policy that it has.
    #[serde(default, alias = "policyDigest", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// How many events it has not sent.
    #[serde(default, alias = "eventsPending", skip_serializing_if = "Option::is_none")]
    pub events_pending: Option<u64>,
}

/// The key that signs what a tenant's server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SigningKey {
    /// Names it: the first 16 hexadecimal digits of the SHA-256 of the public key.
    #[serde(alias = "keyId")]
    pub key_id: String,
    /// The Ed25519 public key, 32 bytes in base64.
    #[serde(alias = "publicKey")]
    pub public_key: String,
}

/// Which policy holds for a machine beside the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldPolicy {
    /// The bundle, where it is exactly one.
    #[serde(default, alias = "bundleId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub bundle_id: Option<String>,
    /// Its version, where it is exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The digest of the policy as a whole, with the server's own.
    pub digest: String,
    /// The bundles, in the order in which they are merged.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub bundles: Vec<BundleRef>,
}

/// What a machine is told when it registers or checks in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EndpointAnswer))]
pub struct Answer {
    /// The machine.
    #[serde(alias = "endpointId")]
    pub endpoint_id: String,
    /// Whether its calls are decided, or all refused.
    pub status: Standing,
    /// In how many seconds to check in again.
    #[serde(alias = "checkinIntervalSeconds")]
    pub checkin_interval_seconds: u64,
    /// The policy that holds there, where bundles are assigned to it; those for single agents are not among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<HeldPolicy>,
    /// By what signed documents and receipts are verified.
    #[serde(default, alias = "signingKey", skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<SigningKey>,
    /// The server's clock, RFC 3339.
    #[serde(alias = "serverTime")]
    pub server_time: String,
}

/// A machine, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Endpoint {
    /// Names it.
    #[serde(alias = "endpointId", alias = "id")]
    pub endpoint_id: String,
    /// How it stands.
    pub status: Presence,
    /// Its name for people.
    pub hostname: String,
    /// `macos`, `windows` or `linux`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Which version of that.
    #[serde(default, alias = "osVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Which version of the proxy runs there.
    #[serde(default, alias = "proxyVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub proxy_version: Option<String>,
    /// `dev`, `staging` or `prod`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who manages it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<Enrollment>,
    /// The fleet that it belongs to.
    #[serde(default, alias = "fleetId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// The agents on it.
    #[serde(default, alias = "agentIds", deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub agent_ids: Vec<String>,
    /// What it does about violations.
    #[serde(default, alias = "enforcementMode", skip_serializing_if = "Option::is_none")]
    pub enforcement_mode: Option<Enforcement>,
    /// The digest of the policy that it had when it checked in last.
    #[serde(default, alias = "policyDigest", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// How many events it had not sent then.
    #[serde(default, alias = "eventsPending", skip_serializing_if = "Option::is_none")]
    pub events_pending: Option<u64>,
    /// When it registered or checked in last, RFC 3339.
    #[serde(alias = "lastSeen")]
    pub last_seen: String,
    /// When it registered first, RFC 3339.
    #[serde(default, alias = "createdAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it registered last, RFC 3339.
    #[serde(default, alias = "updatedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// Since when it is in quarantine, RFC 3339.
    #[serde(default, alias = "quarantinedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub quarantined_at: Option<String>,
    /// Who put it there.
    #[serde(default, alias = "quarantinedBy", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub quarantined_by: Option<String>,
    /// Why.
    #[serde(default, alias = "quarantineReason", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub quarantine_reason: Option<String>,
}

/// Which machines are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct Query {
    /// Only of this environment.
    #[serde(default, alias = "environment", skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Only of this fleet.
    #[serde(default, alias = "fleetId", skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// Only those that stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(inline))]
    pub status: Option<Presence>,
    /// Go on where a page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<u32>,
}

/// How many machines there are of each kind. One may be of several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EndpointStats))]
pub struct Stats {
    /// All.
    pub total: u64,
    /// Something or somebody manages them.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub managed: u64,
    /// Nobody does, or it is not known who.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub unmanaged: u64,
    /// They check in.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub online: u64,
    /// All of their calls are refused.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub quarantined: u64,
    /// Not seen for a day.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub stale: u64,
    /// They stop no call, or were not seen for a day.
    #[serde(default, alias = "atRisk")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub at_risk: u64,
    /// Their proxy is older than the newest that a machine of the tenant has.
    #[serde(default, alias = "proxyOutdated")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub proxy_outdated: u64,
    /// The newest proxy that a machine of the tenant has.
    #[serde(default, alias = "latestVersion", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<String>,
}

/// Puts a machine into quarantine, or takes it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EndpointQuarantine))]
pub struct Quarantine {
    /// Whether all of its calls are refused from now on.
    #[serde(alias = "quarantine")]
    pub quarantined: bool,
    /// Why, for the record.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
