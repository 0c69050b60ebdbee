//! Measures `thoth run` beside a direct pipe and a plain copy loop, all in one run, and prints what it measured.
//!
//! Every figure is a difference or a ratio within this run; the machine is printed beside them. Nothing here passes or
//! fails.

mod approvals;
mod pipe;
mod power;
mod stats;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;

use crate::pipe::{Peer, Pipe};
use crate::stats::Latencies;

/// Measures the data path.
#[derive(Debug, Parser)]
struct Args {
    /// Fewer repetitions, for a quick look
    #[arg(long)]
    quick: bool,
    /// Only this processor, for the client, the gate and the server alike
    #[arg(long, value_name = "CPU")]
    pin: Option<usize>,
    /// Rules in the policy
    #[arg(long, default_value_t = 1000)]
    rules: usize,
    /// More things to put in the pipe: a name and a command to which the server's command is appended
    #[arg(long, value_name = "NAME=COMMAND")]
    peer: Vec<String>,
    /// Another build of `thoth`, under the same policy: a name and a path
    #[arg(long, value_name = "NAME=PROGRAM")]
    build: Vec<String>,
    /// Durability `power` beside what the disk alone allows, and nothing else
    #[arg(long)]
    power: bool,
    /// How long a waiting call takes to go out once it is approved, and nothing else
    #[arg(long, conflicts_with = "power")]
    approvals: bool,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    if let Some(cpu) = args.pin {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set)?;
    }
    let bench = Bench::prepare(&args)?;
    let pinned = args.pin.map_or_else(|| "unpinned".to_owned(), |cpu| format!("all on processor {cpu}"));
    say(&format!("## Data path: {}, {pinned}, policy of {} rules, ledger on\n", machine(), args.rules))?;
    if args.power {
        return power::measure(&bench);
    }
    if args.approvals {
        return approvals::measure(&bench);
    }
    bench.latency()?;
    bench.calls_per_second()?;
    bench.large_results()?;
    bench.start_up()?;
    bench.memory()
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or("", |(_, m)| m.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} processors available")
}

struct Bench {
    bin: PathBuf,
    home: tempfile::TempDir,
    peers: Vec<Peer>,
    quick: bool,
}

impl Bench {
    fn prepare(args: &Args) -> io::Result<Self> {
        let bin = std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
        let home = tempfile::tempdir()?;
        fs::write(home.path().join("bench.yaml"), policy(args.rules))?;
        let copy = bin.join("bench-copy").display().to_string();
        let mut peers = vec![
            Peer::new("direct", &[]),
            Peer::new("copy loop", &[&copy]),
            thoth("thoth run", &bin.join("thoth"), home.path(), "ledger", "process"),
        ];
        for (number, build) in args.build.iter().enumerate() {
            let (name, program) = build.split_once('=').ok_or_else(|| io::Error::other("--build NAME=PROGRAM"))?;
            peers.push(thoth(name, Path::new(program), home.path(), &format!("ledger-{number}"), "process"));
        }
        for peer in &args.peer {
            let (name, command) = peer.split_once('=').ok_or_else(|| io::Error::other("--peer NAME=COMMAND"))?;
            peers.push(Peer::new(name, &command.split(' ').collect::<Vec<_>>()));
        }
        Ok(Self { bin, home, peers, quick: args.quick })
    }

    fn repetitions(&self, full: usize) -> usize {
        if self.quick { full / 8 } else { full }
    }

    fn open(&self, peer: &Peer, result_bytes: usize) -> io::Result<Pipe> {
        peer.start(&self.bin.join("bench-echo"), result_bytes, self.home.path())
    }

    /// One call in flight; request and answer of the same size. The peers take turns, so that what disturbs one
    /// disturbs all.
    fn latency(&self) -> io::Result<()> {
        say("### Latency per call, one in flight (µs; request and answer of the same size)\n")?;
        say("| size | through | p50 | p99 | added p50 | added p99 | × copy loop p50 | × copy loop p99 |")?;
        say("|---|---|---|---|---|---|---|---|")?;
        for (bytes, calls) in [(1_000, 16_000), (10_000, 8_000), (100_000, 2_400)] {
            let mut pipes = self.peers.iter().map(|peer| self.open(peer, bytes)).collect::<io::Result<Vec<_>>>()?;
            let mut latencies = vec![Latencies::default(); pipes.len()];
            let turns = 40;
            for pipe in &mut pipes {
                pipe.calls_one_by_one(50, bytes)?;
            }
            for _ in 0..turns {
                for (pipe, latencies) in pipes.iter_mut().zip(&mut latencies) {
                    latencies.extend(pipe.calls_one_by_one(self.repetitions(calls) / turns, bytes)?);
                }
            }
            self.print_latency(bytes, &mut latencies)?;
            for pipe in pipes {
                pipe.finish()?;
            }
        }
        say("")
    }

    fn print_latency(&self, bytes: usize, latencies: &mut [Latencies]) -> io::Result<()> {
        let points: Vec<_> = latencies.iter_mut().map(|l| (l.percentile(50.0), l.percentile(99.0))).collect();
        let (direct, copy) = (points.first().copied().unwrap_or_default(), points.get(1).copied().unwrap_or_default());
        for (peer, point) in self.peers.iter().zip(&points) {
            let added = (point.0 - direct.0, point.1 - direct.1);
            let floor = (copy.0 - direct.0, copy.1 - direct.1);
            let ratio = |a: f64, b: f64| if b > 0.0 { format!("{:.2}", a / b) } else { "-".to_owned() };
            say(&format!(
                "| {} kB | {} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} |",
                bytes / 1000,
                peer.name(),
                point.0,
                point.1,
                added.0,
                added.1,
                ratio(added.0, floor.0),
                ratio(added.1, floor.1),
            ))?;
        }
        Ok(())
    }

