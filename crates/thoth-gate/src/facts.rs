//! What the stages look at: one immutable view, the same for all of them.

use thoth_policy::{Query, ScopeList};
use thoth_types::{Caller, ToolCall};

use crate::session::Past;

/// An instant, on both clocks. The caller reads the clocks; the gate never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall-clock time, for evidence and time windows.
    pub wall: jiff::Timestamp,
    /// Microseconds on a clock that never goes back, from any fixed origin; for durations.
    pub monotonic_us: u64,
}

/// Everything the stages may look at.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Who calls, and where.
    pub caller: &'a Caller,
    /// The tools that the session was started with; empty restricts nothing.
    pub scope: &'a ScopeList,
    /// What is called.
    pub call: &'a ToolCall<'a>,
    /// The same as a question to the policy.
    pub query: Query<'a>,
    /// What was called before; asked only by the stages that need it.
    pub(crate) past: &'a Past,
}
