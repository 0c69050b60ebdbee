//! What the gate remembers beyond a process.
//!
//! Every change is one of the gate's own transitions, run inside a transaction: this crate decides nothing. It is also
//! how the command line reaches the gate's `Desk` without importing the gate.

pub use thoth_gate::hold::{Hold, HoldState, VoteError, Why};
pub use thoth_gate::{Desk, Holds, HoldsError};
