//! Stage 11, approval: whether a person has agreed to this very call, or is to be asked now.

use std::borrow::Cow;
use std::sync::Arc;

use thoth_audit::digest::call_binding;
use thoth_policy::{ArgumentPatterns, Policy};
use thoth_types::{
    Approval, Binding, Decision, Finding, Grant, GrantScope, HoldToken, ReasonCode, Requirement, Stage, ToolCall, Vote,
};

use crate::asked::{Sent, UsedApproval};
use crate::decide::Decided;
use crate::facts::Moment;
use crate::gate::Gate;
use crate::hold::{Consulted, Hold, HoldState, Question, Why, later};
use crate::holds::HoldsError;
use crate::session::GateSession;
use crate::stage::mode::Ruling;

/// The most of what was also sent that is kept with a hold, in bytes. What clients send there takes some fifty.
const MOST_ALSO_SENT: usize = 16 * 1024;

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

    /// The same, without using anything up.
    pub(crate) const fn only_looking(self) -> Self {
        Self { spends: false, ..self }
    }

    /// An approval is only looked at.
    pub(crate) fn peek(random: &'r Random<'r>) -> Self {
        Self { spends: false, random }
    }
}

/// A call that needs a person.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) binding: Binding,
    requirement: Requirement,
    /// The policy that demands it.
    policy_digest: Arc<str>,
    /// What the stages before said, and how many findings they had.
    before: (Ruling, usize),
    pub(crate) came: Came,
}

/// What came of asking.
#[derive(Debug)]
pub(crate) enum Came {
    /// Nobody can be asked.
    Nothing,
    /// It waits.
    Held(Hold),
    /// It waits under a new hold; the one before has ended, which nobody had noted.
    HeldAnew(Hold, Option<Box<Hold>>),
    /// A person has said no.
    Denied(Hold),
    /// A person has agreed, and the approval is not used up.
    Approved(Hold),
    /// A person has agreed, and the approval is used up.
    Spent(Hold),
    /// It goes on with this call, which went out on this approval.
    Continues(Sent, UsedApproval),
    /// A grant covers it.
    Granted(Grant),
}

impl Asking {
    pub(crate) fn new(
        binding: Binding,
        requirement: Requirement,
        policy_digest: &str,
        ruling: Ruling,
        findings: &[Finding],
    ) -> Self {
        let policy_digest = Arc::from(policy_digest);
        Self { binding, requirement, policy_digest, before: (ruling, findings.len()), came: Came::Nothing }
    }

    /// The hold that it waits for, was denied by, or goes out on.
    pub(crate) const fn token(&self) -> Option<&HoldToken> {
        match &self.came {
            Came::Held(hold)
            | Came::HeldAnew(hold, _)
            | Came::Denied(hold)
            | Came::Approved(hold)
            | Came::Spent(hold) => Some(&hold.token),
            Came::Continues(_, used) => Some(&used.token),
            Came::Granted(_) | Came::Nothing => None,
        }
    }

    /// The hold that the caller is told of: the one that can be answered, or that was answered with "no".
    pub(crate) const fn shown(&self) -> Option<&Hold> {
        match &self.came {
            Came::Held(hold) | Came::HeldAnew(hold, _) | Came::Denied(hold) => Some(hold),
            _ => None,
        }
    }

    /// The approval that the call goes out on.
    pub(crate) fn used(&self) -> Option<UsedApproval> {
        match &self.came {
            Came::Spent(hold) => Some(UsedApproval {
                token: hold.token.clone(),
                votes: hold.votes.clone(),
                requester: hold.requester.clone(),
            }),
            Came::Continues(_, used) => Some(used.clone()),
            _ => None,
        }
    }
}

/// What an approval of this call is bound to. Where a person is asked about the definition, that belongs to it: what they
/// agree to is a call of the tool that they can look at now, and of no other that the server shows later.
pub(crate) fn binding(
    policy: Option<&Policy>,
    session: &GateSession,
    call: &ToolCall<'_>,
    findings: &[Finding],
) -> Binding {
    let volatile: Vec<&str> = policy.map(|policy| policy.volatile(&call.tool).collect()).unwrap_or_default();
    let is_asked_about =
        findings.iter().any(|found| found.stage == Stage::Integrity && found.approval > Approval::Auto);
    let definition = call.integrity.as_ref().filter(|_| is_asked_about).and_then(|known| known.definition.as_deref());
    call_binding(&session.caller, &call.tool, call.arguments, &call.also_sent, definition, &volatile)
}

