//! Visiting a server to learn what it offers, for scans: the handshake, and its lists page by page. Nothing is called,
//! read or subscribed to, and nothing that a visited server sends goes anywhere else.
//!
//! The answers are kept as the bytes that came. A typed client would be shorter, and would drop what its types do not
//! know; it is just there that a definition can hide something.

mod session;
mod stdio;

use std::time::Duration;

use thoth_types::json::JsonErrorCode;

use crate::upstream::SpawnError;

pub use session::visit;
pub use stdio::{StdioVisit, visit_command};

/// The longest message of a visited server.
pub const MAX_MESSAGE: usize = 16 << 20;
/// What a visited server may send altogether.
pub const MAX_TOTAL: usize = 64 << 20;

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// A JSON object of `instructions` and the lists, every element as it came.
    pub document: Vec<u8>,
    /// The revision that was spoken.
    pub protocol: String,
    /// What could not be had.
    pub gaps: Vec<Gap>,
}

/// A list that could not be had, or not completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Its name, such as `prompts`.
    pub list: &'static str,
    /// Why.
    pub problem: String,
}

/// Why a server could not be visited.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// It was not started.
    #[error("{0}")]
    Spawn(#[from] SpawnError),
    /// It took too long.
    #[error("it did not answer `{method}` within {} s", .limit.as_secs())]
    TimedOut {
        /// What it was asked.
        method: String,
        /// How long the whole visit may take.
        limit: Duration,
    },
    /// It ended.
    #[error("it ended before it answered `{method}`{}", said(.stderr))]
    Ended {
        /// What it was asked.
        method: String,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// It sent what no strict reader takes; the gate would not forward it either.
    #[error("its answer to `{method}` is not acceptable JSON: {code}")]
    NotJson {
        /// What it was asked.
        method: String,
        /// What is wrong.
        code: JsonErrorCode,
    },
    /// It sent more than it may.
    #[error("it sent more than {} MiB", .limit >> 20)]
    TooMuch {
        /// The limit that it went beyond.
        limit: usize,
    },
    /// It answered with an error.
    #[error("it answered `{method}` with error {code}: {message}")]
    Refused {
        /// What it was asked.
        method: String,
        /// The error's code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// It answered with something else than the protocol says.
    #[error("its answer to `{method}` {what}")]
    Malformed {
        /// What it was asked.
        method: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The connection does not work.
    #[error("{0}")]
    Connection(String),
}

fn said(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join(" / ");
    if last.is_empty() { String::new() } else { format!("; it said: {last}") }
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Its id.
    pub id: u64,
    /// Its method.
    pub method: &'a str,
    /// The revision that is spoken; `None` while that is not known.
    pub protocol: Option<&'a str>,
    /// The whole message, without a line end.
    pub message: &'a [u8],
}

/// A way to a server.
pub trait Wire {
    /// Sends a request and waits for the message that answers it.
    ///
    /// # Errors
    /// When none comes.
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Vec<u8>, VisitError>;

    /// Sends a notification.
    ///
    /// # Errors
    /// When it cannot be sent.
    fn tell(&mut self, method: &str, protocol: &str, message: &[u8]) -> Result<(), VisitError>;
}
