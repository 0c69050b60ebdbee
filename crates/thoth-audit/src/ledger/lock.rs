//! The lock under which the tree is read and written as a whole.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::files;

/// The file that is locked. While somebody integrates, it holds one byte: if that is still there once the lock is
/// free, an integration was interrupted.
pub(crate) const LOCK_FILE: &str = "integrate.lock";

/// The longest time between two attempts to take the lock.
const LONGEST_PAUSE: Duration = Duration::from_micros(800);

/// Gives others a chance to take the lock, between two rounds of somebody who has much to do.
#[expect(clippy::disallowed_methods, reason = "file locks have no queue; a pause longer than that of waiters is one")]
pub(crate) fn give_way() {
    std::thread::sleep(LONGEST_PAUSE * 2);
}

/// The lock, held.
#[derive(Debug)]
pub(crate) struct TreeLock {
    file: File,
}

impl TreeLock {
    /// Takes the lock if nobody has it.
    pub(crate) fn try_exclusive(root: &Path) -> io::Result<Option<Self>> {
        let file = files::open_or_create(&root.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, waiting for others up to `patience`.
    pub(crate) fn exclusive(root: &Path, patience: Duration) -> io::Result<Option<Self>> {
        waiting(patience, || Self::try_exclusive(root))
    }

    /// Takes the lock together with other readers. A directory without a lock file is one that nobody writes to.
    pub(crate) fn shared(root: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let file = files::open_regular(&root.join(LOCK_FILE))?;
        waiting(patience, || match file.try_lock_shared() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        })
        .map(|locked| locked.map(|()| Self { file }))
    }

    /// Whether an integration was interrupted.
    pub(crate) fn is_marked(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() > 0)
    }

    /// Notes that the tree is being changed.
    pub(crate) fn mark(&mut self, sync: bool) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(b"1")?;
        if sync { self.file.sync_data() } else { Ok(()) }
    }

    /// Notes that the tree is whole.
    pub(crate) fn unmark(&mut self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

#[expect(clippy::disallowed_methods, reason = "a file lock cannot be waited for with a deadline")]
fn waiting<T>(patience: Duration, mut attempt: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(done) = attempt()? {
            return Ok(Some(done));
        }
        if start.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
