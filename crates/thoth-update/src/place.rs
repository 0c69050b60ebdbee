//! The file that is replaced, and how: at every instant there is a whole program under its name.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use tempfile::{NamedTempFile, TempPath};

use crate::error::UpdateError;
use crate::managed::{Managed, managed_by};
use crate::start::starts;
use crate::update::Step;

/// The program that runs.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its file, without symbolic links in the path.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

impl Installed {
    /// The program of this process, whose version is given.
    ///
    /// # Errors
    /// When its file is gone, or the version is none.
    pub fn this_program(version: &str) -> Result<Self, UpdateError> {
        let version = Version::parse(version).map_err(|_| UpdateError::NotAVersion(version.to_owned()))?;
        let path = std::env::current_exe().map_err(UpdateError::io("find", Path::new("this program")))?;
        let path = path.canonicalize().map_err(UpdateError::io("find", &path))?;
        Ok(Self { path, version })
    }

    /// The package manager to which the program belongs, if any.
    #[must_use]
    pub fn managed(&self) -> Option<Managed> {
        managed_by(&self.path.to_string_lossy(), |file| Path::new(file).exists())
    }
}

/// The program's place in its directory, held by one update at a time.
pub(crate) struct Place {
    path: PathBuf,
    directory: PathBuf,
    /// How the names of our files beside the program begin.
    prefix: OsString,
    /// Closing it lets the next update in.
    _lock: File,
}

/// A new program beside the old one; removed unless it is installed.
pub(crate) struct Candidate(TempPath);

impl Place {
    /// Takes the place of a program, and removes what an update that was killed has left there.
    pub(crate) fn take(path: &Path) -> Result<Self, UpdateError> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(UpdateError::io("find the directory of", path)(io::ErrorKind::InvalidInput.into()));
        };
        let lock = File::open(directory).map_err(UpdateError::io("open", directory))?;
        // Where a file system has no locks for directories, two updates at once end with one of the two programs.
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(UpdateError::Busy(path.to_owned()));
        }
        let prefix = [OsStr::new("."), name, OsStr::new(".")].into_iter().collect();
        let place = Self { path: path.to_owned(), directory: directory.to_owned(), prefix, _lock: lock };
        place.sweep();
        Ok(place)
    }

    fn name(&self, ending: &str) -> OsString {
        let mut name = self.prefix.clone();
        name.push(ending);
        name
    }

    fn previous(&self) -> PathBuf {
        self.directory.join(self.name("previous"))
    }

    /// Removes what a killed update has left. We are the program in its place, and we run, so nothing of it is needed.
    fn sweep(&self) {
        let draft = self.name("update-");
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten() {
            let ours = entry.file_name().as_bytes().starts_with(draft.as_bytes());
            if (ours || entry.path() == self.previous()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                // What cannot be removed does no harm.
                drop(fs::remove_file(entry.path()));
            }
        }
    }

    /// An empty file beside the program, on the same file system, that only its owner can touch.
    pub(crate) fn draft(&self) -> Result<NamedTempFile, UpdateError> {
        tempfile::Builder::new()
            .prefix(&self.name("update-"))
            .permissions(Permissions::from_mode(0o700))
            .tempfile_in(&self.directory)
            .map_err(UpdateError::io("write to", &self.directory))
    }

    /// Makes a draft a program: with the mode and owner of the old one, and on the disk.
    pub(crate) fn finish(&self, draft: NamedTempFile) -> Result<Candidate, UpdateError> {
        let old = fs::metadata(&self.path).map_err(UpdateError::io("read", &self.path))?;
        let file = draft.as_file();
        let new = file.metadata().map_err(UpdateError::io("read", draft.path()))?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only root can give files away; for others the new file is theirs, as the directory allows.
            drop(std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid())));
        }
        // Whoever has replaced a set-uid program has decided that again.
        let mode = old.mode() & 0o777 | 0o500;
        file.set_permissions(Permissions::from_mode(mode)).map_err(UpdateError::io("change", draft.path()))?;
        file.sync_all().map_err(UpdateError::io("write", draft.path()))?;
        // A file that is open for writing cannot be run.
        Ok(Candidate(draft.into_temp_path()))
    }

    /// Puts the candidate in the program's place, starts it there, and puts the old one back if it does not start.
    pub(crate) fn install(
        &self,
        candidate: Candidate,
        version: &Version,
        within: Duration,
        seen: &mut dyn FnMut(Step),
    ) -> Result<(), UpdateError> {
        let previous = self.keep()?;
        seen(Step::Kept);
        candidate.0.persist(&self.path).map_err(|error| UpdateError::io("replace", &self.path)(error.error))?;
        self.sync();
        seen(Step::Replaced);
        match starts(&self.path, version, within) {
            Ok(()) => {
                drop(previous);
                self.sync();
                Ok(())
            }
            Err(why) => match previous.persist(&self.path) {
                Ok(()) => {
                    self.sync();
                    Err(UpdateError::RolledBack { path: self.path.clone(), why })
                }
                Err(error) => {
                    let previous = error.path.keep().unwrap_or_else(|error| error.path.to_path_buf());
                    Err(UpdateError::Stranded { path: self.path.clone(), previous, why, source: error.error })
                }
            },
        }
    }

    /// Gives the old program a second name.
    fn keep(&self) -> Result<TempPath, UpdateError> {
        let previous = self.previous();
        // Some file systems have no links, and some systems do not let us link what is not ours.
        fs::hard_link(&self.path, &previous)
            .or_else(|_| fs::copy(&self.path, &previous).and_then(|_| File::open(&previous)?.sync_all()))
            .map_err(|error| {
                drop(fs::remove_file(&previous));
                UpdateError::io("keep the old program as", &previous)(error)
            })?;
        TempPath::try_from_path(&previous).map_err(UpdateError::io("keep the old program as", &previous))
    }

    /// Makes the directory's names durable. The rename is whole either way.
    fn sync(&self) {
        drop(File::open(&self.directory).and_then(|directory| directory.sync_all()));
    }
}

impl Candidate {
    /// Whether it starts, and is the version that it should be.
    pub(crate) fn starts(&self, version: &Version, within: Duration) -> Result<(), UpdateError> {
        starts(&self.0, version, within).map_err(UpdateError::DoesNotStart)
    }
}
