//! What must hold for every call, not only for those that somebody thought of.

use jiff::Timestamp;
use thoth_policy::Policy;
use thoth_types::Place;

use crate::invariant::{Answer, decide};

/// An invariant of a test file.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// As written, or made from what it says.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub rule: crate::Invariant,
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

impl Invariant {
    /// Decides it for all calls from `from` on. A counterexample has been evaluated.
    #[must_use]
    pub fn decide(&self, policy: &Policy, from: Timestamp) -> Held {
        match decide(policy, &self.rule, from) {
            Answer::Holds => Held::Holds,
            Answer::Violated(call, approval) => Held::Violated(format!("{call} gets `{approval}`")),
            Answer::Unknown(why) => Held::Unknown(why.to_owned()),
        }
    }
}
