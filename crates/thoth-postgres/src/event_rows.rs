//! The statements over events.

use jiff::{SignedDuration, Timestamp};
use thoth_store::bounds::CLEARED_EVENTS;
use thoth_store::server::{Added, EVENT_DAYS, Event, Events, Filter, MAX_PAGE, MAX_PAGE_BYTES, Page};

use crate::error::Fault;
use crate::rows::{name, nanoseconds};
use crate::session::{Session, Value};
use crate::settings::event_days;

pub(crate) fn add(
    session: &Session<'_>,
    tenant: &str,
    events: &[Event<'_>],
    most_bytes: u64,
    now: Timestamp,
) -> Result<Added, Fault> {
    let room = session.row("SELECT event_bytes FROM event_rooms WHERE tenant = $1", &[&tenant])?;
    let mut bytes: i64 = room.map_or(Ok(0), |row| row.try_get(0))?;
    let optional = |text: Option<&str>| text.map(|text| name(text).into_owned());
    let ids: Vec<_> = events.iter().map(|event| name(event.id)).collect();
    let sessions: Vec<_> = events.iter().map(|event| name(event.session)).collect();
    let agents: Vec<_> = events.iter().map(|event| optional(event.agent)).collect();
    let tools: Vec<_> = events.iter().map(|event| optional(event.tool)).collect();
    let kinds: Vec<_> = events.iter().map(|event| name(event.kind)).collect();
    // A time that cannot be written is one that the client made up.
    let times: Vec<_> = events.iter().map(|event| event.occurred_at.and_then(|at| nanoseconds(at).ok())).collect();
    let bodies: Vec<_> = events.iter().map(|event| event.body).collect();
    let rows = session.rows(
        "INSERT INTO events (tenant, id, session, agent, tool, kind, occurred_at, received_at, body)
         SELECT $1, id, session, agent, tool, kind, occurred_at, $9, body FROM (
             SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[])
                 WITH ORDINALITY AS told (id, session, agent, tool, kind, occurred_at, body, place) ORDER BY place) AS told
         ON CONFLICT DO NOTHING RETURNING octet_length(body)::bigint",
        &[&tenant, &ids, &sessions, &agents, &tools, &kinds, &times, &bodies, &nanoseconds(now)?],
    )?;
    let added = Added { new: rows.len(), known: events.len().saturating_sub(rows.len()) };
    for row in &rows {
        bytes = bytes.saturating_add(row.try_get(0)?);
    }
    let most = i64::try_from(most_bytes).unwrap_or(i64::MAX);
    let forgotten = forget(session, tenant, bytes, most, now, added.new)?;
    session.change(
        "INSERT INTO event_rooms (tenant, event_bytes) VALUES ($1, greatest($2::bigint, 0))
         ON CONFLICT (tenant) DO UPDATE SET event_bytes = excluded.event_bytes",
        &[&tenant, &bytes.saturating_sub(forgotten)],
    )?;
    Ok(added)
}

/// Deletes the oldest events of a tenant as long as they are too old, or there is too much. How many bytes went.
fn forget(
    session: &Session<'_>,
    tenant: &str,
    bytes: i64,
    most: i64,
    now: Timestamp,
    added: usize,
) -> Result<i64, Fault> {
    let days = event_days(session, tenant)?.map_or(EVENT_DAYS, |days| days.clamp(1, EVENT_DAYS));
    let oldest = now.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN);
    let oldest = nanoseconds(oldest).unwrap_or(i64::MIN);
    let chunk = i64::try_from(CLEARED_EVENTS + added).unwrap_or(i64::MAX);
    let mut gone: i64 = 0;
    let mut last: i64 = i64::MIN;
    let mut looked_at = 0;
    // Goes on only where there is too much.
    'chunks: loop {
        let rows = session.rows(
            "SELECT number, octet_length(body)::bigint, received_at FROM events WHERE tenant = $1 AND number > $2
             ORDER BY number LIMIT $3",
            &[&tenant, &last, &chunk],
        )?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let is_too_much = bytes.saturating_sub(gone) > most;
            let is_old = row.try_get::<_, i64>(2)? < oldest && looked_at < CLEARED_EVENTS + added;
            if !is_too_much && !is_old {
                break 'chunks;
            }
            gone = gone.saturating_add(row.try_get(1)?);
            last = row.try_get(0)?;
            looked_at += 1;
        }
    }
    if last != i64::MIN {
        session.change("DELETE FROM events WHERE tenant = $1 AND number <= $2", &[&tenant, &last])?;
    }
    Ok(gone)
}

pub(crate) fn page(session: &Session<'_>, tenant: &str, filter: &Filter<'_>, page: &Page) -> Result<Events, Fault> {
    let limit = i64::from(page.limit.clamp(1, MAX_PAGE));
    let one_more = limit + 1;
    let most_bytes = i64::try_from(MAX_PAGE_BYTES).unwrap_or(i64::MAX);
    let names = [filter.session, filter.agent, filter.tool, filter.kind].map(|text| text.map(name));
    // Only what is asked for stands in the statement, so that its index is used.
    let mut wanted = String::new();
    let mut values: Vec<Value<'_>> = vec![&tenant, &limit, &one_more, &most_bytes];
    for (column, value) in ["session", "agent", "tool", "kind"].into_iter().zip(&names) {
        if let Some(value) = value {
            values.push(value);
            wanted.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    let (beyond, order) = if page.oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some(number) = &page.beyond {
        values.push(number);
        wanted.push_str(&format!(" AND number {beyond} ${}", values.len()));
    }
    // The sums are made where the texts are, so that what is too much for a page does not come here first.
    let sql = format!(
        "SELECT number, body, found FROM (
             SELECT number, body, row_number() OVER w AS place, sum(octet_length(body)) OVER w AS bytes,
                    count(*) OVER () AS found
             FROM (SELECT number, body FROM events WHERE tenant = $1{wanted} ORDER BY number {order} LIMIT $3) AS told
             WINDOW w AS (ORDER BY number {order})) AS page
         WHERE place <= $2 AND (place = 1 OR bytes <= $4) ORDER BY number {order}"
    );
    let rows = session.rows(&sql, &values)?;
    let mut events = Events { bodies: Vec::with_capacity(rows.len()), last: None, more: false };
    for row in &rows {
        events.last = Some(row.try_get(0)?);
        events.bodies.push(row.try_get(1)?);
        events.more = row.try_get::<_, i64>(2)? > i64::try_from(rows.len()).unwrap_or(i64::MAX);
    }
    Ok(events)
}
