//! What an answer of the enforcer comes to, or what takes its place.
//!
//! INVARIANT (failure tightens): only an outage, where nobody answered, is for the operator's failure decision. Whoever
//! answers, and is not the enforcer, does not know us, or says what cannot be used, refuses the call.

use thoth_api::contract::enforce::Envelope;
use thoth_api::contract::hold::{Outcome, Status};
use thoth_api::{HttpError, RemoteError};
use thoth_endpoint::settings::FailureDecision;
use thoth_gate::Unasked;
use thoth_types::{Decision, ReasonCode, Remote, RemoteTold, RemoteVerdict};

/// The longest text of the enforcer's for people that is repeated, and the longest of its other words, in characters.
const MAX_REASON: usize = 500;
const MAX_WORD: usize = 128;
/// The longest address that is repeated.
const MAX_URL: usize = 1024;
/// How long to wait where the enforcer says "not now" and not when, in seconds; and the longest that is repeated.
const DEFER_SECONDS: u64 = 60;
const LONGEST_DEFER: u64 = 24 * 60 * 60;

/// An answer that was read.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    verdict: RemoteVerdict,
    code: ReasonCode,
    reason: String,
    retry_after_seconds: Option<u64>,
    told: RemoteTold,
    /// The arguments to call with instead, as JSON.
    pub(crate) modified: Option<thoth_api::contract::Json>,
}

impl Said {
    fn plain(verdict: RemoteVerdict, code: ReasonCode, reason: String) -> Self {
        Self { verdict, code, reason, retry_after_seconds: None, told: RemoteTold::default(), modified: None }
    }

    fn refused(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self::plain(RemoteVerdict::Block, code, reason.into())
    }

    /// Too many calls wait already.
    pub(crate) fn busy() -> Self {
        Self::refused(
            ReasonCode::EnforcerBusy,
            "too many calls wait for the enforcer's answer: make this one again when some of them have ended",
        )
    }

    /// The arguments that the enforcer wants instead cannot stand in the call.
    pub(crate) fn unusable(self) -> Self {
        let reason = "the enforcer changed the arguments to what cannot be sent";
        Self { told: self.told, ..Self::refused(ReasonCode::EnforcerAnswerInvalid, reason) }
    }

    /// What an outage comes to.
    pub(crate) fn outage(failure: FailureDecision, why: &str) -> Self {
        let (verdict, code, what) = match failure {
            FailureDecision::Block => {
                (RemoteVerdict::Block, ReasonCode::EnforcerFallbackBlock, "and without its answer calls are refused")
            }
            FailureDecision::StepUp => {
                (RemoteVerdict::Ask, ReasonCode::EnforcerFallbackStepUp, "so that a person here must agree")
            }
            FailureDecision::Allow => (
                RemoteVerdict::Allow,
                ReasonCode::EnforcerFallbackAllow,
                "and the operator lets the local policy alone decide then",
            ),
        };
        Self::plain(verdict, code, format!("the enforcer cannot be asked ({}), {what}", cut(why, MAX_REASON)))
    }

    /// What an answer, or its absence, comes to.
    pub(crate) fn decided(answer: &Result<Envelope, RemoteError>, failure: FailureDecision) -> Self {
        match answer {
            Ok(envelope) => Self::of_envelope(envelope),
            Err(error) => Self::of_error(error).unwrap_or_else(|| Self::outage(failure, &error.to_string())),
        }
    }

    fn of_envelope(envelope: &Envelope) -> Self {
        let decision = envelope.decision();
        let told = RemoteTold {
            decision: Some(decision),
            reason_code: word(envelope.decision_reason_code.as_deref()),
            reason: reason(envelope.reason.as_deref()),
            risk_score: score(envelope.risk_score),
            action_classification: word(envelope.action_classification.as_deref()),
            violation_id: word(envelope.violation_id.as_deref()),
            hold_token: word(envelope.hold_token.as_deref()),
            approval_url: url(envelope.approval_url.as_deref()),
            expires_at: word(envelope.expires_at.as_deref()),
        };
        let retry_after = (decision == Decision::Defer).then(|| wait(envelope.defer_timeout_seconds));
        let own = match decision {
            Decision::Defer => envelope.defer_reason.as_deref(),
            Decision::Modify => envelope.modification_reason.as_deref(),
            _ => None,
        };
        Self::of(decision, told, own, retry_after, envelope.modified_tool_args.clone())
    }

    /// What a held call came to; nothing while nobody has answered.
    pub(crate) fn resolved(status: &Status) -> Option<Self> {
        let Outcome::Resolved(decision) = status.outcome() else { return None };
        let told = RemoteTold {
            decision: Some(decision),
            reason_code: word(status.decision_reason_code.as_deref()),
            reason: reason(status.reason.as_deref()),
            risk_score: score(status.risk_score),
            action_classification: None,
            violation_id: word(status.violation_id.as_deref()),
            hold_token: None,
            approval_url: None,
            expires_at: None,
        };
        let own = status.modification_reason.as_deref();
        Some(Self::of(decision, told, own, None, status.modified_tool_args.clone()))
    }

