//! Everything that a server keeps, in PostgreSQL: held calls, keys, events, and a ledger for each tenant. Any number of
//! servers may use one database at once; none of them keeps anything of its own that counts.
//!
//! Every change of a hold is one of the gate's own transitions, run inside a transaction: this crate decides nothing. What
//! is written is what `thoth-store` writes into its files, in the same documents.
//!
//! # Promises
//! * Transitions of one tenant's holds run one after another, over all servers: each takes the tenant's lock first, and
//!   then reads. An approval is used up at most once, however many servers are asked at the same moment.
//! * What was answered was committed before. What could not be is an error, which refuses the call: a database that is gone,
//!   slow, full, read-only, or of a newer format; a row that no version of us writes. The next use connects anew.
//! * Nothing waits without end: each statement, transaction, connection attempt and place in the pool has its time.
//! * Every table has the tenant in its keys, and every statement names one, but the look-up of a key by its digest, which
//!   is how its tenant is found.
//! * The password of the database is shown nowhere, and no connection to another machine goes without TLS.
//!
//! # Blocking
//! Everything here blocks its thread and must not be called from within an asynchronous task. Statements run on a small
//! runtime of the [`Database`]'s own.

mod bundle_rows;
mod database;
mod endpoint_rows;
mod error;
mod export;
mod fleet;
mod format;
mod hold_rows;
mod holds;
mod index;
mod index_adding;
mod index_rows;
mod inventory;
mod ledger;
mod ledger_rows;
mod pasts;
mod queue;
mod records;
mod room;
mod rows;
mod seals;
mod session;
mod settings;
mod subtrees;
mod tls;
mod url;
mod view;

mod event_rows;
mod key_rows;

pub use database::{Connections, Database};
pub use error::PostgresError;
pub use export::{ExportError, Exported, export};
pub use format::Format;
pub use holds::PostgresHolds;
pub use index::PostgresIndex;
pub use ledger::PostgresLedger;
pub use pasts::PostgresPasts;
pub use records::PostgresRecords;
pub use seals::seal_key;
pub use url::{DatabaseUrl, UrlError};
pub use view::PostgresView;
