//! Files copied as they are at one moment, while other processes use them; and copies looked through before they are used.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Fault, StoreError};
use crate::schema::{self, Schema};
use crate::server::SERVER;

/// How long other processes may keep a copy waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a file is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Held calls, grants and pins.
    Holds,
    /// What a server keeps beside them.
    Server,
}

impl Content {
    const fn schema(self) -> &'static Schema {
        match self {
            Self::Holds => &schema::HOLDS,
            Self::Server => &SERVER,
        }
    }
}

/// Copies a file, with everything that was answered before this is called, into `to`, which is not there. Writers go on.
/// `false`: there is no such file.
///
/// # Errors
/// If it is no file of this kind, is damaged, or the copy cannot be written.
pub fn copy(content: Content, from: &Path, to: &Path) -> Result<bool, StoreError> {
    match from.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(StoreError::File { action: "look at", path: from.to_owned(), source }),
        Ok(_) => {}
    }
    let file = |source| StoreError::File { action: "create", path: to.to_owned(), source };
    // SQLite would let others read it.
    let copy = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(file)?;
    let copied = on(content, from, |connection| {
        let name = to.to_str().ok_or_else(|| Fault::Damaged("the copy's name is not UTF-8".to_owned()))?;
        connection.execute("VACUUM INTO ?1", [name])?;
        Ok(())
    });
    copied?;
    copy.sync_all().map_err(|source| StoreError::File { action: "write", path: to.to_owned(), source })?;
    Ok(true)
}

/// Reads a file through from its first page to its last.
///
/// # Errors
/// If it is no file of this kind, is of a newer version, or anything in it is damaged.
pub fn inspect(content: Content, path: &Path) -> Result<(), StoreError> {
    on(content, path, |connection| {
        let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(Fault::Damaged(found)) }
    })
}

/// Has every held call in a file of holds belong to the ledger in this folder, where it was moved.
///
/// # Errors
/// If the file cannot be written.
pub fn move_ledger(path: &Path, ledger: &Path) -> Result<(), StoreError> {
    on(Content::Holds, path, |connection| {
        connection.execute("UPDATE holds SET ledger = ?1", [ledger.as_os_str().as_bytes()])?;
        Ok(())
    })
}

/// Opens a file without bringing it up to date: a copy of an older format is one, and another version may be using it.
fn on(content: Content, path: &Path, work: impl FnOnce(&Connection) -> Result<(), Fault>) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let worked = (|| {
        // Symbolic links lead to a folder on some systems, and none may stand for the file.
        let place = match (path.parent().map(Path::canonicalize), path.file_name()) {
            (Some(Ok(folder)), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        };
        let connection = Connection::open_with_flags(place, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;")?;
        schema::refuse_strangers(&connection, content.schema(), path)?;
        work(&connection)
    })();
    worked.map_err(|fault: Fault| match fault.at(path) {
        Ok(error) => error,
        Err(error) => StoreError::Damaged { path: path.to_owned(), what: error.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::server::{KeyRecords as _, Records as _, ServerStore};

    /// Defends: a copy has what was kept, is private, and is the same kind of file; a damaged or strange one is found.
    #[test]
    fn a_copy_has_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(!copy(Content::Server, &at("none.db"), &at("copy.db")).unwrap());
        let store = ServerStore::new(at("a.db"));
        store.open().unwrap();
        store.probe().unwrap();
        assert!(copy(Content::Server, &at("a.db"), &at("b.db")).unwrap());
        assert_eq!(std::fs::metadata(at("b.db")).unwrap().permissions().mode() & 0o777, 0o600);
        inspect(Content::Server, &at("b.db")).unwrap();
        assert!(matches!(inspect(Content::Holds, &at("b.db")), Err(StoreError::Foreign { .. })));
        assert!(copy(Content::Server, &at("a.db"), &at("b.db")).is_err(), "nothing is written over");
        assert!(ServerStore::new(at("b.db")).key_by_digest(&[0; 32]).unwrap().is_none());
        let mut bytes = std::fs::read(at("b.db")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].fill(0xff);
        std::fs::write(at("c.db"), bytes).unwrap();
        assert!(inspect(Content::Server, &at("c.db")).is_err());
    }
}
