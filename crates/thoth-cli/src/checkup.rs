//! What `thoth health` and `thoth doctor` look at. Each check is a file; none changes anything.

mod clients;
mod clock;
mod enforcer;
mod holds;
mod identity;
mod ledger;
mod policies;
mod policy;
mod profile;
mod programs;
mod reports;

use serde_json::{Value, json};

use thoth_shell::exit::Failure;

pub(crate) use clients::{Count, clients, needed};
pub(crate) use clock::clock;
pub(crate) use enforcer::enforcer;
pub(crate) use holds::holds;
pub(crate) use identity::{identity, settings};
pub(crate) use ledger::{Thoroughness, ledger};
pub(crate) use policies::policies;
pub(crate) use policy::policy;
pub(crate) use profile::profile;
pub(crate) use programs::programs;
pub(crate) use reports::reports;

/// How a check came out; the later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Not looked at, and why is the evidence.
    Skipped,
    /// Works, and should be looked after.
    Warning,
    /// Does not work, or is not safe.
    Failure,
}

impl Verdict {
    /// The word in JSON; part of the contract.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// One finding: what was looked at, what was found, and what to do about it.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// Stable word for scripts.
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    /// What was seen, in one line.
    pub(crate) evidence: String,
    /// What to do, where there is something to do.
    pub(crate) remedy: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, evidence: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, evidence: evidence.into(), remedy: None }
    }

    pub(crate) fn skipped(name: &'static str, evidence: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skipped, evidence: evidence.into(), remedy: None }
    }

    pub(crate) fn warning(name: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, evidence: evidence.into(), remedy: Some(remedy.into()) }
    }

    pub(crate) fn failure(name: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Failure, evidence: evidence.into(), remedy: Some(remedy.into()) }
    }

    /// A failure of something that a check needs.
    pub(crate) fn failed(name: &'static str, failure: &Failure) -> Self {
        Self {
            name,
            verdict: Verdict::Failure,
            evidence: failure.message().to_owned(),
            remedy: failure.remedy().map(str::to_owned),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut check = json!({ "check": self.name, "verdict": self.verdict.as_str(), "evidence": self.evidence });
        if let (Some(remedy), Value::Object(members)) = (&self.remedy, &mut check) {
            members.insert("remedy".to_owned(), Value::from(remedy.as_str()));
        }
        check
    }
}
