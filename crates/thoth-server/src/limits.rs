//! How many requests a tenant may make per minute, and how that is told.

use std::num::NonZeroU32;
use std::sync::{PoisonError, RwLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The requests that each tenant may make in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Calls to decide; and as many explanations.
    pub enforce: NonZeroU32,
    /// Batches of events.
    pub events: NonZeroU32,
    /// Questions about a held call.
    pub polls: NonZeroU32,
    /// Machines that register or check in.
    pub endpoints: NonZeroU32,
    /// Everything else: lists, answers, keys.
    pub governance: NonZeroU32,
}

const fn per_minute(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for Rates {
    /// What the published clients were told to expect; and 5000 machines that check in every minute.
    fn default() -> Self {
        Self {
            enforce: per_minute(500),
            events: per_minute(1000),
            polls: per_minute(200),
            endpoints: per_minute(5000),
            governance: per_minute(300),
        }
    }
}

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Enforce,
    Explain,
    Events,
    Poll,
    Endpoint,
    Governance,
}

impl Kind {
    /// A word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Explain => "explain",
            Self::Events => "events",
            Self::Poll => "poll",
            Self::Endpoint => "endpoint",
            Self::Governance => "governance",
        }
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// The limits of one tenant. They may be set anew at any time.
#[derive(Debug)]
pub(crate) struct Limits {
    buckets: RwLock<Buckets>,
    clock: DefaultClock,
}

#[derive(Debug)]
struct Buckets {
    enforce: Limiter,
    explain: Limiter,
    events: Limiter,
    polls: Limiter,
    endpoints: Limiter,
    governance: Limiter,
    rates: Rates,
}

/// How a request stands to its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    limit: u32,
    remaining: u32,
    /// Seconds until one more passes; 0 while any does.
    retry_after: u64,
}

impl Buckets {
    fn new(rates: Rates) -> Self {
        let limiter = |rate| RateLimiter::direct(Quota::per_minute(rate)).with_middleware();
        Self {
            enforce: limiter(rates.enforce),
            explain: limiter(rates.enforce),
            events: limiter(rates.events),
            polls: limiter(rates.polls),
            endpoints: limiter(rates.endpoints),
            governance: limiter(rates.governance),
            rates,
        }
    }
}

impl Limits {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { buckets: RwLock::new(Buckets::new(rates)), clock: DefaultClock::default() }
    }

    /// Has other limits hold. What was counted is forgotten then; the same limits change nothing.
    pub(crate) fn set(&self, rates: Rates) {
        if self.buckets.read().unwrap_or_else(PoisonError::into_inner).rates != rates {
            *self.buckets.write().unwrap_or_else(PoisonError::into_inner) = Buckets::new(rates);
        }
    }

    /// Counts one request. An error if it is one too many.
    pub(crate) fn take(&self, kind: Kind) -> Result<Standing, Standing> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        let (limiter, rate) = match kind {
            Kind::Enforce => (&buckets.enforce, buckets.rates.enforce),
            Kind::Explain => (&buckets.explain, buckets.rates.enforce),
            Kind::Events => (&buckets.events, buckets.rates.events),
            Kind::Poll => (&buckets.polls, buckets.rates.polls),
            Kind::Endpoint => (&buckets.endpoints, buckets.rates.endpoints),
            Kind::Governance => (&buckets.governance, buckets.rates.governance),
        };
        match limiter.check() {
            Ok(state) => {
                Ok(Standing { limit: rate.get(), remaining: state.remaining_burst_capacity(), retry_after: 0 })
            }
            Err(denied) => {
                let wait = denied.wait_time_from(self.clock.now());
                // Rounded up: who comes back earlier is refused again.
                Err(Standing { limit: rate.get(), remaining: 0, retry_after: wait.as_secs() + 1 })
            }
        }
    }
}

impl Standing {
    /// Tells it in the headers of the answer.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.retry_after));
        if self.retry_after > 0 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind has its own count, and the refusal says when to come back.
    #[test]
    fn one_too_many_is_refused_and_told() {
        let rates = Rates { enforce: per_minute(2), ..Rates::default() };
        let limits = Limits::new(rates);
        let mut headers = HeaderMap::new();
        for remaining in ["1", "0"] {
            limits.take(Kind::Enforce).unwrap().tell(&mut headers);
            assert_eq!((&headers[LIMIT], &headers[REMAINING]), (&"2".parse().unwrap(), &remaining.parse().unwrap()));
            assert!(!headers.contains_key(header::RETRY_AFTER));
        }
        limits.take(Kind::Enforce).unwrap_err().tell(&mut headers);
        let wait: u64 = headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=31).contains(&wait), "{wait}");
        assert!(limits.take(Kind::Poll).is_ok());
    }
}
