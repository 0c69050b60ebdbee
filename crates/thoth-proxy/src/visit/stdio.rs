//! A visited server as a child process: with no more environment than it needs, in a process group of its own, and gone
//! with all its children when the visit is over.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use thoth_endpoint::platform::{Environment, Platform};
use thoth_mcp::{FrameBuffer, Framed};
use thoth_types::json::{Limits, Tape};

use super::{Ask, MAX_MESSAGE, MAX_TOTAL, Visit, VisitError, Wire, visit};
use crate::lifeline::Lifeline;
use crate::program::{extended_path, find_in};
use crate::upstream::{ProcessGroup, SpawnError};

/// What every server is given of our environment; everything else could be a secret that is none of its business.
const INHERITED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE"];
/// And all variables that begin so.
const INHERITED_PREFIX: &str = "LC_";
/// How variables of our own begin, which no server is given even when its entry has them.
const OURS: &str = "THOTH_";

/// How long a server may take to end after its input was closed, and after it was asked to.
const GRACE: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(10);
/// How much is kept of what it writes to standard error.
const STDERR_TAIL: usize = 2048;
const CHUNK: usize = 64 * 1024;
/// Chunks on their way from the reader.
const CHUNKS: usize = 4;

/// How to start a server that is to be visited.
#[derive(Debug, Clone, Default)]
pub struct StdioVisit {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Variables beside the few that every server is given.
    pub variables: Vec<(String, OsString)>,
    /// Where it runs; `None` is our own directory.
    pub directory: Option<PathBuf>,
    /// How long the whole visit may take.
    pub limit: Duration,
}

/// Starts a server, asks what it offers, and ends it.
///
/// # Errors
/// When it cannot be started, or does not answer as it should within the time.
pub fn visit_command(how: &StdioVisit) -> Result<Visit, VisitError> {
    let mut wire = Process::start(how)?;
    let seen = visit(&mut wire);
    wire.end(seen.is_ok());
    seen
}

struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    group: ProcessGroup,
    lifeline: Option<Lifeline>,
    chunks: Receiver<Vec<u8>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_ended: Receiver<()>,
    buffer: FrameBuffer,
    received: usize,
    deadline: Instant,
    limit: Duration,
    tape: Tape,
}