    fn calls_per_second(&self) -> io::Result<()> {
        say("### Calls per second, 1 kB, 16 in flight\n")?;
        say("| through | calls/s |")?;
        say("|---|---|")?;
        let mut pipes = self.peers.iter().map(|peer| self.open(peer, 1_000)).collect::<io::Result<Vec<_>>>()?;
        let mut best = vec![0.0_f64; pipes.len()];
        let calls = self.repetitions(40_000);
        for _ in 0..3 {
            for (pipe, best) in pipes.iter_mut().zip(&mut best) {
                let started = Instant::now();
                pipe.calls_in_flight(calls, 1_000, 16)?;
                *best = best.max(rate(calls, started));
            }
        }
        for (peer, best) in self.peers.iter().zip(best) {
            say(&format!("| {} | {best:.0} |", peer.name()))?;
        }
        for pipe in pipes {
            pipe.finish()?;
        }
        say("")
    }

    fn large_results(&self) -> io::Result<()> {
        say("### Pass-through of large results, 8 in flight (MB/s; best of 5)\n")?;
        say("| result | through | MB/s | copy loop ÷ this |")?;
        say("|---|---|---|---|")?;
        for (bytes, calls) in [(100_000, 8_000), (1_000_000, 800)] {
            let mut pipes = self.peers.iter().map(|peer| self.open(peer, bytes)).collect::<io::Result<Vec<_>>>()?;
            let mut best = vec![0.0_f64; pipes.len()];
            let calls = self.repetitions(calls);
            for _ in 0..5 {
                for (pipe, best) in pipes.iter_mut().zip(&mut best) {
                    let started = Instant::now();
                    pipe.calls_in_flight(calls, 100, 8)?;
                    *best = best.max(rate(calls * bytes, started) / 1e6);
                }
            }
            let copy = best.get(1).copied().unwrap_or_default();
            for (peer, best) in self.peers.iter().zip(&best) {
                say(&format!("| {} kB | {} | {best:.0} | {:.2} |", bytes / 1000, peer.name(), copy / best))?;
            }
            for pipe in pipes {
                pipe.finish()?;
            }
        }
        say("")
    }

    fn start_up(&self) -> io::Result<()> {
        say("### Start to first answered call (ms, median of 41)\n")?;
        say("| through | ms | over direct |")?;
        say("|---|---|---|")?;
        let mut latencies = vec![Latencies::default(); self.peers.len()];
        for _ in 0..41 {
            for (peer, latencies) in self.peers.iter().zip(&mut latencies) {
                let started = Instant::now();
                let mut pipe = self.open(peer, 1_000)?;
                pipe.calls_one_by_one(1, 1_000)?;
                latencies.push(started.elapsed());
                pipe.finish()?;
            }
        }
        let medians: Vec<_> = latencies.iter_mut().map(|l| l.percentile(50.0) / 1000.0).collect();
        let direct = medians.first().copied().unwrap_or_default();
        for (peer, median) in self.peers.iter().zip(&medians) {
            say(&format!("| {} | {median:.2} | {:.2} |", peer.name(), median - direct))?;
        }
        say("")
    }

    fn memory(&self) -> io::Result<()> {
        say("### Resident memory of the process in the middle (MB), after 20,000 calls of 1 kB\n")?;
        say("| through | now | peak |")?;
        say("|---|---|---|")?;
        for peer in self.peers.iter().skip(1) {
            let mut pipe = self.open(peer, 1_000)?;
            pipe.calls_in_flight(self.repetitions(20_000), 1_000, 16)?;
            let (now, peak) = pipe.resident_megabytes()?;
            say(&format!("| {} | {now:.1} | {peak:.1} |", peer.name()))?;
            pipe.finish()?;
        }
        Ok(())
    }
}

/// `thoth run` with a ledger of its own in `home`.
fn thoth(name: &str, program: &Path, home: &Path, ledger: &str, durability: &str) -> Peer {
    let text = |path: &Path| path.display().to_string();
    let (program, policy, ledger) = (text(program), text(&home.join("bench.yaml")), text(&home.join(ledger)));
    let identity = ["--server-name", "bench", "--agent-id", "bench-agent"];
    let rest = ["--policy", &policy, "--ledger", &ledger, "--durability", durability, "--"];
    let words: Vec<&str> = [program.as_str(), "run"].into_iter().chain(identity).chain(rest).collect();
    Peer::new(name, &words)
}

fn rate(count: usize, since: Instant) -> f64 {
    // Counts here are far below 2^52.
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let count = count as f64;
    count / since.elapsed().as_secs_f64()
}

/// As many rules as asked: exact names, globs and conditions, and at the end the one that allows the benchmark's call.
fn policy(rules: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: { approval: block, risk_level: high }\nrules:\n".to_owned();
    for n in 0..rules.saturating_sub(1) {
        let line = match n % 3 {
            0 => format!("  - {{ name: r{n}, match: {{ tool: tool_{n} }}, approval: auto, risk_level: low }}\n"),
            1 => format!("  - {{ name: r{n}, match: {{ tool: \"area{n}_*\" }}, approval: approve }}\n"),
            _ => format!(
                "  - {{ name: r{n}, match: {{ tool: \"*_op{n}\", server: \"srv*\" }}, approval: block, conditions: {{ param_gt: {{ amount: {n} }} }} }}\n"
            ),
        };
        text.push_str(&line);
    }
    text.push_str("  - { name: echo, match: { tool: \"echo*\" }, approval: auto, risk_level: low }\n");
    text
}
