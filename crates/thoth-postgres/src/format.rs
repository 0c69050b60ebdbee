//! The tables, and how a database of an older version comes to have them.

use sha2::{Digest as _, Sha256};

use crate::error::{Fault, PostgresError};
use crate::session::Session;

/// What leads from each format to the next; the first begins an empty database. Never changed once released.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
];

/// Where it stands which of them were run.
const DONE: &str = "CREATE TABLE thoth.migrations (
    number INTEGER PRIMARY KEY,
    -- The SHA-256 of its text.
    digest BYTEA NOT NULL,
    done_at TIMESTAMPTZ NOT NULL DEFAULT now()
)";

/// The lock under which a database is brought up to date: `Thot`, as a number.
const LOCK: i64 = 0x5468_6f74;

/// What format a database had, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// 0 where there was nothing of ours.
    pub before: i32,
    /// The newest that is known here.
    pub now: i32,
}

fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

fn digest(migration: &str) -> Vec<u8> {
    Sha256::digest(migration).to_vec()
}

/// The format that a database has; one whose migrations were others than ours is none of ours.
fn found(session: &Session<'_>) -> Result<i32, Fault> {
    let table = session.row("SELECT to_regclass('thoth.migrations') IS NOT NULL", &[])?;
    if !table.is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return Ok(0);
    }
    let mut format = 0;
    for (number, row) in (1..).zip(session.rows("SELECT number, digest FROM thoth.migrations ORDER BY number", &[])?) {
        format = row.try_get(0)?;
        let known = usize::try_from(number - 1).ok().and_then(|at| MIGRATIONS.get(at)).map(|text| digest(text));
        let is_ours = known.is_none_or(|known| row.try_get::<_, Vec<u8>>(1).is_ok_and(|found| found == known));
        if format != number || !is_ours {
            let what = format!("its tables were made by something else (migration {format})");
            return Err(PostgresError::Damaged(what).into());
        }
    }
    if format > newest() {
        return Err(PostgresError::Newer { found: format, known: newest() }.into());
    }
    Ok(format)
}

/// Whether the format is ours.
pub(crate) fn check(session: &Session<'_>) -> Result<(), Fault> {
    let found = found(session)?;
    if found == newest() {
        return Ok(());
    }
    Err(PostgresError::Older { found, known: newest(), reason: "nobody has tried yet".to_owned() }.into())
}

/// Runs the migrations that the database has not seen, all or none, within the transaction of `session`.
pub(crate) fn bring_up_to_date(session: &Session<'_>) -> Result<Format, Fault> {
    session.script("SET LOCAL lock_timeout = '280s'; SET LOCAL statement_timeout = '280s'")?;
    session.rows("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    // Another server may have been quicker.
    let before = found(session)?;
    let format = Format { before, now: newest() };
    if before == newest() {
        return Ok(format);
    }
    migrate(session, before).map_err(|error| {
        if error.is_forbidden() {
            PostgresError::Older { found: before, known: newest(), reason: error.to_string() }
        } else {
            error
        }
    })?;
    Ok(format)
}

fn migrate(session: &Session<'_>, before: i32) -> Result<(), PostgresError> {
    if before == 0 {
        // `IF NOT EXISTS` asks for the right to create one also where there is one.
        let schema = session.row("SELECT to_regnamespace('thoth') IS NOT NULL", &[])?;
        if !schema.is_some_and(|row| row.try_get(0).unwrap_or(false)) {
            session.script("CREATE SCHEMA thoth")?;
        }
        session.script(DONE)?;
    }
    for (number, migration) in (1_i32..).zip(MIGRATIONS).filter(|(number, _)| *number > before) {
        session.script(migration)?;
        session
            .change("INSERT INTO thoth.migrations (number, digest) VALUES ($1, $2)", &[&number, &digest(migration)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
