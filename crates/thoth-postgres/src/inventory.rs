//! The tools that agents said they have.

use std::collections::BTreeMap;

use jiff::Timestamp;
use thoth_store::server::ServerError;
use thoth_store::server::inventory::{
    InventoryRecords, ListedTool, MAX_TOOLS_OF_AGENT, MAX_TOOLS_OF_TENANT, Noted, Tool, forgotten_before,
};

use crate::database::Lane;
use crate::error::Fault;
use crate::records::PostgresRecords;
use crate::rows::{nanoseconds, time};
use crate::session::{Order, Session, damaged};

impl InventoryRecords for PostgresRecords {
    fn note_tools(
        &self,
        tenant: &str,
        agent: &str,
        source: &str,
        tools: &[ListedTool<'_>],
        now: Timestamp,
    ) -> Result<Noted, ServerError> {
        let noted = self.database().write(Lane::Events, |session| {
            session.in_order(Order::Tools, tenant)?;
            note(session, (tenant, agent, source), tools, now)
        });
        noted.map_err(Fault::of_server)
    }

    fn tools(&self, tenant: &str) -> Result<Vec<Tool>, ServerError> {
        self.database().read(Lane::Events, |session| all(session, tenant)).map_err(Fault::of_server)
    }
}

fn note(
    session: &Session<'_>,
    (tenant, agent, source): (&str, &str, &str),
    tools: &[ListedTool<'_>],
    now: Timestamp,
) -> Result<Noted, Fault> {
    let mut noted = Noted::default();
    let at = nanoseconds(now)?;
    let room = || -> Result<i64, Fault> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE agent = $2) FROM tools WHERE tenant = $1";
        let row = session.row(sql, &[&tenant, &agent])?;
        let (all, own): (i64, i64) =
            row.map_or(Ok((0, 0)), |row| Ok::<_, Fault>((row.try_get(0)?, row.try_get(1)?)))?;
        Ok((MAX_TOOLS_OF_TENANT - all).min(MAX_TOOLS_OF_AGENT - own))
    };
    let mut left = room()?;
    if left < i64::try_from(tools.len()).unwrap_or(i64::MAX) {
        let before = nanoseconds(forgotten_before(now)).unwrap_or(i64::MIN);
        session.change("DELETE FROM tools WHERE tenant = $1 AND last_seen < $2", &[&tenant, &before])?;
        left = room()?;
    }
    let names: Vec<&[u8]> = tools.iter().map(|tool| tool.name.as_bytes()).collect();
    let sql = "SELECT name, fingerprint FROM tools WHERE tenant = $1 AND agent = $2 AND name = ANY($3)";
    let known: BTreeMap<Vec<u8>, String> = session
        .rows(sql, &[&tenant, &agent, &names])?
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, Fault>>()?;
    let (mut same, mut added, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for tool in tools {
        match known.get(tool.name.as_bytes()) {
            None if left <= 0 => noted.refused += 1,
            None => {
                left -= 1;
                noted.new += 1;
                added.push(*tool);
            }
            Some(before) if before == tool.fingerprint => same.push(tool.name.as_bytes()),
            Some(_) => {
                noted.changed.push(tool.name.to_owned());
                changed.push(*tool);
            }
        }
    }
    let [names, fingerprints, definitions] = columns(&added);
    session.change(
        "INSERT INTO tools (tenant, agent, name, source, fingerprint, changes, first_seen, last_seen, definition)
         SELECT $1, $2, new.name, $3, convert_from(new.fingerprint, 'UTF8'), 0, $4, $4, new.definition
         FROM unnest($5::bytea[], $6::bytea[], $7::bytea[]) AS new (name, fingerprint, definition)",
        &[&tenant, &agent, &source, &at, &names, &fingerprints, &definitions],
    )?;
    session.change(
        "UPDATE tools SET last_seen = greatest(last_seen, $4), source = $5
         WHERE tenant = $1 AND agent = $2 AND name = ANY($3)",
        &[&tenant, &agent, &same, &at, &source],
    )?;
    let [names, fingerprints, definitions] = columns(&changed);
    session.change(
        "UPDATE tools SET last_seen = greatest(tools.last_seen, $4), source = $3, previous = tools.fingerprint,
             fingerprint = convert_from(new.fingerprint, 'UTF8'), changed_at = $4, changes = tools.changes + 1,
             definition = new.definition
         FROM unnest($5::bytea[], $6::bytea[], $7::bytea[]) AS new (name, fingerprint, definition)
         WHERE tools.tenant = $1 AND tools.agent = $2 AND tools.name = new.name",
        &[&tenant, &agent, &source, &at, &names, &fingerprints, &definitions],
    )?;
    Ok(noted)
}

/// Names, fingerprints and definitions.
fn columns<'t>(tools: &[ListedTool<'t>]) -> [Vec<&'t [u8]>; 3] {
    let column = |of: fn(&ListedTool<'t>) -> &'t str| tools.iter().map(|tool| of(tool).as_bytes()).collect();
    [column(|tool| tool.name), column(|tool| tool.fingerprint), column(|tool| tool.definition)]
}

fn all(session: &Session<'_>, tenant: &str) -> Result<Vec<Tool>, Fault> {
    let rows = session.rows(
        "SELECT agent, name, source, fingerprint, previous, changed_at, changes, first_seen, last_seen FROM tools
         WHERE tenant = $1 ORDER BY agent, name",
        &[&tenant],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Tool {
                agent: row.try_get(0)?,
                name: String::from_utf8(row.try_get(1)?).map_err(damaged)?,
                source: row.try_get(2)?,
                fingerprint: row.try_get(3)?,
                previous: row.try_get(4)?,
                changed_at: row.try_get::<_, Option<i64>>(5)?.map(time).transpose()?,
                changes: row.try_get(6)?,
                first_seen: time(row.try_get(7)?)?,
                last_seen: time(row.try_get(8)?)?,
            })
        })
        .collect()
}
