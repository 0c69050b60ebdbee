//! The statements over the index of a ledger.

use jiff::Timestamp;
use thoth_store::server::index::{
    Added, Agent, AgentFilter, Agents, Counts, Decision, DecisionFilter, Found, HOUR, IndexPage, MAX_COUNTED_NAMES,
    MAX_INDEX_PAGE, MAX_LISTED_NAMES, MAX_LOOKED_AT, MAX_NAMES, NameKind, SPAN, Seen, Session as Told, SessionFilter,
    ToolUse, cut,
};
use tokio_postgres::Row;

use crate::error::Fault;
use crate::index_adding::add_rows;
use crate::rows::{name, nanoseconds, time};
use crate::session::{Session, Value};

/// The columns of a decision, in the order in which [`read`] takes them.
const COLUMNS: &str = "position, at, session, agent, person, endpoint, tool, decision, reason_code, reason, rule, risk_score, \
                       mode, policy_digest, call, trace, enforcement_trace";
/// What a row that tells from when to when has, in the order in which [`seen`] takes it.
const SEEN: &str = "first_at, last_at, allowed, modified, held, deferred, blocked";
const VIOLATING: &str = "decision IN ('BLOCK', 'STEP_UP')";

fn read(row: &Row) -> Result<Decision, Fault> {
    Ok(Decision {
        position: row.try_get(0)?,
        at: time(row.try_get(1)?)?,
        session: row.try_get(2)?,
        agent: row.try_get(3)?,
        user: row.try_get(4)?,
        endpoint: row.try_get(5)?,
        tool: row.try_get(6)?,
        decision: row.try_get(7)?,
        reason_code: row.try_get(8)?,
        reason: row.try_get(9)?,
        rule: row.try_get(10)?,
        risk_score: row.try_get(11)?,
        mode: row.try_get(12)?,
        policy_digest: row.try_get(13)?,
        call: row.try_get(14)?,
        trace: row.try_get(15)?,
        enforcement_trace: row.try_get(16)?,
    })
}

fn seen(row: &Row, from: usize) -> Result<Seen, Fault> {
    let counts = Counts {
        allowed: row.try_get(from + 2)?,
        modified: row.try_get(from + 3)?,
        held: row.try_get(from + 4)?,
        deferred: row.try_get(from + 5)?,
        blocked: row.try_get(from + 6)?,
    };
    Ok(Seen { first: time(row.try_get(from)?)?, last: time(row.try_get(from + 1)?)?, counts })
}

