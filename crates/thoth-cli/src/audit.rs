//! `thoth audit`: reading and verifying a ledger. None of it needs the machine that wrote it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use thoth_audit::tail::Follower;
use thoth_audit::verify::{VerifyOptions, verify};

use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::terminal::{BAD, DIM, GOOD, fields, line, styled};

/// How often `tail -f` looks for new events.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Verifies a ledger: every event, every hash, the signature
    Verify(VerifyArgs),
    /// Prints the latest events
    Tail(TailArgs),
    /// Prints a proof that one event is in the ledger
    Prove(ProveArgs),
}

/// `thoth audit verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth audit verify
  thoth audit verify ./ledger --checkpoint yesterday.checkpoint --json")]
pub(crate) struct VerifyArgs {
    /// Ledger directory; the default is `~/.thoth/ledger`
    pub(crate) dir: Option<PathBuf>,
    /// An earlier checkpoint, which the ledger must still contain
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// The verifier key that must have signed; the default is the ledger's own `log.vkey`
    #[arg(long, value_name = "KEY")]
    pub(crate) vkey: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `thoth audit tail`
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Ledger directory; the default is `~/.thoth/ledger`
    pub(crate) dir: Option<PathBuf>,
    /// How many events
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) lines: usize,
    /// Keep printing events as they come
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// Print the events themselves, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `thoth audit prove`
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The event's index, from 0
    pub(crate) index: u64,
    /// Ledger directory; the default is `~/.thoth/ledger`
    pub(crate) dir: Option<PathBuf>,
}

pub(crate) fn run(command: AuditCommand) -> Outcome {
    match command {
        AuditCommand::Verify(arguments) => check(arguments),
        AuditCommand::Tail(arguments) => tail(arguments),
        AuditCommand::Prove(arguments) => prove(arguments),
    }
}

fn directory(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => path,
        None => Home::open()?.ledger(),
    };
    if path.is_dir() {
        Ok(path)
    } else {
        Err(Failure::failed(format!("there is no ledger in `{}`", path.display()))
            .hint("give the directory; a ledger is written by `thoth run`"))
    }
}

fn check(arguments: VerifyArgs) -> Outcome {
    let path = directory(arguments.dir)?;
    let checkpoint = match &arguments.checkpoint {
        None => None,
        Some(file) => Some(
            std::fs::read(file)
                .map_err(|error| Failure::failed(format!("cannot read `{}`: {error}", file.display())))?,
        ),
    };
    let options = VerifyOptions { checkpoint: checkpoint.as_deref(), vkey: arguments.vkey.as_deref() };
    match verify(&path, &options) {
        Ok(report) => {
            if arguments.json {
                line(report.to_json())?;
            } else {
                line(format_args!("{} {}", styled(GOOD, "verified"), path.display()))?;
                let mut rows = vec![
                    ("events", report.size.to_string()),
                    ("root", hex(&report.root)),
                    ("origin", report.origin.clone()),
                    ("key", report.vkey.clone()),
                ];
                if report.pending > 0 {
                    rows.push(("pending", format!("{} recorded and chained, not yet in the tree", report.pending)));
                }
                fields(&rows)?;
                for (kind, count) in &report.events {
                    line(format_args!("  {}", styled(DIM, format_args!("{count:8}  {kind}"))))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if arguments.json => {
            line(json!({"verified": false, "dir": path.display().to_string(), "error": error.to_string()}))?;
            Ok(ExitCode::from(Code::NotVerified as u8))
        }
        Err(error) => Err(Failure::new(Code::NotVerified, format!("{}: {error}", styled(BAD, "not verified")))),
    }
}

/// A hash for people; in checkpoints and in `--json` it is base64, as the C2SP texts have it.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tail(arguments: TailArgs) -> Outcome {
    let path = directory(arguments.dir)?;
    let problem = |error: &dyn std::fmt::Display| Failure::failed(format!("cannot read the ledger: {error}"));
    let count = u64::try_from(arguments.lines).unwrap_or(u64::MAX);
    let (mut follower, mut events) = Follower::last(&path, count).map_err(|e| problem(&e))?;
    events.drain(..events.len().saturating_sub(arguments.lines));
    loop {
        for event in &events {
            let event = String::from_utf8_lossy(event);
            if arguments.json { line(event)? } else { line(summary(&event))? }
        }
        if !arguments.follow {
            return Ok(ExitCode::SUCCESS);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "files do not tell that they have grown; this is how often to look"
        )]
        std::thread::sleep(FOLLOW_INTERVAL);
        events = follower.poll().map_err(|e| problem(&e))?;
    }
}

/// One event in one line; terminal control characters cannot get through, since JSON escapes them and the rest is
/// escaped here.
fn summary(event: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(event).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().escape_debug();
    let mut line = format!("{}  {:15}", text("occurredAt"), text("eventType"));
    for key in ["decision", "outcome", "toolName", "serverName", "rule", "reasonCode", "code", "detail"] {
        let part = text(key).to_string();
        if !part.is_empty() {
            line.push_str("  ");
            line.push_str(&part);
        }
    }
    line
}

fn prove(arguments: ProveArgs) -> Outcome {
    let path = directory(arguments.dir)?;
    let proof = thoth_audit::prove::inclusion(&path, arguments.index)
        .map_err(|error| Failure::failed(format!("cannot prove event {}: {error}", arguments.index)))?;
    line(proof.to_json())?;
    Ok(ExitCode::SUCCESS)
}
