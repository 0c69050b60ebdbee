//! What can go wrong with a file, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thoth_gate::{HoldsError, PinsError};

use crate::server::ServerError;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or the file could not be reached.
    #[error("cannot {action} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no plain file, or one that others can write to.
    #[error(
        "`{}` is {what}; remove it, and a new file is begun: whatever is held is then asked again, and keys of a server \
         are made anew", path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is a database of something else, or none.
    #[error("`{}` is another kind of file; move it away, and a new one is begun", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a newer version.
    #[error(
        "`{}` was written by a newer version of thoth (its format is {found}, the newest known here is {known}); \
         update thoth", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that is known here.
        known: i64,
    },
    /// It is not what it was written as.
    #[error(
        "`{}` is damaged: {what}; end every `thoth` and `thothd`, move it away with its -wal and -shm files, and a new \
         one is begun: whatever is held is then asked again, and keys of a server are made anew", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another process would not let go of it.
    #[error("`{}` is in use by another process and did not become free in time; try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// There is no room.
    #[error("`{}` cannot grow: the disk is full; make room and try again", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error(
        "`{}` cannot be written (it and its folder must be writable for the account that thoth runs under): {source}",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// The database library is older than is safe.
    #[error("the SQLite library is {found}; 3.51.3 is the oldest whose log of changes is safe with several processes")]
    Library {
        /// Its version.
        found: &'static str,
    },
    /// A time that cannot be written.
    #[error("the time {0} is too far away to be written")]
    Time(jiff::Timestamp),
    /// Anything else that the database says.
    #[error("`{}`: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// What the database says, in our words.
    fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, source }
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: source.to_string() },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(_) => Self::Database { path, source },
            // A column has another type than every version of us gives it.
            None => Self::Damaged { path, what: source.to_string() },
        }
    }

    /// Whether what is open may no longer be used: the next use opens the file anew.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Foreign { .. } | Self::Newer { .. } | Self::ReadOnly { .. } => true,
            Self::Database { source, .. } => source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure),
            _ => false,
        }
    }
}

/// What went wrong on the way, before the file's name is added.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database says so.
    Sqlite(rusqlite::Error),
    /// A row has something that no version of us writes.
    Damaged(String),
    /// Already in full.
    Store(StoreError),
    /// Not the file's fault.
    Holds(HoldsError),
    /// Not the file's fault either.
    Pins(PinsError),
    /// Nor this.
    Server(ServerError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<HoldsError> for Fault {
    fn from(error: HoldsError) -> Self {
        Self::Holds(error)
    }
}

impl From<PinsError> for Fault {
    fn from(error: PinsError) -> Self {
        Self::Pins(error)
    }
}

impl From<ServerError> for Fault {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Damaged(what) => f.write_str(what),
            Self::Store(error) => error.fmt(f),
            Self::Holds(error) => error.fmt(f),
            Self::Pins(error) => error.fmt(f),
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl Fault {
    /// What is wrong with the file, once its name was added.
    pub(crate) fn complete(self) -> Result<StoreError, Self> {
        match self {
            Self::Store(error) => Ok(error),
            other => Err(other),
        }
    }

    /// The same with the file's name. What is not the file's fault stays as it is.
    pub(crate) fn at(self, path: &Path) -> Result<StoreError, Self> {
        match self {
            Self::Sqlite(source) => Ok(StoreError::of(path, source)),
            Self::Damaged(what) => Ok(StoreError::Damaged { path: path.to_owned(), what }),
            Self::Store(error) => Ok(error),
            other @ (Self::Holds(_) | Self::Pins(_) | Self::Server(_)) => Err(other),
        }
    }
}
