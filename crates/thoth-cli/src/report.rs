//! `thoth report`: what a scan found and what was fingerprinted, as one document for people who were not there.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use thoth_survey::report::{to_json, to_markdown};
use thoth_survey::{Collected, findings, fingerprints};

use crate::fingerprint::write;
use crate::scan::target::TargetArgs;
use crate::scan::{RuleArgs, exit_code};
use thoth_shell::exit::{Failure, Outcome, finish};
use thoth_shell::terminal::{json_line, line};

/// `thoth report`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing found, or nothing there to scan, 1 findings at or above --severity, 2 something could not be scanned.

Examples:
  thoth report --yes --output report.md
  thoth report --tools tools.json --format json")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// How it is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = FormatArg::Markdown)]
    format: FormatArg,
    /// Write it into a file instead of printing it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    Markdown,
    Json,
}

pub(crate) fn run(arguments: &ReportArgs) -> Outcome {
    finish(report(arguments).map_err(Failure::not_scanned), arguments.format == FormatArg::Json)
}

fn report(arguments: &ReportArgs) -> Outcome {
    let scanner = arguments.rules.scanner()?;
    let Collected { catalogues, configuration, missed, .. } = arguments.target.collect()?;
    // What cannot be read is noted by the scan already.
    let prints = fingerprints::servers(&catalogues, &mut Vec::new());
    let outcome = findings::scan(&scanner, &catalogues, configuration, missed);
    let least = arguments.rules.severity.severity();
    let at = Timestamp::now().to_string();
    let text = match arguments.format {
        FormatArg::Json => to_json(&outcome, &prints, &scanner, least, &at).to_string(),
        FormatArg::Markdown => to_markdown(&outcome, &prints, &scanner, least, &at).trim_end().to_owned(),
    };
    match (&arguments.output, arguments.format) {
        (Some(path), _) => write(path, &text)?,
        (None, FormatArg::Json) => json_line(&text)?,
        (None, FormatArg::Markdown) => text.lines().try_for_each(line)?,
    }
    Ok(exit_code(&outcome, least))
}
