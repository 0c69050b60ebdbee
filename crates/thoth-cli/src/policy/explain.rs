//! What an explanation says beside its answer: what the rules in shadow mode would answer, and how near another answer is.

use thoth_policy::{Explanation, RuleTrace, Shadowed};

use thoth_shell::exit::Failure;
use thoth_shell::terminal::{CARE, DIM, GOOD, line, styled};

/// The answer if the rules in shadow mode had a say.
pub(super) fn shadow(shadow: &Shadowed) -> String {
    let by = match (&shadow.rule, &shadow.place) {
        (Some(rule), Some(place)) => format!("{rule} {}", styled(DIM, format_args!("({place})"))),
        _ => styled(DIM, "no rule"),
    };
    format!("would be {} by {by}", shadow.approval)
}

/// Whether a rule counted as a match.
pub(super) fn mark(rule: &RuleTrace) -> String {
    match (rule.applied, rule.shadow) {
        (true, false) => styled(GOOD, "applies"),
        (true, true) => styled(CARE, "shadow "),
        (false, _) => styled(DIM, "no     "),
    }
}

/// What would have to be otherwise for another answer.
pub(super) fn near_misses(explanation: &Explanation) -> Result<(), Failure> {
    let near_misses = explanation.near_misses.as_deref().unwrap_or_default();
    if near_misses.is_empty() {
        return Ok(());
    }
    line("\nnear misses")?;
    for miss in near_misses {
        let example = miss.example.as_ref().map(|value| format!(", such as {value}")).unwrap_or_default();
        let place = styled(DIM, format_args!("{} {}", miss.rule, miss.place));
        line(format_args!("    {:7}  if {}{example}  {place}", miss.approval.as_str(), miss.wanted))?;
    }
    Ok(())
}
