//! Runs the stages over one call and draws the conclusion.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use thoth_audit::Content;
use thoth_policy::{Policy, Progressive, Query};
use thoth_types::{
    Approval, Binding, Caller, Decision, Finding, HoldToken, Mode, ReasonCode, RemoteVerdict, Requirement, RiskLevel,
    Stage, ToolCall,
};

use crate::awaiting::Awaited;
use crate::directive::Directed;
use crate::facts::{Facts, Moment};
use crate::gate::{Gate, Standing};
use crate::permit::Ticket;
use crate::progress::Progress;
use crate::session::{GateSession, Past};
use crate::stage;
use crate::stage::approval::{Approvals, Asking, Came, binding};
use crate::stage::inspection::Edited;
use crate::stage::mode::{Ruling, is_violation};
use crate::stage::shadow::Shadow;
use crate::verdict::{Grounds, Refused};

/// A decided call: the ruling, and everything that its records need.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) call: &'a ToolCall<'a>,
    pub(crate) ruling: Ruling,
    pub(crate) findings: Vec<Finding>,
    pub(crate) matched: Vec<Arc<str>>,
    /// The controls that the matching rules serve.
    pub(crate) controls: Vec<Arc<str>>,
    pub(crate) skipped: &'static [Stage],
    pub(crate) shadows: Vec<Shadow>,
    /// How conditions came out, where the record does not have the arguments as they came.
    pub(crate) conditions: Vec<(String, &'static str)>,
    pub(crate) risk: RiskLevel,
    pub(crate) tool: Arc<str>,
    pub(crate) call_id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) arguments_digest: Arc<str>,
    pub(crate) content: Content,
    /// What an approval is bound to, for a call that needs one or is a counted violation.
    pub(crate) binding: Option<Binding>,
    /// Which violation it is, if it is a counted one.
    pub(crate) violation: Option<u32>,
    /// Whether the call that would go out is not the one that came.
    pub(crate) modified: bool,
    /// If it needs a person: what came of it.
    pub(crate) asking: Option<Box<Asking>>,
    /// Whether the enforcer is still to be asked before it may go out.
    pub(crate) is_unasked: bool,
    /// The digest of the enforcer's own policy, where it was looked at.
    pub(crate) document: Option<Arc<str>>,
}

