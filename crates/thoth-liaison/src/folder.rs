//! The files in which it is remembered what an enforcer was told and has said: one folder for each enforcer, tenant and agent.

use std::error::Error;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The largest file that is read, in bytes; each is far smaller.
const MAX_BYTES: u64 = 64 * 1024;

/// A file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`: {source}", path.display())]
pub struct FolderError {
    /// What was tried.
    pub what: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// Held as long as one process does something that only one may do.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

/// A short name for some texts together.
pub(crate) fn name_of(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().take(8).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

impl Folder {
    /// The folder of that name, created where it is missing.
    pub(crate) fn open(beneath: &Path, name: &str) -> Result<Self, FolderError> {
        let path = beneath.join(name);
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(FolderError { what: "create", path, source }),
        }
    }

    /// One that is there, for reading.
    pub(crate) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn error<'p>(&'p self, what: &'static str, name: &'p str) -> impl FnOnce(io::Error) -> FolderError + use<'p> {
        move |source| FolderError { what, path: self.0.join(name), source }
    }

    /// What a file says. Nothing where there is none.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FolderError> {
        let Some(bytes) = self.read_bytes(name, MAX_BYTES)? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes);
        value.map(Some).map_err(|error| self.error("read", name)(error.into()))
    }

    /// All of a file, which has no more bytes than `most`. Nothing where there is none.
    pub(crate) fn read_bytes(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, FolderError> {
        let file = match File::open(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(self.error("read", name))?,
        };
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(self.error("read", name))?;
        if u64::try_from(bytes.len()).is_ok_and(|read| read <= most) {
            return Ok(Some(bytes));
        }
        Err(self.unusable(name, format!("it has more than {most} bytes")))
    }

    /// A file does not say what it should.
    pub(crate) fn unusable(&self, name: &str, why: impl Into<Box<dyn Error + Send + Sync>>) -> FolderError {
        self.error("use", name)(io::Error::new(io::ErrorKind::InvalidData, why))
    }

    /// A file that should be there is not.
    pub(crate) fn missing(&self, name: &str) -> FolderError {
        self.error("read", name)(io::ErrorKind::NotFound.into())
    }

    /// Has a file say this. At every instant it is there as a whole, as it was or as it is.
    pub(crate) fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FolderError> {
        self.written(value)
            .and_then(|file| file.persist(self.0.join(name)).map_err(|error| error.error))
            .map_or_else(|source| Err(self.error("write", name)(source)), |_| Ok(()))
    }

    /// Has a file be exactly this, in the same way.
    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        self.whole(bytes)
            .and_then(|file| file.persist(self.0.join(name)).map_err(|error| error.error))
            .map_or_else(|source| Err(self.error("write", name)(source)), |_| Ok(()))
    }

    /// The same, unless there is one already.
    pub(crate) fn write_first<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FolderError> {
        match self.written(value).and_then(|file| file.persist_noclobber(self.0.join(name)).map_err(|e| e.error)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(self.error("write", name)(error)),
            _ => Ok(()),
        }
    }

    fn written<T: Serialize>(&self, value: &T) -> io::Result<tempfile::NamedTempFile> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.whole(&text)
    }

    fn whole(&self, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        // Nobody but the owner can read it from the start.
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(bytes)?;
        // After a power cut it must be the old file or this one, and not an empty one.
        file.as_file().sync_data()?;
        Ok(file)
    }

    /// Takes a lock if nobody has it. The system takes it back from a process that is gone, however it ended.
    pub(crate) fn hold(&self, name: &str) -> Result<Option<Held>, FolderError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.0.join(name)).map_err(self.error("open", name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Held { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(self.error("lock", name)(source)),
        }
    }

    /// Whether a file is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.0.join(name)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Files are private and whole, the first of two writers wins where that is asked for, and only one holds a lock.
    #[test]
    fn files_are_private_and_whole() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(home.path(), "a").unwrap();
        assert_eq!(folder.read::<u32>("x").unwrap(), None);
        folder.write_first("x", &1).unwrap();
        folder.write_first("x", &2).unwrap();
        assert_eq!(folder.read::<u32>("x").unwrap(), Some(1));
        folder.write("x", &3).unwrap();
        assert_eq!(folder.read::<u32>("x").unwrap(), Some(3));
        let mode = |path: &str| fs::metadata(home.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a"), mode("a/x")), (0o700, 0o600));
        fs::write(home.path().join("a/x"), "{").unwrap();
        assert!(folder.read::<u32>("x").unwrap_err().to_string().contains("cannot read `"));
        let held = folder.hold("lock").unwrap();
        assert!(held.is_some() && folder.hold("lock").unwrap().is_none());
        drop(held);
        assert!(folder.hold("lock").unwrap().is_some() && folder.has("lock"));
    }

    /// Two enforcers, tenants or agents never share a folder.
    #[test]
    fn names_differ() {
        assert_ne!(name_of(&["ab", "c"]), name_of(&["a", "bc"]));
        assert_eq!(name_of(&["a"]).len(), 16);
    }
}
