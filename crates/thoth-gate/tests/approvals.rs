//! Calls that need a person, from the ruling to the record: who is asked, what an answer lets through, and what is left
//! of it when something fails.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[path = "approvals/batches.rs"]
mod batches;
#[path = "approvals/continuations.rs"]
mod continuations;
#[path = "approvals/definitions.rs"]
mod definitions;
#[path = "approvals/failures.rs"]
mod failures;
#[path = "approvals/grants.rs"]
mod grants;
#[path = "approvals/one_call.rs"]
mod one_call;
#[path = "approvals/transitions.rs"]
mod transitions;
#[path = "approvals/violations.rs"]
mod violations;
#[path = "approvals/world.rs"]
mod world;
