//! `…/api-keys`: keys, what each may do, and for whom.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thoth_types::Redacted;

use super::read::text;
use super::words;
use super::words::unknown;

/// A key is never longer.
const MAX_KEY_BYTES: usize = 512;

/// A key itself. It is shown once, when it is made; nothing prints it.
#[derive(Debug, Clone)]
pub struct ApiKey(Redacted<String>);

impl ApiKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn from_random(random: [u8; 32], level: ScopeLevel) -> Self {
        let random = zeroize::Zeroizing::new(random);
        let prefix = if level == ScopeLevel::Organization { "thoth_org_" } else { "thoth_live_" };
        let mut text = String::with_capacity(prefix.len() + 2 * random.len());
        text.push_str(prefix);
        for byte in random.iter() {
            // Writing to a string does not fail.
            let _always = write!(text, "{byte:02x}");
        }
        Self(Redacted::new(text))
    }

    /// A key as somebody gives it, of any server's making. `None`: it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Redacted::new(text.to_owned())))
    }

    /// The key's text. Every use of this name is a place to review.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// The SHA-256, by which a server knows the key. Keys are random and long, so nothing slower is needed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.expose_secret().as_bytes()).into()
    }
}

words! {
    /// For whom a key speaks.
    ScopeLevel {
        /// Everybody in the tenant.
        Organization => "organization" | "organisation" | "org",
        /// The machines of one fleet.
        Fleet => "fleet",
        /// One machine.
        Endpoint => "endpoint",
        /// One agent.
        Agent => "agent",
    }
}

words! {
    /// What a key may do.
    Permission {
        /// Look: lists.
        Read => "read",
        /// Change: keys, approvals; and send events.
        Write => "write" | "events:write",
        /// Ask for decisions, poll holds, have them explained.
        Execute => "execute" | "enforcement:read" | "step_up:read",
    }
}

/// A set of permissions. In what older servers list, `admin` is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(pub BTreeSet<Permission>);

impl Permissions {
    /// Whether this is among them.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|permission| permission.as_str()).collect();
        f.pad(&words.join(","))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut set = BTreeSet::new();
        for word in Vec::<String>::deserialize(deserializer)? {
            match Permission::parse(&word) {
                Some(permission) => {
                    set.insert(permission);
                }
                None if word.eq_ignore_ascii_case("admin") => set.extend(Permission::ALL),
                None => return Err(unknown(&["read", "write", "execute"])),
            }
        }
        Ok(Self(set))
    }
}

/// What is asked for is said in full: who writes `admin` means more than they know, among it `execute`, with which a key
/// may not administer anything.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Permissions, D::Error> {
    Vec::<Permission>::deserialize(deserializer).map(Permissions::from_iter)
}

/// What is asked for when a key is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = KeyRequest))]
pub struct Create {
    /// For people.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For whom it speaks.
    #[serde(alias = "scopeLevel")]
    pub scope_level: ScopeLevel,
    /// The fleet, machine or agent.
    #[serde(
        default,
        alias = "scopeTargetId",
        alias = "scope_target",
        alias = "scopeTarget",
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub scope_target_id: Option<String>,
    /// What it may do.
    #[serde(deserialize_with = "named")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Permission>))]
    pub permissions: Permissions,
    /// How long it lives; for good where nothing is said.
    #[serde(default, alias = "ttlSeconds", skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Why it is needed.
    #[serde(default, alias = "jitReason", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub jit_reason: Option<String>,
}

/// Why a key cannot be made as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// A fleet, machine or agent must be named.
    #[error("a key for one {0} needs its `scope_target_id`")]
    NoTarget(ScopeLevel),
    /// A key of the organisation is for no single one.
    #[error("a key for the organization has no `scope_target_id`")]
    Target,
    /// A key that may do nothing.
    #[error("a key needs at least one permission: read, write or execute")]
    NoPermission,
    /// A key that is expired when it is made.
    #[error("`ttl_seconds` must be at least 1")]
    NoTime,
}

