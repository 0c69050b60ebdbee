//! One question until there is an answer or the time is up. It is asked again only where the enforcer cannot have heard it:
//! a decision may hold a call or use an approval up.

use std::time::Duration;

use thoth_api::contract::enforce::{Envelope, Request};
use thoth_api::{Enforcer, HttpError, RemoteError};
use tokio::time::{Instant, sleep, timeout_at};

/// How often it is asked again.
const AGAIN: u32 = 2;
/// How long it is waited before that, at least and at most, in milliseconds; twice as long the second time.
const PAUSE_MS: u64 = 50;
const SPREAD_MS: u64 = 100;

/// Asks. Takes no longer than `within`, whatever the other side does.
pub(super) async fn decide(enforcer: &Enforcer, request: &Request, within: Duration) -> Result<Envelope, RemoteError> {
    let deadline = Instant::now() + within;
    let mut attempt = 0;
    loop {
        let Ok(answer) = timeout_at(deadline, enforcer.decide(request)).await else {
            let host = "the enforcer".to_owned();
            return Err(HttpError::Timeout { host, connected: true }.into());
        };
        let Err(error) = answer else { return answer };
        let Some(pause) = pause(&error, attempt).filter(|_| attempt < AGAIN) else { return Err(error) };
        if Instant::now() + pause >= deadline {
            return Err(error);
        }
        sleep(pause).await;
        attempt += 1;
    }
}

/// How long to wait before asking again; nothing where that must not be.
fn pause(error: &RemoteError, attempt: u32) -> Option<Duration> {
    let asked_for = match error {
        RemoteError::Http(
            HttpError::NoAddress { .. } | HttpError::NoConnection { .. } | HttpError::Timeout { connected: false, .. },
        ) => None,
        // An enforcer says with a code what is wrong; what says nothing stands before it, and has not reached it.
        RemoteError::Refused { status: 502..=504, told, retry_after, .. } if told.code.is_none() => *retry_after,
        _ => return None,
    };
    let shortest = PAUSE_MS << attempt;
    let mut random = [0; 8];
    // Without randomness all wait equally long.
    let _ = getrandom::fill(&mut random);
    let spread = u64::from_le_bytes(random) % (SPREAD_MS << attempt);
    let own = Duration::from_millis(shortest + spread);
    Some(asked_for.map_or(own, |seconds| own.max(Duration::from_secs(seconds))))
}

#[cfg(test)]
mod tests {
    use thoth_api::contract::fault::Told;

    use super::*;

    fn refused(status: u16, code: Option<&str>, retry_after: Option<u64>) -> RemoteError {
        let told = Told { code: code.map(str::to_owned), ..Told::default() };
        RemoteError::Refused { url: "u".to_owned(), status, told, retry_after }
    }

    fn http(connected: bool) -> RemoteError {
        HttpError::Timeout { host: "h".to_owned(), connected }.into()
    }

    /// Nothing is asked twice that may have been heard once.
    #[test]
    fn what_is_asked_again() {
        for (error, again) in [
            (http(false), true),
            (http(true), false),
            (HttpError::NoConnection { host: "h".to_owned(), reason: "refused".to_owned() }.into(), true),
            (HttpError::Broken { host: "h".to_owned(), reason: "reset".to_owned() }.into(), false),
            (HttpError::WrongPin { host: "h".to_owned(), reason: "x".to_owned() }.into(), false),
            (refused(502, None, None), true),
            (refused(503, None, None), true),
            (refused(504, None, None), true),
            (refused(503, Some("unavailable"), None), false),
            (refused(500, None, None), false),
            (refused(429, None, Some(1)), false),
            (refused(401, None, None), false),
        ] {
            assert_eq!(pause(&error, 0).is_some(), again, "{error}");
        }
        assert!(pause(&refused(503, None, Some(3)), 0) >= Some(Duration::from_secs(3)));
        let second = pause(&http(false), 1).unwrap();
        assert!((Duration::from_millis(100)..Duration::from_millis(300)).contains(&second), "{second:?}");
    }
}
