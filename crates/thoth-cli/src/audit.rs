//! `thoth audit`: reading and verifying a ledger, for which the machine that wrote it is not needed; and repairing it, for
//! which its key is.

mod bundle;
mod receipt;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use thoth_audit::prove::ProveError;
use thoth_audit::tail::Follower;
use thoth_audit::verify::{Fault, Report, VerifyError, VerifyOptions, verify};
use thoth_audit::{Ledger, LedgerKeys, LedgerOptions};

use thoth_shell::exit::{Code, Failure, Outcome, finish};
use thoth_shell::home::Home;
use thoth_shell::terminal::{CARE, DIM, GOOD, fields, json_line, line, note, styled};

/// By what a ledger is told from any other directory.
const LEDGER_PARTS: [&str; 5] = ["log.vkey", "checkpoint", "state", "tile", "journal"];

/// How often `tail -f` looks for new events.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Verifies a ledger: every event, every hash, the signature
    Verify(VerifyArgs),
    /// Completes an update of the ledger that was interrupted, as the next session would
    Repair(RepairArgs),
    /// Verifies a receipt: that a server decided so about one call
    VerifyReceipt(receipt::ReceiptArgs),
    /// Verifies the evidence of one session, as a server exported it
    VerifyBundle(bundle::BundleArgs),
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

/// `thoth audit repair`
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is changed unless all that is signed verifies. The signing key is needed, in `~/.thoth/keys`.

Example:
  thoth audit repair")]
pub(crate) struct RepairArgs {
    /// Ledger directory; the default is `~/.thoth/ledger`
    pub(crate) dir: Option<PathBuf>,
    /// Print one JSON object: the verdict after the repair
    #[arg(long)]
    pub(crate) json: bool,
}

/// `thoth audit tail`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth audit tail -n 5
  thoth audit tail -f ./ledger
  thoth audit tail --json -n 1000 | jq 'select(.decision == \"BLOCK\")'")]
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
#[command(after_help = "\
Examples:
  thoth audit prove 0
  thoth audit prove 17 ./ledger > event-17.proof.json")]
