//! What happens when the disk says no.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::journal::Sink;
use super::{Durability, Leaves, Ledger, LedgerError, LedgerOptions};
use crate::keys::LedgerKeys;
use crate::verify::{VerifyOptions, verify};

/// A file that can be told to fail.
struct Faulty {
    file: Arc<dyn Sink>,
    /// How many bytes of the next write reach the file before the disk is full; `usize::MAX` for all.
    room: AtomicUsize,
    stuck: AtomicBool,
    unsyncable: AtomicBool,
    syncs: AtomicU64,
}

impl Sink for Faulty {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.load(Ordering::SeqCst);
        if room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.file.write(&bytes[..room.min(bytes.len())])
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        if self.stuck.load(Ordering::SeqCst) { Err(ErrorKind::Other.into()) } else { self.file.truncate(length) }
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if self.unsyncable.load(Ordering::SeqCst) { Err(ErrorKind::Other.into()) } else { self.file.sync() }
    }
}

fn keys() -> LedgerKeys {
    LedgerKeys::new([1; 32], [2; 32])
}

fn open(dir: &Path, durability: Durability) -> (Ledger, Arc<Faulty>) {
    let ledger = Ledger::open(dir, &keys(), LedgerOptions { durability }).unwrap();
    let mut faulty = None;
    ledger.journal.wrap_sink(|file| {
        let sink = Arc::new(Faulty {
            file,
            room: AtomicUsize::new(usize::MAX),
            stuck: AtomicBool::new(false),
            unsyncable: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
        });
        faulty = Some(Arc::clone(&sink));
        sink
    });
    (ledger, faulty.unwrap())
}

fn batch(ids: &[u64]) -> Leaves {
    let mut leaves = Leaves::new();
    for id in ids {
        leaves.push_canonical(format!(r#"{{"eventId":"{id}","eventType":"TOOL_CALL_PRE"}}"#).as_bytes()).unwrap();
    }
    leaves
}

fn size(dir: &Path) -> u64 {
    verify(dir, &VerifyOptions::default()).unwrap().size
}

/// Invariant: an append that fails leaves nothing behind, whatever part of it was written, and the next one works.
#[test]
fn a_full_disk_takes_nothing_from_what_was_written() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let (ledger, faulty) = open(&dir, Durability::Process);
    ledger.append(&batch(&[1])).unwrap();
    for room in [0, 1, 8, 9, 54, 55, 100] {
        faulty.room.store(room, Ordering::SeqCst);
        let error = ledger.append(&batch(&[2, 3])).unwrap_err();
        assert!(matches!(&error, LedgerError::File(e) if e.source.kind() == ErrorKind::StorageFull), "{error}");
        faulty.room.store(usize::MAX, Ordering::SeqCst);
        // It may have been folded by now, which makes it no other one.
        let report = verify(&dir, &VerifyOptions::default()).unwrap();
        assert_eq!(report.size + report.pending, 1, "room for {room} bytes");
    }
    ledger.append(&batch(&[4, 5])).unwrap();
    ledger.close().unwrap();
    assert_eq!(size(&dir), 3);
}

/// Invariant: when somebody has already folded a part of a batch that failed, that part stays, once.
#[test]
fn a_failed_batch_that_was_being_read_is_not_read_twice() {
    struct FoldsInBetween {
        file: Arc<dyn Sink>,
        integrator: Arc<super::Integrator>,
    }
    impl Sink for FoldsInBetween {
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            let line = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
            self.file.write(&bytes[..line + 10])?;
            let round = self.integrator.round("", super::PATIENCE).unwrap().unwrap();
            assert!(round.problems.is_empty());
            Err(ErrorKind::StorageFull.into())
        }
        fn truncate(&self, length: u64) -> io::Result<()> {
            self.file.truncate(length)
        }
        fn sync(&self) -> io::Result<()> {
            self.file.sync()
        }
    }
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let ledger = Ledger::open(&dir, &keys(), LedgerOptions::default()).unwrap();
    let mut file = None;
    ledger.journal.wrap_sink(|inner| {
        file = Some(Arc::clone(&inner));
        Arc::new(FoldsInBetween { file: inner, integrator: Arc::clone(&ledger.integrator) })
    });
    ledger.append(&batch(&[1, 2])).unwrap_err();
    ledger.journal.wrap_sink(|_| file.unwrap());
    ledger.append(&batch(&[3])).unwrap();
    ledger.close().unwrap();
    assert_eq!(size(&dir), 2);
}

