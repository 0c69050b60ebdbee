//! What is recorded beside a decision: what rules and policies in shadow mode would have answered, how conditions came
//! out where the arguments themselves are not kept, and what the enforcer said.

use thoth_types::{Approval, Decision, Place, ReasonCode};

use super::{DecisionFields, ELEMENT_CAP, SHORT_CAP};
use crate::json::{Object, fitting, string};

/// How many answers in shadow mode an event lists: one of the policy's own rules, and one of another policy.
const SHADOWS: usize = 2;
/// How many conditions an event lists.
const CONDITIONS: usize = 16;

/// What would have been answered.
#[derive(Debug, Clone, Copy)]
pub struct ShadowFields<'a> {
    /// `rules` of the policy in force, or another `policy`.
    pub source: &'static str,
    /// The answer.
    pub approval: Approval,
    /// Why, as a stable code.
    pub reason_code: ReasonCode,
    /// The rule that would have decided.
    pub rule: Option<&'a str>,
    /// Where that rule stands.
    pub place: Option<&'a Place>,
    /// The policy that was asked.
    pub policy_digest: &'a str,
}

/// What the enforcer said, in its own words, and under which ids it was asked.
#[derive(Debug, Clone, Copy)]
pub struct RemoteFields<'a> {
    /// What it was told as `action_attestation_id`.
    pub attestation_id: &'a str,
    /// Its decision, if it gave one.
    pub decision: Option<Decision>,
    /// Its reason.
    pub reason: Option<&'a str>,
    /// Its reason code.
    pub reason_code: Option<&'a str>,
    /// How much harm it thinks possible, 0 to 100.
    pub risk_score: Option<u8>,
    /// What it was told as `enforcement_trace_id`.
    pub trace_id: &'a str,
    /// Its name for a refusal.
    pub violation_id: Option<&'a str>,
}

/// The longest reason of an enforcer that is kept, as written, in bytes.
const REMOTE_REASON: usize = 500;

/// The keys that begin with `enforcer`.
pub(super) fn write_enforcer(o: &mut Object<'_>, decision: Option<&DecisionFields<'_>>) {
    let Some(decision) = decision else { return };
    let policy = decision.enforcer_policy_digest;
    let Some(remote) = &decision.remote else { return o.optional("enforcerPolicyDigest", policy, SHORT_CAP) };
    o.text("enforcerAttestationId", remote.attestation_id, ELEMENT_CAP);
    if let Some(decision) = remote.decision {
        o.word("enforcerDecision", decision.as_str());
    }
    o.optional("enforcerPolicyDigest", policy, SHORT_CAP);
    o.optional("enforcerReason", remote.reason, REMOTE_REASON);
    o.optional("enforcerReasonCode", remote.reason_code, ELEMENT_CAP);
    if let Some(score) = remote.risk_score {
        o.number("enforcerRiskScore", u64::from(score));
    }
    o.text("enforcerTraceId", remote.trace_id, ELEMENT_CAP);
    o.optional("enforcerViolationId", remote.violation_id, ELEMENT_CAP);
}

/// Writes nothing at all for nothing.
pub(super) fn write_shadows(o: &mut Object<'_>, shadows: &[ShadowFields<'_>]) {
    if shadows.is_empty() {
        return;
    }
    let mut cut = shadows.len() > SHADOWS;
    let out = o.key("shadow");
    out.push(b'[');
    for (at, shadow) in shadows.iter().take(SHADOWS).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let mut s = Object::open(out);
        s.word("approval", shadow.approval.as_str());
        s.text("policyDigest", shadow.policy_digest, SHORT_CAP);
        s.word("reasonCode", shadow.reason_code.as_str());
        s.optional("rule", shadow.rule, ELEMENT_CAP);
        if let Some(place) = shadow.place {
            s.number("ruleColumn", u64::from(place.column));
            s.text("ruleFile", &place.file, ELEMENT_CAP);
            s.number("ruleLine", u64::from(place.line));
        }
        s.word("source", shadow.source);
        cut |= s.close();
    }
    out.push(b']');
    o.mark_cut(cut);
}

/// Each condition with how it came out in front. A name is kept whole or not at all: half of one would be another.
pub(super) fn write_conditions(o: &mut Object<'_>, conditions: &[(String, &'static str)]) {
    if conditions.is_empty() {
        return;
    }
    let fits = |text: &String| fitting(text, ELEMENT_CAP).len() == text.len();
    let lines: Vec<String> = conditions.iter().map(|(name, outcome)| format!("{outcome} {name}")).collect();
    let kept = lines.iter().filter(|line| fits(line)).take(CONDITIONS);
    let out = o.key("conditions");
    out.push(b'[');
    let mut count = 0;
    for line in kept {
        if count > 0 {
            out.push(b',');
        }
        string(out, line);
        count += 1;
    }
    out.push(b']');
    o.mark_cut(count < lines.len());
}
