//! Thoth's own directory: `$THOTH_HOME`, or `~/.thoth`.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The directory, which exists and is private.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// Finds the directory and creates it on first use.
    pub(crate) fn open() -> Result<Self, Failure> {
        let path = match (std::env::var_os("THOTH_HOME"), std::env::home_dir()) {
            (Some(path), _) if !path.is_empty() => PathBuf::from(path),
            (_, Some(home)) if !home.as_os_str().is_empty() => home.join(".thoth"),
            _ => {
                return Err(
                    Failure::failed("there is no home directory").hint("set THOTH_HOME to a directory of yours")
                );
            }
        };
        let problem = |what: &str, error: io::Error| {
            Failure::failed(format!("cannot {what} `{}`: {error}", path.display()))
                .hint("set THOTH_HOME to a directory that you can write to")
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|e| problem("create", e))?;
        let mode = fs::metadata(&path).map_err(|e| problem("read", e))?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(|e| problem("make private", e))?;
        }
        Ok(Self(path))
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The default policy file; written from the starter policy on first use. The second value says whether it was
    /// written just now.
    pub(crate) fn policy(&self) -> Result<(PathBuf, bool), Failure> {
        let path = self.0.join("policy.yaml");
        if path.exists() {
            return Ok((path, false));
        }
        let written = write_new(&self.0, &path, thoth_policy::STARTER)
            .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?;
        Ok((path, written))
    }
}

/// Creates a file with its whole content at once, private, and never over an existing one: of two processes that start
/// together, one writes and the other reads what the first has written.
fn write_new(directory: &Path, path: &Path, text: &str) -> io::Result<bool> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}
