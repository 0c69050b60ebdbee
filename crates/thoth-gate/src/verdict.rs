//! What the gate answers.

use std::sync::Arc;

use crate::hold::Hold;
use crate::stage::remote::Unasked;
use thoth_types::{Decision, Finding, Place, ReasonCode, Remote};

/// The gate's answer to one call, before its evidence is committed.
#[derive(Debug)]
pub enum Answer {
    /// It goes out once the round is committed.
    Admitted,
    /// It does not go out.
    Refused(Box<Refused>),
    /// The local gate admits it, and the enforcer must be asked. Nothing was recorded or used up. It is to be put to the
    /// gate again with the answer, whatever that is.
    Unasked(Box<Unasked>),
}

/// Why a call goes out, for whoever has to tell.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// `ALLOW`, or `MODIFY` where something was taken out.
    pub decision: Decision,
    /// The reason, for a person.
    pub reason: String,
    /// The reason's stable code.
    pub reason_code: ReasonCode,
    /// The deciding rule, by name.
    pub rule: Option<Arc<str>>,
    /// Where the deciding rule stands.
    pub place: Option<Place>,
    /// 0 to 100.
    pub risk_score: u8,
    /// The policy's rules that matched, by name.
    pub matched: Vec<Arc<str>>,
    /// The controls that those rules serve, as `regime:control`, sorted.
    pub controls: Vec<Arc<str>>,
}

/// Why a call does not go out, with all that the caller is told.
#[derive(Debug, Clone)]
pub struct Refused {
    /// `BLOCK`, `STEP_UP` or `DEFER`.
    pub decision: Decision,
    /// The tool that was called.
    pub tool: Arc<str>,
    /// The reason, for a person.
    pub reason: String,
    /// The reason's stable code.
    pub reason_code: ReasonCode,
    /// The deciding rule, by name.
    pub rule: Option<Arc<str>>,
    /// Where the deciding rule stands.
    pub place: Option<Place>,
    /// 0 to 100.
    pub risk_score: u8,
    /// Finds the call again in the ledger.
    pub trace_id: Arc<str>,
    /// The call's id in the ledger.
    pub call_id: Arc<str>,
    /// For `STEP_UP`: the hold that a human can answer. For a denied call: the hold that was denied.
    pub hold: Option<Box<Hold>>,
    /// For limits: when to try again.
    pub retry_after_seconds: Option<u64>,
    /// The enforcer's answer, where that decided.
    pub remote: Option<Arc<Remote>>,
    /// Everything that the stages found.
    pub findings: Vec<Finding>,
    /// The policy's rules that matched, by name.
    pub matched: Vec<Arc<str>>,
    /// The controls that the rules serve that matched, as `regime:control`, sorted.
    pub controls: Vec<Arc<str>>,
}
