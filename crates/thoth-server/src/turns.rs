//! Turns in a session that other servers decide in, too: each first takes in what was allowed there, and keeps what it allows
//! before the answer goes out.

use thoth_gate::{GateSession, Moment};
use thoth_store::server::{PastCall, SessionTurn};

use crate::clock;
use crate::sessions::SessionKey;
use crate::tenant::Tenant;

/// A turn, if the session is shared at all.
pub(crate) struct Turn<'t> {
    shared: Option<Box<dyn SessionTurn + 't>>,
    /// How many calls were allowed when it began.
    allowed: u64,
}

impl<'t> Turn<'t> {
    /// Waits for it, and takes in what the session missed.
    pub(crate) fn begin(tenant: &'t Tenant, key: &SessionKey, session: &mut GateSession) -> Result<Self, String> {
        let Some(pasts) = &tenant.pasts else { return Ok(Self { shared: None, allowed: 0 }) };
        let mut turn = pasts.begin(&key.digest(), session.place()).map_err(|error| error.to_string())?;
        for call in turn.take_missed() {
            session.recall(&call.tool, call.at, call.went_out);
        }
        session.set_place(turn.place());
        Ok(Self { shared: Some(turn), allowed: session.allowed() })
    }

    /// Whether other servers hear of it.
    pub(crate) const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Now; where another server's clock is ahead, then no earlier than what it allowed last.
    pub(crate) fn now(&self, session: &GateSession) -> Moment {
        let now = clock::now();
        match session.latest() {
            Some(latest) if self.shared.is_some() => Moment { wall: now.wall.max(latest), ..now },
            _ => now,
        }
    }

    /// Keeps what was allowed in it, which `went_out` or not. If it cannot be kept, nothing of it may go out.
    pub(crate) fn end(self, session: &mut GateSession, went_out: bool) -> Result<(), String> {
        let Some(turn) = self.shared else { return Ok(()) };
        let allowed = session.allowed_beyond(self.allowed);
        let call = |(tool, at): &(std::sync::Arc<str>, _)| PastCall { tool: tool.to_string(), at: *at, went_out };
        let allowed: Vec<_> = allowed.iter().map(call).collect();
        let place = turn.end(&allowed).map_err(|error| error.to_string())?;
        session.set_place(place);
        Ok(())
    }
}
