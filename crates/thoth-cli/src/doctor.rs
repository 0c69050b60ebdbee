//! `thoth doctor`: everything that can keep the gate from working, with evidence and remedy.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::checkup::{self, Check, Thoroughness, Verdict};
use crate::exit::{self, Failure, Outcome};
use crate::home::Home;
use crate::settings;
use crate::terminal::{BAD, CARE, DIM, GOOD, harmless_text, line, styled};

/// What `thoth doctor` ends with when the worst verdict is a warning.
const WARNED: u8 = 5;

/// `thoth doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is well, 5 there are warnings, 1 something does not work or is not safe.

Examples:
  thoth doctor
  thoth doctor --json | jq '.checks[] | select(.verdict != \"ok\")'")]
pub(crate) struct DoctorArgs {
    /// Show every setting instead: its value, and where that came from
    #[arg(long)]
    settings: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &DoctorArgs) -> Outcome {
    let home = Home::locate()?;
    if arguments.settings {
        return exit::finish(settings::show(&home, arguments.json), arguments.json);
    }
    let checks = checks(&home);
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    if arguments.json {
        let checks: Vec<_> = checks.iter().map(Check::to_json).collect();
        line(json!({ "schema_version": 1, "worst": worst.as_str(), "checks": checks }))?;
    } else {
        print(&checks)?;
    }
    Ok(match worst {
        Verdict::Ok | Verdict::Skipped => ExitCode::SUCCESS,
        Verdict::Warning => ExitCode::from(WARNED),
        Verdict::Failure => ExitCode::FAILURE,
    })
}

fn checks(home: &Home) -> Vec<Check> {
    let ledger = checkup::ledger(&home.ledger(), &home.keys(), Thoroughness::Thorough);
    vec![
        checkup::profile(home.path()),
        checkup::policy(&home.policy_file()).check,
        checkup::clock(Timestamp::now(), ledger.newest),
        ledger.check,
    ]
}

/// One check a line, aligned, its remedy below it.
fn print(checks: &[Check]) -> Result<(), Failure> {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in checks {
        let style = match check.verdict {
            Verdict::Ok => GOOD,
            Verdict::Skipped => DIM,
            Verdict::Warning => CARE,
            Verdict::Failure => BAD,
        };
        let verdict = styled(style, format_args!("{:7}", check.verdict.as_str()));
        line(format_args!("{verdict}  {:width$}  {}", check.name, harmless_text(&check.evidence)))?;
        if let Some(remedy) = &check.remedy {
            line(format_args!(
                "{:7}  {:width$}  {}",
                "",
                "",
                styled(DIM, format_args!("-> {}", harmless_text(remedy)))
            ))?;
        }
    }
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (failures, warnings) = (count(Verdict::Failure), count(Verdict::Warning));
    line(format_args!("{} checks, {failures} failed, {warnings} with warnings", checks.len()))
}
