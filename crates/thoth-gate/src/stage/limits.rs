//! Stage 8, rate limits and call budgets. Only allowed calls count.

use std::borrow::Cow;

use thoth_policy::Policy;
use thoth_types::{Approval, Finding, ReasonCode, RiskLevel, Stage};

use crate::facts::Facts;
use crate::session::REMEMBERED_TOOLS;

pub(crate) fn run(policy: &Policy, facts: &Facts<'_>, findings: &mut Vec<Finding>) {
    let limits = policy.limits(facts.query.tool, facts.query.server);
    if let Some(most) = limits.max_calls_per_minute {
        let (calls, frees_in_seconds) = facts.past.last_minute(facts.query.tool, facts.query.now);
        if calls >= u64::from(most) {
            let detail = format!("`{}` may be called {most} times per minute and was", facts.query.tool.escape_debug());
            findings.push(exceeded(ReasonCode::RateLimited, detail, Some(frees_in_seconds)));
        }
    }
    if let Some(most) = limits.max_tool_calls
        && facts.past.allowed >= most
    {
        findings.push(exceeded(
            ReasonCode::BudgetExhausted,
            format!("the session's budget of {most} calls is used up"),
            None,
        ));
    }
    if facts.past.is_full_for(facts.query.tool) {
        let detail = format!("a session may call {REMEMBERED_TOOLS} different tools and has");
        findings.push(Finding { hard: true, ..exceeded(ReasonCode::BudgetExhausted, detail, None) });
    }
}

fn exceeded(code: ReasonCode, detail: String, retry_after_seconds: Option<u64>) -> Finding {
    Finding {
        stage: Stage::Limits,
        approval: Approval::Block,
        code,
        risk: RiskLevel::Medium,
        rule: None,
        place: None,
        detail: Cow::Owned(detail),
        hard: false,
        retry_after_seconds,
    }
}