/// What the stages before the mode found.
#[derive(Debug)]
pub(crate) struct Judged {
    findings: Vec<Finding>,
    matched: Vec<Arc<str>>,
    controls: Vec<Arc<str>>,
    skipped: &'static [Stage],
    shadows: Vec<Shadow>,
    conditions: Vec<(String, &'static str)>,
    /// The call as it would go out instead of the one that came.
    pub(crate) edited: Option<Box<Edited>>,
    /// The finding about that.
    edit: Option<usize>,
    /// The finding about a change that is only recorded.
    would_edit: Option<usize>,
    /// The digest of the call as it came, where it would go out otherwise.
    came_digest: Option<String>,
}

impl Judged {
    /// The changed call cannot be read after all.
    pub(crate) fn unreadable(mut self) -> Self {
        self.findings.push(stage::inspection::unreadable());
        self
    }
}

/// Runs the stages that find something out. `frame` is the call's own frame, if it may be changed.
pub(crate) fn judge(
    gate: &Gate,
    standing: &Standing,
    session: &mut GateSession,
    call: &ToolCall<'_>,
    frame: Option<&[u8]>,
    now: Moment,
) -> Judged {
    let mut judged = Judged {
        findings: Vec::with_capacity(2),
        matched: Vec::new(),
        controls: Vec::new(),
        skipped: &[],
        shadows: Vec::new(),
        conditions: Vec::new(),
        edited: None,
        edit: None,
        would_edit: None,
        came_digest: None,
    };
    // Once: rules, shadows and evidence of one call see the same labels, whatever comes in meanwhile.
    session.past.labels = session.labels.get();
    let findings = &mut judged.findings;
    if session.quarantine.holds() {
        findings.push(stage::preflight::quarantined());
    }
    stage::preflight::run(&session.preflight, &call.tool, session.caller.intent.as_deref(), findings);
    let policy = match standing {
        Standing::Invalid { reason } => {
            findings.push(no_policy(reason));
            return judged;
        }
        Standing::Valid(policy) => policy,
    };
    let query = question(&session.caller, &session.past, call, now);
    let facts = Facts { caller: &session.caller, scope: &session.scope, call, query, past: &session.past };
    stage::identity::run(policy, &facts, findings);
    stage::intent::run(policy, &facts, findings);
    stage::scope::run(policy, &facts, findings);
    stage::integrity::run(policy, &facts, findings);
    stage::rules::run(policy, &facts, &mut session.scratch, findings);
    let refused_for_good =
        |findings: &[Finding]| findings.iter().any(|finding| finding.hard && finding.approval == Approval::Block);
    if refused_for_good(findings) {
        // Nothing more can change the answer, and a call that is refused uses up no limit.
        judged.skipped = &[Stage::Inspection, Stage::Limits];
    } else {
        let inspector = gate.inspector(Some(policy), session.caller.server.as_str());
        let inspected = stage::inspection::run(policy, &inspector, &facts, frame, findings);
        if let Some(edited) = &inspected.edited {
            stage::rules::run_again(policy, &facts, &edited.arguments, &mut session.scratch, findings);
            judged.conditions = conditions(policy, &facts.query);
        }
        judged.edit = inspected.edited.as_ref().map(|edited| edited.finding);
        judged.edited = inspected.edited;
        if judged.edited.is_some() && session.awaiting.is_some() {
            judged.came_digest = Some(gate.call_digest(&call.tool, call.arguments));
        }
        judged.would_edit = inspected.would_edit;
        if refused_for_good(findings) {
            judged.skipped = &[Stage::Limits];
        } else {
            stage::limits::run(policy, &facts, findings);
        }
    }
    let scratch = &mut session.shadow_scratch;
    judged.shadows.extend(stage::shadow::by_rules(policy, &facts, scratch, findings));
    if let Some(other) = gate.shadow() {
        let inspector = gate.shadow_inspector(&other, session.caller.server.as_str());
        judged.shadows.extend(stage::shadow::by_policy(&other, &inspector, &facts, scratch, findings));
    }
    let rules = session.scratch.matched().iter().filter_map(|id| policy.rule(*id));
    for rule in rules {
        judged.matched.push(Arc::clone(&rule.name));
        judged.controls.extend(rule.controls.iter().map(Arc::clone));
    }
    judged.controls.sort_unstable();
    judged.controls.dedup();
    judged
}

/// The call as a question to a policy.
fn question<'q>(caller: &'q Caller, past: &'q Past, call: &'q ToolCall<'_>, now: Moment) -> Query<'q> {
    Query {
        tool: &call.tool,
        server: caller.server.as_str(),
        agent: caller.agent.as_ref().map(thoth_types::AgentId::as_str),
        user: caller.user.as_ref().map(thoth_types::UserId::as_str),
        intent: caller.intent.as_deref(),
        arguments: call.arguments,
        now: now.wall,
        history: past,
    }
}

/// How the conditions that concern the call come out, for a record without its arguments.
fn conditions(policy: &Policy, query: &Query<'_>) -> Vec<(String, &'static str)> {
    policy.condition_outcomes(query).into_iter().map(|(name, outcome)| (name, outcome.as_str())).collect()
}

/// Draws the conclusion about `call`, which is the one that would go out: where the stages changed it, the changed one.
pub(crate) fn conclude<'a>(
    gate: &Gate,
    (standing, directed): (&Standing, &Directed),
    session: &mut GateSession,
    call: &'a ToolCall<'a>,
    judged: Judged,
    approvals: Approvals<'_>,
    now: Moment,
) -> Decided<'a> {
    let Judged {
        mut findings,
        matched,
        controls,
        skipped,
        shadows,
        conditions: mut outcomes,
        edit,
        would_edit,
        came_digest,
        ..
    } = judged;
    let arguments_digest: Arc<str> = Arc::from(gate.call_digest(&call.tool, call.arguments));
    let came = came_digest.as_deref().unwrap_or(&arguments_digest);
    let document = stage::document::run(directed, session, call, now, &mut findings);
    let answer = call.remote.as_deref();
    let remote = stage::remote::run(session, answer, document.is_settled, came, &arguments_digest, &mut findings);
    let tool = session.past.intern(&call.tool);
    let policy = standing.policy();
    let progress = (session.caller.mode == Mode::Progressive && findings.iter().any(is_violation))
        .then(|| progress(gate, policy, session, (call, &findings), now));
    let mut ruling = stage::mode::run(session.caller.mode, progress.as_ref(), &findings);
    if let Some(progress) = &progress
        && let Some(deciding) = findings.get_mut(ruling.decisive)
        && !(deciding.hard && ruling.decision == Decision::Block)
    {
        deciding.detail = Cow::Owned(format!("{} ({})", deciding.detail, progress.note()));
    }
    if ruling.decision == Decision::Allow && ruling.would_be.is_none() {
        ruling.decisive = edit.or(would_edit).unwrap_or(ruling.decisive);
        ruling.would_be = would_edit.map(|_| Decision::Modify);
        ruling.decisive = remote.finding.unwrap_or(ruling.decisive);
    }
    ruling.decision = stage::document::word(findings.get(ruling.decisive), ruling.decision);
    let verdict = call.remote.as_ref().map(|remote| remote.verdict);
    if let Some(verdict) = verdict.filter(|_| remote.finding == Some(ruling.decisive)) {
        ruling.decision = stage::remote::word(verdict, ruling.decision);
    }
    let content = call.arguments.value().map_or_else(
        || Content::empty(gate.content_mode),
        |value| Content::capture(gate.content_mode, &gate.desk.key, value),
    );
    if let Some(policy) = policy.filter(|_| outcomes.is_empty() && !content.is_whole()) {
        outcomes = conditions(policy, &question(&session.caller, &session.past, call, now));
    }
    let (call_id, trace_id) = ids(session, remote.awaited.as_ref());
    let mut decided = Decided {
        call,
        ruling,
        modified: edit.is_some() || verdict == Some(RemoteVerdict::Modify),
        risk: findings.iter().map(|finding| finding.risk).max().unwrap_or(RiskLevel::Critical),
        findings,
        matched,
        controls,
        skipped,
        shadows,
        conditions: outcomes,
        call_id,
        trace_id,
        arguments_digest,
        content,
        tool,
        binding: progress.as_ref().map(|progress| progress.binding),
        violation: progress.map(|progress| progress.number),
        asking: None,
        is_unasked: false,
        document: document.digest,
    };
    let is_held_there = verdict == Some(RemoteVerdict::Hold) && remote.finding == Some(decided.ruling.decisive);
    if is_held_there && let (Some(awaiting), Some(awaited)) = (&mut session.awaiting, remote.awaited) {
        awaiting.put(Awaited { is_recorded: true, ..awaited });
    }
    if decided.ruling.decision == Decision::StepUp && !is_held_there {
        let approvals = if remote.is_unasked { approvals.only_looking() } else { approvals };
        let binding = decided.binding.unwrap_or_else(|| binding(policy, session, call, &decided.findings));
        decided.binding = Some(binding);
        if let Some(number) = decided.violation {
            session.asked.hold(binding, number);
        }
        let requirement =
            policy.map_or_else(Requirement::default, |policy| policy.requirement(session.scratch.matched()));
        let asking = Asking::new(binding, requirement, standing.digest(), decided.ruling, &decided.findings);
        decided.asking = Some(Box::new(asking));
        stage::approval::run(gate, session, &mut decided, approvals, now);
    }
    decided.is_unasked = remote.is_unasked && decided.ruling.decision == Decision::Allow;
    if decided.ruling.decision == Decision::Allow && !decided.is_unasked {
        session.past.remember(&decided.tool, session.caller.server.as_str(), now.wall);
    }
    decided
}

