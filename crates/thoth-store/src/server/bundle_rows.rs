//! The statements over policy bundles.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};

use super::bundles::{ActiveBundle, Bundle, BundleChange, NewVersion, Version};
use super::rules;
use crate::error::Fault;
use crate::rows::{nanoseconds, time};

macro_rules! select_bundles {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, active, previous,
                    (SELECT max(version) FROM bundle_versions WHERE bundle = bundles.number),
                    assignments, created_at, updated_at, deleted_at FROM bundles ",
            $rest
        )
    };
}

fn texts(json: &str) -> Result<Vec<String>, Fault> {
    serde_json::from_str(json).map_err(|_| Fault::Damaged("the assignments of a bundle are no list".to_owned()))
}

fn json(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

fn bundle_from(row: &Row<'_>) -> Result<Bundle, Fault> {
    Ok(Bundle {
        id: row.get(0)?,
        name: row.get(1)?,
        active: row.get(2)?,
        previous: row.get(3)?,
        latest: row.get::<_, Option<u32>>(4)?.unwrap_or_default(),
        assignments: texts(&row.get::<_, String>(5)?)?,
        created_at: time(row.get(6)?)?,
        updated_at: time(row.get(7)?)?,
        deleted_at: row.get::<_, Option<i64>>(8)?.map(time).transpose()?,
    })
}

fn select(connection: &Connection, sql: &str, parameters: &[(&str, &dyn ToSql)]) -> Result<Vec<Bundle>, Fault> {
    connection.prepare_cached(sql)?.query_and_then(parameters, bundle_from)?.collect()
}

pub(super) fn of_tenant(connection: &Connection, tenant: &str) -> Result<Vec<Bundle>, Fault> {
    let sql = select_bundles!("WHERE tenant = :tenant AND deleted_at IS NULL ORDER BY name");
    select(connection, sql, named_params! { ":tenant": tenant })
}

pub(super) fn one(connection: &Connection, tenant: &str, id_or_name: &str) -> Result<Option<Bundle>, Fault> {
    let sql = select_bundles!(
        "WHERE tenant = :tenant AND (id = :word OR (name = :word AND deleted_at IS NULL)) ORDER BY id = :word DESC LIMIT 1"
    );
    let found = select(connection, sql, named_params! { ":tenant": tenant, ":word": id_or_name })?;
    Ok(found.into_iter().next())
}

fn version_from(row: &Row<'_>) -> Result<Version, Fault> {
    Ok(Version {
        version: row.get(0)?,
        digest: row.get(1)?,
        description: row.get(2)?,
        decisions: row.get(3)?,
        created_by: row.get(4)?,
        created_at: time(row.get(5)?)?,
    })
}

pub(super) fn versions(connection: &Connection, tenant: &str, id: &str) -> Result<Vec<Version>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT version, digest, description, decisions, created_by, v.created_at FROM bundle_versions v
         JOIN bundles b ON v.bundle = b.number WHERE b.tenant = ?1 AND b.id = ?2 ORDER BY version DESC",
    )?;
    statement.query_and_then((tenant, id), version_from)?.collect()
}

pub(super) fn version(
    connection: &Connection,
    tenant: &str,
    id: &str,
    version: u32,
) -> Result<Option<(Version, String)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT version, digest, description, decisions, created_by, v.created_at, body FROM bundle_versions v
         JOIN bundles b ON v.bundle = b.number WHERE b.tenant = ?1 AND b.id = ?2 AND version = ?3",
    )?;
    let mut rows = statement.query((tenant, id, version))?;
    rows.next()?.map(|row| Ok((version_from(row)?, row.get(6)?))).transpose()
}

