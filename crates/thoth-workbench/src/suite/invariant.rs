//! What must hold for every call, not only for those that somebody thought of.

use jiff::Timestamp;
use thoth_policy::Policy;
use thoth_types::Place;

use crate::invariant::{Answer, decide};
use crate::model::is_timed;

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

/// A call that breaks an invariant, and what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// The whole.
    pub whole: String,
    /// As a person is shown it.
    pub shown: String,
}

/// Whether an invariant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// For every call.
    Holds,
    /// Not for this call.
    Violated(Counterexample),
    /// It could not be told, and why.
    Unknown(String),
}

impl Invariant {
    /// Decides it for all calls from `from` on. A counterexample has been evaluated.
    #[must_use]
    pub fn decide(&self, policy: &Policy, from: Timestamp) -> Held {
        match decide(policy, &self.rule, from) {
            Answer::Holds => Held::Holds,
            Answer::Violated(call, approval) => {
                let timed = is_timed(policy);
                let gets = |call: String| format!("{call} gets `{approval}`");
                let whole = if timed { format!("{call} at {}", call.at) } else { call.to_string() };
                Held::Violated(Counterexample { whole: gets(whole), shown: gets(call.shown(timed)) })
            }
            Answer::Unknown(why) => Held::Unknown(why.to_owned()),
        }
    }
}