impl Process {
    fn start(how: &StdioVisit) -> Result<Self, VisitError> {
        let variables = variables(how);
        let environment = Environment::new(
            Platform::current(),
            variables.iter().map(|(name, value)| (name.clone(), value.to_string_lossy().into_owned())),
        );
        let program = find_in(&how.command, &environment, how.directory.as_deref())?;
        let mut command = Command::new(&program.resolved.path);
        command.arg0(program.name).args(program.arguments).env_clear().envs(variables);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(directory) = &how.directory {
            command.current_dir(directory);
        }
        if let Some(directory) = &program.resolved.add_to_path
            && let Some(path) = extended_path(environment.get("PATH").map(OsStr::new), directory)
        {
            command.env("PATH", path);
        }
        let failed = |source| SpawnError::Start { program: program.name.to_owned(), source };
        let mut child = command.spawn().map_err(failed)?;
        let group = ProcessGroup::of(Pid::from_child(&child));
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            group.signal(Signal::KILL);
            return Err(failed(std::io::Error::other("its pipes are missing")).into());
        };
        // Without it, the server outlives us if we are killed; it still sees its input close.
        let lifeline = Lifeline::attach(group).ok();
        let (sender, chunks) = sync_channel(CHUNKS);
        thread::spawn(move || pump(stdout, &sender));
        let tail = Arc::new(Mutex::new(Vec::new()));
        let (ended, stderr_ended) = sync_channel(1);
        let kept = Arc::clone(&tail);
        thread::spawn(move || {
            keep_tail(stderr, &kept);
            drop(ended);
        });
        Ok(Self {
            child,
            stdin: Some(stdin),
            group,
            lifeline,
            chunks,
            stderr: tail,
            stderr_ended,
            buffer: FrameBuffer::new(MAX_MESSAGE),
            received: 0,
            deadline: Instant::now() + how.limit,
            limit: how.limit,
            tape: Tape::new(),
        })
    }

    fn send(&mut self, message: &[u8]) -> std::io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        stdin.write_all(&[message, b"\n"].concat()).and_then(|()| stdin.flush())
    }

    /// Looks at the lines that are there; the answer, if it is among them. Requests of the server are answered, too, so
    /// that it does not wait for us.
    fn look(&mut self, ask: &Ask<'_>) -> Result<Option<Vec<u8>>, VisitError> {
        let limits = Limits { max_bytes: MAX_MESSAGE, ..Limits::default() };
        let mut answer = None;
        let mut replies = Vec::new();
        for frame in self.buffer.frames() {
            let Framed::Line { body, .. } = frame else { return Err(VisitError::TooMuch { limit: MAX_MESSAGE }) };
            let message = match self.tape.parse(body, &limits) {
                Ok(message) => message,
                // What programs print beside the protocol. What looks like a message and is none is not passed over.
                Err(_) if !body.trim_ascii_start().starts_with(b"{") => continue,
                Err(error) => return Err(VisitError::NotJson { method: ask.method.to_owned(), code: error.code }),
            };
            match (message.get("id"), message.get("method")) {
                (Some(id), Some(method)) => replies.push(reply(id.raw(), method.is_str("ping"))),
                (Some(id), None) if answer.is_none() && id.as_u64() == Some(ask.id) => answer = Some(body.to_vec()),
                _ => {}
            }
        }
        self.buffer.consume();
        for reply in replies {
            // A server that no longer reads is told by its silence.
            drop(self.send(&reply));
        }
        Ok(answer)
    }

    fn feed(&mut self, mut chunk: &[u8]) -> Result<(), VisitError> {
        self.received = self.received.saturating_add(chunk.len());
        if self.received > MAX_TOTAL {
            return Err(VisitError::TooMuch { limit: MAX_TOTAL });
        }
        while !chunk.is_empty() {
            let spare = self.buffer.spare();
            let (now, later) = chunk.split_at(chunk.len().min(spare.len()));
            for (place, byte) in spare.iter_mut().zip(now) {
                *place = *byte;
            }
            self.buffer.advance(now.len());
            chunk = later;
        }
        Ok(())
    }

    fn ended(&self, method: &str) -> VisitError {
        // It comes at once, unless a child of the server still holds the pipe.
        let _ = self.stderr_ended.recv_timeout(GRACE);
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        VisitError::Ended { method: method.to_owned(), stderr: String::from_utf8_lossy(&tail).into_owned() }
    }

    /// Ends it: politely if it behaved.
    fn end(mut self, politely: bool) {
        self.stdin = None;
        if politely && !self.is_over_within(GRACE) {
            self.group.signal(Signal::TERM);
            self.is_over_within(GRACE);
        }
        // What it has started may still be there when it is not.
        if self.group.is_alive() {
            self.group.signal(Signal::KILL);
        }
        drop(self.child.wait());
        if let Some(lifeline) = self.lifeline.take() {
            lifeline.release();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the standard library cannot wait for a child with a deadline")]
    fn is_over_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < until => thread::sleep(STEP),
                Ok(Some(_)) => return true,
                Ok(None) | Err(_) => return false,
            }
        }
    }
}

impl Wire for Process {
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Vec<u8>, VisitError> {
        if self.send(ask.message).is_err() {
            return Err(self.ended(ask.method));
        }
        loop {
            if let Some(answer) = self.look(ask)? {
                return Ok(answer);
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => self.feed(&chunk)?,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(VisitError::TimedOut { method: ask.method.to_owned(), limit: self.limit });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(ask.method)),
            }
        }
    }

    fn tell(&mut self, method: &str, _: &str, message: &[u8]) -> Result<(), VisitError> {
        self.send(message).map_err(|_| self.ended(method))
    }
}

/// What we say to a request of the server: we are there, and can do nothing for it.
fn reply(id: &[u8], is_ping: bool) -> Vec<u8> {
    let rest: &[u8] =
        if is_ping { b",\"result\":{}}" } else { b",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}" };
    [b"{\"jsonrpc\":\"2.0\",\"id\":", id, rest].concat()
}

/// Reads until the end, or until nobody wants it.
fn pump(mut from: impl Read, to: &SyncSender<Vec<u8>>) {
    let mut room = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut room) {
        let chunk = room.get(..read).unwrap_or_default().to_vec();
        if to.send(chunk).is_err() {
            return;
        }
    }
}

fn keep_tail(mut from: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut room = [0; STDERR_TAIL];
    while let Ok(read @ 1..) = from.read(&mut room) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(room.get(..read).unwrap_or_default());
        let beyond = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..beyond);
    }
}

/// The environment of a visited server.
fn variables(how: &StdioVisit) -> Vec<(String, OsString)> {
    let own = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut variables: Vec<(String, OsString)> =
        own.filter(|(name, _)| INHERITED.contains(&&**name) || name.starts_with(INHERITED_PREFIX)).collect();
    for (name, value) in &how.variables {
        let is_ours = name.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS));
        // What could not be set at all must not keep the rest from being set.
        let is_possible = !name.is_empty() && !name.contains(['=', '\0']) && !value.to_string_lossy().contains('\0');
        if !is_ours && is_possible {
            variables.retain(|(known, _)| known != name);
            variables.push((name.clone(), value.clone()));
        }
    }
    variables
}
