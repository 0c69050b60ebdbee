//! The enforcer: an HTTP server that is asked about every call that the local gate would let through.
//!
//! The client's direction owns the [`Decider`]: the calls that wait for an answer, and the way to the thread that asks.
//! What comes of an answer is for the gate to say, to which the call is put again together with it.

mod asker;
mod attempts;
mod breaker;
mod modified;
mod question;
mod reading;
mod room;

use std::time::Duration;

use thoth_api::Enforcer;
use thoth_endpoint::settings::FailureDecision;

pub(crate) use asker::Wake;
pub(crate) use modified::with_arguments;
pub(crate) use question::Questioner;
pub(crate) use reading::Said;
pub(crate) use room::{Decider, Waiting};

/// How long a connection may take where nobody says: what the source system's clients allow.
pub const DEFAULT_CONNECT: Duration = Duration::from_secs(2);
/// The same for a whole answer, attempts to get it included.
pub const DEFAULT_ANSWER: Duration = Duration::from_secs(5);

/// How an enforcer is asked.
#[derive(Debug)]
pub struct RemoteOptions {
    /// The enforcer.
    pub enforcer: Enforcer,
    /// How long the decision about a call may take, attempts to get it included.
    pub within: Duration,
    /// What a call gets when the enforcer cannot be asked.
    pub failure: FailureDecision,
    /// What the machine is for: `dev`, `staging`, `prod`.
    pub environment: &'static str,
    /// The fleet that the machine is in; a key for a fleet decides for no other.
    pub fleet: Option<String>,
}
