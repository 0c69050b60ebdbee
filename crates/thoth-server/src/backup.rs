//! A data directory copied while a server uses it, and made of such a copy again. Either is there whole, verified, or not
//! at all: it is written beside its place and put there in one step.
//!
//! Files before ledgers: what stands in a file was recorded first, so that a copy never knows of an effect without its
//! evidence.

mod manifest;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use thoth_audit::ledger::{is_begun, snapshot};
use thoth_audit::seal::{SIGNING_FILE as SEAL_FILE, SealKey};
use thoth_audit::verify::Fault;
use thoth_audit::{KeyError, Ledger, LedgerError, LedgerKeys, VerifyError, VerifyOptions, verify};
use thoth_shell::key_file::regular;
use thoth_shell::terminal::harmless_text;
use thoth_store::StoreError;
use thoth_store::copying::{Content, copy, inspect, move_ledger};

use crate::tenants::TenantName;
use manifest::{Manifest, digest};

const SERVER_FILE: &str = "thothd.db";
const POLICY_FILE: &str = "policy.yaml";
const TENANTS: &str = "tenants";
const HOLDS_FILE: &str = "state.db";
const INDEX_FILE: &str = "index.db";
const LEDGER: &str = "ledger";
const VKEY: &str = "log.vkey";
const KEYS: &str = "keys";
/// The largest policy or key that is copied.
const MAX_SMALL: u64 = 8 << 20;

/// Why a copy was not made, or nothing was made of one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is in the way.
    #[error("`{0}` is there already and not empty; nothing is written over")]
    Occupied(String),
    /// There is nothing to copy.
    #[error("`{0}` is no data directory of thothd: it has no `thothd.db`")]
    NoData(String),
    /// It is no backup, or was changed.
    #[error("`{0}` is no good backup: {1}")]
    NotABackup(String, String),
    /// A file cannot be read or written.
    #[error("cannot {action} `{path}`: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A file of keys, events or held calls.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ledger cannot be copied.
    #[error("the ledger of `{0}`: {1}")]
    Ledger(String, Box<LedgerError>),
    /// A key cannot be read.
    #[error("the keys of `{0}`: {1}")]
    Key(String, KeyError),
    /// A ledger is not whole.
    #[error(
        "the ledger of `{tenant}` has no `{path}`, without which it cannot be read or verified; put the file back, or move \
         the tenant's folder away as evidence"
    )]
    Headless {
        /// Whose.
        tenant: String,
        /// The file.
        path: String,
    },
    /// The key that seals is gone, and there are decisions that were sealed with it.
    #[error(
        "the tenant `{tenant}` has no `{path}`, with which its receipts and policy documents were sealed; put the file \
         back, or start the server once, which makes another, and tell whoever keeps the public key"
    )]
    NoSeal {
        /// Whose.
        tenant: String,
        /// The file.
        path: String,
    },
    /// A ledger does not verify.
    #[error("the ledger of `{0}` does not verify: {1}")]
    Unverified(String, Box<VerifyError>),
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The events in the ledger of each tenant.
    pub events: BTreeMap<String, u64>,
    /// The tenants that a server was killed in the middle of setting up, and what each lacks. Nothing was decided in them, and
    /// the next start completes them.
    pub unfinished: BTreeMap<String, String>,
}

type Done<T> = Result<T, BackupError>;

fn shown(path: &Path) -> String {
    harmless_text(&path.to_string_lossy())
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = shown(path);
    move |source| BackupError::File { action, path, source }
}

