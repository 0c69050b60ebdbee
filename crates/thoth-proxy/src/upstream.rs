//! The upstream server as a child process, and the one writer that reaches it.

use std::io;
use std::io::IoSlice;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use thoth_endpoint::program::{NotFound, UnsafeArgument};
use thoth_gate::Permit;

use crate::blocking::Blocking;
use crate::program::{Program, extended_path, withheld_variables};

/// Room in the pipes to and from the upstream, in bytes: a large result fits, so that the sides rarely wait for each
/// other in the middle of it, and all of it still fits a processor's cache; more was measured to be slower. Linux grants
/// an unprivileged process up to 1 MiB (`/proc/sys/fs/pipe-max-size`).
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 256 * 1024;

/// The upstream could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No command was given.
    #[error("no server command; put it after `--`, as in `thoth run -- npx -y @modelcontextprotocol/server-memory`")]
    NoCommand,
    /// Its program was not found, or what was found is none.
    #[error("{0}")]
    NotFound(NotFound),
    /// Its program's name is not Unicode, so that no rule could be applied to it.
    #[error("the program's name `{}` is not Unicode; give it another name", .0.escape_debug())]
    NotUnicode(String),
    /// Its arguments cannot reach it as they are.
    #[error("cannot start `{program}`: {source}")]
    Arguments {
        /// The program.
        program: String,
        /// What is in the way.
        source: UnsafeArgument,
    },
    /// The system refused to start it.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A started upstream, taken apart: each part goes to the thread that needs it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) input: UpstreamInput,
    pub(crate) stdout: Blocking<ChildStdout>,
    pub(crate) child: Child,
    pub(crate) group: ProcessGroup,
}

/// Starts a program without a shell, as the leader of its own process group, with our stderr.
pub(crate) fn spawn(program: &Program<'_>) -> Result<Upstream, SpawnError> {
    let mut command = Command::new(&program.resolved.path);
    command.arg0(program.name).args(program.arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    for name in withheld_variables() {
        command.env_remove(name);
    }
    if let Some(directory) = &program.resolved.add_to_path
        && let Some(path) = extended_path(std::env::var_os("PATH").as_deref(), directory)
    {
        command.env("PATH", path);
    }
    let start_error = |source| SpawnError::Start { program: program.name.to_owned(), source };
    let mut child = command.spawn().map_err(start_error)?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(start_error(io::Error::other("its pipes are missing")));
    };
    #[cfg(target_os = "linux")]
    {
        // Only a matter of speed: a refusal leaves the default of 64 KiB.
        let _ = rustix::pipe::fcntl_setpipe_size(&stdin, PIPE_BYTES);
        let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_BYTES);
    }
    let group = ProcessGroup(Pid::from_child(&child));
    let input = UpstreamInput { writer: Mutex::new(Some(Blocking(stdin))), closing: AtomicBool::new(false) };
    Ok(Upstream { input, stdout: Blocking(stdout), child, group })
}

/// The only way to the upstream's input, shared by both directions.
///
/// INVARIANT (no permit, no forwarding): bytes reach it in exchange for permits and in no other way.
#[derive(Debug)]
pub(crate) struct UpstreamInput {
    writer: Mutex<Option<Blocking<ChildStdin>>>,
    closing: AtomicBool,
}

impl UpstreamInput {
    /// Writes what the permits permit, in order, and waits for as long as that takes.
    pub(crate) fn forward(&self, permits: Vec<Permit<'_>>) -> io::Result<()> {
        if permits.is_empty() {
            return Ok(());
        }
        let written = match &mut *self.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(writer) => spend(writer, permits),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        self.close_if_asked();
        written
    }

    /// Writes at most `PIPE_BUF` bytes if that can be done without waiting, and otherwise nothing.
    pub(crate) fn forward_at_once(&self, permit: Permit<'_>) {
        if let Some(mut writer) = self.try_lock()
            && let Some(writer) = &mut *writer
            && writer.is_writable()
        {
            drop(spend(writer, vec![permit]));
        }
        self.close_if_asked();
    }

    /// Closes it, without waiting: while somebody is stuck writing to an upstream that does not read, it is closed by
    /// that writer, as soon as it is done. Waiting here would keep us from ending such an upstream.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.close_if_asked();
    }

    /// Called after the lock was released: whoever held it when `close` came by sees the flag here.
    fn close_if_asked(&self) {
        if self.closing.load(Ordering::SeqCst)
            && let Some(mut writer) = self.try_lock()
        {
            writer.take();
        }
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Option<Blocking<ChildStdin>>>> {
        match self.writer.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

fn spend(writer: &mut Blocking<ChildStdin>, permits: Vec<Permit<'_>>) -> io::Result<()> {
    let frames: Vec<_> = permits.into_iter().map(Permit::spend).collect();
    let mut slices: Vec<_> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
    writer.write_all_slices(&mut slices)
}

/// The upstream and all of its descendants that did not leave the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup(Pid);

impl ProcessGroup {
    /// The group that a process leads.
    pub(crate) const fn of(leader: Pid) -> Self {
        Self(leader)
    }

    pub(crate) fn from_raw(id: i32) -> Option<Self> {
        // Group 1 and below would reach beyond the upstream.
        Pid::from_raw(id).filter(|_| id > 1).map(Self)
    }

    pub(crate) fn id(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    /// Whether any member is left, a zombie included.
    pub(crate) fn is_alive(self) -> bool {
        test_kill_process_group(self.0).is_ok()
    }

    /// Sends a signal to all members; members that are gone already are no error.
    pub(crate) fn signal(self, signal: Signal) {
        let _ = kill_process_group(self.0, signal);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use thoth_audit::{ContentKey, ContentMode};
    use thoth_gate::{Gate, Standing};

    use super::*;
    use crate::rehearsal::{Nowhere, start};

    /// A signal must end a session even while a write to an upstream that does not read is stuck.
    #[test]
    fn closing_does_not_wait_for_a_stuck_writer() {
        let Upstream { input, mut child, group, stdout: _stdout } = start(&["sleep", "1000"]);
        let input = Arc::new(input);
        let stuck = Arc::clone(&input);
        let writer = std::thread::spawn(move || {
            let reason = "unused".to_owned();
            let gate =
                Gate::new(Standing::Invalid { reason }, Arc::new(Nowhere), ContentMode::None, ContentKey::new([0; 32]));
            // More than any pipe takes.
            let line = vec![b' '; 8 * 1024 * 1024];
            stuck.forward(vec![gate.speak(&line)])
        });
        while input.try_lock().is_some() {
            std::thread::yield_now();
        }
        input.close();
        assert!(!writer.is_finished(), "the upstream reads nothing");
        group.signal(Signal::KILL);
        child.wait().unwrap();
        assert!(writer.join().unwrap().is_err());
        assert!(input.try_lock().unwrap().is_none(), "the writer closed it");
    }
}
