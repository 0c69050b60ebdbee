//! The upstream server as a child process, and the one writer that reaches it.

use std::ffi::OsString;
use std::io;
use std::io::IoSlice;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use thoth_gate::Permit;

use crate::blocking::Blocking;
use crate::resolve::{ResolveError, resolve};

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
    /// Its program was not found.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
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
    pub(crate) writer: UpstreamWriter,
    pub(crate) stdout: Blocking<ChildStdout>,
    pub(crate) child: Child,
    pub(crate) group: ProcessGroup,
}

/// Starts `command` without a shell, as the leader of its own process group, with our stderr.
///
/// No variable whose name begins with `THOTH_` is handed on: the governed side neither sees our secrets nor learns how
/// it is governed.
pub(crate) fn spawn(command: &[OsString]) -> Result<Upstream, SpawnError> {
    let (program, arguments) = command.split_first().ok_or(SpawnError::NoCommand)?;
    let resolved = resolve(program, std::env::var_os("PATH").as_deref())?;
    let mut command = Command::new(resolved);
    command.arg0(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("THOTH_") {
            command.env_remove(name);
        }
    }
    let start_error = |source| SpawnError::Start { program: program.to_string_lossy().into_owned(), source };
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
    Ok(Upstream { writer: UpstreamWriter(Blocking(stdin)), stdout: Blocking(stdout), child, group })
}

/// The only way to the upstream's input.
///
/// INVARIANT (no permit, no forwarding): bytes reach it in exchange for permits and in no other way.
#[derive(Debug)]
pub(crate) struct UpstreamWriter(Blocking<ChildStdin>);

impl UpstreamWriter {
    /// Writes what the permits permit, in order.
    pub(crate) fn forward(&mut self, permits: Vec<Permit<'_>>) -> io::Result<()> {
        let mut slices: Vec<_> = permits.into_iter().map(|permit| IoSlice::new(permit.spend())).collect();
        self.0.write_all_slices(&mut slices)
    }

    /// Whether a short write would not wait.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.is_writable()
    }
}

/// The upstream and all of its descendants that did not leave the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup(Pid);

impl ProcessGroup {
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
