//! The stage after the local ones: what the enforcer says, in sessions that must ask one. It can only tighten.
//!
//! INVARIANT (the local gate and the enforcer must both admit): in such a session a call without an answer is never
//! admitted, unless the enforcer's own policy has admitted it in the stage before. An answer counts for the one call that was asked about: it names the id that the gate made for the question,
//! it is used up, and tool and arguments must be those that the enforcer was shown or has put in their place.

use std::borrow::Cow;
use std::sync::Arc;

use thoth_types::{Approval, Decision, Finding, ReasonCode, Remote, RemoteVerdict, RiskLevel, Stage};

use crate::awaiting::Awaited;
use crate::session::GateSession;

/// How a call stands to the enforcer.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// It must be asked, and was not.
    pub(crate) is_unasked: bool,
    /// The call that the answer is about.
    pub(crate) awaited: Option<Awaited>,
    /// The finding about the answer, where there is one.
    pub(crate) finding: Option<usize>,
}

/// `put` is the digest of the call as it was put to the gate, `out` of the call as it would go out. `is_settled`: the
/// enforcer's own policy says that it need not be asked.
pub(crate) fn run(
    session: &mut GateSession,
    remote: Option<&Remote>,
    is_settled: bool,
    put: &str,
    out: &str,
    findings: &mut Vec<Finding>,
) -> Asked {
    let Some(remote) = remote else {
        return Asked { is_unasked: session.awaiting.is_some() && !is_settled, ..Asked::default() };
    };
    let awaited = session.awaiting.as_mut().and_then(|awaiting| awaiting.take(&remote.call_id));
    let Some(awaited) = awaited else {
        findings.push(refused("the enforcer's answer is about a call that it was not asked about, or was used before"));
        return Asked { finding: Some(findings.len() - 1), ..Asked::default() };
    };
    let admitted = match remote.verdict {
        RemoteVerdict::Modify => remote.modified_digest.as_deref().unwrap_or_default(),
        _ => &awaited.arguments_digest,
    };
    // What goes out may also be less than what was put: the local policy takes things out of it.
    let is_same = admitted == put || admitted == out;
    let lets_through = matches!(remote.verdict, RemoteVerdict::Allow | RemoteVerdict::Modify | RemoteVerdict::Ask);
    let before = findings.len();
    if lets_through && !is_same {
        findings.push(refused("the call is no longer the one that the enforcer was asked about: make it again"));
    } else {
        findings.extend(finding(remote));
    }
    Asked { is_unasked: false, awaited: Some(awaited), finding: (findings.len() > before).then_some(before) }
}

/// What an answer demands; nothing where it demands nothing.
fn finding(remote: &Remote) -> Option<Finding> {
    let approval = match remote.verdict {
        RemoteVerdict::Allow if remote.code != ReasonCode::EnforcerFallbackAllow => return None,
        RemoteVerdict::Allow | RemoteVerdict::Modify => Approval::Auto,
        RemoteVerdict::Ask => Approval::Approve,
        // Nobody at this machine can agree in place of those whom the enforcer asks.
        RemoteVerdict::Defer | RemoteVerdict::Hold | RemoteVerdict::Block => Approval::Block,
    };
    Some(Finding {
        stage: Stage::Remote,
        approval,
        code: remote.code,
        risk: risk(remote.told.risk_score, approval),
        rule: None,
        place: None,
        detail: Cow::Owned(remote.reason.clone()),
        hard: true,
        retry_after_seconds: remote.retry_after_seconds,
    })
}

/// The decision about a call whose deciding finding is the answer's.
pub(crate) const fn word(verdict: RemoteVerdict, ruled: Decision) -> Decision {
    match verdict {
        RemoteVerdict::Hold => Decision::StepUp,
        RemoteVerdict::Defer => Decision::Defer,
        _ => ruled,
    }
}

/// A call that was not put to the enforcer and cannot be now.
pub(crate) fn unasked() -> Finding {
    refused("where an enforcer is asked, a call in a batch cannot be: make one call at a time")
}

fn refused(why: &'static str) -> Finding {
    Finding {
        stage: Stage::Remote,
        approval: Approval::Block,
        code: ReasonCode::EnforcerNotAsked,
        risk: RiskLevel::High,
        rule: None,
        place: None,
        detail: Cow::Borrowed(why),
        hard: true,
        retry_after_seconds: None,
    }
}

/// Each level stands for a quarter of the scores; without a score, what refuses is no small matter.
const fn risk(score: Option<u8>, approval: Approval) -> RiskLevel {
    match (score, approval) {
        (Some(0..25), _) => RiskLevel::Low,
        (Some(25..50), _) | (None, Approval::Auto) => RiskLevel::Medium,
        (Some(50..75), _) | (None, _) => RiskLevel::High,
        (Some(_), _) => RiskLevel::Critical,
    }
}

/// What is asked about a call that the local gate admits: the enforcer, or nobody.
#[derive(Debug, Clone)]
pub struct Unasked {
    /// The call's id, to be told as `action_attestation_id`.
    pub call_id: Arc<str>,
    /// Its trace id, to be told as `enforcement_trace_id`.
    pub trace_id: Arc<str>,
    /// What is called.
    pub tool: Arc<str>,
    /// The arguments as they would go out; `{}` when there are none.
    pub arguments: Box<[u8]>,
    /// The tools that the session has called, the latest ones in order, and this one.
    pub session_tool_calls: Vec<Arc<str>>,
}
