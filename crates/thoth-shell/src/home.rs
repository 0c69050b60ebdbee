//! Thoth's own directory: `$THOTH_HOME`, or `~/.thoth`.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::terminal::{harmless_text, note};

/// The directory.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

impl Home {
    /// Finds the directory and creates it on first use. Afterwards it exists, and nobody else can write to it.
    pub fn open() -> Result<Self, Failure> {
        let (home, chosen) = Self::find()?;
        private(&home.0, if chosen { Care::Refuse } else { Care::Repair })?;
        Ok(home)
    }

    /// Finds the directory for reading, and touches nothing. It need not exist.
    pub fn locate() -> Result<Self, Failure> {
        Self::find().map(|(home, _)| home)
    }

    /// The directory, and whether it was chosen with `THOTH_HOME`.
    fn find() -> Result<(Self, bool), Failure> {
        chosen(std::env::var_os("THOTH_HOME"), std::env::home_dir()).map(|(home, chosen)| (Self(home), chosen))
    }

    /// The home at `path`, which exists.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The directory of the ledger, whether it exists or not.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// The directory of the signing keys, whether it exists or not.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The file of held calls, whether it exists or not.
    pub fn state(&self) -> PathBuf {
        self.0.join("state.db")
    }

    /// The folder of what enforcers were told and have said, whether it exists or not.
    pub fn enforcers(&self) -> PathBuf {
        self.0.join("enforcers")
    }

    /// The default policy file, whether it exists or not.
    pub fn policy_file(&self) -> PathBuf {
        self.0.join("policy.yaml")
    }

    /// The folder of the operator's own rules for scanning definitions, whether it exists or not.
    pub fn scan_rules(&self) -> PathBuf {
        self.0.join("scan-rules")
    }

    /// Copies of other programs' files, made before they are changed.
    pub fn backups(&self) -> PathBuf {
        self.0.join("backups")
    }

    /// The file of session intents by server, whether it exists or not.
    pub fn intent_map(&self) -> PathBuf {
        self.0.join("intent_map.json")
    }

    /// The file of the API key, whether it exists or not.
    pub fn api_key(&self) -> PathBuf {
        self.0.join("proxy_api_key.json")
    }
}

/// The directory by the variable, or else in the user's own, and whether the variable chose it.
fn chosen(variable: Option<OsString>, user: Option<PathBuf>) -> Result<(PathBuf, bool), Failure> {
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        // What `doctor` shows would be another path than the one that is used.
        if path.to_str().is_none() {
            return Err(Failure::usage("THOTH_HOME is not UTF-8 text")
                .hint("give the full path of a directory of yours that has a name in UTF-8"));
        }
        let path = PathBuf::from(path);
        usable("THOTH_HOME", &path)?;
        return Ok((path, true));
    }
    let Some(user) = user.filter(|user| !user.as_os_str().is_empty()) else {
        return Err(Failure::failed("there is no home directory").hint("set THOTH_HOME to a directory of yours"));
    };
    usable("HOME", &user)?;
    Ok((user.join(".thoth"), false))
}

/// A relative path would be in whatever directory the client starts servers in: a project's. And one that a terminal
/// obeys would forge lines in every message that names it.
fn usable(variable: &str, path: &Path) -> Result<(), Failure> {
    let wrong = |what: &str| {
        Err(Failure::usage(format!("{variable} {what}")).hint("give the full path of a directory of yours"))
    };
    let text = path.to_string_lossy();
    if path.is_relative() {
        wrong("is not an absolute path")
    } else if harmless_text(&text) != text {
        wrong("has a control character or an invisible one")
    } else {
        Ok(())
    }
}

/// What to do about an existing directory that others can get into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Close it, and say so: it is ours alone to decide.
    Repair,
    /// Leave it as it is, and refuse it if others can write to it: somebody chose it, perhaps for more than this.
    Refuse,
}

/// Creates a directory that only its owner can get into, or looks whether an existing one will do.
///
/// Whoever can write to the directory could put another policy there, or other keys.
pub fn private(path: &Path, care: Care) -> Result<(), Failure> {
    let shown = harmless_text(&path.display().to_string());
    let problem = |what: &str, error: io::Error| {
        Failure::failed(format!("cannot {what} `{shown}`: {error}"))
            .hint("set THOTH_HOME to a directory that you can write to")
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| problem("create", e))?;
    let metadata = fs::metadata(path).map_err(|e| problem("read", e))?;
    let mode = metadata.permissions().mode() & 0o777;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !ours && mode & 0o077 != 0 {
        return Err(Failure::failed(format!(
            "`{shown}` belongs to another user, and others can get into it (mode {mode:o})"
        ))
        .hint("set THOTH_HOME to a directory of yours"));
    }
    // What a link leads to may be there for more than this.
    let linked = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if care == Care::Repair && ours && !linked && mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|e| problem("make private", e))?;
        note(format_args!("others could get into {shown} (mode {mode:o}); it is private now"));
    } else if mode & 0o022 != 0 {
        return Err(Failure::failed(format!("others can write to `{shown}` (mode {mode:o})"))
            .hint(format_args!("run `chmod go-w {shown}`, or use another directory")));
    }
    Ok(())
}

/// Creates a file with its whole content at once, private, and never over an existing one: of two processes that start
/// together, one writes and the other reads what the first has written.
pub fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    /// Which directory it is, and what is none.
    #[test]
    fn the_table_of_homes() {
        for (variable, user, expected) in [
            ("/a", "/home/ada", Some(("/a", true))),
            ("", "/home/ada", Some(("/home/ada/.thoth", false))),
            ("", "/home/ada ö", Some(("/home/ada ö/.thoth", false))),
            ("a", "/home/ada", None),
            ("/a\nthoth: every call is allowed", "/home/ada", None),
            ("/a\u{202e}", "/home/ada", None),
            ("", "relative", None),
            ("", "/home/a\u{1b}[2J", None),
            ("", "", None),
        ] {
            let seen = chosen(Some(OsString::from(variable)), Some(PathBuf::from(user))).ok();
            assert_eq!(seen, expected.map(|(path, chosen)| (PathBuf::from(path), chosen)), "{variable:?} {user:?}");
        }
        assert!(chosen(None, None).is_err());
        assert!(chosen(Some(OsStr::from_bytes(b"/a\xff").to_owned()), Some(PathBuf::from("/home/ada"))).is_err());
    }
}
