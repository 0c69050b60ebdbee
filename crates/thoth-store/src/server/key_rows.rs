//! The statements over keys.

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, ToSql, named_params};

use super::{Key, ServerError};
use crate::error::Fault;
use crate::rows::{nanoseconds, time};

macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, name, scope_level, scope_target, permissions, reason, created_at, expires_at,
                    revoked_at, last_used_at FROM keys ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Key, Fault> {
    let when = |column| row.get::<_, Option<i64>>(column)?.map(time).transpose();
    let permissions: String = row.get(5)?;
    Ok(Key {
        id: row.get(0)?,
        tenant: row.get(1)?,
        name: row.get(2)?,
        scope_level: row.get(3)?,
        scope_target: row.get(4)?,
        permissions: permissions.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        reason: row.get(6)?,
        created_at: time(row.get(7)?)?,
        expires_at: when(8)?,
        revoked_at: when(9)?,
        last_used_at: when(10)?,
    })
}

fn select(connection: &Connection, sql: &str, parameters: &[(&str, &dyn ToSql)]) -> Result<Vec<Key>, Fault> {
    connection.prepare_cached(sql)?.query_and_then(parameters, read)?.collect()
}

pub(super) fn insert(connection: &Connection, key: &Key, digest: &[u8; 32], most: u32) -> Result<(), Fault> {
    let count: u32 = connection
        .prepare_cached("SELECT count(*) FROM keys WHERE tenant = ?1")?
        .query_row([&key.tenant], |row| row.get(0))?;
    if count >= most {
        return Err(ServerError::TooManyKeys.into());
    }
    let when = |at: Option<Timestamp>| at.map(nanoseconds).transpose();
    let mut statement = connection.prepare_cached(
        "INSERT INTO keys (id, tenant, digest, name, scope_level, scope_target, permissions, reason, created_at,
                           expires_at, revoked_at, last_used_at)
         VALUES (:id, :tenant, :digest, :name, :scope_level, :scope_target, :permissions, :reason, :created_at,
                 :expires_at, :revoked_at, :last_used_at)",
    )?;
    let done = statement.execute(named_params! {
        ":id": key.id,
        ":tenant": key.tenant,
        ":digest": digest,
        ":name": key.name,
        ":scope_level": key.scope_level,
        ":scope_target": key.scope_target,
        ":permissions": key.permissions.join(","),
        ":reason": key.reason,
        ":created_at": nanoseconds(key.created_at)?,
        ":expires_at": when(key.expires_at)?,
        ":revoked_at": when(key.revoked_at)?,
        ":last_used_at": when(key.last_used_at)?,
    });
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(ServerError::KeyExists.into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn by_digest(connection: &Connection, digest: &[u8; 32]) -> Result<Option<Key>, Fault> {
    let keys = select(connection, select_keys!("WHERE digest = :digest"), named_params! { ":digest": digest })?;
    Ok(keys.into_iter().next())
}

pub(super) fn of_tenant(connection: &Connection, tenant: &str) -> Result<Vec<Key>, Fault> {
    let sql = select_keys!("WHERE tenant = :tenant ORDER BY number DESC");
    select(connection, sql, named_params! { ":tenant": tenant })
}

pub(super) fn revoke(connection: &Connection, tenant: &str, id: &str, now: Timestamp) -> Result<Option<Key>, Fault> {
    connection
        .prepare_cached("UPDATE keys SET revoked_at = ifnull(revoked_at, ?3) WHERE tenant = ?1 AND id = ?2")?
        .execute((tenant, id, nanoseconds(now)?))?;
    let sql = select_keys!("WHERE tenant = :tenant AND id = :id");
    Ok(select(connection, sql, named_params! { ":tenant": tenant, ":id": id })?.into_iter().next())
}

/// Has a key that is still good end: now, or later.
pub(super) fn end(
    connection: &Connection,
    tenant: &str,
    id: &str,
    now: Timestamp,
    end: Timestamp,
) -> Result<Option<Key>, Fault> {
    let sql = if end <= now {
        "UPDATE keys SET revoked_at = ?3 WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL
             AND (expires_at IS NULL OR (expires_at > ?3 AND created_at <= ?3)) AND ?4 <= ?3"
    } else {
        "UPDATE keys SET expires_at = min(ifnull(expires_at, ?4), ?4) WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL
             AND (expires_at IS NULL OR (expires_at > ?3 AND created_at <= ?3))"
    };
    let (at, until) = (nanoseconds(now)?, nanoseconds(end)?);
    if connection.prepare_cached(sql)?.execute((tenant, id, at, until))? == 0 {
        return Ok(None);
    }
    let sql = select_keys!("WHERE tenant = :tenant AND id = :id");
    Ok(select(connection, sql, named_params! { ":tenant": tenant, ":id": id })?.into_iter().next())
}

pub(super) fn was_used(connection: &Connection, id: &str, now: Timestamp) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE keys SET last_used_at = ?2 WHERE id = ?1 RETURNING number")?
        .query_row((id, nanoseconds(now)?), |_| Ok(()))
        .optional()?;
    Ok(())
}
