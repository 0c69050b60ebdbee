//! One call through the tenant's gate. It blocks on the disk: it runs on threads that may.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard};

use thoth_gate::{Answer, GateSession, Grounds, Preflight, Refused, Round};
use thoth_policy::ScopeList;
use thoth_store::server::Records;
use thoth_store::server::endpoints::EndpointStanding;
use thoth_telemetry::traces::{Below, Span, Step};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Caller, Decision, Listed, Mode, ReasonCode, Requester, RiskLevel, ToolCall};

use crate::access::Access;
use crate::holding::{Holding, Whose};
use crate::random;
use crate::sessions::SessionKey;
use crate::tenant::Tenant;
use crate::turns::Turn;

/// A call as the gate gets it.
#[derive(Debug)]
pub(crate) struct Wanted<'w> {
    pub(crate) caller: Caller,
    pub(crate) requester: Requester,
    pub(crate) tool: &'w str,
    /// The exact bytes of the arguments; nothing where there are none.
    pub(crate) arguments: Option<&'w [u8]>,
    /// An object in its canonical form, or empty.
    pub(crate) also_sent: &'w [u8],
    /// What whoever asks calls the decision.
    pub(crate) enforcement_trace: Option<Arc<str>>,
    /// The held call that it is made for.
    pub(crate) retry_of: Option<String>,
    /// The fleet that the request names.
    pub(crate) fleet: Option<String>,
}

/// What the gate says.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may run.
    Admitted(Box<Admitted>),
    /// It may not.
    Refused(Box<Refused>),
}

/// An admitted call. Its record is in the ledger.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) grounds: Grounds,
    pub(crate) call_id: String,
    /// What finds it in the ledger.
    pub(crate) trace_id: Arc<str>,
    /// The arguments as they may be used.
    pub(crate) arguments: Vec<u8>,
}

/// Why the gate was not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unasked {
    /// The request is not one that can be decided.
    #[error("{0}")]
    Bad(String),
    /// Something here does not work.
    #[error("{0}")]
    Failed(&'static str),
    /// The same, where it is known why; for whoever runs the server.
    #[error("{0}")]
    Unavailable(String),
}

/// Decides a call. `still` is asked once nobody else decides in this session any more, and may call it off.
pub(crate) fn decide<E: From<Unasked>>(
    access: &Access,
    wanted: Wanted<'_>,
    still: impl Fn() -> Result<(), E>,
) -> Result<Verdict, E> {
    let mut span = access.spans.begin(Step::Decide);
    let verdict = decide_below(access, &span.below(), wanted, still);
    tell(&mut span, verdict.as_ref().ok());
    verdict
}

/// Says what was decided and why, without anything of the call.
fn tell(span: &mut Span, verdict: Option<&Verdict>) {
    match verdict {
        Some(Verdict::Admitted(admitted)) => {
            let Admitted { grounds, trace_id, .. } = &**admitted;
            span.decided(grounds.decision, grounds.reason_code);
            span.grounds(grounds.rule.as_ref(), trace_id);
        }
        Some(Verdict::Refused(refused)) => {
            span.decided(refused.decision, refused.reason_code);
            span.grounds(refused.rule.as_ref(), &refused.trace_id);
        }
        None => span.failed("undecided"),
    }
}

