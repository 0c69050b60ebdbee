//! The stage before the enforcer is asked: what its own policy says of the call, where this machine has it as a document.
//!
//! INVARIANT (failure tightens): it is asked exactly what the enforcer would ask it, about the call as it would go out. What
//! it surely refuses is refused at once. What it allows needs no question only where the enforcer could not have said
//! anything else; whatever it asks for, changes, or cannot know is for the enforcer.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_inspect::{Action, inspect_arguments};
use thoth_policy::{History, Query, RateScope, Scratch};
use thoth_types::json::{Limits, Tape};
use thoth_types::{
    AgentId, Approval, Arguments, Caller, Decision, ENFORCED_SERVER, Finding, HarmClasses, Mode, Stage, ToolCall,
    UserId,
};

use crate::directive::{Directed, Directive};
use crate::facts::{Facts, Moment};
use crate::session::{GateSession, Past};
use crate::stage;

/// What an enforcer looks at, at most: the name of a tool, arguments, what a session is for, and its scope in entries and
/// bytes. It is asked about anything beyond.
const MAX_TOOL: usize = 512;
const MAX_ARGUMENTS: usize = 512 * 1024;
const MAX_INTENT: usize = 512;
const MAX_SCOPE: (usize, usize) = (1024, 32 * 1024);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The digest of the policy that was looked at.
    pub(crate) digest: Option<Arc<str>>,
    /// Whether the enforcer need not be asked.
    pub(crate) is_settled: bool,
}

pub(crate) fn run(
    directed: &Directed,
    session: &mut GateSession,
    call: &ToolCall<'_>,
    now: Moment,
    findings: &mut Vec<Finding>,
) -> Said {
    let current = directed.directive.as_deref().filter(|directive| directive.holds_at(now.wall));
    let Some(directive) = current.filter(|_| session.awaiting.is_some()) else { return Said::default() };
    if findings.iter().any(|finding| finding.hard && finding.approval == Approval::Block) {
        return Said::default();
    }
    let digest = Some(directive.policy.digest_arc());
    let mut tape = Tape::new();
    let arguments = match call.arguments.value() {
        Some(_) => call.arguments,
        // The enforcer is told of an empty object then, and of nothing else.
        None => Arguments::new(tape.parse(b"{}", &Limits::default()).ok()),
    };
    let GateSession { caller, requester, scope, past, shadow_scratch, .. } = session;
    let query = Query {
        tool: &call.tool,
        server: ENFORCED_SERVER,
        agent: caller.agent.as_ref().map(AgentId::as_str),
        user: Some(caller.user.as_ref().map_or(&*requester.account, UserId::as_str)),
        intent: caller.intent.as_deref(),
        arguments,
        now: now.wall,
        history: &AsTheEnforcer(past),
    };
    let found = ask(directive, &Facts { caller, scope, call, query, past }, shadow_scratch);
    let surely =
        |finding: &Finding| finding.approval == Approval::Block && (finding.hard || caller.mode == Mode::Block);
    let before = findings.len();
    findings.extend(found.findings.iter().filter(|finding| surely(finding)).map(of_the_document));
    // The enforcer does not know what results have brought; whoever knows may be stricter.
    if findings.len() == before && past.labels != HarmClasses::NONE {
        let labelled = Labelled(AsTheEnforcer(past), past.labels);
        let verdict = directive.policy.rules(&Query { history: &labelled, ..query }, shadow_scratch);
        let finding = directive.policy.rules_finding(&verdict);
        findings.extend(Some(of_the_document(&finding)).filter(surely));
    }
    // In another mode than `block` it is for the enforcer to say what becomes of violations, and it counts them.
    let is_settled = findings.len() == before
        && directive.decides
        && directed.relied_on
        && caller.mode == Mode::Block
        && !found.is_changed
        && found.findings.iter().all(|finding| finding.approval == Approval::Auto)
        && is_looked_at(caller, call);
    if is_settled {
        findings.extend(found.findings.first().map(of_the_document));
    }
    Said { digest, is_settled }
}

/// The decision about a call whose deciding finding is this one: what only a limit of the enforcer's stands in the way of may
/// come back, as the enforcer itself would say.
pub(crate) fn word(deciding: Option<&Finding>, ruled: Decision) -> Decision {
    let is_limit = |finding: &Finding| finding.stage == Stage::Document && finding.retry_after_seconds.is_some();
    if ruled == Decision::Block && deciding.is_some_and(is_limit) { Decision::Defer } else { ruled }
}

/// What the enforcer's policy says.
struct Found {
    /// That of its rules is the first.
    findings: Vec<Finding>,
    /// Whether it would take something out of the arguments.
    is_changed: bool,
}

fn ask(directive: &Directive, facts: &Facts<'_>, scratch: &mut Scratch) -> Found {
    let (policy, inspector) = (&directive.policy, &directive.inspector);
    let mut findings = Vec::with_capacity(2);
    stage::rules::run(policy, facts, scratch, &mut findings);
    stage::identity::run(policy, facts, &mut findings);
    stage::intent::run(policy, facts, &mut findings);
    stage::scope::run(policy, facts, &mut findings);
    policy.blocked_patterns(&facts.query, &mut findings);
    let mut is_changed = false;
    if let Some(arguments) = facts.query.arguments.value() {
        let inspection = inspect_arguments(facts.query.tool, arguments, None, inspector.settings());
        is_changed = inspection.detections.iter().any(|found| found.action == Action::Redact);
        stage::inspection::report(inspector, &inspection, &mut findings);
    }
    stage::limits::run(policy, facts, &mut findings);
    Found { findings, is_changed }
}

/// Whether the enforcer would look at such a call at all.
fn is_looked_at(caller: &Caller, call: &ToolCall<'_>) -> bool {
    let (entries, bytes) = MAX_SCOPE;
    let scope = &caller.approved_scope;
    (1..=MAX_TOOL).contains(&call.tool.len())
        && call.arguments.raw().len() <= MAX_ARGUMENTS
        && call.arguments.value().is_none_or(|arguments| arguments.is_object())
        && caller.intent.as_ref().is_none_or(|intent| intent.len() <= MAX_INTENT)
        && scope.len() <= entries
        && scope.iter().map(String::len).sum::<usize>() <= bytes
}

fn of_the_document(finding: &Finding) -> Finding {
    Finding { stage: Stage::Document, ..finding.clone() }
}

/// The past of a session as the enforcer would have it if it were asked about each call: of one server, and without what was
/// found in results.
struct AsTheEnforcer<'p>(&'p Past);

impl History for AsTheEnforcer<'_> {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        self.0.called_before(&mut |tool, _| test(tool, ENFORCED_SERVER))
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: Timestamp) -> u64 {
        self.0.calls_since(scope, tool, since)
    }

    fn labels(&self) -> HarmClasses {
        HarmClasses::NONE
    }
}

/// The same with what was found in results.
struct Labelled<'p>(AsTheEnforcer<'p>, HarmClasses);

impl History for Labelled<'_> {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        self.0.called_before(test)
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: Timestamp) -> u64 {
        self.0.calls_since(scope, tool, since)
    }

    fn labels(&self) -> HarmClasses {
        self.1
    }
}
