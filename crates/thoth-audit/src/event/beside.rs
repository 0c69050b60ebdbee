//! What is recorded beside a decision: what rules and policies in shadow mode would have answered, and how conditions came
//! out where the arguments themselves are not kept.

use thoth_types::{Approval, Place, ReasonCode};

use super::{ELEMENT_CAP, SHORT_CAP};
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
