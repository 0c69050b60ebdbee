//! The HTTP contract; for now what every connection shares: the TLS settings, the HTTPS client, and the probe that
//! tells a person what is wrong with a connection.
//!
//! It reads no environment variables and no files: whoever has them hands over their texts. It knows no route yet.

mod client;
mod exchange;
mod fault;
mod probe;
mod tls;
mod verifier;

pub use client::{Body, Client, Timeouts};
pub use exchange::{Exchange, Reply};
pub use fault::HttpError;
pub use probe::{Finding, Reachability, Step, Verdict, probe};
pub use reqwest::Url;
pub use tls::{CaBundle, Pin, TlsSettingError, TlsSettings};
