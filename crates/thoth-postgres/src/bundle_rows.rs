//! The statements over policy bundles.

use jiff::Timestamp;
use thoth_store::server::bundles::{ActiveBundle, Bundle, BundleChange, NewVersion, Version};
use thoth_store::server::rules;
use tokio_postgres::Row;

use crate::error::Fault;
use crate::rows::{nanoseconds, storable, time};
use crate::session::{Session, damaged};

macro_rules! select_bundles {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, active, previous,
                    (SELECT max(version) FROM bundle_versions v WHERE v.tenant = b.tenant AND v.bundle = b.id),
                    assignments, created_at, updated_at, deleted_at FROM bundles b ",
            $rest
        )
    };
}

macro_rules! select_versions {
    ($rest:literal) => {
        concat!(
            "SELECT version, digest, description, decisions, created_by, created_at, body FROM bundle_versions ",
            $rest
        )
    };
}

fn number(value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(damaged)
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(damaged)
}

fn bundle_from(row: &Row) -> Result<Bundle, Fault> {
    let version = |column| row.try_get::<_, Option<i64>>(column)?.map(number).transpose();
    Ok(Bundle {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        active: version(2)?,
        previous: version(3)?,
        latest: version(4)?.unwrap_or_default(),
        assignments: row.try_get(5)?,
        created_at: time(row.try_get(6)?)?,
        updated_at: time(row.try_get(7)?)?,
        deleted_at: row.try_get::<_, Option<i64>>(8)?.map(time).transpose()?,
    })
}

pub(crate) fn of_tenant(session: &Session<'_>, tenant: &str) -> Result<Vec<Bundle>, Fault> {
    let sql = select_bundles!("WHERE tenant = $1 AND deleted_at IS NULL ORDER BY name COLLATE \"C\"");
    session.rows(sql, &[&tenant])?.iter().map(bundle_from).collect()
}

pub(crate) fn one(session: &Session<'_>, tenant: &str, id_or_name: &str) -> Result<Option<Bundle>, Fault> {
    if !storable(id_or_name) {
        return Ok(None);
    }
    let sql = select_bundles!(
        "WHERE tenant = $1 AND (id = $2 OR (name = $2 AND deleted_at IS NULL)) ORDER BY (id = $2) DESC LIMIT 1"
    );
    session.row(sql, &[&tenant, &id_or_name])?.as_ref().map(bundle_from).transpose()
}

fn version_from(row: &Row) -> Result<Version, Fault> {
    Ok(Version {
        version: number(row.try_get(0)?)?,
        digest: row.try_get(1)?,
        description: row.try_get(2)?,
        decisions: row.try_get(3)?,
        created_by: row.try_get(4)?,
        created_at: time(row.try_get(5)?)?,
    })
}

pub(crate) fn versions(session: &Session<'_>, tenant: &str, id: &str) -> Result<Vec<Version>, Fault> {
    if !storable(id) {
        return Ok(Vec::new());
    }
    // Not their texts: a bundle may have a thousand.
    let sql = "SELECT version, digest, description, decisions, created_by, created_at FROM bundle_versions
               WHERE tenant = $1 AND bundle = $2 ORDER BY version DESC";
    session.rows(sql, &[&tenant, &id])?.iter().map(version_from).collect()
}

pub(crate) fn version(
    session: &Session<'_>,
    tenant: &str,
    id: &str,
    version: u32,
) -> Result<Option<(Version, String)>, Fault> {
    if !storable(id) {
        return Ok(None);
    }
    let sql = select_versions!("WHERE tenant = $1 AND bundle = $2 AND version = $3");
    let Some(row) = session.row(sql, &[&tenant, &id, &i64::from(version)])? else { return Ok(None) };
    Ok(Some((version_from(&row)?, text(row.try_get(6)?)?)))
}

pub(crate) fn add(
    session: &Session<'_>,
    tenant: &str,
    new: &NewVersion<'_>,
    now: Timestamp,
) -> Result<(Bundle, Version), Fault> {
    let known = one(session, tenant, new.name)?.filter(|bundle| bundle.name == new.name);
    let bundle = match known {
        Some(bundle) => bundle,
        None => begin(session, tenant, new, now)?,
    };
    if let Some((latest, text)) = version(session, tenant, &bundle.id, bundle.latest)?
        && rules::is_known(new, &latest, &text)
    {
        return Ok((bundle, latest));
    }
    let next = rules::next_version(&bundle, bytes(session, tenant)?, new.text).map_err(Fault::Server)?;
    session.change(
        "INSERT INTO bundle_versions (tenant, bundle, version, digest, body, description, decisions, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &tenant,
            &bundle.id,
            &i64::from(next),
            &new.digest,
            &new.text.as_bytes(),
            &new.description,
            &new.decisions,
            &new.created_by,
            &nanoseconds(now)?,
        ],
    )?;
    match (one(session, tenant, &bundle.id)?, version(session, tenant, &bundle.id, next)?) {
        (Some(bundle), Some((version, _))) => Ok((bundle, version)),
        _ => Err(damaged("a version that was just made is not there")),
    }
}

