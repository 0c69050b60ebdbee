//! The tools that agents said they have, by their fingerprints: what is new, and what is another one than before.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{ServerError, ServerStore, read, write};
use crate::error::Fault;
use crate::rows::{nanoseconds, time};

/// How many tools one tenant may have.
pub const MAX_TOOLS_OF_TENANT: i64 = 20_000;
/// How many of them one agent may have: what it lists allows nothing, and must not keep others from being listed.
pub const MAX_TOOLS_OF_AGENT: i64 = 1_000;
/// A tool that nobody listed for so many days gives way to a new one where there is no room.
pub const TOOL_DAYS: i64 = 30;

/// A tool as an agent lists it.
#[derive(Debug, Clone, Copy)]
pub struct ListedTool<'t> {
    /// Its name.
    pub name: &'t str,
    /// The digest of its definition.
    pub fingerprint: &'t str,
    /// Its definition, as JSON.
    pub definition: &'t str,
}

/// A tool, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The agent that has it.
    pub agent: String,
    /// Its name.
    pub name: String,
    /// Who told of it.
    pub source: String,
    /// The digest of its definition.
    pub fingerprint: String,
    /// That of the one before.
    pub previous: Option<String>,
    /// When it became another one last.
    pub changed_at: Option<Timestamp>,
    /// How often it did.
    pub changes: i64,
    /// When it was listed first.
    pub first_seen: Timestamp,
    /// When it was listed last.
    pub last_seen: Timestamp,
}

/// What became of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// How many tools are new.
    pub new: u64,
    /// Those that are others than before.
    pub changed: Vec<String>,
    /// How many found no room.
    pub refused: u64,
}

/// Where the tools of agents are kept.
pub trait InventoryRecords: Send + Sync {
    /// Notes that an agent has these tools now. Others that it has stay.
    ///
    /// # Errors
    /// If they cannot be written.
    fn note_tools(
        &self,
        tenant: &str,
        agent: &str,
        source: &str,
        tools: &[ListedTool<'_>],
        now: Timestamp,
    ) -> Result<Noted, ServerError>;

    /// All tools, by agent and name.
    ///
    /// # Errors
    /// If they cannot be read.
    fn tools(&self, tenant: &str) -> Result<Vec<Tool>, ServerError>;
}

impl InventoryRecords for ServerStore {
    fn note_tools(
        &self,
        tenant: &str,
        agent: &str,
        source: &str,
        tools: &[ListedTool<'_>],
        now: Timestamp,
    ) -> Result<Noted, ServerError> {
        write(&self.events, |file| note(file, (tenant, agent, source), tools, now))
    }

    fn tools(&self, tenant: &str) -> Result<Vec<Tool>, ServerError> {
        Ok(read(&self.events, |file| all(file, tenant))?.unwrap_or_default())
    }
}

/// Until when a tool must have been listed to be kept where there is no room.
#[must_use]
pub fn forgotten_before(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(24 * TOOL_DAYS)).unwrap_or(Timestamp::MIN)
}

fn note(
    connection: &Connection,
    (tenant, agent, source): (&str, &str, &str),
    tools: &[ListedTool<'_>],
    now: Timestamp,
) -> Result<Noted, Fault> {
    let mut noted = Noted::default();
    let at = nanoseconds(now)?;
    let room = || -> Result<i64, Fault> {
        let mut statement = connection
            .prepare_cached("SELECT count(*), count(*) FILTER (WHERE agent = ?2) FROM tools WHERE tenant = ?1")?;
        let (all, own): (i64, i64) = statement.query_row([tenant, agent], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((MAX_TOOLS_OF_TENANT - all).min(MAX_TOOLS_OF_AGENT - own))
    };
    let mut left = room()?;
    if left < i64::try_from(tools.len()).unwrap_or(i64::MAX) {
        connection
            .prepare_cached("DELETE FROM tools WHERE tenant = ?1 AND last_seen < ?2")?
            .execute(params![tenant, nanoseconds(forgotten_before(now)).unwrap_or(i64::MIN)])?;
        left = room()?;
    }
    let mut known =
        connection.prepare_cached("SELECT fingerprint FROM tools WHERE tenant = ?1 AND agent = ?2 AND name = ?3")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO tools (tenant, agent, name, source, fingerprint, changes, first_seen, last_seen, definition)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6, ?7)",
    )?;
    let mut same = connection.prepare_cached(
        "UPDATE tools SET last_seen = max(last_seen, ?4), source = ?5 WHERE tenant = ?1 AND agent = ?2 AND name = ?3",
    )?;
    let mut changed = connection.prepare_cached(
        "UPDATE tools SET last_seen = max(last_seen, ?4), source = ?5, previous = fingerprint, fingerprint = ?6,
             changed_at = ?4, changes = changes + 1, definition = ?7 WHERE tenant = ?1 AND agent = ?2 AND name = ?3",
    )?;
    for ListedTool { name, fingerprint, definition } in tools {
        let before: Option<String> = known.query_row([tenant, agent, name], |row| row.get(0)).optional()?;
        match before {
            None if left <= 0 => noted.refused += 1,
            None => {
                insert.execute(params![tenant, agent, name, source, fingerprint, at, definition])?;
                left -= 1;
                noted.new += 1;
            }
            Some(before) if before == *fingerprint => drop(same.execute(params![tenant, agent, name, at, source])?),
            Some(_) => {
                changed.execute(params![tenant, agent, name, at, source, fingerprint, definition])?;
                noted.changed.push((*name).to_owned());
            }
        }
    }
    Ok(noted)
}

fn all(connection: &Connection, tenant: &str) -> Result<Vec<Tool>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT agent, name, source, fingerprint, previous, changed_at, changes, first_seen, last_seen FROM tools
         WHERE tenant = ?1 ORDER BY agent, name",
    )?;
    let tools = statement.query_and_then([tenant], |row| {
        Ok(Tool {
            agent: row.get(0)?,
            name: row.get(1)?,
            source: row.get(2)?,
            fingerprint: row.get(3)?,
            previous: row.get(4)?,
            changed_at: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
            changes: row.get(6)?,
            first_seen: time(row.get(7)?)?,
            last_seen: time(row.get(8)?)?,
        })
    })?;
    tools.collect()
}
