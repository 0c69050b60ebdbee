//! `thoth run` that asks an enforcer, end to end: a real `thothd`, a real MCP server, and servers that only look like an
//! enforcer.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

mod database;
mod decisions;
mod documents;
mod fake;
mod fake_documents;
mod faults;
mod holds;
mod receipts;
mod reports;
mod same_answers;
mod site;
mod skew;
mod trust;
