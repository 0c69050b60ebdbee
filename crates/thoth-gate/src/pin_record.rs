//! What becomes of pins, as the ledger's events.

use jiff::Timestamp;
use thoth_audit::{Event, EventType, Leaves, PinFields};
use thoth_types::Caller;

use crate::pin::{Approval, Happened, Pin, Step};

const fn kind(happened: Happened) -> EventType {
    match happened {
        Happened::Pinned => EventType::ToolPinned,
        Happened::Met => EventType::ToolPending,
        Happened::Changed => EventType::ToolChanged,
        Happened::Restored => EventType::ToolRestored,
        Happened::Approved => EventType::PinApproved,
        Happened::Revoked => EventType::PinRevoked,
        Happened::Imported => EventType::PinImported,
    }
}

/// One step. `by` did it, if a person did.
pub(crate) fn step(
    leaves: &mut Leaves,
    session: &Caller,
    event_id: &str,
    step: &Step,
    by: Option<&Approval>,
    now: Timestamp,
) {
    let pin: &Pin = &step.pin;
    let approved = pin.approved.as_ref().map(|(version, _)| &version.fingerprint);
    let latest = pin.latest().map(|version| &version.fingerprint);
    let changed = match (approved, latest) {
        (Some(approved), Some(latest)) => approved.changed_fields(latest),
        _ => Vec::new(),
    };
    let digests = (latest.map(|one| one.digest.to_string()), approved.map(|one| one.digest.to_string()));
    // A pin belongs to a server, whoever looks at it.
    let session = Caller { server: pin.key.server.clone(), ..session.clone() };
    leaves.push(&Event {
        event_type: kind(step.happened),
        event_id,
        occurred_at: now,
        session: &session,
        call: None,
        decision: None,
        outcome: None,
        hold: None,
        pin: Some(PinFields {
            kind: pin.key.kind.as_str(),
            item: &pin.key.name,
            state: pin.state().as_str(),
            digest: digests.0.as_deref(),
            approved_digest: digests.1.as_deref(),
            changed: &changed,
            approver: by.and_then(|by| by.by.as_deref()),
            channel: by.and_then(|by| by.channel).map(|channel| channel.as_str()),
            origin: by.map(|by| &*by.origin),
        }),
        refusal: None,
        detail: None,
    });
}
