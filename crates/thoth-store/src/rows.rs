//! The statements over holds and grants.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};
use thoth_gate::Listed;
use thoth_gate::hold::{Hold, HoldState};
use thoth_types::{Binding, Grant, GrantScope, HoldToken};

use crate::error::{Fault, StoreError};
use crate::wire::{Columns, GrantDocument, HoldDocument};

/// The columns that a hold is read from, in the order in which [`read_hold`] takes them.
macro_rules! select_holds {
    ($rest:literal) => {
        concat!("SELECT token, binding, arguments, created_at, ends_at, state, document FROM holds ", $rest)
    };
}

/// The columns that a grant is read from.
macro_rules! select_grants {
    ($rest:literal) => {
        concat!("SELECT id, tenant, agent, server, tool, hold, ends_at, document FROM grants ", $rest)
    };
}

/// A time as it is written.
pub(crate) fn nanoseconds(time: Timestamp) -> Result<i64, StoreError> {
    i64::try_from(time.as_nanosecond()).map_err(|_| StoreError::Time(time))
}

/// The time that was written so.
pub(crate) fn time(nanoseconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(|error| Fault::Damaged(error.to_string()))
}

/// The hex digits of a token.
fn digits(token: &HoldToken) -> &str {
    token.as_str().strip_prefix("hold_").unwrap_or(token.as_str())
}

fn token(digits: &str) -> Result<HoldToken, Fault> {
    HoldToken::parse(&format!("hold_{digits}"))
        .ok_or_else(|| Fault::Damaged(format!("`{}` is no name of a hold", digits.escape_debug())))
}

