//! The statements over machines.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};

use super::ServerError;
use super::endpoints::{
    CheckIn, Endpoint, EndpointCounts, EndpointFilter, EndpointStanding, Endpoints, MAX_ENDPOINT_PAGE, Quarantine,
    Seen, Told,
};
use crate::error::Fault;
use crate::rows::{nanoseconds, time};

macro_rules! select_endpoints {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, hostname, os, os_version, proxy_version, environment, enrollment, fleet, agents,
                    enforcement_mode, policy_digest, events_pending, created_at, updated_at, last_seen,
                    quarantined_at, quarantined_by, quarantine_reason, number FROM endpoints ",
            $rest
        )
    };
}

fn agents_of(text: &str) -> Result<Vec<String>, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Damaged("the agents of a machine are no list".to_owned()))
}

fn agents_text(agents: &[String]) -> String {
    serde_json::Value::from(agents).to_string()
}

fn from_row(row: &Row<'_>) -> Result<Endpoint, Fault> {
    let quarantine = match (row.get::<_, Option<i64>>(16)?, row.get::<_, Option<String>>(17)?) {
        (Some(at), by) => Some(Quarantine { reason: row.get(18)?, by: by.unwrap_or_default(), at: time(at)? }),
        (None, _) => None,
    };
    Ok(Endpoint {
        id: row.get(0)?,
        tenant: row.get(1)?,
        told: Told {
            hostname: row.get(2)?,
            os: row.get(3)?,
            os_version: row.get(4)?,
            proxy_version: row.get(5)?,
            environment: row.get(6)?,
            enrollment: row.get(7)?,
            fleet: row.get(8)?,
            agents: agents_of(&row.get::<_, String>(9)?)?,
            enforcement_mode: row.get(10)?,
        },
        policy_digest: row.get(11)?,
        events_pending: row.get::<_, Option<i64>>(12)?.map(|number| u64::try_from(number).unwrap_or_default()),
        created_at: time(row.get(13)?)?,
        updated_at: time(row.get(14)?)?,
        last_seen: time(row.get(15)?)?,
        quarantine,
    })
}

pub(super) fn one(connection: &Connection, tenant: &str, id: &str) -> Result<Option<Endpoint>, Fault> {
    let mut statement = connection.prepare_cached(select_endpoints!("WHERE tenant = ?1 AND id = ?2"))?;
    let mut rows = statement.query((tenant, id))?;
    rows.next()?.map(from_row).transpose()
}

pub(super) fn standing(connection: &Connection, tenant: &str, id: &str) -> Result<Option<EndpointStanding>, Fault> {
    let found = connection
        .prepare_cached("SELECT fleet, quarantined_at IS NOT NULL FROM endpoints WHERE tenant = ?1 AND id = ?2")?
        .query_row((tenant, id), |row| Ok(EndpointStanding { fleet: row.get(0)?, quarantined: row.get(1)? }))
        .optional()?;
    Ok(found)
}

/// Makes room for one more: of those that were not seen since `forgotten` and are not in quarantine, the longest unseen goes.
pub(super) fn make_room(connection: &Connection, tenant: &str, most: u32, forgotten: Timestamp) -> Result<(), Fault> {
    let count: u32 = connection
        .prepare_cached("SELECT count(*) FROM endpoints WHERE tenant = ?1")?
        .query_row([tenant], |row| row.get(0))?;
    if count < most {
        return Ok(());
    }
    let gone = connection
        .prepare_cached(
            "DELETE FROM endpoints WHERE number = (SELECT number FROM endpoints WHERE tenant = ?1
             AND quarantined_at IS NULL AND last_seen < ?2 ORDER BY last_seen LIMIT 1)",
        )?
        .execute((tenant, nanoseconds(forgotten)?))?;
    if gone == 0 { Err(ServerError::TooManyEndpoints.into()) } else { Ok(()) }
}

