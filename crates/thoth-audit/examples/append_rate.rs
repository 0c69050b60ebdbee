//! How fast a ledger takes events: `cargo run --release -p thoth-audit --example append_rate [-- [--quick] [DIR]]`.
//!
//! Prints, measured in one run and in the same directory: appends per second and the time of one append, with one and
//! with four writers that each have the ledger open, in both durability modes; and beside them the floors, which are
//! the same bytes written with a plain `write(2)`, and with a plain group-committed `fdatasync`.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thoth_audit::{Durability, Leaves, Ledger, LedgerKeys, LedgerOptions};

/// How long each figure is measured at most, and over how many appends of each writer.
const SPAN: Duration = Duration::from_secs(2);
const MOST: usize = 200_000;
/// Length of one event.
const EVENT_BYTES: usize = 600;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn leaf(number: usize) -> Outcome<Leaves> {
    let id = format!("{number:016}");
    let frame = format!(r#"{{"detail":"","eventId":"{id}","eventType":"TOOL_CALL_PRE"}}"#);
    let padding = "x".repeat(EVENT_BYTES.saturating_sub(frame.len()));
    let mut leaves = Leaves::new();
    leaves.push_canonical(
        format!(r#"{{"detail":"{padding}","eventId":"{id}","eventType":"TOOL_CALL_PRE"}}"#).as_bytes(),
    )?;
    Ok(leaves)
}

/// How long each append took.
type Times = Vec<Duration>;

/// Calls `append` over and over, and returns how long each call took.
fn timed(span: Duration, mut append: impl FnMut() -> Outcome<()>) -> Outcome<Times> {
    let mut times = Vec::with_capacity(MOST);
    let start = Instant::now();
    let mut before = start;
    while before - start < span && times.len() < MOST {
        append()?;
        let now = Instant::now();
        times.push(now - before);
        before = now;
    }
    Ok(times)
}

fn report(name: &str, writers: usize, mut times: Times) -> Outcome<()> {
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() * part / 1000).min(times.len() - 1)).copied().unwrap_or_default();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    // Writers run side by side, so each contributes the time that it took itself.
    let busy = times.iter().sum::<Duration>().as_secs_f64() / f64::from(u32::try_from(writers)?);
    let rate = f64::from(u32::try_from(times.len())?) / busy;
    let (p50, p99) = (micros(at(500)), micros(at(990)));
    writeln!(std::io::stdout(), "| {name} | {writers} | {rate:.0} | {p50:.2} | {p99:.2} |")?;
    Ok(())
}

/// Runs a writer in each of `writers` threads and gathers all times.
fn in_threads(writers: usize, run: impl Fn(usize) -> Outcome<Times> + Sync) -> Outcome<Times> {
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|number| {
                scope.spawn({
                    let run = &run;
                    move || run(number)
                })
            })
            .collect();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a writer panicked")??);
        }
        Ok(all)
    })
}

fn ledger(dir: &Path, durability: Durability, writers: usize, span: Duration) -> Outcome<Times> {
    let keys = LedgerKeys::new([1; 32], [2; 32]);
    in_threads(writers, |number| {
        let ledger = Ledger::open(dir, &keys, LedgerOptions { durability })?;
        let leaves = leaf(number)?;
        let times = timed(span, || Ok(ledger.append(&leaves)?))?;
        ledger.close()?;
        Ok(times)
    })
}

/// Several threads of one process on one open ledger: what a gate with many calls in flight does.
fn shared_ledger(dir: &Path, durability: Durability, writers: usize, span: Duration) -> Outcome<Times> {
    let ledger = Ledger::open(dir, &LedgerKeys::new([1; 32], [2; 32]), LedgerOptions { durability })?;
    let times = in_threads(writers, |number| {
        let leaves = leaf(number)?;
        timed(span, || Ok(ledger.append(&leaves)?))
    })?;
    ledger.close()?;
    Ok(times)
}

fn file(path: PathBuf) -> Outcome<File> {
    Ok(OpenOptions::new().append(true).create(true).open(path)?)
}

fn plain_write(dir: &Path, writers: usize, span: Duration) -> Outcome<Times> {
    in_threads(writers, |number| {
        let mut file = file(dir.join(format!("floor-write-{number}")))?;
        let bytes = vec![b'x'; EVENT_BYTES + 66];
        timed(span, || Ok(file.write_all(&bytes)?))
    })
}

/// The plainest group commit: whoever comes first syncs for all that have written by then.
fn plain_sync(dir: &Path, writers: usize, span: Duration) -> Outcome<Times> {
    let file = file(dir.join("floor-sync"))?;
    // Written, synced, whether somebody is syncing.
    let state = Mutex::new((0_u64, 0_u64, false));
    let done = Condvar::new();
    in_threads(writers, |_| {
        let bytes = vec![b'x'; EVENT_BYTES + 66];
        timed(span, || {
            let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
            (&file).write_all(&bytes)?;
            guard.0 += 1;
            let mine = guard.0;
            while guard.1 < mine {
                if guard.2 {
                    guard = done.wait(guard).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                guard.2 = true;
                let target = guard.0;
                drop(guard);
                let synced = file.sync_data();
                guard = state.lock().unwrap_or_else(PoisonError::into_inner);
                guard.2 = false;
                guard.1 = target;
                done.notify_all();
                synced?;
            }
            Ok(())
        })
    })
}

fn main() -> Outcome<()> {
    let mut given = std::env::args().skip(1).peekable();
    let span = if given.next_if_eq("--quick").is_some() { SPAN / 5 } else { SPAN };
    let home = match given.next() {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let dir = |name: &str| home.path().join(name);
    writeln!(std::io::stdout(), "| what | writers | appends/s | p50 µs | p99 µs |\n|---|---|---|---|---|")?;
    for writers in [1, 4] {
        report("floor: write", writers, plain_write(home.path(), writers, span)?)?;
        let process = dir(&format!("process-{writers}"));
        report("ledger, process", writers, ledger(&process, Durability::Process, writers, span)?)?;
    }
    for writers in [1, 4] {
        report("floor: write + fdatasync", writers, plain_sync(home.path(), writers, span)?)?;
        let shared = dir(&format!("shared-{writers}"));
        report("ledger, power, one handle", writers, shared_ledger(&shared, Durability::Power, writers, span)?)?;
        let power = dir(&format!("power-{writers}"));
        report("ledger, power, own handles", writers, ledger(&power, Durability::Power, writers, span)?)?;
    }
    Ok(())
}
