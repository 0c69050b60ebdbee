//! Keeping a file within its bounds.

use jiff::Timestamp;
use rusqlite::{Connection, named_params};
use thoth_gate::hold::Hold;

use crate::bounds::{
    BATCH, COUNTED_EVERY, KEEP_ARGUMENTS, KEEP_HOLDS, KEEP_VIOLATIONS, MAX_ARGUMENT_BYTES, MAX_OVER,
    MAX_VIOLATION_ROWS, Waiting,
};
use crate::error::Fault;
use crate::rows::nanoseconds;

/// Says no where the hold would be one too many.
pub(crate) fn admit(connection: &Connection, hold: &Hold, now: i64) -> Result<(), Fault> {
    let waiting = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state = 'pending'),
                    count(*) FILTER (WHERE state = 'pending' AND server = :server AND agent IS :agent),
                    coalesce(sum(argument_bytes), 0)
             FROM holds WHERE state IN ('pending', 'approved', 'denied') AND ends_at > :now",
        )?
        .query_row(
            named_params! {
                ":now": now,
                ":server": hold.caller.server.as_str(),
                ":agent": hold.caller.agent.as_ref().map(|agent| agent.as_str()),
            },
            |row| Ok(Waiting { all: row.get(0)?, own: row.get(1)?, argument_bytes: row.get(2)? }),
        )?;
    Ok(waiting.admit(hold)?)
}

/// Deletes what is over and old: contents first, whole holds later, and the oldest also when there are too many.
pub(crate) fn clean(connection: &Connection, now: i64) -> Result<(), Fault> {
    let forget = |sql: &str, before: i64| connection.prepare_cached(sql)?.execute([before, BATCH]);
    const BLANK: &str = "UPDATE holds SET arguments = x'', argument_bytes = 0 WHERE number IN (
        SELECT number FROM holds WHERE argument_bytes > 0 AND over_at <= ?1 ORDER BY over_at LIMIT ?2)";
    const DELETE: &str = "DELETE FROM holds WHERE number IN (
        SELECT number FROM holds WHERE over_at <= ?1 ORDER BY over_at LIMIT ?2)";
    forget(BLANK, now.saturating_sub(KEEP_ARGUMENTS))?;
    forget(DELETE, now.saturating_sub(KEEP_HOLDS))?;
    forget(
        "DELETE FROM grants WHERE number IN (SELECT number FROM grants WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)",
        now.saturating_sub(KEEP_HOLDS),
    )?;
    if connection.last_insert_rowid() % COUNTED_EVERY != 0 {
        return Ok(());
    }
    let (over, bytes): (i64, i64) = connection
        .prepare_cached("SELECT count(*), coalesce(sum(argument_bytes), 0) FROM holds WHERE over_at <= ?1")?
        .query_row([now], |row| Ok((row.get(0)?, row.get(1)?)))?;
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
    connection: &Connection,
    agent: &str,
    now: Timestamp,
    since: Timestamp,
) -> Result<u32, Fault> {
    let (now, since) = (nanoseconds(now)?, nanoseconds(since)?);
    let forget =
        "DELETE FROM violations WHERE number IN (SELECT number FROM violations WHERE at < ?1 ORDER BY at LIMIT ?2)";
    connection.prepare_cached(forget)?.execute([now.saturating_sub(KEEP_VIOLATIONS), BATCH])?;
    let times: i64 = connection
        .prepare_cached("SELECT coalesce(sum(times), 0) FROM violations WHERE agent = ?1 AND at >= ?2")?
        .query_row((agent, since), |row| row.get(0))?;
    let rows = || {
        let mut statement = connection.prepare_cached("SELECT count(*) FROM violations WHERE agent = ?1")?;
        statement.query_row([agent], |row| row.get::<_, i64>(0))
    };
    let mut room = rows()? < MAX_VIOLATION_ROWS;
    if !room {
        // Only now: another process may look further back than this one.
        connection.prepare_cached("DELETE FROM violations WHERE agent = ?1 AND at < ?2")?.execute((agent, since))?;
        room = rows()? < MAX_VIOLATION_ROWS;
    }
    // Without room, the newest row takes it in: what it stands for then ends later, never earlier, than it should.
    connection
        .prepare_cached(if room {
            "INSERT INTO violations (agent, at, times) VALUES (?1, ?2, 1)"
        } else {
            "UPDATE violations SET times = times + 1, at = max(at, ?2)
             WHERE number = (SELECT number FROM violations WHERE agent = ?1 ORDER BY at DESC LIMIT 1)"
        })?
        .execute((agent, now))?;
    Ok(u32::try_from(times.saturating_add(i64::from(now >= since))).unwrap_or(u32::MAX))
}
