//! The statements over keys.

use jiff::Timestamp;
use thoth_store::server::{Key, ServerError};
use tokio_postgres::Row;

use crate::error::{Fault, PostgresError};
use crate::rows::{nanoseconds, time};
use crate::session::Session;

macro_rules! key_columns {
    () => {
        "id, tenant, name, scope_level, scope_target, permissions, reason, created_at, expires_at, revoked_at, last_used_at"
    };
}

fn read(row: &Row) -> Result<Key, Fault> {
    let when = |column| row.try_get::<_, Option<i64>>(column)?.map(time).transpose();
    let permissions: &str = row.try_get(5)?;
    Ok(Key {
        id: row.try_get(0)?,
        tenant: row.try_get(1)?,
        name: row.try_get(2)?,
        scope_level: row.try_get(3)?,
        scope_target: row.try_get(4)?,
        permissions: permissions.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        reason: row.try_get(6)?,
        created_at: time(row.try_get(7)?)?,
        expires_at: when(8)?,
        revoked_at: when(9)?,
        last_used_at: when(10)?,
    })
}

pub(crate) fn insert(session: &Session<'_>, key: &Key, digest: &[u8; 32], most: u32) -> Result<(), Fault> {
    let count = session.row("SELECT count(*) FROM keys WHERE tenant = $1", &[&key.tenant])?;
    let count: i64 = count.map_or(Ok(0), |row| row.try_get(0))?;
    if count >= i64::from(most) {
        return Err(Fault::Server(ServerError::TooManyKeys));
    }
    let when = |at: Option<Timestamp>| at.map(nanoseconds).transpose();
    let done = session.change(
        "INSERT INTO keys (id, tenant, digest, name, scope_level, scope_target, permissions, reason, created_at, expires_at,
                           revoked_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
        &[
            &key.id,
            &key.tenant,
            &digest.as_slice(),
            &key.name,
            &key.scope_level,
            &key.scope_target,
            &key.permissions.join(","),
            &key.reason,
            &nanoseconds(key.created_at)?,
            &when(key.expires_at)?,
            &when(key.revoked_at)?,
            &when(key.last_used_at)?,
        ],
    )?;
    if done == 1 { Ok(()) } else { Err(Fault::Server(ServerError::KeyExists)) }
}

pub(crate) fn by_digest(session: &Session<'_>, digest: &[u8; 32]) -> Result<Option<Key>, Fault> {
    let sql = concat!("SELECT ", key_columns!(), " FROM keys WHERE digest = $1");
    session.row(sql, &[&digest.as_slice()])?.as_ref().map(read).transpose()
}

pub(crate) fn of_tenant(session: &Session<'_>, tenant: &str) -> Result<Vec<Key>, Fault> {
    let sql = concat!("SELECT ", key_columns!(), " FROM keys WHERE tenant = $1 ORDER BY number DESC");
    session.rows(sql, &[&tenant])?.iter().map(read).collect()
}

pub(crate) fn revoke(session: &Session<'_>, tenant: &str, id: &str, now: Timestamp) -> Result<Option<Key>, Fault> {
    // No key has such an id, and the database takes no such text.
    if id.contains('\0') {
        return Ok(None);
    }
    let sql = concat!(
        "UPDATE keys SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND id = $2 RETURNING ",
        key_columns!()
    );
    session.row(sql, &[&tenant, &id, &nanoseconds(now)?])?.as_ref().map(read).transpose()
}

/// Has a key that is still good end: now, or later.
pub(crate) fn end(
    session: &Session<'_>,
    tenant: &str,
    id: &str,
    now: Timestamp,
    end: Timestamp,
) -> Result<Option<Key>, Fault> {
    if id.contains('\0') {
        return Ok(None);
    }
    let (at, until) = (nanoseconds(now)?, nanoseconds(end)?);
    let sql = if end <= now {
        concat!(
            "UPDATE keys SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL
                 AND (expires_at IS NULL OR (expires_at > $3 AND created_at <= $3)) AND $4::bigint <= $3 RETURNING ",
            key_columns!()
        )
    } else {
        concat!(
            "UPDATE keys SET expires_at = least(coalesce(expires_at, $4), $4) WHERE tenant = $1 AND id = $2
                 AND revoked_at IS NULL AND (expires_at IS NULL OR (expires_at > $3 AND created_at <= $3)) RETURNING ",
            key_columns!()
        )
    };
    session.row(sql, &[&tenant, &id, &at, &until])?.as_ref().map(read).transpose()
}

pub(crate) fn was_used(session: &Session<'_>, key: &Key, now: Timestamp) -> Result<(), PostgresError> {
    let sql = "UPDATE keys SET last_used_at = $3 WHERE tenant = $1 AND id = $2";
    session.change(sql, &[&key.tenant, &key.id, &nanoseconds(now)?]).map(drop)
}
