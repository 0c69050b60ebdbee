//! Why an update did not happen. Except for [`UpdateError::Stranded`], the program that was there is still there.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use semver::Version;
use thoth_api::HttpError;

use crate::channel::ChannelError;
use crate::managed::Managed;
use crate::manifest::ManifestError;
use crate::start::StartError;

/// Why an update did not happen.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The key or the address that this program was built with is broken.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The server did not give what was asked for.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The manifest is not accepted.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is too old to be believed.
    #[error("the release manifest of version {version} expired at {expires}")]
    Expired {
        /// The version in it.
        version: Version,
        /// When it expired.
        expires: Timestamp,
    },
    /// The manifest was signed later than now.
    #[error("the release manifest was signed at {date}, and this machine's clock is before that")]
    FromTheFuture {
        /// When it was signed.
        date: Timestamp,
    },
    /// The server offers less than what is installed: an old manifest shown again.
    #[error("the server offers version {offered}, which is older than the installed {installed}")]
    Older {
        /// The version in the manifest.
        offered: Version,
        /// The version that runs.
        installed: Version,
    },
    /// There is nothing for this platform.
    #[error("version {version} has no program for {platform}")]
    NotForThisPlatform {
        /// The version.
        version: Version,
        /// What this program was built for.
        platform: String,
    },
    /// The version of the program that runs is not a version.
    #[error("`{0}` is not a version")]
    NotAVersion(String),
    /// The program belongs to a package manager.
    #[error("`{}` belongs to {}", path.display(), managed.by)]
    Managed {
        /// The program.
        path: PathBuf,
        /// To whom, and what updates it.
        managed: Managed,
    },
    /// Another update of the same program is running.
    #[error("another update of `{}` is running", .0.display())]
    Busy(PathBuf),
    /// A file could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The download has another size than the manifest says.
    #[error("`{name}` has {got} bytes, and the release manifest says {expected}")]
    WrongSize {
        /// The artifact.
        name: String,
        /// The size in the manifest.
        expected: u64,
        /// How many bytes came.
        got: u64,
    },
    /// The download is not what was signed.
    #[error("`{0}` is not the file that was signed: its SHA-256 differs from the release manifest")]
    WrongDigest(String),
    /// The new program does not start; it was not installed.
    #[error("the new program does not start: {0}")]
    DoesNotStart(#[source] StartError),
    /// The new program does not start where it belongs; the old one was put back.
    #[error("the new program does not start as `{}`: {why}; the old one is back", path.display())]
    RolledBack {
        /// The program.
        path: PathBuf,
        /// What happened.
        why: StartError,
    },
    /// The new program does not start where it belongs, and the old one could not be put back.
    #[error("the new program does not start as `{}`: {why}; putting the old one back failed: {source}", path.display())]
    Stranded {
        /// The program.
        path: PathBuf,
        /// Where the old one is.
        previous: PathBuf,
        /// What happened.
        why: StartError,
        /// Why the old one is not back.
        source: io::Error,
    },
}

impl UpdateError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// The word for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Channel(_) => "bad_build",
            Self::Http(_) => "unreachable",
            Self::Manifest(_) => "bad_manifest",
            Self::Expired { .. } => "expired",
            Self::FromTheFuture { .. } => "clock",
            Self::Older { .. } => "older",
            Self::NotForThisPlatform { .. } => "no_artifact",
            Self::NotAVersion(_) => "bad_version",
            Self::Managed { .. } => "managed",
            Self::Busy(_) => "busy",
            Self::Io { .. } => "io",
            Self::WrongSize { .. } | Self::WrongDigest(_) => "bad_artifact",
            Self::DoesNotStart(_) => "does_not_start",
            Self::RolledBack { .. } => "rolled_back",
            Self::Stranded { .. } => "stranded",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let words = match self {
            Self::Http(error) => error.remedy(),
            Self::Manifest(_) | Self::WrongSize { .. } | Self::WrongDigest(_) => {
                "nothing was changed; try again, and if it stays so, somebody tampers with releases: report it"
            }
            Self::Expired { .. } => {
                "check this machine's clock; if it is right, old releases are being shown to you, or there are no new ones"
            }
            Self::FromTheFuture { .. } => "set this machine's clock",
            Self::Older { .. } => "nothing was changed; versions never go back, with --force neither",
            Self::Managed { managed, .. } => return Some(format!("to update: {}", managed.command)),
            Self::Busy(_) => "wait for it to end",
            Self::Io { source, path, .. } => return io_remedy(source, path),
            Self::DoesNotStart(_) | Self::RolledBack { .. } => {
                "you can go on with the version you have; please report this"
            }
            Self::Stranded { path, previous, .. } => {
                return Some(format!("put it back yourself: mv '{}' '{}'", previous.display(), path.display()));
            }
            Self::Channel(_) | Self::NotForThisPlatform { .. } | Self::NotAVersion(_) => return None,
        };
        Some(words.to_owned())
    }
}

fn io_remedy(error: &io::Error, path: &Path) -> Option<String> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Some(
            "run the update as the user who installed thoth (`sudo thoth update` if that was root), or install it where \
             you can write, such as `~/.local/bin`"
                .to_owned(),
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("this file system cannot be written to: update the image or the mount that it comes from".to_owned())
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let place = path.parent().unwrap_or(path);
            Some(format!("the disk of `{}` is full; make some room, then try again", place.display()))
        }
        _ => None,
    }
}
