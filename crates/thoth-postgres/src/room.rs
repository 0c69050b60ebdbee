//! Keeping the holds of a tenant within their bounds: those of every store.

use jiff::Timestamp;
use thoth_gate::hold::Hold;
use thoth_store::bounds::{
    BATCH, COUNTED_EVERY, KEEP_ARGUMENTS, KEEP_HOLDS, KEEP_VIOLATIONS, MAX_ARGUMENT_BYTES, MAX_OVER,
    MAX_VIOLATION_ROWS, Waiting,
};

use crate::error::Fault;
use crate::rows::nanoseconds;
use crate::session::Session;

/// Says no where the hold would be one too many.
pub(crate) fn admit(session: &Session<'_>, tenant: &str, hold: &Hold, now: i64) -> Result<(), Fault> {
    let row = session.row(
        "SELECT count(*) FILTER (WHERE state = 'pending'),
                count(*) FILTER (WHERE state = 'pending' AND server = $3 AND agent IS NOT DISTINCT FROM $4),
                coalesce(sum(argument_bytes), 0)::bigint
         FROM holds WHERE tenant = $1 AND state IN ('pending', 'approved', 'denied') AND ends_at > $2",
        &[&tenant, &now, &hold.caller.server.as_str(), &hold.caller.agent.as_ref().map(|agent| agent.as_str())],
    )?;
    let waiting = match row {
        Some(row) => Waiting { all: row.try_get(0)?, own: row.try_get(1)?, argument_bytes: row.try_get(2)? },
        None => Waiting { all: 0, own: 0, argument_bytes: 0 },
    };
    waiting.admit(hold).map_err(Fault::Holds)
}

/// Notes that something was written; how many holds the tenant ever had, with `new` ones.
pub(crate) fn note_change(session: &Session<'_>, tenant: &str, new: i64) -> Result<i64, Fault> {
    let row = session.row(
        "INSERT INTO tenants (tenant, holds_version, holds_made) VALUES ($1, 1, $2)
         ON CONFLICT (tenant) DO UPDATE SET holds_version = tenants.holds_version + 1,
                                            holds_made = tenants.holds_made + $2
         RETURNING holds_made",
        &[&tenant, &new],
    )?;
    row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
}

/// Deletes what is over and old: contents first, whole holds later, and the oldest also when there are too many. `made` is
/// how many holds the tenant ever had.
pub(crate) fn clean(session: &Session<'_>, tenant: &str, made: i64, now: i64) -> Result<(), Fault> {
    let forget = |sql: &str, before: i64| session.change(sql, &[&tenant, &before, &BATCH]);
    const BLANK: &str = "UPDATE holds SET arguments = ''::bytea, argument_bytes = 0 WHERE tenant = $1 AND number IN (
        SELECT number FROM holds WHERE tenant = $1 AND argument_bytes > 0 AND over_at <= $2 ORDER BY over_at LIMIT $3)";
    const DELETE: &str = "DELETE FROM holds WHERE tenant = $1 AND number IN (
        SELECT number FROM holds WHERE tenant = $1 AND over_at <= $2 ORDER BY over_at LIMIT $3)";
    const GRANTS: &str = "DELETE FROM grants WHERE tenant = $1 AND number IN (
        SELECT number FROM grants WHERE tenant = $1 AND ends_at <= $2 ORDER BY ends_at LIMIT $3)";
    forget(BLANK, now.saturating_sub(KEEP_ARGUMENTS))?;
    forget(DELETE, now.saturating_sub(KEEP_HOLDS))?;
    forget(GRANTS, now.saturating_sub(KEEP_HOLDS))?;
    if made % COUNTED_EVERY != 0 {
        return Ok(());
    }
    let count =
        "SELECT count(*), coalesce(sum(argument_bytes), 0)::bigint FROM holds WHERE tenant = $1 AND over_at <= $2";
    let Some(row) = session.row(count, &[&tenant, &now])? else { return Ok(()) };
    let (over, bytes): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if bytes > MAX_ARGUMENT_BYTES {
        forget(BLANK, now)?;
    }
    if over > MAX_OVER {
        forget(DELETE, now)?;
    }
    Ok(())
}

/// Counts a violation, and says how many there are since `since`.
pub(crate) fn count_violation(
    session: &Session<'_>,
    tenant: &str,
    agent: &str,
    now: Timestamp,
    since: Timestamp,
) -> Result<u32, Fault> {
    let (now, since) = (nanoseconds(now)?, nanoseconds(since)?);
    session.change(
        "DELETE FROM violations WHERE tenant = $1 AND number IN (
             SELECT number FROM violations WHERE tenant = $1 AND at < $2 ORDER BY at LIMIT $3)",
        &[&tenant, &now.saturating_sub(KEEP_VIOLATIONS), &BATCH],
    )?;
    let number = |sql: &str, values: &[crate::session::Value<'_>]| -> Result<i64, Fault> {
        session.row(sql, values)?.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    };
    let times = number(
        "SELECT coalesce(sum(times), 0)::bigint FROM violations WHERE tenant = $1 AND agent = $2 AND at >= $3",
        &[&tenant, &agent, &since],
    )?;
    let rows = || number("SELECT count(*) FROM violations WHERE tenant = $1 AND agent = $2", &[&tenant, &agent]);
    let mut room = rows()? < MAX_VIOLATION_ROWS;
    if !room {
        // Only now: another server may look further back than this one.
        let old = "DELETE FROM violations WHERE tenant = $1 AND agent = $2 AND at < $3";
        session.change(old, &[&tenant, &agent, &since])?;
        room = rows()? < MAX_VIOLATION_ROWS;
    }
    // Without room, the newest row takes it in: what it stands for then ends later, never earlier, than it should.
    session.change(
        if room {
            "INSERT INTO violations (tenant, agent, at, times) VALUES ($1, $2, $3, 1)"
        } else {
            "UPDATE violations SET times = times + 1, at = greatest(at, $3) WHERE tenant = $1 AND number = (
                 SELECT number FROM violations WHERE tenant = $1 AND agent = $2 ORDER BY at DESC LIMIT 1)"
        },
        &[&tenant, &agent, &now],
    )?;
    Ok(u32::try_from(times.saturating_add(i64::from(now >= since))).unwrap_or(u32::MAX))
}
