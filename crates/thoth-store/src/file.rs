//! Opening a file: private, of our kind, and safe for several processes.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Fault, StoreError};
use crate::schema::{self, Schema};

/// `3.51.3`: the first with the repair of a race between the reset of the log of changes and a checkpoint.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// Above this size an opened file is not read through in search of damage: that would take longer than people wait.
const MAX_CHECKED_BYTES: u64 = 16 << 20;

/// How the file is used; tests make it smaller and less patient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How long another process may keep us waiting.
    pub(crate) patience: Duration,
    /// The most pages that the file may have.
    pub(crate) max_pages: Option<u32>,
    /// What kind of file it is.
    pub(crate) schema: &'static Schema,
    /// Whether all of it can be made anew, so that nothing waits for its disk.
    pub(crate) is_remade: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { patience: Duration::from_secs(5), max_pages: None, schema: &schema::HOLDS, is_remade: false }
    }
}

/// Tells one file from another that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// What stands at `path` now.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// INVARIANT: while one thread may have a descriptor of the file that SQLite knows nothing of, no other thread of this
/// process opens it. Closing such a descriptor would release the locks that SQLite holds on the file in this process.
static OPENING: Mutex<()> = Mutex::new(());

/// Opens the file, and begins it if there is none and `create` says so. `None`: there is none.
pub(crate) fn open(
    path: &Path,
    settings: Settings,
    create: bool,
) -> Result<Option<(Connection, Identity)>, StoreError> {
    if rusqlite::version_number() < OLDEST_LIBRARY {
        return Err(StoreError::Library { found: rusqlite::version() });
    }
    let guard = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(place) = place(path, create)? else { return Ok(None) };
    let opened = connect(&place, settings);
    drop(guard);
    let connection = opened.map_err(|fault| match fault.at(path) {
        Ok(error) => error,
        Err(error) => StoreError::Damaged { path: path.to_owned(), what: error.to_string() },
    })?;
    let identity = Identity::of(&place.path).ok_or_else(|| StoreError::File {
        action: "find",
        path: path.to_owned(),
        source: ErrorKind::NotFound.into(),
    })?;
    Ok(Some((connection, identity)))
}

/// Where the file really is, and whether it was left as it was by processes that ended in order.
struct Place {
    path: PathBuf,
    /// Another process has it open, or the last one did not end in order.
    in_use: bool,
    bytes: u64,
}

/// Finds or begins the file, and makes sure that it is private.
fn place(path: &Path, create: bool) -> Result<Option<Place>, StoreError> {
    let failed = |action, source| StoreError::File { action, path: path.to_owned(), source };
    let unfit = |what| Err(StoreError::Unfit { path: path.to_owned(), what });
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The folder may be reached over symbolic links, as on systems where `/home` is one; the file itself may not.
    let folder = match folder.canonicalize() {
        Ok(folder) => folder,
        Err(error) if error.kind() == ErrorKind::NotFound && !create => return Ok(None),
        Err(error) => return Err(failed("reach the folder of", error)),
    };
    let Some(name) = path.file_name() else { return unfit("no file") };
    let place = folder.join(name);
    if create {
        match File::options().write(true).create_new(true).mode(0o600).open(&place) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create", error)),
        }
    }
    let metadata = match fs::symlink_metadata(&place) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound && !create => return Ok(None),
        Err(error) => return Err(failed("look at", error)),
    };
    if metadata.is_symlink() {
        return unfit("a symbolic link");
    }
    if !metadata.is_file() {
        return unfit("no plain file");
    }
    // A second name could stand where others can write.
    if metadata.nlink() > 1 {
        return unfit("a file with a second name");
    }
    if metadata.permissions().mode() & 0o077 != 0 && fs::set_permissions(&place, private()).is_err() {
        return unfit("open to other accounts");
    }
    let mut log = place.clone().into_os_string();
    log.push("-wal");
    let in_use = fs::symlink_metadata(&log).is_ok_and(|metadata| metadata.len() > 0);
    Ok(Some(Place { path: place, in_use, bytes: metadata.len() }))
}

fn private() -> fs::Permissions {
    fs::Permissions::from_mode(0o600)
}

fn connect(place: &Place, settings: Settings) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(&place.path, flags)?;
    connection.busy_timeout(settings.patience)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON; PRAGMA journal_size_limit = 1048576;",
    )?;
    if settings.is_remade {
        connection.execute_batch("PRAGMA secure_delete = OFF; PRAGMA synchronous = NORMAL; PRAGMA fullfsync = OFF;")?;
    }
    // In one look: between two, another process may begin the file.
    schema::refuse_strangers(&*connection.transaction()?, settings.schema, &place.path)?;
    use_log(&connection, settings.patience)?;
    schema::bring_up_to_date(&mut connection, settings.schema, &place.path)?;
    if place.in_use && place.bytes <= MAX_CHECKED_BYTES {
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(Fault::Damaged(found));
        }
    }
    if let Some(most) = settings.max_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(()))?;
    }
    Ok(connection)
}

/// Turns on the write-ahead log, as every opener does. Of several that begin a file together, SQLite turns some away at
/// once instead of letting them wait.
fn use_log(connection: &Connection, patience: Duration) -> Result<(), Fault> {
    let deadline = Instant::now() + patience;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(Fault::Damaged(format!("it has no write-ahead log but `{mode}`"))),
            Err(error) if is_busy(&error) && Instant::now() < deadline => pause(),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

#[expect(clippy::disallowed_methods, reason = "SQLite tells nobody when its lock is free")]
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}
