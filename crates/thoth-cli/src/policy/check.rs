//! `thoth policy check`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use thoth_policy::Policy;
use thoth_shell::exit::{Code, Failure, Outcome, finish};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, fields, line, note, styled};
use thoth_workbench::{CheckOptions, KnownTools, Report, Tone, errors_sarif, findings_json, findings_text, sarif};

use super::{findings, invalid};
use crate::policy_files::PolicyFiles;

/// `thoth policy check`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth policy check policy.yaml
  thoth policy check policy.yaml --tools tools.json --json

Exit codes: 0 valid, nothing to look after; 2 a wrong command line, or --tools names a file that lists no tools; 3
invalid; 5 valid, with warnings.")]
pub(crate) struct CheckArgs {
    /// The policy file
    pub(crate) file: PathBuf,
    /// The tools that there are: a result of `tools/list` with all pages, or {"servers": {NAME: {"tools": [...]}}}
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    /// When calls come, such as 2026-11-20T22:00:00Z, and later; the default is now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,
    /// Print SARIF 2.1.0
    #[arg(long)]
    pub(crate) sarif: bool,
}

pub(super) fn check(arguments: &CheckArgs) -> Outcome {
    let name = arguments.file.display().to_string();
    let policy = match PolicyFiles::new(arguments.file.clone()).load() {
        Ok(policy) => policy,
        Err(problem) => {
            if arguments.sarif {
                line(errors_sarif(problem.error()))?;
            }
            let failure = invalid(&name, &problem).detail("warnings", json!([])).detail("warnings_total", 0);
            return finish(Err(failure), arguments.json);
        }
    };
    finish(checked(arguments, &name, &policy), arguments.json)
}

fn checked(arguments: &CheckArgs, name: &str, policy: &Policy) -> Outcome {
    let tools = arguments.tools.as_ref().map(|path| {
        let shown = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))?;
        KnownTools::parse(&text).map_err(|error| Failure::usage(format!("`{shown}` does not list tools: {error}")))
    });
    let tools = tools.transpose()?;
    for list in tools.iter().flat_map(|tools| &tools.cut_short) {
        note(format_args!("{list} has a `nextCursor`: not all tools are in it"));
    }
    let options = CheckOptions { from: super::moment(arguments.at.as_deref())?, tools };
    let report = thoth_workbench::check(policy, &options);
    if arguments.sarif {
        line(sarif(&report))?;
    } else if arguments.json {
        line(json!({
            "valid": true,
            "file": name,
            "rules": policy.rule_table().count(),
            "policy_digest": policy.digest(),
            "findings": findings_json(&report),
            "findings_total": report.findings.len(),
            "exact": report.is_exact(),
            "undecided": report.undecided,
            "warnings": findings(policy.warnings()),
            "warnings_total": policy.warnings().len(),
            "errors": [],
            "errors_total": 0,
        }))?;
    } else {
        show(name, policy, &report)?;
    }
    Ok(if report.has_warnings() { ExitCode::from(Code::Warned as u8) } else { ExitCode::SUCCESS })
}

fn show(name: &str, policy: &Policy, report: &Report) -> Result<(), Failure> {
    let text = findings_text(report, &painted);
    if !text.is_empty() {
        line(text)?;
    }
    line(format_args!("{} {name}", styled(GOOD, "valid")))?;
    fields(&[("rules", policy.rule_table().count().to_string()), ("digest", policy.digest().to_owned())])
}

pub(super) fn painted(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Good => GOOD,
        Tone::Care => CARE,
        Tone::Bad => BAD,
        Tone::Dim => DIM,
    };
    styled(style, text)
}
