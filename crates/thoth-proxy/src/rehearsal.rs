//! What the unit tests of this crate start from.

pub(crate) mod pair;

use std::str::FromStr;

use thoth_audit::Leaves;
use thoth_gate::{Evidence, EvidenceError};
use thoth_types::{Caller, Mode, Redacted, ServerName, SessionId};

use crate::program::{find, own_environment};
use crate::sealed_state::Sealer;
use crate::upstream::{Upstream, spawn};

/// A ledger that takes everything and keeps nothing.
pub(crate) struct Nowhere;

impl Evidence for Nowhere {
    fn append(&self, _: &Leaves) -> Result<(), EvidenceError> {
        Ok(())
    }
}

/// A caller of whom nothing is known but the session.
pub(crate) fn caller() -> Caller {
    Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: None,
        session: SessionId::from_str("session").unwrap(),
        server: ServerName::from_str("server").unwrap(),
        intent: None,
        approved_scope: Vec::new(),
        mode: Mode::Block,
    }
}

/// What seals the states of the session of [`caller`].
pub(crate) fn sealer() -> Sealer {
    Sealer::new(Redacted::new([7; 32]), &caller().session)
}

/// A started upstream.
pub(crate) fn start(command: &[&str]) -> Upstream {
    let command: Vec<_> = command.iter().map(Into::into).collect();
    spawn(&find(&command, &own_environment()).unwrap()).unwrap()
}
