//! No byte of a ledger can be changed without verification failing and naming the file.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thoth_audit::prove::{InclusionProof, inclusion};
use thoth_audit::tail::{Follower, last};
use thoth_audit::verify::Fault;
use thoth_audit::{Leaves, Ledger, LedgerError, LedgerKeys, LedgerOptions, VerifyOptions, verify};
use thoth_testkit::independent_verifier::{verify_ledger, verify_proof};

fn keys() -> LedgerKeys {
    LedgerKeys::new([1; 32], [2; 32])
}

fn leaves(from: usize, to: usize) -> Leaves {
    let mut leaves = Leaves::new();
    for n in from..to {
        leaves.push_canonical(format!(r#"{{"eventId":"e{n}","eventType":"TOOL_CALL_PRE"}}"#).as_bytes()).unwrap();
    }
    leaves
}

fn open(dir: &Path) -> Ledger {
    Ledger::open(dir, &keys(), LedgerOptions::default()).unwrap()
}

/// A closed ledger of `folded` events, with a dead writer's journal of `pending` more. That takes another try where the writer
/// has folded them before they were looked at.
fn ledger(dir: &Path, folded: usize, pending: usize) {
    let wanted = (folded as u64, pending as u64);
    let is_so = || verify(dir, &VerifyOptions::default()).is_ok_and(|report| (report.size, report.pending) == wanted);
    let deadline = Instant::now() + Duration::from_secs(60);
    try_ledger(dir, folded, pending);
    while !is_so() {
        assert!(Instant::now() < deadline, "no journal of {pending} events was left");
        fs::remove_dir_all(dir).unwrap();
        try_ledger(dir, folded, pending);
    }
}

fn try_ledger(dir: &Path, folded: usize, pending: usize) {
    let ledger = open(dir);
    ledger.append(&leaves(0, folded)).unwrap();
    ledger.close().unwrap();
    if pending > 0 {
        let ledger = open(dir);
        ledger.append(&leaves(folded, folded + pending)).unwrap();
        let kept: Vec<_> = journals(dir).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
        // What a killed writer would have left: the journal before it was folded. Take the tree back to before too.
        let before = snapshot(dir);
        ledger.close().unwrap();
        restore(dir, &before);
        for (bytes, path) in kept {
            fs::write(path, bytes).unwrap();
        }
    }
}

fn journals(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    files(dir, &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn restore(dir: &Path, files: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(dir).unwrap();
    fs::create_dir_all(dir.join("journal")).unwrap();
    for (path, bytes) in files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn agree(dir: &Path) -> u64 {
    let report = verify(dir, &VerifyOptions::default()).unwrap();
    let second = verify_ledger(dir).unwrap();
    assert_eq!((report.size, report.root), (second.leaves.len() as u64, second.root));
    assert_eq!(report.pending, second.pending.len() as u64);
    report.size
}

/// Both verifiers refuse; the first names the file, or one that the file is compared with.
fn refused(dir: &Path, file: &str, what: &str) {
    let fault = verify(dir, &VerifyOptions::default()).expect_err(what);
    let named = fault.to_string();
    let related = match file {
        // Neither of the two can be told to be the wrong one.
        _ if file.starts_with("tile/0/") => file.replace("tile/0/", "tile/entries/"),
        _ if file.starts_with("tile/entries/") => file.replace("tile/entries/", "tile/0/"),
        // Another key's signatures are missing on the signed files.
        "log.vkey" => "checkpoint".to_owned(),
        _ => file.to_owned(),
    };
    assert!(named.contains(file) || named.contains(&related), "{what}: {named}");
    assert!(verify_ledger(dir).is_err(), "{what}: the second verifier accepts it");
}

/// Invariant: flip, drop, insert, append or swap any byte of any file, and verification fails and names the place.
#[test]
fn every_byte_of_a_ledger_counts() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 3, 2);
    agree(&dir);
    let good = snapshot(&dir);
    assert_eq!(good.len(), 7, "key, checkpoint, state, lock, bundle, tile, journal: {good:?}");
    for (path, bytes) in &good {
        let file = path.strip_prefix(&dir).unwrap().to_str().unwrap();
        let attempt = |changed: Vec<u8>, what: String| {
            if changed != *bytes {
                fs::write(path, changed).unwrap();
                refused(&dir, file, &format!("{file}: {what}"));
            }
        };
        for at in 0..bytes.len() {
            for bit in [0, 5] {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                attempt(changed, format!("bit {bit} of byte {at} flipped"));
            }
            let mut changed = bytes.clone();
            changed.remove(at);
            attempt(changed, format!("byte {at} dropped"));
            let mut changed = bytes.clone();
            changed.insert(at, bytes[at]);
            attempt(changed, format!("byte {at} doubled"));
            if at > 0 {
                let mut changed = bytes.clone();
                changed.swap(at - 1, at);
                attempt(changed, format!("byte {at} swapped"));
                // Whole lines at the end of a journal are under no signature yet: that they are gone, nobody can see.
                if !(file.starts_with("journal/") && bytes[at - 1] == b'\n') {
                    attempt(bytes[..at].to_vec(), format!("cut at {at}"));
                }
            }
        }
        for extra in [b'\n', 0, b'x'] {
            let mut changed = bytes.clone();
            changed.push(extra);
            attempt(changed, format!("byte {extra} appended"));
        }
        fs::write(path, bytes).unwrap();
    }
    agree(&dir);
}

/// Invariant: files that are missing, exchanged or added are noticed; so are reordered and repeated events.
#[test]
fn whole_files_and_events_count_too() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 600, 2);
    assert_eq!(agree(&dir), 600);
    let good = snapshot(&dir);
    for (path, bytes) in &good {
        let file = path.strip_prefix(&dir).unwrap().to_str().unwrap();
        // A copy without the lock file is a good ledger; and nobody can know of a journal that was never read.
        if file != "integrate.lock" && !file.starts_with("journal/") {
            fs::remove_file(path).unwrap();
            refused(&dir, file, &format!("{file} removed"));
            fs::write(path, bytes).unwrap();
        }
    }
    for extra in ["x", "tile/9", "tile/0/007", "tile/entries/002.p/1", "journal/x", "checkpoint.new"] {
        fs::write(dir.join(extra), b"x").unwrap();
        refused(&dir, extra, extra);
        fs::remove_file(dir.join(extra)).unwrap();
    }
    // What a writer leaves that is killed before it has its journal: nobody can have recorded anything in it.
    let draft = "journal/0123456789abcdef0123456789abcdef-000001.jsonl.new";
    fs::write(dir.join(draft), b"").unwrap();
    assert_eq!(agree(&dir), 600);
    fs::write(dir.join(draft), b"x").unwrap();
    refused(&dir, draft, "a draft with content");
    fs::remove_file(dir.join(draft)).unwrap();
    let (one, two) = (dir.join("tile/entries/000"), dir.join("tile/entries/001"));
    fs::rename(&one, dir.join("swap")).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(dir.join("swap"), &two).unwrap();
    refused(&dir, "tile/entries/000", "bundles exchanged");
    restore(&dir, &good);
    let journal = journals(&dir).remove(0);
    let text = fs::read_to_string(&journal).unwrap();
    let (first, second) = text.split_once('\n').unwrap();
    for changed in [format!("{second}{first}\n"), format!("{text}{first}\n"), second.to_owned()] {
        fs::write(&journal, changed).unwrap();
        refused(&dir, "journal/", "journal lines moved");
    }
}

/// Invariant: a torn tail is dropped, and that it was is itself an event; acknowledged events stay.
#[test]
fn a_torn_tail_is_dropped_and_recorded() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 3, 4);
    let journal = journals(&dir).remove(0);
    let bytes = fs::read(&journal).unwrap();
    let cut = bytes.len() - 7;
    fs::write(&journal, &bytes[..cut]).unwrap();
    assert!(matches!(verify(&dir, &VerifyOptions::default()).unwrap_err().fault, Fault::Torn));
    open(&dir).close().unwrap();
    assert_eq!(agree(&dir), 3 + 3 + 1);
    let events = last(&dir, 2).unwrap();
    let text: Vec<_> = events.iter().map(|event| String::from_utf8(event.clone()).unwrap()).collect();
    assert!(text[0].contains(r#""eventId":"e5""#), "{text:?}");
    let name = journal.file_name().unwrap().to_str().unwrap();
    let start = bytes[..cut].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    let said = format!("journal {name} ended in a torn write at byte {start}: {} bytes dropped", cut - start);
    assert!(text[1].contains("LEDGER_RECOVERED") && text[1].contains(&said), "{text:?}");
}

/// One moment of an update: files by their path in the ledger.
type Moment = BTreeMap<PathBuf, Vec<u8>>;

fn moment(dir: &Path) -> Moment {
    snapshot(dir).into_iter().map(|(path, bytes)| (path.strip_prefix(dir).unwrap().to_owned(), bytes)).collect()
}

fn owned((path, bytes): (&PathBuf, &Vec<u8>)) -> (PathBuf, Vec<u8>) {
    (path.clone(), bytes.clone())
}

fn place(dir: &Path, files: &Moment) {
    let files: Vec<_> = files.iter().map(|(path, bytes)| (dir.join(path), bytes.clone())).collect();
    restore(dir, &files);
}

/// Invariant: wherever an update of the tree was interrupted, that is what is said, with all that is there; and it is
/// said of nothing else. The mark of an interruption is under no signature, so it must excuse nothing that is.
#[test]
fn an_interrupted_update_is_told_from_tampering() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 250, 30);
    let before = moment(&dir);
    open(&dir).close().unwrap();
    assert_eq!(agree(&dir), 280);
    let after = moment(&dir);
    let lock = PathBuf::from("integrate.lock");
    let with = |base: &Moment, more: &Moment, only: &dyn Fn(&Path) -> bool| {
        let mut files = base.clone();
        files.extend(more.iter().filter(|(path, _)| only(path)).map(owned));
        files.insert(lock.clone(), b"1".to_vec());
        files
    };
    let is_tile = |path: &Path| path.starts_with("tile");
    let marked = with(&before, &after, &|_| false);
    let tiles_written = with(&before, &after, &is_tile);
    let mut drafted = tiles_written.clone();
    drafted.insert("state.new".into(), after[Path::new("state")][..20].to_vec());
    let committed = with(&tiles_written, &after, &|path| path == Path::new("state"));
    let published = with(&committed, &after, &|path| path == Path::new("checkpoint"));
    let cleared = with(&after, &before, &|path| path.starts_with("journal"));
    let ended = with(&after, &before, &|_| false);
    let moments = [
        ("marked", marked, 250, 30),
        ("tiles written", tiles_written, 250, 30),
        ("state drafted", drafted, 250, 30),
        ("state committed", committed, 280, 0),
        ("checkpoint published", published, 280, 0),
        ("old tiles removed", cleared, 280, 0),
        ("journals removed", ended, 280, 0),
    ];
    let fault = || verify(&dir, &VerifyOptions::default()).map(drop).map_err(|error| error.fault);
    for (name, files, size, pending) in &moments {
        place(&dir, files);
        let Err(Fault::Interrupted(report)) = fault() else { panic!("{name}: {:?}", fault()) };
        assert_eq!((report.size, report.pending), (*size, *pending), "{name}");
        // Without the mark the same is a fault, unless nothing was left over.
        fs::write(dir.join(&lock), "").unwrap();
        let whole = ["marked", "journals removed"].contains(name);
        assert_eq!(fault().is_ok(), whole, "{name}: {:?}", fault());
        // With the mark, every file that what is signed consists of still counts.
        let expected: Vec<_> = thoth_audit::tiles::all_files(*size).into_keys().map(PathBuf::from).collect();
        let signed = |path: &PathBuf| !is_tile(path) || expected.contains(path);
        for (path, bytes) in
            files.iter().filter(|(path, _)| **path != lock && signed(path) && !path.ends_with("state.new"))
        {
            for at in [0, bytes.len() / 2, bytes.len() - 1] {
                let mut changed = files.clone();
                changed.get_mut(path).unwrap()[at] ^= 1;
                place(&dir, &changed);
                let fault = fault();
                assert!(!matches!(fault, Ok(()) | Err(Fault::Interrupted(_))), "{name}: {path:?} at {at}: {fault:?}");
            }
            let removable = path.starts_with("journal");
            let mut changed = files.clone();
            changed.remove(path);
            place(&dir, &changed);
            let fault = fault();
            assert_eq!(matches!(fault, Err(Fault::Interrupted(_))), removable, "{name}: {path:?} gone: {fault:?}");
        }
        for stranger in ["x", "tile/x", "tile/0/00", "tile/0/000.p/256", "tile/0/x00/000", "journal/x", "log.vkey.new"]
        {
            let mut changed = files.clone();
            changed.insert(stranger.into(), b"x".to_vec());
            place(&dir, &changed);
            assert!(matches!(fault(), Err(Fault::Unexpected)), "{name}: {stranger}: {:?}", fault());
        }
        place(&dir, files);
        open(&dir).close().unwrap();
        assert_eq!(agree(&dir), 280, "{name}");
    }
    // The order of the writes is never the other way round: a head that is ahead of the state is no interruption.
    place(&dir, &with(&with(&before, &after, &is_tile), &after, &|path| path == Path::new("checkpoint")));
    assert!(matches!(fault(), Err(Fault::HeadsDiffer { .. })), "{:?}", fault());
    // Nor is a checkpoint of another history that the same key has signed.
    place(&dir, &before.iter().filter(|(path, _)| !path.starts_with("journal")).map(owned).collect());
    let other = open(&dir);
    other.append(&leaves(7000, 7001)).unwrap();
    other.close().unwrap();
    assert_eq!(agree(&dir), 251);
    place(&dir, &with(&after, &moment(&dir), &|path| path == Path::new("checkpoint")));
    assert!(matches!(fault(), Err(Fault::NotAnExtension { .. })), "{:?}", fault());
}

