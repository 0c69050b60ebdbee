//! The statements over holds and grants.

use serde::Serialize;
use thoth_gate::hold::{Hold, HoldState};
use thoth_gate::{HoldsError, Listed};
use thoth_store::wire::{Columns, GrantDocument, HoldDocument};
use thoth_types::{Binding, Grant, GrantScope, HoldToken};
use tokio_postgres::Row;

use crate::error::Fault;
use crate::rows::{digits, nanoseconds, time, token};
use crate::session::{Session, Value, damaged};

/// The columns that a hold is read from, in the order in which [`read_hold`] takes them.
macro_rules! select_holds {
    ($rest:literal) => {
        concat!(
            "SELECT token, binding, arguments, created_at, ends_at, state, document FROM holds WHERE tenant = $1 ",
            $rest
        )
    };
}

/// The columns that a grant is read from.
macro_rules! select_grants {
    ($rest:literal) => {
        concat!(
            "SELECT id, scope_tenant, agent, server, tool, hold, ends_at, document FROM grants WHERE tenant = $1 ",
            $rest
        )
    };
}

fn read_hold(row: &Row) -> Result<Hold, Fault> {
    let token = token(row.try_get(0)?)?;
    let wrong = |what: String| damaged(format!("hold `{token}` has {what}"));
    let state: &str = row.try_get(5)?;
    let state =
        HoldState::parse(state).ok_or_else(|| wrong(format!("the unknown state `{}`", state.escape_debug())))?;
    let binding: &[u8] = row.try_get(1)?;
    let binding = binding.try_into().map_err(|_| wrong("a binding that is none".to_owned()))?;
    let document: HoldDocument =
        serde_json::from_str(row.try_get(6)?).map_err(|error| wrong(format!("an unreadable document: {error}")))?;
    let columns = Columns {
        binding: Binding(binding),
        arguments: row.try_get(2)?,
        created_at: time(row.try_get(3)?)?,
        ends_at: time(row.try_get(4)?)?,
        state,
        token,
    };
    Ok(document.hold(columns))
}

fn read_grant(row: &Row) -> Result<Grant, Fault> {
    let id: &str = row.try_get(0)?;
    let wrong = |what: String| damaged(format!("grant `{}` has {what}", id.escape_debug()));
    let unknown = |error: thoth_types::IdError| wrong(error.to_string());
    let (requester, patterns, given) = serde_json::from_str::<GrantDocument>(row.try_get(7)?)
        .map_err(|error| wrong(format!("an unreadable document: {error}")))?
        .parts();
    let tenant: Option<&str> = row.try_get(1)?;
    let agent: Option<&str> = row.try_get(2)?;
    let scope = GrantScope {
        tenant: tenant.map(str::parse).transpose().map_err(unknown)?,
        agent: agent.map(str::parse).transpose().map_err(unknown)?,
        server: row.try_get::<_, &str>(3)?.parse().map_err(unknown)?,
        tool: row.try_get::<_, &str>(4)?.into(),
    };
    let hold = token(row.try_get(5)?)?;
    let ends_at = time(row.try_get(6)?)?;
    Ok(Grant { scope, requester, patterns, given, hold, ends_at, id: id.into() })
}

fn holds_where(session: &Session<'_>, sql: &str, values: &[Value<'_>]) -> Result<Vec<Hold>, Fault> {
    session.rows(sql, values)?.iter().map(read_hold).collect()
}

/// The holds of one binding that a call could meet. More than one only where one was given back.
pub(crate) fn open_holds(session: &Session<'_>, tenant: &str, binding: &Binding, now: i64) -> Result<Vec<Hold>, Fault> {
    let sql = select_holds!(
        "AND binding = $2 AND state IN ('pending', 'approved', 'denied') AND (NOT aside OR ends_at > $3) ORDER BY number"
    );
    holds_where(session, sql, &[&tenant, &binding.0.as_slice(), &now])
}

