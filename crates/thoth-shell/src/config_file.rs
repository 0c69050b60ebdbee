//! Configuration files that other programs write too: reading them, and replacing them so that at every instant one whole
//! file is in place, and that nothing that anybody wrote is lost.
//!
//! The new content is written beside the file and exchanged with it in one step. What the exchange took out is compared
//! with what the new content was made from: if somebody wrote in between, their file goes back into place and everything
//! begins again. Before anything is replaced, a backup is on the disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Access, AtFlags, CWD, OFlags};
use thoth_endpoint::document::Place;

use crate::exit::Failure;
use crate::terminal::{harmless_text, quoted};

mod backup;
mod leftover;
mod lock;
mod swap;

pub use backup::Backups;
pub use swap::create;
use swap::{Steps, Swap};

/// The largest file that is read, in bytes. Claude Code keeps its history in the file that names its servers; such files
/// reach some megabytes.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How often a file that others keep changing is planned anew.
const ATTEMPTS: usize = 20;

/// Why a file could not be read or replaced. If it was to be replaced, it is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the file.
    pub place: Option<Place>,
}

impl FileProblem {
    /// A problem without a place or a remedy.
    pub fn new(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, place: None }
    }

    /// Writes it to stderr.
    pub fn report(&self) {
        let failure = Failure::failed(harmless_text(&self.message));
        match &self.hint {
            Some(hint) => failure.hint(harmless_text(hint)),
            None => failure,
        }
        .report();
    }

    /// The same, at a place in the file.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl std::fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

/// A file as it was read.
#[derive(Debug)]
pub struct Found {
    /// The file itself, not a link to it.
    target: PathBuf,
    held: Held,
}

/// What a file holds, and how it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    bytes: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Found {
    /// The content as it was read.
    pub fn bytes(&self) -> &[u8] {
        &self.held.bytes
    }

    /// Permission bits.
    pub const fn mode(&self) -> u32 {
        self.held.mode
    }
}

/// A file that was replaced, or needed no change.
#[derive(Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Where the earlier content is; none when nothing was changed.
    pub backup: Option<PathBuf>,
    /// Content that an interrupted run had left beside the file, and where it is kept now.
    pub rescued: Vec<PathBuf>,
}

/// Reads a regular file, or the one that a link leads to. It waits for no pipe, and reads no endless device.
pub fn read(path: &Path) -> Result<Found, FileProblem> {
    let shown = path.display();
    let problem = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound if path.is_symlink() => {
            FileProblem::new(format!("`{shown}` is a link to a file that does not exist"))
        }
        ErrorKind::NotFound => FileProblem::new(format!("there is no file `{shown}`")),
        ErrorKind::PermissionDenied => FileProblem::new(format!("cannot read `{shown}`: {error}"))
            .hint("run `thoth` as the user to whom it belongs"),
        _ => FileProblem::new(format!("cannot read `{shown}`: {error}")),
    };
    let not_regular = |kind: fs::FileType| {
        let what = if kind.is_dir() { "a directory" } else { "a pipe, a device or a socket" };
        FileProblem::new(format!("cannot read `{shown}`: it is {what}; a configuration is a regular file"))
    };
    let target = fs::canonicalize(path).map_err(|e| problem(&e))?;
    let kind = fs::metadata(&target).map_err(|e| problem(&e))?.file_type();
    if !kind.is_file() {
        return Err(not_regular(kind));
    }
    match held(&target).map_err(|e| problem(&e))? {
        Look::Regular(held) => Ok(Found { target, held }),
        Look::TooLong(bytes) => {
            Err(FileProblem::new(format!("`{shown}` is {bytes} bytes long; the most is {MAX_BYTES}")))
        }
        Look::Other(kind) => Err(not_regular(kind)),
    }
}

/// What stands at a path.
#[derive(Debug)]
enum Look {
    Regular(Held),
    TooLong(u64),
    Other(fs::FileType),
}

/// Looks at a path without following a link and without waiting.
fn held(path: &Path) -> std::io::Result<Look> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Look::Other(metadata.file_type()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > MAX_BYTES {
        return Ok(Look::TooLong(metadata.len().max(length)));
    }
    Ok(Look::Regular(Held { bytes, mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() }))
}

