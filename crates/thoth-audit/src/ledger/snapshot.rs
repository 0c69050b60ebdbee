//! A copy of a ledger as it is at one moment, while others go on writing to it. It changes nothing in the ledger.

use std::path::Path;

use super::files::{self, Store, during};
use super::journal_name::is_journal;
use super::lock::{LOCK_FILE, TreeLock};
use super::{JOURNAL_DIR, LedgerError, PATIENCE, TILE_DIR, VKEY_FILE};

/// Copies the ledger in `dir` into `to`, which is empty or not there. Whatever was recorded before this is called is in the
/// copy; of what is recorded meanwhile, what every writer wrote first. Writers wait for nothing: only the tree stands still.
///
/// # Errors
/// If there is no ledger, it is in use for longer than one waits, or the copy cannot be written. What was written of the
/// copy stays, and is no ledger: its key is missing.
pub fn snapshot(dir: &Path, to: &Path) -> Result<(), LedgerError> {
    if super::read_vkey(dir)?.is_none() {
        return Err(LedgerError::Headless { dir: dir.to_owned() });
    }
    files::create_private_dir(to).map_err(during("create the ledger directory", to))?;
    if let Some(entry) = std::fs::read_dir(to).map_err(during("list", to))?.next() {
        let found = entry.map_err(during("list", to))?.file_name().to_string_lossy().into_owned();
        return Err(LedgerError::NotALedger { dir: to.to_owned(), found });
    }
    let lock = match TreeLock::shared(dir, PATIENCE) {
        Ok(Some(lock)) => Some(lock),
        Ok(None) => return Err(LedgerError::Busy(dir.to_owned())),
        // A ledger without a lock file is one that nobody writes to.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(during("lock", &dir.join(LOCK_FILE))(error).into()),
    };
    let mut store = Store::new(to.to_owned(), true);
    for below in [JOURNAL_DIR, TILE_DIR] {
        let path = to.join(below);
        files::create_private_dir(&path).map_err(during("create", &path))?;
    }
    let mut found = Vec::new();
    files::walk(dir, "", &mut found).map_err(during("list", dir))?;
    for (path, _) in found.iter().filter(|(path, _)| path != VKEY_FILE) {
        let journal = path.strip_prefix(JOURNAL_DIR).and_then(|name| name.strip_prefix('/'));
        // A draft has no events.
        if journal.is_some_and(|name| !is_journal(name)) {
            continue;
        }
        let from = dir.join(path);
        let mut bytes = match files::read_regular(&from) {
            // Its writer has closed it before the lock was there, and had it folded.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && journal.is_some() => continue,
            bytes => bytes.map_err(during("read", &from))?,
        };
        if journal.is_some() {
            // The writer may be in the middle of a line, which nobody was answered for.
            bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1));
        }
        store.write(path, &bytes)?;
    }
    drop(lock);
    let key = dir.join(VKEY_FILE);
    let key = files::read_regular(&key).map_err(during("read", &key))?;
    store.replace(VKEY_FILE, &key)?;
    store.note(&to.join(VKEY_FILE));
    Ok(store.sync_directories()?)
}

#[cfg(test)]
mod tests {
    use super::super::{Leaves, Ledger, LedgerOptions};
    use super::*;
    use crate::keys::LedgerKeys;
    use crate::verify::{VerifyOptions, verify, verify_each};

    fn batch(number: usize) -> Leaves {
        let mut leaves = Leaves::new();
        let leaf = format!(r#"{{"eventType":"TOOL_CALL_PRE","n":{number}}}"#);
        leaves.push_canonical(leaf.as_bytes()).unwrap();
        leaves
    }

    /// Defends: a copy that is made while a writer writes verifies, has all that was recorded before, in order, and goes on
    /// being a ledger; the original does not notice.
    #[test]
    fn a_copy_of_a_busy_ledger_verifies() {
        let home = tempfile::tempdir().unwrap();
        let (dir, keys) = (home.path().join("ledger"), LedgerKeys::new([1; 32], [2; 32]));
        let ledger = Ledger::open(&dir, &keys, LedgerOptions::default()).unwrap();
        let (allow, allowed) = std::sync::mpsc::sync_channel::<()>(1000);
        let written = std::thread::scope(|scope| {
            let ledger = &ledger;
            let writer = scope.spawn(move || {
                allowed.iter().enumerate().map(|(number, ())| ledger.append(&batch(number)).unwrap()).count()
            });
            for copy in 0..8 {
                // So many for a copy, and no more: a writer that outruns whoever verifies makes every copy longer than the last.
                (0..1000).for_each(|_| allow.send(()).unwrap());
                let to = home.path().join(format!("copy{copy}"));
                snapshot(&dir, &to).unwrap();
                let mut seen = 0;
                let report = verify_each(&to, &VerifyOptions::default(), &mut |leaf| {
                    assert_eq!(leaf, batch(seen).iter().next().unwrap(), "copy {copy}");
                    seen += 1;
                });
                let report = report.unwrap();
                assert_eq!(report.size + report.pending, seen as u64);
            }
            drop(allow);
            writer.join().unwrap()
        });
        ledger.close().unwrap();
        assert_eq!(verify(&dir, &VerifyOptions::default()).unwrap().size, written as u64);
        let to = home.path().join("copy7");
        let again = Ledger::open(&to, &keys, LedgerOptions::default()).unwrap();
        again.append(&batch(0)).unwrap();
        again.close().unwrap();
        let report = verify(&to, &VerifyOptions::default()).unwrap();
        assert_eq!(
            (report.pending, report.events.keys().map(String::as_str).collect::<Vec<_>>()),
            (0, vec!["TOOL_CALL_PRE"])
        );
    }

    /// Half a line is left out, what was interrupted is copied as it is, and nothing is written over.
    #[test]
    fn what_a_dead_writer_left() {
        let home = tempfile::tempdir().unwrap();
        let (dir, to) = (home.path().join("ledger"), home.path().join("copy"));
        let keys = LedgerKeys::new([1; 32], [2; 32]);
        let missing = snapshot(&dir, &to).unwrap_err();
        assert!(matches!(missing, LedgerError::Headless { .. }), "{missing}");
        let ledger = Ledger::open(&dir, &keys, LedgerOptions::default()).unwrap();
        ledger.append(&batch(0)).unwrap();
        ledger.close().unwrap();
        let name = format!("{}-000001.jsonl", "0".repeat(32));
        std::fs::write(dir.join(JOURNAL_DIR).join(&name), b"0000").unwrap();
        snapshot(&dir, &to).unwrap();
        assert_eq!(verify(&to, &VerifyOptions::default()).unwrap().size, 1);
        let again = snapshot(&dir, &to).unwrap_err();
        assert!(matches!(again, LedgerError::NotALedger { .. }), "{again}");
    }
}