/// Copies the data directory `data` into `to`, which is not there or empty. A server may go on.
///
/// # Errors
/// If anything cannot be copied, or the copy does not verify. Then `to` is as it was.
pub fn backup(data: &Path, to: &Path) -> Done<Copied> {
    if data.join(SERVER_FILE).symlink_metadata().is_err() {
        return Err(BackupError::NoData(shown(data)));
    }
    let draft = Draft::beside(to)?;
    let out = draft.path();
    copy(Content::Server, &data.join(SERVER_FILE), &out.join(SERVER_FILE))?;
    small(&data.join(POLICY_FILE), &out.join(POLICY_FILE))?;
    make(&out.join(TENANTS))?;
    for tenant in tenants(data)? {
        let (from, into) = (data.join(TENANTS).join(&tenant), out.join(TENANTS).join(&tenant));
        make(&into)?;
        copy(Content::Holds, &from.join(HOLDS_FILE), &into.join(HOLDS_FILE))?;
        if has_ledger(&from, &tenant)? {
            let copied = snapshot(&from.join(LEDGER), &into.join(LEDGER));
            copied.map_err(|error| BackupError::Ledger(tenant.clone(), Box::new(error)))?;
        }
        keys(&from.join(KEYS), &into.join(KEYS))?;
    }
    let copied = check(out)?;
    Manifest::of(out, &copied)?.write(out)?;
    draft.put(to)?;
    Ok(copied)
}

/// Makes a data directory of the backup in `from`; `data` is not there or empty.
///
/// # Errors
/// If the backup is not whole, or does not verify. Then `data` is as it was.
pub fn restore(from: &Path, data: &Path) -> Done<Copied> {
    let manifest = Manifest::read(from)?;
    let draft = Draft::beside(data)?;
    let out = draft.path();
    for (name, expected) in manifest.files() {
        let to = out.join(name);
        if let Some(folder) = to.parent() {
            make(folder)?;
        }
        if copy_file(&from.join(name), &to)? != *expected {
            return Err(BackupError::NotABackup(shown(from), format!("`{}` was changed", harmless_text(name))));
        }
    }
    let copied = check(out)?;
    let data = std::path::absolute(data).map_err(file("reach", data))?;
    for tenant in tenants(out)? {
        // Ledgers without an event have no files in these.
        for folder in [LEDGER, "ledger/journal", "ledger/tile", KEYS] {
            make(&out.join(TENANTS).join(&tenant).join(folder))?;
        }
        let holds = out.join(TENANTS).join(&tenant).join(HOLDS_FILE);
        if holds.symlink_metadata().is_ok() {
            move_ledger(&holds, &data.join(TENANTS).join(&tenant).join(LEDGER))?;
        }
    }
    draft.put(&data)?;
    Ok(copied)
}

/// Reads a copy through: every page of the files, every event of the ledgers, and whether the keys are theirs.
fn check(copy: &Path) -> Done<Copied> {
    inspect(Content::Server, &copy.join(SERVER_FILE))?;
    let (mut events, mut unfinished) = (BTreeMap::new(), BTreeMap::new());
    for tenant in tenants(copy)? {
        let folder = copy.join(TENANTS).join(&tenant);
        let holds = folder.join(HOLDS_FILE);
        if holds.symlink_metadata().is_ok() {
            inspect(Content::Holds, &holds)?;
        }
        let ledger = folder.join(LEDGER);
        if !has_ledger(&folder, &tenant)? {
            unfinished.insert(tenant, format!("`{LEDGER}/{VKEY}`: its ledger was not begun"));
            continue;
        }
        let report = match verify(&ledger, &VerifyOptions::default()) {
            Ok(report) => report,
            // A server that was killed left it so, and the next one mends it: all that is signed was found good.
            Err(error) => match &error.fault {
                Fault::Interrupted(report) => (**report).clone(),
                _ => return Err(BackupError::Unverified(tenant, Box::new(error))),
            },
        };
        let bad = |error| BackupError::Key(tenant.clone(), error);
        let seal = SealKey::load(&folder.join(KEYS)).map_err(bad)?;
        if let Some(keys) = LedgerKeys::load(&folder.join(KEYS), &ledger).map_err(bad)? {
            Ledger::check_key(&ledger, &keys).map_err(|error| BackupError::Ledger(tenant.clone(), Box::new(error)))?;
        }
        let count = report.size + report.pending;
        match seal {
            Some(_) => {}
            // It is made after the ledger, and before anything is decided.
            None if count == 0 => {
                unfinished.insert(tenant.clone(), format!("`{KEYS}/{SEAL_FILE}`: it was not made yet"));
            }
            None => {
                let path = format!("{TENANTS}/{tenant}/{KEYS}/{SEAL_FILE}");
                return Err(BackupError::NoSeal { tenant, path });
            }
        }
        events.insert(tenant, count);
    }
    Ok(Copied { events, unfinished })
}