/// Invariant: damage in the middle of a journal is never passed over: it is reported, set aside, and fails
/// verification until somebody has looked.
#[test]
fn a_damaged_journal_is_set_aside() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 1, 4);
    let journal = journals(&dir).remove(0);
    let mut bytes = fs::read(&journal).unwrap();
    let second = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    bytes[second + 20] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let told = open(&dir).close().map_err(|error| error.to_string());
    let fault = verify(&dir, &VerifyOptions::default()).unwrap_err();
    assert!(fault.file.starts_with("quarantine/") && matches!(fault.fault, Fault::Quarantined), "{fault}");
    // The background thread may have met it first; then it has the problem and not `close`.
    assert!(told.is_ok() || told.unwrap_err().contains(&format!("damaged at byte {second}")));
    fs::remove_dir_all(dir.join("quarantine")).unwrap();
    let ledger = open(&dir);
    ledger.append(&leaves(90, 91)).unwrap();
    ledger.close().unwrap();
    // One folded before, one good line, the record of the damage, the new one, the record of its removal.
    assert_eq!(agree(&dir), 5);
}

/// Invariant: an earlier checkpoint is a prefix of every later ledger, and of no other; a pinned key is the only one.
#[test]
fn earlier_checkpoints_and_keys_bind() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 300, 0);
    let early = fs::read(dir.join("checkpoint")).unwrap();
    let early_files = snapshot(&dir);
    let ledger = open(&dir);
    ledger.append(&leaves(300, 1000)).unwrap();
    ledger.close().unwrap();
    let options = |checkpoint, vkey| VerifyOptions { checkpoint, vkey };
    let report = verify(&dir, &options(Some(early.as_slice()), None)).unwrap();
    assert_eq!((report.extends, report.size), (Some(300), 1000));
    assert!(verify(&dir, &options(None, Some(&report.vkey))).is_ok());
    let late = fs::read(dir.join("checkpoint")).unwrap();
    restore(&dir, &early_files);
    assert!(matches!(verify(&dir, &options(Some(&late), None)).unwrap_err().fault, Fault::RolledBack { .. }));
    // The same key signs another history.
    let ledger = open(&dir);
    ledger.append(&leaves(5000, 6000)).unwrap();
    ledger.close().unwrap();
    let fault = verify(&dir, &options(Some(&late), None)).unwrap_err().fault;
    assert!(matches!(fault, Fault::NotAnExtension { .. }), "{fault}");
    let other = report.vkey.replace("+A", "+B");
    assert!(matches!(verify(&dir, &options(None, Some(&other))).unwrap_err().fault, Fault::OtherKey));
}