pub(crate) struct ProveArgs {
    /// The event's index, from 0
    pub(crate) index: u64,
    /// Ledger directory; the default is `~/.thoth/ledger`
    pub(crate) dir: Option<PathBuf>,
    /// Print failures as JSON too; a proof is JSON always
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(command: AuditCommand) -> Outcome {
    match command {
        AuditCommand::Verify(arguments) => {
            let json = arguments.json;
            finish(check(arguments).map_err(|failure| failure.detail("verified", false)), json)
        }
        AuditCommand::Repair(arguments) => {
            let json = arguments.json;
            finish(repair(arguments).map_err(|failure| failure.detail("verified", false)), json)
        }
        AuditCommand::VerifyReceipt(arguments) => {
            let json = arguments.json;
            finish(receipt::verify(&arguments).map_err(|failure| failure.detail("verified", false)), json)
        }
        AuditCommand::VerifyBundle(arguments) => {
            let json = arguments.json;
            finish(bundle::verify(&arguments).map_err(|failure| failure.detail("verified", false)), json)
        }
        AuditCommand::Tail(arguments) => {
            let json = arguments.json;
            finish(tail(arguments), json)
        }
        AuditCommand::Prove(arguments) => {
            let json = arguments.json;
            finish(prove(arguments), json)
        }
    }
}

/// Whether there is a ledger in a directory. One with a missing part still is one, and damaged; the verifier says how.
pub(crate) fn is_ledger(directory: &Path) -> bool {
    LEDGER_PARTS.iter().any(|part| directory.join(part).exists())
}

/// The ledger's directory; `absent` is the exit code when there is a directory, but no ledger in it.
pub(crate) fn directory(given: Option<PathBuf>, absent: Code) -> Result<PathBuf, Failure> {
    let none = |code, path: &Path, message: String| {
        Failure::new(code, message).detail("code", "no_ledger").detail("dir", path.display().to_string())
    };
    let (path, chosen) = match given {
        Some(path) => (path, true),
        None => (Home::locate()?.ledger(), false),
    };
    let shown = path.display();
    if !path.exists() {
        return Err(if chosen {
            none(Code::Failed, &path, format!("there is no directory `{shown}`")).hint("give a ledger's directory")
        } else {
            none(Code::Failed, &path, format!("there is no ledger yet in `{shown}`"))
                .hint("`thoth run` writes one; or give a ledger's directory")
        });
    }
    let mut entries = std::fs::read_dir(&path)
        .map_err(|error| none(Code::Failed, &path, format!("cannot read the directory `{shown}`: {error}")))?;
    if !is_ledger(&path) {
        let what = if entries.next().is_none() { "the directory is empty" } else { "it holds something else" };
        let failure = none(absent, &path, format!("there is no ledger in `{shown}`: {what}"));
        let below = path.join("ledger");
        return Err(if below.is_dir() {
            failure.hint(format_args!("is it `{}`?", below.display()))
        } else {
            failure.hint("give a ledger's directory; `thoth run` writes one to `~/.thoth/ledger`")
        });
    }
    Ok(path)
}

fn check(arguments: VerifyArgs) -> Outcome {
    let path = directory(arguments.dir, Code::NotVerified)?;
    let checkpoint = match &arguments.checkpoint {
        None => None,
        Some(file) => Some(std::fs::read(file).map_err(|error| {
            let shown = file.display().to_string();
            Failure::failed(format!("cannot read the checkpoint `{shown}`: {error}"))
                .detail("code", "unreadable_checkpoint")
                .detail("file", shown)
        })?),
    };
    let options = VerifyOptions { checkpoint: checkpoint.as_deref(), vkey: arguments.vkey.as_deref() };
    match verified(&path, &options) {
        Ok(report) if arguments.json => line(report.to_json())?,
        Ok(report) => {
            line(format_args!("{} {}", styled(GOOD, "verified"), path.display()))?;
            show(&report)?;
        }
        Err(VerifyError { fault: Fault::Interrupted(report), .. }) if !arguments.json => {
            line(format_args!("{} {}", styled(CARE, "interrupted"), path.display()))?;
            show(&report)?;
            note(Interrupted(&path));
            return Ok(ExitCode::from(Code::Warned as u8));
        }
        Err(error) => return Err(not_verified(&path, &error)),
    }
    Ok(ExitCode::SUCCESS)
}

/// How long an update of the ledger may take that a running session is in the middle of. It looks like one that was
/// interrupted until it ends.
const UPDATE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Verifies a ledger, once no update is under way.
#[expect(clippy::disallowed_methods, reason = "whoever updates the ledger is another process, and tells nobody")]
fn verified(path: &Path, options: &VerifyOptions<'_>) -> Result<Report, VerifyError> {
    let began = Instant::now();
    loop {
        match verify(path, options) {
            Err(VerifyError { fault: Fault::Interrupted(_), .. }) if began.elapsed() < UPDATE => {
                std::thread::sleep(LOOK_AGAIN);
            }
            result => return result,
        }
    }
}

/// What an interrupted update means, and what to do about it.
pub(crate) struct Interrupted<'p>(pub(crate) &'p Path);

impl std::fmt::Display for Interrupted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "all that is signed verifies, but an update of the ledger was interrupted; the next session completes ",
        )?;
        write!(f, "it, and so does `thoth audit repair {}`", self.0.display())
    }
}

fn show(report: &Report) -> Result<(), Failure> {
    let mut rows = vec![
        ("events", report.size.to_string()),
        ("root", hex(&report.root)),
        ("origin", report.origin.clone()),
        ("key", report.vkey.clone()),
    ];
    if let Some(earlier) = report.extends {
        rows.push(("extends", format!("{earlier} events of the earlier checkpoint")));
    }
    if report.pending > 0 {
        rows.push(("pending", format!("{} recorded and chained, not yet in the tree", report.pending)));
    }
    fields(&rows)?;
    for (kind, count) in &report.events {
        line(format_args!("  {}", styled(DIM, format_args!("{count:8}  {}", kind.escape_debug()))))?;
    }
    Ok(())
}

fn repair(arguments: RepairArgs) -> Outcome {
    let path = directory(arguments.dir, Code::NotVerified)?;
    if let Err(error) = verify(&path, &VerifyOptions::default()) {
        if !matches!(error.fault, Fault::Interrupted(_) | Fault::Torn) {
            return Err(not_verified(&path, &error).hint("nothing was changed: no interruption leaves this"));
        }
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::failed(format!("cannot repair the ledger: {why}")).detail("dir", path.display().to_string())
        };
        let keys = LedgerKeys::load_or_create(&Home::locate()?.keys(), &path).map_err(|e| cannot(&e))?;
        let opened = Ledger::open(&path, &keys, LedgerOptions::default());
        opened.and_then(|ledger| ledger.close()).map_err(|e| cannot(&e))?;
    }
    check(VerifyArgs { dir: Some(path), checkpoint: None, vkey: None, json: arguments.json })
}