/// Of which log it is, and where it ends.
pub(crate) fn mark(session: &Session<'_>, tenant: &str) -> Result<Option<(String, i64)>, Fault> {
    let row = session.row("SELECT log, next FROM index_marks WHERE tenant = $1", &[&tenant])?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Begins the index of a log, unless somebody else has.
pub(crate) fn begin(session: &Session<'_>, tenant: &str, log: &str) -> Result<i64, Fault> {
    if let Some((of, next)) = mark(session, tenant)?
        && of == log
    {
        return Ok(next);
    }
    for table in [
        "decisions",
        "decision_spans",
        "sessions",
        "session_names",
        "session_records",
        "agents",
        "tool_hours",
        "subtrees",
    ] {
        session.change(&format!("DELETE FROM {table} WHERE tenant = $1"), &[&tenant])?;
    }
    session.change(
        "INSERT INTO index_marks (tenant, log, next) VALUES ($1, $2, 0)
         ON CONFLICT (tenant) DO UPDATE SET log = excluded.log, next = 0",
        &[&tenant, &log],
    )?;
    Ok(0)
}

/// Adds what stands at the positions `from..next`, if the index ends there; whether it did.
pub(crate) fn add(
    session: &Session<'_>,
    tenant: &str,
    log: &str,
    (from, next): (i64, i64),
    added: &Added,
) -> Result<bool, Fault> {
    let sql = "UPDATE index_marks SET next = $4 WHERE tenant = $1 AND log = $2 AND next = $3";
    if session.change(sql, &[&tenant, &log, &from, &next])? == 0 {
        return Ok(false);
    }
    add_rows(session, tenant, added)?;
    Ok(true)
}

/// The positions between which everything since one instant and until another stands. `None`: nothing does.
fn between(
    session: &Session<'_>,
    tenant: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(i64, i64)>, Fault> {
    let (mut first, mut last) = (0, i64::MAX);
    let one = |sql: &str, at: Timestamp| -> Result<Option<i64>, Fault> {
        let row = session.row(sql, &[&tenant, &nanoseconds(at)?])?;
        Ok(row.map(|row| row.try_get::<_, Option<i64>>(0)).transpose()?.flatten())
    };
    if let Some(since) = since {
        let sql = "SELECT min(number) FROM decision_spans WHERE tenant = $1 AND last_at >= $2";
        let Some(number) = one(sql, since)? else { return Ok(None) };
        first = number.saturating_mul(SPAN);
    }
    if let Some(until) = until {
        let sql = "SELECT max(number) FROM decision_spans WHERE tenant = $1 AND first_at <= $2";
        let Some(number) = one(sql, until)? else { return Ok(None) };
        last = number.saturating_mul(SPAN).saturating_add(SPAN - 1);
    }
    Ok(Some((first, last)))
}

/// Conditions and their values, numbered as they come.
struct Wanted<'v> {
    sql: String,
    values: Vec<Value<'v>>,
}

impl<'v> Wanted<'v> {
    fn new(values: Vec<Value<'v>>, sql: &str) -> Self {
        Self { sql: sql.to_owned(), values }
    }

    /// Adds a condition that ends with the value.
    fn and(&mut self, condition: &str, value: Value<'v>) {
        self.values.push(value);
        self.sql.push_str(&format!(" AND {condition} ${}", self.values.len()));
    }
}

fn narrowed(page: &IndexPage, (first, last): (i64, i64)) -> (i64, i64) {
    match page.beyond {
        Some(beyond) if page.oldest_first => (first.max(beyond.saturating_add(1)), last),
        Some(beyond) => (first, last.min(beyond.saturating_sub(1))),
        None => (first, last),
    }
}

fn edge(row: Option<Row>) -> Result<Option<(i64, bool)>, Fault> {
    let Some(row) = row else { return Ok(None) };
    let (edge, looked_at): (Option<i64>, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(edge.map(|edge| (edge, looked_at >= i64::from(MAX_LOOKED_AT))))
}

/// A page of decisions. Two questions: how far a number of entries reach that an index leads to, and which of these are
/// wanted.
pub(crate) fn decisions(
    session: &Session<'_>,
    tenant: &str,
    filter: &DecisionFilter<'_>,
    page: &IndexPage,
) -> Result<Found<Decision>, Fault> {
    const PLACE: &str = "tenant = $1 AND position BETWEEN $2 AND $3";
    let none = Found { found: Vec::new(), next: None };
    let Some(places) = between(session, tenant, filter.since, filter.until)? else { return Ok(none) };
    let (mut first, mut last) = narrowed(page, places);
    let (order, far) = if page.oldest_first { ("ASC", "max") } else { ("DESC", "min") };
    let names = [
        ("enforcement_trace =", filter.enforcement_trace),
        ("session =", filter.session),
        ("agent =", filter.agent),
        ("tool =", filter.tool),
        ("decision =", filter.decision),
        ("reason_code =", filter.reason_code),
        ("rule =", filter.rule),
        ("person =", filter.user),
    ]
    .map(|(condition, text)| (condition, text.map(name)));
    let found = {
        let mut wanted = Wanted::new(vec![&tenant, &first, &last], PLACE);
        // The one with an index of its own that is the rarest.
        match names.iter().take(4).find_map(|(condition, text)| text.as_ref().map(|text| (condition, text))) {
            Some((condition, text)) => wanted.and(condition, text),
            None if filter.violations => wanted.sql.push_str(&format!(" AND {VIOLATING}")),
            None => {}
        }
        let sql = format!(
            "SELECT {far}(position), count(*) FROM
                 (SELECT position FROM decisions WHERE {} ORDER BY position {order} LIMIT {MAX_LOOKED_AT}) AS looked_at",
            wanted.sql
        );
        edge(session.row(&sql, &wanted.values)?)?
    };
    let Some((edge, is_full)) = found else { return Ok(none) };
    if page.oldest_first {
        last = last.min(edge)
    } else {
        first = first.max(edge)
    }
    let (since, until) = (filter.since.map(nanoseconds).transpose()?, filter.until.map(nanoseconds).transpose()?);
    let mut wanted = Wanted::new(vec![&tenant, &first, &last], PLACE);
    for (condition, text) in &names {
        if let Some(text) = text {
            wanted.and(condition, text);
        }
    }
    if filter.ran {
        wanted.sql.push_str(" AND decision IN ('ALLOW', 'MODIFY')");
    }
    if filter.violations {
        wanted.sql.push_str(&format!(" AND {VIOLATING}"));
    }
    for (condition, at) in [("at >=", &since), ("at <=", &until)] {
        if let Some(at) = at {
            wanted.and(condition, at);
        }
    }
    let limit = page.limit.clamp(1, MAX_INDEX_PAGE);
    let sql =
        format!("SELECT {COLUMNS} FROM decisions WHERE {} ORDER BY position {order} LIMIT {}", wanted.sql, limit + 1);
    let rows = session.rows(&sql, &wanted.values)?;
    let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(cut(found, limit, |decision| decision.position, is_full.then_some(edge)))
}

pub(crate) fn violation(session: &Session<'_>, tenant: &str, trace: &str) -> Result<Option<Decision>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE tenant = $1 AND trace = $2 AND {VIOLATING} ORDER BY position LIMIT 1"
    );
    session.row(&sql, &[&tenant, &name(trace)])?.as_ref().map(read).transpose()
}

pub(crate) fn sessions(
    session: &Session<'_>,
    tenant: &str,
    filter: &SessionFilter<'_>,
    page: &IndexPage,
) -> Result<Found<Told>, Fault> {
    let (mut first, mut last) = narrowed(page, (0, i64::MAX));
    let (order, far) = if page.oldest_first { ("ASC", "max") } else { ("DESC", "min") };
    let (agent, user) = (filter.agent.map(name), filter.user.map(name));
    let lead = [("agent", &agent), ("user", &user)];
    let lead = lead.into_iter().find_map(|(kind, text)| text.as_ref().map(|text| (kind, text)));
    let inner = |wanted: &mut Wanted<'_>| match lead {
        Some((kind, _)) => format!(
            "SELECT session AS position FROM session_names WHERE {} AND kind = '{kind}'",
            wanted.sql.replace("position BETWEEN", "session BETWEEN")
        ),
        None => format!("SELECT position FROM sessions WHERE {}", wanted.sql),
    };
    const PLACE: &str = "tenant = $1 AND position BETWEEN $2 AND $3";
    let found = {
        let mut wanted = Wanted::new(vec![&tenant, &first, &last], PLACE);
        if let Some((_, text)) = &lead {
            wanted.and("name =", *text);
        }
        let sql = format!(
            "SELECT {far}(position), count(*) FROM ({} ORDER BY position {order} LIMIT {MAX_LOOKED_AT}) AS looked_at",
            inner(&mut wanted)
        );
        edge(session.row(&sql, &wanted.values)?)?
    };
    let Some((edge, is_full)) = found else { return Ok(Found { found: Vec::new(), next: None }) };
    if page.oldest_first {
        last = last.min(edge)
    } else {
        first = first.max(edge)
    }
    let (since, until) = (filter.since.map(nanoseconds).transpose()?, filter.until.map(nanoseconds).transpose()?);
    let mut wanted = Wanted::new(vec![&tenant, &first, &last], PLACE);
    wanted.sql.push_str(" AND first_at IS NOT NULL");
    for (condition, at) in [("last_at >=", &since), ("first_at <=", &until)] {
        if let Some(at) = at {
            wanted.and(condition, at);
        }
    }
    for (kind, text) in [("agent", &agent), ("user", &user)] {
        if let Some(text) = text {
            wanted.values.push(text);
            wanted.sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM session_names WHERE tenant = $1 AND session = sessions.position
                              AND kind = '{kind}' AND name = ${})",
                wanted.values.len()
            ));
        }
    }
    let limit = page.limit.clamp(1, MAX_INDEX_PAGE);
    let sql = format!(
        "SELECT position, id, {SEEN} FROM sessions WHERE {} ORDER BY position {order} LIMIT {}",
        wanted.sql,
        limit + 1
    );
    let rows = session.rows(&sql, &wanted.values)?;
    let found = rows.iter().map(read_session).collect::<Result<Vec<_>, _>>()?;
    let mut page = cut(found, limit, |told: &Told| told.position, is_full.then_some(edge));
    names_of(session, tenant, &mut page.found, MAX_LISTED_NAMES)?;
    Ok(page)
}

