//! What is in the local ledger is told to the enforcer, in order and each event once: the ledger is the spool.
//!
//! How far it was told stands in a file. It moves on only when the enforcer has taken the events, and what is sent again
//! after a crash has the same ids. Of all sessions of a home, one tells at a time, for all of them.

mod convert;
mod cursor;
mod follow;

pub(crate) use convert::Whose;
pub(crate) use cursor::{Cursor, Kept, is_cursor};
pub(crate) use follow::Teller;
