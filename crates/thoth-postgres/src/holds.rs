//! The store of holds and grants of one tenant.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use thoth_gate::hold::{Consulted, Hold, HoldState, Question, consult_all};
use thoth_gate::{Change, Holds, HoldsError, Listed};
use thoth_types::{Grant, HoldToken};
use tokio::sync::Semaphore;

use crate::database::{Database, Lane};
use crate::error::Fault;
use crate::hold_rows as rows;
use crate::room;
use crate::rows::nanoseconds;
use crate::session::{Order, Session};

/// The holds of one tenant, which any number of servers change at once.
///
/// INVARIANT: whatever changes anything takes the tenant's lock first and has it until its transaction is over, so what it
/// reads no other server changes before it is written.
pub struct PostgresHolds {
    database: Arc<Database>,
    tenant: String,
    /// One here at a time: whoever waits for the tenant's lock would keep a connection from everybody else.
    turn: Semaphore,
    /// What was current when last asked.
    seen: Mutex<Option<i64>>,
}

impl fmt::Debug for PostgresHolds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresHolds").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PostgresHolds {
    /// Those of `tenant`.
    #[must_use]
    pub fn new(database: Arc<Database>, tenant: &str) -> Self {
        Self { database, tenant: tenant.to_owned(), turn: Semaphore::new(1), seen: Mutex::default() }
    }

    fn read<T>(&self, work: impl FnOnce(&Session<'_>, &str) -> Result<T, Fault>) -> Result<T, HoldsError> {
        self.database.read(Lane::Calls, |session| work(session, &self.tenant)).map_err(Fault::of_holds)
    }

    fn write<T>(&self, work: impl FnOnce(&Session<'_>, &str) -> Result<T, Fault>) -> Result<T, HoldsError> {
        let in_order = |session: &Session<'_>| {
            session.in_order(Order::Holds, &self.tenant)?;
            work(session, &self.tenant)
        };
        let turn = self.database.turn(&self.turn).map_err(|error| Fault::from(error).of_holds())?;
        let written = self.database.write(Lane::Calls, in_order).map_err(Fault::of_holds);
        drop(turn);
        written
    }
}

fn consult(session: &Session<'_>, tenant: &str, question: &Question<'_>, now: Timestamp) -> Result<Consulted, Fault> {
    let at = nanoseconds(now)?;
    let open = rows::open_holds(session, tenant, question.binding, at)?;
    let grants = rows::grants_of(session, tenant, question.scope, at)?;
    let step = consult_all(question, &open, &grants, now);
    let Some(consulted) = step.consulted else {
        return Err(Fault::Holds(HoldsError::Full("no name for a new hold".to_owned())));
    };
    if let Some(hold) = &step.changed {
        rows::rewrite(session, tenant, hold, (hold.state == HoldState::Spent).then_some(at))?;
    }
    if let Some(hold) = &step.created {
        room::admit(session, tenant, hold, at)?;
        rows::put_aside(session, tenant, question.binding, at)?;
        rows::insert(session, tenant, hold)?;
    }
    if step.changed.is_some() || step.created.is_some() {
        let made = room::note_change(session, tenant, i64::from(step.created.is_some()))?;
        if step.created.is_some() {
            room::clean(session, tenant, made, at)?;
        }
    }
    Ok(consulted)
}

impl Holds for PostgresHolds {
    fn consult(&self, question: &Question<'_>, now: Timestamp) -> Result<Consulted, HoldsError> {
        self.write(|session, tenant| consult(session, tenant, question, now))
    }

    fn update(&self, token: &HoldToken, change: &mut Change<'_>) -> Result<Hold, HoldsError> {
        self.write(|session, tenant| {
            let mut hold = rows::hold(session, tenant, token)?;
            change(&mut hold).map_err(Fault::Holds)?;
            rows::rewrite(session, tenant, &hold, None)?;
            room::note_change(session, tenant, 0)?;
            Ok(hold)
        })
    }

    fn look(&self, token: &HoldToken) -> Result<Hold, HoldsError> {
        self.read(|session, tenant| rows::hold(session, tenant, token))
    }

    fn list(&self) -> Result<Vec<Hold>, HoldsError> {
        self.read(rows::holds)
    }

    fn waiting(&self, now: Timestamp) -> Result<u64, HoldsError> {
        self.read(|session, tenant| rows::waiting(session, tenant, nanoseconds(now)?))
    }

    fn list_short(&self, longest: usize) -> Result<Vec<Listed>, HoldsError> {
        let longest = i64::try_from(longest).unwrap_or(i64::MAX);
        self.read(|session, tenant| rows::short_holds(session, tenant, longest))
    }

    fn lapsed(&self, now: Timestamp) -> Result<Vec<HoldToken>, HoldsError> {
        self.read(|session, tenant| rows::lapsed(session, tenant, nanoseconds(now)?))
    }

    fn grant(&self, grant: &Grant) -> Result<(), HoldsError> {
        self.write(|session, tenant| {
            rows::insert_grant(session, tenant, grant)?;
            room::note_change(session, tenant, 0).map(drop)
        })
    }

    fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, HoldsError> {
        self.read(|session, tenant| rows::grants(session, tenant, nanoseconds(now)?))
    }

    fn revoke(&self, id: &str) -> Result<(), HoldsError> {
        self.write(|session, tenant| {
            rows::delete_grant(session, tenant, id)?;
            room::note_change(session, tenant, 0).map(drop)
        })
    }

    fn changed(&self) -> Result<bool, HoldsError> {
        let version = self.read(|session, tenant| {
            let row = session.row("SELECT holds_version FROM tenants WHERE tenant = $1", &[&tenant])?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let news = version.is_some() && *seen != version;
        *seen = version;
        Ok(news)
    }

    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError> {
        self.write(|session, tenant| room::count_violation(session, tenant, agent, now, since))
    }
}
