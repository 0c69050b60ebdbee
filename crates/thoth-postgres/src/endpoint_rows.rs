//! The statements over machines.

use jiff::Timestamp;
use thoth_store::server::ServerError;
use thoth_store::server::endpoints::{
    CheckIn, Endpoint, EndpointCounts, EndpointFilter, EndpointStanding, Endpoints, MAX_ENDPOINT_PAGE, Quarantine,
    Seen, Told,
};
use tokio_postgres::Row;

use crate::error::Fault;
use crate::rows::{name, nanoseconds, storable, time};
use crate::session::{Session, Value, damaged};

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

fn from_row(row: &Row) -> Result<Endpoint, Fault> {
    let quarantine = match row.try_get::<_, Option<i64>>(16)? {
        Some(at) => Some(Quarantine {
            reason: row.try_get(18)?,
            by: row.try_get::<_, Option<String>>(17)?.unwrap_or_default(),
            at: time(at)?,
        }),
        None => None,
    };
    Ok(Endpoint {
        id: row.try_get(0)?,
        tenant: row.try_get(1)?,
        told: Told {
            hostname: row.try_get(2)?,
            os: row.try_get(3)?,
            os_version: row.try_get(4)?,
            proxy_version: row.try_get(5)?,
            environment: row.try_get(6)?,
            enrollment: row.try_get(7)?,
            fleet: row.try_get(8)?,
            agents: row.try_get(9)?,
            enforcement_mode: row.try_get(10)?,
        },
        policy_digest: row.try_get(11)?,
        events_pending: row.try_get::<_, Option<i64>>(12)?.map(|number| u64::try_from(number).unwrap_or_default()),
        created_at: time(row.try_get(13)?)?,
        updated_at: time(row.try_get(14)?)?,
        last_seen: time(row.try_get(15)?)?,
        quarantine,
    })
}

pub(crate) fn one(session: &Session<'_>, tenant: &str, id: &str) -> Result<Option<Endpoint>, Fault> {
    if !storable(id) {
        return Ok(None);
    }
    let found = session.row(select_endpoints!("WHERE tenant = $1 AND id = $2"), &[&tenant, &id])?;
    found.as_ref().map(from_row).transpose()
}

pub(crate) fn standing(session: &Session<'_>, tenant: &str, id: &str) -> Result<Option<EndpointStanding>, Fault> {
    if !storable(id) {
        return Ok(None);
    }
    let sql = "SELECT fleet, quarantined_at IS NOT NULL FROM endpoints WHERE tenant = $1 AND id = $2";
    let Some(row) = session.row(sql, &[&tenant, &id])? else { return Ok(None) };
    Ok(Some(EndpointStanding { fleet: row.try_get(0)?, quarantined: row.try_get(1)? }))
}

/// Makes room for one more: of those that were not seen since `forgotten` and are not in quarantine, the longest unseen goes.
pub(crate) fn make_room(session: &Session<'_>, tenant: &str, most: u32, forgotten: Timestamp) -> Result<(), Fault> {
    let count = session.row("SELECT count(*) FROM endpoints WHERE tenant = $1", &[&tenant])?;
    let count: i64 = count.map_or(Ok(0), |row| row.try_get(0))?;
    if count < i64::from(most) {
        return Ok(());
    }
    let gone = session.change(
        "DELETE FROM endpoints WHERE tenant = $1 AND number = (SELECT number FROM endpoints WHERE tenant = $1
         AND quarantined_at IS NULL AND last_seen < $2 ORDER BY last_seen LIMIT 1)",
        &[&tenant, &nanoseconds(forgotten)?],
    )?;
    if gone == 0 { Err(Fault::Server(ServerError::TooManyEndpoints)) } else { Ok(()) }
}

