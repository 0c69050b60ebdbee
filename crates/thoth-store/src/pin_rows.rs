//! The statements over pins.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use thoth_gate::pin::Pin;
use thoth_gate::{PinKey, PinsError};
use thoth_types::{Digest, ItemKind, ServerName};

use crate::error::Fault;
use crate::pin_wire::PinDocument;
use crate::pins::{MAX_DEFINITION_BYTES, MAX_PIN_BYTES_OF_SERVER, MAX_PINS_OF_SERVER};
use crate::rows::{nanoseconds, time};

const COLUMNS: &str = "SELECT server, kind, name, first_seen, document, state FROM pins ";

fn read_pin(row: &Row<'_>) -> Result<Pin, Fault> {
    let name: String = row.get(2)?;
    let wrong = |what: String| Fault::Damaged(format!("the pin of `{}` has {what}", name.escape_debug()));
    let server: ServerName = row.get::<_, String>(0)?.parse().map_err(|error| wrong(format!("{error}")))?;
    let kind: ItemKind = row.get::<_, String>(1)?.parse().map_err(|error| wrong(format!("{error}")))?;
    let document: PinDocument = serde_json::from_str(&row.get::<_, String>(4)?)
        .map_err(|error| wrong(format!("an unreadable document: {error}")))?;
    let pin = document.pin(PinKey { server, kind, name: name.as_str().into() }, time(row.get(3)?)?);
    // What says less than the document would let pass what the other does not.
    if pin.state().as_str() != row.get::<_, String>(5)? {
        return Err(wrong("two states".to_owned()));
    }
    Ok(pin)
}

/// One pin.
pub(crate) fn pin(connection: &Connection, key: &PinKey) -> Result<Option<Pin>, Fault> {
    let sql = format!("{COLUMNS} WHERE server = :server AND kind = :kind AND name = :name");
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters = named_params! { ":server": key.server.as_str(), ":kind": key.kind.as_str(), ":name": &*key.name };
    statement.query_row(parameters, |row| Ok(read_pin(row))).optional()?.transpose()
}

/// The pins of one server, or all.
pub(crate) fn pins(connection: &Connection, server: Option<&ServerName>) -> Result<Vec<Pin>, Fault> {
    let sql = format!("{COLUMNS} WHERE :server IS NULL OR server = :server");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! { ":server": server.map(ServerName::as_str) })?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_pin(row)?);
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// The folder of the ledger that has a pin's latest records.
pub(crate) fn ledger_of(connection: &Connection, key: &PinKey) -> Result<Option<PathBuf>, Fault> {
    let sql = "SELECT ledger FROM pins WHERE server = :server AND kind = :kind AND name = :name";
    let mut statement = connection.prepare_cached(sql)?;
    let parameters = named_params! { ":server": key.server.as_str(), ":kind": key.kind.as_str(), ":name": &*key.name };
    let path: Option<Vec<u8>> = statement.query_row(parameters, |row| row.get(0)).optional()?;
    Ok(path.map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes))))
}

fn size(pin: &Pin) -> usize {
    let versions = pin.approved.iter().map(|(version, _)| version).chain(&pin.candidate);
    versions.map(|version| version.fingerprint.definition.len()).sum()
}

/// How much of each server is kept, as far as a transaction has asked.
#[derive(Debug, Default)]
pub(crate) struct Room(HashMap<ServerName, (i64, i64)>);

impl Room {
    /// Says no where a pin would be one too many, or too large.
    fn admit(&mut self, connection: &Connection, pin: &Pin, bytes: i64) -> Result<(), Fault> {
        let full = |what: String| Err(PinsError::Full(format!("{what}; `thoth pins` shows what is kept")).into());
        let server = &pin.key.server;
        let name = pin.key.name.escape_debug();
        let largest = i64::try_from(2 * MAX_DEFINITION_BYTES).unwrap_or(i64::MAX);
        if bytes > largest {
            return full(format!("the definitions of `{name}` take {bytes} bytes, which is too much"));
        }
        let (count, taken) = match self.0.get(server) {
            Some(known) => *known,
            None => connection
                .prepare_cached("SELECT count(*), coalesce(sum(definition_bytes), 0) FROM pins WHERE server = ?1")?
                .query_row([server.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?,
        };
        let own: Option<i64> = connection
            .prepare_cached("SELECT definition_bytes FROM pins WHERE server = ?1 AND kind = ?2 AND name = ?3")?
            .query_row((server.as_str(), pin.key.kind.as_str(), &*pin.key.name), |row| row.get(0))
            .optional()?;
        let count = count + i64::from(own.is_none());
        let taken = taken.saturating_sub(own.unwrap_or(0)).saturating_add(bytes);
        if count > i64::from(MAX_PINS_OF_SERVER) {
            return full(format!("{MAX_PINS_OF_SERVER} things of this server are pinned already, which is the most"));
        }
        if taken > MAX_PIN_BYTES_OF_SERVER {
            return full(format!("with `{name}`, the pins of this server would take {taken} bytes, which is too much"));
        }
        self.0.insert(server.clone(), (count, taken));
        Ok(())
    }
}

/// Writes a pin, new or not.
pub(crate) fn put(connection: &Connection, pin: &Pin, ledger: &Path, room: &mut Room) -> Result<(), Fault> {
    // Two definitions of one thing are kept at most.
    let bytes = i64::try_from(size(pin)).unwrap_or(i64::MAX);
    room.admit(connection, pin, bytes)?;
    let document = serde_json::to_string(&PinDocument::of(pin)).map_err(|error| Fault::Damaged(error.to_string()))?;
    connection
        .prepare_cached(
            "INSERT INTO pins (server, kind, name, ledger, state, first_seen, definition_bytes, document)
             VALUES (:server, :kind, :name, :ledger, :state, :first_seen, :bytes, :document)
             ON CONFLICT (server, kind, name) DO UPDATE
             SET ledger = :ledger, state = :state, definition_bytes = :bytes, document = :document",
        )?
        .execute(named_params! {
            ":server": pin.key.server.as_str(),
            ":kind": pin.key.kind.as_str(),
            ":name": &*pin.key.name,
            ":ledger": ledger.as_os_str().as_bytes(),
            ":state": pin.state().as_str(),
            ":first_seen": nanoseconds(pin.first_seen)?,
            ":bytes": bytes,
            ":document": document,
        })?;
    Ok(())
}

/// How many programs are remembered.
const MAX_BINARIES: i64 = 256;

/// The digest of a program, if its file is the one with this stamp.
pub(crate) fn binary(connection: &Connection, path: &str, stamp: &str) -> Result<Option<Digest>, Fault> {
    let mut statement = connection.prepare_cached("SELECT digest FROM binaries WHERE path = ?1 AND stamp = ?2")?;
    Ok(statement.query_row([path, stamp], |row| row.get(0)).optional()?.map(Digest))
}

/// Remembers it. Where there are too many, another one is computed anew.
pub(crate) fn remember_binary(connection: &Connection, path: &str, stamp: &str, digest: Digest) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM binaries WHERE path <> ?1 AND path IN (
                 SELECT path FROM binaries ORDER BY path LIMIT max(0, (SELECT count(*) FROM binaries WHERE path <> ?1) - ?2 + 1))",
        )?
        .execute((path, MAX_BINARIES))?;
    connection
        .prepare_cached(
            "INSERT INTO binaries (path, stamp, digest) VALUES (?1, ?2, ?3)
             ON CONFLICT (path) DO UPDATE SET stamp = ?2, digest = ?3",
        )?
        .execute((path, stamp, digest.0))?;
    Ok(())
}
