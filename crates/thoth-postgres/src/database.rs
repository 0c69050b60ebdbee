//! The connections to one database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime as PoolRuntime, Timeouts,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_postgres::{IsolationLevel, NoTls};

use crate::error::{Fault, PostgresError};
use crate::format::{self, Format};
use crate::session::{Session, wait};
use crate::tls;
use crate::url::DatabaseUrl;

/// Connections for holds and keys.
const CALLS: usize = 10;
/// Connections for events. Apart, so that a flood of them keeps no key and no hold waiting.
const EVENTS: usize = 3;
/// Connections for ledgers. Apart, because a hold that is answered writes evidence while it has a connection of the others.
const LEDGERS: usize = 5;
/// Connections for those who look at ledgers for long. Apart, so that they keep no decision waiting.
const VIEWS: usize = 3;
/// Connections for turns in sessions, one for each decision at a time. Apart for the same reason.
const SESSIONS: usize = 12;
/// How long to wait for a free connection, and for a new one.
const PLACE: Duration = Duration::from_secs(5);
/// How long it may take to see that a connection which nobody used is still good.
const RECYCLE: Duration = Duration::from_secs(2);
/// How long all of that may take together, however many connections turn out to be bad.
const CONNECTION: Duration = Duration::from_secs(8);
/// How long one transaction may take, from its begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a migration may take, and what waits for one of another server.
const MIGRATION: Duration = Duration::from_secs(300);

/// What each connection is told when it is made. A server that does not wait for its disk would lose what was answered; where
/// it is set to wait for others, too, that stays.
const GREETING: &str = "
SET search_path = thoth, pg_temp;
SET statement_timeout = '5s';
SET lock_timeout = '4s';
SET idle_in_transaction_session_timeout = '20s';
SET timezone = 'UTC';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
";

/// The groups of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Holds and keys.
    Calls,
    /// Events.
    Events,
    /// Ledgers.
    Ledgers,
    /// Looks at ledgers that take long.
    Views,
    /// Turns in sessions.
    Sessions,
}

/// How the connections of a server are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// In use.
    pub busy: usize,
    /// Open and not in use.
    pub idle: usize,
    /// The most that there may be.
    pub most: usize,
    /// Who waits for one.
    pub waiting: usize,
}

/// A database that any number of servers share. It is set up, and connected to, at the first use; after a failure the next
/// use connects anew.
///
/// Its methods, and those of everything made of it, block and must not be called from within an asynchronous task.
pub struct Database {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    calls: Pool,
    events: Pool,
    ledgers: Pool,
    views: Pool,
    sessions: Pool,
    url: DatabaseUrl,
    /// Whether its format was found to be ours.
    current: AtomicBool,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.url)
    }
}

