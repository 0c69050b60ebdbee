//! Keys: found by their digest, made, listed and taken back. The key itself is seen once, when it is made.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use thoth_api::contract::fault::Code;
use thoth_api::contract::key::{
    ApiKey, Authorize, Authorized, Create, CreateError, Created, Keys, MAX_GRACE_SECONDS, Permission, Permissions,
    Rotate, Rotated, Row, ScopeLevel,
};
use thoth_api::contract::read;
use thoth_audit::EventType;
use thoth_postgres::Database;
use thoth_store::server::{Key as Stored, KeyRecords, KeyState, ServerError};

use crate::access::{Access, Key};
use crate::app::App;
use crate::clock;
use crate::enforce::unreadable;
use crate::fault::Fault;
use crate::hold::instant;
use crate::random;
use crate::stores::{Files, Shared, Stores as _};
use crate::tenants::TenantName;

/// The longest name, target or reason, in bytes.
const MAX_TEXT: usize = 256;

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It makes no sense.
    #[error(transparent)]
    Senseless(#[from] CreateError),
    /// A text is too long or a person could not read it.
    #[error("`{0}` is longer than {MAX_TEXT} bytes, or has control characters")]
    Text(&'static str),
    /// It would end after the end of time.
    #[error("`ttl_seconds` is too large")]
    Endless,
    /// The system has no randomness.
    #[error("the system has no randomness")]
    NoRandomness,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] ServerError),
}

