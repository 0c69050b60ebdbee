//! What was allowed in the sessions of one tenant. A turn is a transaction that has the session's lock: between its statements
//! the gate decides, and writes evidence over other connections.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use thoth_store::server::{PastCall, ServerError, SessionPasts, SessionTurn};

use crate::database::{Database, Lane, Turn};
use crate::error::Fault;
use crate::rows::{nanoseconds, time};
use crate::session::{Order, Session, damaged};

/// How many calls of a session are kept: as many as the gate remembers.
const MOST: i64 = 16 << 10;
/// How long a call is kept, in nanoseconds. No window of a policy is longer than 31 days.
const KEEP: i64 = 32 * 24 * 3_600 * 1_000_000_000;
/// How many rows one turn clears away at most; more than it makes.
const BATCH: i64 = 64;

/// The pasts of the sessions of one tenant.
pub struct PostgresPasts {
    database: Arc<Database>,
    tenant: String,
}

impl fmt::Debug for PostgresPasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresPasts").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PostgresPasts {
    /// Those of `tenant`.
    #[must_use]
    pub fn new(database: Arc<Database>, tenant: &str) -> Self {
        Self { database, tenant: tenant.to_owned() }
    }
}

impl SessionPasts for PostgresPasts {
    fn begin(&self, session: &[u8; 32], place: i64) -> Result<Box<dyn SessionTurn + '_>, ServerError> {
        let begun = self.database.begin(Lane::Sessions).and_then(|turn| {
            let missed = missed(&turn.session(), &self.tenant, session, place)?;
            let place = missed.last().map_or(place, |(number, _)| *number);
            let missed = missed.into_iter().map(|(_, call)| call).collect();
            Ok(PostgresTurn { turn, tenant: &self.tenant, session: *session, place, missed })
        });
        begun.map(|turn| Box::new(turn) as Box<dyn SessionTurn>).map_err(Fault::of_server)
    }
}

fn missed(
    connection: &Session<'_>,
    tenant: &str,
    session: &[u8; 32],
    place: i64,
) -> Result<Vec<(i64, PastCall)>, Fault> {
    let digits: String = session.iter().map(|byte| format!("{byte:02x}")).collect();
    connection.in_order(Order::Session, &format!("{tenant}\0{digits}"))?;
    let rows = connection.rows(
        "SELECT number, tool, at, went_out FROM session_calls WHERE tenant = $1 AND session = $2 AND number > $3
         ORDER BY number",
        &[&tenant, &session.as_slice(), &place],
    )?;
    rows.iter()
        .map(|row| {
            let tool = String::from_utf8(row.try_get(1)?).map_err(damaged)?;
            let call = PastCall { tool, at: time(row.try_get(2)?)?, went_out: row.try_get(3)? };
            Ok((row.try_get(0)?, call))
        })
        .collect()
}

struct PostgresTurn<'p> {
    turn: Turn<'p>,
    tenant: &'p str,
    session: [u8; 32],
    place: i64,
    missed: Vec<PastCall>,
}

impl PostgresTurn<'_> {
    fn keep(&self, allowed: &[PastCall]) -> Result<i64, Fault> {
        let connection = self.turn.session();
        let session = self.session.as_slice();
        let mut number = self.place;
        for call in allowed {
            number += 1;
            connection.change(
                "INSERT INTO session_calls (tenant, session, number, tool, at, went_out) VALUES ($1, $2, $3, $4, $5, $6)",
                &[&self.tenant, &session, &number, &call.tool.as_bytes(), &nanoseconds(call.at)?, &call.went_out],
            )?;
        }
        if !allowed.is_empty() && number % (BATCH / 2) == 0 {
            self.clean(&connection, number, allowed.iter().map(|call| call.at).max())?;
        }
        Ok(number)
    }

    /// Whoever has the past of a session taken in before keeps it in mind.
    fn clean(&self, connection: &Session<'_>, number: i64, now: Option<Timestamp>) -> Result<(), Fault> {
        connection.change(
            "DELETE FROM session_calls WHERE tenant = $1 AND session = $2 AND number <= $3",
            &[&self.tenant, &self.session.as_slice(), &(number - MOST)],
        )?;
        let Some(now) = now else { return Ok(()) };
        connection.change(
            "DELETE FROM session_calls WHERE tenant = $1 AND (session, number) IN (
                 SELECT session, number FROM session_calls WHERE tenant = $1 AND at < $2 ORDER BY at LIMIT $3)",
            &[&self.tenant, &(nanoseconds(now)? - KEEP), &BATCH],
        )?;
        Ok(())
    }
}

impl SessionTurn for PostgresTurn<'_> {
    fn take_missed(&mut self) -> Vec<PastCall> {
        std::mem::take(&mut self.missed)
    }

    fn place(&self) -> i64 {
        self.place
    }

    fn end(self: Box<Self>, allowed: &[PastCall]) -> Result<i64, ServerError> {
        let kept = self.keep(allowed);
        let ended = kept.and_then(|number| Ok(self.turn.commit().map(|()| number)?));
        ended.map_err(Fault::of_server)
    }
}
