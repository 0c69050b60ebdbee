//! What the gate remembers beyond a process: held calls, grants and counts of violations, in one SQLite file; and what a
//! server remembers beside it, keys and events, in another ([`server`]).
//!
//! Every change is one of the gate's own transitions, run inside a transaction: this crate decides nothing. It is also
//! how the command line reaches the gate's `Desk` without importing the gate.
//!
//! # Promises
//! * Many processes use the file at once, and each may be killed at any moment. What was answered was on the disk before;
//!   what was not answered happened wholly or not at all.
//! * What cannot be read for sure is an error, which refuses the call: an unknown word, a damaged page, a file of something
//!   else or of a newer version, a symbolic link. Nothing is guessed, repaired or begun anew over it.
//! * It stays bounded: [`MAX_WAITING`] calls may wait, [`MAX_WAITING_OF_AGENT`] of one agent at one server, and the holds
//!   that are not over have [`MAX_ARGUMENT_BYTES`] of arguments. A hold's arguments are deleted 24 hours after it is over
//!   ([`Hold::arguments`] is then empty, which no call's arguments are), the hold itself after 30 days; both earlier, the
//!   oldest first, where too much is over.
//! * Deleted contents are overwritten in the file. Copies can stay in its `-wal` file until that is used anew, or until the
//!   last process closes it.

pub mod bounds;
mod call;
pub mod copying;
mod database;
mod error;
mod file;
mod pin_rows;
mod pin_wire;
mod pins;
mod room;
mod rows;
mod schema;
pub mod server;
mod store;
#[cfg(test)]
mod tests;
pub mod wire;

pub use bounds::{MAX_ARGUMENT_BYTES, MAX_WAITING, MAX_WAITING_OF_AGENT};
pub use error::StoreError;
pub use pins::{MAX_DEFINITION_BYTES, MAX_PIN_BYTES_OF_SERVER, MAX_PINS_OF_SERVER, SqlitePins};
pub use store::SqliteHolds;
pub use thoth_gate::hold::{Hold, HoldState, VoteError, Why};
pub use thoth_gate::pin::{Approval, Pin, Version, state_of};
pub use thoth_gate::{Desk, Holds, HoldsError, PinDesk, PinKey, Pins, PinsError, Seen, related};