pub(super) fn put(connection: &Connection, tenant: &str, id: &str, told: &Told, now: Timestamp) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO endpoints (tenant, id, hostname, os, os_version, proxy_version, environment, enrollment, fleet,
                                agents, enforcement_mode, created_at, updated_at, last_seen)
         VALUES (:tenant, :id, :hostname, :os, :os_version, :proxy_version, :environment, :enrollment, :fleet,
                 :agents, :enforcement_mode, :now, :now, :now)
         ON CONFLICT (tenant, id) DO UPDATE SET hostname = excluded.hostname, os = excluded.os,
            os_version = excluded.os_version, proxy_version = excluded.proxy_version,
            environment = excluded.environment, enrollment = excluded.enrollment, fleet = excluded.fleet,
            agents = excluded.agents, enforcement_mode = excluded.enforcement_mode,
            updated_at = excluded.updated_at, last_seen = max(last_seen, excluded.last_seen)",
    )?;
    statement.execute(named_params! {
        ":tenant": tenant,
        ":id": id,
        ":hostname": told.hostname,
        ":os": told.os,
        ":os_version": told.os_version,
        ":proxy_version": told.proxy_version,
        ":environment": told.environment,
        ":enrollment": told.enrollment,
        ":fleet": told.fleet,
        ":agents": agents_text(&told.agents),
        ":enforcement_mode": told.enforcement_mode,
        ":now": nanoseconds(now)?,
    })?;
    Ok(())
}

pub(super) fn seen(
    connection: &Connection,
    tenant: &str,
    id: &str,
    told: &CheckIn,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "UPDATE endpoints SET agents = ifnull(:agents, agents), proxy_version = ifnull(:proxy_version, proxy_version),
            policy_digest = ifnull(:policy_digest, policy_digest),
            events_pending = ifnull(:events_pending, events_pending), last_seen = max(last_seen, :now)
         WHERE tenant = :tenant AND id = :id",
    )?;
    statement.execute(named_params! {
        ":tenant": tenant,
        ":id": id,
        ":agents": told.agents.as_deref().map(agents_text),
        ":proxy_version": told.proxy_version,
        ":policy_digest": told.policy_digest,
        ":events_pending": told.events_pending.map(|number| i64::try_from(number).unwrap_or(i64::MAX)),
        ":now": nanoseconds(now)?,
    })?;
    Ok(())
}

pub(super) fn quarantine(
    connection: &Connection,
    tenant: &str,
    id: &str,
    quarantine: Option<&Quarantine>,
) -> Result<(), Fault> {
    let Some(Quarantine { reason, by, at }) = quarantine else {
        connection
            .prepare_cached(
                "UPDATE endpoints SET quarantined_at = NULL, quarantined_by = NULL, quarantine_reason = NULL
                 WHERE tenant = ?1 AND id = ?2",
            )?
            .execute((tenant, id))?;
        return Ok(());
    };
    connection
        .prepare_cached(
            "UPDATE endpoints SET quarantined_at = ?3, quarantined_by = ?4, quarantine_reason = ?5
             WHERE tenant = ?1 AND id = ?2 AND quarantined_at IS NULL",
        )?
        .execute((tenant, id, nanoseconds(*at)?, by, reason))?;
    Ok(())
}

/// What is asked for. Only that stands in a statement, so that its index is used.
fn wanted(tenant: &str, filter: &EndpointFilter<'_>) -> Result<(String, Vec<Box<dyn ToSql>>), Fault> {
    let mut sql = "WHERE tenant = ?".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(tenant.to_owned())];
    for (condition, value) in [
        (" AND endpoints.id = ?", filter.id),
        (" AND environment = ?", filter.environment),
        (" AND fleet = ?", filter.fleet),
    ] {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(Box::new(value.to_owned()));
        }
    }
    let mut seen = |condition: &str, at: Timestamp| -> Result<(), Fault> {
        sql.push_str(condition);
        values.push(Box::new(nanoseconds(at)?));
        Ok(())
    };
    match filter.seen {
        None => {}
        Some(Seen::Since(at)) => seen(" AND quarantined_at IS NULL AND last_seen >= ?", at)?,
        Some(Seen::Before(at)) => seen(" AND quarantined_at IS NULL AND last_seen < ?", at)?,
        Some(Seen::Between(from, to)) => {
            seen(" AND quarantined_at IS NULL AND last_seen >= ?", from)?;
            seen(" AND last_seen < ?", to)?;
        }
        Some(Seen::Quarantined) => sql.push_str(" AND quarantined_at IS NOT NULL"),
    }
    Ok((sql, values))
}

