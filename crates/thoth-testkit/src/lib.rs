//! Test support: real peers, whole conversations, and slow, obvious second implementations to hold the fast ones against.
//!
//! For tests only; no product crate depends on this one outside `[dev-dependencies]`.

pub mod balancer;
pub mod bypass;
pub mod client_files;
pub mod collector;
pub mod conformance;
pub mod fixtures;
pub mod fleet_suite;
pub mod gated;
pub mod holds_suite;
pub mod independent_verifier;
pub mod index_suite;
pub mod machine;
pub mod memory_holds;
pub mod memory_pins;
pub mod naive_policy;
pub mod pins_suite;
pub mod plain_http;
pub mod postgres;
pub mod pty;
pub mod readers;
pub mod records_suite;
pub mod session_bus;
pub mod stdio_peer;
pub mod tenant_suite;
pub mod transcript;
