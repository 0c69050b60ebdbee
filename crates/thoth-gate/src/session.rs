//! What the gate remembers of one session: its history, its budgets, its violations.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use jiff::{SignedDuration, Timestamp};
use thoth_audit::Leaves;
use thoth_policy::{History, RateScope, ScopeList, Scratch, counted_name};
use thoth_types::{Caller, HarmClasses, Requester};

use crate::asked::Asked;
use crate::awaiting::Awaiting;
use crate::directive::Directives;
use crate::preflight::Preflight;
use crate::quarantine::Quarantine;

/// Names of the latest calls that go into every record.
const RECENT_NAMES: usize = 16;
/// Calls of all tools remembered for rates. Where a window holds more, some of it is forgotten, and every limit over it
/// counts as exceeded, which is the strict side: else a flood of harmless calls would wash away the count of others.
const REMEMBERED_CALLS: usize = 16 * 1024;
/// Distinct tools that a session may call, all of which are remembered for "after a call to". Forgetting some could
/// loosen a rule whichever way it is answered afterwards, so a call of one more is refused; an honest session does not
/// call this many different tools.
pub(crate) const REMEMBERED_TOOLS: usize = 4096;

/// One session's state. Owned by whoever admits its calls; settling needs none of it.
#[derive(Debug)]
pub struct GateSession {
    pub(crate) caller: Caller,
    pub(crate) scope: ScopeList,
    pub(crate) preflight: Preflight,
    pub(crate) quarantine: Quarantine,
    pub(crate) directives: Directives,
    pub(crate) random: [u8; 8],
    pub(crate) calls: u64,
    pub(crate) tells: bool,
    pub(crate) past: Past,
    pub(crate) labels: SessionLabels,
    pub(crate) asked: Asked,
    /// Only where an enforcer must be asked about every call.
    pub(crate) awaiting: Option<Awaiting>,
    pub(crate) scratch: Scratch,
    pub(crate) shadow_scratch: Scratch,
    pub(crate) leaves: Leaves,
    pub(crate) requester: Requester,
    place: i64,
}

impl GateSession {
    /// A fresh session of `caller`, which may use the tools in `scope` (its compiled `approved_scope`). `random` makes
    /// its trace ids unique and must be random.
    #[must_use]
    pub fn new(caller: Caller, scope: ScopeList, random: [u8; 8]) -> Self {
        Self {
            caller,
            scope,
            preflight: Preflight::default(),
            quarantine: Quarantine::default(),
            directives: Directives::default(),
            random,
            calls: 0,
            tells: false,
            past: Past::default(),
            labels: SessionLabels::default(),
            asked: Asked::default(),
            awaiting: None,
            scratch: Scratch::default(),
            shadow_scratch: Scratch::default(),
            leaves: Leaves::default(),
            requester: Requester { account: Arc::from(""), uid: u32::MAX, user: None, client: None },
            place: 0,
        }
    }

    /// How many calls were allowed in it, with those that were [recalled](Self::recall).
    #[must_use]
    pub const fn allowed(&self) -> u64 {
        self.past.allowed
    }

    /// The calls that were allowed after the first `count`, oldest first, as far as they are remembered.
    #[must_use]
    pub fn allowed_beyond(&self, count: u64) -> Vec<(Arc<str>, Timestamp)> {
        let new = usize::try_from(self.past.allowed.saturating_sub(count)).unwrap_or(usize::MAX);
        let first = self.past.recent.len().saturating_sub(new);
        self.past.recent.iter().skip(first).cloned().collect()
    }

    /// Takes in a call that was allowed in this session elsewhere, behind all that it remembers. One that did not go out
    /// after all uses up limits, and no rule finds that it came before.
    pub fn recall(&mut self, tool: &str, at: Timestamp, went_out: bool) {
        let tool = self.past.intern(tool);
        let mark = self.past.mark();
        // Windows are counted backwards until a call is too old, so none may be older than the one before it.
        let at = self.latest().map_or(at, |latest| at.max(latest));
        let server = self.caller.server.clone();
        self.past.remember(&tool, server.as_str(), at);
        if !went_out {
            self.past.disown(mark);
        }
        self.past.settle();
    }