/// Invariant: a journal that cannot be repaired refuses everything from then on; what it held is recovered later.
#[test]
fn a_journal_that_cannot_be_cut_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let (ledger, faulty) = open(&dir, Durability::Process);
    ledger.append(&batch(&[1])).unwrap();
    faulty.room.store(30, Ordering::SeqCst);
    faulty.stuck.store(true, Ordering::SeqCst);
    ledger.append(&batch(&[2])).unwrap_err();
    faulty.room.store(usize::MAX, Ordering::SeqCst);
    faulty.stuck.store(false, Ordering::SeqCst);
    assert!(matches!(ledger.append(&batch(&[3])).unwrap_err(), LedgerError::Poisoned));
    drop(faulty);
    ledger.close().unwrap();
    // The first event, and the record that thirty bytes were dropped.
    assert_eq!(size(&dir), 2);
}

/// Invariant: in power mode nothing is acknowledged that was not synced, and after a failed sync nothing is any more.
#[test]
fn power_mode_waits_for_the_disk() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let (ledger, faulty) = open(&dir, Durability::Power);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || (0..50).for_each(|n| ledger.append(&batch(&[thread * 100 + n])).unwrap()));
        }
    });
    let syncs = faulty.syncs.load(Ordering::SeqCst);
    assert!((50..=200).contains(&syncs), "{syncs} syncs for 200 appends of 4 threads");
    faulty.unsyncable.store(true, Ordering::SeqCst);
    ledger.append(&batch(&[1000])).unwrap_err();
    faulty.unsyncable.store(false, Ordering::SeqCst);
    assert!(matches!(ledger.append(&batch(&[1001])).unwrap_err(), LedgerError::Poisoned));
    drop(faulty);
    ledger.close().unwrap();
    assert_eq!(size(&dir), 201);
}

/// Invariant: an event that no entry can hold is refused before anything is written.
#[test]
fn too_long_events_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let (ledger, faulty) = open(&dir, Durability::Process);
    let mut leaves = batch(&[1]);
    let long = format!(r#"{{"detail":"{}","eventType":"TOOL_CALL_PRE"}}"#, "x".repeat(70_000));
    leaves.push_canonical(long.as_bytes()).unwrap();
    assert!(matches!(ledger.append(&leaves).unwrap_err(), LedgerError::TooLong(_)));
    assert!(matches!(leaves.push_canonical(br#"{"b":1,"a":2}"#).unwrap_err(), LedgerError::NotCanonical));
    drop(faulty);
    ledger.close().unwrap();
    assert_eq!(size(&dir), 0);
}

/// Invariant: journals are continued in new segments, in order, and the tree has them in that order.
#[test]
fn segments_follow_each_other() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let ledger = Ledger::open(&dir, &keys(), LedgerOptions::default()).unwrap();
    let padding = "x".repeat(60_000);
    for n in 0..300 {
        let mut leaves = Leaves::new();
        let leaf = format!(r#"{{"detail":"{padding}","eventId":"{n:03}","eventType":"TOOL_CALL_PRE"}}"#);
        leaves.push_canonical(leaf.as_bytes()).unwrap();
        ledger.append(&leaves).unwrap();
    }
    ledger.close().unwrap();
    assert_eq!(size(&dir), 300);
    let events = crate::tail::last(&dir, 300).unwrap();
    let id = format!(r#""eventId":"{:03}""#, 123);
    assert!(String::from_utf8_lossy(&events[123]).contains(&id));
    assert!(events.is_sorted());
}

/// Invariant: nothing in the directory is waited for. A pipe among the journals is named, and appending goes on.
#[cfg(unix)]
#[test]
fn a_pipe_among_the_journals_is_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let ledger = Ledger::open(&dir, &keys(), LedgerOptions::default()).unwrap();
    let name = "0123456789abcdef0123456789abcdef-000001.jsonl";
    for name in [name.to_owned(), format!("{name}.new")] {
        mknodat(CWD, dir.join(super::JOURNAL_DIR).join(name), FileType::Fifo, Mode::RUSR, 0).unwrap();
    }
    ledger.append(&batch(&[1])).unwrap();
    let error = ledger.close().unwrap_err().to_string();
    assert!(error.contains(name) && error.contains("a pipe"), "{error}");
    std::fs::remove_file(dir.join(super::JOURNAL_DIR).join(name)).unwrap();
    std::fs::remove_file(dir.join(super::JOURNAL_DIR).join(format!("{name}.new"))).unwrap();
    Ledger::open(&dir, &keys(), LedgerOptions::default()).unwrap().close().unwrap();
    assert_eq!(size(&dir), 1);
}
