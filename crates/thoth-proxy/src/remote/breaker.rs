//! Whether to ask at all: an enforcer that is gone costs the next calls nothing but a look at the clock.

/// So many failures one after the other, and nobody is asked for a while.
const FAILURES: u32 = 3;
/// How long that while is at first, in microseconds, and at most. It doubles as long as one try after it fails, too.
const FIRST_US: u64 = 1_000_000;
const LONGEST_US: u64 = 30_000_000;

/// Counts failures. Only what an outage does counts as one: a refusal is an answer.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// When one may try again, and after which pause.
    try_again_us: u64,
    pause_us: u64,
    /// Whether one tries.
    trying: bool,
}

impl Breaker {
    /// Whether a call may be asked about now. While it is broken, one may each time that a pause is over.
    pub(super) const fn may_ask(&mut self, now_us: u64) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        if now_us < self.try_again_us {
            return false;
        }
        // The others wait for what becomes of this one. If that is never heard, because its call was cancelled, another one
        // tries after the same time.
        self.try_again_us = now_us.saturating_add(self.pause_us);
        self.trying = true;
        true
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Calls that were under way when it broke fail after that, too, and say nothing new.
    pub(super) fn failed(&mut self, now_us: u64) {
        if self.failures < FAILURES {
            self.failures += 1;
            if self.failures < FAILURES {
                return;
            }
        } else if !std::mem::take(&mut self.trying) {
            return;
        }
        self.pause_us = self.pause_us.saturating_mul(2).clamp(FIRST_US, LONGEST_US);
        self.try_again_us = now_us.saturating_add(self.pause_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn broken() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert!(breaker.may_ask(0));
            breaker.failed(0);
        }
        breaker
    }

    /// An outage costs a few calls their time; afterwards one call in a while tries, and one answer ends it.
    #[test]
    fn it_breaks_tries_and_mends() {
        let mut breaker = broken();
        assert!(!breaker.may_ask(SECOND - 1));
        assert!(breaker.may_ask(SECOND), "one tries");
        assert!(!breaker.may_ask(SECOND), "and no other");
        breaker.failed(SECOND);
        assert!(!breaker.may_ask(3 * SECOND - 1), "longer each time");
        assert!(breaker.may_ask(3 * SECOND));
        breaker.succeeded();
        assert!((0..10).all(|_| breaker.may_ask(3 * SECOND)));
    }

    /// However many calls were under way, and however long it lasts, the next try comes soon.
    #[test]
    fn pauses_are_bounded() {
        let mut breaker = broken();
        (0..100).for_each(|_| breaker.failed(0));
        assert!(breaker.may_ask(SECOND), "the calls that were under way say nothing new");
        // A try of which nothing is heard again does not stop the next one.
        assert!(!breaker.may_ask(SECOND) && breaker.may_ask(2 * SECOND));
        let mut now = 2 * SECOND;
        for _ in 0..100 {
            breaker.failed(now);
            now += LONGEST_US;
            assert!(breaker.may_ask(now));
        }
    }

    /// An answer between failures: they were not one after the other.
    #[test]
    fn only_failures_in_a_row_count() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.failed(0);
            breaker.failed(0);
            breaker.succeeded();
            assert!(breaker.may_ask(0));
        }
    }
}