fn read_session(row: &Row) -> Result<Told, Fault> {
    let (agents, users, tools) = Default::default();
    Ok(Told { position: row.try_get(0)?, id: row.try_get(1)?, seen: seen(row, 2)?, agents, users, tools })
}

/// Adds the names in these sessions, the first of each kind, and how many there are.
fn names_of(session: &Session<'_>, tenant: &str, told: &mut [Told], most: u32) -> Result<(), Fault> {
    let positions: Vec<i64> = told.iter().map(|told| told.position).collect();
    let rows = session.rows(
        "SELECT session, kind, name, calls, least(count, $4) FROM (
             SELECT session, kind, name, calls, count(*) OVER (PARTITION BY session, kind) AS count,
                 row_number() OVER (PARTITION BY session, kind ORDER BY name COLLATE \"C\") AS place
             FROM session_names WHERE tenant = $1 AND session = ANY($2)) AS names
         WHERE place <= $3 ORDER BY session, kind, name COLLATE \"C\"",
        &[&tenant, &positions, &i64::from(most), &i64::from(MAX_COUNTED_NAMES)],
    )?;
    for row in &rows {
        let (position, kind): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let Some(told) = told.iter_mut().find(|told| told.position == position) else { continue };
        let names = if kind == NameKind::Agent.as_str() {
            &mut told.agents
        } else if kind == NameKind::User.as_str() {
            &mut told.users
        } else {
            &mut told.tools
        };
        names.first.push((row.try_get(2)?, row.try_get(3)?));
        names.count = row.try_get(4)?;
    }
    Ok(())
}