/// One hold.
pub(crate) fn hold(session: &Session<'_>, tenant: &str, token: &HoldToken) -> Result<Hold, Fault> {
    let found = holds_where(session, select_holds!("AND token = $2"), &[&tenant, &digits(token)])?;
    found.into_iter().next().ok_or_else(|| unknown(token))
}

/// All holds, newest first.
pub(crate) fn holds(session: &Session<'_>, tenant: &str) -> Result<Vec<Hold>, Fault> {
    holds_where(session, select_holds!("ORDER BY number DESC"), &[&tenant])
}

/// How many holds wait for a person.
pub(crate) fn waiting(session: &Session<'_>, tenant: &str, now: i64) -> Result<u64, Fault> {
    // As `Hold::state_at` has it.
    let sql = "SELECT count(*) FROM holds WHERE tenant = $1 AND state IN ('pending', 'approved', 'denied')
               AND state = 'pending' AND ends_at > $2 AND created_at - $2 <= ends_at - created_at";
    let rows = session.rows(sql, &[&tenant, &now])?;
    let count: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The same without arguments that are longer than this.
pub(crate) fn short_holds(session: &Session<'_>, tenant: &str, longest: i64) -> Result<Vec<Listed>, Fault> {
    let sql = "SELECT token, binding, CASE WHEN argument_bytes <= $2 THEN arguments ELSE ''::bytea END, created_at,
                      ends_at, state, document, argument_bytes::bigint FROM holds WHERE tenant = $1 ORDER BY number DESC";
    let listed = |row: &Row| {
        let argument_bytes = usize::try_from(row.try_get::<_, i64>(7)?).map_err(damaged)?;
        Ok(Listed { hold: read_hold(row)?, argument_bytes })
    };
    session.rows(sql, &[&tenant, &longest])?.iter().map(listed).collect()
}

/// The holds that ended before anybody noted it.
pub(crate) fn lapsed(session: &Session<'_>, tenant: &str, now: i64) -> Result<Vec<HoldToken>, Fault> {
    // As `Hold::state_at` has it: also where the clock was put back by more than the time to live.
    let sql = "SELECT token FROM holds WHERE tenant = $1 AND state IN ('pending', 'approved', 'denied')
               AND state <> 'denied' AND (ends_at <= $2 OR created_at - $2 > ends_at - created_at) ORDER BY number";
    session.rows(sql, &[&tenant, &now])?.iter().map(|row| token(row.try_get(0)?)).collect()
}

/// Writes a new hold.
pub(crate) fn insert(session: &Session<'_>, tenant: &str, hold: &Hold) -> Result<(), Fault> {
    let agent = hold.caller.agent.as_ref().map(|agent| agent.as_str());
    let document = document(&HoldDocument::of(hold))?;
    session.change(
        "INSERT INTO holds (tenant, token, binding, agent, server, state, created_at, ends_at, over_at, aside, arguments,
                            argument_bytes, document)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, false, $9, octet_length($9::bytea), $10)",
        &[
            &tenant,
            &digits(&hold.token),
            &hold.binding.0.as_slice(),
            &agent,
            &hold.caller.server.as_str(),
            &hold.state.as_str(),
            &nanoseconds(hold.created_at)?,
            &nanoseconds(hold.ends_at)?,
            &&*hold.arguments,
            &document,
        ],
    )?;
    Ok(())
}