    fn of(
        decision: Decision,
        told: RemoteTold,
        own: Option<&str>,
        retry_after_seconds: Option<u64>,
        modified: Option<thoth_api::contract::Json>,
    ) -> Self {
        let (verdict, code, otherwise) = match decision {
            Decision::Allow => (RemoteVerdict::Allow, ReasonCode::RuleAuto, "the enforcer allows the call"),
            Decision::Modify if modified.is_none() => {
                let reason = "the enforcer changed the arguments, and does not say to what";
                return Self { told, ..Self::refused(ReasonCode::EnforcerAnswerInvalid, reason) };
            }
            Decision::Modify => {
                (RemoteVerdict::Modify, ReasonCode::EnforcerModify, "the enforcer changed the arguments")
            }
            // Without its name nobody can come back to it.
            Decision::StepUp if told.hold_token.is_none() => {
                let reason = "the enforcer wants a person to agree, and does not say how to come back to that";
                return Self { told, ..Self::refused(ReasonCode::EnforcerAnswerInvalid, reason) };
            }
            Decision::StepUp => {
                (RemoteVerdict::Hold, ReasonCode::EnforcerStepUp, "the enforcer wants a person to agree")
            }
            Decision::Defer => (RemoteVerdict::Defer, ReasonCode::EnforcerDefer, "the enforcer says: not now"),
            Decision::Block => (RemoteVerdict::Block, ReasonCode::EnforcerBlock, "the enforcer refuses the call"),
        };
        let why = reason(own).or_else(|| told.reason.clone());
        let reason = why.map_or_else(|| otherwise.to_owned(), |why| format!("{otherwise}: {why}"));
        let modified = modified.filter(|_| verdict == RemoteVerdict::Modify);
        Self { verdict, code, reason, retry_after_seconds, told, modified }
    }

    /// What an error comes to that is no outage.
    pub(crate) fn of_error(error: &RemoteError) -> Option<Self> {
        let code = match error {
            RemoteError::Http(error) => match error {
                HttpError::NoAddress { .. }
                | HttpError::NoConnection { .. }
                | HttpError::Timeout { .. }
                | HttpError::Broken { .. } => return None,
                HttpError::NotHttps(_)
                | HttpError::Setting(_)
                | HttpError::Setup(_)
                | HttpError::Untrusted { .. }
                | HttpError::WrongPin { .. }
                | HttpError::NoTls { .. } => ReasonCode::EnforcerUntrusted,
                HttpError::BadRedirect { .. } | HttpError::Status { .. } | HttpError::TooLarge { .. } => {
                    ReasonCode::EnforcerAnswerInvalid
                }
            },
            RemoteError::Refused { status, told, retry_after, .. } => match status {
                500..=599 => return None,
                // Whoever calls can bring this about: it is no outage.
                429 => {
                    let told = RemoteTold { reason_code: word(told.code.as_deref()), ..RemoteTold::default() };
                    let own = "it gets too many requests";
                    return Some(Self::of(Decision::Defer, told, Some(own), Some(wait(*retry_after)), None));
                }
                402 => {
                    let code = told.code.as_deref().map(|code| format!("billing_{code}"));
                    let told = RemoteTold { reason_code: word(code.as_deref()), ..RemoteTold::default() };
                    return Some(Self { told, ..Self::refused(ReasonCode::EnforcerRefused, said(error)) });
                }
                401 | 403 => {
                    let told = RemoteTold { reason_code: word(told.code.as_deref()), ..RemoteTold::default() };
                    return Some(Self { told, ..Self::refused(ReasonCode::EnforcerRefused, said(error)) });
                }
                _ => ReasonCode::EnforcerAnswerInvalid,
            },
            RemoteError::Mismatch(mismatch) if mismatch.field == "action_attestation_id" => {
                ReasonCode::ActionAttestationIdMismatch
            }
            RemoteError::Mismatch(mismatch) if mismatch.field == "hold_token" => ReasonCode::EnforcerAnswerInvalid,
            RemoteError::Mismatch(_) => ReasonCode::EnforcementTraceIdMismatch,
            RemoteError::Unreadable { .. } | RemoteError::Unwritable => ReasonCode::EnforcerAnswerInvalid,
        };
        Some(Self::refused(code, said(error)))
    }

    /// The answer about this call, for the gate. `modified_digest` is that of the other arguments.
    pub(crate) fn about(self, unasked: &Unasked, modified_digest: Option<String>) -> Remote {
        let Self { verdict, code, reason, retry_after_seconds, told, .. } = self;
        Remote {
            verdict,
            code,
            reason,
            call_id: std::sync::Arc::clone(&unasked.call_id),
            trace_id: std::sync::Arc::clone(&unasked.trace_id),
            retry_after_seconds,
            modified_digest: modified_digest.map(std::sync::Arc::from),
            told,
        }
    }
}

/// An error for the reason of a refusal.
fn said(error: &RemoteError) -> String {
    format!("there is no answer of the enforcer that can be used: {}", cut(&error.to_string(), MAX_REASON))
}

fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| text.split_at(end).0)
}

fn reason(text: Option<&str>) -> Option<String> {
    text.map(|text| cut(text.trim(), MAX_REASON).to_owned()).filter(|text| !text.is_empty())
}

/// A code or a name: one that is too long to be one is none, for half of it would be another.
fn word(text: Option<&str>) -> Option<String> {
    let fits = |text: &&str| text.len() <= MAX_WORD && text.bytes().all(|byte| byte.is_ascii_graphic());
    text.filter(fits).map(str::to_owned)
}

/// An address for a person to open: only one that a browser takes to a web page.
fn url(text: Option<&str>) -> Option<String> {
    let fits = |text: &&str| {
        text.len() <= MAX_URL
            && (text.starts_with("https://") || text.starts_with("http://"))
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    text.filter(fits).map(str::to_owned)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0 and 100")]
fn score(score: Option<f64>) -> Option<u8> {
    score.filter(|score| score.is_finite()).map(|score| score.clamp(0.0, 100.0).round() as u8)
}

fn wait(seconds: Option<u64>) -> u64 {
    seconds.unwrap_or(DEFER_SECONDS).clamp(1, LONGEST_DEFER)
}

#[cfg(test)]
mod tests;
