//! The clock: policies have time windows, evidence has dates, and holds expire.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Check;

const NAME: &str = "clock";
/// How far ahead of us the ledger may be before the clock counts as set back: other machines' clocks may have written
/// into it.
const TOLERANCE: Duration = Duration::from_mins(5);
/// The clock cannot be right before this program was written: 2026-11-01.
const EARLIEST: Timestamp = Timestamp::constant(1_793_491_200, 0);

/// Judges `now` by the date of this program and by the newest event of the ledger.
pub(crate) fn clock(now: Timestamp, newest_event: Option<Timestamp>) -> Check {
    let remedy = "set the clock, or turn time synchronisation on";
    if now < EARLIEST {
        return Check::failure(NAME, format!("it is set to {now:.0}, which is in the past"), remedy);
    }
    let ahead = newest_event.map_or(SignedDuration::ZERO, |event| event.duration_since(now));
    if ahead > SignedDuration::try_from(TOLERANCE).unwrap_or(SignedDuration::MAX) {
        return Check::failure(
            NAME,
            format!("it is set to {now:.0}, but the newest event of the ledger is {ahead:#} later"),
            remedy,
        );
    }
    Check::ok(NAME, format!("{now:.0}"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// A clock that went back is found by what has been recorded.
    #[test]
    fn the_clock_is_judged_by_the_program_and_the_ledger() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-21T05:00:00Z");
        for (now, newest, verdict) in [
            (now, None, Verdict::Ok),
            (now, Some("2026-11-21T04:59:59Z"), Verdict::Ok),
            (now, Some("2026-11-21T05:04:59Z"), Verdict::Ok),
            (now, Some("2026-11-21T05:05:01Z"), Verdict::Failure),
            (now, Some("2031-01-01T00:00:00Z"), Verdict::Failure),
            (at("1970-01-01T00:00:09Z"), None, Verdict::Failure),
            (at("2026-10-31T23:59:59Z"), None, Verdict::Failure),
        ] {
            let check = clock(now, newest.map(at));
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }
}
