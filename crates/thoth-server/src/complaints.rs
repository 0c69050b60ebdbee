//! What goes wrong with every call, said on standard error once in a while and not once per call.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use thoth_shell::terminal::note;

/// How long after a complaint the next one waits.
const PAUSE: Duration = Duration::from_secs(10);

/// The complaints about one thing.
#[derive(Debug)]
pub(crate) struct Complaints {
    about: String,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    said: Option<Instant>,
    /// Those that were not said since.
    kept_back: u64,
}

impl Latest {
    /// How many were not said, if this one may be.
    fn next(&mut self, now: Instant) -> Option<u64> {
        if self.said.is_some_and(|said| now.duration_since(said) < PAUSE) {
            self.kept_back += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.kept_back))
    }
}

impl Complaints {
    pub(crate) fn new(about: String) -> Self {
        Self { about, latest: Mutex::default() }
    }

    /// Says it, or counts it if the last one was just said.
    pub(crate) fn say(&self, what: impl Display) {
        let next = self.latest.lock().unwrap_or_else(PoisonError::into_inner).next(Instant::now());
        match next {
            Some(0) => note(format_args!("{}: {what}", self.about)),
            Some(more) => note(format_args!("{}: {what}; and {more} like it before", self.about)),
            None => {}
        }
    }

    /// Says how many were kept back and not told of since.
    pub(crate) fn say_rest(&self) {
        let rest = std::mem::take(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner).kept_back);
        if rest > 0 {
            note(format_args!("{}: the last complaint came {rest} more times", self.about));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever calls cannot fill the disk with messages, and none is lost from the count.
    #[test]
    fn a_flood_is_one_line_with_a_count() {
        let (mut latest, began) = (Latest::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        for (seconds, expected) in
            [(0, Some(0)), (1, None), (9, None), (10, Some(2)), (11, None), (25, Some(1)), (40, Some(0))]
        {
            assert_eq!(latest.next(at(seconds)), expected, "{seconds}");
        }
    }
}
