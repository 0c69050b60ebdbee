//! The sessions that the gate remembers: a bounded number per tenant, and those that were idle longest give way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use thoth_gate::GateSession;
use thoth_types::{Caller, Mode, Requester};

/// Sessions remembered per tenant. One that is forgotten begins anew: what was called in it before is not known then.
pub(crate) const MAX_SESSIONS: usize = 1024;

/// What makes a session another one: everything that a caller declares and that stays the same within a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    agent: String,
    session: String,
    user: String,
    endpoint: String,
    intent: Option<String>,
    scope: Vec<String>,
    mode: Mode,
    /// The key that it came with.
    key: String,
    /// Whether its calls are refused for the sake of its machine. Such a session is one of its own: what it is told
    /// stays with it, and the one that it was before goes on afterwards.
    quarantined: bool,
}

impl SessionKey {
    pub(crate) fn of(caller: &Caller, requester: &Requester) -> Self {
        let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
        Self {
            agent: text(caller.agent.as_ref().map(thoth_types::AgentId::as_str)),
            session: caller.session.as_str().to_owned(),
            user: text(caller.user.as_ref().map(thoth_types::UserId::as_str)),
            endpoint: text(caller.endpoint.as_ref().map(thoth_types::EndpointId::as_str)),
            intent: caller.intent.clone(),
            scope: caller.approved_scope.clone(),
            mode: caller.mode,
            key: requester.account.to_string(),
            quarantined: false,
        }
    }

    /// Names it to other servers, which tell sessions apart by the same things if they are of the same version.
    pub(crate) fn digest(&self) -> [u8; 32] {
        // Texts are quoted in it, so no two sessions are written alike.
        Sha256::digest(format!("{self:?}")).into()
    }

    /// The same while its machine is in quarantine.
    pub(crate) fn quarantined(self) -> Self {
        Self { quarantined: true, ..self }
    }
}

/// A session, used by one request at a time.
pub(crate) type Shared = Arc<Mutex<GateSession>>;

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<SessionKey, (Shared, u64)>,
    /// By when each was used last.
    order: BTreeMap<u64, SessionKey>,
    uses: u64,
}

/// The sessions of one tenant.
#[derive(Debug)]
pub(crate) struct Sessions {
    table: Mutex<Table>,
    most: usize,
}

impl Sessions {
    pub(crate) fn new(most: usize) -> Self {
        Self { table: Mutex::default(), most }
    }

    /// The session of this name, or the one that `begin` makes.
    pub(crate) fn get<E>(&self, key: SessionKey, begin: impl FnOnce() -> Result<GateSession, E>) -> Result<Shared, E> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let table = &mut *table;
        table.uses += 1;
        let now = table.uses;
        if let Some((session, used)) = table.sessions.get_mut(&key) {
            table.order.remove(used);
            *used = now;
            let session = Arc::clone(session);
            table.order.insert(now, key);
            return Ok(session);
        }
        let session = Arc::new(Mutex::new(begin()?));
        while table.sessions.len() >= self.most
            && let Some((_, idle)) = table.order.pop_first()
        {
            table.sessions.remove(&idle);
        }
        table.sessions.insert(key.clone(), (Arc::clone(&session), now));
        table.order.insert(now, key);
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use thoth_policy::ScopeList;

    use super::*;

    fn caller(session: &str) -> Caller {
        Caller {
            tenant: None,
            user: None,
            endpoint: None,
            agent: "a".parse().ok(),
            session: session.parse().unwrap(),
            server: "sdk".parse().unwrap(),
            intent: None,
            approved_scope: Vec::new(),
            mode: Mode::Block,
        }
    }

    /// The table stays bounded, and what is in use stays.
    #[test]
    fn the_longest_idle_gives_way() {
        let sessions = Sessions::new(2);
        let get = |name: &str| {
            let begin = || Ok::<_, Infallible>(GateSession::new(caller(name), ScopeList::default(), [1; 8]));
            sessions.get(SessionKey::of(&caller(name), &Requester::remote("k".into(), None)), begin).unwrap()
        };
        let (first, second) = (get("1"), get("2"));
        assert!(Arc::ptr_eq(&first, &get("1")));
        let third = get("3");
        assert!(Arc::ptr_eq(&first, &get("1")), "used after the second");
        assert!(!Arc::ptr_eq(&second, &get("2")), "forgotten");
        assert!(!Arc::ptr_eq(&third, &get("3")));
    }
}
