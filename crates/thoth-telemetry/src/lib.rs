//! What a server says of itself while it runs: lines on standard error, for people or for machines ([`lines`]), counts
//! for Prometheus ([`metrics`]), and where it is wanted, spans for a collector of OpenTelemetry ([`traces`]).
//!
//! It decides nothing. Labels of metrics and attributes of spans are words of our own, never what somebody sent; lines are
//! written of events of Thoth's own crates only, since libraries tell what they were sent.

pub mod lines;
pub mod metrics;
mod process;
pub mod traces;
