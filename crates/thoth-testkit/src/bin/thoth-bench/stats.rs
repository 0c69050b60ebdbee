//! Latencies and their percentiles.

use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn push(&mut self, one: Duration) {
        self.0.push(one);
    }

    pub(crate) fn extend(&mut self, more: Vec<Duration>) {
        self.0.extend(more);
    }

    /// Microseconds below which `percent` of the measurements lie.
    pub(crate) fn percentile(&mut self, percent: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = (last as f64 * percent / 100.0).round() as usize;
        self.0.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
    }
}
