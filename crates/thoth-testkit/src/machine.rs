//! A user's machine: a home and a project of its own, and no more environment than a desktop gives to what it starts.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::stdio_peer::{Launch, PeerError, StdioPeer};

/// What a desktop puts in `PATH`: nothing of what the user's shell adds.
pub const DESKTOP_PATH: &str = "/usr/bin:/bin";

/// How long one answer may take; `npx` alone needs a second or two, more where the machine is busy.
const ANSWER: Duration = Duration::from_secs(60);

/// One machine.
#[derive(Debug)]
pub struct Machine {
    folder: tempfile::TempDir,
    thoth: PathBuf,
    path: String,
    variables: Vec<(String, String)>,
}

impl Machine {
    /// A machine with an empty home, an empty project, and this `thoth`.
    ///
    /// # Errors
    /// When its folders cannot be made.
    pub fn new(thoth: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let machine = Self { folder, thoth: thoth.into(), path: DESKTOP_PATH.to_owned(), variables: Vec::new() };
        for folder in [machine.home(), machine.project()] {
            DirBuilder::new().mode(0o700).create(folder)?;
        }
        Ok(machine)
    }

    /// The same, whose desktop has another `PATH`.
    #[must_use]
    pub fn with_path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// The same, with one more variable for commands of Thoth.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The user's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A project, in which commands are run.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// The program under test.
    #[must_use]
    pub fn thoth(&self) -> &Path {
        &self.thoth
    }

    /// Writes a file with its folders.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)
    }

    /// Runs a command of Thoth in the project, and waits for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run<W: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = W>) -> io::Result<Output> {
        let mut command = Command::new(&self.thoth);
        command.args(words).current_dir(self.project()).env_clear();
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.env("PATH", &self.path).env("HOME", self.home()).envs(variables).output()
    }

    /// Every event of the user's ledger, which verifies. Clients kill what does not end as fast as they would like; an update
    /// that was interrupted by that is completed first, as the next session would complete it.
    ///
    /// # Errors
    /// When it does not verify, or cannot be read.
    pub fn ledger(&self) -> io::Result<Vec<Value>> {
        let interrupted = self.run(["audit", "verify"])?.status.code() == crate::gated::INTERRUPTED;
        let words: &[&str] = if interrupted { &["repair", "verify"] } else { &["verify"] };
        for word in words {
            let verified = self.run(["audit", word])?;
            if !verified.status.success() {
                return Err(io::Error::other(String::from_utf8_lossy(&verified.stderr).into_owned()));
            }
        }
        let tail = self.run(["audit", "tail", "--json", "-n", "100000"])?;
        let lines = tail.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
    }

    /// Ready to start what a client's file says, as that client would from a desktop: the words as they are, the
    /// entry's own variables, and nothing else but `PATH` and `HOME`.
    #[must_use]
    pub fn launch(&self, words: &[String], env: &[(String, String)]) -> Launch {
        // The launch itself only adds variables; `env` also takes the test's own away.
        let mut launch = Launch::new(["/usr/bin/env", "-i"]);
        launch = launch.arg(format!("PATH={}", self.path)).arg(format!("HOME={}", self.home().display()));
        launch = env.iter().fold(launch, |launch, (name, value)| launch.arg(format!("{name}={value}")));
        words.iter().fold(launch, |launch, word| launch.arg(word)).in_dir(self.project())
    }
}

/// A client's session with one server.
#[derive(Debug)]
pub struct Session {
    peer: StdioPeer,
    next: u64,
    listed: bool,
}

/// Why a session came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The server misbehaved.
    #[error("the server: {0}")]
    Peer(#[from] PeerError),
    /// The server ended.
    #[error("the server ended; its standard error: {0}")]
    Ended(String),
    /// The server wrote something else than JSON.
    #[error("the server wrote something else than JSON")]
    NotJson(#[from] serde_json::Error),
}

impl Session {
    /// Starts the server and shakes hands.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn open(launch: &Launch) -> Result<Self, SessionError> {
        let mut session = Self { peer: StdioPeer::spawn(launch)?, next: 0, listed: false };
        let client = json!({"name": "a-client", "version": "1"});
        session
            .ask("initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}))?;
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(session)
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<Value, SessionError> {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let Some(line) = self.peer.receive(ANSWER)? else {
                return Err(SessionError::Ended(self.peer.complaints()));
            };
            let message: Value = serde_json::from_slice(&line)?;
            if message.get("id") == Some(&json!(id)) {
                return Ok(message);
            }
        }
    }

    /// Calls a tool without arguments.
    ///
    /// # Errors
    /// When it is not answered.
    pub fn call(&mut self, tool: &str) -> Result<Value, SessionError> {
        if !std::mem::replace(&mut self.listed, true) {
            // As every client does before it calls anything.
            self.ask("tools/list", &json!({}))?;
        }
        self.ask("tools/call", &json!({"name": tool, "arguments": {}}))
    }

    /// Closes the session and waits for the server to end.
    ///
    /// # Errors
    /// When it does not.
    pub fn close(self) -> Result<(), SessionError> {
        self.peer.finish(ANSWER).map(drop).map_err(SessionError::from)
    }

    fn send(&mut self, message: &Value) -> Result<(), SessionError> {
        Ok(self.peer.send(format!("{message}\n").as_bytes())?)
    }
}
