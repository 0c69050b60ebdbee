//! `thoth doctor`: everything that can keep the gate from working, with evidence and remedy.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::checkup::{self, Check, Thoroughness, Verdict};
use crate::clients::Machine;
use crate::settings;
use crate::status::look;
use thoth_shell::exit::{Code, Failure, Outcome, finish};
use thoth_shell::home::Home;
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, json_line, line, styled};

/// `thoth doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is well, 5 there are warnings, 1 something does not work or is not safe.

Examples:
  thoth doctor
  thoth doctor --settings
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
    finish(examine(arguments), arguments.json)
}

fn examine(arguments: &DoctorArgs) -> Outcome {
    let home = Home::locate()?;
    if arguments.settings {
        return settings::show(&home, arguments.json);
    }
    let checks = checks(&home);
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    if arguments.json {
        let checks: Vec<_> = checks.iter().map(Check::to_json).collect();
        json_line(&json!({ "schema_version": 1, "worst": worst.as_str(), "checks": checks }).to_string())?;
    } else {
        print(&checks)?;
    }
    Ok(match worst {
        Verdict::Ok | Verdict::Skipped => ExitCode::SUCCESS,
        Verdict::Warning => ExitCode::from(Code::Warned as u8),
        Verdict::Failure => ExitCode::FAILURE,
    })
}

fn checks(home: &Home) -> Vec<Check> {
    let mut checks = Vec::new();
    match settings::load(home, &Vec::new()) {
        Ok(resolved) => {
            checks.push(checkup::settings(&resolved, Some(&settings::process(&resolved))));
            checks.push(checkup::identity(&resolved));
            checks.push(checkup::enforcer(&resolved));
        }
        Err(failure) => {
            checks.push(Check::failed("settings", &failure));
            checks.extend(["identity", "enforcer"].map(|name| Check::skipped(name, "the settings cannot be read")));
        }
    }
    checks.extend(checkup::reports(home).1);
    let ledger = checkup::ledger(&home.ledger(), &home.keys(), Thoroughness::Thorough);
    checks.push(checkup::profile(home));
    checks.push(checkup::policy(&home.policy_file()).check);
    checks.push(ledger.check);
    checks.push(checkup::holds(home));
    checks.push(checkup::clock(Timestamp::now(), ledger.newest));
    match Machine::here() {
        Ok(machine) => {
            let seen = look(&[], &machine);
            checks.extend(checkup::programs(&checkup::needed(&seen), &machine.environment));
            checks.push(checkup::clients(&seen));
            checks.extend(checkup::policies(&seen));
        }
        Err(failure) => checks.push(Check::failed("clients", &failure)),
    }
    checks
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
