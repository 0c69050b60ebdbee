//! Stage 12, the intent record: a call whose evidence could not be written does not go out.

use std::borrow::Cow;

use thoth_types::{Decision, ReasonCode, RiskLevel};

use crate::evidence::EvidenceError;
use crate::permit::{Permit, Ticket};
use crate::round::Committed;
use crate::verdict::Refused;

/// Mints the permits of a round, if its evidence was written. Messages that are not calls need none and pass.
pub(crate) fn run(written: Result<(), EvidenceError>, passing: Vec<(Cow<'_, [u8]>, Vec<Ticket>)>) -> Committed<'_> {
    match written {
        Ok(()) => Committed {
            permits: passing.into_iter().map(|(frame, tickets)| Permit::mint(frame, tickets)).collect(),
            withheld: Vec::new(),
            grounds: Vec::new(),
            error: None,
        },
        Err(error) => {
            let (others, calls): (Vec<_>, Vec<_>) = passing.into_iter().partition(|(_, tickets)| tickets.is_empty());
            Committed {
                permits: others.into_iter().map(|(frame, none)| Permit::mint(frame, none)).collect(),
                withheld: calls.into_iter().flat_map(|(_, tickets)| tickets).map(withhold).collect(),
                grounds: Vec::new(),
                error: Some(error),
            }
        }
    }
}

fn withhold(ticket: Ticket) -> Refused {
    Refused {
        decision: Decision::Block,
        tool: ticket.tool,
        reason: "the call could not be recorded in the ledger, and unrecorded calls do not go out".to_owned(),
        reason_code: ReasonCode::EvidenceUnavailable,
        rule: None,
        place: None,
        risk_score: RiskLevel::Critical.score(),
        trace_id: ticket.trace_id,
        call_id: ticket.call_id,
        hold: None,
        retry_after_seconds: None,
        remote: None,
        findings: Vec::new(),
        matched: Vec::new(),
        controls: Vec::new(),
    }
}
