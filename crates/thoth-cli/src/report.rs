//! `thoth report`: what a scan found and what was fingerprinted, as one document for people who were not there.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;
use thoth_scan::definition::Scanner;
use thoth_scan::threat::Severity;

use crate::exit::{Failure, Outcome, finish};
use crate::fingerprint::document::{self, ServerPrint};
use crate::fingerprint::write;
use crate::scan::findings::{self, Outcome as Scan};
use crate::scan::markdown::{self, span};
use crate::scan::table::plural;
use crate::scan::target::{Collected, TargetArgs};
use crate::scan::{RuleArgs, exit_code, json as scan_json};
use crate::terminal::{json_line, line};

/// `thoth report`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing found, 1 findings at or above --severity, 2 something could not be scanned.

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
    let prints = document::servers(&catalogues, &mut Vec::new());
    let outcome = findings::scan(&scanner, &catalogues, configuration, missed);
    let least = arguments.rules.severity.severity();
    let at = Timestamp::now();
    match (arguments.format, &arguments.output) {
        (FormatArg::Json, output) => {
            let whole = json!({
                "schema_version": 1,
                "generated_at": at.to_string(),
                "rules": rule_count(&scanner),
                "scan": scan_json::outcome(&outcome, least),
                "fingerprints": document::to_json(&prints, &outcome.missed),
            });
            match output {
                Some(path) => write(path, &whole.to_string())?,
                None => json_line(&whole.to_string())?,
            }
        }
        (FormatArg::Markdown, output) => {
            let text = to_markdown(&outcome, &prints, &scanner, least, at);
            match output {
                Some(path) => write(path, text.trim_end())?,
                None => text.trim_end().lines().try_for_each(line)?,
            }
        }
    }
    Ok::<ExitCode, Failure>(exit_code(&outcome, least))
}

fn to_markdown(outcome: &Scan, prints: &[ServerPrint], scanner: &Scanner, least: Severity, at: Timestamp) -> String {
    let mut text = "# Report on MCP servers\n\n".to_owned();
    text.push_str(&format!("- made: {at}\n"));
    text.push_str(&format!("- by: thoth {}, {}\n", env!("CARGO_PKG_VERSION"), plural(rule_count(scanner), "rule")));
    let whole = if outcome.is_partial() { "**no**: see below what could not be scanned" } else { "yes" };
    text.push_str(&format!("- complete: {whole}\n\n"));
    markdown::servers(outcome, &mut text);
    markdown::findings(outcome, least, &mut text);
    markdown::missed(outcome, &mut text);
    text.push_str("## Fingerprints\n\n");
    text.push_str("SHA-256 over the canonical form (RFC 8785, with exact numbers) of each definition. ");
    text.push_str("A definition that says anything else has another one.\n\n");
    for server in prints {
        text.push_str(&format!("### {}\n\n", span(&server.server)));
        text.push_str(&format!("All together: `{}`\n\n", server.digest));
        if server.items.is_empty() {
            continue;
        }
        text.push_str("| kind | name | fields | digest |\n|---|---|---|---|\n");
        for item in &server.items {
            let fields: Vec<_> = item.print.fields.iter().map(|field| span(&field.field)).collect();
            let name = if item.name.is_empty() { String::new() } else { span(&item.name) };
            text.push_str(&format!("| {} | {name} | {} | `{}` |\n", item.kind, fields.join(", "), item.print.digest));
        }
        text.push('\n');
    }
    text
}

fn rule_count(scanner: &Scanner) -> usize {
    scanner.rules().rules().count() + scanner.rules().detectors().count()
}
