//! Statements, one after the other, each in bounded time.
//!
//! They block, so that what runs between them may be anything: also the gate's own transitions, which write evidence over
//! another connection while they have a hold.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Client, Transaction};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::{Fault, PostgresError};

/// A parameter of a statement.
pub(crate) type Value<'v> = &'v (dyn ToSql + Sync);

/// What a lock keeps in order. Each is one lock per name: a tenant, or a session of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The transitions of holds.
    Holds,
    /// The making of keys.
    Keys,
    /// The taking in of events.
    Events,
    /// What machines tell of themselves, and their quarantine.
    Endpoints,
    /// The changes of policy bundles.
    Bundles,
    /// What is decided in a session.
    Session,
    /// What is added to the index of a ledger.
    Index,
    /// What agents say of their tools.
    Tools,
}

/// What is done over one connection.
pub(crate) struct Session<'c> {
    handle: &'c Handle,
    on: On<'c>,
    deadline: Instant,
}

enum On<'c> {
    Nothing,
    Client(&'c Client),
    Transaction(&'c Transaction<'c>),
}

/// Waits for the database until `deadline`.
pub(crate) fn wait<T, E: Into<PostgresError>>(
    handle: &Handle,
    deadline: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, PostgresError> {
    handle.block_on(async {
        match tokio::time::timeout_at(deadline, work).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(PostgresError::Slow),
        }
    })
}

impl<'c> Session<'c> {
    /// Single statements that read.
    pub(crate) const fn reading(handle: &'c Handle, client: &'c Client, deadline: Instant) -> Self {
        Self { handle, on: On::Client(client), deadline }
    }

    /// Statements over a connection that may have ended: then each is an error.
    pub(crate) fn within(handle: &'c Handle, client: Option<&'c Client>, deadline: Instant) -> Self {
        Self { handle, on: client.map_or(On::Nothing, On::Client), deadline }
    }

    /// Statements of one transaction.
    pub(crate) const fn writing(handle: &'c Handle, transaction: &'c Transaction<'c>, deadline: Instant) -> Self {
        Self { handle, on: On::Transaction(transaction), deadline }
    }

    /// The rows that a statement yields.
    pub(crate) fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, PostgresError> {
        match self.on {
            On::Nothing => Err(gone()),
            On::Client(client) => wait(self.handle, self.deadline, async {
                let statement = client.prepare_cached(sql).await?;
                client.query(&statement, values).await
            }),
            On::Transaction(transaction) => wait(self.handle, self.deadline, async {
                let statement = transaction.prepare_cached(sql).await?;
                transaction.query(&statement, values).await
            }),
        }
    }

    /// The only row, if there is any.
    pub(crate) fn row(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, PostgresError> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }

    /// How many rows a statement has changed.
    pub(crate) fn change(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, PostgresError> {
        match self.on {
            On::Nothing => Err(gone()),
            On::Client(client) => wait(self.handle, self.deadline, async {
                let statement = client.prepare_cached(sql).await?;
                client.execute(&statement, values).await
            }),
            On::Transaction(transaction) => wait(self.handle, self.deadline, async {
                let statement = transaction.prepare_cached(sql).await?;
                transaction.execute(&statement, values).await
            }),
        }
    }

    /// Runs several statements without parameters.
    pub(crate) fn script(&self, sql: &str) -> Result<(), PostgresError> {
        match self.on {
            On::Nothing => Err(gone()),
            On::Client(client) => wait(self.handle, self.deadline, client.batch_execute(sql)),
            On::Transaction(transaction) => wait(self.handle, self.deadline, transaction.batch_execute(sql)),
        }
    }

    /// Waits until nobody else does the same under this name, over all servers; until the transaction ends, nobody does.
    ///
    /// INVARIANT: in a transaction of `READ COMMITTED`, each later statement sees what whoever had the lock before has
    /// committed. Rejected: `SERIALIZABLE`, which would run transitions again and with them the evidence that they write;
    /// and a locked row, which would have every question that changes nothing wait for the disk.
    pub(crate) fn in_order(&self, order: Order, name: &str) -> Result<(), PostgresError> {
        self.rows("SELECT pg_advisory_xact_lock($1)", &[&lock_number(order, name)]).map(drop)
    }

    /// More time, for what waits for others on purpose.
    pub(crate) fn until(mut self, patience: Duration) -> Self {
        self.deadline = Instant::now() + patience;
        self
    }
}

/// The number of a lock. Two names of one number wait for each other without need, and nothing worse.
fn lock_number(order: Order, name: &str) -> i64 {
    use sha2::{Digest as _, Sha256};
    let word = match order {
        Order::Holds => "holds",
        Order::Keys => "keys",
        Order::Events => "events",
        Order::Endpoints => "endpoints",
        Order::Bundles => "bundles",
        Order::Session => "session",
        Order::Index => "index",
        Order::Tools => "tools",
    };
    let digest = Sha256::digest(format!("thoth {word}\0{name}"));
    digest.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

fn gone() -> PostgresError {
    PostgresError::Lost("it was given back".to_owned())
}

/// A row whose column is not what we write.
pub(crate) fn damaged(what: impl std::fmt::Display) -> Fault {
    Fault::Postgres(PostgresError::Damaged(what.to_string()))
}
