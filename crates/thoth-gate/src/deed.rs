//! What a round did to holds and to its session's memory: it stands if the round's evidence is written, and else is undone.

use std::sync::Arc;

use thoth_types::HoldToken;

use crate::asked::Sent;
use crate::decide::Decided;
use crate::gate::Gate;
use crate::session::GateSession;
use crate::stage::approval::Came;

#[derive(Debug)]
pub(crate) enum Deed {
    /// A call was held under a new hold.
    Held(HoldToken),
    /// An approval was used up for this call.
    Spent(HoldToken, Arc<str>),
    /// This call was taken for the one that continues it.
    Continued(Sent),
    /// This call goes out and may be continued.
    Sent(Sent),
}

impl Deed {
    /// What an admitted call took.
    pub(crate) fn of(decided: &Decided<'_>) -> Option<Self> {
        match &decided.asking.as_ref()?.came {
            Came::Spent(hold) => Some(Self::Spent(hold.token.clone(), Arc::clone(&decided.call_id))),
            Came::Continues(sent, _) => Some(Self::Continued(sent.clone())),
            _ => None,
        }
    }

    /// It was recorded.
    pub(crate) fn stand(self, session: &mut GateSession) {
        if let Self::Sent(sent) = self {
            session.asked.send(sent);
        }
    }

    /// It could not be recorded, or not all of its batch can go out. Where the store fails, too, an approval is lost and a
    /// hold stays, on which no more can go out than one call that is recorded.
    pub(crate) fn undo(self, gate: &Gate, session: &mut GateSession) {
        let holds = gate.desk.holds();
        match self {
            Self::Held(token) => drop(holds.update(&token, &mut |hold| {
                hold.withdraw();
                Ok(())
            })),
            Self::Spent(token, call_id) => drop(holds.update(&token, &mut |hold| {
                hold.give_back(&call_id);
                Ok(())
            })),
            Self::Continued(sent) => session.asked.send(sent),
            Self::Sent(_) => {}
        }
    }
}
