//! The file of a login: the tokens, and for which server of which tenant they are.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use thoth_api::Url;
use thoth_api::contract::login::LoginToken;
use thoth_api::contract::read;
use thoth_shell::exit::Failure;
use thoth_shell::home::{Care, Home, private};
use thoth_shell::key_file::regular;
use thoth_shell::terminal::{harmless_text, note, quoted};
use thoth_types::Redacted;

use crate::connection::Place;

/// The largest file, in bytes.
const MAX_BYTES: u64 = 64 << 10;
/// The longest name of a tenant or host in a file's name.
const MAX_PART: usize = 100;

/// A login.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(super) url: String,
    pub(super) tenant: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) id_token: LoginToken,
    pub(super) refresh_token: Option<Redacted<String>>,
}

/// What a file has.
#[derive(Debug)]
pub(crate) enum Stored {
    /// What `auth login` wrote.
    Session(Session),
    /// A token alone, as somebody else put it there.
    Bare(LoginToken),
}

#[derive(Deserialize)]
struct Written {
    url: String,
    tenant_id: String,
    issuer: String,
    client_id: String,
    id_token: String,
    refresh_token: Option<String>,
}

/// That no other command changes the login until this is dropped.
#[derive(Debug)]
pub(super) struct Alone(#[expect(dead_code, reason = "the lock is held until it is dropped")] File);

/// Where a login is kept.
#[derive(Debug)]
pub(crate) struct SessionFile {
    path: PathBuf,
    /// Whether its directory is ours.
    own: bool,
}

impl SessionFile {
    /// The file that somebody names.
    pub(crate) fn named(path: &Path) -> Self {
        Self { path: path.to_owned(), own: false }
    }

    /// The file for a server and a tenant, in Thoth's own directory.
    pub(crate) fn of(place: &Place) -> Result<Self, Failure> {
        let part = |text: &str| {
            let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
            text.chars().map(plain).take(MAX_PART).collect::<String>()
        };
        let host = place.url.host_str().unwrap_or_default();
        let host = place.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}_{port}"));
        let name = format!("{}--{}--admin-token.jwt", part(&place.tenant), part(&host));
        Ok(Self { path: Home::locate()?.path().join("sessions").join(name), own: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn shown(&self) -> String {
        harmless_text(&self.path.display().to_string())
    }

    /// Sees to it that it can be written, before anybody logs in for nothing.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        if self.own {
            Home::open()?;
            return private(self.directory(), Care::Repair);
        }
        if self.directory().is_dir() {
            return Ok(());
        }
        Err(Failure::usage(format!("the directory of `{}` does not exist", self.shown())))
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// What is in it; nothing where there is no file.
    pub(crate) fn read(&self) -> Result<Option<Stored>, Failure> {
        let shown = self.shown();
        let unreadable = |error: std::io::Error| Failure::failed(format!("cannot read `{shown}`: {error}"));
        let Some((bytes, complete)) = regular(&self.path, MAX_BYTES).map_err(unreadable)? else { return Ok(None) };
        let bytes = Redacted::new(bytes);
        let mode = fs::metadata(&self.path).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::failed(format!("others can read the login in `{shown}` (mode {mode:o})"))
                .hint(format!("run `chmod go= {}`, and log in again if others may have read it", quoted(&shown))));
        }
        let wrong = |what: &dyn std::fmt::Display| {
            Failure::failed(format!("`{shown}` is no file of a login: {what}")).hint("run `thothctl auth login`")
        };
        if !complete {
            return Err(wrong(&"it is too large"));
        }
        let text = str::from_utf8(bytes.expose_secret()).map_err(|_| wrong(&"it is not UTF-8 text"))?.trim();
        let no_token = || wrong(&"it has no token");
        if !text.starts_with('{') {
            return LoginToken::parse(text).map(|token| Some(Stored::Bare(token))).ok_or_else(no_token);
        }
        let written: Written = read(text.as_bytes()).map_err(|error| wrong(&error))?;
        let Written { url, tenant_id, issuer, client_id, id_token, refresh_token } = written;
        let id_token = Redacted::new(id_token);
        Ok(Some(Stored::Session(Session {
            url,
            tenant: tenant_id,
            issuer,
            client_id,
            id_token: LoginToken::parse(id_token.expose_secret()).ok_or_else(no_token)?,
            refresh_token: refresh_token.map(Redacted::new),
        })))
    }

    /// Replaces it at once: who reads it sees the old one or the new one.
    pub(super) fn write(&self, session: &Session, _alone: &Alone) -> Result<(), Failure> {
        let text = Redacted::new(
            json!({
                "url": session.url,
                "tenant_id": session.tenant,
                "issuer": session.issuer,
                "client_id": session.client_id,
                "id_token": session.id_token.expose_secret(),
                "refresh_token": session.refresh_token.as_ref().map(|token| token.expose_secret().as_str()),
            })
            .to_string(),
        );
        let written = || -> std::io::Result<()> {
            // It is made for its user alone.
            let mut file = tempfile::NamedTempFile::new_in(self.directory())?;
            file.write_all(text.expose_secret().as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        written().map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", self.shown())))
    }

    /// Waits until no other command renews, replaces or ends it. What was read before may be another by then.
    ///
    /// A file beside it is locked, and never deleted: the file itself is replaced, and a lock on what was replaced keeps nobody
    /// away.
    pub(super) fn lock(&self) -> Result<Alone, Failure> {
        let mut path = OsString::from(&self.path);
        path.push(".lock");
        let locked = || -> std::io::Result<File> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => note("waiting for another command that renews or ends the login"),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            file.lock().map(|()| file)
        };
        let shown = harmless_text(&path.display().to_string());
        locked().map(Alone).map_err(|error| Failure::failed(format!("cannot lock `{shown}`: {error}")))
    }

    pub(super) fn remove(&self, _alone: &Alone) -> Result<(), Failure> {
        fs::remove_file(&self.path)
            .map_err(|error| Failure::failed(format!("cannot delete `{}`: {error}", self.shown())))
    }
}

impl Session {
    /// Refuses to be shown to another server than that it was got from.
    pub(crate) fn is_for(&self, place: &Place) -> Result<(), Failure> {
        let same = Url::parse(&self.url).is_ok_and(|url| url.origin() == place.url.origin());
        if same && self.tenant == place.tenant {
            return Ok(());
        }
        let (url, tenant) = (harmless_text(&self.url), harmless_text(&self.tenant));
        Err(Failure::failed(format!("the login is for {tenant} at {url}, and goes nowhere else"))
            .hint("run `thothctl auth login` for this server and tenant"))
    }
}
