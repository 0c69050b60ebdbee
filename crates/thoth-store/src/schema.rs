//! The tables of each kind of file, and how a file of an older version comes to have them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Fault, StoreError};

/// One kind of file.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Marks files of this kind.
    pub(crate) application_id: i64,
    /// What leads from each format to the next; the first begins an empty file. Never changed once released.
    pub(crate) migrations: &'static [&'static str],
}

/// The file of holds, grants and pins: `Thot`.
pub(crate) const HOLDS: Schema = Schema { application_id: 0x5468_6f74, migrations: MIGRATIONS };

/// Those of the file of holds.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE holds (
    -- In the order in which they were made.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The digits of its token.
    token TEXT NOT NULL UNIQUE CHECK (length(token) = 32),
    binding BLOB NOT NULL CHECK (length(binding) = 32),
    agent TEXT,
    server TEXT NOT NULL,
    -- The folder of the ledger that has its records: the bytes of the path.
    ledger BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'spent')),
    -- Times are nanoseconds since 1970.
    created_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    -- When nothing more can come of it: when it was used up, or else when it ends.
    over_at INTEGER NOT NULL,
    -- Another hold of the same binding has its place: this one was given back after the other was made, or has ended.
    aside INTEGER NOT NULL CHECK (aside IN (0, 1)),
    -- Empty when they were deleted; a call without arguments has `{}`.
    arguments BLOB NOT NULL,
    argument_bytes INTEGER NOT NULL CHECK (argument_bytes = length(arguments)),
    document TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX holds_standing ON holds (binding)
    WHERE state IN ('pending', 'approved', 'denied') AND aside = 0;
CREATE INDEX holds_of_call ON holds (binding) WHERE state IN ('pending', 'approved', 'denied');
CREATE INDEX holds_open ON holds (ends_at, state, server, agent, argument_bytes)
    WHERE state IN ('pending', 'approved', 'denied');
CREATE INDEX holds_over ON holds (over_at, argument_bytes);
CREATE INDEX holds_contents ON holds (over_at) WHERE argument_bytes > 0;

CREATE TABLE grants (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT,
    agent TEXT,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    -- The digits of the token of the hold that it came from.
    hold TEXT NOT NULL CHECK (length(hold) = 32),
    ends_at INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX grants_of_scope ON grants (server, tool, agent, tenant);
CREATE INDEX grants_ends ON grants (ends_at);

CREATE TABLE violations (
    number INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    at INTEGER NOT NULL,
    times INTEGER NOT NULL CHECK (times > 0)
) STRICT;
CREATE INDEX violations_of_agent ON violations (agent, at, times);
CREATE INDEX violations_at ON violations (at);
",
    "
CREATE TABLE pins (
    number INTEGER PRIMARY KEY,
    server TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The folder of the ledger that has its latest records: the bytes of the path.
    ledger BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('approved', 'pending', 'quarantined', 'revoked')),
    -- Nanoseconds since 1970.
    first_seen INTEGER NOT NULL,
    -- How much its definitions take.
    definition_bytes INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (server, kind, name)
) STRICT;
CREATE INDEX pins_room ON pins (server, definition_bytes);

-- The digests of programs, as long as their files are the same.
CREATE TABLE binaries (
    path TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;
",
];

impl Schema {
    /// The format of files that this version writes.
    fn newest(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }
}

/// Looks whether the file is ours and not too new, before anything is written to it.
pub(crate) fn refuse_strangers(connection: &Connection, schema: &Schema, path: &Path) -> Result<(), Fault> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && format == 0 && tables == 0;
    if !is_new && (application != schema.application_id || format <= 0) {
        return Err(StoreError::Foreign { path: path.to_owned() }.into());
    }
    if format > schema.newest() {
        return Err(StoreError::Newer { path: path.to_owned(), found: format, known: schema.newest() }.into());
    }
    Ok(())
}

/// Runs the migrations that the file has not seen, all or none.
pub(crate) fn bring_up_to_date(connection: &mut Connection, schema: &Schema, path: &Path) -> Result<(), Fault> {
    let format = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    if format(connection)? == schema.newest() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been quicker.
    refuse_strangers(&transaction, schema, path)?;
    let seen = usize::try_from(format(&transaction)?).unwrap_or(usize::MAX);
    for migration in schema.migrations.iter().skip(seen) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", schema.application_id)?;
    transaction.pragma_update(None, "user_version", schema.newest())?;
    Ok(transaction.commit()?)
}