/// Invariant: the proof of every event holds for both verifiers, and for no other index or leaf.
#[test]
fn proofs_hold_without_the_ledger() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 771, 0);
    let vkey = fs::read_to_string(dir.join("log.vkey")).unwrap();
    for index in [0, 1, 255, 256, 511, 512, 700, 768, 770] {
        let text = inclusion(&dir, index).unwrap().to_text();
        let (found, leaf) = verify_proof(&text, vkey.trim()).unwrap();
        assert_eq!(
            (found, leaf),
            (index, format!(r#"{{"eventId":"e{index}","eventType":"TOOL_CALL_PRE"}}"#).into_bytes())
        );
        let mut proof = InclusionProof::parse(&text).unwrap();
        proof.index ^= 1;
        assert!(verify_proof(&proof.to_text(), vkey.trim()).is_err());
    }
    assert!(inclusion(&dir, 771).is_err());
}

/// Invariant: the third tile level is right too, and trees that grow in many steps are those that grow in one.
#[test]
fn a_tree_of_three_levels_verifies() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let events = 256 * 256 + 300;
    let ledger = open(&dir);
    for from in (0..events).step_by(1000) {
        ledger.append(&leaves(from, events.min(from + 1000))).unwrap();
    }
    ledger.close().unwrap();
    assert_eq!(agree(&dir), events as u64);
    let early = fs::read(dir.join("checkpoint")).unwrap();
    let vkey = fs::read_to_string(dir.join("log.vkey")).unwrap();
    for index in [0, 65_535, 65_536, 65_835] {
        let text = inclusion(&dir, index).unwrap().to_text();
        assert_eq!(verify_proof(&text, vkey.trim()).unwrap().0, index);
    }
    let ledger = open(&dir);
    ledger.append(&leaves(events, events + 1)).unwrap();
    ledger.close().unwrap();
    let options = VerifyOptions { checkpoint: Some(&early), vkey: Some(vkey.trim()) };
    assert_eq!(verify(&dir, &options).unwrap().extends, Some(events as u64));
}