pub(crate) fn put(session: &Session<'_>, tenant: &str, id: &str, told: &Told, now: Timestamp) -> Result<(), Fault> {
    session.change(
        "INSERT INTO endpoints AS known (tenant, id, hostname, os, os_version, proxy_version, environment, enrollment,
                                         fleet, agents, enforcement_mode, created_at, updated_at, last_seen)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $12)
         ON CONFLICT (tenant, id) DO UPDATE SET hostname = excluded.hostname, os = excluded.os,
            os_version = excluded.os_version, proxy_version = excluded.proxy_version,
            environment = excluded.environment, enrollment = excluded.enrollment, fleet = excluded.fleet,
            agents = excluded.agents, enforcement_mode = excluded.enforcement_mode,
            updated_at = excluded.updated_at, last_seen = greatest(known.last_seen, excluded.last_seen)",
        &[
            &tenant,
            &id,
            &told.hostname,
            &told.os,
            &told.os_version,
            &told.proxy_version,
            &told.environment,
            &told.enrollment,
            &told.fleet,
            &told.agents,
            &told.enforcement_mode,
            &nanoseconds(now)?,
        ],
    )?;
    Ok(())
}

pub(crate) fn seen(session: &Session<'_>, tenant: &str, id: &str, told: &CheckIn, now: Timestamp) -> Result<(), Fault> {
    let pending = told.events_pending.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    session.change(
        "UPDATE endpoints SET agents = coalesce($3, agents), proxy_version = coalesce($4, proxy_version),
            policy_digest = coalesce($5, policy_digest), events_pending = coalesce($6, events_pending),
            last_seen = greatest(last_seen, $7)
         WHERE tenant = $1 AND id = $2",
        &[&tenant, &id, &told.agents, &told.proxy_version, &told.policy_digest, &pending, &nanoseconds(now)?],
    )?;
    Ok(())
}

pub(crate) fn quarantine(
    session: &Session<'_>,
    tenant: &str,
    id: &str,
    quarantine: Option<&Quarantine>,
) -> Result<(), Fault> {
    if !storable(id) {
        return Ok(());
    }
    let Some(Quarantine { reason, by, at }) = quarantine else {
        session.change(
            "UPDATE endpoints SET quarantined_at = NULL, quarantined_by = NULL, quarantine_reason = NULL
             WHERE tenant = $1 AND id = $2",
            &[&tenant, &id],
        )?;
        return Ok(());
    };
    session.change(
        "UPDATE endpoints SET quarantined_at = $3, quarantined_by = $4, quarantine_reason = $5
         WHERE tenant = $1 AND id = $2 AND quarantined_at IS NULL",
        &[&tenant, &id, &nanoseconds(*at)?, by, reason],
    )?;
    Ok(())
}

/// From when and before when machines that are asked for were seen.
fn times(filter: &EndpointFilter<'_>) -> Result<(Option<i64>, Option<i64>), Fault> {
    Ok(match filter.seen {
        Some(Seen::Since(at)) => (Some(nanoseconds(at)?), None),
        Some(Seen::Before(at)) => (None, Some(nanoseconds(at)?)),
        Some(Seen::Between(from, to)) => (Some(nanoseconds(from)?), Some(nanoseconds(to)?)),
        Some(Seen::Quarantined) | None => (None, None),
    })
}