fn begin(session: &Session<'_>, tenant: &str, new: &NewVersion<'_>, now: Timestamp) -> Result<Bundle, Fault> {
    let count = session.row("SELECT count(*) FROM bundles WHERE tenant = $1 AND deleted_at IS NULL", &[&tenant])?;
    let count: i64 = count.map_or(Ok(0), |row| row.try_get(0))?;
    rules::room_for_bundle(u64::try_from(count).map_err(damaged)?).map_err(Fault::Server)?;
    session.change(
        "INSERT INTO bundles (tenant, id, name, assignments, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
        &[&tenant, &new.id, &new.name, &new.assignments, &nanoseconds(now)?],
    )?;
    one(session, tenant, new.id)?.ok_or_else(|| damaged("a bundle that was just made is not there"))
}

/// How much all versions of a tenant say.
fn bytes(session: &Session<'_>, tenant: &str) -> Result<u64, Fault> {
    let sql = "SELECT coalesce(sum(octet_length(body)), 0)::bigint FROM bundle_versions WHERE tenant = $1";
    let bytes: i64 = session.row(sql, &[&tenant])?.map_or(Ok(0), |row| row.try_get(0))?;
    u64::try_from(bytes).map_err(damaged)
}

pub(crate) fn change(
    session: &Session<'_>,
    tenant: &str,
    id: &str,
    change: &BundleChange<'_>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some(bundle) = one(session, tenant, id)?.filter(|bundle| bundle.id == id) else { return Ok(false) };
    let facts = match change {
        BundleChange::Activate { active: Some(active), .. } => {
            let sql = "SELECT count(*) FROM bundles WHERE tenant = $1 AND id <> $2 AND active IS NOT NULL";
            let others: i64 = session.row(sql, &[&tenant, &id])?.map_or(Ok(0), |row| row.try_get(0))?;
            (version(session, tenant, id, *active)?.is_some(), u64::try_from(others).map_err(damaged)?)
        }
        _ => (false, 0),
    };
    let next = rules::change(&bundle, change, facts, now).map_err(Fault::Server)?;
    let Some(next) = next else { return Ok(false) };
    let deleted_at = next.deleted_at.map(nanoseconds).transpose()?;
    session.change(
        "UPDATE bundles SET active = $3, previous = $4, assignments = $5, deleted_at = $6, updated_at = $7
         WHERE tenant = $1 AND id = $2",
        &[
            &tenant,
            &id,
            &next.active.map(i64::from),
            &next.previous.map(i64::from),
            &next.assignments,
            &deleted_at,
            &nanoseconds(next.updated_at)?,
        ],
    )?;
    Ok(true)
}

pub(crate) fn counter(session: &Session<'_>, tenant: &str) -> Result<u64, Fault> {
    let found = session.row("SELECT number FROM policy_changes WHERE tenant = $1", &[&tenant])?;
    let counter: i64 = found.map_or(Ok(0), |row| row.try_get(0))?;
    u64::try_from(counter).map_err(damaged)
}

pub(crate) fn count(session: &Session<'_>, tenant: &str) -> Result<(), Fault> {
    session.change(
        "INSERT INTO policy_changes AS known (tenant, number) VALUES ($1, 1)
         ON CONFLICT (tenant) DO UPDATE SET number = known.number + 1",
        &[&tenant],
    )?;
    Ok(())
}

pub(crate) fn active(session: &Session<'_>, tenant: &str) -> Result<Vec<ActiveBundle>, Fault> {
    let sql = "SELECT b.id, b.name, v.version, v.digest, v.body, v.decisions, b.assignments
               FROM bundles b JOIN bundle_versions v ON v.tenant = b.tenant AND v.bundle = b.id AND v.version = b.active
               WHERE b.tenant = $1 ORDER BY b.id COLLATE \"C\"";
    let active = |row: &Row| {
        Ok(ActiveBundle {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            version: number(row.try_get(2)?)?,
            digest: row.try_get(3)?,
            text: text(row.try_get(4)?)?,
            decisions: row.try_get(5)?,
            assignments: row.try_get(6)?,
        })
    };
    session.rows(sql, &[&tenant])?.iter().map(active).collect()
}
