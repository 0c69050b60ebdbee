//! How long to wait between two tries.

use std::time::Duration;

use thoth_api::{HttpError, RemoteError};

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

/// Whether the enforcer could not be heard, which says nothing of what it would say. Not where somebody else was heard, in its
/// place or before it, or where a governed agent could bring it about.
pub(crate) const fn is_outage(error: &RemoteError) -> bool {
    match error {
        RemoteError::Http(error) => matches!(
            error,
            HttpError::NoAddress { .. }
                | HttpError::NoConnection { .. }
                | HttpError::Timeout { .. }
                | HttpError::Broken { .. }
        ),
        RemoteError::Refused { status, .. } => matches!(*status, 500..=599),
        RemoteError::Unreadable { .. } | RemoteError::Mismatch(_) | RemoteError::Unwritable => false,
    }
}

/// Whether it is a server of ours that says so, and not something before it.
pub(crate) fn is_told(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Refused { told, .. } if told.code.is_some())
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

    /// Only what says nothing of the enforcer's mind is an outage; and of those it is the enforcer itself that says some.
    #[test]
    fn the_table_of_outages() {
        let refused = |status, code: Option<&str>| RemoteError::Refused {
            url: String::new(),
            status,
            told: Told { code: code.map(str::to_owned), ..Told::default() },
            retry_after: None,
        };
        let host = String::new;
        for (error, outage, told) in [
            (refused(401, Some("unauthorized")), false, true),
            (refused(403, None), false, false),
            (refused(404, Some("not_found")), false, true),
            (refused(429, Some("rate_limited")), false, true),
            (refused(503, None), true, false),
            (refused(503, Some("unavailable")), true, true),
            (HttpError::NoConnection { host: host(), reason: host() }.into(), true, false),
            (HttpError::Untrusted { host: host(), reason: host() }.into(), false, false),
            (HttpError::BadRedirect { host: host(), what: host() }.into(), false, false),
            (HttpError::TooLarge { url: host(), limit: 1 }.into(), false, false),
            (RemoteError::Unwritable, false, false),
        ] {
            assert_eq!((is_outage(&error), is_told(&error)), (outage, told), "{error:?}");
        }
    }
}
