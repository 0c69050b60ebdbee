//! Durability `power`: every call is on the disk before it goes out, and its outcome before the answer does.
//!
//! What the disk alone allows is measured in turns with it: a writer that appends as many bytes for each 16 calls and
//! waits for `fdatasync`, once (only the calls) or twice (the calls, and then their outcomes, as `thoth run` does).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::stats::Latencies;
use crate::{Bench, rate, say, thoth};

/// Calls in flight, and so the most that one sync can cover.
const WINDOW: usize = 16;
const ROUNDS: usize = 5;
/// Calls of each round that are not timed.
const WARM_UP: usize = 200;

/// The best rate and all times of one thing.
#[derive(Debug, Default)]
struct Figure {
    best: f64,
    times: Latencies,
}

impl Figure {
    fn add(&mut self, calls: usize, started: Instant, times: Vec<Duration>) {
        self.best = self.best.max(rate(calls, started));
        self.times.extend(times);
    }
}

/// Measures and prints the table.
pub(crate) fn measure(bench: &Bench) -> io::Result<()> {
    // Beside the programs: the usual folder for temporary files may be in memory, where a sync costs nothing.
    let disk = tempfile::tempdir_in(&bench.bin)?;
    fs::copy(bench.home.path().join("bench.yaml"), disk.path().join("bench.yaml"))?;
    let power = thoth("thoth run, power", &bench.bin.join("thoth"), disk.path(), "power", "power");
    let process = thoth("thoth run, process", &bench.bin.join("thoth"), disk.path(), "process", "process");
    let calls = bench.repetitions(8_000);
    let mut figures: [Figure; 4] = Default::default();
    let [once, twice, with_power, with_process] = &mut figures;
    let mut bytes = 1;
    for _ in 0..ROUNDS {
        for (peer, figure) in [(&process, &mut *with_process), (&power, &mut *with_power)] {
            let before = size(disk.path())?;
            let mut pipe = bench.open(peer, 1_000)?;
            // The start is measured elsewhere.
            pipe.calls_in_flight(WARM_UP, 1_000, WINDOW)?;
            let started = Instant::now();
            let times = pipe.calls_in_flight(calls, 1_000, WINDOW)?;
            figure.add(calls, started, times);
            pipe.finish()?;
            bytes = (size(disk.path())?.saturating_sub(before) / (calls + WARM_UP)).max(1);
        }
        for (syncs, figure) in [(1, &mut *once), (2, &mut *twice)] {
            let started = Instant::now();
            let times = floor(&disk.path().join("floor"), calls, bytes, syncs)?;
            figure.add(calls, started, times);
        }
    }
    print(&mut figures, bytes)
}

fn print(figures: &mut [Figure; 4], bytes: usize) -> io::Result<()> {
    say(&format!("### Calls per second, 1 kB, {WINDOW} in flight (best of {ROUNDS}; {bytes} bytes per call)\n"))?;
    say("| what | calls/s | p50 µs | p99 µs | one sync ÷ this | two syncs ÷ this |")?;
    say("|---|---|---|---|---|---|")?;
    let [Figure { best: one, .. }, Figure { best: two, .. }, ..] = *figures;
    let names = [
        "append and fdatasync, once per 16",
        "append and fdatasync, twice per 16",
        "thoth run, power",
        "thoth run, process",
    ];
    for (name, Figure { best, times }) in names.iter().zip(figures) {
        let (p50, p99) = (times.percentile(50.0), times.percentile(99.0));
        say(&format!("| {name} | {best:.0} | {p50:.0} | {p99:.0} | {:.2} | {:.2} |", one / *best, two / *best))?;
    }
    Ok(())
}

/// Appends `bytes` for each of `calls`, a window at a time, half of a window's bytes before each of its `syncs` when
/// there are two; how long each window took.
fn floor(file: &Path, calls: usize, bytes: usize, syncs: usize) -> io::Result<Vec<Duration>> {
    let mut out = File::create(file)?;
    let chunk = vec![b'x'; bytes * WINDOW / syncs];
    let mut times = Vec::with_capacity(calls / WINDOW);
    for _ in 0..calls / WINDOW {
        let started = Instant::now();
        for _ in 0..syncs {
            out.write_all(&chunk)?;
            out.sync_data()?;
        }
        times.push(started.elapsed());
    }
    fs::remove_file(file)?;
    Ok(times)
}

/// Bytes in all files under a folder.
fn size(folder: &Path) -> io::Result<usize> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { size(&entry.path())? } else { usize::try_from(found.len()).unwrap_or(usize::MAX) };
    }
    Ok(bytes)
}
