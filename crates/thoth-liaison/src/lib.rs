//! What a machine tells its enforcer beside asking about calls, and what it hears: it registers and checks in, hears whether
//! it is in quarantine, and tells what the local ledger has.
//!
//! It decides nothing, starts no server and knows no policy. All of it happens on threads of its own that nobody waits for,
//! except for a bounded moment when a session ends. What it must remember is in files of one folder, private and each
//! replaced as a whole.

mod bell;
mod events;
mod folder;
mod liaison;
mod machine;
mod pace;
mod report;

pub use folder::FolderError;
pub use liaison::{Liaison, Options};
pub use report::{Owner, Report, reports};