/// Replaces a file by what `plan` makes of its content; `None` leaves it as it is. Whenever somebody else writes the file
/// at the same time, their content is planned anew.
pub fn rewrite(
    path: &Path,
    backups: &Backups,
    plan: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, FileProblem>,
) -> Result<Rewritten, FileProblem> {
    rewrite_in(path, backups, plan, &Steps::REAL)
}

fn rewrite_in(
    path: &Path,
    backups: &Backups,
    mut plan: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, FileProblem>,
    steps: &Steps<'_>,
) -> Result<Rewritten, FileProblem> {
    let mut rescued = Vec::new();
    for _ in 0..ATTEMPTS {
        let found = read_settled(path, steps.fresh)?;
        // Held until the file is replaced.
        let lock = lock::take(&found.target)?;
        if lock.is_some() {
            rescued.extend(leftover::clear(&found, backups)?);
        }
        let planned = plan(found.bytes());
        // A program that writes in place was perhaps not done; what it leaves in the end counts.
        if !matches!(&planned, Ok(Some(_))) && changed(&found) {
            continue;
        }
        let Some(new) = planned?.filter(|new| new != found.bytes()) else {
            return Ok(Rewritten { backup: None, rescued });
        };
        replaceable(path, &found)?;
        let backup = backups.save(&found)?;
        match swap::replace(path, &found, &new, steps) {
            Ok(Swap::Done) => return Ok(Rewritten { backup: Some(backup), rescued }),
            Ok(Swap::Outrun) => backups.discard(&backup),
            Err(problem) => {
                backups.discard(&backup);
                return Err(problem);
            }
        }
    }
    Err(FileProblem::new(format!(
        "`{}` is changed by another program again and again; it was left alone",
        path.display()
    ))
    .hint("quit the program that it belongs to, then run this again"))
}

/// Reads a file; one that was written just now is given a moment.
fn read_settled(path: &Path, moment: Duration) -> Result<Found, FileProblem> {
    let fresh = || {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
        modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < moment))
    };
    for _ in 0..3 {
        if !fresh() {
            break;
        }
        pause(moment);
    }
    read(path)
}

fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "other programs do not tell when they are done with a file")]
    std::thread::sleep(time);
}

/// Whether the file is another one by now.
fn changed(found: &Found) -> bool {
    !matches!(held(&found.target), Ok(Look::Regular(now)) if now == found.held)
}

/// Refuses what its owner has closed to changes, whatever the rights of this process: a rename would get around it.
fn replaceable(path: &Path, found: &Found) -> Result<(), FileProblem> {
    let shown = path.display();
    let target = found.target.display();
    let Held { mode, uid, .. } = found.held;
    let user = rustix::process::geteuid();
    if !user.is_root() && user.as_raw() != uid {
        return Err(FileProblem::new(format!("`{shown}` belongs to another user"))
            .hint("run `thoth` as that user, or write to another file with --output"));
    }
    if mode & 0o200 == 0 || !may(&found.target, Access::WRITE_OK) {
        return Err(FileProblem::new(format!("`{shown}` is read-only (mode {mode:03o})"))
            .hint(format_args!("run `chmod u+w {}`, or write to another file with --output", quoted(target))));
    }
    let links = fs::metadata(&found.target).map_or(1, |metadata| metadata.nlink());
    if links > 1 {
        return Err(FileProblem::new(format!(
            "`{shown}` has {links} names (hard links); replacing it would part them"
        ))
        .hint("make the others symbolic links to it, or write to another file with --output"));
    }
    let directory = parent(&found.target);
    let mode = fs::metadata(directory).map_or(0o700, |metadata| metadata.mode() & 0o7777);
    if mode & 0o222 == 0 || !may(directory, Access::WRITE_OK | Access::EXEC_OK) {
        let directory = directory.display();
        return Err(FileProblem::new(format!("the directory of `{shown}` is read-only (mode {mode:03o})"))
            .hint(format_args!("run `chmod u+w {}`, or write to another file with --output", quoted(directory))));
    }
    Ok(())
}

fn may(path: &Path, access: Access) -> bool {
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("/"))
}

/// By what a file is known in the names of backups and of temporary files.
fn mark(target: &Path) -> String {
    use sha2::{Digest as _, Sha256};
    use std::os::unix::ffi::OsStrExt as _;
    let digest = Sha256::digest(target.as_os_str().as_bytes());
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
