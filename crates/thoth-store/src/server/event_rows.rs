//! The statements over events.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use super::settings::event_days;
use super::{Added, EVENT_DAYS, Event, Events, Filter, MAX_PAGE, MAX_PAGE_BYTES, Page};
use crate::bounds::CLEARED_EVENTS;
use crate::error::Fault;
use crate::rows::nanoseconds;

pub(super) fn add(
    connection: &Connection,
    tenant: &str,
    events: &[Event<'_>],
    most_bytes: u64,
    now: Timestamp,
) -> Result<Added, Fault> {
    let mut added = Added::default();
    let mut bytes: i64 = connection
        .prepare_cached("SELECT event_bytes FROM tenants WHERE tenant = ?1")?
        .query_row([tenant], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let received_at = nanoseconds(now)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO events (tenant, id, session, agent, tool, kind, occurred_at, received_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (tenant, id) DO NOTHING",
    )?;
    for event in events {
        // A time that cannot be written is one that the client made up.
        let occurred_at = event.occurred_at.and_then(|at| nanoseconds(at).ok());
        let row = params![
            tenant,
            event.id,
            event.session,
            event.agent,
            event.tool,
            event.kind,
            occurred_at,
            received_at,
            event.body
        ];
        if insert.execute(row)? == 0 {
            added.known += 1;
        } else {
            added.new += 1;
            bytes = bytes.saturating_add(i64::try_from(event.body.len()).unwrap_or(i64::MAX));
        }
    }
    let most = i64::try_from(most_bytes).unwrap_or(i64::MAX);
    let forgotten = forget(connection, tenant, bytes, most, now, added.new)?;
    connection
        .prepare_cached(
            "INSERT INTO tenants (tenant, event_bytes) VALUES (?1, max(?2, 0))
             ON CONFLICT (tenant) DO UPDATE SET event_bytes = excluded.event_bytes",
        )?
        .execute((tenant, bytes.saturating_sub(forgotten)))?;
    Ok(added)
}

/// Deletes the oldest events of a tenant as long as they are too old, or there is too much. How many bytes went.
fn forget(
    connection: &Connection,
    tenant: &str,
    bytes: i64,
    most: i64,
    now: Timestamp,
    added: usize,
) -> Result<i64, Fault> {
    let days = event_days(connection, tenant)?.map_or(EVENT_DAYS, |days| days.clamp(1, EVENT_DAYS));
    let oldest = now.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN);
    let oldest = nanoseconds(oldest).unwrap_or(i64::MIN);
    let mut gone: i64 = 0;
    let mut last = None;
    {
        let mut statement = connection.prepare_cached(
            "SELECT number, octet_length(body), received_at FROM events WHERE tenant = ?1 ORDER BY number",
        )?;
        let mut rows = statement.query([tenant])?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let is_too_much = bytes.saturating_sub(gone) > most;
            let is_old = row.get::<_, i64>(2)? < oldest && looked_at < CLEARED_EVENTS + added;
            if !is_too_much && !is_old {
                break;
            }
            gone = gone.saturating_add(row.get(1)?);
            last = Some(row.get::<_, i64>(0)?);
            looked_at += 1;
        }
    }
    if let Some(last) = last {
        connection.prepare_cached("DELETE FROM events WHERE tenant = ?1 AND number <= ?2")?.execute((tenant, last))?;
    }
    Ok(gone)
}

pub(super) fn page(connection: &Connection, tenant: &str, filter: &Filter<'_>, page: &Page) -> Result<Events, Fault> {
    // Only what is asked for stands in the statement, so that its index is used.
    let mut sql = "SELECT number, body FROM events WHERE tenant = ?".to_owned();
    let mut values: Vec<&dyn ToSql> = vec![&tenant];
    let wanted = [
        (" AND session = ?", &filter.session),
        (" AND agent = ?", &filter.agent),
        (" AND tool = ?", &filter.tool),
        (" AND kind = ?", &filter.kind),
    ];
    for (condition, value) in wanted {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value);
        }
    }
    if let Some(beyond) = &page.beyond {
        sql.push_str(if page.oldest_first { " AND number > ?" } else { " AND number < ?" });
        values.push(beyond);
    }
    sql.push_str(if page.oldest_first { " ORDER BY number LIMIT ?" } else { " ORDER BY number DESC LIMIT ?" });
    let limit = usize::try_from(page.limit.clamp(1, MAX_PAGE)).unwrap_or(1);
    let one_more = i64::try_from(limit).unwrap_or(1) + 1;
    values.push(&one_more);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(&values[..])?;
    let mut found = Events { bodies: Vec::new(), last: None, more: false };
    let mut bytes: usize = 0;
    while let Some(row) = rows.next()? {
        let body: String = row.get(1)?;
        bytes = bytes.saturating_add(body.len());
        if found.bodies.len() == limit || (!found.bodies.is_empty() && bytes > MAX_PAGE_BYTES) {
            found.more = true;
            break;
        }
        found.last = Some(row.get(0)?);
        found.bodies.push(body);
    }
    Ok(found)
}
