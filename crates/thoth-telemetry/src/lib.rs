//! What a server says of itself while it runs: lines on standard error, for people or for machines ([`lines`]), and counts
//! for Prometheus ([`metrics`]).
//!
//! It decides nothing and knows no request. Labels of metrics are words of our own, never what somebody sent; lines are
//! written of events of Thoth's own crates only, since libraries tell what they were sent.

pub mod lines;
pub mod metrics;
mod process;