impl Database {
    /// The database at `url`. Nothing is connected yet.
    ///
    /// # Errors
    /// If TLS or threads cannot be set up.
    pub fn new(url: &DatabaseUrl) -> Result<Arc<Self>, PostgresError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("database")
            .enable_all()
            .build()
            .map_err(|error| PostgresError::NoThreads(error.to_string()))?;
        Ok(Arc::new(Self {
            runtime: Some(runtime),
            calls: pool(url, CALLS)?,
            events: pool(url, EVENTS)?,
            ledgers: pool(url, LEDGERS)?,
            views: pool(url, VIEWS)?,
            sessions: pool(url, SESSIONS)?,
            url: url.clone(),
            current: AtomicBool::new(false),
        }))
    }

    /// Sets the database up, or brings it up to date; what it was and what it is. Any number of servers may do this at once.
    ///
    /// # Errors
    /// If it is of a newer version, or cannot be changed.
    pub fn migrate(&self) -> Result<Format, PostgresError> {
        let format = self.transact(Lane::Calls, |session| format::bring_up_to_date(&session.until(MIGRATION)));
        let format = format.map_err(Fault::of_ledger)?;
        self.current.store(true, Ordering::Release);
        Ok(format)
    }

    /// Whether it can be read and written now, and is of our format. One that has nothing of ours is set up.
    ///
    /// # Errors
    /// If not.
    pub fn probe(&self) -> Result<(), PostgresError> {
        let looked = self.write(Lane::Calls, |session| {
            // Another server may have brought it to a newer format since.
            format::check(session)?;
            // No tenant has this name. The commit waits for the disk.
            session.change(
                "INSERT INTO event_rooms (tenant, event_bytes) VALUES ('', 0)
                 ON CONFLICT (tenant) DO UPDATE SET event_bytes = 0",
                &[],
            )?;
            Ok(())
        });
        looked.map_err(Fault::of_ledger)
    }

    /// Reads in single statements.
    pub(crate) fn read<T>(&self, lane: Lane, work: impl FnOnce(&Session<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.ensure_format()?;
        let client = self.client(lane)?;
        let deadline = Instant::now() + PATIENCE;
        let outcome = work(&Session::reading(self.handle()?, &client, deadline));
        released(client, outcome)
    }

    /// Reads and writes in one transaction.
    pub(crate) fn write<T>(&self, lane: Lane, work: impl FnOnce(&Session<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.ensure_format()?;
        self.transact(lane, |session| work(&session))
    }

    /// Reads in one transaction that sees the database as it is at its begin, for as long as it takes.
    pub(crate) fn snapshot<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.ensure_format()?;
        let mut client = self.client(Lane::Views)?;
        let handle = self.handle()?;
        let outcome = (|| {
            let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
            let transaction = wait(handle, Instant::now() + PATIENCE, builder.start())?;
            work(&Session::writing(handle, &transaction, Instant::now()).until(MIGRATION))
        })();
        released(client, outcome)
    }

    fn transact<T>(&self, lane: Lane, work: impl FnOnce(Session<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut client = self.client(lane)?;
        let handle = self.handle()?;
        let outcome = (|| {
            let deadline = Instant::now() + PATIENCE;
            // Whatever the role or the database is set to.
            let builder = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).read_only(false);
            let transaction = wait(handle, deadline, builder.start())?;
            let done = work(Session::writing(handle, &transaction, deadline))?;
            wait(handle, Instant::now() + PATIENCE, transaction.commit())?;
            Ok(done)
        })();
        released(client, outcome)
    }

    /// Begins a transaction that goes on after this has returned, in several steps that may have anything in between.
    pub(crate) fn begin(&self, lane: Lane) -> Result<Turn<'_>, Fault> {
        self.ensure_format()?;
        let client = self.client(lane)?;
        let turn = Turn { handle: self.handle()?, client: Some(client) };
        turn.session().script("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")?;
        Ok(turn)
    }

    /// Looks once whether the format is ours, and makes it ours if it may.
    fn ensure_format(&self) -> Result<(), Fault> {
        if self.current.load(Ordering::Acquire) {
            return Ok(());
        }
        let client = self.client(Lane::Calls)?;
        let deadline = Instant::now() + PATIENCE;
        let found = format::check(&Session::reading(self.handle()?, &client, deadline));
        match released(client, found) {
            Ok(()) => {}
            Err(Fault::Postgres(PostgresError::Older { .. })) => self.migrate().map(drop)?,
            Err(fault) => return Err(fault),
        }
        self.current.store(true, Ordering::Release);
        Ok(())
    }

    /// Waits for a turn that only one in this process has, as long as for a connection.
    pub(crate) fn turn<'s>(&self, turns: &'s Semaphore) -> Result<SemaphorePermit<'s>, PostgresError> {
        let turn = async { turns.acquire().await.map_err(|_| PostgresError::Exhausted) };
        wait(self.handle()?, Instant::now() + PLACE, turn).map_err(|_| PostgresError::Exhausted)
    }

    fn handle(&self) -> Result<&tokio::runtime::Handle, PostgresError> {
        self.runtime.as_ref().map(Runtime::handle).ok_or_else(|| PostgresError::NoThreads("they have ended".to_owned()))
    }

    /// How the connections are used now.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let mut used = Connections::default();
        for pool in [&self.calls, &self.events, &self.ledgers, &self.views, &self.sessions] {
            let status = pool.status();
            used.busy += status.size.saturating_sub(status.available);
            used.idle += status.available;
            used.most += status.max_size;
            used.waiting += status.waiting;
        }
        used
    }

    fn client(&self, lane: Lane) -> Result<Client, PostgresError> {
        let pool = match lane {
            Lane::Calls => &self.calls,
            Lane::Events => &self.events,
            Lane::Ledgers => &self.ledgers,
            Lane::Views => &self.views,
            Lane::Sessions => &self.sessions,
        };
        wait(self.handle()?, Instant::now() + CONNECTION, pool.get())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for its threads is not allowed where this may be dropped.
            runtime.shutdown_background();
        }
    }
}

/// A transaction that was begun. Dropping it undoes it.
pub(crate) struct Turn<'d> {
    handle: &'d tokio::runtime::Handle,
    /// Gone once it has ended well.
    client: Option<Client>,
}

impl Turn<'_> {
    /// Statements of it, in the time of one transaction from now on.
    pub(crate) fn session(&self) -> Session<'_> {
        Session::within(self.handle, self.client.as_ref(), Instant::now() + PATIENCE)
    }

    /// Ends it.
    pub(crate) fn commit(mut self) -> Result<(), PostgresError> {
        self.session().script("COMMIT")?;
        // Given back as it is; else dropping would close it.
        drop(self.client.take());
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        // Whoever drops it does not wait for that.
        self.handle.spawn(async move {
            let undone = tokio::time::timeout(PLACE, client.batch_execute("ROLLBACK")).await;
            if !matches!(undone, Ok(Ok(()))) {
                // The end of the connection undoes it, too, and lets go of its locks.
                drop(Object::take(client));
            }
        });
    }
}

/// Lets go of a connection. After a failure of the database it is closed: what it still does is not known.
fn released<T>(client: Client, outcome: Result<T, Fault>) -> Result<T, Fault> {
    if matches!(outcome, Err(Fault::Postgres(_))) {
        drop(Object::take(client));
    }
    outcome
}

fn pool(url: &DatabaseUrl, size: usize) -> Result<Pool, PostgresError> {
    // Each connection is tried before it is used, so that a database that was started anew costs nobody an answer.
    let settings = ManagerConfig { recycling_method: RecyclingMethod::Verified };
    let config = url.config().clone();
    let manager = if url.has_tls() {
        Manager::from_config(config, tls::connector(url.authorities())?, settings)
    } else {
        Manager::from_config(config, NoTls, settings)
    };
    let greet = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(GREETING).await.map_err(HookError::Backend) })
    });
    Pool::builder(manager)
        .max_size(size)
        .timeouts(Timeouts { wait: Some(PLACE), create: Some(PLACE), recycle: Some(RECYCLE) })
        .runtime(PoolRuntime::Tokio1)
        .post_create(greet)
        .build()
        .map_err(|error| PostgresError::NoThreads(error.to_string()))
}