/// Settles a call whose ruling is `STEP_UP`, whether or not that was tried before.
pub(crate) fn run(
    gate: &Gate,
    session: &mut GateSession,
    decided: &mut Decided<'_>,
    approvals: Approvals<'_>,
    now: Moment,
) {
    let Some(mut asking) = decided.asking.take() else { return };
    let (ruling, findings) = asking.before;
    decided.ruling = ruling;
    decided.findings.truncate(findings);
    let (came, verdict) = match continues(session, decided, &asking, approvals) {
        Some(came) => conclude(Ok(came)),
        None => conclude(consult(gate, session, decided, &asking, approvals, now)),
    };
    asking.came = came;
    decided.asking = Some(asking);
    if let Some((approval, code, detail)) = verdict {
        let decision = if approval == Approval::Auto { Decision::Allow } else { Decision::Block };
        let finding = finding(decided, approval, code, detail);
        decided.ruling = Ruling { decision, decisive: decided.findings.len(), ..ruling };
        decided.findings.push(finding);
    }
}

/// A retry that answers what the server asked in between is the same call to the person who approved it.
fn continues(
    session: &mut GateSession,
    decided: &Decided<'_>,
    asking: &Asking,
    approvals: Approvals<'_>,
) -> Option<Came> {
    let sent = session.asked.sent(decided.call.retry_of.as_deref()?)?;
    let used =
        sent.approval.clone().filter(|used| sent.binding == asking.binding && used.meets(&asking.requirement))?;
    let sent = sent.clone();
    if approvals.spends {
        session.asked.take_sent(&sent.call_id);
    }
    Some(Came::Continues(sent, used))
}

fn consult(
    gate: &Gate,
    session: &GateSession,
    decided: &Decided<'_>,
    asking: &Asking,
    approvals: Approvals<'_>,
    now: Moment,
) -> Result<Came, HoldsError> {
    let caller = &session.caller;
    let scope = GrantScope {
        tenant: caller.tenant.clone(),
        agent: caller.agent.clone(),
        server: caller.server.clone(),
        tool: Arc::clone(&decided.tool),
    };
    let draft = || {
        let token = HoldToken::new((approvals.random)()?);
        Some(Hold {
            token,
            binding: asking.binding,
            caller: caller.clone(),
            requester: session.requester.clone(),
            tool: Arc::clone(&decided.tool),
            arguments: decided.call.arguments.raw().into(),
            modified: decided.modified,
            also_sent: to_show(&decided.call.also_sent),
            enforcement_trace: decided.call.enforcement_trace.clone(),
            call_id: Arc::clone(&decided.call_id),
            trace_id: Arc::clone(&decided.trace_id),
            arguments_digest: Arc::clone(&decided.arguments_digest),
            why: why(decided, asking),
            requirement: asking.requirement.clone(),
            created_at: now.wall,
            ends_at: later(now.wall, asking.requirement.ttl_seconds),
            state: HoldState::Pending,
            votes: Vec::new(),
            spent_by: None,
            shown: Vec::new(),
        })
    };
    // Leave was given for a kind of call, before anybody knew what this one carries, that the tool would be another one, or
    // that the enforcer would be silent.
    let unforeseen = |stage| matches!(stage, Stage::Integrity | Stage::Inspection | Stage::Remote);
    let suspicious = decided.findings.iter().any(|found| unforeseen(found.stage) && found.approval > Approval::Auto);
    let covers = |grant: &Grant| {
        !suspicious
            && ArgumentPatterns::compile(&grant.patterns).is_ok_and(|patterns| patterns.matches(decided.call.arguments))
    };
    let question = Question {
        binding: &asking.binding,
        scope: &scope,
        covers: &covers,
        requirement: &asking.requirement,
        requester: &session.requester,
        spender: approvals.spends.then_some(&*decided.call_id),
        draft: &draft,
    };
    Ok(match gate.desk.holds.consult(&question, now.wall)? {
        Consulted::Granted(grant) => Came::Granted(grant),
        Consulted::Spent(hold) => Came::Spent(hold),
        Consulted::Approved(hold) => Came::Approved(hold),
        Consulted::Pending(hold) => Came::Held(hold),
        Consulted::Created(hold, ended) => Came::HeldAnew(hold, ended),
        Consulted::Denied(hold) => Came::Denied(hold),
    })
}

