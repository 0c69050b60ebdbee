//! Copies of files from before they were replaced.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan as _};

use super::{FileProblem, Found, mark};
use crate::home::{Care, private};

/// How many backups are kept of each file.
const KEPT: usize = 20;

/// The directory of all backups, `~/.thoth/backups`. Whatever secrets a file held, its copy is readable by its owner alone.
#[derive(Debug, Clone)]
pub struct Backups(PathBuf);

impl Backups {
    /// Backups in `directory`, which is created when the first one is made.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Copies what was read. On return the copy is on the disk.
    pub(super) fn save(&self, found: &Found) -> Result<PathBuf, FileProblem> {
        self.store(&found.target, found.bytes())
    }

    /// Copies something that was found beside a file.
    pub(super) fn store(&self, target: &Path, bytes: &[u8]) -> Result<PathBuf, FileProblem> {
        private(&self.0, Care::Repair)
            .map_err(|failure| FileProblem::new(format!("cannot make a backup: {}", failure.message())))?;
        let path = self.write(target, bytes).map_err(|error| {
            FileProblem::new(format!("cannot make a backup in `{}`: {error}", self.0.display()))
                .hint("make room for it, or set THOTH_HOME to a directory that you can write to; nothing was changed")
        })?;
        self.prune(target);
        Ok(path)
    }

    fn write(&self, target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        let mut time = Timestamp::now();
        let (path, mut file) = loop {
            let mut name = OsString::from(time.strftime("%Y%m%dT%H%M%S%.3fZ").to_string());
            name.push(suffix(target));
            let path = self.0.join(name);
            match File::options().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => break (path, file),
                // Two within a millisecond.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    time = time.checked_add(1.millisecond()).map_err(io::Error::other)?;
                }
                Err(error) => return Err(error),
            }
        };
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(&self.0).and_then(|directory| directory.sync_all()));
        if let Err(error) = written {
            self.discard(&path);
            return Err(error);
        }
        Ok(path)
    }

    /// Removes a backup of something that was not replaced after all.
    pub(super) fn discard(&self, path: &Path) {
        // A backup too many does no harm.
        drop(fs::remove_file(path));
    }

    /// Whether a backup of this file holds the same.
    pub(super) fn holds(&self, target: &Path, bytes: &[u8]) -> bool {
        self.of(target).iter().any(|path| fs::read(path).is_ok_and(|held| held == bytes))
    }

    /// The backups of a file, the oldest first.
    fn of(&self, target: &Path) -> Vec<PathBuf> {
        let suffix = suffix(target);
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_bytes().strip_suffix(suffix.as_bytes()).is_some_and(is_time))
        };
        let mut found: Vec<_> = entries.filter(ours).collect();
        found.sort();
        found
    }

    fn prune(&self, target: &Path) {
        let found = self.of(target);
        let excess = found.len().saturating_sub(KEPT);
        for path in found.iter().take(excess) {
            self.discard(path);
        }
    }
}

/// What the names of a file's backups end with. A long file name is cut, so that what is added fits into the 255 bytes
/// that file systems allow.
fn suffix(target: &Path) -> OsString {
    let name = target.file_name().unwrap_or_default().as_bytes();
    let name = name.get(..name.len().min(200)).unwrap_or_default();
    OsString::from_vec([b"-", name, b"-", mark(target).as_bytes()].concat())
}

/// Whether this is a time as in the names of backups.
fn is_time(text: &[u8]) -> bool {
    text.len() == "20261121T043649.123Z".len() && text.iter().all(|byte| byte.is_ascii_digit() || b"TZ.".contains(byte))
}
