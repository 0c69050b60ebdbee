//! What a client that asked for it hears of a call that waits here.

use thoth_gate::Moment;
use thoth_mcp::progress_notification;

/// How often.
const PROGRESS_US: u64 = 10_000_000;
/// Where our progress begins. It must rise with every notification, and the server's own, which follows once the call has
/// gone out, begins at 0.
const FIRST_PROGRESS: i64 = -1_000_000;

/// The progress of one call.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// The token under which the client wants to hear of it, as it stands in the bytes.
    token: Option<Box<[u8]>>,
    next_us: u64,
    progress: i64,
}

impl Heartbeat {
    pub(crate) fn new(token: Option<&[u8]>) -> Self {
        Self { token: token.map(Into::into), next_us: 0, progress: FIRST_PROGRESS }
    }

    /// The notification, if one is due.
    pub(crate) fn beat(&mut self, now: Moment, message: &str) -> Option<Vec<u8>> {
        let token = self.token.as_deref().filter(|_| now.monotonic_us >= self.next_us)?;
        self.next_us = now.monotonic_us.saturating_add(PROGRESS_US);
        self.progress = self.progress.saturating_add(1).min(-1);
        Some(progress_notification(token, self.progress, message))
    }
}
