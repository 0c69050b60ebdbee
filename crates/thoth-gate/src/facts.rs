//! What the stages look at: one immutable view, the same for all of them.

use thoth_policy::{Query, ScopeList};
use thoth_types::{Caller, ToolCall};

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
    /// How many calls this session was allowed so far.
    pub allowed_calls: u64,
    /// How many calls of this very tool were allowed in the last minute.
    pub tool_calls_last_minute: u64,
    /// How many seconds until the oldest of those leaves the window.
    pub window_frees_in_seconds: u64,
    /// How many violations this session had so far.
    pub violations: u32,
}
