//! Putting new content in a file's place.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Gid, Uid, XattrFlags};
use rustix::io::Errno;

use super::leftover::Names;
use super::{FileProblem, Found, Held, Look, changed, held, parent};

/// How often what others wrote is put back before this is given up. Each time takes another write within microseconds.
const EXCHANGES: usize = 1000;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    /// The new content is in place.
    Done,
    /// Somebody else wrote the file; what they wrote is in place.
    Outrun,
}

/// The moments between the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Created,
    Written,
    Ready,
    Exchanged,
    PutBack,
    Compared,
    Removed,
}

/// How the steps are done; another way in tests.
pub(super) struct Steps<'a> {
    pub(super) exchange: &'a dyn Fn(&Path, &Path) -> rustix::io::Result<()>,
    pub(super) after: &'a dyn Fn(Step),
    /// A file that was written this recently may be half there: programs that write in place empty it first.
    pub(super) fresh: Duration,
}

impl Steps<'_> {
    pub(super) const REAL: Self = Self { exchange: &exchange, after: &|_| (), fresh: Duration::from_millis(20) };
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn exchange(_: &Path, _: &Path) -> rustix::io::Result<()> {
    Err(Errno::NOSYS)
}

/// Puts `new` in the place of what was found, and nothing else's. If this fails, the file is as it was.
pub(super) fn replace(shown: &Path, found: &Found, new: &[u8], steps: &Steps<'_>) -> Result<Swap, FileProblem> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| FileProblem::new(format!("cannot get randomness: {error}")))?;
    let names = Names::new(&found.target, u64::from_be_bytes(random));
    let problem = |error: io::Error| {
        let problem = FileProblem::new(format!("cannot replace `{}`: {error}", shown.display()));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                problem.hint("make room beside it; it was left as it was")
            }
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                problem.hint("it was left as it was; write to another file with --output")
            }
            _ => problem.hint("it was left as it was"),
        }
    };
    let ours = match prepare(&names, found, new, steps) {
        Ok(ours) => ours,
        Err(error) => {
            drop(fs::remove_file(&names.unused));
            drop(fs::remove_file(&names.exchanged));
            return Err(problem(error));
        }
    };
    if changed(found) {
        drop(fs::remove_file(&names.exchanged));
        return Ok(Swap::Outrun);
    }
    match (steps.exchange)(&names.exchanged, &found.target) {
        Ok(()) => {
            (steps.after)(Step::Exchanged);
            settle(&names, found, ours, steps).map_err(|error| {
                FileProblem::new(format!("cannot tell whether `{}` was replaced: {error}", shown.display()))
                    .hint(format_args!("what was taken out is `{}`; look at both files", names.exchanged.display()))
            })
        }
        Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {
            // The next best: the file was looked at a moment ago, and a backup of what it held exists.
            rename(&names, found).map_err(problem)?;
            (steps.after)(Step::Exchanged);
            Ok(Swap::Done)
        }
        Err(error) => {
            drop(fs::remove_file(&names.exchanged));
            // Removed, or replaced by a directory, in this very moment.
            if error == Errno::NOENT { Ok(Swap::Outrun) } else { Err(problem(error.into())) }
        }
    }
}

/// Writes the new file, complete and on the disk, kept as the old one is.
fn prepare(names: &Names, found: &Found, new: &[u8], steps: &Steps<'_>) -> io::Result<Held> {
    let old = File::open(&found.target)?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&names.unused)?;
    (steps.after)(Step::Created);
    file.write_all(new)?;
    (steps.after)(Step::Written);
    let Held { mode, uid, gid, bytes: _ } = found.held;
    let (made_uid, made_gid) = match held(&names.unused)? {
        Look::Regular(made) => (made.uid, made.gid),
        _ => return Err(io::Error::other("something else has taken the place of our own file")),
    };
    if (made_uid, made_gid) != (uid, gid) {
        let owner = (made_uid != uid).then(|| Uid::from_raw(uid));
        rustix::fs::fchown(&file, owner, Some(Gid::from_raw(gid)))?;
    }
    copy_attributes(&old, &file)?;
    // Last: a change of owner clears bits, and an access list sets them.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    let ours = Held { bytes: new.to_vec(), mode, uid, gid };
    if !matches!(held(&names.unused)?, Look::Regular(made) if made == ours) {
        return Err(io::Error::other("its mode and owner cannot be kept"));
    }
    fs::rename(&names.unused, &names.exchanged)?;
    (steps.after)(Step::Ready);
    Ok(ours)
}

