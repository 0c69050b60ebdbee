//! What can go wrong with a database, and what to do about it.

use std::error::Error;

use deadpool_postgres::{PoolError, TimeoutType};
use thoth_gate::{EvidenceError, HoldsError};
use thoth_store::server::ServerError;
use tokio_postgres::error::SqlState;

/// Why the database could not be read or written. No message has the password, or any value of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// Nobody answers there, or not as a database does.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A connection ended in the middle.
    #[error("the connection to the database ended: {0}; the next use makes a new one")]
    Lost(String),
    /// All connections are in use.
    #[error("no connection to the database became free in time; there is more to do than the database keeps up with")]
    Exhausted,
    /// It took too long.
    #[error("the database did not answer in time")]
    Slow,
    /// It says no.
    #[error("the database says: {message} (SQLSTATE {code})")]
    Refused {
        /// The class of the error, as PostgreSQL documents them.
        code: String,
        /// In words.
        message: String,
    },
    /// It was set up by a newer version.
    #[error(
        "the database was set up by a newer version (its format is {found}, the newest known here is {known}); update \
         thothd"
    )]
    Newer {
        /// Its format.
        found: i32,
        /// The newest format that is known here.
        known: i32,
    },
    /// It has to be set up first, and this role may not.
    #[error(
        "the database has the format {found} and needs {known}, and this role may not change it ({reason}); run `thothd \
         migrate` with one that may create tables"
    )]
    Older {
        /// Its format; 0 if it has nothing of ours.
        found: i32,
        /// The format that is needed.
        known: i32,
        /// What the database says.
        reason: String,
    },
    /// A row has something that no version of us writes.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A time that cannot be written.
    #[error("the time {0} is too far away to be written")]
    Time(jiff::Timestamp),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    NoRandomness,
    /// The threads that talk to the database cannot be started.
    #[error("cannot start the threads that talk to the database: {0}")]
    NoThreads(String),
    /// A certificate cannot be checked.
    #[error("TLS to the database cannot be set up: {0}")]
    Tls(String),
}

impl PostgresError {
    /// Whether the database said this because the role may not.
    pub(crate) fn is_forbidden(&self) -> bool {
        let forbidden = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::READ_ONLY_SQL_TRANSACTION];
        matches!(self, Self::Refused { code, .. } if forbidden.iter().any(|state| state.code() == code))
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            // Not the details: they repeat values of rows.
            return Self::Refused { code: said.code().code().to_owned(), message: said.message().to_owned() };
        }
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        let what =
            format!("{error}{}", if error.to_string().contains(cause.trim_start_matches(": ")) { "" } else { &cause });
        if error.is_closed() { Self::Lost(what) } else { Self::Unreachable(what) }
    }
}

impl From<PoolError> for PostgresError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Exhausted,
            PoolError::Timeout(_) => Self::Slow,
            PoolError::Backend(error) => error.into(),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// What went wrong on the way.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database's fault.
    Postgres(PostgresError),
    /// Not the database's fault.
    Holds(HoldsError),
    /// Nor this.
    Server(ServerError),
}

impl<E: Into<PostgresError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Postgres(error.into())
    }
}

impl Fault {
    /// In the words of holds.
    pub(crate) fn of_holds(self) -> HoldsError {
        match self {
            Self::Postgres(error) => HoldsError::Store(Box::new(error)),
            Self::Holds(error) => error,
            Self::Server(error) => HoldsError::Store(Box::new(error)),
        }
    }

    /// In the words of a server.
    pub(crate) fn of_server(self) -> ServerError {
        match self {
            Self::Postgres(error) => ServerError::Database(Box::new(error)),
            Self::Holds(error) => ServerError::Database(Box::new(error)),
            Self::Server(error) => error,
        }
    }

    /// In the words of a ledger.
    pub(crate) fn of_ledger(self) -> PostgresError {
        match self {
            Self::Postgres(error) => error,
            Self::Holds(error) => PostgresError::Damaged(error.to_string()),
            Self::Server(error) => PostgresError::Damaged(error.to_string()),
        }
    }
}

impl From<PostgresError> for EvidenceError {
    fn from(error: PostgresError) -> Self {
        Self(Box::new(error))
    }
}
