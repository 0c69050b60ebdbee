//! One approval lets one call through, whenever and whoever is killed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use jiff::{SignedDuration, Timestamp};
use thoth_gate::Holds as _;
use thoth_gate::hold::{Consulted, Hold, HoldState, Question};
use thoth_store::SqliteHolds;
use thoth_testkit::holds_suite::{HeldCall, at, milled_call};

const WORKERS: usize = 8;
const CALLS: u16 = 200;

/// A small generator: the rounds only need to differ, and a failure prints its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

struct Worker {
    child: Child,
    reader: JoinHandle<()>,
}

fn start(folder: &Path, seed: u64, number: usize, total: &SyncSender<()>) -> Worker {
    let seed = seed.wrapping_add(number as u64).to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hold_worker"))
        .args([folder.join("state.db"), folder.join("log")])
        .args([&format!("w{number}"), &seed, &CALLS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, total) = (child.stdout.take().unwrap(), total.clone());
    let reader = std::thread::spawn(move || {
        // Workers go no further than the killer follows; when it has stopped following, they may.
        for _ in BufReader::with_capacity(64, stdout).lines() {
            let _ = total.send(());
        }
    });
    Worker { child, reader }
}

/// Kills a worker that must not have ended on its own.
fn kill(mut worker: Worker, seed: u64) -> JoinHandle<()> {
    if let Some(status) = worker.child.try_wait().unwrap() {
        panic!("seed {seed}: a worker gave up with {status}");
    }
    worker.child.kill().unwrap();
    worker.child.wait().unwrap();
    worker.reader
}

/// What the log says of one hold.
#[derive(Default)]
struct Told {
    /// The call that it let through and that has not given it back.
    user: Option<String>,
    uses: u32,
    returns: u32,
    approved: bool,
    denied: bool,
    expired: bool,
}

/// Reads the log, and holds it against itself: at no place may a hold be used up that is in use, denied or expired.
fn told(log: &str, seed: u64) -> HashMap<String, Told> {
    let mut all: HashMap<String, Told> = HashMap::new();
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let told = all.entry(words[1].to_owned()).or_default();
        match words[0] {
            "spent" => {
                let over = told.denied || told.expired || told.user.is_some();
                assert!(!over, "seed {seed}: {line}, after {:?} had used it", told.user);
                told.user = Some(words[2].to_owned());
                told.uses += 1;
            }
            "return" => {
                assert_eq!(told.user.as_deref(), Some(words[2]), "seed {seed}: {line}");
                told.user = None;
                told.returns += 1;
            }
            "approved" => told.approved = true,
            "denied" => told.denied = true,
            "expired" => told.expired = true,
            other => panic!("seed {seed}: {other}"),
        }
    }
    all
}

/// Holds what was told against what is stored. Returns the holds that a call must still be able to use.
fn compare(told: &HashMap<String, Told>, holds: &[Hold], now: Timestamp, kills: u32, seed: u64) -> Vec<Hold> {
    let by_name: HashMap<_, _> = holds.iter().map(|hold| (hold.token.as_str(), hold)).collect();
    // A worker that was killed between a write and the line about it.
    let mut untold = 0;
    for (name, told) in told {
        let hold = by_name.get(&**name).unwrap_or_else(|| panic!("seed {seed}: {name} is lost"));
        let denied = hold.votes.iter().any(|vote| !vote.approves);
        let fits = match hold.state {
            HoldState::Spent => {
                untold += u32::from(told.user.as_deref() != hold.spent_by.as_deref());
                told.user.is_none() || told.user.as_deref() == hold.spent_by.as_deref()
            }
            HoldState::Denied => told.user.is_none() && denied,
            HoldState::Expired => told.user.is_none() && now >= hold.ends_at && !denied,
            HoldState::Approved => told.user.is_none() && !denied,
            HoldState::Pending => told.user.is_none() && !told.approved && !denied,
        };
        assert!(fits, "seed {seed}: {name} was used by {:?}, and is {hold:?}", told.user);
        assert!(!told.denied || hold.state == HoldState::Denied, "seed {seed}: {name} was denied, and is {hold:?}");
        assert!(!told.expired || hold.state == HoldState::Expired, "seed {seed}: {name} was over, and is {hold:?}");
    }
    assert!(untold <= kills, "seed {seed}: {untold} holds were used up without a word, after {kills} kills");
    holds.iter().filter(|hold| hold.state_at(now) == HoldState::Approved).cloned().collect()
}

