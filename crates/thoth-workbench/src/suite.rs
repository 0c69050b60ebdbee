//! Tests of policies: calls and the answers that are expected to them.
//!
//! [`read`] reads a test file, in Thoth's form or in either form of Aegis; [`run`] asks the policy. A test decides one
//! call, as `thoth policy explain` does: limits, modes and what a server shows play no part in it.

mod invariant;
mod read;
mod report;
mod run;

use std::sync::Arc;

use jiff::Timestamp;
use thoth_types::{Approval, HarmClasses, Place, ReasonCode, RiskLevel};

pub use invariant::{Counterexample, Held, Invariant};
pub(crate) use read::ANSWERS;
pub use read::{MAX_CASES, read};
pub use report::{Line, Report};
pub(crate) use run::still_passes;
pub use run::{CaseResult, Decide, Inspect, InvariantResult, Mismatch, Run, Verdict, run};

/// One test file.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Its title, or the name of its file.
    pub name: Arc<str>,
    /// The file.
    pub file: Arc<str>,
    /// The policy that the file says it is for, relative to it.
    pub policy: Option<Arc<str>>,
    /// The tests, in the order of the file.
    pub cases: Vec<Case>,
    /// What must hold for all calls.
    pub invariants: Vec<Invariant>,
}

/// One call and what is expected of the policy.
#[derive(Debug, Clone)]
pub struct Case {
    /// As written, or made from the call.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The call.
    pub call: Call,
    /// What the policy must say.
    pub expected: Expected,
    /// Why it is not run.
    pub skipped: Option<String>,
}

/// A call.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The tool's name.
    pub tool: Arc<str>,
    /// The server's name.
    pub server: Arc<str>,
    /// Who calls.
    pub agent: Option<Arc<str>>,
    /// The person behind the agent.
    pub user: Option<Arc<str>>,
    /// What the session is for.
    pub intent: Option<Arc<str>>,
    /// The arguments, as JSON.
    pub arguments: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// What was called before in the session.
    pub history: Vec<PastCall>,
    /// What was found in results of the session.
    pub labels: HarmClasses,
}

/// A call that went out before.
#[derive(Debug, Clone)]
pub struct PastCall {
    /// The tool's name.
    pub tool: Arc<str>,
    /// The server's name.
    pub server: Arc<str>,
    /// How many seconds before.
    pub ago: u32,
    /// How many such calls.
    pub times: u64,
}

/// What a policy must say of a call. What is absent may be anything.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The answer.
    pub approval: Option<Approval>,
    /// The highest risk.
    pub risk: Option<RiskLevel>,
    /// The rule that decides; `Some(None)`: no rule does.
    pub rule: Option<Option<Arc<str>>>,
    /// A part of the reason that is given.
    pub reason: Option<Arc<str>>,
    /// The reason's code.
    pub code: Option<ReasonCode>,
    /// Rules that match.
    pub matched: Vec<Arc<str>>,
}

impl Expected {
    const fn says_nothing(&self) -> bool {
        self.approval.is_none()
            && self.risk.is_none()
            && self.rule.is_none()
            && self.reason.is_none()
            && self.code.is_none()
            && self.matched.is_empty()
    }
}
