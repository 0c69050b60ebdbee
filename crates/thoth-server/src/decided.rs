//! `…/decisions` and `…/violations`: what was decided, as the ledger says. It is found by the ledger's index; what is told of
//! one violation is read from the ledger itself.

use std::time::Duration;

use jiff::Timestamp;
use thoth_api::contract::decision::{Decision, Outcome, Query, Violation};
use thoth_api::contract::event::Order;
use thoth_api::contract::list::List;
use thoth_api::contract::read;
use thoth_api::contract::verdict::known_decision;
use thoth_audit::event::kept_trace;
use thoth_audit::merkle::leaf_hash;
use thoth_audit::view::prove;
use thoth_store::server::index::{Decision as Indexed, DecisionFilter, IndexPage, MAX_INDEX_PAGE, Record};
use thoth_types::Decision as Verdict;

use crate::access::Access;
use crate::fault::Fault;
use crate::query::limit;

/// How many are on a page where nothing is said.
const PAGE: u32 = 100;
/// How long a list waits for the index to have what the ledger has.
const PATIENCE: Duration = Duration::from_millis(200);

/// Has the index catch up. What cannot be read from the ledger keeps nobody from what is known already.
pub(crate) fn catch_up(access: &Access) {
    if let Err(fault) = access.tenant.indexing.catch_up(PATIENCE) {
        access.tenant.complain_of_index(&fault);
    }
}

pub(crate) fn cursor(text: Option<&str>) -> Result<Option<i64>, Fault> {
    let cursor = text.map(str::parse::<i64>).transpose();
    cursor.map_err(|_| Fault::bad("`cursor` is none that a list gave"))
}

pub(crate) fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Fault> {
    let at = text.map(str::parse::<Timestamp>).transpose();
    let at = at.map_err(|_| Fault::bad(format!("`{field}` is no instant like `2026-01-31T12:00:00Z`")))?;
    // What cannot be written down is as far away as one can look.
    let fits = |at: &Timestamp| i64::try_from(at.as_nanosecond()).is_ok();
    match at {
        Some(at) if !fits(&at) => Err(Fault::bad(format!("`{field}` is too far away"))),
        at => Ok(at),
    }
}

/// The one decision that is asked for, and whether all that let a call run are.
fn wanted(query: &Query) -> Result<(Option<&'static str>, bool), Fault> {
    let decision = query.decision.as_deref().map(|word| {
        known_decision(word).ok_or_else(|| Fault::bad("`decision` wants one of ALLOW, BLOCK, STEP_UP, MODIFY, DEFER"))
    });
    let decision = decision.transpose()?;
    let by_outcome = match query.outcome {
        None => return Ok((decision.map(Verdict::as_str), false)),
        Some(outcome) if decision.is_some_and(|decision| Outcome::of(decision) != outcome) => {
            return Err(Fault::bad("`decision` and `outcome` exclude each other"));
        }
        Some(Outcome::Allowed) => None,
        Some(Outcome::NeedsApproval) => Some(Verdict::StepUp),
        Some(Outcome::Blocked) => Some(Verdict::Block),
        Some(Outcome::Deferred) => Some(Verdict::Defer),
    };
    Ok((decision.or(by_outcome).map(Verdict::as_str), query.outcome == Some(Outcome::Allowed)))
}

/// A page of decisions, or of violations only. Blocks on the disk.
pub(crate) fn list(access: &Access, query: &Query, violations: bool) -> Result<List<Decision>, Fault> {
    let (decision, ran) = wanted(query)?;
    let filter = DecisionFilter {
        session: query.session_id.as_deref(),
        agent: query.agent_id.as_deref(),
        tool: query.tool_name.as_deref(),
        decision,
        ran,
        reason_code: query.reason_code.as_deref(),
        rule: query.rule.as_deref(),
        user: query.user_id.as_deref(),
        enforcement_trace: query.enforcement_trace_id.as_deref().map(kept_trace),
        violations,
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
    };
    let oldest_first = query.order == Some(Order::Oldest);
    let beyond = cursor(query.cursor.as_deref())?;
    let page = IndexPage { beyond, oldest_first, limit: limit(query.limit, PAGE, MAX_INDEX_PAGE)? };
    catch_up(access);
    let found = access.tenant.indexing.index.decisions(&filter, &page).map_err(Fault::unavailable)?;
    // Newer ones may always come after the last one seen. An empty page has none, so that whoever only pages ends.
    let last = found.found.last().filter(|_| oldest_first).map(|decision| decision.position);
    Ok(List {
        data: found.found.into_iter().map(row).collect(),
        total: None,
        next_cursor: found.next.or(last).map(|cursor| cursor.to_string()),
    })
}

/// A decision in the words of the contract.
fn row(indexed: Indexed) -> Decision {
    let decision = known_decision(&indexed.decision);
    let violation_id = indexed.is_violation().then(|| format!("vio_{}", indexed.trace));
    Decision {
        index: u64::try_from(indexed.position).unwrap_or_default(),
        occurred_at: indexed.at.to_string(),
        agent_id: indexed.agent,
        user_id: indexed.user,
        session_id: indexed.session,
        endpoint_id: indexed.endpoint,
        tool_name: indexed.tool,
        decision,
        outcome: decision.map(Outcome::of),
        decision_reason_code: indexed.reason_code,
        reason: Some(indexed.reason).filter(|reason| !reason.is_empty()),
        rule: indexed.rule,
        risk_score: indexed.risk_score,
        enforcement_mode: indexed.mode,
        policy_digest: indexed.policy_digest,
        decision_id: Some(indexed.call).filter(|call| !call.is_empty()),
        violation_id,
        enforcement_trace_id: indexed.enforcement_trace,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| format!("{text}{byte:02x}"))
}

/// One violation with its record. Blocks on the disk.
pub(crate) fn show(access: &Access, id: &str) -> Result<Violation, Fault> {
    let unknown = || Fault::not_found("there is no such violation");
    let trace = id.strip_prefix("vio_").ok_or_else(unknown)?;
    catch_up(access);
    let indexing = &access.tenant.indexing;
    let found = indexing.index.violation(trace).map_err(Fault::unavailable)?.ok_or_else(unknown)?;
    let index = u64::try_from(found.position).map_err(Fault::broken)?;
    let proven = indexing.look(|snapshot| prove(snapshot, &[index]))?;
    let leaf = proven.into_iter().next().map(|proven| proven.leaf).ok_or_else(unknown)?;
    // What the index says is no evidence: it must not be shown beside a record of something else.
    let recorded = Record::of(found.position, &leaf).decision;
    if recorded.is_none_or(|recorded| (recorded.trace, recorded.call) != (found.trace.clone(), found.call.clone())) {
        return Err(Fault::broken(format!(
            "tenant {}: the index of the ledger has the violation {id} at record {index}, which is not of it; delete \
             `index.db`, or the rows of the tenant, and it is made anew",
            access.tenant.id
        )));
    }
    let event = read(&leaf).map_err(Fault::broken)?;
    Ok(Violation { violation: row(found), event, leaf_hash: hex(&leaf_hash(&leaf)) })
}
