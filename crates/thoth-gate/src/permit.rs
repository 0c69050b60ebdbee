//! The only thing an upstream accepts.

use std::borrow::Cow;
use std::sync::Arc;

use thoth_types::Listed;

use crate::facts::Moment;

/// Leave to forward exactly these bytes, once.
///
/// INVARIANT (no permit, no forwarding): only the gate makes one. For a call that is [`crate::Round::commit`], after the
/// call was decided and its evidence written; for messages that are not calls, [`crate::Round::pass`] and
/// [`crate::Gate::speak`] say so by their names. [`Permit::spend`] takes it by value.
#[derive(Debug)]
#[must_use = "a permit that is not spent leaves an intent without an outcome in the ledger"]
pub struct Permit<'f> {
    frame: Cow<'f, [u8]>,
    tickets: Vec<Ticket>,
}

impl<'f> Permit<'f> {
    pub(crate) const fn mint(frame: Cow<'f, [u8]>, tickets: Vec<Ticket>) -> Self {
        Self { frame, tickets }
    }

    /// The tickets to settle when the outcomes are known: none for a message that is not a call, one for a call, one
    /// for each call of a batch, in order.
    #[must_use]
    pub fn tickets(&self) -> &[Ticket] {
        &self.tickets
    }

    /// Uses the permit up: the bytes to write.
    #[must_use]
    pub fn spend(self) -> Cow<'f, [u8]> {
        self.frame
    }
}

/// What ties a call's outcome to its intent record. Settled with [`crate::Outcomes::settle`].
#[derive(Debug, Clone)]
pub struct Ticket {
    pub(crate) call_id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) tool: Arc<str>,
    pub(crate) arguments_digest: Arc<str>,
    pub(crate) listed: Listed,
    pub(crate) admitted_at: Moment,
}

impl Ticket {
    /// The call's id, as in its `TOOL_CALL_PRE` record.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// What finds the call in the ledger, as its `traceId`.
    #[must_use]
    pub const fn trace_id(&self) -> &Arc<str> {
        &self.trace_id
    }

    /// The tool that was called.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The keyed digest of tool and arguments, by which a multi-round-trip retry is recognised.
    #[must_use]
    pub fn arguments_digest(&self) -> &str {
        &self.arguments_digest
    }
}