pub(crate) fn session(session: &Session<'_>, tenant: &str, id: &str) -> Result<Option<Told>, Fault> {
    let sql =
        format!("SELECT position, id, {SEEN} FROM sessions WHERE tenant = $1 AND id = $2 AND first_at IS NOT NULL");
    let row = session.row(&sql, &[&tenant, &name(id)])?;
    let Some(told) = row.as_ref().map(read_session).transpose()? else { return Ok(None) };
    let mut told = [told];
    names_of(session, tenant, &mut told, MAX_NAMES)?;
    Ok(told.into_iter().next())
}

pub(crate) fn positions(
    session: &Session<'_>,
    tenant: &str,
    id: &str,
    from: i64,
    most: u32,
) -> Result<Vec<i64>, Fault> {
    let rows = session.rows(
        "SELECT position FROM session_records WHERE tenant = $1
             AND session = (SELECT position FROM sessions WHERE tenant = $1 AND id = $2) AND position >= $3
         ORDER BY position LIMIT $4",
        &[&tenant, &name(id), &from, &i64::from(most)],
    )?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn read_agent(row: &Row) -> Result<Agent, Fault> {
    Ok(Agent { id: row.try_get(0)?, seen: seen(row, 1)? })
}

pub(crate) fn agents(
    session: &Session<'_>,
    tenant: &str,
    filter: &AgentFilter<'_>,
    beyond: Option<&str>,
    limit: u32,
) -> Result<Agents, Fault> {
    let beyond = name(beyond.unwrap_or_default());
    let among: Option<Vec<_>> = filter.among.map(|names| names.iter().map(|text| name(text)).collect());
    let (since, until) = (filter.since.map(nanoseconds).transpose()?, filter.until.map(nanoseconds).transpose()?);
    let mut wanted = Wanted::new(vec![&tenant, &beyond], "tenant = $1 AND id > $2");
    if let Some(among) = &among {
        wanted.values.push(among);
        wanted.sql.push_str(&format!(" AND id = ANY(${})", wanted.values.len()));
    }
    let sql = format!(
        "SELECT max(id), count(*) FROM (SELECT id FROM agents WHERE {} ORDER BY id LIMIT {MAX_LOOKED_AT}) AS looked_at",
        wanted.sql
    );
    let Some(row) = session.row(&sql, &wanted.values)? else { return Ok(Agents::default()) };
    let (edge, looked_at): (Option<String>, i64) = (row.try_get(0)?, row.try_get(1)?);
    let Some(edge) = edge else { return Ok(Agents::default()) };
    wanted.and("id <=", &edge);
    for (condition, at) in [("last_at >=", &since), ("first_at <=", &until)] {
        if let Some(at) = at {
            wanted.and(condition, at);
        }
    }
    let limit = limit.clamp(1, MAX_INDEX_PAGE);
    let sql = format!("SELECT id, {SEEN} FROM agents WHERE {} ORDER BY id LIMIT {}", wanted.sql, limit + 1);
    let rows = session.rows(&sql, &wanted.values)?;
    let found = rows.iter().map(read_agent).collect::<Result<Vec<_>, _>>()?;
    let is_full = looked_at >= i64::from(MAX_LOOKED_AT);
    Ok(Agents::cut(found, limit, is_full.then(|| edge.clone())))
}

pub(crate) fn agent(session: &Session<'_>, tenant: &str, id: &str) -> Result<Option<Agent>, Fault> {
    let sql = format!("SELECT id, {SEEN} FROM agents WHERE tenant = $1 AND id = $2");
    session.row(&sql, &[&tenant, &name(id)])?.as_ref().map(read_agent).transpose()
}

pub(crate) fn tool_uses(session: &Session<'_>, tenant: &str, since: Timestamp) -> Result<Vec<ToolUse>, Fault> {
    let rows = session.rows(
        "SELECT agent, tool, sum(calls)::bigint, sum(refused)::bigint FROM tool_hours WHERE tenant = $1 AND hour >= $2
         GROUP BY agent, tool ORDER BY agent, tool LIMIT $3",
        &[&tenant, &nanoseconds(since)?.div_euclid(HOUR), &i64::from(MAX_LOOKED_AT)],
    )?;
    rows.iter()
        .map(|row| {
            Ok(ToolUse {
                agent: row.try_get(0)?,
                tool: row.try_get(1)?,
                calls: row.try_get(2)?,
                refused: row.try_get(3)?,
            })
        })
        .collect()
}
