//! Whether a session's machine is in quarantine: then all of its calls are refused, from the next one on.
//!
//! Whoever administers the machine says so elsewhere; here is only kept what was heard last. It can only tighten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by whoever hears of a quarantine and the session that heeds it.
#[derive(Debug, Clone, Default)]
pub struct Quarantine(Arc<AtomicBool>);

impl Quarantine {
    /// Says how the machine stands. Whether that is new.
    pub fn set(&self, quarantined: bool) -> bool {
        // A call that is made after somebody was told of the change must find it.
        self.0.swap(quarantined, Ordering::AcqRel) != quarantined
    }

    /// Whether all calls are refused.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
