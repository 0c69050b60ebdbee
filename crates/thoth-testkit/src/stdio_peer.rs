//! A child process on three pipes, driven by a test: bytes in, bytes out, deadlines, no sleeping.
//!
//! It knows nothing about MCP. Whatever the child does, the test ends: every wait has a deadline, and the whole process
//! group is killed when the peer is dropped.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines that may wait for the test to read them before the child is held up.
const BACKLOG: usize = 1 << 16;

/// What to start, where, and with which additions to the environment.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    words: Vec<OsString>,
    dir: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
}

impl Launch {
    /// A program and its arguments.
    pub fn new<W: Into<OsString>>(words: impl IntoIterator<Item = W>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn arg(mut self, word: impl Into<OsString>) -> Self {
        self.words.push(word.into());
        self
    }

    /// The same, started in a folder.
    #[must_use]
    pub fn in_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The same with one more variable in the environment.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// This command as the arguments of another, as in `thoth run -- CMD`. The folder is this one's, the environment
    /// is both.
    #[must_use]
    pub fn behind(&self, front: &Self) -> Self {
        Self {
            words: front.words.iter().chain(&self.words).cloned().collect(),
            dir: self.dir.clone(),
            env: front.env.iter().chain(&self.env).cloned().collect(),
        }
    }

    /// The program and its arguments.
    #[must_use]
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// Ready to be started by other means.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        // Nothing that a test holds is announced to whoever runs it.
        command
            .args(words)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }
}

/// What went wrong with a child.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// The reason.
        source: io::Error,
    },
    /// It did not take the bytes.
    #[error("cannot write to the child")]
    Write(#[source] io::Error),
    /// Its standard input was closed before.
    #[error("the input of the child is closed already")]
    Closed,
    /// It said nothing in time.
    #[error("the child said nothing for {0:?}; its standard error: {1}")]
    Silent(Duration, String),
    /// It did not end in time.
    #[error("the child did not end within {0:?}; its standard error: {1}")]
    Hangs(Duration, String),
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// Everything it wrote to standard output, from its start.
    pub stdout: Vec<u8>,
    /// Everything it wrote to standard error.
    pub stderr: Vec<u8>,
    /// Its exit status.
    pub status: ExitStatus,
}

/// A running child.
#[derive(Debug)]
pub struct StdioPeer {
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    received: Vec<u8>,
    errors: Receiver<Vec<u8>>,
    seen_errors: Vec<u8>,
    ended: Receiver<io::Result<ExitStatus>>,
    pid: u32,
    threads: Vec<JoinHandle<()>>,
}

