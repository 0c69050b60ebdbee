//! Which violation a call is, where violations are answered more strictly from time to time.

use jiff::{SignedDuration, Timestamp};
use thoth_policy::{Progressive, ProgressiveScope};
use thoth_types::{AgentId, Approval, Binding, Caller, TenantId};

use crate::asked::Asked;
use crate::holds::Holds;

/// A counted violation.
#[derive(Debug)]
pub(crate) struct Progress {
    /// One for the first; the most there can be where it could not be counted.
    pub(crate) number: u32,
    pub(crate) binding: Binding,
    thresholds: Progressive,
    /// Why it could not be counted.
    uncounted: Option<String>,
}

impl Progress {
    /// A violation that was counted when the same call, not gone out since, was made before.
    pub(crate) const fn known(thresholds: Progressive, binding: Binding, number: u32) -> Self {
        Self { number, binding, thresholds, uncounted: None }
    }

    /// Counts a new one.
    pub(crate) fn count(
        thresholds: Progressive,
        binding: Binding,
        caller: &Caller,
        asked: &mut Asked,
        holds: &dyn Holds,
        now: Timestamp,
    ) -> Self {
        let counted = match thresholds.per {
            ProgressiveScope::Session => Ok(asked.count(now, thresholds.window_seconds)),
            ProgressiveScope::Agent => {
                let window = SignedDuration::from_secs(i64::from(thresholds.window_seconds));
                let since = now.saturating_sub(window).unwrap_or(Timestamp::MIN);
                holds.count_violation(&agent(caller), now, since)
            }
        };
        match counted {
            Ok(number) => Self::known(thresholds, binding, number),
            Err(error) => Self { number: u32::MAX, binding, thresholds, uncounted: Some(error.to_string()) },
        }
    }

    /// How a violation is answered.
    pub(crate) const fn answer(&self) -> Approval {
        self.answer_to(self.number)
    }

    const fn answer_to(&self, number: u32) -> Approval {
        if number == u32::MAX {
            Approval::Block
        } else if number <= self.thresholds.warn {
            Approval::Auto
        } else if number <= self.thresholds.warn.saturating_add(self.thresholds.ask) {
            Approval::Approve
        } else {
            Approval::Block
        }
    }

    /// The same for a person.
    pub(crate) fn note(&self) -> String {
        if let Some(error) = &self.uncounted {
            return format!("blocked, since violations cannot be counted: {error}");
        }
        if self.number == u32::MAX {
            return "blocked, since there are too many violations to count".to_owned();
        }
        let whose = match self.thresholds.per {
            ProgressiveScope::Session => "this session",
            ProgressiveScope::Agent => "this agent",
        };
        let this = match self.answer() {
            Approval::Auto => "a warning",
            Approval::Approve => "asks",
            Approval::Block => "blocked",
        };
        let next = match self.answer_to(self.number.saturating_add(1)) {
            Approval::Auto => "the next one passes with a warning, too",
            Approval::Approve => "the next one asks",
            Approval::Block => "the next one is blocked",
        };
        format!("violation {} of {whose}: {this}; {next}", self.number)
    }
}

/// Who is counted, of all organisations that share a store. Identifiers have no line breaks.
fn agent(caller: &Caller) -> String {
    let tenant = caller.tenant.as_ref().map(|tenant| format!("{}\n", TenantId::as_str(tenant)));
    tenant.unwrap_or_default() + caller.agent.as_ref().map_or("", AgentId::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends invariant 5: each violation is answered as strictly as the one before, or more; and the text says so.
    #[test]
    fn violations_are_answered_more_strictly() {
        use Approval::{Approve, Auto, Block};
        let of = |warn, ask| Progressive { warn, ask, ..Progressive::default() };
        let cases = [
            (of(1, 1), 1, Auto, "violation 1 of this session: a warning; the next one asks"),
            (of(1, 1), 2, Approve, "violation 2 of this session: asks; the next one is blocked"),
            (of(1, 1), 3, Block, "violation 3 of this session: blocked; the next one is blocked"),
            (of(2, 0), 1, Auto, "violation 1 of this session: a warning; the next one passes with a warning, too"),
            (of(2, 0), 2, Auto, "violation 2 of this session: a warning; the next one is blocked"),
            (of(2, 0), 3, Block, "violation 3 of this session: blocked; the next one is blocked"),
            (of(0, 2), 1, Approve, "violation 1 of this session: asks; the next one asks"),
            (of(0, 2), 3, Block, "violation 3 of this session: blocked; the next one is blocked"),
            (of(0, 0), 1, Block, "violation 1 of this session: blocked; the next one is blocked"),
            (
                Progressive { per: ProgressiveScope::Agent, ..of(1, 1) },
                2,
                Approve,
                "violation 2 of this agent: asks; the next one is blocked",
            ),
            (of(u32::MAX, u32::MAX), u32::MAX, Block, "blocked, since there are too many violations to count"),
        ];
        for (thresholds, number, answer, note) in cases {
            let progress = Progress::known(thresholds, Binding([0; 32]), number);
            assert_eq!((progress.answer(), progress.note().as_str()), (answer, note));
        }
        for thresholds in [of(0, 0), of(1, 1), of(3, 2), of(u32::MAX, 1)] {
            let answers = (1..8)
                .chain([u32::MAX - 1, u32::MAX])
                .map(|number| Progress::known(thresholds, Binding([0; 32]), number).answer());
            assert!(answers.is_sorted(), "{thresholds:?}");
        }
    }

    #[test]
    fn agents_of_different_organisations_are_counted_apart() {
        let caller = |tenant: &str, agent: &str| Caller {
            tenant: tenant.parse().ok(),
            user: None,
            endpoint: None,
            agent: agent.parse().ok(),
            session: "s".parse().unwrap(),
            server: "s".parse().unwrap(),
            intent: None,
            approved_scope: Vec::new(),
            mode: thoth_types::Mode::Progressive,
        };
        let names = [("", "a"), ("a", ""), ("a", "a"), ("", "aa"), ("", "")].map(|(t, a)| agent(&caller(t, a)));
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
