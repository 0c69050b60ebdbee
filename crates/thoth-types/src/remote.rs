//! What an enforcer elsewhere said of a call that the local gate would let through, or what stands in for its answer.

use std::fmt;
use std::sync::Arc;

use crate::decision::{Decision, ReasonCode};

/// What an answer comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteVerdict {
    /// The call may go out.
    Allow,
    /// It may go out with other arguments: those that the call has now.
    Modify,
    /// A person at this machine is asked, since the enforcer cannot be.
    Ask,
    /// Not now.
    Defer,
    /// A person must agree where the enforcer is.
    Hold,
    /// No.
    Block,
}

/// What the enforcer itself told, for evidence and for the client. Texts are as they came, cut to a length that a record
/// can hold by whoever read them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteTold {
    /// Its word.
    pub decision: Option<Decision>,
    /// Its own reason code, whatever that means to it.
    pub reason_code: Option<String>,
    /// Its reason, for a person.
    pub reason: Option<String>,
    /// How much harm it thinks possible, 0 to 100.
    pub risk_score: Option<u8>,
    /// `read`, `write`, `execute`…
    pub action_classification: Option<String>,
    /// Its name for a refusal.
    pub violation_id: Option<String>,
    /// Its name for a held call.
    pub hold_token: Option<String>,
    /// Where a person can answer.
    pub approval_url: Option<String>,
    /// Until when, as it was written.
    pub expires_at: Option<String>,
}

/// An answer about one call. It lets no more through than the local gate does.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    /// What it comes to.
    pub verdict: RemoteVerdict,
    /// Why, as a stable code.
    pub code: ReasonCode,
    /// Why, for a person.
    pub reason: String,
    /// The call's id that the enforcer was told as `action_attestation_id`: the gate made it when it asked.
    pub call_id: Arc<str>,
    /// The trace id that it was told as `enforcement_trace_id`.
    pub trace_id: Arc<str>,
    /// When it may be tried again, in seconds.
    pub retry_after_seconds: Option<u64>,
    /// The keyed digest of the tool and the other arguments, for [`RemoteVerdict::Modify`].
    pub modified_digest: Option<Arc<str>>,
    /// What the enforcer told, if it was asked and answered.
    pub told: RemoteTold,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("verdict", &self.verdict)
            .field("code", &self.code)
            .field("call_id", &self.call_id)
            .finish_non_exhaustive()
    }
}
