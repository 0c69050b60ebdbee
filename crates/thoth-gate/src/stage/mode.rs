//! Stage 10, enforcement mode: how violations are answered. Never softens a hard finding.

use thoth_types::{Approval, Decision, Finding, Mode};

use crate::progress::Progress;

/// What the findings demand, before and after the mode has had its say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// What is answered.
    pub(crate) decision: Decision,
    /// What would have been answered without the mode, when that differs.
    pub(crate) would_be: Option<Decision>,
    /// Index of the deciding finding.
    pub(crate) decisive: usize,
}

/// Whether a finding is a violation: something beyond what the policy's rules foresee, which a mode may soften.
pub(crate) fn is_violation(finding: &Finding) -> bool {
    finding.approval == Approval::Block && !finding.hard
}

/// `progress` says which violation this is, in progressive mode and where there is one.
pub(crate) fn run(mode: Mode, progress: Option<&Progress>, findings: &[Finding]) -> Ruling {
    let soften = |finding: &Finding| match (mode, finding.approval) {
        _ if finding.hard => finding.approval,
        (Mode::Observe, _) => Approval::Auto,
        (Mode::StepUp, Approval::Block) => Approval::Approve,
        (Mode::Progressive, Approval::Block) => progress.map_or(Approval::Block, Progress::answer),
        (_, approval) => approval,
    };
    let strictest = |of: &dyn Fn(&Finding) -> Approval| {
        // The first of the strictest findings decides: `max_by_key` alone would take the last.
        findings.iter().enumerate().rev().max_by_key(|(_, finding)| of(finding)).map(|(i, finding)| (i, of(finding)))
    };
    let (raw_index, raw) = strictest(&|finding| finding.approval).unwrap_or((0, Approval::Block));
    let (index, answered) = strictest(&soften).unwrap_or((0, Approval::Block));
    let decision = word(answered);
    let softened = decision != word(raw);
    Ruling {
        decision,
        would_be: softened.then(|| word(raw)),
        decisive: if softened && answered == Approval::Auto { raw_index } else { index },
    }
}

const fn word(approval: Approval) -> Decision {
    match approval {
        Approval::Auto => Decision::Allow,
        Approval::Approve => Decision::StepUp,
        Approval::Block => Decision::Block,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use thoth_policy::Progressive;
    use thoth_types::{Binding, ReasonCode, RiskLevel, Stage};

    use super::*;

    fn finding(approval: Approval, hard: bool) -> Finding {
        Finding {
            stage: Stage::Rules,
            approval,
            code: ReasonCode::RuleAuto,
            risk: RiskLevel::Low,
            rule: None,
            place: None,
            detail: Cow::Borrowed(""),
            hard,
            retry_after_seconds: None,
        }
    }

    /// Defends invariant 5: a mode never softens an explicit block, and nothing at all means block.
    #[test]
    fn the_mode_table() {
        /// Mode, which violation it is, findings; the decision, and what it would have been.
        type Case<'f> = (Mode, u32, &'f [&'f Finding], Decision, Option<Decision>);
        use Approval::{Approve, Auto};
        use Decision::{Allow, Block, StepUp};
        let soft_block = finding(Approval::Block, false);
        let hard_block = finding(Approval::Block, true);
        let ask = finding(Approve, false);
        let auto = finding(Auto, false);
        let cases: &[Case<'_>] = &[
            (Mode::Block, 0, &[&auto], Allow, None),
            (Mode::Block, 0, &[&auto, &ask], StepUp, None),
            (Mode::Block, 0, &[&ask, &soft_block], Block, None),
            (Mode::StepUp, 0, &[&soft_block], StepUp, Some(Block)),
            (Mode::StepUp, 10, &[&hard_block], Block, None),
            (Mode::Observe, 0, &[&soft_block], Allow, Some(Block)),
            (Mode::Observe, 0, &[&ask], Allow, Some(StepUp)),
            (Mode::Observe, 0, &[&auto, &hard_block], Block, None),
            (Mode::Progressive, 1, &[&soft_block], Allow, Some(Block)),
            (Mode::Progressive, 2, &[&soft_block], StepUp, Some(Block)),
            (Mode::Progressive, 3, &[&soft_block], Block, None),
            (Mode::Progressive, 8, &[&soft_block], Block, None),
            (Mode::Progressive, 1, &[&ask], StepUp, None),
            (Mode::Progressive, 1, &[&ask, &soft_block], StepUp, Some(Block)),
            (Mode::Observe, 0, &[], Block, None),
        ];
        for (mode, violations, findings, decision, would_be) in cases {
            let findings: Vec<_> = findings.iter().map(|f| (*f).clone()).collect();
            let progress = Progress::known(Progressive::default(), Binding([0; 32]), *violations);
            let progress = (*mode == Mode::Progressive).then_some(progress);
            let ruling = run(*mode, progress.as_ref(), &findings);
            assert_eq!((ruling.decision, ruling.would_be), (*decision, *would_be), "{mode} {violations} {findings:?}");
        }
    }
}
