//! `thothctl evidence`: the server's ledger, its check, and the evidence of one session.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use thoth_api::contract::evidence::{BundleQuery, ChainQuery, Check, CheckQuery, Head};
use thoth_shell::cells::cell;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{GOOD, fields, harmless_text, line, note, styled};

use crate::connection::Server;
use crate::table::{self, shown, time};

/// `thothctl evidence`
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Has the server check its whole ledger against the signed head: every event, every hash
    Verify(VerifyArgs),
    /// Shows records of the ledger, and its signed head
    Chain(ChainArgs),
    /// Writes the evidence of a session into files, which `thoth audit verify-bundle` checks anywhere
    Bundle(BundleArgs),
}

/// `thothctl evidence verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl evidence verify
  thothctl evidence verify --from-sequence 1000000 --json

The server checks itself. To check it without believing it, export the ledger and use `thoth audit verify`.
Exit codes: 0 verified; 1 it could not be asked; 4 the ledger does not verify.")]
pub(crate) struct VerifyArgs {
    /// The first record
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from_sequence: u64,
}

/// `thothctl evidence chain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl evidence chain --limit 10
  thothctl evidence chain --from-sequence 0 --limit 500 --json")]
pub(crate) struct ChainArgs {
    /// How many records at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// The first record; the last ones where nothing is said
    #[arg(long, value_name = "INDEX")]
    from_sequence: Option<u64>,
}

/// `thothctl evidence bundle`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  thothctl evidence bundle --session-id 7f3a… --output session.json
  thoth audit verify-bundle session.json --key \"$(cat log.vkey)\"

A session that is too long for one file goes on in FILE.2, FILE.3 and so on; each verifies by itself.")]
pub(crate) struct BundleArgs {
    /// The session
    #[arg(long, value_name = "ID")]
    session_id: String,
    /// The file, which is not there yet
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(server: &Server, command: EvidenceCommand) -> Outcome {
    match command {
        EvidenceCommand::Verify(arguments) => verify(server, arguments.from_sequence),
        EvidenceCommand::Chain(arguments) => chain(server, &arguments),
        EvidenceCommand::Bundle(arguments) => bundle(server, &arguments),
    }
}

/// Asks for one part after the other; the heads grow with the ledger meanwhile, and each covers what the last one did.
fn verify(server: &Server, from: u64) -> Outcome {
    let (mut checked, mut first, mut query) = (0, None, CheckQuery { from_sequence: Some(from), limit: None });
    let last = loop {
        let part: Check = server.ask(async |administration| administration.verify_chain(&query).await)?;
        checked += part.records_checked;
        first = first.or(Some(part.from_sequence));
        match part.next_sequence {
            Some(next) if part.verified && Some(next) > query.from_sequence => query.from_sequence = Some(next),
            _ => break part,
        }
    };
    let whole = Check { records_checked: checked, from_sequence: first.unwrap_or(from), ..last };
    if !whole.verified {
        let detail = whole.breach_detail.as_deref().unwrap_or("it does not say what is wrong");
        let mut failure = Failure::new(Code::NotVerified, format!("not verified: {}", harmless_text(detail)))
            .hint("the server's ledger was damaged or changed: keep it as it is, and look at it with `thoth audit verify`")
            .detail("verified", false)
            .detail("records_checked", whole.records_checked)
            .detail("breach_detail", detail);
        if let Some(index) = whole.breach_sequence {
            failure = failure.detail("breach_sequence", index);
        }
        return Err(failure);
    }
    if server.json {
        return Server::print(&whole);
    }
    line(format_args!(
        "{} {} records from {} on",
        styled(GOOD, "verified"),
        whole.records_checked,
        whole.from_sequence
    ))?;
    if let Some(head) = &whole.chain_head {
        show_head(head)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show_head(head: &Head) -> Result<(), Failure> {
    fields(&[
        ("origin", cell(&head.origin, 200)),
        ("events", head.size.to_string()),
        ("root", cell(&head.root, 80)),
        ("key", cell(&head.vkey, 300)),
    ])
}

fn chain(server: &Server, arguments: &ChainArgs) -> Outcome {
    let query = ChainQuery { from_sequence: arguments.from_sequence, limit: Some(arguments.limit) };
    let chain = server.ask(async |administration| administration.chain(&query).await)?;
    if server.json {
        return Server::print(&chain);
    }
    let rows = chain.data.iter().map(|record| {
        let event: serde_json::Value = serde_json::from_str(record.event.text()).unwrap_or_default();
        let text = |name: &str| shown(event.get(name).and_then(serde_json::Value::as_str));
        [
            record.index.to_string(),
            time(event.get("occurredAt").and_then(serde_json::Value::as_str)),
            text("eventType"),
            text("decision"),
            text("agentId"),
            text("toolName"),
            record.leaf_hash.chars().take(16).filter(char::is_ascii_hexdigit).collect(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["INDEX", "TIME", "TYPE", "DECISION", "AGENT", "TOOL", "LEAF HASH"], &rows)?;
    show_head(&chain.head)?;
    if let Some(next) = chain.next_sequence {
        note(format_args!("there are more: --from-sequence {next}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of a part of the evidence.
fn part_path(output: &Path, part: usize) -> PathBuf {
    if part == 1 {
        return output.to_owned();
    }
    let mut path = output.as_os_str().to_owned();
    path.push(format!(".{part}"));
    path.into()
}

fn bundle(server: &Server, arguments: &BundleArgs) -> Outcome {
    let (mut query, mut files, mut records, mut hashes) = (BundleQuery::default(), Vec::new(), 0, Vec::new());
    loop {
        let path = part_path(&arguments.output, files.len() + 1);
        let shown = harmless_text(&path.display().to_string());
        let opened = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = opened.map_err(|error| {
            Failure::failed(format!("cannot create `{shown}`: {error}")).hint("name a file that is not there yet")
        })?;
        let asked =
            server.ask(async |administration| administration.session_bundle(&arguments.session_id, &query).await);
        let written = asked.and_then(|bundle| {
            let told: Told = serde_json::from_str(bundle.text())
                .map_err(|error| Failure::failed(format!("the answer is no evidence bundle: {error}")))?;
            let written = file.write_all(bundle.text().as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| Failure::failed(format!("cannot write `{shown}`: {error}")))?;
            Ok(told)
        });
        let told = written.inspect_err(|_| {
            // It is not whole, and would be in the way of the next attempt.
            drop(fs::remove_file(&path));
        })?;
        records += told.summary.records;
        hashes.push(told.bundle_hash);
        files.push(path.display().to_string());
        match told.next_sequence {
            Some(next) if Some(next) > query.from_sequence => query.from_sequence = Some(next),
            _ => break,
        }
    }
    if server.json {
        return Server::print(&json!({ "files": files, "records": records, "bundle_hashes": hashes }));
    }
    for (file, hash) in files.iter().zip(&hashes) {
        line(format_args!("wrote {}  {}", harmless_text(file), cell(hash, 80)))?;
    }
    line(format_args!("{records} records of session {}", shown(Some(&arguments.session_id))))?;
    Ok(ExitCode::SUCCESS)
}

/// What is looked at of a bundle before it is written.
#[derive(serde::Deserialize)]
struct Told {
    bundle_hash: String,
    summary: ToldSummary,
    next_sequence: Option<u64>,
}

#[derive(serde::Deserialize)]
struct ToldSummary {
    records: u64,
}