/// Whether a tenant has a ledger; not if a server was killed before it had made one. One that is in part gone is none
/// that was never made: then there are events, or what only comes to be once there is a ledger.
fn has_ledger(folder: &Path, tenant: &str) -> Done<bool> {
    let ledger = folder.join(LEDGER);
    if ledger.join(VKEY).symlink_metadata().is_ok() {
        return Ok(true);
    }
    let is_used = [HOLDS_FILE, INDEX_FILE].iter().any(|name| folder.join(name).symlink_metadata().is_ok());
    if is_used || is_begun(&ledger) {
        let path = format!("{TENANTS}/{tenant}/{LEDGER}/{VKEY}");
        return Err(BackupError::Headless { tenant: tenant.to_owned(), path });
    }
    Ok(false)
}

/// The tenants of a data directory.
fn tenants(data: &Path) -> Done<Vec<String>> {
    let folder = data.join(TENANTS);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(file("list", &folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(file("list", &folder))?.file_name().to_string_lossy().into_owned();
        // Whatever else stands there is nobody's.
        if name.parse::<TenantName>().is_ok() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn make(folder: &Path) -> Done<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file("create", folder))
}

/// Copies the keys of a tenant; drafts of keys are left out.
fn keys(from: &Path, to: &Path) -> Done<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(file("list", from))?,
    };
    make(to)?;
    for entry in entries {
        let name = entry.map_err(file("list", from))?.file_name();
        if Path::new(&name).extension().is_some_and(|end| end == "key") {
            small(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Copies a small file, if it is there.
fn small(from: &Path, to: &Path) -> Done<()> {
    let Some((bytes, complete)) = regular(from, MAX_SMALL).map_err(file("read", from))? else { return Ok(()) };
    if !complete {
        return Err(file("read", from)(io::Error::other(format!("it is larger than {MAX_SMALL} bytes"))));
    }
    write(to, &bytes)
}

fn write(to: &Path, bytes: &[u8]) -> Done<()> {
    use std::io::Write as _;
    let mut out = create(to)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(file("write", to))
}

fn create(path: &Path) -> Done<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path).map_err(file("create", path))
}

/// Copies a file of a backup; its digest.
fn copy_file(from: &Path, to: &Path) -> Done<String> {
    let mut out = create(to)?;
    let digest = digest(from, &mut out)?;
    out.sync_all().map_err(file("write", to))?;
    Ok(digest)
}

/// A folder that is not in its place yet. What is left of one after a kill has a name that nothing looks for.
struct Draft {
    folder: tempfile::TempDir,
}

impl Draft {
    fn beside(place: &Path) -> Done<Self> {
        let place = std::path::absolute(place).map_err(file("reach", place))?;
        let occupied = match fs::read_dir(&place) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(file("list", &place)(error)),
        };
        let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
            return Err(BackupError::Occupied(shown(&place)));
        };
        if occupied {
            return Err(BackupError::Occupied(shown(&place)));
        }
        make(parent)?;
        let prefix = format!(".{}.unfinished-", name.to_string_lossy());
        // Nobody else can get into it, from the start.
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(&prefix).permissions(private).tempdir_in(parent);
        Ok(Self { folder: folder.map_err(file("write into", parent))? })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts it in its place, where nothing has come to be meanwhile.
    fn put(self, place: &Path) -> Done<()> {
        sync(self.folder.path())?;
        // Fails where the place is not empty.
        fs::rename(self.folder.path(), place).map_err(file("put in place", place))?;
        // It has another name now, under which it stays.
        drop(self.folder.keep());
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(file("sync", parent))
    }
}

/// Has the names in a folder, and below it, last.
fn sync(folder: &Path) -> Done<()> {
    for entry in fs::read_dir(folder).map_err(file("list", folder))? {
        let entry = entry.map_err(file("list", folder))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync(&entry.path())?;
        }
    }
    File::open(folder).and_then(|open| open.sync_all()).map_err(file("sync", folder))
}
