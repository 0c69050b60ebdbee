//! What a person reads on stderr. Standard output belongs to the protocol.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Repeated notices of one kind that are shown one by one; later ones only at every doubling.
const SHOWN: u64 = 16;

/// Writes one line to stderr. There is nowhere to report that this failed.
pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "thoth: {text}"));
}

/// Keeps a flood of like events from becoming a flood of notices and records.
#[derive(Debug, Default)]
pub(crate) struct Repeated(AtomicU64);

impl Repeated {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Writes one line to stderr, if it is worth showing.
    pub(crate) fn say(&self, text: &str) {
        match self.worth_showing() {
            None => {}
            Some(nth) if nth <= SHOWN => say(text),
            Some(nth) => say(&format!("{text} (number {nth})")),
        }
    }

    /// Counts one more, and returns its number if it is worth showing.
    pub(crate) fn worth_showing(&self) -> Option<u64> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        (nth <= SHOWN || nth.is_power_of_two()).then_some(nth)
    }
}

/// Evidence that could not be written: one cause makes many failures.
pub(crate) static NO_EVIDENCE: Repeated = Repeated::new();