fn decide_below<E: From<Unasked>>(
    access: &Access,
    spans: &Below,
    wanted: Wanted<'_>,
    still: impl Fn() -> Result<(), E>,
) -> Result<Verdict, E> {
    let Wanted { mut caller, requester, tool, arguments, also_sent, enforcement_trace, retry_of, fleet } = wanted;
    let tenant = &*access.tenant;
    tenant.look(&caller);
    caller.mode = tenant.in_force.mode().map_or(caller.mode, |set| strictest(caller.mode, set));
    let key = SessionKey::of(&caller, &requester);
    let own = tenant.sessions.get(key.clone(), || begin(caller.clone(), requester.clone()))?;
    let apart;
    let waiting = spans.begin(Step::Session);
    let mut session = locked(&own)?;
    let mut turn = begin_turn(tenant, &key, &mut session)?;
    drop(waiting);
    let looking = spans.begin(Step::LookUp);
    still()?;
    let looked = standing(&*access.app.store, &caller)?;
    let mut holding = holding_of(access, &caller, looked.as_ref(), fleet.clone())?;
    let mode = set_mode(access, &caller, &holding)?;
    let is_quarantined = looked.is_some_and(|standing| standing.quarantined);
    if is_quarantined || mode != caller.mode {
        // Not both at once: two requests could wait for each other.
        drop(turn);
        drop(session);
        caller.mode = mode;
        let key = SessionKey::of(&caller, &requester);
        let key = if is_quarantined { key.quarantined() } else { key };
        let preflight = if is_quarantined {
            Preflight::default().refuse_all(ReasonCode::EndpointQuarantined, QUARANTINED.to_owned())
        } else {
            Preflight::default()
        };
        let new = || begin(caller.clone(), requester).map(|new| new.under(preflight));
        apart = tenant.sessions.get(key.clone(), new)?;
        session = locked(&apart)?;
        turn = begin_turn(tenant, &key, &mut session)?;
        // Others may have decided in this session meanwhile, too.
        still()?;
        let looked = standing(&*access.app.store, &caller)?;
        let sequence = holding.sequence;
        holding = holding_of(access, &caller, looked.as_ref(), fleet)?;
        let is_same = holding.sequence == sequence && set_mode(access, &caller, &holding)? == mode;
        if !is_same || looked.is_some_and(|standing| standing.quarantined) != is_quarantined {
            return Err(Unasked::Unavailable("what holds for the call was changed meanwhile".to_owned()).into());
        }
    }
    drop(looking);
    let evaluating = spans.begin(Step::Evaluate);
    let mut tape = Tape::new();
    let parsed = arguments
        .map(|bytes| tape.parse(bytes, &Limits { max_bytes: bytes.len(), ..Limits::default() }))
        .transpose()
        // The place and what stands there are the caller's; the kind of mistake is one of a fixed list.
        .map_err(|error| Unasked::Bad(format!("`tool_args` cannot be read: {}", error.code)))?;
    if parsed.is_some_and(|value| !value.is_object() && !value.is_null()) {
        return Err(Unasked::Bad("`tool_args` is no object".to_owned()).into());
    }
    let call = ToolCall {
        tool: Cow::Borrowed(tool),
        arguments: Arguments::new(parsed),
        listed: Listed::Unknown,
        integrity: None,
        retry_of,
        task: false,
        remote: None,
        also_sent: also_sent.into(),
        enforcement_trace,
    };
    let frame = arguments.filter(|_| call.arguments.value().is_some()).unwrap_or(b"{}");
    let now = turn.now(&session);
    let mut round = holding.gate(tenant).round(&mut session);
    let answer = round.admit(&call, Cow::Borrowed(frame), &random::sixteen, now);
    drop(evaluating);
    let recording = spans.begin(Step::Record);
    let verdict = conclude(access, round, answer, tool);
    drop(recording);
    let is_admitted = matches!(verdict, Verdict::Admitted(_));
    let sharing = turn.is_shared().then(|| spans.begin(Step::Share));
    let ended = turn.end(&mut session, is_admitted);
    drop(sharing);
    match (ended, verdict) {
        (Err(error), Verdict::Admitted(_)) => {
            tenant.complaints.say(format_args!("a call was blocked: {error}"));
            access.app.metrics.unrecorded();
            Ok(Verdict::Refused(Box::new(unrecorded(tool, Answer::Admitted))))
        }
        // A refusal allows nothing that would have to be kept.
        (_, verdict) => Ok(verdict),
    }
}

/// What a call of a machine in quarantine is told. Why is for those who administer it.
const QUARANTINED: &str = "the machine is in quarantine: an administrator has all of its calls refused";

fn begin_turn<'t>(tenant: &'t Tenant, key: &SessionKey, session: &mut GateSession) -> Result<Turn<'t>, Unasked> {
    Turn::begin(tenant, key, session).map_err(|error| {
        tenant.complaints.say(format_args!("a call was blocked: {error}"));
        Unasked::Failed("what was called in the session before cannot be read")
    })
}

/// A panic while it was used may have left a session half-changed: it decides nothing any more.
fn locked(session: &Mutex<GateSession>) -> Result<MutexGuard<'_, GateSession>, Unasked> {
    session.lock().map_err(|_| Unasked::Failed("the session broke; begin another one"))
}

/// Looked up before each call, so that a quarantine holds from the next one on, whoever began it.
fn standing(store: &dyn Records, caller: &Caller) -> Result<Option<EndpointStanding>, Unasked> {
    let (Some(tenant), Some(endpoint)) = (&caller.tenant, &caller.endpoint) else { return Ok(None) };
    let standing = store.endpoint_standing(tenant.as_str(), endpoint.as_str());
    standing.map_err(|error| Unasked::Unavailable(error.to_string()))
}

/// The policy that holds for the call. A fleet that is told adds to the one that the machine registered with.
fn holding_of(
    access: &Access,
    caller: &Caller,
    standing: Option<&EndpointStanding>,
    fleet: Option<String>,
) -> Result<Holding, Unasked> {
    let registered = standing.and_then(|standing| standing.fleet.clone());
    let whose = Whose {
        agent: caller.agent.as_ref().map(ToString::to_string),
        endpoint: caller.endpoint.as_ref().map(ToString::to_string),
        fleets: fleet.into_iter().chain(registered).collect(),
    };
    let holding = access.tenant.holdings.of(&access.tenant, &*access.app.store, &whose);
    holding.map_err(|error| Unasked::Unavailable(error.to_string()))
}

