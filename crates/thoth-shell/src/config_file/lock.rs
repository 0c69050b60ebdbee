//! One `thoth` at a time in a directory.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::{FileProblem, parent, pause};

/// How often a taken lock is tried again, and after what time: some seconds together.
const ATTEMPTS: usize = 200;
const INTERVAL: Duration = Duration::from_millis(25);

/// Locks the directory of a file against other runs of `thoth`. The lock is the open directory's: it needs no file of its
/// own and ends with the process, however that ends. `None` where the directory cannot be locked, as on some network file
/// systems: then nothing is cleaned up, and the exchange alone keeps runs from losing each other's changes.
pub(super) fn take(target: &Path) -> Result<Option<File>, FileProblem> {
    let Ok(directory) = File::open(parent(target)) else { return Ok(None) };
    for _ in 0..ATTEMPTS {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(directory)),
            Err(Errno::WOULDBLOCK) => pause(INTERVAL),
            Err(_) => return Ok(None),
        }
    }
    Err(FileProblem::new(format!("another `thoth` is changing files in `{}`", parent(target).display()))
        .hint("wait until it has ended, then run this again"))
}
