//! The calls of one session that the enforcer was asked about. Each answer is about one of them, and is used once.

use std::collections::VecDeque;
use std::sync::Arc;

/// Calls remembered. An answer about one that was forgotten lets nothing through, which is the strict side. More than this
/// can neither be asked about nor wait for a person at once.
const REMEMBERED: usize = 1024;

/// One call, as the enforcer was told of it.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) call_id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    /// The keyed digest of tool and arguments.
    pub(crate) arguments_digest: Arc<str>,
    /// Whether the ledger has this call already, since a person is to agree to it: then what comes of that is a call of its
    /// own.
    pub(crate) is_recorded: bool,
}

/// What the session remembers.
#[derive(Debug, Default)]
pub(crate) struct Awaiting(VecDeque<Awaited>);

impl Awaiting {
    pub(crate) fn put(&mut self, awaited: Awaited) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(awaited);
    }

    /// The call of this id, once.
    pub(crate) fn take(&mut self, call_id: &str) -> Option<Awaited> {
        let at = self.0.iter().position(|awaited| &*awaited.call_id == call_id)?;
        self.0.remove(at)
    }
}
