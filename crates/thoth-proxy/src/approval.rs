//! How a person is asked about a held call.

use std::time::Duration;

use thoth_types::Way;

/// How long a held call waits before it becomes a ticket: below the 60 seconds after which most clients give up.
pub const DEFAULT_HOLD_TIMEOUT: Duration = Duration::from_secs(45);

/// How held calls are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalOptions {
    /// The way that was asked for; without one, the policy's.
    pub way: Option<Way>,
    /// How long a held call waits for an answer before it becomes a ticket.
    pub hold_timeout: Duration,
}

impl Default for ApprovalOptions {
    fn default() -> Self {
        Self { way: None, hold_timeout: DEFAULT_HOLD_TIMEOUT }
    }
}