impl Create {
    /// Whether such a key makes sense.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self) -> Result<(), CreateError> {
        match (self.scope_level, &self.scope_target_id) {
            (ScopeLevel::Organization, Some(_)) => Err(CreateError::Target),
            (level, None) if level != ScopeLevel::Organization => Err(CreateError::NoTarget(level)),
            _ if self.permissions.0.is_empty() => Err(CreateError::NoPermission),
            _ if self.ttl_seconds == Some(0) => Err(CreateError::NoTime),
            _ => Ok(()),
        }
    }
}

/// A key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Key))]
pub struct Row {
    /// Names it; not secret.
    #[serde(alias = "key_id", alias = "keyId")]
    pub id: String,
    /// For people.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For whom it speaks.
    #[serde(alias = "scopeLevel")]
    pub scope_level: ScopeLevel,
    /// The fleet, machine or agent.
    #[serde(default, alias = "scopeTargetId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub scope_target_id: Option<String>,
    /// What it may do.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Permission>))]
    pub permissions: Permissions,
    /// When it was made, RFC 3339.
    #[serde(default, alias = "createdAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it ends, RFC 3339.
    #[serde(default, alias = "expiresAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was taken back, RFC 3339.
    #[serde(default, alias = "revokedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// When it was used last, RFC 3339; kept by the minute.
    #[serde(default, alias = "lastUsedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// Why it was needed.
    #[serde(default, alias = "jitReason", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub jit_reason: Option<String>,
}

/// A key that was just made. Only here is the key itself, and only once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CreatedKey))]
pub struct Created {
    /// The key itself.
    #[serde(alias = "apiKey", alias = "key", alias = "plaintext", with = "plaintext")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub api_key: ApiKey,
    /// What is known of it.
    #[serde(flatten)]
    pub row: Row,
}

/// The longest time that a key which was replaced lives on, in seconds: 30 days.
pub const MAX_GRACE_SECONDS: u64 = 30 * 24 * 60 * 60;

/// Has a key replaced by a new one for the same, with the same permissions, name and lifetime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = KeyRotation))]
pub struct Rotate {
    /// How long the old key goes on beside the new one. It ends at once where nothing is said.
    #[serde(default, alias = "graceSeconds", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 2_592_000))]
    pub grace_seconds: Option<u64>,
}

/// Asks whether a text is a key, and whether that key may do something for somebody.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = KeyQuestion))]
pub struct Authorize {
    /// The text that is to be the key.
    #[serde(alias = "apiKey", with = "plaintext")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub api_key: ApiKey,
    /// What it is to be good for.
    pub permission: Permission,
    /// For whom: the whole organisation where nothing is said.
    #[serde(default, alias = "resourceType", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<ScopeLevel>,
    /// The fleet, machine or agent.
    #[serde(default, alias = "resourceId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
}

/// What comes of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = KeyAnswer))]
pub struct Authorized {
    /// Whether the text is the key, and it was neither taken back nor is its time over.
    pub valid: bool,
    /// Whether the text is the key, and it has the permission.
    #[serde(alias = "permissionAllowed")]
    pub permission_allowed: bool,
    /// Whether the text is the key, and it speaks for whom was asked about.
    #[serde(alias = "scopeAllowed")]
    pub scope_allowed: bool,
    /// Whether the text is the key, and its time is over.
    pub expired: bool,
    /// For whom the key speaks.
    #[serde(alias = "scopeLevel")]
    pub scope_level: ScopeLevel,
    /// The fleet, machine or agent.
    #[serde(default, alias = "scopeTargetId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub scope_target_id: Option<String>,
    /// When it was looked at, RFC 3339.
    #[serde(alias = "validatedAt")]
    pub validated_at: String,
}

/// A key that was just made in place of another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RotatedKey))]
pub struct Rotated {
    /// The new one.
    #[serde(flatten)]
    pub created: Created,
    /// The old one, with its end.
    pub replaced: Row,
}

/// All keys of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Keys {
    /// The keys.
    #[serde(alias = "apiKeys", alias = "data")]
    pub api_keys: Vec<Row>,
    /// How many there are.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub total: u64,
}

mod plaintext {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::ApiKey;

    pub(super) fn serialize<S: Serializer>(key: &ApiKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(key.expose_secret())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ApiKey, D::Error> {
        let text = zeroize::Zeroizing::new(String::deserialize(deserializer)?);
        ApiKey::parse(&text).ok_or_else(|| D::Error::custom("expected one of the keys that servers make"))
    }
}
