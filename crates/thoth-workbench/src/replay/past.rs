//! What a session had called before, as its records tell.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use thoth_policy::{History, Policy, Query, RateScope, counted_name};
use thoth_types::{Approval, Finding, HarmClasses, ReasonCode, RiskLevel, Stage};

use super::recorded::RecordedCall;

/// The calls that went out.
#[derive(Debug, Default)]
pub(super) struct Past {
    calls: Vec<(String, Timestamp)>,
    known: BTreeSet<(String, String)>,
    allowed: u64,
}

impl Past {
    /// The record counts them, too: also those that a ledger begun later does not have.
    pub(super) fn allowed_before(&mut self, call: &RecordedCall) {
        self.allowed = self.allowed.max(call.allowed_before);
    }

    pub(super) fn remember(&mut self, call: &RecordedCall) {
        if call.went_out {
            self.calls.push((counted_name(&call.tool).into_owned(), call.at));
            self.known.insert((call.tool.clone(), call.server.clone()));
            self.allowed += 1;
        }
    }

    fn count(&self, tool: Option<&str>, within: impl Fn(Timestamp) -> bool) -> u64 {
        let calls = self.calls.iter().rev().take_while(|(_, at)| within(*at));
        let count = calls.filter(|(name, _)| tool.is_none_or(|tool| name == tool)).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The limits that this call exceeds.
    pub(super) fn over_limit(&self, policy: &Policy, query: &Query<'_>) -> Vec<Finding> {
        let limits = policy.limits(query.tool, query.server);
        let minute = query.now.saturating_sub(SignedDuration::from_secs(60)).unwrap_or(Timestamp::MIN);
        let in_minute = self.count(Some(&counted_name(query.tool)), |at| at > minute);
        let mut over = Vec::new();
        if limits.max_calls_per_minute.is_some_and(|most| in_minute >= u64::from(most)) {
            over.push(exceeded(ReasonCode::RateLimited));
        }
        if limits.max_tool_calls.is_some_and(|most| self.allowed >= most) {
            over.push(exceeded(ReasonCode::BudgetExhausted));
        }
        over
    }
}

fn exceeded(code: ReasonCode) -> Finding {
    Finding {
        stage: Stage::Limits,
        approval: Approval::Block,
        code,
        risk: RiskLevel::Medium,
        rule: None,
        place: None,
        detail: "a limit is reached".into(),
        hard: false,
        retry_after_seconds: None,
    }
}

impl History for Past {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        self.known.iter().any(|(tool, server)| test(tool, server))
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: Timestamp) -> u64 {
        let tool = (scope == RateScope::Tool).then(|| counted_name(tool).into_owned());
        self.count(tool.as_deref(), |at| at >= since)
    }

    /// Never asked for: a replay takes no condition on labels to be known from here.
    fn labels(&self) -> HarmClasses {
        HarmClasses::NONE
    }
}
