//! The secrets of a ledger, and the directory in which an installation keeps them.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thoth_types::Redacted;

use crate::digest::ContentKey;
use crate::ledger::files;

const SIGNING_FILE: &str = "ledger-signing.key";
const CONTENT_FILE: &str = "ledger-content.key";

/// What a ledger needs to be written: the key that signs its checkpoints, and the key under which content is hashed.
#[derive(Debug, Clone)]
pub struct LedgerKeys {
    pub(crate) seed: Redacted<[u8; 32]>,
    pub(crate) content: ContentKey,
    /// Where the signing key was read, for messages.
    pub(crate) file: Option<PathBuf>,
}

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The signing key is gone, and there is a ledger that was signed with it.
    #[error(
        "`{}` is missing, with which the ledger `{}` is signed; restore the file, or move the ledger away as evidence, \
         which still verifies, and begin a new one", key.display(), ledger.display()
    )]
    Lost {
        /// The key file.
        key: PathBuf,
        /// The ledger.
        ledger: PathBuf,
    },
    /// The file is not a key.
    #[error("`{}` is not a key: it must hold 64 hexadecimal digits and a newline", .0.display())]
    Malformed(PathBuf),
    /// Others can read the key.
    #[error("`{}` can be read by other users (mode {mode:o}); run `chmod 600` on it", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system has no randomness to offer.
    #[error("cannot get random bytes from the system: {0}")]
    NoRandomness(String),
}

impl LedgerKeys {
    /// Keys from 32 random bytes each.
    #[must_use]
    pub fn new(seed: [u8; 32], content: [u8; 32]) -> Self {
        Self { seed: Redacted::new(seed), content: ContentKey::new(content), file: None }
    }

    /// The key for [`crate::digest`] and [`crate::content`].
    #[must_use]
    pub const fn content_key(&self) -> &ContentKey {
        &self.content
    }

    /// Where the key that signs the ledger stands in a directory of keys.
    #[must_use]
    pub fn signing_file(keys: &Path) -> PathBuf {
        keys.join(SIGNING_FILE)
    }

    /// Where the key that content is hashed with stands in a directory of keys.
    #[must_use]
    pub fn content_file(keys: &Path) -> PathBuf {
        keys.join(CONTENT_FILE)
    }

    /// Reads the keys for the ledger in `ledger` from the directory `keys`, and creates nothing: none where neither the
    /// keys nor the ledger have been made yet. A content key that is missing is made by the next [`Self::load_or_create`].
    ///
    /// # Errors
    /// When [`Self::load_or_create`] would fail for what is there.
    pub fn load(keys: &Path, ledger: &Path) -> Result<Option<Self>, KeyError> {
        let signing = Self::signing_file(keys);
        let content = read(&Self::content_file(keys))?.unwrap_or_default();
        match read(&signing)? {
            Some(seed) => Ok(Some(Self { file: Some(signing), ..Self::new(seed, content) })),
            None if crate::ledger::is_begun(ledger) => Err(KeyError::Lost { key: signing, ledger: ledger.to_owned() }),
            None => Ok(None),
        }
    }

    /// Reads the keys for the ledger in `ledger` from the directory `keys`, and creates what is missing, that directory
    /// included. Two processes may do so at once: both get the same keys. What stands in a key's place and is no regular
    /// file is refused, never waited for, and never replaced.
    ///
    /// A signing key is created only where there is no ledger yet: beside one, a missing key is a lost one, and another
    /// would be refused by the ledger. A missing content key is created always: destroying it is how digests are
    /// forgotten.
    ///
    /// # Errors
    /// When a key cannot be read, written or trusted, or was lost, see [`KeyError`].
    pub fn load_or_create(keys: &Path, ledger: &Path) -> Result<Self, KeyError> {
        // Looked at before the key is: another process that begins the ledger right now has written the key first.
        let begun = crate::ledger::is_begun(ledger);
        let signing = Self::signing_file(keys);
        let seed = read(&signing)?;
        if begun && seed.is_none() {
            return Err(KeyError::Lost { key: signing, ledger: ledger.to_owned() });
        }
        files::create_private_dir(keys).map_err(|source| KeyError::Io {
            action: "create the key directory",
            path: keys.to_owned(),
            source,
        })?;
        let seed = seed.map_or_else(|| create(&signing), Ok)?;
        let content = Self::content_file(keys);
        let hashing = read(&content)?.map_or_else(|| create(&content), Ok)?;
        Ok(Self { file: Some(signing), ..Self::new(seed, hashing) })
    }
}

/// Creates a key file, unless another process is faster; then the key is that one's.
pub(crate) fn create(path: &Path) -> Result<[u8; 32], KeyError> {
    let io = |action| move |source| KeyError::Io { action, path: path.to_owned(), source };
    let mut fresh = Redacted::new(files::random::<32>().map_err(KeyError::NoRandomness)?);
    let name = crate::hex::encode(&files::random::<8>().map_err(KeyError::NoRandomness)?);
    let draft = path.with_extension(format!("{name}.new"));
    let mut text = Vec::with_capacity(65);
    crate::hex::push(&mut text, fresh.expose_secret());
    text.push(b'\n');
    files::write_new(&draft, &text, true).map_err(io("write"))?;
    // A hard link appears whole and never replaces another process's key.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft).map_err(io("remove"))?;
    match linked {
        Ok(()) => {
            if let Some(dir) = path.parent() {
                files::sync_dir(dir).map_err(io("sync the directory of"))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fresh = Redacted::new(read(path)?.ok_or_else(|| KeyError::Malformed(path.to_owned()))?);
        }
        Err(error) => return Err(io("create")(error)),
    }
    Ok(*fresh.expose_secret())
}

pub(crate) fn read(path: &Path) -> Result<Option<[u8; 32]>, KeyError> {
    let io = |source| KeyError::Io { action: "read", path: path.to_owned(), source };
    let mut file = match files::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
    }
    let mut text = Vec::with_capacity(66);
    file.by_ref().take(66).read_to_end(&mut text).map_err(io)?;
    let key = text.strip_suffix(b"\n").and_then(crate::hex::decode32);
    key.map(Some).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// Whatever takes a key's place, the start neither hangs nor puts another key there, and says what it found.
    #[test]
    fn a_key_is_a_regular_file() {
        type Put = fn(&Path);
        let places: [(&str, Put); 4] = [
            ("a pipe, a device or a socket", |path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap()),
            ("a pipe, a device or a socket", |path| symlink("/dev/zero", path).unwrap()),
            ("a directory", |path| std::fs::create_dir(path).unwrap()),
            ("No such file", |path| symlink("nothing", path).unwrap()),
        ];
        for name in [SIGNING_FILE, CONTENT_FILE] {
            for (what, put) in places {
                let home = tempfile::tempdir().unwrap();
                let path = home.path().join(name);
                put(&path);
                let before = std::fs::symlink_metadata(&path).unwrap().file_type();
                let error =
                    LedgerKeys::load_or_create(home.path(), &home.path().join("ledger")).unwrap_err().to_string();
                assert!(error.contains(what) && error.contains(path.to_str().unwrap()), "{error}");
                assert_eq!(std::fs::symlink_metadata(&path).unwrap().file_type(), before);
            }
        }
    }
}