    /// When the latest call was allowed that it remembers.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        self.past.recent.back().map(|(_, at)| *at)
    }

    /// How far it has taken in what is kept of it elsewhere, in that place's own numbers; 0 at first.
    #[must_use]
    pub const fn place(&self) -> i64 {
        self.place
    }

    /// Notes how far that is now.
    pub const fn set_place(&mut self, place: i64) {
        self.place = place;
    }

    /// The same on behalf of this account. Without one, no local user is known and none can approve.
    #[must_use]
    pub fn requested_by(mut self, requester: Requester) -> Self {
        self.requester = requester;
        self
    }

    /// The same, whose calls are numbered after `last`: for a session that may have been here before and was forgotten, so
    /// that no two of its calls have one id.
    #[must_use]
    pub const fn numbered_after(mut self, last: u64) -> Self {
        self.calls = last;
        self
    }

    /// The same. If it asks, no call is admitted without an answer of the enforcer: [`crate::Answer::Unasked`] comes first.
    #[must_use]
    pub fn asking_an_enforcer(mut self, asks: bool) -> Self {
        self.awaiting = asks.then(Awaiting::default);
        self
    }

    /// The same, whose rounds also tell why calls were admitted ([`crate::Committed::grounds`]).
    #[must_use]
    pub const fn telling(mut self) -> Self {
        self.tells = true;
        self
    }

    /// On whose behalf calls are made.
    #[must_use]
    pub const fn requester(&self) -> &Requester {
        &self.requester
    }

    /// The same under what the operator demands of it.
    #[must_use]
    pub fn under(mut self, preflight: Preflight) -> Self {
        self.preflight = preflight;
        self
    }

    /// The same, whose calls are all refused while this holds.
    #[must_use]
    pub fn heeding(mut self, quarantine: Quarantine) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// The same, which heeds what is known of the enforcer's own policy. Only where it asks an enforcer is there one.
    #[must_use]
    pub fn directed(mut self, directives: Directives) -> Self {
        self.directives = directives;
        self
    }

    /// What results label it with, for whoever takes them in.
    #[must_use]
    pub fn labels(&self) -> SessionLabels {
        self.labels.clone()
    }

    /// Who calls in this session.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// What was found in the results of one session, shared by whoever takes them in and whoever admits calls. Nothing is ever
/// taken out of it.
#[derive(Debug, Clone, Default)]
pub struct SessionLabels(Arc<AtomicU8>);

impl SessionLabels {
    pub(crate) fn add(&self, classes: HarmClasses) {
        // Whoever calls after the client has the result must find its labels.
        self.0.fetch_or(classes.bits(), Ordering::AcqRel);
    }

    pub(crate) fn get(&self) -> HarmClasses {
        HarmClasses::from_bits(self.0.load(Ordering::Acquire))
    }
}

/// The calls that were allowed so far, and what the session is labelled with as a call is judged.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) labels: HarmClasses,
    recent: VecDeque<(Arc<str>, Timestamp)>,
    names: Vec<Arc<str>>,
    known: HashSet<Arc<str>>,
    server: String,
    /// What the present round added to `known`.
    fresh: Vec<Arc<str>>,
    pub(crate) allowed: u64,
}

impl Past {
    pub(crate) fn remember(&mut self, tool: &Arc<str>, server: &str, at: Timestamp) {
        if self.server.is_empty() {
            server.clone_into(&mut self.server);
        }
        self.allowed += 1;
        if self.recent.len() == REMEMBERED_CALLS {
            self.recent.pop_front();
        }
        self.recent.push_back((Arc::clone(tool), at));
        if self.names.len() == RECENT_NAMES {
            self.names.remove(0);
        }
        self.names.push(Arc::clone(tool));
        if !self.known.contains(tool) {
            self.known.insert(Arc::clone(tool));
            self.fresh.push(Arc::clone(tool));
        }
    }

    /// A new round begins: what was called in the rounds before it stays.
    pub(crate) fn settle(&mut self) {
        self.fresh.clear();
    }

    /// Names a moment of this round for [`Self::disown`].
    pub(crate) const fn mark(&self) -> usize {
        self.fresh.len()
    }

