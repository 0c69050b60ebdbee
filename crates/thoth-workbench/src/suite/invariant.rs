//! What must hold for every call, not only for those that somebody thought of.

use std::sync::Arc;

use thoth_types::{Approval, Place};

/// No call that fits the patterns gets one of the effects.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// As written, or made from what it says.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The answers that no such call may get.
    pub effects: Vec<Approval>,
    /// Globs for the tool's name; none stands for every name. Entries that start with `!` exclude.
    pub tool: Vec<Arc<str>>,
    /// Globs for the server's name.
    pub server: Vec<Arc<str>>,
    /// Globs for the agent.
    pub agent: Vec<Arc<str>>,
}

/// Whether an invariant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// For every call.
    Holds,
    /// Not for this call.
    Violated(String),
    /// It could not be told, and why.
    Unknown(String),
}
