//! Reading and writing a file descriptor that somebody else may have made non-blocking.
//!
//! A host may hand us a pipe whose open file description it shares and has set to `O_NONBLOCK`; changing the flag back
//! would change it for the host too, so we wait with `poll` instead.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A descriptor that blocks, whatever its flags say.
#[derive(Debug)]
pub(crate) struct Blocking<T>(pub(crate) T);

impl<T: AsFd> Blocking<T> {
    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.0, flags)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn retry<R>(&mut self, flags: PollFlags, mut attempt: impl FnMut(&mut T) -> io::Result<R>) -> io::Result<R> {
        loop {
            match attempt(&mut self.0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(flags)?,
                done => return done,
            }
        }
    }

    /// Waits until there is something to read, or its end, but no longer than this. Whether there is; a failure counts as
    /// something, which reading then tells.
    pub(crate) fn is_readable_within(&self, patience: Duration) -> bool {
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience)).map_or(true, |ready| ready > 0)
    }

    /// The same, ended as well by something else that can be read.
    pub(crate) fn is_readable_before(&self, other: &impl AsFd, patience: Duration) -> bool {
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        let mut both = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(other, PollFlags::IN)];
        let failed = poll(&mut both, Some(&patience)).is_err();
        let [own, _] = both;
        failed || !own.revents().is_empty()
    }

    /// Whether a write of up to `PIPE_BUF` bytes would not wait.
    pub(crate) fn is_writable(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Writes all the slices, in order, with as few system calls as the kernel allows.
    pub(crate) fn write_all_slices(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()>
    where
        T: Write,
    {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.write_vectored(slices)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => IoSlice::advance_slices(&mut slices, written),
            }
        }
        Ok(())
    }
}

impl<T: Read + AsFd> Read for Blocking<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry(PollFlags::IN, |inner| inner.read(buffer))
    }
}

impl<T: Write + AsFd> Write for Blocking<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.retry(PollFlags::OUT, |inner| inner.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.retry(PollFlags::OUT, |inner| inner.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
