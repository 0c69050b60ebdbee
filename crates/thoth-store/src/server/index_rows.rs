//! The statements over the index of a ledger.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

use super::index::{
    Added, Agent, AgentFilter, Agents, Counts, Decision, DecisionFilter, Found, HOUR, IndexPage, MAX_COUNTED_NAMES,
    MAX_INDEX_PAGE, MAX_LISTED_NAMES, MAX_LOOKED_AT, MAX_NAMES, NameKind, Names, SPAN, Seen, Session, SessionFilter,
    ToolUse, cut,
};
use crate::error::Fault;
use crate::rows::{nanoseconds, time};

/// The columns of a decision, in the order in which [`read`] takes them.
const COLUMNS: &str = "position, at, session, agent, user, endpoint, tool, decision, reason_code, reason, rule, risk_score, \
                       mode, policy_digest, call, trace, enforcement_trace";
/// What a row that tells from when to when has, in the order in which [`seen`] takes it.
const SEEN: &str = "first_at, last_at, allowed, modified, held, deferred, blocked";

fn read(row: &Row<'_>) -> Result<Decision, Fault> {
    Ok(Decision {
        position: row.get(0)?,
        at: time(row.get(1)?)?,
        session: row.get(2)?,
        agent: row.get(3)?,
        user: row.get(4)?,
        endpoint: row.get(5)?,
        tool: row.get(6)?,
        decision: row.get(7)?,
        reason_code: row.get(8)?,
        reason: row.get(9)?,
        rule: row.get(10)?,
        risk_score: row.get(11)?,
        mode: row.get(12)?,
        policy_digest: row.get(13)?,
        call: row.get(14)?,
        trace: row.get(15)?,
        enforcement_trace: row.get(16)?,
    })
}

fn seen(row: &Row<'_>, from: usize) -> Result<Seen, Fault> {
    let counts = Counts {
        allowed: row.get(from + 2)?,
        modified: row.get(from + 3)?,
        held: row.get(from + 4)?,
        deferred: row.get(from + 5)?,
        blocked: row.get(from + 6)?,
    };
    Ok(Seen { first: time(row.get(from)?)?, last: time(row.get(from + 1)?)?, counts })
}

/// Of which log it is, and where it ends.
pub(super) fn mark(connection: &Connection) -> Result<Option<(String, i64)>, Fault> {
    let mut statement = connection.prepare_cached("SELECT log, next FROM mark")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Begins the index of a log, unless somebody else has.
pub(super) fn begin(connection: &Connection, log: &str) -> Result<i64, Fault> {
    if let Some((of, next)) = mark(connection)?
        && of == log
    {
        return Ok(next);
    }
    for table in ["decisions", "session_records", "session_names", "sessions", "agents", "tool_hours", "spans"] {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    connection.execute("INSERT OR REPLACE INTO mark (only_one, log, next) VALUES (0, ?1, 0)", [log])?;
    Ok(0)
}

/// Adds what stands at the positions `from..next`, if the index ends there.
pub(super) fn add(connection: &Connection, log: &str, (from, next): (i64, i64), added: &Added) -> Result<(), Fault> {
    let moved = connection
        .prepare_cached("UPDATE mark SET next = ?3 WHERE log = ?1 AND next = ?2")?
        .execute(params![log, from, next])?;
    if moved == 0 {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO decisions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
             ?17)"
    ))?;
    for decision in &added.decisions {
        insert.execute(params![
            decision.position,
            nanoseconds(decision.at)?,
            decision.session,
            decision.agent,
            decision.user,
            decision.endpoint,
            decision.tool,
            decision.decision,
            decision.reason_code,
            decision.reason,
            decision.rule,
            decision.risk_score,
            decision.mode,
            decision.policy_digest,
            decision.call,
            decision.trace,
            decision.enforcement_trace,
        ])?;
    }
    add_sessions(connection, added)?;
    add_agents(connection, added)?;
    let mut span = connection.prepare_cached(
        "INSERT INTO spans (number, first_at, last_at) VALUES (?1, ?2, ?3) ON CONFLICT (number) DO UPDATE
         SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
    )?;
    for (number, (first, last)) in &added.spans {
        span.execute((number, first, last))?;
    }
    Ok(())
}

