//! A watchdog that outlives us just long enough to end the upstream when we were killed with `SIGKILL`.
//!
//! It is this same executable, started with a pipe as its standard input. When we end in order we write one byte;
//! when the pipe closes without it, we were killed, and the watchdog ends the upstream's process group. Parent-death
//! signals would reach only the direct child, and `npx` and its like have children of their own.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::upstream::ProcessGroup;

/// The hidden subcommand under which the executable is a watchdog.
pub const SUBCOMMAND: &str = "__lifeline";
/// How long the upstream may take between `SIGTERM` and `SIGKILL`.
const GRACE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(20);

/// Our end of the line.
#[derive(Debug)]
pub(crate) struct Lifeline(Option<Child>);

impl Lifeline {
    /// Starts the watchdog. Failing to is reported and not fatal: the upstream still sees its input close.
    pub(crate) fn attach(group: ProcessGroup) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args([SUBCOMMAND, &group.id().to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self(Some(child)))
    }

    /// Ends the watchdog in order.
    pub(crate) fn release(mut self) {
        if let Some(mut child) = self.0.take() {
            if let Some(mut line) = child.stdin.take() {
                // If it is gone already there is nobody to tell.
                drop(line.write_all(b"."));
            }
            drop(child.wait());
        }
    }
}

/// The watchdog's whole life. `group` is the process group to end.
///
/// # Errors
/// If `group` is not the id of a process group that could be an upstream's.
pub fn watch(group: i32) -> io::Result<()> {
    let group = ProcessGroup::from_raw(group).ok_or(io::ErrorKind::InvalidInput)?;
    let mut byte = [0];
    // Not `read`, which an unrelated signal would end: that must not look like our death.
    if io::stdin().read_exact(&mut byte).is_ok() {
        return Ok(());
    }
    end_group(group);
    Ok(())
}

/// `SIGTERM`, some time to comply, then `SIGKILL`.
#[expect(clippy::disallowed_methods, reason = "a group has no descriptor that becomes readable when it is gone")]
pub(crate) fn end_group(group: ProcessGroup) {
    group.signal(Signal::TERM);
    let mut waited = Duration::ZERO;
    while group.is_alive() {
        if waited >= GRACE {
            group.signal(Signal::KILL);
            return;
        }
        thread::sleep(STEP);
        waited += STEP;
    }
}