/// The call's ids: those that the enforcer was told, unless the ledger has a call under them, or else new ones.
fn ids(session: &mut GateSession, awaited: Option<&Awaited>) -> (Arc<str>, Arc<str>) {
    if let Some(awaited) = awaited.filter(|awaited| !awaited.is_recorded) {
        return (Arc::clone(&awaited.call_id), Arc::clone(&awaited.trace_id));
    }
    session.calls += 1;
    let call_id = Arc::from(format!("{}-{}", session.caller.session, session.calls));
    (call_id, trace_id(session.random, session.calls))
}

/// Which violation this is. The same call made again is none if it did not go out, or if it continues one that did.
fn progress(
    gate: &Gate,
    policy: Option<&Policy>,
    session: &mut GateSession,
    (call, findings): (&ToolCall<'_>, &[Finding]),
    now: Moment,
) -> Progress {
    let thresholds = policy.map_or_else(Progressive::default, Policy::progressive);
    let binding = binding(policy, session, call, findings);
    let continued = call.retry_of.as_deref().and_then(|id| session.asked.sent(id));
    let number = continued.filter(|sent| sent.binding == binding).and_then(|sent| sent.violation);
    match number.or_else(|| session.asked.number_of(&binding)) {
        Some(number) => Progress::known(thresholds, binding, number),
        None => {
            let holds = gate.desk.holds();
            Progress::count(thresholds, binding, &session.caller, &mut session.asked, holds, now.wall)
        }
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

    /// The word for what was decided: a call that goes out otherwise than it came is not just allowed.
    pub(crate) const fn word(&self) -> Decision {
        match self.ruling.decision {
            Decision::Allow if self.modified => Decision::Modify,
            decision => decision,
        }
    }

    /// What came of asking, if a person had to be.
    pub(crate) fn came(&self) -> Option<&Came> {
        self.asking.as_ref().map(|asking| &asking.came)
    }

    /// The approval that it goes out on, where it may go out once only.
    pub(crate) fn approval(&self) -> Option<&HoldToken> {
        match self.came()? {
            Came::Approved(hold) | Came::Spent(hold) => Some(&hold.token),
            Came::Continues(_, used) => Some(&used.token),
            _ => None,
        }
    }

    /// Turns an admitted call of a refused batch into a refusal.
    pub(crate) fn refuse_for_batch(&mut self) {
        self.refuse("another call of the same batch was refused, and a batch goes out whole or not at all");
    }

    /// Turns a call that the enforcer was not asked about into a refusal.
    pub(crate) fn refuse_unasked(&mut self) {
        self.is_unasked = false;
        self.ruling = Ruling { decision: Decision::Block, would_be: None, decisive: self.findings.len() };
        self.findings.push(stage::remote::unasked());
    }

    /// Turns a call that is made twice in its batch into a refusal, if it would use the same approval twice.
    pub(crate) fn refuse_for_repetition(&mut self) {
        self.refuse(
            "the batch makes this call more than once, and an approval lets it through once: make one call at a time",
        );
    }

    fn refuse(&mut self, reason: &'static str) {
        self.ruling = Ruling { decision: Decision::Block, would_be: None, decisive: self.findings.len() };
        self.findings.push(Finding {
            stage: Stage::Scope,
            approval: Approval::Block,
            code: ReasonCode::BatchRefused,
            risk: RiskLevel::Low,
            rule: None,
            place: None,
            detail: Cow::Borrowed(reason),
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

    /// Why it goes out.
    pub(crate) fn grounds(&self) -> Grounds {
        let decisive = self.decisive();
        Grounds {
            decision: self.word(),
            reason: decisive.map(|f| f.detail.to_string()).unwrap_or_default(),
            reason_code: decisive.map_or(ReasonCode::DefaultAuto, |f| f.code),
            rule: decisive.and_then(|f| f.rule.clone()),
            place: decisive.and_then(|f| f.place.clone()),
            risk_score: self.risk.score(),
            matched: self.matched.clone(),
            controls: self.controls.clone(),
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
            hold: self.asking.as_ref().and_then(|asking| asking.shown()).cloned().map(Box::new),
            // Waiting helps only where a limit alone stands in the way.
            retry_after_seconds: decisive.and_then(|f| f.retry_after_seconds),
            remote: decisive.filter(|f| f.stage == Stage::Remote).and_then(|_| self.call.remote.clone()),
            findings: self.findings.clone(),
            matched: self.matched.clone(),
            controls: self.controls.clone(),
        }
    }
}
