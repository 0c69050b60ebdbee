//! How the threads hear that the session ends.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rings once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell(Arc<(Mutex<Option<Instant>>, Condvar)>);

impl Bell {
    /// The session ends; what is to be done until then is done by then.
    pub(crate) fn ring(&self, until: Instant) {
        let (rung, wake) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        wake.notify_all();
    }

    /// Until when something may still be done, once it has rung.
    pub(crate) fn rung(&self) -> Option<Instant> {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits that long, or until it rings.
    pub(crate) fn wait(&self, patience: Duration) {
        let (rung, wake) = &*self.0;
        let rung = rung.lock().unwrap_or_else(PoisonError::into_inner);
        drop(wake.wait_timeout_while(rung, patience, |rung| rung.is_none()));
    }
}
