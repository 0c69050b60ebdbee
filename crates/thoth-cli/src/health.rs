//! `thoth health`: one answer for a fleet's health checks. It asks nobody on the network and starts nothing.
//!
//! The JSON is a contract: `docs/reference/health.schema.json`. Keys are added, never renamed or removed, while
//! `schema_version` stays.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::checkup::{self, Check, Thoroughness, Verdict};
use crate::exit::Outcome;
use crate::home::Home;
use crate::terminal::{BAD, GOOD, harmless_text, line, styled};

/// `thoth health`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 healthy, 1 not.

Examples:
  thoth health
  thoth health --json | jq .registration_ok")]
pub(crate) struct HealthArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &HealthArgs) -> Outcome {
    let home = Home::locate()?;
    let policy = checkup::policy(&home.policy_file());
    let ledger = checkup::ledger(&home.ledger(), &home.keys(), Thoroughness::Cheap);
    let clock = checkup::clock(Timestamp::now(), ledger.newest);
    let checks = [checkup::profile(home.path()), policy.check, ledger.check, clock];
    let healthy = checks.iter().all(|check| check.verdict < Verdict::Failure);
    let problems: Vec<&Check> = checks.iter().filter(|check| check.verdict >= Verdict::Warning).collect();
    if arguments.json {
        let verdicts: serde_json::Map<String, Value> =
            checks.iter().map(|check| (check.name.to_owned(), Value::from(check.verdict.as_str()))).collect();
        line(json!({
            "schema_version": 1,
            "healthy": healthy,
            "version": env!("CARGO_PKG_VERSION"),
            "checks": verdicts,
            "policy_digest": policy.digest,
            "ledger_events": ledger.events,
            "problems": problems.iter().map(|check| check.to_json()).collect::<Vec<_>>(),
        }))?;
    } else {
        line(if healthy { styled(GOOD, "healthy") } else { styled(BAD, "not healthy") })?;
        for check in problems {
            line(format_args!("  {}: {}", check.name, harmless_text(&check.evidence)))?;
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
