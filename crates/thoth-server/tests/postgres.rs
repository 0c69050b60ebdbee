//! Servers on one database: everything that a server on a folder is tested for, and what only several can do.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

#[path = "site/balanced.rs"]
mod balanced;
#[path = "site/database.rs"]
mod database;
#[path = "published_sdk.rs"]
mod published_sdk;
#[path = "site/replicas.rs"]
mod replicas;
