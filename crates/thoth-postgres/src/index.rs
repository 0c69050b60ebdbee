//! The index of a tenant's ledger, as tables. Any server adds to it; each record is added once.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use thoth_store::server::ServerError;
use thoth_store::server::index::{
    Added, Agent, AgentFilter, Agents, Decision, DecisionFilter, Found, IndexPage, LedgerIndex, Record, Session,
    SessionFilter, ToolUse,
};

use crate::database::{Database, Lane};
use crate::error::Fault;
use crate::session::{Order, Session as Connection};
use crate::{index_rows as rows, subtrees};

/// The index of the ledger of a tenant.
pub struct PostgresIndex {
    database: Arc<Database>,
    tenant: String,
}

impl fmt::Debug for PostgresIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresIndex").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PostgresIndex {
    /// That of `tenant`.
    #[must_use]
    pub fn new(database: Arc<Database>, tenant: &str) -> Self {
        Self { database, tenant: tenant.to_owned() }
    }

    fn read<T>(&self, work: impl FnOnce(&Connection<'_>) -> Result<T, Fault>) -> Result<T, ServerError> {
        self.database.read(Lane::Events, work).map_err(Fault::of_server)
    }
}

impl LedgerIndex for PostgresIndex {
    fn indexed(&self, log: &str) -> Result<i64, ServerError> {
        if let Some((of, next)) = self.read(|session| rows::mark(session, &self.tenant))?
            && of == log
        {
            return Ok(next);
        }
        let begun = self.database.write(Lane::Events, |session| {
            session.in_order(Order::Index, &self.tenant)?;
            rows::begin(session, &self.tenant, log)
        });
        begun.map_err(Fault::of_server)
    }

    fn add(&self, log: &str, from: i64, records: &[Record]) -> Result<(), ServerError> {
        let added = Added::of(records);
        let next = from.saturating_add(i64::try_from(records.len()).unwrap_or(i64::MAX));
        let done = self.database.write(Lane::Events, |session| {
            session.in_order(Order::Index, &self.tenant)?;
            if rows::add(session, &self.tenant, log, (from, next), &added)? {
                subtrees::complete(session, &self.tenant, from, next)?;
            }
            Ok(())
        });
        done.map_err(Fault::of_server)
    }

    fn decisions(&self, filter: &DecisionFilter<'_>, page: &IndexPage) -> Result<Found<Decision>, ServerError> {
        self.read(|session| rows::decisions(session, &self.tenant, filter, page))
    }

    fn violation(&self, trace: &str) -> Result<Option<Decision>, ServerError> {
        self.read(|session| rows::violation(session, &self.tenant, trace))
    }

    fn sessions(&self, filter: &SessionFilter<'_>, page: &IndexPage) -> Result<Found<Session>, ServerError> {
        self.read(|session| rows::sessions(session, &self.tenant, filter, page))
    }

    fn session(&self, id: &str) -> Result<Option<Session>, ServerError> {
        self.read(|session| rows::session(session, &self.tenant, id))
    }

    fn positions(&self, id: &str, from: i64, most: u32) -> Result<Vec<i64>, ServerError> {
        self.read(|session| rows::positions(session, &self.tenant, id, from, most))
    }

    fn agents(&self, filter: &AgentFilter<'_>, beyond: Option<&str>, limit: u32) -> Result<Agents, ServerError> {
        self.read(|session| rows::agents(session, &self.tenant, filter, beyond, limit))
    }

    fn agent(&self, id: &str) -> Result<Option<Agent>, ServerError> {
        self.read(|session| rows::agent(session, &self.tenant, id))
    }

    fn tool_uses(&self, since: Timestamp) -> Result<Vec<ToolUse>, ServerError> {
        self.read(|session| rows::tool_uses(session, &self.tenant, since))
    }
}
