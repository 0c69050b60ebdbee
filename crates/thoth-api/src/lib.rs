//! The HTTP contract: what enforcers and their clients say to each other ([`contract`]), and what every connection shares:
//! the TLS settings, the HTTPS client, and the probe that tells a person what is wrong with a connection.
//!
//! It reads no environment variables, no files and no clock: whoever has them hands over their texts.

mod client;
pub mod contract;
mod exchange;
mod fault;
mod probe;
mod remote;
mod tls;
mod traceparent;
mod verifier;

pub use client::{Body, Client, Timeouts};
pub use exchange::{Exchange, Reply};
pub use fault::HttpError;
pub use probe::{Finding, Reachability, Step, Verdict, probe};
pub use remote::{Administration, Enforcer, RemoteError, SealedPolicy, login_config};
pub use reqwest::Url;
pub use tls::{CaBundle, Pin, TlsSettingError, TlsSettings};
pub use traceparent::Traceparent;
