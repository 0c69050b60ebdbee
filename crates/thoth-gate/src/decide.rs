//! Runs the stages over one call and draws the conclusion.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use thoth_audit::Content;
use thoth_policy::Query;
use thoth_types::{Approval, Decision, Finding, Grant, ReasonCode, Requirement, RiskLevel, Stage, ToolCall};

use crate::facts::{Facts, Moment};
use crate::gate::{Gate, Standing};
use crate::hold::Hold;
use crate::permit::Ticket;
use crate::session::GateSession;
use crate::stage;
use crate::stage::approval::Approvals;
use crate::stage::mode::{Ruling, is_violation};
use crate::verdict::Refused;

/// A decided call: the ruling, and everything that its records need.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) call: &'a ToolCall<'a>,
    pub(crate) ruling: Ruling,
    pub(crate) findings: Vec<Finding>,
    pub(crate) matched: Vec<Arc<str>>,
    pub(crate) skipped: &'static [Stage],
    pub(crate) risk: RiskLevel,
    pub(crate) tool: Arc<str>,
    pub(crate) call_id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) arguments_digest: Arc<str>,
    pub(crate) content: Content,
    /// The hold that the call waits for, goes out on or was denied by.
    pub(crate) hold: Option<Hold>,
    /// The grant that covers it.
    pub(crate) grant: Option<Grant>,
}

pub(crate) fn decide<'a>(
    gate: &Gate,
    standing: &Standing,
    session: &mut GateSession,
    call: &'a ToolCall<'a>,
    approvals: Approvals<'_>,
    now: Moment,
) -> Decided<'a> {
    let tool = session.past.intern(&call.tool);
    let mut findings = Vec::with_capacity(2);
    let mut matched = Vec::new();
    let mut skipped: &'static [Stage] = &[];
    let mut requirement = Requirement::default();
    stage::preflight::run(&session.preflight, &call.tool, session.caller.intent.as_deref(), &mut findings);
    match standing {
        Standing::Invalid { reason } => findings.push(no_policy(reason)),
        Standing::Valid(policy) => {
            let facts = Facts {
                caller: &session.caller,
                scope: &session.scope,
                call,
                query: Query {
                    tool: &call.tool,
                    server: session.caller.server.as_str(),
                    agent: session.caller.agent.as_ref().map(thoth_types::AgentId::as_str),
                    user: session.caller.user.as_ref().map(thoth_types::UserId::as_str),
                    intent: session.caller.intent.as_deref(),
                    arguments: call.arguments,
                    now: now.wall,
                    history: &session.past,
                },
                past: &session.past,
                violations: session.violations,
            };
            stage::identity::run(policy, &facts, &mut findings);
            stage::intent::run(policy, &facts, &mut findings);
            stage::scope::run(policy, &facts, &mut findings);
            stage::rules::run(policy, &facts, &mut session.scratch, &mut findings);
            let rules = session.scratch.matched().iter().filter_map(|id| policy.rule(*id));
            requirement = policy.requirement(session.scratch.matched());
            matched.extend(rules.map(|rule| Arc::clone(&rule.name)));
            // A call that is already refused for good uses up no limit.
            if findings.iter().any(|finding| finding.hard && finding.approval == Approval::Block) {
                skipped = &[Stage::Limits];
            } else {
                stage::limits::run(policy, &facts, &mut findings);
            }
        }
    }
    let mut ruling = stage::mode::run(session.caller.mode, session.violations, &findings);
    if findings.iter().any(is_violation) {
        session.violations = session.violations.saturating_add(1);
    }
    session.calls += 1;
    let call_id: Arc<str> = Arc::from(format!("{}-{}", session.caller.session, session.calls));
    let trace_id = trace_id(session.random, session.calls);
    let digest: Arc<str> = Arc::from(gate.call_digest(&call.tool, call.arguments));
    let risk = findings.iter().map(|finding| finding.risk).max().unwrap_or(RiskLevel::Critical);
    let mut verdict = stage::approval::Verdict::default();
    if ruling.decision == Decision::StepUp {
        let asking = stage::approval::Asking {
            gate,
            session,
            call,
            tool: &tool,
            call_id: &call_id,
            trace_id: &trace_id,
            arguments_digest: &digest,
            requirement,
            risk,
            why: findings.get(ruling.decisive),
            policy_digest: standing.digest(),
        };
        verdict = stage::approval::run(&asking, approvals, now);
        if let Some(finding) = verdict.finding.take() {
            let decision = if finding.approval == Approval::Auto { Decision::Allow } else { Decision::Block };
            ruling = Ruling { decision, decisive: findings.len(), ..ruling };
            findings.push(finding);
        }
    }
    if ruling.decision == Decision::Allow {
        session.past.remember(&tool, session.caller.server.as_str(), now.wall);
    }
    Decided {
        call,
        ruling,
        risk,
        findings,
        matched,
        skipped,
        call_id,
        trace_id,
        arguments_digest: digest,
        content: call.arguments.value().map_or_else(
            || Content::empty(gate.content_mode),
            |value| Content::capture(gate.content_mode, &gate.desk.key, value),
        ),
        tool,
        hold: verdict.hold,
        grant: verdict.grant,
    }
}

