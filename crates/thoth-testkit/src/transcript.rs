//! Recording a whole conversation between a client and a server, at both ends, byte for byte.
//!
//! The server runs between two `tee`s, so that what it read and what it wrote is known whatever stands between it and
//! the client. One conversation can then be held against itself (what the client sent is what the server read) and
//! against the same script without anything in between.

mod client;
mod compare;
mod plausible;
mod script;

use std::path::Path;
use std::time::Duration;

pub use client::{ClientError, Revision};
pub use compare::{Comparison, Difference};
pub use script::Script;

use crate::stdio_peer::{Launch, PeerError, StdioPeer};

/// How long a server may take to end after its input has closed.
const GOODBYE: Duration = Duration::from_secs(120);

/// The server between two recorders. `$1` and `$2` are files, the rest is the server.
const RECORDER: &str = r#"read=$1; wrote=$2; shift 2; tee -- "$read" | "$@" | tee -- "$wrote""#;

/// What went wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// The client could not hold the conversation.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server or what stands before it did not behave.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A recorded file cannot be read.
    #[error("cannot read what the recorder wrote")]
    Recorder(#[from] std::io::Error),
}

/// One conversation.
#[derive(Debug)]
pub struct Recording {
    /// What the client sent.
    pub sent: Vec<u8>,
    /// What the server read.
    pub server_read: Vec<u8>,
    /// What the server wrote.
    pub server_wrote: Vec<u8>,
    /// What the client received.
    pub received: Vec<u8>,
    /// What reached standard error.
    pub stderr: Vec<u8>,
    /// Each method that the client used, with the names of tools, prompts and resources it was used on.
    pub used: std::collections::BTreeSet<String>,
}

impl Recording {
    /// Runs a script against a server, optionally with something in between, as in `thoth run -- SERVER`.
    ///
    /// # Errors
    /// When a process cannot be started, does not answer or does not end.
    pub fn make(
        server: &Launch,
        between: Option<&Launch>,
        script: &Script,
        scratch: &Path,
    ) -> Result<Self, TranscriptError> {
        let (read, wrote) = (scratch.join("server-read"), scratch.join("server-wrote"));
        let recorder = Launch::new(["sh", "-c", RECORDER, "recorder"]).arg(&read).arg(&wrote);
        let recorded = server.behind(&recorder);
        let launch = between.map_or_else(|| recorded.clone(), |between| recorded.behind(between));
        let mut client = client::Client::new(StdioPeer::spawn(&launch)?, script.revision());
        script.run(&mut client)?;
        let (peer, sent, used) = client.into_parts();
        let ended = peer.finish(GOODBYE)?;
        Ok(Self {
            sent,
            server_read: std::fs::read(read)?,
            server_wrote: std::fs::read(wrote)?,
            received: ended.stdout,
            stderr: ended.stderr,
            used,
        })
    }
}
