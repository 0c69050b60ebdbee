//! Stage 11, approval: whether a person has agreed to this very call, or is to be asked now.

use std::borrow::Cow;
use std::sync::Arc;

use thoth_audit::digest::call_binding;
use thoth_types::{
    Approval, Finding, Grant, GrantScope, HoldToken, ReasonCode, Requirement, RiskLevel, Stage, ToolCall,
};

use crate::facts::Moment;
use crate::gate::Gate;
use crate::hold::{Consulted, Hold, HoldState, Question, Why, later};
use crate::holds::HoldsError;
use crate::session::GateSession;

/// Makes 16 random bytes; nothing where the system has none.
pub type Random<'r> = dyn Fn() -> Option<[u8; 16]> + 'r;

/// How approvals are treated.
#[derive(Clone, Copy)]
pub(crate) struct Approvals<'r> {
    /// Whether one that is found is used up.
    spends: bool,
    random: &'r Random<'r>,
}

impl<'r> Approvals<'r> {
    /// An approval is used up.
    pub(crate) fn spend(random: &'r Random<'r>) -> Self {
        Self { spends: true, random }
    }
}

/// A call that needs a person.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) session: &'a GateSession,
    pub(crate) call: &'a ToolCall<'a>,
    pub(crate) tool: &'a Arc<str>,
    pub(crate) call_id: &'a Arc<str>,
    pub(crate) trace_id: &'a Arc<str>,
    pub(crate) arguments_digest: &'a Arc<str>,
    pub(crate) requirement: Requirement,
    pub(crate) risk: RiskLevel,
    /// The deciding finding.
    pub(crate) why: Option<&'a Finding>,
    pub(crate) policy_digest: &'a str,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Allows or blocks the call; without one, it stays held.
    pub(crate) finding: Option<Finding>,
    pub(crate) hold: Option<Hold>,
    pub(crate) grant: Option<Grant>,
}

pub(crate) fn run(asking: &Asking<'_>, approvals: Approvals<'_>, now: Moment) -> Verdict {
    let caller = &asking.session.caller;
    let binding = call_binding(caller, asking.tool, asking.call.arguments, &[]);
    let scope = GrantScope {
        tenant: caller.tenant.clone(),
        agent: caller.agent.clone(),
        server: caller.server.clone(),
        tool: Arc::clone(asking.tool),
    };
    let draft = || {
        let token = HoldToken::new((approvals.random)()?);
        Some(Hold {
            token,
            binding,
            caller: caller.clone(),
            requester: asking.session.requester.clone(),
            tool: Arc::clone(asking.tool),
            arguments: asking.call.arguments.raw().into(),
            call_id: Arc::clone(asking.call_id),
            trace_id: Arc::clone(asking.trace_id),
            arguments_digest: Arc::clone(asking.arguments_digest),
            why: why(asking),
            requirement: asking.requirement.clone(),
            created_at: now.wall,
            ends_at: later(now.wall, asking.requirement.ttl_seconds),
            state: HoldState::Pending,
            votes: Vec::new(),
            spent_by: None,
            shown: Vec::new(),
        })
    };
    let question = Question {
        binding: &binding,
        scope: &scope,
        covers: &|grant: &Grant| grant.patterns.is_empty(),
        requirement: &asking.requirement,
        requester: &asking.session.requester,
        spender: approvals.spends.then_some(&**asking.call_id),
        draft: &draft,
    };
    match asking.gate.desk.holds.consult(&question, now.wall) {
        Ok(consulted) => conclude(asking, consulted),
        Err(error) => unavailable(asking, &error),
    }
}

fn conclude(asking: &Asking<'_>, consulted: Consulted) -> Verdict {
    match consulted {
        Consulted::Pending(hold) | Consulted::Created(hold, _) => Verdict { hold: Some(hold), ..Verdict::default() },
        Consulted::Spent(hold) | Consulted::Approved(hold) => {
            let names: Vec<_> =
                hold.votes.iter().filter(|vote| vote.approves).map(|vote| &*vote.approver.account).collect();
            let detail = format!("approved by {}", names.join(" and "));
            let finding = finding(asking, Approval::Auto, ReasonCode::Approved, detail);
            Verdict { finding: Some(finding), hold: Some(hold), grant: None }
        }
        Consulted::Granted(grant) => {
            let detail = format!("covered by {} until {}", grant.id, grant.ends_at);
            let finding = finding(asking, Approval::Auto, ReasonCode::Granted, detail);
            Verdict { finding: Some(finding), hold: None, grant: Some(grant) }
        }
        Consulted::Denied(hold) => {
            let detail = format!("this very call was denied, which stands until {}", hold.ends_at);
            let finding = finding(asking, Approval::Block, ReasonCode::ApprovalDenied, detail);
            Verdict { finding: Some(finding), hold: Some(hold), grant: None }
        }
    }
}

/// Nobody can be asked: what needs a person is then refused.
fn unavailable(asking: &Asking<'_>, error: &HoldsError) -> Verdict {
    let detail = format!("a person would have to approve this, and none can be asked: {error}");
    let finding = finding(asking, Approval::Block, ReasonCode::ApprovalUnavailable, detail);
    Verdict { finding: Some(finding), ..Verdict::default() }
}

fn why(asking: &Asking<'_>) -> Why {
    Why {
        reason: asking.why.map(|finding| finding.detail.to_string()).unwrap_or_default(),
        reason_code: asking.why.map_or(ReasonCode::RuleApprove, |finding| finding.code),
        rule: asking.why.and_then(|finding| finding.rule.clone()),
        place: asking.why.and_then(|finding| finding.place.clone()),
        risk: asking.risk,
        policy_digest: Arc::from(asking.policy_digest),
    }
}

fn finding(asking: &Asking<'_>, approval: Approval, code: ReasonCode, detail: String) -> Finding {
    Finding {
        stage: Stage::Approval,
        approval,
        code,
        risk: asking.risk,
        rule: asking.why.and_then(|finding| finding.rule.clone()),
        place: asking.why.and_then(|finding| finding.place.clone()),
        detail: Cow::Owned(detail),
        hard: true,
        retry_after_seconds: None,
    }
}