/// A W3C trace id: 16 bytes in hex, never all zero since calls are counted from one.
fn trace_id(random: [u8; 8], serial: u64) -> Arc<str> {
    let mut text = String::with_capacity(32);
    // Writing to a string cannot fail.
    let _ = write!(text, "{:016x}{serial:016x}", u64::from_be_bytes(random));
    Arc::from(text)
}

fn no_policy(reason: &str) -> Finding {
    Finding {
        stage: Stage::Rules,
        approval: Approval::Block,
        code: ReasonCode::PolicyInvalid,
        risk: RiskLevel::Critical,
        rule: None,
        place: None,
        detail: Cow::Owned(reason.to_owned()),
        hard: true,
        retry_after_seconds: None,
    }
}

impl Decided<'_> {
    /// The finding that decided. There always is one.
    pub(crate) fn decisive(&self) -> Option<&Finding> {
        self.findings.get(self.ruling.decisive)
    }

    /// Turns an admitted call of a refused batch into a refusal.
    pub(crate) fn refuse_for_batch(&mut self) {
        self.ruling = Ruling { decision: Decision::Block, would_be: None, decisive: self.findings.len() };
        self.findings.push(Finding {
            stage: Stage::Scope,
            approval: Approval::Block,
            code: ReasonCode::BatchRefused,
            risk: RiskLevel::Low,
            rule: None,
            place: None,
            detail: Cow::Borrowed(
                "another call of the same batch was refused, and a batch goes out whole or not at all",
            ),
            hard: true,
            retry_after_seconds: None,
        });
    }

    pub(crate) fn ticket(&self, now: Moment) -> Ticket {
        Ticket {
            call_id: Arc::clone(&self.call_id),
            trace_id: Arc::clone(&self.trace_id),
            tool: Arc::clone(&self.tool),
            arguments_digest: Arc::clone(&self.arguments_digest),
            listed: self.call.listed,
            admitted_at: now,
        }
    }

    pub(crate) fn refused(&self) -> Refused {
        let decisive = self.decisive();
        Refused {
            decision: self.ruling.decision,
            tool: Arc::clone(&self.tool),
            reason: decisive.map_or_else(|| "no stage allowed the call".to_owned(), |f| f.detail.to_string()),
            reason_code: decisive.map_or(ReasonCode::PolicyInvalid, |f| f.code),
            rule: decisive.and_then(|f| f.rule.clone()),
            place: decisive.and_then(|f| f.place.clone()),
            risk_score: self.risk.score(),
            trace_id: Arc::clone(&self.trace_id),
            call_id: Arc::clone(&self.call_id),
            hold: self.hold.clone().map(Box::new),
            // Waiting helps only where a limit alone stands in the way.
            retry_after_seconds: decisive.and_then(|f| f.retry_after_seconds),
            findings: self.findings.clone(),
        }
    }
}
