//! What tools say about themselves: findings, fingerprints and drift.
//!
//! Pure functions over text and parsed JSON. Nothing here decides what becomes of a finding: that is policy. All input
//! is hostile: every scan is a bounded number of linear passes under caps, and what exceeds a cap is itself a finding.

pub mod definition;
pub mod finding;
pub mod fingerprint;
pub mod look_alike;
pub mod role;
pub mod rules;
pub mod threat;