/// Invariant: a follower sees each event once, whether it comes from a journal or from the tree.
#[test]
fn a_follower_sees_each_event_once() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 10, 0);
    let (mut follower, first) = Follower::last(&dir, 3).unwrap();
    assert_eq!(first.len(), 3);
    let (one, two) = (open(&dir), open(&dir));
    let mut seen = 0;
    for round in 0..5 {
        one.append(&leaves(100 + round * 10, 103 + round * 10)).unwrap();
        two.append(&leaves(103 + round * 10, 105 + round * 10)).unwrap();
        seen += follower.poll().unwrap().len();
        assert_eq!(seen, 5 * (round + 1));
    }
    one.close().unwrap();
    assert!(follower.poll().unwrap().is_empty());
    two.append(&leaves(900, 901)).unwrap();
    two.close().unwrap();
    assert_eq!(follower.poll().unwrap().len(), 1);
    assert_eq!(agree(&dir), 10 + 25 + 1);
}

/// Invariant: a ledger that cannot be used is refused with the reason, and nothing is changed.
#[test]
fn bad_places_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    ledger(&dir, 1, 0);
    let before = snapshot(&dir);
    let other = Ledger::open(&dir, &LedgerKeys::new([3; 32], [2; 32]), LedgerOptions::default());
    assert!(matches!(other.unwrap_err(), LedgerError::WrongKey { .. }));
    assert_eq!(snapshot(&dir), before);
    let full = home.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("notes.txt"), "x").unwrap();
    let error = Ledger::open(&full, &keys(), LedgerOptions::default()).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
    let file = home.path().join("file");
    fs::write(&file, "x").unwrap();
    for bad in [file.clone(), file.join("below")] {
        let error = Ledger::open(&bad, &keys(), LedgerOptions::default()).unwrap_err();
        assert!(error.to_string().contains(bad.to_str().unwrap()), "{error}");
    }
}

