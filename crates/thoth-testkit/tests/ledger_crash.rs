//! Nothing that was acknowledged is lost, whenever and whoever is killed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use thoth_audit::verify::Fault;
use thoth_audit::{Ledger, LedgerKeys, LedgerOptions, VerifyOptions, verify};
use thoth_testkit::independent_verifier::verify_ledger;

fn keys() -> LedgerKeys {
    LedgerKeys::new([1; 32], [2; 32])
}

/// A small generator: the rounds only need to differ, and a failure prints its round.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

struct Writer {
    name: String,
    child: Child,
    reader: JoinHandle<()>,
    acknowledged: Arc<AtomicU64>,
}

fn start(dir: &Path, name: String, total: &SyncSender<()>) -> Writer {
    // A small pipe keeps writers from running megabytes ahead of what has been read.
    let (stdout, theirs) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&stdout, 4096).unwrap();
    let child =
        Command::new(env!("CARGO_BIN_EXE_ledger_writer")).arg(dir).args([&name, "0"]).stdout(theirs).spawn().unwrap();
    let mut lines = BufReader::with_capacity(512, stdout);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (mine, total) = (Arc::clone(&acknowledged), total.clone());
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            // A line without its end may be a shorter number than was meant.
            if let Some(sequence) = line.strip_suffix('\n') {
                mine.store(sequence.parse::<u64>().unwrap() + 1, Ordering::SeqCst);
                // Writers go no further than the killer follows; when it has stopped following, they may.
                let _ = total.send(());
            }
            line.clear();
        }
    });
    Writer { name, child, reader, acknowledged }
}

/// Checks the ledger with both verifiers and returns how often each event id is in it.
fn contents(dir: &Path, round: u64) -> HashMap<String, u64> {
    let report = verify(dir, &VerifyOptions::default()).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
    let second = verify_ledger(dir).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
    assert_eq!((report.size, report.root), (second.leaves.len() as u64, second.root), "round {round}");
    assert_eq!(report.pending, second.pending.len() as u64, "round {round}");
    let mut ids = HashMap::new();
    for leaf in second.leaves.iter().chain(&second.pending) {
        let event: serde_json::Value = serde_json::from_slice(leaf).unwrap();
        *ids.entry(event["eventId"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    ids
}

/// Invariant: an append that has returned is in the ledger once, after any combination of kill -9 at any moment. Until the
/// ledger is opened again, its verdict is that it is good, interrupted or torn, and never another.
///
/// `THOTH_KILL_ROUNDS` sets the number of rounds, and `THOTH_KILL_SEED` other moments. All rounds work on one ledger, so every crash meets what the ones
/// before have left; every 20 rounds it is checked as a whole.
#[test]
fn acknowledged_events_survive_kill_9() {
    let rounds: u64 = std::env::var("THOTH_KILL_ROUNDS").ok().map_or(60, |n| n.parse().unwrap());
    let seed = std::env::var("THOTH_KILL_SEED").ok().map_or(0x9E37_79B9_7F4A_7C15, |n| n.parse().unwrap());
    let mut dice = Dice(seed);
    let home = tempfile::tempdir().unwrap();
    let mut dir = home.path().join("ledger-0");
    let mut interrupted = 0;
    let mut promised: HashMap<String, u64> = HashMap::new();
    for round in 0..rounds {
        let (total, acknowledgements) = sync_channel(0);
        let mut writers: Vec<Writer> = (0..4).map(|w| start(&dir, format!("{round}-{w}"), &total)).collect();
        // One after the other or all at once, after a random number of acknowledgements.
        let singly = dice.below(3) == 0;
        for (at, writer) in writers.iter_mut().enumerate() {
            if at == 0 || singly {
                for _ in 0..=dice.below(300) {
                    acknowledgements.recv().unwrap();
                }
                for _ in 0..dice.below(200) {
                    std::thread::yield_now();
                }
            }
            writer.child.kill().unwrap();
        }
        drop(acknowledgements);
        for mut writer in writers {
            writer.child.wait().unwrap();
            writer.reader.join().unwrap();
            promised.insert(writer.name, writer.acknowledged.load(Ordering::SeqCst));
        }
        let marked = fs::metadata(dir.join("integrate.lock")).is_ok_and(|lock| lock.len() > 0);
        interrupted += u64::from(marked);
        // Whatever the moment, the dead leave nothing that looks like tampering.
        if dice.below(5) == 0 {
            match (marked, verify(&dir, &VerifyOptions::default()).map_err(|error| error.fault)) {
                (false, Ok(_)) | (true, Err(Fault::Interrupted(_))) | (_, Err(Fault::Torn)) => {}
                (_, verdict) => panic!("round {round}, marked {marked}: {verdict:?}"),
            }
        }
        let last = round + 1 == rounds;
        if dice.below(2) == 0 || last || round % 20 == 19 {
            // Recovery: opening and closing folds everything that the dead have left.
            Ledger::open(&dir, &keys(), LedgerOptions::default()).unwrap().close().unwrap();
            let left: Vec<_> = fs::read_dir(dir.join("journal"))
                .unwrap()
                .map(|e| e.unwrap())
                .map(|e| (e.file_name(), e.metadata().unwrap().len()))
                .collect();
            assert!(left.is_empty(), "round {round}: {left:?}");
        }
        if last || round % 20 == 19 {
            let ids = contents(&dir, round);
            for (writer, acknowledged) in &promised {
                for sequence in 0..*acknowledged {
                    assert_eq!(
                        ids.get(&format!("{writer}-{sequence}")),
                        Some(&1),
                        "round {round}: {writer}-{sequence}"
                    );
                }
            }
            assert!(ids.values().all(|times| *times == 1), "round {round}: an event is there twice");
            promised.clear();
            dir = home.path().join(format!("ledger-{}", round + 1));
        }
    }
    println!("{rounds} rounds, of which {interrupted} ended in the middle of an integration");
}

/// Invariant: eight processes may use one ledger at once, from its creation on, and each event is there once.
#[test]
fn eight_processes_share_a_ledger() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let children: Vec<Child> = (0..8)
        .map(|w| {
            Command::new(env!("CARGO_BIN_EXE_ledger_writer"))
                .arg(&dir)
                .args([&format!("w{w}"), "300"])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let ids = contents(&dir, 0);
    assert_eq!(ids.len(), 8 * 300);
    assert!(ids.values().all(|times| *times == 1));
    assert_eq!(fs::read_dir(dir.join("journal")).unwrap().count(), 0);
}