/// Writes a hold that was there before. What it is bound to and its arguments never change. `over_at` is when it was
/// used up, for one that just was. One that was given back stands aside where another has its place.
pub(crate) fn rewrite(session: &Session<'_>, tenant: &str, hold: &Hold, over_at: Option<i64>) -> Result<(), Fault> {
    let document = document(&HoldDocument::of(hold))?;
    let written = session.change(
        "UPDATE holds SET state = $3, ends_at = $4, document = $5,
             over_at = CASE WHEN $6::bigint IS NOT NULL THEN $6
                            WHEN state = 'spent' AND $3 = 'spent' THEN over_at
                            ELSE $4 END,
             aside = aside OR EXISTS (
                 SELECT 1 FROM holds AS other
                 WHERE other.tenant = holds.tenant AND other.binding = holds.binding AND NOT other.aside
                   AND other.number <> holds.number AND other.state IN ('pending', 'approved', 'denied'))
         WHERE tenant = $1 AND token = $2",
        &[&tenant, &digits(&hold.token), &hold.state.as_str(), &nanoseconds(hold.ends_at)?, &document, &over_at],
    )?;
    if written == 1 { Ok(()) } else { Err(unknown(&hold.token)) }
}

/// Makes room for a new hold where a denial of the same call has run out: it stays as it is, and stands no more.
pub(crate) fn put_aside(session: &Session<'_>, tenant: &str, binding: &Binding, now: i64) -> Result<(), Fault> {
    session.change(
        "UPDATE holds SET aside = true
         WHERE tenant = $1 AND binding = $2 AND state IN ('pending', 'approved', 'denied') AND state = 'denied'
           AND NOT aside AND ends_at <= $3",
        &[&tenant, &binding.0.as_slice(), &now],
    )?;
    Ok(())
}

/// Writes a grant.
pub(crate) fn insert_grant(session: &Session<'_>, tenant: &str, grant: &Grant) -> Result<(), Fault> {
    let document = document(&GrantDocument::of(grant))?;
    session.change(
        "INSERT INTO grants (tenant, id, scope_tenant, agent, server, tool, hold, ends_at, document)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &tenant,
            &&*grant.id,
            &grant.scope.tenant.as_ref().map(|id| id.as_str()),
            &grant.scope.agent.as_ref().map(|id| id.as_str()),
            &grant.scope.server.as_str(),
            &&*grant.scope.tool,
            &digits(&grant.hold),
            &nanoseconds(grant.ends_at)?,
            &document,
        ],
    )?;
    Ok(())
}

/// The grants of one scope that have not ended, oldest first.
pub(crate) fn grants_of(
    session: &Session<'_>,
    tenant: &str,
    scope: &GrantScope,
    now: i64,
) -> Result<Vec<Grant>, Fault> {
    // A name that cannot be written was never granted anything.
    if scope.tool.contains('\0') {
        return Ok(Vec::new());
    }
    let sql = select_grants!(
        "AND server = $2 AND tool = $3 AND agent IS NOT DISTINCT FROM $4 AND scope_tenant IS NOT DISTINCT FROM $5
         AND ends_at > $6 ORDER BY number"
    );
    let values: &[Value<'_>] = &[
        &tenant,
        &scope.server.as_str(),
        &&*scope.tool,
        &scope.agent.as_ref().map(|id| id.as_str()),
        &scope.tenant.as_ref().map(|id| id.as_str()),
        &now,
    ];
    session.rows(sql, values)?.iter().map(read_grant).collect()
}

/// All grants that have not ended, newest first.
pub(crate) fn grants(session: &Session<'_>, tenant: &str, now: i64) -> Result<Vec<Grant>, Fault> {
    let sql = select_grants!("AND ends_at > $2 ORDER BY number DESC");
    session.rows(sql, &[&tenant, &now])?.iter().map(read_grant).collect()
}

/// Deletes a grant.
pub(crate) fn delete_grant(session: &Session<'_>, tenant: &str, id: &str) -> Result<(), Fault> {
    match session.change("DELETE FROM grants WHERE tenant = $1 AND id = $2", &[&tenant, &id])? {
        0 => Err(Fault::Holds(HoldsError::Unknown(format!("grant `{id}`")))),
        _ => Ok(()),
    }
}

/// No hold has this name.
fn unknown(token: &HoldToken) -> Fault {
    Fault::Holds(HoldsError::Unknown(format!("hold `{token}`")))
}

fn document(document: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(document).map_err(damaged)
}
