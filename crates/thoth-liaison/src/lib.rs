//! What a machine tells its enforcer beside asking about calls, and what it hears: it registers and checks in, hears whether
//! it is in quarantine, and tells what the local ledger has.
//!
//! It also fetches the enforcer's policy document, verifies who sealed it and whom it is for, and keeps it.
//!
//! It decides nothing, starts no server and knows no policy. All of it happens on threads of its own that nobody waits for,
//! except for a bounded moment when a session ends. What it must remember is in files of one folder, private and each
//! replaced as a whole.

mod bell;
mod document;
mod events;
mod folder;
mod keeper;
mod liaison;
mod machine;
mod pace;
mod report;

pub use document::{DocumentError, Recipient, Verified};
pub use folder::FolderError;
pub use keeper::Directed;
pub use liaison::{Liaison, Options};
pub use report::{DocumentReport, Owner, Report, reports};
