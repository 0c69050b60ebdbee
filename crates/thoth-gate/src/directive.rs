//! The enforcer's own policy, where this machine has it: it refuses calls here that the enforcer would refuse, and where it
//! says so calls that it allows need not be asked about.
//!
//! Whoever keeps it has verified who wrote it and whom it is for; here is only what it says, and until when. It decides
//! beside the policy in force and never instead of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use thoth_policy::Policy;
use thoth_types::ENFORCED_SERVER;

use crate::inspector::Inspector;

/// How far the clock of whoever wrote it may be ahead of ours.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// One version of it.
#[derive(Debug)]
pub struct Directive {
    pub(crate) policy: Policy,
    pub(crate) inspector: Inspector,
    /// Whether what it allows need not be asked about.
    pub(crate) decides: bool,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl Directive {
    /// A policy as the enforcer has it, from when it was written until it expires. `decides`: what it allows need not be
    /// asked about.
    #[must_use]
    pub fn new(policy: Policy, decides: bool, issued_at: Timestamp, expires_at: Timestamp) -> Self {
        let inspector = Inspector::new(Some(&policy), ENFORCED_SERVER);
        // INVARIANT (failure tightens): of a call that is decided here the enforcer does not hear. Where it takes all of
        // them to know what is to be asked about, it must be asked about each.
        let decides = decides && !policy.asks_by_history();
        Self { policy, inspector, decides, issued_at, expires_at }
    }

    /// Whether what it allows need not be asked about, as far as it is for it to say.
    #[must_use]
    pub const fn decides(&self) -> bool {
        self.decides
    }

    /// Whether it says anything at this time. By a clock that is far behind it cannot be told when it expires.
    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        let begins = self.issued_at.saturating_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN);
        begins <= now && now < self.expires_at
    }
}

/// Shared by whoever hears of the enforcer's policy and the session that heeds it, from the next round on.
#[derive(Debug, Clone, Default)]
pub struct Directives(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    current: ArcSwapOption<Directive>,
    relied_on: AtomicBool,
}

impl Directives {
    /// Puts another version in the place of the one before; or none.
    pub fn put(&self, directive: Option<Directive>) {
        self.0.current.store(directive.map(Arc::new));
    }

    /// Says whether it is known to be what the enforcer has, as far as that can be known. Where it is not, each call is asked
    /// about; what it refuses is refused all the same.
    pub fn rely(&self, on: bool) {
        self.0.relied_on.store(on, Ordering::Release);
    }

    /// The digest of the one that is there, and whether calls that it allows need not be asked about.
    #[must_use]
    pub fn current(&self) -> Option<(Arc<str>, bool)> {
        let decides = self.0.relied_on.load(Ordering::Acquire);
        self.0.current.load_full().map(|one| (one.policy.digest_arc(), one.decides && decides))
    }

    /// What holds for the calls of one round.
    pub(crate) fn now(&self) -> Directed {
        // This first: one that is put in place while it is not relied on is not taken for one that is.
        let relied_on = self.0.relied_on.load(Ordering::Acquire);
        Directed { directive: self.0.current.load_full(), relied_on }
    }
}

/// What holds for the calls of one round.
#[derive(Debug, Default)]
pub(crate) struct Directed {
    pub(crate) directive: Option<Arc<Directive>>,
    pub(crate) relied_on: bool,
}
