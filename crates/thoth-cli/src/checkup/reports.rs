//! What the enforcer was told and has said, as sessions left it in files. Nobody is asked.

use thoth_liaison::{DocumentReport, Report, reports as all};

use super::Check;
use thoth_shell::home::Home;

const NAME: &str = "reports";

/// How it goes with each enforcer, and what there is to say about that: nothing where nobody was ever told anything.
pub(crate) fn reports(home: &Home) -> (Vec<Report>, Option<Check>) {
    let reports = all(&home.enforcers());
    let check =
        reports.iter().map(judge).reduce(|worst, check| if check.verdict > worst.verdict { check } else { worst });
    (reports, check)
}

fn judge(report: &Report) -> Check {
    let whom = format!("{} for {} of {}", report.owner.enforcer, report.owner.agent_id, report.owner.tenant_id);
    if report.quarantined {
        let evidence = format!("{whom}: this machine is in quarantine, and every call is refused");
        return Check::warning(NAME, evidence, "ask whoever administers the enforcer");
    }
    let pending = report.events_pending.map_or_else(|| "some".to_owned(), |pending| pending.to_string());
    match report.errors.first() {
        Some(error) => {
            let remedy = "docs/remote.md says what an enforcer is told; sessions go on trying";
            Check::warning(NAME, format!("{whom}: {error}; {pending} records are not told"), remedy)
        }
        None => {
            let document = report.document.as_ref().map(said).unwrap_or_default();
            Check::ok(NAME, format!("{whom}: {pending} records are not told yet{document}"))
        }
    }
}

fn said(document: &DocumentReport) -> String {
    let DocumentReport { policy_digest, decisions, sequence, expires_at, expired, .. } = document;
    let until = if *expired { "expired at" } else { "holds until" };
    format!("; policy document {policy_digest}, number {sequence}, decisions {decisions}, {until} {expires_at}")
}
