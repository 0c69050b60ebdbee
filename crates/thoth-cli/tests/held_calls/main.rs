//! Held calls, end to end: real clients of both protocol eras in front of `thoth run` and a real server, and a person
//! who answers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail the test"
)]

mod binding;
mod client;
mod crowd;
mod elicit;
mod inline;
mod site;
mod ticket;