pub(crate) fn not_verified(path: &Path, error: &VerifyError) -> Failure {
    let failure = match &error.fault {
        Fault::Interrupted(report) => {
            let report = serde_json::from_str::<Map<String, Value>>(&report.to_json()).unwrap_or_default();
            let failure = Failure::new(Code::Warned, Interrupted(path));
            report.into_iter().fold(failure, |failure, (key, value)| failure.detail(&key, value))
        }
        _ => Failure::new(Code::NotVerified, format!("not verified: {error}")),
    };
    failure
        .detail("code", error.fault.as_str())
        .detail("dir", path.display().to_string())
        .detail("file", error.file.as_str())
        .detail("offset", error.offset)
        .detail("index", error.index)
}

/// A hash for people; in checkpoints and in `--json` it is base64, as the C2SP texts have it.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tail(arguments: TailArgs) -> Outcome {
    let path = directory(arguments.dir, Code::Failed)?;
    let problem = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("cannot read the ledger: {error}"))
            .detail("code", "unreadable_ledger")
            .detail("dir", path.display().to_string())
            .hint(format_args!("`thoth audit verify {}` says what is wrong with it", path.display()))
    };
    let count = u64::try_from(arguments.lines).unwrap_or(u64::MAX);
    let (mut follower, mut events) = Follower::last(&path, count).map_err(|e| problem(&e))?;
    events.drain(..events.len().saturating_sub(arguments.lines));
    loop {
        for event in &events {
            let event = String::from_utf8_lossy(event);
            if arguments.json { json_line(&event)? } else { line(summary(&event))? }
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

/// One event in one line of columns: when, what, how it came out, where, which tool, why. Control characters cannot get
/// through to the terminal, since JSON escapes them and the rest is escaped here.
fn summary(event: &str) -> String {
    let value: Value = serde_json::from_str(event).unwrap_or_default();
    let text = |key: &str| {
        let text = value.get(key).and_then(Value::as_str).unwrap_or_default();
        text.escape_debug().to_string()
    };
    let outcome =
        ["decision", "outcome", "refusalCode", "pinState"].into_iter().map(text).find(|word| !word.is_empty());
    let mut line = format!(
        "{:24}  {:16}  {:14}  {:12}  {}",
        text("occurredAt"),
        text("eventType"),
        outcome.unwrap_or_default(),
        text("serverName"),
        ["toolName", "pinItem"].into_iter().map(text).find(|name| !name.is_empty()).unwrap_or_default(),
    );
    let changed: Vec<String> = value
        .get("pinChanged")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|field| Some(field.as_str()?.escape_debug().to_string()))
        .collect();
    let changed = if changed.is_empty() { String::new() } else { format!("changed: {}", changed.join(", ")) };
    let would_be = text("wouldBe");
    let would_be = if would_be.is_empty() { would_be } else { format!("would be {would_be}") };
    for part in [would_be, text("rule"), text("reasonCode"), text("pinKind"), changed, text("detail")] {
        if !part.is_empty() {
            line.push_str("  ");
            line.push_str(&part);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn prove(arguments: ProveArgs) -> Outcome {
    let path = directory(arguments.dir, Code::Failed)?;
    let proof = thoth_audit::prove::inclusion(&path, arguments.index).map_err(|error| {
        let code = match error {
            ProveError::NoSuchEvent { .. } => "no_such_event",
            ProveError::Inconsistent(_) | ProveError::Checkpoint(_) | ProveError::Tile(_) => "damaged",
            ProveError::File(_) | ProveError::Ledger(_) | ProveError::Malformed(_) => "unreadable_ledger",
        };
        Failure::failed(format!("cannot prove event {}: {error}", arguments.index))
            .detail("code", code)
            .detail("dir", path.display().to_string())
            .detail("index", arguments.index)
    })?;
    line(proof.to_json())?;
    Ok(ExitCode::SUCCESS)
}
