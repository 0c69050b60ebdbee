//! Policies: YAML in, decisions with reasons out.
//!
//! [`load`] reads a policy file and what it includes, and compiles it into a [`Policy`]. A [`Query`] describes one
//! tool call; each stage of the gate that policy feeds is one method of [`Policy`], and [`Policy::explain`] runs all
//! of them and says why.
//!
//! Among all matching rules the strictest answer holds, whatever the order of the rules. A condition that cannot be
//! evaluated counts as met for rules that tighten and as not met for rules that loosen.
//!
//! This crate does no I/O and reads neither clock nor environment: files come through [`Source`], the time with the
//! query.

mod approvals;
mod argument_patterns;
mod blocked_patterns;
mod by_history;
mod by_name;
mod compile;
mod condition;
mod decimal;
mod diagnostic;
mod digest;
pub mod document;
mod evaluate;
mod explain;
mod glob;
mod host;
mod include;
mod index;
mod inspect;
mod integrity;
mod judge;
mod letter_case;
mod lexical_path;
mod literal;
mod name;
mod naming;
mod near_miss;
pub mod outline;
mod policy;
mod progressive;
mod query;
mod read;
mod rule;
mod semantic;
mod source;
mod spell_out;
mod stages;
mod text_match;
mod together;
mod truth;
mod variant;
mod what_if;
mod window;
mod yaml;

pub use approvals::describe_requirement;
pub use argument_patterns::{ArgumentPatternError, ArgumentPatterns};
pub use by_name::load_by_name;
pub use compile::load;
pub use diagnostic::{Diagnostic, DiagnosticCode, LoadError, MAX_SHOWN, worth_showing};
pub use evaluate::{RuleVerdict, Scratch};
pub use explain::{Asks, ConditionTrace, Explanation, RuleTrace, Shadowed};
pub use inspect::InspectRules;
pub use integrity::{IntegrityRules, OnChange, OnFirstUse, Shown};
pub use judge::{Consulted, LooksAt};
pub use name::counted_name;
pub use near_miss::NearMiss;
pub use policy::{Evaluation, Limits, Policy};
pub use progressive::{Progressive, ProgressiveScope};
pub use query::{History, Labelled, NoHistory, Query, RateScope};
pub use rule::{RuleId, RuleInfo};
pub use source::{Source, SourceError, SourceText, Sources};
pub use text_match::ScopeList;
pub use together::load_together;
pub use truth::Truth;
pub use variant::RuleChange;

/// The policy that a new installation starts with: reads run, deletions are blocked, everything else is asked for.
pub const STARTER: &str = include_str!("starter.yaml");