fn add_sessions(connection: &Connection, added: &Added) -> Result<(), Fault> {
    let mut begin =
        connection.prepare_cached("INSERT INTO sessions (position, id) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING")?;
    let mut find = connection.prepare_cached("SELECT position FROM sessions WHERE id = ?1")?;
    let mut record = connection
        .prepare_cached("INSERT INTO session_records (session, position) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    let mut count = connection.prepare_cached(
        "UPDATE sessions SET first_at = min(coalesce(first_at, ?2), ?2), last_at = max(coalesce(last_at, ?3), ?3),
             allowed = allowed + ?4, modified = modified + ?5, held = held + ?6, deferred = deferred + ?7,
             blocked = blocked + ?8
         WHERE position = ?1",
    )?;
    let mut name = connection.prepare_cached(
        "INSERT INTO session_names (session, kind, name, calls) SELECT position, ?2, ?3, ?4 FROM sessions WHERE id = ?1
         ON CONFLICT (session, kind, name) DO UPDATE SET calls = calls + excluded.calls",
    )?;
    for (id, positions) in &added.sessions {
        let Some(first) = positions.first() else { continue };
        begin.execute((first, id))?;
        let session: i64 = find.query_row([id], |row| row.get(0))?;
        for position in positions {
            record.execute((session, position))?;
        }
        if let Some(Seen { first, last, counts }) = added.seen.get(id) {
            let Counts { allowed, modified, held, deferred, blocked } = counts;
            let (first, last) = (nanoseconds(*first)?, nanoseconds(*last)?);
            count.execute(params![session, first, last, allowed, modified, held, deferred, blocked])?;
        }
    }
    for ((session, kind, text), calls) in &added.names {
        name.execute((session, kind.as_str(), text, calls))?;
    }
    Ok(())
}

fn add_agents(connection: &Connection, added: &Added) -> Result<(), Fault> {
    let mut agent = connection.prepare_cached(
        "INSERT INTO agents (id, first_at, last_at, allowed, modified, held, deferred, blocked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET
             first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at),
             allowed = allowed + excluded.allowed, modified = modified + excluded.modified,
             held = held + excluded.held, deferred = deferred + excluded.deferred, blocked = blocked + excluded.blocked",
    )?;
    for (id, Seen { first, last, counts }) in &added.agents {
        let Counts { allowed, modified, held, deferred, blocked } = counts;
        let (first, last) = (nanoseconds(*first)?, nanoseconds(*last)?);
        agent.execute(params![id, first, last, allowed, modified, held, deferred, blocked])?;
    }
    let mut hour = connection.prepare_cached(
        "INSERT INTO tool_hours (hour, agent, tool, calls, refused) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (hour, agent, tool) DO UPDATE SET calls = calls + excluded.calls, refused = refused + excluded.refused",
    )?;
    for ((agent, tool, number), (calls, refused)) in &added.hours {
        hour.execute((number, agent, tool, calls, refused))?;
    }
    Ok(())
}

