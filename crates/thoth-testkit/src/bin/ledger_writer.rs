//! Appends events to a ledger until it is killed, and says so after each: `<sequence>\n` on stdout means that the
//! append of event `<name>-<sequence>` has returned.
//!
//! Usage: `ledger_writer DIR NAME COUNT`. With a COUNT it closes the ledger after that many events; 0 means for ever.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use thoth_audit::{Leaves, Ledger, LedgerError, LedgerKeys, LedgerOptions};

/// How long other writers may keep the ledger locked, one after the other.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does this, again while others are in the way.
fn patiently<T>(mut act: impl FnMut() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match act() {
            Err(LedgerError::Busy(_)) if Instant::now() < deadline => {}
            result => return result,
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(name), Some(count)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: ledger_writer DIR NAME COUNT".into());
    };
    let count: u64 = count.parse()?;
    let keys = LedgerKeys::new([1; 32], [2; 32]);
    let ledger = patiently(|| Ledger::open(Path::new(&dir), &keys, LedgerOptions::default()))?;
    let mut leaves = Leaves::new();
    let mut out = std::io::stdout().lock();
    for sequence in 0.. {
        if count > 0 && sequence == count {
            break;
        }
        leaves.clear();
        let padding = "x".repeat(usize::try_from(sequence * 37 % 900)?);
        let leaf = format!(r#"{{"detail":"{padding}","eventId":"{name}-{sequence}","eventType":"TOOL_CALL_PRE"}}"#);
        leaves.push_canonical(leaf.as_bytes())?;
        ledger.append(&leaves)?;
        out.write_all(format!("{sequence}\n").as_bytes())?;
        out.flush()?;
    }
    ledger.close()?;
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln!`: the reader may be gone.
            drop(writeln!(std::io::stderr(), "ledger_writer: {error}"));
            ExitCode::FAILURE
        }
    }
}