pub(super) fn add(
    connection: &Connection,
    tenant: &str,
    new: &NewVersion<'_>,
    now: Timestamp,
) -> Result<(Bundle, Version), Fault> {
    let at = nanoseconds(now)?;
    let known = one(connection, tenant, new.name)?.filter(|bundle| bundle.name == new.name);
    let bundle = match known {
        Some(bundle) => bundle,
        None => {
            let count: u32 = connection
                .prepare_cached("SELECT count(*) FROM bundles WHERE tenant = ?1 AND deleted_at IS NULL")?
                .query_row([tenant], |row| row.get(0))?;
            rules::room_for_bundle(count.into())?;
            connection
                .prepare_cached(
                    "INSERT INTO bundles (tenant, id, name, assignments, created_at, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                )?
                .execute((tenant, new.id, new.name, json(new.assignments), at))?;
            let made = one(connection, tenant, new.id)?;
            made.ok_or_else(|| Fault::Damaged("a bundle that was just made is not there".to_owned()))?
        }
    };
    if let Some((latest, text)) = version(connection, tenant, &bundle.id, bundle.latest)?
        && rules::is_known(new, &latest, &text)
    {
        return Ok((bundle, latest));
    }
    let next = rules::next_version(&bundle, bytes(connection, tenant)?, new.text)?;
    connection
        .prepare_cached(
            "INSERT INTO bundle_versions (bundle, version, digest, body, description, decisions, created_by, created_at)
             SELECT number, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM bundles WHERE tenant = ?1 AND id = ?2",
        )?
        .execute((
            tenant,
            &bundle.id,
            next,
            new.digest,
            new.text,
            new.description,
            new.decisions,
            new.created_by,
            at,
        ))?;
    let added = (one(connection, tenant, &bundle.id)?, version(connection, tenant, &bundle.id, next)?);
    match added {
        (Some(bundle), Some((version, _))) => Ok((bundle, version)),
        _ => Err(Fault::Damaged("a version that was just made is not there".to_owned())),
    }
}

/// How much all versions of a tenant say.
fn bytes(connection: &Connection, tenant: &str) -> Result<u64, Fault> {
    let bytes: i64 = connection
        .prepare_cached(
            "SELECT ifnull(sum(octet_length(body)), 0) FROM bundle_versions v JOIN bundles b ON v.bundle = b.number
             WHERE b.tenant = ?1",
        )?
        .query_row([tenant], |row| row.get(0))?;
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

pub(super) fn change(
    connection: &Connection,
    tenant: &str,
    id: &str,
    change: &BundleChange<'_>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some(bundle) = one(connection, tenant, id)?.filter(|bundle| bundle.id == id) else { return Ok(false) };
    let facts = match change {
        BundleChange::Activate { active: Some(active), .. } => {
            let others: u32 = connection
                .prepare_cached("SELECT count(*) FROM bundles WHERE tenant = ?1 AND id <> ?2 AND active IS NOT NULL")?
                .query_row((tenant, id), |row| row.get(0))?;
            (version(connection, tenant, id, *active)?.is_some(), u64::from(others))
        }
        _ => (false, 0),
    };
    let Some(next) = rules::change(&bundle, change, facts, now)? else { return Ok(false) };
    let deleted_at = next.deleted_at.map(nanoseconds).transpose()?;
    connection
        .prepare_cached(
            "UPDATE bundles SET active = ?3, previous = ?4, assignments = ?5, deleted_at = ?6, updated_at = ?7
             WHERE tenant = ?1 AND id = ?2",
        )?
        .execute((
            tenant,
            id,
            next.active,
            next.previous,
            json(&next.assignments),
            deleted_at,
            nanoseconds(next.updated_at)?,
        ))?;
    Ok(true)
}

pub(super) fn counter(connection: &Connection, tenant: &str) -> Result<u64, Fault> {
    let counter: Option<i64> = connection
        .prepare_cached("SELECT number FROM policy_changes WHERE tenant = ?1")?
        .query_row([tenant], |row| row.get(0))
        .optional()?;
    Ok(counter.and_then(|counter| u64::try_from(counter).ok()).unwrap_or_default())
}

pub(super) fn count(connection: &Connection, tenant: &str) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO policy_changes (tenant, number) VALUES (?1, 1)
             ON CONFLICT (tenant) DO UPDATE SET number = number + 1",
        )?
        .execute([tenant])?;
    Ok(())
}

pub(super) fn active(connection: &Connection, tenant: &str) -> Result<Vec<ActiveBundle>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT b.id, b.name, v.version, v.digest, v.body, v.decisions, b.assignments
         FROM bundles b JOIN bundle_versions v ON v.bundle = b.number AND v.version = b.active
         WHERE b.tenant = ?1 ORDER BY b.id",
    )?;
    let found = statement.query_and_then([tenant], |row| {
        Ok(ActiveBundle {
            id: row.get(0)?,
            name: row.get(1)?,
            version: row.get(2)?,
            digest: row.get(3)?,
            text: row.get(4)?,
            decisions: row.get(5)?,
            assignments: texts(&row.get::<_, String>(6)?)?,
        })
    })?;
    found.collect()
}
