//! Whether a server can be reached, step by step, for a person who wants to know why not.

use std::time::Duration;

use reqwest::Url;

use crate::client::{Client, Timeouts};
use crate::fault::{HttpError, host, plain};
use crate::tls::TlsSettings;

/// A doctor does not wait as long as a client does.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(5), idle: Duration::from_secs(5) };
const WITHIN: Duration = Duration::from_secs(10);

/// What must succeed, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The address and the TLS settings make sense.
    Settings,
    /// The name has an address.
    Dns,
    /// Something answers there.
    Connect,
    /// It is who it should be.
    Tls,
    /// It speaks HTTP, and not of its own failure.
    Http,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Settings, Self::Dns, Self::Connect, Self::Tls, Self::Http];

    /// The word for scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http => "http",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Good,
    /// It works, and is weaker than it should be.
    Weak,
    /// Not at all.
    Bad,
    /// An earlier step failed.
    Skipped,
}

/// What one step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The step.
    pub step: Step,
    /// How it went.
    pub verdict: Verdict,
    /// In plain words.
    pub evidence: String,
    /// What to do about it, where it is not good.
    pub remedy: Option<&'static str>,
}

/// Whether a server can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachability {
    /// The server's name.
    pub host: String,
    /// One for each of [`Step::ALL`].
    pub findings: Vec<Finding>,
}

impl Reachability {
    /// Whether requests get through: no step is bad.
    #[must_use]
    pub fn reachable(&self) -> bool {
        self.findings.iter().all(|finding| matches!(finding.verdict, Verdict::Good | Verdict::Weak))
    }
}

/// Asks a server for an address, as any request would be sent (proxies included), and says how far that got. Any HTTP
/// answer below 500 is a good one: which addresses want a key is not what this asks.
///
/// Takes 10 seconds at most.
pub async fn probe(url: &Url, tls: &TlsSettings) -> Reachability {
    let outcome = match Client::new(tls, TIMEOUTS) {
        Ok(client) => client.open(url, u64::MAX, WITHIN).await.map(|body| body.status()),
        Err(error) => Err(error),
    };
    let outcome = match outcome {
        Err(HttpError::Status { status, .. }) if status < 500 => Ok(status),
        outcome => outcome,
    };
    let reached = outcome.as_ref().map_or_else(HttpError::step, |_| Step::Http);
    let findings = Step::ALL.map(|step| match &outcome {
        Err(error) if step == reached => {
            Finding { step, verdict: Verdict::Bad, evidence: error.to_string(), remedy: Some(error.remedy()) }
        }
        _ if step > reached => {
            Finding { step, verdict: Verdict::Skipped, evidence: "not tried".to_owned(), remedy: None }
        }
        outcome => good(step, url, tls, outcome.as_ref().ok().copied()),
    });
    Reachability { host: host(url), findings: findings.into() }
}

fn good(step: Step, url: &Url, tls: &TlsSettings, status: Option<u16>) -> Finding {
    let evidence = match (step, status) {
        (Step::Settings, _) => plain(url),
        (Step::Dns, _) => format!("`{}` has an address", host(url)),
        (Step::Connect, _) => format!("port {} answers", url.port_or_known_default().unwrap_or(443)),
        (Step::Tls, _) if !tls.verify => {
            return Finding {
                step,
                verdict: Verdict::Weak,
                evidence: "the server's certificate is not checked (THOTH_TLS_VERIFY)".to_owned(),
                remedy: Some("set THOTH_TLS_VERIFY=true; name your own authority in THOTH_TLS_CA_BUNDLE"),
            };
        }
        (Step::Tls, _) => {
            let by = tls.ca_bundle.as_ref().map_or("the system", |bundle| bundle.name.as_str());
            let pinned = if tls.pins.is_empty() { "" } else { ", and is pinned" };
            format!("the certificate is trusted by {by}{pinned}")
        }
        (Step::Http, Some(status)) => format!("answers with status {status}"),
        (Step::Http, None) => "answers".to_owned(),
    };
    Finding { step, verdict: Verdict::Good, evidence, remedy: None }
}