fn most(filter: &EndpointFilter<'_>) -> usize {
    usize::try_from(filter.limit.clamp(1, MAX_ENDPOINT_PAGE)).unwrap_or(1)
}

pub(super) fn agents(
    connection: &Connection,
    tenant: &str,
    filter: &EndpointFilter<'_>,
    beyond: &str,
) -> Result<Vec<String>, Fault> {
    let (wanted, mut values) = wanted(tenant, filter)?;
    values.push(Box::new(beyond.to_owned()));
    values.push(Box::new(i64::try_from(most(filter)).unwrap_or(1)));
    let sql = format!(
        "SELECT DISTINCT agent.value FROM endpoints, json_each(endpoints.agents) AS agent {wanted} AND agent.value > ?
         ORDER BY agent.value LIMIT ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let names = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(super) fn page(connection: &Connection, tenant: &str, filter: &EndpointFilter<'_>) -> Result<Endpoints, Fault> {
    let (wanted, mut values) = wanted(tenant, filter)?;
    let mut sql = format!("{}{wanted}", select_endpoints!(""));
    if let Some(beyond) = filter.beyond {
        sql.push_str(" AND number < ?");
        values.push(Box::new(beyond));
    }
    sql.push_str(" ORDER BY number DESC LIMIT ?");
    let limit = most(filter);
    values.push(Box::new(i64::try_from(limit).unwrap_or(1) + 1));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut page = Endpoints { found: Vec::new(), next: None };
    let mut last = None;
    while let Some(row) = rows.next()? {
        if page.found.len() == limit {
            page.next = last;
            break;
        }
        last = Some(row.get(19)?);
        page.found.push(from_row(row)?);
    }
    Ok(page)
}

pub(super) fn counts(
    connection: &Connection,
    tenant: &str,
    online: Timestamp,
    stale: Timestamp,
) -> Result<EndpointCounts, Fault> {
    let (online, stale) = (nanoseconds(online)?, nanoseconds(stale)?);
    let mut counts = connection
        .prepare_cached(
            "SELECT count(*),
                    count(*) FILTER (WHERE enrollment IS NULL OR enrollment = 'unmanaged'),
                    count(*) FILTER (WHERE quarantined_at IS NULL AND last_seen >= ?2),
                    count(*) FILTER (WHERE quarantined_at IS NULL AND last_seen < ?3),
                    count(*) FILTER (WHERE quarantined_at IS NOT NULL),
                    count(*) FILTER (WHERE last_seen < ?3 OR enforcement_mode IN ('off', 'shadow', 'observe'))
             FROM endpoints WHERE tenant = ?1",
        )?
        .query_row((tenant, online, stale), |row| {
            let number = |column: usize| row.get::<_, u32>(column).map(u64::from);
            Ok(EndpointCounts {
                total: number(0)?,
                unmanaged: number(1)?,
                online: number(2)?,
                stale: number(3)?,
                quarantined: number(4)?,
                at_risk: number(5)?,
                versions: Vec::new(),
            })
        })?;
    let mut statement = connection.prepare_cached(
        "SELECT proxy_version, count(*) FROM endpoints WHERE tenant = ?1 AND proxy_version IS NOT NULL
         GROUP BY proxy_version ORDER BY proxy_version",
    )?;
    let versions = statement.query_map([tenant], |row| Ok((row.get(0)?, u64::from(row.get::<_, u32>(1)?))))?;
    counts.versions = versions.collect::<Result<_, _>>()?;
    Ok(counts)
}
