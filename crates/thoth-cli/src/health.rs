//! `thoth health`: one answer for a fleet's health checks. It asks nobody on the network and starts nothing.
//!
//! The JSON is a contract: `docs/reference/health.schema.json`. Keys are added, never renamed or removed, while
//! `schema_version` stays.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::checkup::{self, Check, Count, Thoroughness, Verdict};
use crate::clients::Machine;
use crate::settings;
use crate::status::look;
use thoth_shell::exit::{Outcome, finish};
use thoth_shell::home::Home;
use thoth_shell::terminal::{BAD, DIM, GOOD, harmless_text, json_line, line, styled};

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
    finish(judge(arguments), arguments.json)
}

fn judge(arguments: &HealthArgs) -> Outcome {
    let home = Home::locate()?;
    let resolved = settings::load(&home, &Vec::new());
    let settings = match &resolved {
        // A fleet's health checks may run as another user than the gate does.
        Ok(resolved) => checkup::settings(resolved, None),
        Err(failure) => Check::failed("settings", failure),
    };
    // Nothing registers anywhere while calls are decided here: what can be wrong are the values that onboarding wrote.
    let registration_ok = settings.verdict < Verdict::Failure;
    let policy = checkup::policy(&home.policy_file());
    let ledger = checkup::ledger(&home.ledger(), &home.keys(), Thoroughness::Cheap);
    let clock = checkup::clock(Timestamp::now(), ledger.newest);
    let seen = look(&[], &Machine::here()?);
    let clients = checkup::clients(&seen);
    let mut checks = vec![settings, checkup::profile(&home), policy.check, ledger.check, clock, clients];
    checks.extend(checkup::policies(&seen));
    let (reports, told) = checkup::reports(&home);
    checks.extend(told);
    let healthy = checks.iter().all(|check| check.verdict < Verdict::Failure);
    let problems: Vec<&Check> = checks.iter().filter(|check| check.verdict >= Verdict::Warning).collect();
    if arguments.json {
        let verdicts: serde_json::Map<String, Value> =
            checks.iter().map(|check| (check.name.to_owned(), Value::from(check.verdict.as_str()))).collect();
        let resolved = resolved.as_ref().ok();
        let answer = json!({
            "schema_version": 1,
            "healthy": healthy,
            "registration_ok": registration_ok,
            "decided_by": "local",
            "version": env!("CARGO_PKG_VERSION"),
            "endpoint_id": resolved.and_then(|resolved| Some(resolved.endpoint.as_ref()?.id.to_string())),
            "tenant_id": resolved.and_then(|resolved| Some(resolved.tenant.as_ref()?.to_string())),
            "checks": verdicts,
            "policy_digest": policy.digest,
            "ledger_events": ledger.events,
            "clients": Count::of(&seen).to_json(),
            "reports": reports,
            "problems": problems.iter().map(|check| check.to_json()).collect::<Vec<_>>(),
        });
        json_line(&answer.to_string())?;
    } else {
        line(if healthy { styled(GOOD, "healthy") } else { styled(BAD, "not healthy") })?;
        for check in problems {
            line(format_args!("  {}: {}", check.name, harmless_text(&check.evidence)))?;
            if let Some(remedy) = &check.remedy {
                line(format_args!("    {}", styled(DIM, format_args!("-> {}", harmless_text(remedy)))))?;
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
