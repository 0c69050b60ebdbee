//! How long a waiting call takes to go out once a person has approved it, with the command that people type.
//!
//! The clock starts when the command starts, and stops when the call's answer is here: it spans the start of a process,
//! the record of the answer, and the way to the server and back.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use thoth_gate::Holds as _;
use thoth_gate::hold::HoldState;
use thoth_store::SqliteHolds;

use crate::pipe::Peer;
use crate::stats::Latencies;
use crate::{Bench, say, thoth};

/// Every call asks, and a script may approve it.
const POLICY: &str = "version: \"1\"
defaults: { approval: approve, risk_level: low }
approvals: { approvers: [local_user], terminal: false }
";

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(bench: &Bench) -> io::Result<()> {
    let home = bench.home.path();
    std::fs::write(home.join("bench.yaml"), POLICY)?;
    let gate = thoth("thoth run", &bench.bin.join("thoth"), home, "approvals-ledger", "process");
    // The command refuses to run below the client that asked: that is another process than this one.
    let peer = Peer::new("thoth run", &["timeout", "600"]).before(&gate);
    let mut pipe = peer.start(&bench.bin.join("bench-echo"), 1_000, home)?;
    let holds = SqliteHolds::new(home.join("thoth/state.db"), home.join("approvals-ledger"));
    let (mut through, mut command) = (Latencies::default(), Latencies::default());
    for _ in 0..bench.repetitions(400) {
        pipe.send(1_000)?;
        let id = held(&holds)?;
        let started = Instant::now();
        let mut approve = approve(&bench.bin, home, &id)?;
        pipe.receive()?;
        through.push(started.elapsed());
        if !approve.wait()?.success() {
            return Err(io::Error::other("the command failed"));
        }
        command.push(started.elapsed());
    }
    pipe.finish()?;
    say("### From the start of `thoth approvals approve` until the waiting call of 1 kB was answered (ms)\n")?;
    say("| what | p50 | p99 |")?;
    say("|---|---|---|")?;
    for (what, latencies) in [("the call's answer is here", &mut through), ("the command has ended", &mut command)] {
        let (p50, p99) = (latencies.percentile(50.0) / 1e3, latencies.percentile(99.0) / 1e3);
        say(&format!("| {what} | {p50:.2} | {p99:.2} |"))?;
    }
    say("")
}

/// The only hold that waits, as soon as it does.
fn held(holds: &SqliteHolds) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pending = |hold: &thoth_gate::hold::Hold| hold.state_at(Timestamp::now()) == HoldState::Pending;
        let all = holds.list().map_err(io::Error::other)?;
        if let Some(hold) = all.iter().find(|hold| pending(hold)) {
            return Ok(hold.token.as_str().to_owned());
        }
        if Instant::now() > deadline {
            return Err(io::Error::other("no call is held"));
        }
        thread::yield_now();
    }
}

fn approve(bin: &Path, home: &Path, id: &str) -> io::Result<std::process::Child> {
    let mut command = Command::new(bin.join("thoth"));
    command.args(["approvals", "approve", "--yes", id]).env("THOTH_HOME", home.join("thoth"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
