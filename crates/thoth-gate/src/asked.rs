//! What a session remembers of calls that violate the policy or need a person, all of it bounded. What is forgotten
//! counts as never asked, which is the strict side.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use thoth_types::{Binding, HoldToken, Requester, Requirement, Vote};

/// Violations remembered for counting, more than any policy lets pass. Where more lie within the time in which they count,
/// they are too many to count.
const REMEMBERED_VIOLATIONS: usize = 4096;
/// Calls remembered that were held, and calls remembered that went out and may be continued.
const REMEMBERED_CALLS: usize = 256;

/// One session's memory.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    violations: VecDeque<Timestamp>,
    /// Violations that did not go out, by their number: made again, such a call is no new violation.
    held: VecDeque<(Binding, u32)>,
    sent: VecDeque<Sent>,
}

/// A call that went out and that a multi-round-trip retry may continue.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) call_id: Arc<str>,
    pub(crate) binding: Binding,
    /// Which violation it was.
    pub(crate) violation: Option<u32>,
    /// The approval that it went out on.
    pub(crate) approval: Option<UsedApproval>,
}

/// An approval that was used up.
#[derive(Debug, Clone)]
pub(crate) struct UsedApproval {
    pub(crate) token: HoldToken,
    pub(crate) votes: Vec<Vote>,
    pub(crate) requester: Requester,
}

impl UsedApproval {
    /// Whether it is enough for what is required now.
    pub(crate) fn meets(&self, requirement: &Requirement) -> bool {
        requirement.is_met_by(&self.votes, &self.requester)
    }
}

impl Asked {
    /// Counts a violation: which one it is among those of the last `window_seconds`.
    pub(crate) fn count(&mut self, now: Timestamp, window_seconds: u32) -> u32 {
        let since = now.saturating_sub(SignedDuration::from_secs(i64::from(window_seconds))).unwrap_or(Timestamp::MIN);
        if self.violations.len() == REMEMBERED_VIOLATIONS {
            self.violations.pop_front();
        }
        self.violations.push_back(now);
        let count = self.violations.iter().filter(|at| **at >= since).count();
        if count == REMEMBERED_VIOLATIONS { u32::MAX } else { u32::try_from(count).unwrap_or(u32::MAX) }
    }

    /// Which violation this call was when it was held.
    pub(crate) fn number_of(&self, binding: &Binding) -> Option<u32> {
        self.held.iter().find(|(held, _)| held == binding).map(|(_, number)| *number)
    }

    /// Remembers a violation that did not go out.
    pub(crate) fn hold(&mut self, binding: Binding, number: u32) {
        self.held.retain(|(held, _)| *held != binding);
        push(&mut self.held, (binding, number));
    }

    /// A call went out: made again, it is a new one, unless it continues this one.
    pub(crate) fn send(&mut self, sent: Sent) {
        self.held.retain(|(held, _)| *held != sent.binding);
        push(&mut self.sent, sent);
    }

    /// The call of this id, if it went out.
    pub(crate) fn sent(&self, call_id: &str) -> Option<&Sent> {
        self.sent.iter().find(|sent| &*sent.call_id == call_id)
    }

    /// The same for the one call that continues it: there is no other.
    pub(crate) fn take_sent(&mut self, call_id: &str) -> Option<Sent> {
        let at = self.sent.iter().position(|sent| &*sent.call_id == call_id)?;
        self.sent.remove(at)
    }
}

fn push<T>(remembered: &mut VecDeque<T>, one: T) {
    if remembered.len() == REMEMBERED_CALLS {
        remembered.pop_front();
    }
    remembered.push_back(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    /// Defends invariant 5: a flood of violations never looks like a few.
    #[test]
    fn violations_count_within_their_time() {
        let mut asked = Asked::default();
        let numbers: Vec<_> = [0, 1, 59, 60, 61].map(|second| asked.count(at(second), 60)).into();
        assert_eq!(numbers, [1, 2, 3, 4, 4]);
        // A clock that goes back makes none of them older.
        assert_eq!(asked.count(at(30), 60), 6);
        let last = (0..5000).map(|_| asked.count(at(62), 60)).last();
        assert_eq!(last, Some(u32::MAX));
        assert_eq!(asked.violations.len(), REMEMBERED_VIOLATIONS);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut asked = Asked::default();
        let binding = |n: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            Binding(bytes)
        };
        for n in 0..1000 {
            asked.hold(binding(n), 2);
            asked.hold(binding(n), 2);
            let call_id = Arc::from(n.to_string());
            asked.send(Sent { call_id, binding: binding(n + 5000), violation: None, approval: None });
        }
        assert_eq!((asked.held.len(), asked.sent.len()), (REMEMBERED_CALLS, REMEMBERED_CALLS));
        assert_eq!(asked.number_of(&binding(0)), None);
        assert_eq!(asked.number_of(&binding(999)), Some(2));
        assert!(asked.sent("0").is_none());
        assert!(asked.take_sent("999").is_some());
        assert!(asked.take_sent("999").is_none(), "once");
    }
}