    /// The calls since `mark` did not go out after all: no rule may find that they came before. The limits that they
    /// used up stay used up, which is the strict side.
    pub(crate) fn disown(&mut self, mark: usize) {
        while self.fresh.len() > mark
            && let Some(tool) = self.fresh.pop()
        {
            self.known.remove(&tool);
        }
    }

    /// Whether a call of `tool` could not be remembered.
    pub(crate) fn is_full_for(&self, tool: &str) -> bool {
        self.known.len() >= REMEMBERED_TOOLS && !self.known.contains(tool)
    }

    /// The text of a tool name that was seen before, shared instead of copied.
    pub(crate) fn intern(&self, tool: &str) -> Arc<str> {
        self.known.get(tool).map_or_else(|| Arc::from(tool), Arc::clone)
    }

    pub(crate) fn recent_names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// When the window since `since` no longer holds everything that happened in it: the oldest call that is remembered.
    fn forgotten(&self, since: Timestamp) -> Option<Timestamp> {
        let (_, oldest) = self.recent.front()?;
        (self.recent.len() == REMEMBERED_CALLS && *oldest >= since).then_some(*oldest)
    }

    /// How many calls of `tool` lie in the minute before `now`, and in how many seconds the oldest leaves it.
    pub(crate) fn last_minute(&self, tool: &str, now: Timestamp) -> (u64, u64) {
        let since = now.saturating_sub(SignedDuration::from_secs(60)).unwrap_or(Timestamp::MIN);
        let wanted = counted_name(tool);
        let mut count = 0;
        let mut oldest = now;
        if let Some(remembered) = self.forgotten(since) {
            count = u64::MAX;
            oldest = remembered;
        } else {
            for (name, at) in self.recent.iter().rev() {
                if *at <= since {
                    break;
                }
                if counted_name(name) == wanted {
                    count += 1;
                    oldest = *at;
                }
            }
        }
        let frees = 60 - now.duration_since(oldest).as_secs().clamp(0, 59);
        (count, frees.unsigned_abs())
    }
}

impl History for Past {
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        self.known.iter().any(|tool| test(tool, &self.server))
    }

    fn calls_since(&self, scope: RateScope, tool: &str, since: Timestamp) -> u64 {
        if self.forgotten(since).is_some() {
            return u64::MAX;
        }
        let wanted = counted_name(tool);
        let mut count = 0;
        for (name, at) in self.recent.iter().rev() {
            if *at < since {
                break;
            }
            if scope != RateScope::Tool || counted_name(name) == wanted {
                count += 1;
            }
        }
        count
    }

    fn labels(&self) -> HarmClasses {
        self.labels
    }
}

#[cfg(test)]
mod tests {
    use thoth_types::{Caller, Mode};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// Defends: what was allowed elsewhere uses up limits as if it had been here, also where the other clock is behind; and
    /// what did not go out was called by nobody.
    #[test]
    fn what_was_allowed_elsewhere_counts_here() {
        let caller = Caller {
            tenant: None,
            user: None,
            endpoint: None,
            agent: None,
            session: "s".parse().unwrap(),
            server: "sdk".parse().unwrap(),
            intent: None,
            approved_scope: Vec::new(),
            mode: Mode::Block,
        };
        let mut session = GateSession::new(caller, ScopeList::default(), [1; 8]);
        assert_eq!((session.allowed(), session.latest(), session.place()), (0, None, 0));
        session.past.remember(&Arc::from("here"), "sdk", at(100));
        for (tool, second, went_out) in [("there", 40, true), ("lost", 101, false), ("there", 102, true)] {
            session.recall(tool, at(second), went_out);
        }
        assert_eq!((session.allowed(), session.latest()), (4, Some(at(102))));
        assert_eq!(session.past.calls_since(RateScope::Session, "any", at(100)), 4);
        assert_eq!(session.past.last_minute("there", at(103)).0, 2);
        let came_before = |name: &str| session.past.called_before(&mut |tool, server| tool == name && server == "sdk");
        assert_eq!(["here", "there", "lost"].map(came_before), [true, true, false]);
        let beyond = session.allowed_beyond(2);
        assert_eq!(beyond.iter().map(|(tool, _)| &**tool).collect::<Vec<_>>(), ["lost", "there"]);
        assert_eq!(session.allowed_beyond(4), []);
    }
}
