//! `thothd backup` and `thothd restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use thoth_server::backup::{BackupError, Copied, backup, restore};
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{harmless_text, line, note};

use crate::options::{DATABASE_URL, Flags, PLACE, Resolved};
use crate::places;

#[derive(Debug, Args)]
#[command(after_help = "\
A server may go on meanwhile. The copy has the keys that sign and hash the ledgers: keep it like them.

Examples:
  thothd backup --data /var/lib/thothd /backups/thothd-2026-11-30")]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    settings: Flags<PLACE>,
    /// Where to; it must be empty or not there
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothd restore --data /var/lib/thothd /backups/thothd-2026-11-30")]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    settings: Flags<PLACE>,
    /// A directory that `thothd backup` wrote
    #[arg(value_name = "DIR")]
    from: PathBuf,
}

pub(crate) fn run_backup(arguments: &BackupArgs) -> Outcome {
    let resolved = Resolved::of(&arguments.settings)?;
    no_database(&resolved)?;
    tell(backup(&places::data(&resolved)?, &arguments.to), &arguments.to)
}

pub(crate) fn run_restore(arguments: &RestoreArgs) -> Outcome {
    let resolved = Resolved::of(&arguments.settings)?;
    no_database(&resolved)?;
    let data = places::data_path(&resolved)?;
    tell(restore(&arguments.from, &data), &data)
}

fn no_database(resolved: &Resolved) -> Result<(), Failure> {
    let Some((value, _)) = resolved.secret(DATABASE_URL) else { return Ok(()) };
    Err(Failure::usage(format!(
        "{}: everything is kept in a PostgreSQL database, which this does not copy",
        value.origin
    ))
    .hint("use `pg_dump --format=custom --schema=thoth` and `pg_restore`; docs/operating.md says how"))
}

fn tell(copied: Result<Copied, BackupError>, to: &std::path::Path) -> Outcome {
    let copied = copied.map_err(|error| {
        let code = match error {
            BackupError::Unverified(..) | BackupError::NotABackup(..) => Code::NotVerified,
            _ => Code::Failed,
        };
        Failure::new(code, error)
    })?;
    for (tenant, events) in &copied.events {
        line(format_args!("{tenant}: {events} events, verified"))?;
    }
    for (tenant, lacks) in &copied.unfinished {
        note(format_args!(
            "{tenant} is not set up, and lacks {lacks}; nothing was decided in it, and the next start completes it"
        ));
    }
    line(format_args!("written to {}", harmless_text(&to.to_string_lossy())))?;
    Ok(ExitCode::SUCCESS)
}