fn read_hold(row: &Row<'_>) -> Result<Hold, Fault> {
    let token = token(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
    let wrong = |what: String| Fault::Damaged(format!("hold `{token}` has {what}"));
    let state: String = row.get(5)?;
    let state =
        HoldState::parse(&state).ok_or_else(|| wrong(format!("the unknown state `{}`", state.escape_debug())))?;
    let document = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
    let document: HoldDocument =
        serde_json::from_str(document).map_err(|error| wrong(format!("an unreadable document: {error}")))?;
    let columns = Columns {
        binding: Binding(row.get(1)?),
        arguments: row.get(2)?,
        created_at: time(row.get(3)?)?,
        ends_at: time(row.get(4)?)?,
        state,
        token,
    };
    Ok(document.hold(columns))
}

fn read_grant(row: &Row<'_>) -> Result<Grant, Fault> {
    let id: String = row.get(0)?;
    let wrong = |what: String| Fault::Damaged(format!("grant `{}` has {what}", id.escape_debug()));
    let unknown = |error: thoth_types::IdError| wrong(error.to_string());
    let (requester, patterns, given) = serde_json::from_str::<GrantDocument>(&row.get::<_, String>(7)?)
        .map_err(|error| wrong(format!("an unreadable document: {error}")))?
        .parts();
    let tenant: Option<String> = row.get(1)?;
    let agent: Option<String> = row.get(2)?;
    let scope = GrantScope {
        tenant: tenant.map(|text| text.parse()).transpose().map_err(unknown)?,
        agent: agent.map(|text| text.parse()).transpose().map_err(unknown)?,
        server: row.get::<_, String>(3)?.parse().map_err(unknown)?,
        tool: row.get::<_, String>(4)?.into(),
    };
    let hold = token(row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?)?;
    let ends_at = time(row.get(6)?)?;
    Ok(Grant { scope, requester, patterns, given, hold, ends_at, id: id.into() })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[(&str, &dyn ToSql)],
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The holds of one binding that a call could meet. More than one only where one was given back.
pub(crate) fn open_holds(connection: &Connection, binding: &Binding, now: i64) -> Result<Vec<Hold>, Fault> {
    let sql = select_holds!(
        "WHERE binding = :binding AND state IN ('pending', 'approved', 'denied') AND (aside = 0 OR ends_at > :now)
         ORDER BY number"
    );
    all(connection, sql, named_params! { ":binding": binding.0, ":now": now }, read_hold)
}

/// One hold.
pub(crate) fn hold(connection: &Connection, token: &HoldToken) -> Result<Hold, Fault> {
    let found =
        all(connection, select_holds!("WHERE token = :token"), named_params! { ":token": digits(token) }, read_hold)?;
    found.into_iter().next().ok_or_else(|| unknown(token))
}

/// All holds, newest first.
pub(crate) fn holds(connection: &Connection) -> Result<Vec<Hold>, Fault> {
    all(connection, select_holds!("ORDER BY number DESC"), &[], read_hold)
}

/// The same without arguments that are longer than this.
pub(crate) fn short_holds(connection: &Connection, longest: i64) -> Result<Vec<Listed>, Fault> {
    let sql = "SELECT token, binding, CASE WHEN argument_bytes <= :longest THEN arguments ELSE x'' END, created_at,
                      ends_at, state, document, argument_bytes FROM holds ORDER BY number DESC";
    all(connection, sql, named_params! { ":longest": longest }, |row| {
        Ok(Listed { hold: read_hold(row)?, argument_bytes: usize::try_from(row.get::<_, i64>(7)?).unwrap_or_default() })
    })
}

/// The holds whose digits begin like this, newest first.
pub(crate) fn holds_like(connection: &Connection, prefix: &str) -> Result<Vec<Hold>, Fault> {
    // No digit sorts after `f`.
    let beyond = format!("{prefix}g");
    let sql = select_holds!("WHERE token >= :prefix AND token < :beyond ORDER BY number DESC");
    all(connection, sql, named_params! { ":prefix": prefix, ":beyond": beyond }, read_hold)
}

/// How many holds wait for a person.
pub(crate) fn waiting(connection: &Connection, now: i64) -> Result<u64, Fault> {
    // As `Hold::state_at` has it; `state` is looked at as the index on those that are open wants it.
    let sql = "SELECT count(*) FROM holds WHERE state IN ('pending', 'approved', 'denied') AND state = 'pending'
               AND ends_at > :now AND created_at - :now <= ends_at - created_at";
    let count: i64 = connection.prepare_cached(sql)?.query_row(named_params! { ":now": now }, |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The holds of one ledger that ended before anybody noted it.
pub(crate) fn lapsed(connection: &Connection, ledger: &Path, now: i64) -> Result<Vec<HoldToken>, Fault> {
    // As `Hold::state_at` has it: also where the clock was put back by more than the time to live.
    let sql = "SELECT token FROM holds WHERE state IN ('pending', 'approved', 'denied') AND state <> 'denied'
               AND (ends_at <= :now OR created_at - :now > ends_at - created_at) AND ledger = :ledger ORDER BY number";
    let parameters = named_params! { ":now": now, ":ledger": ledger.as_os_str().as_bytes() };
    all(connection, sql, parameters, |row| token(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?))
}

/// The folder of the ledger that has a hold's records.
pub(crate) fn ledger_of(connection: &Connection, token: &HoldToken) -> Result<PathBuf, Fault> {
    let mut statement = connection.prepare_cached("SELECT ledger FROM holds WHERE token = ?1")?;
    let path: Option<Vec<u8>> = statement.query_row([digits(token)], |row| row.get(0)).optional()?;
    path.map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes))).ok_or_else(|| unknown(token))
}

/// Writes a new hold.
pub(crate) fn insert(connection: &Connection, hold: &Hold, ledger: &Path) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO holds (token, binding, agent, server, ledger, state, created_at, ends_at, over_at, aside,
                            arguments, argument_bytes, document)
         VALUES (:token, :binding, :agent, :server, :ledger, :state, :created_at, :ends_at, :ends_at, 0,
                 :arguments, length(:arguments), :document)",
    )?;
    statement.execute(named_params! {
        ":token": digits(&hold.token),
        ":binding": hold.binding.0,
        ":agent": hold.caller.agent.as_ref().map(|agent| agent.as_str()),
        ":server": hold.caller.server.as_str(),
        ":ledger": ledger.as_os_str().as_bytes(),
        ":state": hold.state.as_str(),
        ":created_at": nanoseconds(hold.created_at)?,
        ":ends_at": nanoseconds(hold.ends_at)?,
        ":arguments": &*hold.arguments,
        ":document": document(&HoldDocument::of(hold))?,
    })?;
    Ok(())
}

