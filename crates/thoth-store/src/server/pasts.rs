//! What was allowed in sessions, for several servers that decide in one session.

use jiff::Timestamp;

use super::ServerError;

/// A call that was allowed in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCall {
    /// The tool.
    pub tool: String,
    /// When it was allowed.
    pub at: Timestamp,
    /// Whether it went out. One that did not has used up limits all the same.
    pub went_out: bool,
}

/// The pasts of the sessions of one tenant.
///
/// INVARIANT: turns in one session come one after another, over all servers, and each sees what those before it have kept.
pub trait SessionPasts: Send + Sync {
    /// Waits for a turn in a session, by its digest. `place` is how far whoever asks knows its past; 0 is nothing of it.
    ///
    /// # Errors
    /// If there is none in time, or the past cannot be read: then nothing may be decided in the session.
    fn begin(&self, session: &[u8; 32], place: i64) -> Result<Box<dyn SessionTurn + '_>, ServerError>;
}

/// A turn in a session. Dropping it ends it, and keeps nothing.
pub trait SessionTurn {
    /// What was allowed beyond the place that was known, oldest first; each is given once.
    fn take_missed(&mut self) -> Vec<PastCall>;

    /// How far the past reaches.
    fn place(&self) -> i64;

    /// Keeps what was allowed in this turn, and ends it: how far the past reaches now.
    ///
    /// # Errors
    /// If it could not be kept: then what was allowed must not go out.
    fn end(self: Box<Self>, allowed: &[PastCall]) -> Result<i64, ServerError>;
}
