//! Settings: one table of all of them, and three steps from what is written to what holds.
//!
//! [`written`] collects every value as each source gives it, [`Written::merge`] decides whose counts, and
//! [`Merged::resolve`] reads it and adds defaults and what follows. Each step keeps what the one before knew, so that
//! every value that holds can say where it came from and what it has displaced.

mod failure;
mod guards;
mod kind;
pub mod managed;
mod merged;
mod reference;
mod resolved;
mod setting;
pub mod table;
#[cfg(test)]
mod tests;
pub mod unknown;
mod written;

pub use failure::{FailureDecision, Stage};
pub use guards::{GuardError, Guards, Process};
pub use kind::{Kind, is_dns_label};
pub use merged::{Contest, Loss, Merged};
pub use reference::reference;
pub use resolved::{Predicates, Problem, Resolved, Row, Tls};
pub use setting::{Setting, State};
pub use written::{FileValue, Given, Origin, Source, Sources, Text, Written, written};