/// The key of this digest, and whose it is; none that was taken back.
pub(crate) fn find(
    store: &(impl KeyRecords + ?Sized),
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(String, Key)>, Fault> {
    let Some(stored) = store.key_by_digest(digest).map_err(Fault::unavailable)? else { return Ok(None) };
    let state = stored.state_at(now);
    if state == KeyState::Revoked {
        return Ok(None);
    }
    let key = Key {
        expired: state == KeyState::Expired,
        level: level(&stored)?,
        permissions: permissions(&stored)?,
        id: stored.id.clone(),
        name: stored.name.clone(),
        target: stored.scope_target.clone(),
        person: None,
    };
    if !key.expired {
        store.key_was_used(&stored, now).map_err(Fault::unavailable)?;
    }
    Ok(Some((stored.tenant, key)))
}

/// Makes the first key of a tenant, in the data directory itself: nobody has one yet to ask the server with.
///
/// # Errors
/// If it makes no sense or cannot be kept.
pub fn create_key(data: &Path, tenant: &TenantName, wanted: &Create) -> Result<Created, KeyError> {
    make(&*Files::new(data).records(), tenant.as_str(), wanted)
}

/// The same in a database.
///
/// # Errors
/// If it makes no sense or cannot be kept.
pub fn create_key_in(database: Arc<Database>, tenant: &TenantName, wanted: &Create) -> Result<Created, KeyError> {
    make(&*Shared::new(database).records(), tenant.as_str(), wanted)
}

/// `POST /{tenant}/thoth/api-keys`. Blocks on the disk.
pub(crate) fn create(app: &App, access: &Access, body: &[u8]) -> Result<Created, Fault> {
    let wanted: Create = read(body).map_err(|error| unreadable(&error))?;
    let names_a_person = |name: &String| app.oidc().is_some_and(|oidc| oidc.names_a_person(name));
    if wanted.name.as_ref().is_some_and(names_a_person) {
        return Err(Fault::bad("`name` is how a person is named who logs in; give the key another one"));
    }
    let (api_key, stored) = prepared(access.tenant.id.as_str(), &wanted).map_err(refused)?;
    access.change(EventType::KeyCreated, &told(&stored)?, || {
        app.store.add_key(&stored, &api_key.digest()).map(Ok).map_err(|error| refused(error.into()))
    })?;
    Ok(Created { api_key, row: row(&stored)? })
}

fn refused(error: KeyError) -> Fault {
    match error {
        KeyError::NoRandomness => Fault::unavailable(error),
        KeyError::Store(cause) if cause.is_outage() => Fault::unavailable(cause),
        error => Fault::bad(error.to_string()),
    }
}

/// What the ledger has of a key; never the key.
fn told(stored: &Stored) -> Result<String, Fault> {
    let ttl_seconds = stored.expires_at.map(|end| end.duration_since(stored.created_at).as_secs());
    let said = json!({
        "id": stored.id, "name": stored.name, "scope_level": stored.scope_level, "scope_target_id": stored.scope_target,
        "permissions": stored.permissions, "ttl_seconds": ttl_seconds, "jit_reason": stored.reason,
    });
    serde_json::to_string(&said).map_err(Fault::broken)
}

/// The key of this id, in whatever state.
fn known(app: &App, access: &Access, id: &str) -> Result<Stored, Fault> {
    let keys = app.store.keys(access.tenant.id.as_str()).map_err(Fault::unavailable)?;
    keys.into_iter().find(|key| key.id == id).ok_or_else(|| Fault::not_found("there is no such key"))
}

/// `POST /{tenant}/thoth/api-keys/{id}/rotate`. Blocks on the disk.
pub(crate) fn rotate(app: &App, access: &Access, id: &str, body: &[u8]) -> Result<Rotated, Fault> {
    let Rotate { grace_seconds } = match body {
        [] => Rotate::default(),
        body => read(body).map_err(|error| unreadable(&error))?,
    };
    let grace = grace_seconds.unwrap_or_default();
    if grace > MAX_GRACE_SECONDS {
        return Err(Fault::bad(format!("`grace_seconds` is 0 to {MAX_GRACE_SECONDS}")));
    }
    let grace = SignedDuration::from_secs(i64::try_from(grace).map_err(Fault::broken)?);
    let over = || Fault::new(Code::Conflict, "the key is over, and nothing takes its place; make another one");
    let old = known(app, access, id)?;
    if old.state_at(clock::now().wall) != KeyState::Valid {
        return Err(over());
    }
    let lived = old.expires_at.map(|end| end.duration_since(old.created_at).as_secs());
    let wanted = Create {
        name: old.name.clone(),
        scope_level: level(&old)?,
        scope_target_id: old.scope_target.clone(),
        permissions: permissions(&old)?,
        ttl_seconds: lived.map(|seconds| u64::try_from(seconds).unwrap_or_default().max(1)),
        jit_reason: old.reason.clone(),
    };
    let (api_key, new) = prepared(access.tenant.id.as_str(), &wanted).map_err(refused)?;
    let end = new.created_at.checked_add(grace).map_err(Fault::broken)?;
    let ended = format!("{id} ends at {end}, {} takes its place", new.id);
    let replace = || {
        let replaced = app.store.replace_key(id, &new, &api_key.digest(), new.created_at, end);
        Ok(replaced.map_err(|error| refused(error.into()))?.ok_or_else(over))
    };
    let replaced =
        access.change(EventType::KeyCreated, &format!("{}, in place of {id}", told(&new)?), || {
            match access.change(EventType::KeyRevoked, &ended, replace) {
                Err(fault) if fault.code == Code::Conflict => Ok(Err(fault)),
                replaced => replaced.map(Ok),
            }
        })?;
    Ok(Rotated { created: Created { api_key, row: row(&new)? }, replaced: row(&replaced)? })
}

/// `POST /{tenant}/thoth/api-keys/{id}/authorize`. Blocks on the disk.
pub(crate) fn authorize(app: &App, access: &Access, id: &str, body: &[u8]) -> Result<Authorized, Fault> {
    let asked: Authorize = read(body).map_err(|error| unreadable(&error))?;
    let resource = asked.resource_type.unwrap_or(ScopeLevel::Organization);
    if asked.resource_id.is_none() && resource != ScopeLevel::Organization {
        return Err(Fault::bad(format!("a {resource} is named by `resource_id`")));
    }
    let key = known(app, access, id)?;
    let (scope_level, permissions) = (level(&key)?, permissions(&key)?);
    let now = clock::now().wall;
    // By the digest, as every request is looked up: nothing here compares secrets.
    let found = app.store.key_by_digest(&asked.api_key.digest()).map_err(Fault::unavailable)?;
    let is_it = found.is_some_and(|found| (found.tenant, found.id) == (key.tenant.clone(), key.id.clone()));
    let state = key.state_at(now);
    let covers = scope_level == ScopeLevel::Organization
        || (scope_level == resource && key.scope_target.is_some() && key.scope_target == asked.resource_id);
    Ok(Authorized {
        valid: is_it && state == KeyState::Valid,
        permission_allowed: is_it && permissions.has(asked.permission),
        scope_allowed: is_it && covers,
        expired: is_it && state == KeyState::Expired,
        scope_level,
        scope_target_id: key.scope_target,
        validated_at: instant(now),
    })
}

/// `GET /{tenant}/thoth/api-keys`. Blocks on the disk.
pub(crate) fn list(app: &App, access: &Access) -> Result<Keys, Fault> {
    let stored = app.store.keys(access.tenant.id.as_str()).map_err(Fault::unavailable)?;
    let api_keys = stored.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let total = u64::try_from(api_keys.len()).unwrap_or(u64::MAX);
    Ok(Keys { api_keys, total })
}

/// `DELETE /{tenant}/thoth/api-keys/{id}`. Blocks on the disk.
pub(crate) fn revoke(app: &App, access: &Access, id: &str) -> Result<Row, Fault> {
    let key = known(app, access, id)?;
    let revoke = || {
        let found = app.store.revoke_key(access.tenant.id.as_str(), id, clock::now().wall);
        Ok(found.map_err(Fault::unavailable)?.ok_or_else(|| Fault::not_found("there is no such key")))
    };
    let revoked =
        if key.revoked_at.is_none() { access.change(EventType::KeyRevoked, &told(&key)?, revoke) } else { revoke()? };
    row(&revoked?)
}

fn make(store: &(impl KeyRecords + ?Sized), tenant: &str, wanted: &Create) -> Result<Created, KeyError> {
    let (api_key, stored) = prepared(tenant, wanted)?;
    store.add_key(&stored, &api_key.digest())?;
    Ok(Created { api_key, row: described(&stored, wanted.scope_level, wanted.permissions.clone()) })
}

/// A key that makes sense, and is nowhere yet.
fn prepared(tenant: &str, wanted: &Create) -> Result<(ApiKey, Stored), KeyError> {
    wanted.check()?;
    let texts =
        [("name", &wanted.name), ("scope_target_id", &wanted.scope_target_id), ("jit_reason", &wanted.jit_reason)];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT || text.chars().any(char::is_control)) {
            return Err(KeyError::Text(field));
        }
    }
    let now = clock::now().wall;
    let lasting = wanted.ttl_seconds.map(|seconds| {
        let seconds = i64::try_from(seconds).map_err(|_| KeyError::Endless)?;
        now.checked_add(SignedDuration::from_secs(seconds)).map_err(|_| KeyError::Endless)
    });
    let id = random::eight().ok_or(KeyError::NoRandomness)?;
    let api_key = ApiKey::from_random(random::thirty_two().ok_or(KeyError::NoRandomness)?, wanted.scope_level);
    let stored = Stored {
        id: format!("key_{:016x}", u64::from_be_bytes(id)),
        tenant: tenant.to_owned(),
        name: wanted.name.clone(),
        scope_level: wanted.scope_level.to_string(),
        scope_target: wanted.scope_target_id.clone(),
        permissions: wanted.permissions.0.iter().map(ToString::to_string).collect(),
        reason: wanted.jit_reason.clone(),
        created_at: now,
        expires_at: lasting.transpose()?,
        revoked_at: None,
        last_used_at: None,
    };
    Ok((api_key, stored))
}

fn row(stored: &Stored) -> Result<Row, Fault> {
    Ok(described(stored, level(stored)?, permissions(stored)?))
}

fn described(stored: &Stored, scope_level: ScopeLevel, permissions: Permissions) -> Row {
    Row {
        id: stored.id.clone(),
        name: stored.name.clone(),
        scope_level,
        scope_target_id: stored.scope_target.clone(),
        permissions,
        created_at: Some(instant(stored.created_at)),
        expires_at: stored.expires_at.map(instant),
        revoked_at: stored.revoked_at.map(instant),
        last_used_at: stored.last_used_at.map(instant),
        jit_reason: stored.reason.clone(),
    }
}

/// A word that nobody knows is damage, and opens nothing.
fn level(stored: &Stored) -> Result<ScopeLevel, Fault> {
    ScopeLevel::parse(&stored.scope_level).ok_or_else(|| damaged(stored))
}

fn permissions(stored: &Stored) -> Result<Permissions, Fault> {
    let words = stored.permissions.iter().map(|word| Permission::parse(word).ok_or_else(|| damaged(stored)));
    words.collect()
}

fn damaged(stored: &Stored) -> Fault {
    Fault::broken(format!("the key {} is written down in words that are not known", stored.id))
}