/// Adds the conditions to what stands in a statement. Only what is asked for does, so that its index is used.
fn narrow<'v>(
    filter: &'v EndpointFilter<'_>,
    (from, to): &'v (Option<i64>, Option<i64>),
    values: &mut Vec<Value<'v>>,
) -> String {
    let mut wanted = String::new();
    let texts = [("id =", &filter.id), ("environment =", &filter.environment), ("fleet =", &filter.fleet)];
    let numbers = [("last_seen >=", from), ("last_seen <", to)];
    let texts = texts.into_iter().filter_map(|(what, text)| text.as_ref().map(|text| (what, text as Value<'_>)));
    let numbers = numbers.into_iter().filter_map(|(what, at)| at.as_ref().map(|at| (what, at as Value<'_>)));
    for (what, value) in texts.chain(numbers) {
        values.push(value);
        wanted.push_str(&format!(" AND {what} ${}", values.len()));
    }
    wanted.push_str(match filter.seen {
        None => "",
        Some(Seen::Quarantined) => " AND quarantined_at IS NOT NULL",
        Some(_) => " AND quarantined_at IS NULL",
    });
    wanted
}

/// Whether there can be any: nothing is known by a name that a column cannot have.
fn findable(filter: &EndpointFilter<'_>) -> bool {
    [filter.id, filter.environment, filter.fleet].into_iter().flatten().all(storable)
}

pub(crate) fn agents(
    session: &Session<'_>,
    tenant: &str,
    filter: &EndpointFilter<'_>,
    beyond: &str,
) -> Result<Vec<String>, Fault> {
    if !findable(filter) {
        return Ok(Vec::new());
    }
    let (times, beyond, limit) = (times(filter)?, name(beyond), i64::from(filter.limit.clamp(1, MAX_ENDPOINT_PAGE)));
    let mut values: Vec<Value<'_>> = vec![&tenant, &beyond, &limit];
    let wanted = narrow(filter, &times, &mut values);
    let sql = format!(
        "SELECT agent FROM (SELECT DISTINCT agent COLLATE \"C\" AS agent FROM endpoints, unnest(agents) AS agent
                            WHERE tenant = $1{wanted}) AS agents
         WHERE agent > $2 ORDER BY agent LIMIT $3"
    );
    session.rows(&sql, &values)?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(crate) fn page(session: &Session<'_>, tenant: &str, filter: &EndpointFilter<'_>) -> Result<Endpoints, Fault> {
    if !findable(filter) {
        return Ok(Endpoints { found: Vec::new(), next: None });
    }
    let limit = usize::try_from(filter.limit.clamp(1, MAX_ENDPOINT_PAGE)).unwrap_or(1);
    let one_more = i64::try_from(limit).unwrap_or(1) + 1;
    let times = times(filter)?;
    let mut values: Vec<Value<'_>> = vec![&tenant, &one_more];
    let mut wanted = narrow(filter, &times, &mut values);
    if let Some(number) = &filter.beyond {
        values.push(number);
        wanted.push_str(&format!(" AND number < ${}", values.len()));
    }
    let sql = format!("{}{wanted} ORDER BY number DESC LIMIT $2", select_endpoints!("WHERE tenant = $1"));
    let rows = session.rows(&sql, &values)?;
    let found: Vec<Endpoint> = rows.iter().take(limit).map(from_row).collect::<Result<_, _>>()?;
    let last = rows.get(limit).and_then(|_| rows.get(limit.saturating_sub(1)));
    let next = last.map(|row| row.try_get::<_, i64>(19)).transpose()?;
    Ok(Endpoints { found, next })
}

pub(crate) fn counts(
    session: &Session<'_>,
    tenant: &str,
    online: Timestamp,
    stale: Timestamp,
) -> Result<EndpointCounts, Fault> {
    let sql = "SELECT count(*),
                      count(*) FILTER (WHERE enrollment IS NULL OR enrollment = 'unmanaged'),
                      count(*) FILTER (WHERE quarantined_at IS NULL AND last_seen >= $2),
                      count(*) FILTER (WHERE quarantined_at IS NULL AND last_seen < $3),
                      count(*) FILTER (WHERE quarantined_at IS NOT NULL),
                      count(*) FILTER (WHERE last_seen < $3 OR enforcement_mode IN ('off', 'shadow', 'observe'))
               FROM endpoints WHERE tenant = $1";
    let number = |row: &Row, column: usize| -> Result<u64, Fault> {
        u64::try_from(row.try_get::<_, i64>(column)?).map_err(damaged)
    };
    let row = session.row(sql, &[&tenant, &nanoseconds(online)?, &nanoseconds(stale)?])?;
    let row = row.ok_or_else(|| damaged("a count has no row"))?;
    let versions = session.rows(
        "SELECT proxy_version, count(*) FROM endpoints WHERE tenant = $1 AND proxy_version IS NOT NULL
         GROUP BY proxy_version ORDER BY proxy_version COLLATE \"C\"",
        &[&tenant],
    )?;
    Ok(EndpointCounts {
        total: number(&row, 0)?,
        unmanaged: number(&row, 1)?,
        online: number(&row, 2)?,
        stale: number(&row, 3)?,
        quarantined: number(&row, 4)?,
        at_risk: number(&row, 5)?,
        versions: versions.iter().map(|row| Ok((row.try_get(0)?, number(row, 1)?))).collect::<Result<_, Fault>>()?,
    })
}
