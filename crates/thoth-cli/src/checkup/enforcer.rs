//! The policy server, where one is configured: can it be reached, and is it who it says?

use std::cmp::Ordering;
use std::net::TcpStream;
use std::time::Duration;

use thoth_api::{TlsSettings, Url, Verdict as Finding, probe};
use thoth_endpoint::settings::Resolved;

use super::Check;
use crate::settings;

const NAME: &str = "enforcer";
/// How long a connection on this machine is waited for.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks the policy server's hosts for a connection. Nothing is asked of anybody where none is configured.
pub(crate) fn enforcer(resolved: &Resolved) -> Check {
    let derived = resolved.enforce_url.iter().chain(&resolved.grid_url).map(|url| (url, false));
    let urls: Vec<(&String, bool)> = resolved.enforcer_url.iter().map(|url| (url, true)).chain(derived).collect();
    if urls.is_empty() {
        return Check::skipped(NAME, "none is configured; calls are decided here");
    }
    let tls = match settings::tls(resolved) {
        Ok(tls) => tls,
        Err(failure) => return Check::failed(NAME, &failure),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let checks = urls.into_iter().map(|(text, is_asked)| match (&runtime, Url::parse(text)) {
        (Ok(_), Ok(url)) if url.scheme() == "http" => here(&url),
        (Ok(runtime), Ok(url)) => reach(runtime, &url, &tls, is_asked),
        (Err(error), _) => Check::skipped(NAME, format!("cannot look: {error}")),
        (_, Err(error)) => Check::failure(NAME, format!("{text}: {error}"), "correct the tenant and the domain"),
    });
    // All hosts are one server's; what is wrong with one of them is wrong with it.
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

/// The probe speaks https only; on this machine there is no more to a connection than that somebody takes it.
fn here(url: &Url) -> Check {
    let addresses = url.socket_addrs(|| None).unwrap_or_default();
    let connect = |address| TcpStream::connect_timeout(address, WITHIN).is_ok();
    let host = url.authority();
    if addresses.iter().any(connect) {
        Check::ok(NAME, format!("{host} takes connections; calls are put to it"))
    } else {
        Check::warning(
            NAME,
            format!("{host}: connect: nobody answers at {url}"),
            "start the enforcer, or correct the address",
        )
    }
}

fn reach(runtime: &tokio::runtime::Runtime, url: &Url, tls: &TlsSettings, is_asked: bool) -> Check {
    let seen = runtime.block_on(probe(url, tls));
    // The first step that fails is why the others could not be tried; a connection that is weaker than it should be is
    // worth a warning too.
    let first = |verdict| seen.findings.iter().find(|finding| finding.verdict == verdict);
    match first(Finding::Bad).or_else(|| first(Finding::Weak)) {
        None if is_asked => Check::ok(NAME, format!("{} can be reached; calls are put to it", seen.host)),
        None => Check::ok(NAME, format!("{} can be reached, but nothing asks there", seen.host)),
        Some(finding) => Check::warning(
            NAME,
            format!("{}: {}: {}", seen.host, finding.step.as_str(), finding.evidence),
            finding.remedy.unwrap_or("ask whoever runs the policy server"),
        ),
    }
}
