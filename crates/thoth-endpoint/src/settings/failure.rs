//! What a call gets when the policy server cannot be asked.

/// What the machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Somebody's own experiments.
    Dev,
    /// The last step before production, with its rules.
    Staging,
    /// The real thing; also where nobody said anything.
    Prod,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    /// As written: `dev`, `staging`, `prod`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }

    /// Anything that is not a stage counts as the strictest.
    pub(super) fn of(text: &str) -> Self {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text).unwrap_or(Self::Prod)
    }
}

/// The answer in place of the policy server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureDecision {
    /// The call is refused.
    Block,
    /// A person is asked.
    StepUp,
    /// The local decision alone holds.
    Allow,
}

impl FailureDecision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Block, Self::StepUp, Self::Allow];

    /// As written: `block`, `step_up`, `allow`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::StepUp => "step_up",
            Self::Allow => "allow",
        }
    }

    /// The decision that holds: without one it is `block`; in `staging` and `prod`, `allow` counts as `block` unless that
    /// is overridden.
    #[must_use]
    pub const fn holding(written: Option<Self>, stage: Stage, overridden: bool) -> Self {
        match (written, stage) {
            (None, _) => Self::Block,
            (Some(Self::Allow), Stage::Staging | Stage::Prod) if !overridden => Self::Block,
            (Some(decision), _) => decision,
        }
    }

    /// Anything else is none.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination: no failure lets a call through in staging and production without two explicit settings.
    #[test]
    fn the_table_of_failure_decisions() {
        let mut seen = String::new();
        for stage in Stage::ALL {
            for overridden in [false, true] {
                let decide = |written| FailureDecision::holding(written, stage, overridden).as_str();
                let [block, step_up, allow] = FailureDecision::ALL.map(|decision| decide(Some(decision)));
                let unwritten = decide(None);
                seen += &format!("{:8}{overridden:5}  {unwritten} {block} {step_up} {allow}\n", stage.as_str());
            }
        }
        insta::assert_snapshot!(seen, @"
        dev     false  block block step_up allow
        dev     true   block block step_up allow
        staging false  block block step_up block
        staging true   block block step_up allow
        prod    false  block block step_up block
        prod    true   block block step_up allow
        ");
        assert_eq!((Stage::of("staging"), Stage::of("test")), (Stage::Staging, Stage::Prod));
        assert_eq!(
            (FailureDecision::of("step_up"), FailureDecision::of("deny")),
            (Some(FailureDecision::StepUp), None)
        );
    }
}