/// The positions between which everything since one instant and until another stands. `None`: nothing does.
fn between(
    connection: &Connection,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(i64, i64)>, Fault> {
    let (mut first, mut last) = (0, i64::MAX);
    if let Some(since) = since {
        let number: Option<i64> = connection
            .prepare_cached("SELECT min(number) FROM spans WHERE last_at >= ?1")?
            .query_row([nanoseconds(since)?], |row| row.get(0))?;
        let Some(number) = number else { return Ok(None) };
        first = number.saturating_mul(SPAN);
    }
    if let Some(until) = until {
        let number: Option<i64> = connection
            .prepare_cached("SELECT max(number) FROM spans WHERE first_at <= ?1")?
            .query_row([nanoseconds(until)?], |row| row.get(0))?;
        let Some(number) = number else { return Ok(None) };
        last = number.saturating_mul(SPAN).saturating_add(SPAN - 1);
    }
    Ok(Some((first, last)))
}

/// A page of decisions. Two questions: how far a number of entries reach that the index leads to, and which of these are
/// wanted.
pub(super) fn decisions(
    connection: &Connection,
    filter: &DecisionFilter<'_>,
    page: &IndexPage,
) -> Result<Found<Decision>, Fault> {
    let none = Found { found: Vec::new(), next: None };
    let Some((mut first, mut last)) = between(connection, filter.since, filter.until)? else { return Ok(none) };
    match page.beyond {
        Some(beyond) if page.oldest_first => first = first.max(beyond.saturating_add(1)),
        Some(beyond) => last = last.min(beyond.saturating_sub(1)),
        None => {}
    }
    let order = if page.oldest_first { "ASC" } else { "DESC" };
    // The one with an index of its own that is the rarest.
    let leads = [
        ("enforcement_trace", &filter.enforcement_trace),
        ("session", &filter.session),
        ("agent", &filter.agent),
        ("tool", &filter.tool),
    ];
    let lead = leads.into_iter().find_map(|(column, value)| value.as_ref().map(|value| (column, value)));
    let mut values: Vec<&dyn ToSql> = vec![&first, &last];
    let mut wanted = "position BETWEEN ? AND ?".to_owned();
    if let Some((column, value)) = &lead {
        wanted.push_str(&format!(" AND {column} = ?"));
        values.push(*value);
    } else if filter.violations {
        wanted.push_str(" AND violation = 1");
    }
    let (edge, looked_at): (Option<i64>, i64) = {
        let far = if page.oldest_first { "max" } else { "min" };
        let sql = format!(
            "SELECT {far}(position), count(*) FROM
                 (SELECT position FROM decisions WHERE {wanted} ORDER BY position {order} LIMIT {MAX_LOOKED_AT})"
        );
        connection.prepare_cached(&sql)?.query_row(&values[..], |row| Ok((row.get(0)?, row.get(1)?)))?
    };
    let Some(edge) = edge else { return Ok(none) };
    if page.oldest_first {
        last = last.min(edge)
    } else {
        first = first.max(edge)
    }
    let (since, until) = (filter.since.map(nanoseconds).transpose()?, filter.until.map(nanoseconds).transpose()?);
    let mut values: Vec<&dyn ToSql> = vec![&first, &last];
    let mut wanted = "position BETWEEN ? AND ?".to_owned();
    let equal: [(&str, &Option<&str>); 8] = [
        ("session", &filter.session),
        ("agent", &filter.agent),
        ("tool", &filter.tool),
        ("decision", &filter.decision),
        ("reason_code", &filter.reason_code),
        ("rule", &filter.rule),
        ("user", &filter.user),
        ("enforcement_trace", &filter.enforcement_trace),
    ];
    for (column, value) in &equal {
        if let Some(value) = value {
            // A plus takes its index from the planner: the one that leads was chosen above.
            let plus = if lead.is_some_and(|(lead, _)| lead == *column) { "" } else { "+" };
            wanted.push_str(&format!(" AND {plus}{column} = ?"));
            values.push(value);
        }
    }
    if filter.ran {
        wanted.push_str(" AND +decision IN ('ALLOW', 'MODIFY')");
    }
    if filter.violations {
        wanted.push_str(" AND violation = 1");
    }
    for (condition, value) in [(" AND at >= ?", &since), (" AND at <= ?", &until)] {
        if let Some(value) = value {
            wanted.push_str(condition);
            values.push(value);
        }
    }
    let limit = page.limit.clamp(1, MAX_INDEX_PAGE);
    let sql = format!("SELECT {COLUMNS} FROM decisions WHERE {wanted} ORDER BY position {order} LIMIT {}", limit + 1);
    let mut statement = connection.prepare_cached(&sql)?;
    let found: Vec<Decision> = statement.query_and_then(&values[..], read)?.collect::<Result<_, _>>()?;
    Ok(cut(found, limit, |decision| decision.position, (looked_at >= i64::from(MAX_LOOKED_AT)).then_some(edge)))
}

pub(super) fn violation(connection: &Connection, trace: &str) -> Result<Option<Decision>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM decisions WHERE violation = 1 AND trace = ?1 ORDER BY position LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query_and_then([trace], read)?;
    found.next().transpose()
}