/// Whether holds were used up, given back, denied and over.
fn has_met_everything(folder: &Path) -> bool {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    ["spent ", "return ", "denied ", "expired "].iter().all(|word| log.lines().any(|line| line.starts_with(word)))
}

/// Invariants, over 8 processes and 200 calls, with approvals that race with the end, with denials and with each other, and
/// with processes killed at any moment: no hold is used up twice without having been given back, none after its denial or
/// end; what a process was told is in the store; and every approval that was neither used nor denied nor over can be used.
///
/// `THOTH_KILL_ROUNDS` sets how many processes are killed at least, and `THOTH_KILL_SEED` other moments.
#[test]
fn one_approval_lets_one_call_through_whoever_is_killed() {
    let rounds: u32 = std::env::var("THOTH_KILL_ROUNDS").ok().map_or(40, |n| n.parse().unwrap());
    let seed = std::env::var("THOTH_KILL_SEED").ok().map_or(0x9E37_79B9_7F4A_7C15, |n| n.parse().unwrap());
    let mut dice = Dice(seed);
    let home = tempfile::tempdir().unwrap();
    let store = || SqliteHolds::new(home.path().join("state.db"), "/ledger".into());
    let (total, done) = sync_channel(0);
    // All calls wait for an answer at once, before the workers begin.
    let first = store();
    for number in 0..CALLS {
        let asked = milled_call(number).consult(&first, u128::from(number) + 1, None, at(0));
        assert!(matches!(asked, Ok(Consulted::Created(..))), "{asked:?}");
    }
    drop(first);
    let mut workers: Vec<_> = (0..WORKERS).map(|worker| start(home.path(), seed, worker, &total)).collect();
    let mut readers = Vec::new();
    let mut killed = 0;
    // Until there was everything to meet: who gets how far between two kills is for the machine to say.
    while killed < rounds || (killed < 10 * rounds && !has_met_everything(home.path())) {
        for _ in 0..20 + dice.below(120) {
            done.recv().unwrap();
        }
        let victim = usize::try_from(dice.below(WORKERS as u64)).unwrap();
        let another = start(home.path(), seed, WORKERS + killed as usize, &total);
        readers.push(kill(std::mem::replace(&mut workers[victim], another), seed));
        killed += 1;
    }
    drop(done);
    readers.extend(workers.into_iter().map(|worker| kill(worker, seed)));
    readers.into_iter().for_each(|reader| reader.join().unwrap());

    let log = fs::read_to_string(home.path().join("log")).unwrap();
    let now = at(0) + SignedDuration::from_millis(i64::try_from(log.len()).unwrap());
    let told = told(&log, seed);
    let holds = store();
    holds.check().unwrap();
    let kept = holds.list().unwrap();
    let kills = killed + u32::try_from(WORKERS).unwrap();
    let usable = compare(&told, &kept, now, kills, seed);
    // The mill has ground: without such meetings, nothing was shown.
    let count = |what: fn(&Told) -> bool| told.values().filter(|told| what(told)).count();
    let met =
        [count(|t| t.uses > 0), count(|t| t.returns > 0), count(|t| t.denied), count(|t| t.expired), usable.len()];
    assert!(met.iter().all(|count| *count > 0), "seed {seed}: {met:?} of {}", kept.len());

    // Each approval that is left lets exactly one call through.
    let last = store();
    for hold in &usable {
        let call = HeldCall { requirement: hold.requirement.clone(), ..HeldCall::new(0) };
        let question = Question {
            binding: &hold.binding,
            scope: &call.scope(),
            covers: &|_| false,
            requirement: &hold.requirement,
            requester: &hold.requester,
            spender: Some("last"),
            draft: &|| None,
        };
        let denied = kept
            .iter()
            .any(|other| other.binding == hold.binding && other.state == HoldState::Denied && other.stands_at(now));
        match last.consult(&question, now) {
            Ok(Consulted::Spent(spent)) if !denied => assert_eq!(spent.binding, hold.binding),
            Ok(Consulted::Denied(_)) if denied => continue,
            other => panic!("seed {seed}: {hold:?} met {other:?}"),
        }
    }
    let left: Vec<_> = last.list().unwrap();
    let denied = |hold: &Hold| {
        left.iter()
            .any(|other| other.binding == hold.binding && other.state == HoldState::Denied && other.stands_at(now))
    };
    let unused = left.iter().filter(|hold| hold.state_at(now) == HoldState::Approved).find(|hold| !denied(hold));
    assert!(unused.is_none(), "seed {seed}: {unused:?}");
}