/// Invariant: a lost key is never replaced, and another one is refused; both say what is where and what to do, and
/// nothing is changed. What cannot be signed any more still verifies.
#[test]
fn a_lost_key_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (dir, keys) = (home.path().join("ledger"), home.path().join("keys"));
    let open = || {
        let keys = LedgerKeys::load_or_create(&keys, &dir).map_err(|error| error.to_string())?;
        Ledger::open(&dir, &keys, LedgerOptions::default()).map_err(|error| error.to_string())
    };
    let ledger = open().unwrap();
    ledger.append(&leaves(0, 2)).unwrap();
    ledger.close().unwrap();
    let (key, events) = (keys.join("ledger-signing.key"), snapshot(&dir));
    let kept = home.path().join("kept.key");
    let refused = |what: &str| {
        let message = open().err().unwrap();
        for told in [what, key.to_str().unwrap(), dir.to_str().unwrap(), "restore", "evidence"] {
            assert!(message.contains(told), "{told}: {message}");
        }
        assert_eq!(snapshot(&dir), events);
    };
    fs::rename(&key, &kept).unwrap();
    refused("is missing");
    assert!(!key.exists());
    // Another ledger elsewhere gets a new key, which the old ledger is not signed with.
    drop(LedgerKeys::load_or_create(&keys, &home.path().join("elsewhere")).unwrap());
    refused("another key");
    assert_eq!(agree(&dir), 2);
    fs::rename(&kept, &key).unwrap();
    open().unwrap().close().unwrap();
    assert_eq!(agree(&dir), 2);

    // The same for the ledger's own copy of the public key, without which nobody can tell whose it is.
    fs::remove_file(dir.join("log.vkey")).unwrap();
    let headless = snapshot(&dir);
    let message = open().err().unwrap();
    assert!(message.contains("log.vkey` is missing") && message.contains("evidence"), "{message}");
    fs::remove_file(&key).unwrap();
    assert!(open().err().unwrap().contains("ledger-signing.key` is missing"));
    assert_eq!(snapshot(&dir), headless);
}

/// Invariant: nobody else can read the ledger or the keys; exposed keys are refused; two creators get one key.
#[test]
fn files_are_private() {
    let home = tempfile::tempdir().unwrap();
    let key_dir = home.path().join("keys");
    let dir = home.path().join("ledger");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let keys = LedgerKeys::load_or_create(&key_dir, &dir).unwrap();
                Ledger::open(&dir, &keys, LedgerOptions::default()).unwrap().close().unwrap();
            });
        }
    });
    let mut found = Vec::new();
    files(home.path(), &mut found);
    for path in &found {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    for private in [&dir, &key_dir, &dir.join("tile"), &dir.join("journal")] {
        assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o700, "{private:?}");
    }
    let key = key_dir.join("ledger-signing.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(LedgerKeys::load_or_create(&key_dir, &dir).unwrap_err().to_string().contains("chmod 600"));
}
