//! A command in a terminal of its own, with a test at the keyboard.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command whose standard input, output and error are a terminal.
#[derive(Debug)]
pub struct Pty {
    controller: File,
    child: Child,
    seen: Vec<u8>,
}

impl Pty {
    /// Starts a command in a terminal of so many columns and 40 lines.
    ///
    /// # Errors
    /// When there is no terminal to be had, or the command cannot be started.
    pub fn spawn(command: &mut Command, columns: u16) -> io::Result<Self> {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&controller)?;
        unlockpt(&controller)?;
        let name = ptsname(&controller, Vec::new())?;
        let user: OwnedFd = open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        tcsetwinsize(&user, Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
        let input = Stdio::from(user.try_clone()?);
        let output = Stdio::from(user.try_clone()?);
        let child = command.stdin(input).stdout(output).stderr(Stdio::from(user)).spawn()?;
        // The command keeps copies of the terminal's end; while they are open, the end is never reached.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { controller: File::from(controller), child, seen: Vec::new() })
    }

    /// Everything that the terminal was sent so far.
    #[must_use]
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Waits until the terminal has shown a text.
    ///
    /// # Errors
    /// When the command ends before that, or takes too long.
    pub fn wait_for(&mut self, text: &str) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen().contains(text) {
            if !self.read(deadline)? {
                return Err(io::Error::other(format!("it ended without `{text}`: {}", self.seen())));
            }
        }
        Ok(())
    }

    /// Types.
    ///
    /// # Errors
    /// When nothing reads it any more.
    pub fn keys(&mut self, text: &str) -> io::Result<()> {
        self.controller.write_all(text.as_bytes())
    }

    /// Waits for the end of the command. Returns how it ended and everything that the terminal was sent.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn finish(mut self) -> io::Result<(ExitStatus, String)> {
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline)? {}
        let status = self.child.wait()?;
        Ok((status, self.seen()))
    }

    /// Takes the terminal away, and waits for the end of the command.
    ///
    /// # Errors
    /// When it does not end.
    pub fn hang_up(self) -> io::Result<ExitStatus> {
        let Self { controller, child, .. } = &mut { self };
        // Nothing else has the controlling end: when this one is another file, the terminal is gone.
        *controller = File::open("/dev/null")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it goes on without its terminal"));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Reads what there is, or waits for it. False at the end.
    fn read(&mut self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: 0 };
        if left.is_zero() || poll(&mut [PollFd::new(&self.controller.as_fd(), PollFlags::IN)], Some(&timeout))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing more came after: {}", self.seen())));
        }
        let mut buffer = [0; 4096];
        match self.controller.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.seen.extend(buffer.iter().take(count));
                Ok(true)
            }
            // What Linux says when nobody has the other end any more.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It has ended by now, unless a test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
