//! The two clocks, read in one place.

use std::sync::OnceLock;
use std::time::Instant;

use thoth_gate::Moment;

/// Now.
pub(crate) fn now() -> Moment {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let elapsed = ORIGIN.get_or_init(Instant::now).elapsed();
    Moment { wall: jiff::Timestamp::now(), monotonic_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX) }
}