/// Writes a hold that was there before. What it is bound to and its arguments never change. `over_at` is when it was
/// used up, for one that just was. One that was given back stands aside where another has its place.
pub(crate) fn rewrite(connection: &Connection, hold: &Hold, over_at: Option<i64>) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "UPDATE holds SET state = :state, ends_at = :ends_at, document = :document,
             over_at = CASE WHEN :over_at IS NOT NULL THEN :over_at
                            WHEN state = 'spent' AND :state = 'spent' THEN over_at
                            ELSE :ends_at END,
             aside = max(aside, EXISTS (
                 SELECT 1 FROM holds AS other
                 WHERE other.binding = holds.binding AND other.aside = 0 AND other.number <> holds.number
                   AND other.state IN ('pending', 'approved', 'denied')))
         WHERE token = :token",
    )?;
    let written = statement.execute(named_params! {
        ":token": digits(&hold.token),
        ":state": hold.state.as_str(),
        ":ends_at": nanoseconds(hold.ends_at)?,
        ":over_at": over_at,
        ":document": document(&HoldDocument::of(hold))?,
    })?;
    if written == 1 { Ok(()) } else { Err(unknown(&hold.token)) }
}

/// Makes room for a new hold where a denial of the same call has run out: it stays as it is, and stands no more.
pub(crate) fn put_aside(connection: &Connection, binding: &Binding, now: i64) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "UPDATE holds SET aside = 1
         WHERE binding = :binding AND state IN ('pending', 'approved', 'denied') AND state = 'denied' AND aside = 0
           AND ends_at <= :now",
    )?;
    statement.execute(named_params! { ":binding": binding.0, ":now": now })?;
    Ok(())
}

/// Writes a grant.
pub(crate) fn insert_grant(connection: &Connection, grant: &Grant) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO grants (id, tenant, agent, server, tool, hold, ends_at, document)
         VALUES (:id, :tenant, :agent, :server, :tool, :hold, :ends_at, :document)",
    )?;
    statement.execute(named_params! {
        ":id": &*grant.id,
        ":tenant": grant.scope.tenant.as_ref().map(|id| id.as_str()),
        ":agent": grant.scope.agent.as_ref().map(|id| id.as_str()),
        ":server": grant.scope.server.as_str(),
        ":tool": &*grant.scope.tool,
        ":hold": digits(&grant.hold),
        ":ends_at": nanoseconds(grant.ends_at)?,
        ":document": document(&GrantDocument::of(grant))?,
    })?;
    Ok(())
}

/// The grants of one scope that have not ended, oldest first.
pub(crate) fn grants_of(connection: &Connection, scope: &GrantScope, now: i64) -> Result<Vec<Grant>, Fault> {
    let sql = select_grants!(
        "WHERE server = :server AND tool = :tool AND agent IS :agent AND tenant IS :tenant AND ends_at > :now
         ORDER BY number"
    );
    let parameters = named_params! {
        ":server": scope.server.as_str(),
        ":tool": &*scope.tool,
        ":agent": scope.agent.as_ref().map(|id| id.as_str()),
        ":tenant": scope.tenant.as_ref().map(|id| id.as_str()),
        ":now": now,
    };
    all(connection, sql, parameters, read_grant)
}

/// All grants that have not ended, newest first.
pub(crate) fn grants(connection: &Connection, now: i64) -> Result<Vec<Grant>, Fault> {
    all(
        connection,
        select_grants!("WHERE ends_at > :now ORDER BY number DESC"),
        named_params! { ":now": now },
        read_grant,
    )
}

/// Deletes a grant.
pub(crate) fn delete_grant(connection: &Connection, id: &str) -> Result<(), Fault> {
    match connection.prepare_cached("DELETE FROM grants WHERE id = ?1")?.execute([id])? {
        0 => Err(thoth_gate::HoldsError::Unknown(format!("grant `{id}`")).into()),
        _ => Ok(()),
    }
}

/// No hold has this name.
pub(crate) fn unknown(token: &HoldToken) -> Fault {
    thoth_gate::HoldsError::Unknown(format!("hold `{token}`")).into()
}

fn document(document: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(document).map_err(|error| Fault::Damaged(error.to_string()))
}