/// Access lists and other attributes. What the system keeps for itself it also sets by itself.
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    let mut list = vec![0; rustix::fs::flistxattr_query(from).unwrap_or_default()];
    if list.is_empty() {
        return Ok(());
    }
    let length = rustix::fs::flistxattr(from, &mut list[..]).unwrap_or_default();
    list.truncate(length);
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(length) = rustix::fs::fgetxattr_query(from, name) else { continue };
        let mut value = vec![0; length];
        let Ok(length) = rustix::fs::fgetxattr(from, name, &mut value[..]) else { continue };
        value.truncate(length);
        let set = rustix::fs::fsetxattr(to, name, &value, XattrFlags::empty());
        let by_system = [&b"security."[..], b"trusted.", b"com.apple."].iter().any(|start| name.starts_with(start));
        if !by_system {
            set?;
        }
    }
    Ok(())
}

/// What stands at a place, as far as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    File(Held),
    /// A file that is too long, a link, a directory: nothing of ours, and never equal to anything.
    Foreign,
}

/// After an exchange: if it took out what was expected, that is removed. Otherwise what it took out is newer than what
/// the new content was made from, and goes back into place; if that in turn takes out something unexpected, then somebody
/// wrote yet again, and theirs goes back. In the end the newest content is in place, and what is removed is what it
/// followed upon.
fn settle(names: &Names, found: &Found, ours: Held, steps: &Steps<'_>) -> io::Result<Swap> {
    let mut in_place = Content::File(ours);
    let mut expected = Content::File(found.held.clone());
    let mut is_ours = true;
    for _ in 0..EXCHANGES {
        let out = look(&names.exchanged)?;
        if out == expected && out != Content::Foreign {
            (steps.after)(Step::Compared);
            sync(parent(&found.target))?;
            fs::remove_file(&names.exchanged)?;
            (steps.after)(Step::Removed);
            return Ok(if is_ours { Swap::Done } else { Swap::Outrun });
        }
        (steps.exchange)(&names.exchanged, &found.target)?;
        (steps.after)(Step::PutBack);
        expected = std::mem::replace(&mut in_place, out);
        is_ours = false;
    }
    Err(io::Error::other("other programs keep writing it"))
}

fn look(path: &Path) -> io::Result<Content> {
    match held(path) {
        Ok(Look::Regular(held)) => Ok(Content::File(held)),
        Ok(Look::TooLong(_) | Look::Other(_)) => Ok(Content::Foreign),
        // A link is not followed; a socket cannot be opened.
        Err(error) if error.kind() != ErrorKind::NotFound => Ok(Content::Foreign),
        Err(error) => Err(error),
    }
}

fn rename(names: &Names, found: &Found) -> io::Result<()> {
    let renamed = fs::rename(&names.exchanged, &found.target);
    if renamed.is_err() {
        drop(fs::remove_file(&names.exchanged));
    }
    renamed?;
    sync(parent(&found.target))
}

/// Makes a directory's names last. Some file systems cannot; then there is nothing more to do.
fn sync(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        outcome => outcome,
    }
}

/// Writes a file that is not there yet, complete or not at all.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileProblem> {
    let problem = |error: io::Error| FileProblem::new(format!("cannot write `{}`: {error}", path.display()));
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(problem)?;
    file.write_all(bytes).map_err(problem)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(problem)?;
    file.as_file().sync_all().map_err(problem)?;
    file.persist_noclobber(path).map_err(|error| problem(error.error))?;
    sync(directory).map_err(problem)
}