/// The mode that holds for the call. It was taken from what was known last; somebody may have set a stricter one since.
fn set_mode(access: &Access, caller: &Caller, holding: &Holding) -> Result<Mode, Unasked> {
    let set = access.tenant.in_force.at(&access.tenant, &*access.app.store, holding.sequence);
    let set = set.map_err(|error| Unasked::Unavailable(error.to_string()))?;
    Ok(set.map_or(caller.mode, |set| strictest(caller.mode, set)))
}

/// Writes the evidence; without it nothing is admitted, and nobody is told of a hold that they could not answer.
fn conclude(access: &Access, round: Round<'_, '_>, answer: Answer, tool: &str) -> Verdict {
    let mut committed = round.commit();
    if let Some(error) = &committed.error {
        access.tenant.complaints.say(format_args!("a call was blocked: {error}"));
        access.app.metrics.unrecorded();
        let refused = committed.withheld.pop().unwrap_or_else(|| unrecorded(tool, answer));
        return Verdict::Refused(Box::new(refused));
    }
    match (answer, committed.permits.pop(), committed.grounds.pop()) {
        (Answer::Refused(refused), ..) => Verdict::Refused(refused),
        (Answer::Admitted, Some(permit), Some(grounds)) => {
            let (call_id, trace_id) = match permit.tickets().first() {
                Some(ticket) => (ticket.call_id().to_owned(), Arc::clone(ticket.trace_id())),
                None => (String::new(), Arc::from("")),
            };
            let arguments = permit.spend().into_owned();
            Verdict::Admitted(Box::new(Admitted { grounds, call_id, trace_id, arguments }))
        }
        (answer @ (Answer::Admitted | Answer::Unasked(_)), ..) => Verdict::Refused(Box::new(unrecorded(tool, answer))),
    }
}

fn unrecorded(tool: &str, answer: Answer) -> Refused {
    let (trace_id, call_id) = match answer {
        Answer::Refused(refused) => (refused.trace_id, refused.call_id),
        Answer::Admitted | Answer::Unasked(_) => (Arc::from(""), Arc::from("")),
    };
    Refused {
        decision: Decision::Block,
        tool: Arc::from(tool),
        reason: "the call could not be recorded in the ledger, and unrecorded calls do not go out".to_owned(),
        reason_code: ReasonCode::EvidenceUnavailable,
        rule: None,
        place: None,
        risk_score: RiskLevel::Critical.score(),
        trace_id,
        call_id,
        hold: None,
        retry_after_seconds: None,
        remote: None,
        findings: Vec::new(),
        matched: Vec::new(),
        controls: Vec::new(),
    }
}

fn begin(caller: Caller, requester: Requester) -> Result<GateSession, Unasked> {
    let scope = ScopeList::new(&caller.approved_scope)
        .map_err(|_| Unasked::Bad("`approved_scope` has an entry that is no glob".to_owned()))?;
    let random = random::eight().ok_or(Unasked::Failed("the system has no randomness"))?;
    // A session of this name may have been here before, or may be at another server now: far apart, so that no two calls
    // have one number.
    let last = random::eight().map(u64::from_be_bytes).ok_or(Unasked::Failed("the system has no randomness"))? >> 2;
    Ok(GateSession::new(caller, scope, random).requested_by(requester).numbered_after(last).telling())
}

/// The mode that satisfies both: what the caller asks for may only tighten what the server demands. Neither of `step_up`
/// and `progressive` is stricter than the other in every case, so that together they are `block`.
pub(crate) const fn strictest(floor: Mode, asked: Mode) -> Mode {
    use Mode::{Block, Observe, Progressive, StepUp};
    match (floor, asked) {
        (Observe, other) | (other, Observe) => other,
        (StepUp, StepUp) => StepUp,
        (Progressive, Progressive) => Progressive,
        _ => Block,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends invariant 6: whoever calls cannot loosen the mode.
    #[test]
    fn modes_only_tighten() {
        use Mode::{Block, Observe, Progressive, StepUp};
        let cases = [
            (Observe, Observe, Observe),
            (Observe, StepUp, StepUp),
            (StepUp, Observe, StepUp),
            (StepUp, Progressive, Block),
            (Progressive, StepUp, Block),
            (Progressive, Progressive, Progressive),
            (Block, Observe, Block),
            (Observe, Block, Block),
        ];
        for (floor, asked, expected) in cases {
            assert_eq!(strictest(floor, asked), expected, "{floor} {asked}");
        }
    }
}