pub(super) fn sessions(
    connection: &Connection,
    filter: &SessionFilter<'_>,
    page: &IndexPage,
) -> Result<Found<Session>, Fault> {
    let (mut first, mut last) = (0, i64::MAX);
    match page.beyond {
        Some(beyond) if page.oldest_first => first = beyond.saturating_add(1),
        Some(beyond) => last = beyond.saturating_sub(1),
        None => {}
    }
    let order = if page.oldest_first { "ASC" } else { "DESC" };
    let lead = [("agent", filter.agent), ("user", filter.user)];
    let lead = lead.into_iter().find_map(|(kind, name)| name.map(|name| (kind, name)));
    let inner = match lead {
        Some(_) => {
            "SELECT session AS position FROM session_names WHERE session BETWEEN ?1 AND ?2 AND kind = ?3 AND name = ?4"
        }
        None => "SELECT position FROM sessions WHERE position BETWEEN ?1 AND ?2 AND ?3 = '' AND ?4 = ''",
    };
    let (kind, name) = lead.unwrap_or_default();
    let far = if page.oldest_first { "max" } else { "min" };
    let sql =
        format!("SELECT {far}(position), count(*) FROM ({inner} ORDER BY position {order} LIMIT {MAX_LOOKED_AT})");
    let (edge, looked_at): (Option<i64>, i64) = connection
        .prepare_cached(&sql)?
        .query_row(params![first, last, kind, name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(edge) = edge else { return Ok(Found { found: Vec::new(), next: None }) };
    if page.oldest_first {
        last = last.min(edge)
    } else {
        first = first.max(edge)
    }
    let (since, until) = (filter.since.map(nanoseconds).transpose()?, filter.until.map(nanoseconds).transpose()?);
    let limit = page.limit.clamp(1, MAX_INDEX_PAGE);
    let of = "EXISTS (SELECT 1 FROM session_names WHERE session = sessions.position AND kind";
    let sql = format!(
        "SELECT position, id, {SEEN} FROM sessions WHERE position IN ({inner}) AND first_at IS NOT NULL
             AND (?5 IS NULL OR last_at >= ?5) AND (?6 IS NULL OR first_at <= ?6)
             AND (?7 IS NULL OR {of} = 'agent' AND name = ?7)) AND (?8 IS NULL OR {of} = 'user' AND name = ?8))
         ORDER BY position {order} LIMIT {}",
        limit + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values = params![first, last, kind, name, since, until, filter.agent, filter.user];
    let found = statement.query_and_then(values, read_session)?.collect::<Result<Vec<_>, _>>()?;
    let edge = (looked_at >= i64::from(MAX_LOOKED_AT)).then_some(edge);
    let mut page = cut(found, limit, |session: &Session| session.position, edge);
    for session in &mut page.found {
        names(connection, session, MAX_LISTED_NAMES)?;
    }
    Ok(page)
}

fn read_session(row: &Row<'_>) -> Result<Session, Fault> {
    let (agents, users, tools) = Default::default();
    Ok(Session { position: row.get(0)?, id: row.get(1)?, seen: seen(row, 2)?, agents, users, tools })
}

fn names(connection: &Connection, session: &mut Session, most: u32) -> Result<(), Fault> {
    let mut named = connection.prepare_cached(
        "SELECT name, calls FROM session_names WHERE session = ?1 AND kind = ?2 ORDER BY name LIMIT ?3",
    )?;
    let mut counted = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM session_names WHERE session = ?1 AND kind = ?2 LIMIT ?3)",
    )?;
    let mut of = |kind: NameKind| -> Result<Names, Fault> {
        let kind = kind.as_str();
        let rows = named.query_map(params![session.position, kind, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let first = rows.collect::<Result<_, _>>()?;
        let count = counted.query_row(params![session.position, kind, MAX_COUNTED_NAMES], |row| row.get(0))?;
        Ok(Names { first, count })
    };
    let found = (of(NameKind::Agent)?, of(NameKind::User)?, of(NameKind::Tool)?);
    (session.agents, session.users, session.tools) = found;
    Ok(())
}

pub(super) fn session(connection: &Connection, id: &str) -> Result<Option<Session>, Fault> {
    let sql = format!("SELECT position, id, {SEEN} FROM sessions WHERE id = ?1 AND first_at IS NOT NULL");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_and_then([id], read_session)?.next().transpose()?;
    let Some(mut session) = found else { return Ok(None) };
    names(connection, &mut session, MAX_NAMES)?;
    Ok(Some(session))
}

pub(super) fn positions(connection: &Connection, session: &str, from: i64, most: u32) -> Result<Vec<i64>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT position FROM session_records WHERE session = (SELECT position FROM sessions WHERE id = ?1)
             AND position >= ?2 ORDER BY position LIMIT ?3",
    )?;
    let rows = statement.query_map(params![session, from, most], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_agent(row: &Row<'_>) -> Result<Agent, Fault> {
    Ok(Agent { id: row.get(0)?, seen: seen(row, 1)? })
}

pub(super) fn agents(
    connection: &Connection,
    filter: &AgentFilter<'_>,
    beyond: Option<&str>,
    limit: u32,
) -> Result<Agents, Fault> {
    let beyond = beyond.unwrap_or_default();
    let among = filter.among.map(|names| serde_json::Value::from(names).to_string());
    let wanted = match among {
        Some(_) => "id > ?1 AND id IN (SELECT value FROM json_each(?2))",
        None => "id > ?1 AND ?2 IS NULL",
    };
    let looked_at = format!(
        "SELECT max(id), count(*) FROM (SELECT id FROM agents WHERE {wanted} ORDER BY id LIMIT {MAX_LOOKED_AT})"
    );
    let (edge, looked_at): (Option<String>, i64) = connection
        .prepare_cached(&looked_at)?
        .query_row(params![beyond, among], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (since, until) = (filter.since.map(nanoseconds).transpose()?, filter.until.map(nanoseconds).transpose()?);
    let limit = limit.clamp(1, MAX_INDEX_PAGE);
    let sql = format!(
        "SELECT id, {SEEN} FROM agents WHERE {wanted} AND id <= ?3 AND (?4 IS NULL OR last_at >= ?4)
             AND (?5 IS NULL OR first_at <= ?5) ORDER BY id LIMIT {}",
        limit + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_and_then(params![beyond, among, edge, since, until], read_agent)?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    Ok(Agents::cut(found, limit, edge.filter(|_| looked_at >= i64::from(MAX_LOOKED_AT))))
}

pub(super) fn agent(connection: &Connection, id: &str) -> Result<Option<Agent>, Fault> {
    let sql = format!("SELECT id, {SEEN} FROM agents WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_and_then([id], read_agent)?.next().transpose()
}

pub(super) fn tool_uses(connection: &Connection, since: Timestamp) -> Result<Vec<ToolUse>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT agent, tool, sum(calls), sum(refused) FROM tool_hours WHERE hour >= ?1 GROUP BY agent, tool
         ORDER BY agent, tool LIMIT ?2",
    )?;
    let rows = statement.query_map(params![nanoseconds(since)?.div_euclid(HOUR), MAX_LOOKED_AT], |row| {
        Ok(ToolUse { agent: row.get(0)?, tool: row.get(1)?, calls: row.get(2)?, refused: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
