//! The policy server, where one is configured: can it be reached, and is it who it says?

use std::cmp::Ordering;

use thoth_api::{TlsSettings, Url, Verdict as Finding, probe};
use thoth_endpoint::settings::Resolved;

use super::Check;
use crate::settings;

const NAME: &str = "enforcer";

/// Asks the policy server's hosts for a connection. Nothing is asked of anybody where none is configured.
pub(crate) fn enforcer(resolved: &Resolved) -> Check {
    let urls: Vec<&String> = resolved.enforce_url.iter().chain(&resolved.grid_url).collect();
    if urls.is_empty() {
        return Check::skipped(NAME, "none is configured; calls are decided here");
    }
    let tls = match settings::tls(resolved) {
        Ok(tls) => tls,
        Err(failure) => return Check::failed(NAME, &failure),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let checks = urls.into_iter().map(|text| match (&runtime, Url::parse(text)) {
        (Ok(runtime), Ok(url)) => reach(runtime, &url, &tls),
        (Err(error), _) => Check::skipped(NAME, format!("cannot look: {error}")),
        (_, Err(error)) => Check::failure(NAME, format!("{text}: {error}"), "correct the tenant and the domain"),
    });
    // Both hosts are one server's; what is wrong with either is wrong with it.
    checks.reduce(worse).unwrap_or_else(|| Check::skipped(NAME, "it has no address"))
}

/// Of two findings the worse one; of two that are as good as each other, both.
fn worse(one: Check, other: Check) -> Check {
    match one.verdict.cmp(&other.verdict) {
        Ordering::Less => other,
        Ordering::Greater => one,
        Ordering::Equal => Check { evidence: format!("{}; {}", one.evidence, other.evidence), ..one },
    }
}

fn reach(runtime: &tokio::runtime::Runtime, url: &Url, tls: &TlsSettings) -> Check {
    let seen = runtime.block_on(probe(url, tls));
    // The first step that fails is why the others could not be tried; a connection that is weaker than it should be is
    // worth a warning too.
    let first = |verdict| seen.findings.iter().find(|finding| finding.verdict == verdict);
    match first(Finding::Bad).or_else(|| first(Finding::Weak)) {
        None => Check::ok(NAME, format!("{} can be reached, but this version decides without it", seen.host)),
        Some(finding) => Check::warning(
            NAME,
            format!("{}: {}: {}", seen.host, finding.step.as_str(), finding.evidence),
            finding.remedy.unwrap_or("ask whoever runs the policy server"),
        ),
    }
}