/// What it means for the call: nothing new if it stays held.
fn conclude(came: Result<Came, HoldsError>) -> (Came, Option<(Approval, ReasonCode, String)>) {
    let came = match came {
        Ok(came) => came,
        // What needs a person is refused where none can be asked.
        Err(error) => {
            let detail =
                format!("a person would have to approve this, and none can be asked: {error}; {}", cure(&error));
            return (Came::Nothing, Some((Approval::Block, ReasonCode::ApprovalUnavailable, detail)));
        }
    };
    let verdict = match &came {
        Came::Nothing | Came::Held(_) | Came::HeldAnew(..) => None,
        Came::Approved(hold) | Came::Spent(hold) => {
            let detail = format!("approved by {}", names(&hold.votes));
            Some((Approval::Auto, ReasonCode::Approved, detail))
        }
        Came::Continues(sent, used) => {
            let detail = format!("continues `{}`, which was approved by {}", sent.call_id, names(&used.votes));
            Some((Approval::Auto, ReasonCode::Approved, detail))
        }
        Came::Granted(grant) => {
            let detail =
                format!("covered by {} until {:.0}, given by {}", grant.id, grant.ends_at, names(&grant.given));
            Some((Approval::Auto, ReasonCode::Granted, detail))
        }
        Came::Denied(hold) => {
            let detail = format!(
                "a person has denied this very call; that stands until {:.0}, and until then nobody is asked again",
                hold.ends_at
            );
            Some((Approval::Block, ReasonCode::ApprovalDenied, detail))
        }
    };
    (came, verdict)
}

fn names(votes: &[Vote]) -> String {
    let names: Vec<_> = votes.iter().filter(|vote| vote.approves).map(|vote| &*vote.approver.account).collect();
    names.join(" and ")
}

/// What to do about it.
const fn cure(error: &HoldsError) -> &'static str {
    match error {
        HoldsError::Full(_) => "answer some of those that wait, or let them end, and make the call again",
        HoldsError::Evidence(_) => "make the ledger writable, and make the call again",
        _ => "make the file in which they are kept readable and writable, and make the call again",
    }
}

/// What else was sent, if it is no more than anybody would read. The approval is bound to all of it.
fn to_show(also_sent: &[u8]) -> Arc<str> {
    match std::str::from_utf8(also_sent) {
        Ok(text) if text.len() <= MOST_ALSO_SENT => text.into(),
        _ => format!(r#"{{"too long to show":"{} bytes"}}"#, also_sent.len()).into(),
    }
}

fn why(decided: &Decided<'_>, asking: &Asking) -> Why {
    let deciding = decided.decisive();
    Why {
        reason: deciding.map(|finding| finding.detail.to_string()).unwrap_or_default(),
        reason_code: deciding.map_or(ReasonCode::RuleApprove, |finding| finding.code),
        rule: deciding.and_then(|finding| finding.rule.clone()),
        place: deciding.and_then(|finding| finding.place.clone()),
        risk: decided.risk,
        policy_digest: Arc::clone(&asking.policy_digest),
    }
}

/// A finding of this stage about what the deciding one demands.
fn finding(decided: &Decided<'_>, approval: Approval, code: ReasonCode, detail: String) -> Finding {
    let deciding = decided.decisive();
    Finding {
        stage: Stage::Approval,
        approval,
        code,
        risk: decided.risk,
        rule: deciding.and_then(|finding| finding.rule.clone()),
        place: deciding.and_then(|finding| finding.place.clone()),
        detail: Cow::Owned(detail),
        hard: true,
        retry_after_seconds: None,
    }
}
