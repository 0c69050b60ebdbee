//! How much a store of holds keeps, and for how long: the same whatever it is made of.

use thoth_gate::HoldsError;
use thoth_gate::hold::Hold;

/// How many calls of one agent to one server may wait for an answer.
pub const MAX_WAITING_OF_AGENT: u32 = 256;
/// How many calls may wait for an answer in all.
pub const MAX_WAITING: u32 = 4_096;
/// How many bytes of arguments the holds may have that are not over.
pub const MAX_ARGUMENT_BYTES: i64 = 64 << 20;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// How long after its end a hold's arguments are kept, in nanoseconds.
pub const KEEP_ARGUMENTS: i64 = 24 * HOUR;
/// How long after its end a hold is kept, in nanoseconds.
pub const KEEP_HOLDS: i64 = 30 * 24 * HOUR;
/// How many holds that are over are kept.
pub const MAX_OVER: i64 = 16_384;
/// How long a violation is kept whose agent has no more of them, in nanoseconds. No policy looks further back.
pub const KEEP_VIOLATIONS: i64 = 400 * 24 * HOUR;
/// How many rows the violations of one agent may take.
pub const MAX_VIOLATION_ROWS: i64 = 1_024;
/// How many rows one call cleans up at most; more than it makes, so that the rest is worked off in time.
pub const BATCH: i64 = 64;
/// Every how many new holds those that are over are counted.
pub const COUNTED_EVERY: i64 = 32;
/// How many old events one addition clears away at most beside as many as it adds, so that it stays quick.
pub const CLEARED_EVENTS: usize = 256;

/// What is there when a new hold is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many calls wait.
    pub all: i64,
    /// How many of them are of the same agent to the same server.
    pub own: i64,
    /// How many bytes of arguments the holds have that are not over.
    pub argument_bytes: i64,
}

impl Waiting {
    /// Says no where `hold` would be one too many.
    ///
    /// # Errors
    /// Then.
    pub fn admit(self, hold: &Hold) -> Result<(), HoldsError> {
        let Self { all, own, argument_bytes: bytes } = self;
        let full = |what: String| {
            Err(HoldsError::Full(format!("{what}; answer some with `thoth approvals`, or let them end")))
        };
        let more = i64::try_from(hold.arguments.len()).unwrap_or(i64::MAX);
        if own >= i64::from(MAX_WAITING_OF_AGENT) {
            full(format!("{own} calls of this agent to this server wait for an answer already, which is the most"))
        } else if all >= i64::from(MAX_WAITING) {
            full(format!("{all} calls wait for an answer already, which is the most"))
        } else if bytes.saturating_add(more) > MAX_ARGUMENT_BYTES {
            full(format!(
                "the arguments of held calls take {bytes} bytes already, and with {more} more they would take more \
                 than the most, {MAX_ARGUMENT_BYTES}"
            ))
        } else {
            Ok(())
        }
    }
}
