//! `thoth fingerprint`: the digests of everything that servers say about themselves, and what changed since a baseline.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::styling::Style;
use thoth_survey::Collected;
use thoth_survey::fingerprints::{self, Change, ItemPrint, ServerPrint, What, read_baseline};
use thoth_survey::missed::Missed;

use crate::scan::target::TargetArgs;
use crate::scan::{CHANGED, PARTIAL};
use thoth_shell::cells::{cell, columns};
use thoth_shell::exit::{Failure, Outcome, finish};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, json_line, line, note, styled};

/// The widest cell of a name.
const WIDEST: usize = 48;
/// How many digits of a digest are shown; `--json` has all.
const DIGITS: usize = 16;

/// `thoth fingerprint`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, or nothing there to read, and nothing differs from --baseline; 1 something differs; 2 something could not be read.

Examples:
  thoth fingerprint -- npx -y @modelcontextprotocol/server-memory
  thoth fingerprint --yes --output fingerprints.json
  thoth fingerprint --yes --baseline fingerprints.json")]
pub(crate) struct FingerprintArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Compare with what an earlier --output or --json has, and say what changed
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the JSON into a file, too; one that is there is kept where not everything could be read
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &FingerprintArgs) -> Outcome {
    finish(fingerprint(arguments).map_err(Failure::not_scanned), arguments.json)
}

fn fingerprint(arguments: &FingerprintArgs) -> Outcome {
    // Read first: nothing is started for a comparison that cannot be made.
    let baseline = arguments.baseline.as_deref().map(baseline).transpose()?;
    let Collected { catalogues, mut missed, .. } = arguments.target.collect()?;
    let servers = fingerprints::servers(&catalogues, &mut missed);
    let changes = baseline.as_ref().map(|before| {
        let wanted = &arguments.target.server;
        let mut changes = fingerprints::compare(before, &servers, &missed);
        changes.retain(|change| wanted.is_empty() || wanted.iter().any(|one| one == change.server));
        changes
    });
    let is_partial = missed.iter().any(|missed| !missed.wanted);
    let mut whole = fingerprints::to_json(&servers, &missed);
    match &arguments.output {
        // The next comparison would be with less than the last one.
        Some(path) if is_partial && path.exists() => {
            let shown = harmless_text(&path.display().to_string());
            note(format_args!("`{shown}` was not replaced: not everything could be read"));
        }
        Some(path) => write(path, &whole.to_string())?,
        None => {}
    }
    if arguments.json {
        if let (Some(members), Some(changes)) = (whole.as_object_mut(), &changes) {
            members.insert("changes".to_owned(), changes.iter().map(Change::to_json).collect());
        }
        json_line(&whole.to_string())?;
    } else {
        match &changes {
            Some(changes) => print_changes(changes)?,
            None => table(&servers).into_iter().try_for_each(line)?,
        }
        print_missed(&missed)?;
    }
    Ok(if is_partial {
        ExitCode::from(PARTIAL)
    } else if changes.is_some_and(|changes| !changes.is_empty()) {
        ExitCode::from(CHANGED)
    } else {
        ExitCode::SUCCESS
    })
}

fn baseline(path: &Path) -> Result<fingerprints::Baseline, Failure> {
    read_baseline(path).map_err(|error| {
        let shown = harmless_text(&path.display().to_string());
        let failure = Failure::usage(format!("--baseline: cannot read `{shown}`: {}", error.message));
        let failure = failure.detail("code", "invalid_baseline");
        if error.is_other_file { failure.hint("give what `thoth fingerprint --output FILE` wrote") } else { failure }
    })
}

fn table(servers: &[ServerPrint]) -> Vec<String> {
    let mut lines = Vec::new();
    for server in servers {
        let (name, from) = (cell(&server.server, WIDEST), harmless_text(&server.origin.shown()));
        lines.push(format!("{}  {}  {}", styled(Style::new().bold(), name), short(&server.digest), styled(DIM, from)));
        let label = |item: &ItemPrint| (item.kind.to_string(), cell(item.shown_name(), WIDEST));
        let labels: Vec<_> = server.items.iter().map(label).collect();
        let kinds = labels.iter().map(|(kind, _)| columns(kind)).max().unwrap_or_default();
        let fields = server
            .items
            .iter()
            .flat_map(|item| &*item.print.fields)
            .map(|field| columns(&cell(&field.field, WIDEST)) + 2);
        let names = labels.iter().map(|(_, name)| columns(name)).chain(fields).max().unwrap_or_default();
        let pad = |text: &str, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))));
        for (item, (kind, name)) in server.items.iter().zip(&labels) {
            let digest = short(&item.print.digest.to_string());
            lines.push(format!("  {}  {}  {digest}", pad(kind, kinds), pad(name, names)));
            for field in &*item.print.fields {
                let name = format!("  {}", cell(&field.field, WIDEST));
                let text = format!("  {}  {}  {}", pad("", kinds), pad(&name, names), short(&field.digest.to_string()));
                lines.push(styled(DIM, text));
            }
        }
    }
    if servers.is_empty() {
        lines.push("nothing was read".to_owned());
    }
    lines
}

fn print_changes(changes: &[Change<'_>]) -> Result<(), Failure> {
    if changes.is_empty() {
        return line(format_args!("{} everything is as in the baseline", styled(GOOD, "unchanged")));
    }
    for change in changes {
        let (style, word) = match change.what {
            What::Added => (CARE, "added"),
            What::Removed => (CARE, "removed"),
            What::Changed { .. } => (BAD, "changed"),
        };
        let name = cell(change.shown_name(), WIDEST);
        let server = cell(change.server, WIDEST);
        let mut text = format!("{} {} {name} of {server}", styled(style, word), change.kind);
        if let What::Changed { fields } = &change.what {
            let fields: Vec<_> = fields.iter().map(|field| cell(field, WIDEST)).collect();
            text.push_str(&format!(": {}", fields.join(", ")));
        }
        line(text)?;
    }
    Ok(())
}

pub(crate) fn print_missed(missed: &[Missed]) -> Result<(), Failure> {
    if missed.is_empty() {
        return Ok(());
    }
    line(format_args!("\n{}", styled(CARE, "Not read:")))?;
    missed.iter().try_for_each(|one| line(format_args!("  {}", one.shown())))
}

fn short(digest: &str) -> String {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    digits.get(..DIGITS).unwrap_or(digits).to_owned()
}

/// Writes a file so that it is there completely or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let problem = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("cannot write `{}`: {error}", harmless_text(&path.display().to_string())))
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|error| problem(&error))?;
    writeln!(file, "{text}").and_then(|()| file.as_file().sync_all()).map_err(|error| problem(&error))?;
    file.persist(path).map_err(|error| problem(&error.error))?;
    Ok(())
}