impl StdioPeer {
    /// Starts the child in its own process group.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(launch: &Launch) -> Result<Self, PeerError> {
        let mut command = launch.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let failed = |source| PeerError::Start { program: program_of(launch), source };
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id();
        let stdin = child.stdin.take();
        let (line_out, lines) = sync_channel(BACKLOG);
        let (error_out, errors) = sync_channel(BACKLOG);
        let (end_out, ended) = sync_channel(1);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let threads = vec![
            std::thread::spawn(move || {
                let Some(stdout) = stdout else { return };
                let mut reader = BufReader::with_capacity(1 << 16, stdout);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                    if line_out.send(std::mem::take(&mut line)).is_err() {
                        return;
                    }
                }
            }),
            std::thread::spawn(move || {
                let Some(mut stderr) = stderr else { return };
                let mut chunk = vec![0; 1 << 12];
                while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                    let Some(bytes) = chunk.get(..count) else { return };
                    if error_out.send(bytes.to_vec()).is_err() {
                        return;
                    }
                }
            }),
            std::thread::spawn(move || {
                // Nobody listens any more once the peer has been dropped.
                drop(end_out.send(wait(child)));
            }),
        ];
        Ok(Self { stdin, lines, received: Vec::new(), errors, seen_errors: Vec::new(), ended, pid, threads })
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Writes all bytes to the child, as they are.
    ///
    /// # Errors
    /// When the child does not take them, for example because it has ended.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        let stdin = self.stdin.as_mut().ok_or(PeerError::Closed)?;
        stdin.write_all(bytes).and_then(|()| stdin.flush()).map_err(PeerError::Write)
    }

    /// The next line of the child with its line end; `None` once it has closed its output.
    ///
    /// # Errors
    /// When nothing comes within the time.
    pub fn receive(&mut self, within: Duration) -> Result<Option<Vec<u8>>, PeerError> {
        match self.lines.recv_timeout(within) {
            Ok(line) => {
                self.received.extend_from_slice(&line);
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(PeerError::Silent(within, self.complaints())),
        }
    }

    /// Closes the child's standard input, which tells it to end.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// What the child has written to standard error so far.
    pub fn complaints(&mut self) -> String {
        self.seen_errors.extend(self.errors.try_iter().flatten());
        String::from_utf8_lossy(&self.seen_errors).into_owned()
    }

    /// Closes the child's input, reads its output to the end and waits for it.
    ///
    /// # Errors
    /// When that takes longer than the time.
    pub fn finish(mut self, within: Duration) -> Result<Ended, PeerError> {
        self.close();
        let deadline = Instant::now() + within;
        let left = || deadline.saturating_duration_since(Instant::now());
        while self.receive(left()).map_err(|_| PeerError::Hangs(within, self.complaints()))?.is_some() {}
        let hangs = |peer: &mut Self| PeerError::Hangs(within, peer.complaints());
        let status = self.ended.recv_timeout(left()).map_err(|_| hangs(&mut self))?;
        loop {
            match self.errors.recv_timeout(left()) {
                Ok(bytes) => self.seen_errors.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(hangs(&mut self)),
            }
        }
        let status = status.map_err(|source| PeerError::Start { program: "wait".to_owned(), source })?;
        Ok(Ended { stdout: std::mem::take(&mut self.received), stderr: std::mem::take(&mut self.seen_errors), status })
    }
}

impl Drop for StdioPeer {
    fn drop(&mut self) {
        self.stdin = None;
        // The group outlives its leader while a grandchild holds a pipe, so it is killed whether or not the leader ended.
        if let Some(group) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        // The threads end with the pipes, unless a stranger holds them; then they end with the test.
        for thread in self.threads.drain(..).filter(JoinHandle::is_finished) {
            drop(thread.join());
        }
    }
}

fn wait(mut child: Child) -> io::Result<ExitStatus> {
    child.wait()
}

fn program_of(launch: &Launch) -> String {
    launch.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(120);

    #[test]
    fn bytes_pass_unchanged_in_both_directions() {
        let mut peer = StdioPeer::spawn(&Launch::new(["cat"])).unwrap();
        peer.send(b"one\r\n\xff\n").unwrap();
        assert_eq!(peer.receive(SOON).unwrap().unwrap(), b"one\r\n");
        peer.send(b"no line end").unwrap();
        let ended = peer.finish(SOON).unwrap();
        assert_eq!(ended.stdout, b"one\r\n\xff\nno line end");
        assert!(ended.status.success());
    }

    #[test]
    fn a_child_that_does_not_end_is_reported_and_killed() {
        let script = "echo to stderr >&2; exec sleep 600";
        let peer = StdioPeer::spawn(&Launch::new(["sh", "-c", script])).unwrap();
        let error = peer.finish(Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, PeerError::Hangs(..)), "{error}");
    }

    #[test]
    fn standard_error_and_status_are_kept() {
        let launch = Launch::new(["sh", "-c", "echo \"$WORD\" >&2; exit 7"]).env("WORD", "why");
        let ended = StdioPeer::spawn(&launch).unwrap().finish(SOON).unwrap();
        assert_eq!(ended.stderr, b"why\n");
        assert_eq!(ended.status.code(), Some(7));
    }
}
