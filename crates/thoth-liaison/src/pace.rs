//! How long to wait between two tries.

use std::time::Duration;

use thoth_api::RemoteError;

/// The first pause after a failure; it doubles with each that follows, up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// No answer makes us wait longer than this: a session that is told to wait for a year would never tell anything again.
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// The pause after so many failures in a row, the first counted as 1; longer where the answer asks for that.
pub(crate) fn after(failures: u32, error: &RemoteError) -> Duration {
    let own = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let asked = match error {
        RemoteError::Refused { retry_after: Some(seconds), .. } => Duration::from_secs(*seconds).min(LONGEST_ASKED),
        _ => Duration::ZERO,
    };
    shorter(own).max(asked)
}

/// Up to a fifth shorter, by chance: many machines that were started together do not come together.
pub(crate) fn shorter(pause: Duration) -> Duration {
    let mut random = [0; 4];
    // Without randomness all wait equally long.
    let _ = getrandom::fill(&mut random);
    let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    pause.mul_f64(part.mul_add(-0.2, 1.0))
}

#[cfg(test)]
mod tests {
    use thoth_api::contract::fault::Told;

    use super::*;

    /// Pauses grow, are bounded, and heed what the server asks for.
    #[test]
    fn the_table_of_pauses() {
        let refused =
            |retry_after| RemoteError::Refused { url: String::new(), status: 503, told: Told::default(), retry_after };
        for (failures, asked, expected) in [
            (1, None, 1.0),
            (2, None, 2.0),
            (5, None, 16.0),
            (7, None, 60.0),
            (u32::MAX, None, 60.0),
            (1, Some(30), 30.0),
            (1, Some(1_000_000), 600.0),
        ] {
            let pause = after(failures, &refused(asked)).as_secs_f64();
            assert!(pause <= expected && pause >= expected * 0.79, "{failures} {asked:?}: {pause}");
        }
    }
}
