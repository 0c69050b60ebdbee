//! What a policy does, proved before it runs.
//!
//! [`check()`] finds rules that cannot matter and calls that slip through, [`diff()`] compares two policies by meaning,
//! and [`decide()`] says whether an [`Invariant`] holds. They reason about all calls at once: names by automata, numbers
//! and times by intervals. What cannot be decided within a number of steps is said to be undecided, never guessed. Every
//! call that is shown has been evaluated by the policy itself.

mod any_case;
mod arguments;
mod automaton;
mod call;
mod check;
mod diff;
mod finding;
mod goal;
mod invariant;
mod language;
mod migrate;
mod model;
mod names;
mod nearest;
mod region;
pub mod replay;
mod report;
mod search;
mod steps;
mod times;
mod tools;

pub use call::{Call, Earlier};
pub use check::{CheckOptions, Report, check};
pub use diff::{Change, Comparison, Decider, diff};
pub use finding::{Finding, FindingKind, Related, Severity};
pub use invariant::{Answer, Invariant, decide};
pub use migrate::{in_place, with_evaluation};
pub use report::{Paint, Tone, changes_json, changes_text, errors_sarif, findings_json, findings_text, sarif};
pub use tools::{KnownTool, KnownTools, ToolsError};

pub mod coverage;
mod demands;
pub mod junit;
pub mod layout;
pub mod mutate;
pub mod packs;
pub mod schema;
pub mod suite;
