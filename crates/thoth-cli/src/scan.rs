//! `thoth scan`: what servers say about themselves, read before anybody's model does. No tool is ever called.

mod consent;
mod entries;
mod table;
pub(crate) mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use thoth_scan::definition::Scanner;
use thoth_scan::threat::Severity;
use thoth_survey::{Collected, findings, json, markdown, sarif};

use crate::approvals::width;
use crate::scan_rules;
use thoth_shell::exit::{Failure, Outcome, finish};
use thoth_shell::home::Home;
use thoth_shell::terminal::{json_line, line};

use target::TargetArgs;

/// Findings at or above `--severity`.
const FOUND: u8 = 1;
/// Differences from a baseline.
pub(crate) const CHANGED: u8 = 1;
/// Something could not be scanned, so that nothing can be said about it.
pub(crate) const PARTIAL: u8 = 2;

/// `thoth scan`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing found, or nothing there to scan, 1 findings at or above --severity, 2 something could not be scanned.

Examples:
  thoth scan
  thoth scan --yes --json | jq -r '.findings[] | [.server, .tool, .rule_id] | @tsv'
  thoth scan .mcp.json --static-only
  thoth scan -- npx -y @modelcontextprotocol/server-filesystem /tmp
  thoth scan https://mcp.example.com/mcp
  thoth scan --tools tools.json --severity info")]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Print one JSON object
    #[arg(long, conflicts_with_all = ["sarif", "markdown"])]
    pub(crate) json: bool,
    /// Print SARIF 2.1.0
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) sarif: bool,
    /// Print Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// By what is scanned, and what of it counts.
#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    /// Findings less severe than this are neither shown nor counted
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = SeverityArg::Warning)]
    pub(crate) severity: SeverityArg,
    /// File with rules of your own, beside those that ship; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SeverityArg {
    Info,
    Warning,
    Critical,
}

impl SeverityArg {
    pub(crate) const fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Warning => Severity::Warning,
            Self::Critical => Severity::Critical,
        }
    }
}

impl RuleArgs {
    /// A scanner by the shipped rules, those of Thoth's directory and those of the files.
    pub(crate) fn scanner(&self) -> Result<Scanner, Failure> {
        scan_rules::scanner(Home::locate().ok().as_ref(), &self.rules)
    }
}

pub(crate) fn run(arguments: &ScanArgs) -> Outcome {
    finish(scan(arguments).map_err(Failure::not_scanned), arguments.json || arguments.sarif)
}

fn scan(arguments: &ScanArgs) -> Outcome {
    let scanner = arguments.rules.scanner()?;
    let Collected { catalogues, configuration, missed, .. } = arguments.target.collect()?;
    let outcome = findings::scan(&scanner, &catalogues, configuration, missed);
    let least = arguments.rules.severity.severity();
    if arguments.json {
        json_line(&json::outcome(&outcome, least).to_string())?;
    } else if arguments.sarif {
        json_line(&sarif::outcome(&outcome, least, scanner.rules()).to_string())?;
    } else if arguments.markdown {
        markdown::outcome(&outcome, least).lines().try_for_each(line)?;
    } else {
        table::lines(&outcome, least, width()).into_iter().try_for_each(line)?;
    }
    Ok(exit_code(&outcome, least))
}

/// What is not known weighs more than what is: whoever relies on 1 for "looked at, and bad" may.
pub(crate) fn exit_code(outcome: &findings::Outcome, least: Severity) -> ExitCode {
    if outcome.is_partial() {
        ExitCode::from(PARTIAL)
    } else if outcome.at(least).next().is_some() {
        ExitCode::from(FOUND)
    } else {
        ExitCode::SUCCESS
    }
}
