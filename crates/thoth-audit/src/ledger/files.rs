//! The few file operations that a ledger is made of.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Bytes from the system's random source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Options with which nothing is ever waited for: opening a pipe in the place of a file would wait for its other end.
fn without_waiting() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options
}

/// The same for files that are created readable by their owner only.
fn private() -> OpenOptions {
    let mut options = without_waiting();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Opens a file for reading. What is not a regular file is refused and not waited for: a ledger may come from anybody,
/// and opening or reading a pipe in it would never end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let regular = |kind: fs::FileType| {
        let what = match (kind.is_file(), kind.is_dir()) {
            (true, _) => return Ok(()),
            (_, true) => "a directory",
            (false, false) => "a pipe, a device or a socket",
        };
        Err(io::Error::other(format!("it is {what}, not a regular file")))
    };
    // Before it is opened, since opening alone sets some devices going; and after, since it may have been exchanged.
    regular(fs::metadata(path)?.file_type())?;
    let file = without_waiting().read(true).open(path)?;
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// The content of a regular file.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Creates a directory and its missing parents, readable by their owner only. One that exists is left as it is.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Writes a file that must not exist yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut file = private().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    if sync { file.sync_all() } else { Ok(()) }
}

/// Opens a file for reading and writing, and creates it when it is missing.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    private().read(true).write(true).create(true).truncate(false).open(path)
}

/// Creates a file for appending that must not exist yet.
pub(crate) fn create_append(path: &Path) -> io::Result<File> {
    private().append(true).read(true).create_new(true).open(path)
}

/// Makes renames, creations and removals in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Removes a file; one that is already gone is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// All files below a directory, as paths relative to `root` with `/`, and whether each is a plain file.
pub(crate) fn walk(root: &Path, below: &str, found: &mut Vec<(String, bool)>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(below)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = if below.is_empty() { name.into_owned() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &path, found)?;
        } else {
            found.push((path, kind.is_file()));
        }
    }
    Ok(())
}

/// Writes files below one directory, and remembers what must be synced before they may be referred to.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    sync: bool,
    directories: BTreeSet<PathBuf>,
}

/// An operation on a file that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`: {source}", path.display())]
pub struct FileError {
    /// What was tried.
    pub action: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Names the file and the operation in an error.
pub(crate) fn during(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError + use<> {
    let path = path.to_owned();
    move |source| FileError { action, path, source }
}

/// Removes a superseded file, and its directory if that was for partial tiles and is now empty.
pub(super) fn remove_tile(path: &Path) -> Result<(), FileError> {
    remove(path).map_err(during("remove", path))?;
    if let Some(parent) = path.parent().filter(|p| p.extension().is_some_and(|e| e == "p")) {
        match fs::remove_dir(parent) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                return Err(during("remove", parent)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Store {
    pub(crate) const fn new(root: PathBuf, sync: bool) -> Self {
        Self { root, sync, directories: BTreeSet::new() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes a file that nothing refers to yet; whatever an interrupted attempt left there is overwritten.
    pub(crate) fn write(&mut self, relative: &str, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.path(relative);
        let mut open = private();
        open.write(true).create(true).truncate(true);
        let file = match open.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().unwrap_or(&self.root).to_owned();
                create_private_dir(&parent).map_err(during("create", &parent))?;
                self.note_new_directories(&parent);
                open.open(&path)
            }
            opened => opened,
        };
        let mut file = file.map_err(during("create", &path))?;
        file.write_all(bytes).map_err(during("write", &path))?;
        if self.sync {
            file.sync_all().map_err(during("sync", &path))?;
            self.note(&path);
        }
        Ok(())
    }

    /// Puts a file in the place of another in one step.
    pub(crate) fn replace(&mut self, relative: &str, bytes: &[u8]) -> Result<(), FileError> {
        let draft = format!("{relative}.new");
        self.write(&draft, bytes)?;
        let path = self.path(relative);
        fs::rename(self.path(&draft), &path).map_err(during("replace", &path))?;
        self.note(&path);
        self.sync_directories()
    }

    /// Makes everything written so far durable, names included.
    pub(crate) fn sync_directories(&mut self) -> Result<(), FileError> {
        for directory in std::mem::take(&mut self.directories) {
            if self.sync {
                sync_dir(&directory).map_err(during("sync", &directory))?;
            }
        }
        Ok(())
    }

    /// Notes that something in the parent of `path` has changed.
    pub(crate) fn note(&mut self, path: &Path) {
        if let Some(parent) = path.parent().filter(|_| self.sync) {
            self.directories.insert(parent.to_owned());
        }
    }

    fn note_new_directories(&mut self, from: &Path) {
        for directory in from.ancestors().take_while(|d| d.starts_with(&self.root)) {
            if self.sync {
                self.directories.insert(directory.to_owned());
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A ledger from somebody else cannot make its reader wait for ever.
    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let pipe = home.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        for path in [pipe.as_path(), home.path(), Path::new("/dev/zero")] {
            assert!(read_regular(path).unwrap_err().to_string().contains("regular"), "{}", path.display());
        }
        let mut store = Store::new(home.path().to_owned(), false);
        assert!(store.write("pipe", b"nobody reads this").is_err());
    }
}
