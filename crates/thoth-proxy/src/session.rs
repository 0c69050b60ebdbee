//! What both directions of one connection share: which requests are open, what was negotiated, what was listed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thoth_gate::{Moment, Ticket};
use thoth_mcp::{BatchRule, IdKey, InFlight, InFlightError, Listing};
use thoth_types::{Integrity, ItemKind, Listed};

use crate::offers::{Offers, Page};
use crate::shelf::Shelf;
use crate::warden::{Known, Warden};

/// Requests that may be open at once in one direction.
const MAX_OPEN: usize = 4096;
/// Tasks and unfinished round trips remembered. A server that goes beyond is not an honest one; forgetting the
/// oldest costs links between records, never a decision.
const MAX_REMEMBERED: usize = 4096;

/// What a client's open request was for, as far as its answer matters to us.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Initialize,
    /// One page of `tools/list`; `first` when it had no cursor.
    ToolsList {
        first: bool,
    },
    /// One page of another listing; `first` when it had no cursor.
    List {
        listing: Listing,
        first: bool,
    },
    /// What the server says of itself in the modern era.
    Discover,
    /// A governed call. The ticket is there once the call is committed.
    Call(Option<Ticket>),
    /// A question about a task: its outcome may be in the answer; `result` when the answer is the outcome.
    Task {
        id: String,
        result: bool,
    },
    /// Something that a model may read without calling a tool, by the request's method.
    Content(&'static str),
    Other,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Open {
    /// The id exactly as the sender wrote it.
    pub(crate) id: Box<[u8]>,
    pub(crate) asked: Asked,
    /// The sender no longer wants the answer, which may come all the same.
    pub(crate) cancelled: bool,
}

/// The shared state, behind one short-lived lock.
#[derive(Debug, Default)]
pub(crate) struct Session {
    state: Mutex<State>,
    /// Knows the server's definitions. There is one in every session but those of tests that are about something else.
    warden: Option<Warden>,
}

impl Session {
    /// A session whose server's definitions are looked at.
    pub(crate) fn guarded(warden: Warden) -> Self {
        Self { state: Mutex::default(), warden: Some(warden) }
    }

    /// Locks the state. A panic elsewhere cannot leave it half-changed in a way that would loosen a decision.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What knows the server's definitions.
    pub(crate) const fn warden(&self) -> Option<&Warden> {
        self.warden.as_ref()
    }

    /// Whether a tool that is called is listed, and what is known of it. Of a tool that is in order, this is a lookup;
    /// for another one the store is asked whether somebody has approved it in the meantime.
    pub(crate) fn facts(&self, tool: &str, now: Moment) -> (Listed, Option<Arc<Integrity>>) {
        let state = self.lock();
        let (listed, known, stale) = state.offers.of(tool, now.monotonic_us);
        let Some(warden) = &self.warden else { return (listed, None) };
        let integrity = match known {
            Some(known) if known.is_in_order() => {
                let integrity = Arc::clone(&known.integrity);
                drop(state);
                integrity
            }
            Some(known) => {
                let known = known.clone();
                drop(state);
                let known = warden.again(ItemKind::Tool, tool, &known);
                let integrity = Arc::clone(&known.integrity);
                self.lock().offers.update(tool, &known);
                integrity
            }
            None => {
                drop(state);
                Arc::new(warden.unseen(ItemKind::Tool, tool))
            }
        };
        if stale && !integrity.stale {
            return (listed, Some(Arc::new(Integrity { stale, ..Integrity::clone(&integrity) })));
        }
        (listed, Some(integrity))
    }

    /// Whether a prompt is kept from the client. Of one that this session has not listed, other sessions may know something;
    /// and of any, somebody may have taken the approval back or given it in the meantime.
    pub(crate) fn withholds_prompt(&self, name: &str) -> bool {
        let Some(warden) = &self.warden else { return false };
        let known = self.lock().shelf.prompt(name).cloned();
        let integrity = match known {
            Some(known) => warden.again(ItemKind::Prompt, name, &known).integrity,
            None => Arc::new(warden.unseen(ItemKind::Prompt, name)),
        };
        warden.rules().withholds(&integrity)
    }

    /// Whether the client is to be told that its list of tools is out of date: only one that its server would tell so.
    pub(crate) fn has_news_for_client(&self) -> bool {
        let mut state = self.lock();
        let news = state.offers.take_news();
        news && state.tells_changes
    }

    /// Learns what others have approved or taken back in the meantime.
    pub(crate) fn refresh(&self) {
        if let Some(warden) = self.warden.as_ref().filter(|warden| warden.has_news()) {
            let known = self.lock().offers.known();
            self.look_again(warden, known);
        }
    }

    /// Takes one page of tools in. Returns how many tools are known once the list is complete.
    pub(crate) fn take_page(&self, page: Page, now_us: u64) -> Option<usize> {
        let names: HashSet<String> = page.tools.iter().map(|(name, _)| name.clone()).collect();
        let (complete, known) = {
            let mut state = self.lock();
            let complete = state.offers.take(page, now_us);
            (complete, state.offers.known_of(names))
        };
        // What was approved or taken back since the page was compared, the other direction may have taken notice of before
        // the page was in its place. Of the tools of other pages, it does: asking for those here, too, would make a listing
        // of many pages quadratic, for what is new on a page is a change of the store by itself.
        if let Some(warden) = self.warden.as_ref().filter(|warden| warden.is_outdated(&known)) {
            self.look_again(warden, known);
        }
        complete
    }

    /// Asks the store once more about these tools.
    fn look_again(&self, warden: &Warden, tools: Vec<(String, Known)>) {
        for (tool, known) in tools {
            let now = warden.again(ItemKind::Tool, &tool, &known);
            if now.integrity == known.integrity {
                // Else it would be asked for again until the store changes back, which it never does.
                self.lock().offers.confirm(&tool, &known, &now);
            } else {
                self.lock().offers.update(&tool, &now);
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct State {
    /// The client's requests that the server has not answered.
    pub(crate) from_client: InFlight<Open>,
    /// The server's requests that the client has not answered.
    pub(crate) from_server: InFlight<Open>,
    abandoned: Vec<Ticket>,
    negotiated: Option<String>,
    /// The server said that it would tell when its tools change (legacy era).
    pub(crate) tells_changes: bool,
    pub(crate) offers: Offers,
    pub(crate) shelf: Shelf,
    tasks: Remembered<Ticket>,
    round_trips: Remembered<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            from_client: InFlight::new(MAX_OPEN),
            from_server: InFlight::new(MAX_OPEN),
            abandoned: Vec::new(),
            negotiated: None,
            tells_changes: false,
            offers: Offers::default(),
            shelf: Shelf::default(),
            tasks: Remembered::default(),
            round_trips: Remembered::default(),
        }
    }
}

impl State {
    pub(crate) fn batch_rule(&self) -> BatchRule {
        self.negotiated.as_deref().map_or(BatchRule::Refuse, BatchRule::for_revision)
    }

    pub(crate) fn negotiate(&mut self, revision: &str) {
        self.negotiated = Some(revision.to_owned());
    }

    /// The revision that a legacy session speaks.
    pub(crate) fn revision(&self) -> Option<&str> {
        self.negotiated.as_deref()
    }

    pub(crate) fn begin_task(&mut self, id: &str, ticket: Ticket) {
        self.tasks.put(id.to_owned(), ticket);
    }

    /// The tool whose call became this task.
    pub(crate) fn tool_of_task(&self, id: &str) -> Option<String> {
        self.tasks.entries.get(id).map(|ticket| ticket.tool().to_owned())
    }

    pub(crate) fn end_task(&mut self, id: &str) -> Option<Ticket> {
        self.tasks.take(id)
    }

    /// A call was answered with `input_required`: its retry will carry this state.
    pub(crate) fn begin_round_trip(&mut self, state_digest: String, call_id: &str) {
        self.round_trips.put(state_digest, call_id.to_owned());
    }

    /// Which call a retry continues.
    pub(crate) fn continues(&mut self, state_digest: &str) -> Option<String> {
        self.round_trips.take(state_digest)
    }

    /// The client's request that an answer of the server can be for. A call that has not gone out yet is none: a server
    /// that guesses its id must neither answer nor fail it.
    pub(crate) fn answerable(&self, key: &IdKey) -> Option<&Open> {
        self.from_client.get(key).filter(|open| !matches!(open.asked, Asked::Call(None)))
    }

    /// Whether the client still waits for an answer that the server may give: not to a call that has not gone out.
    pub(crate) fn client_waits(&self) -> bool {
        self.from_client.values().any(|open| !open.cancelled && !matches!(open.asked, Asked::Call(None)))
    }

    /// Opens a client's request.
    pub(crate) fn open_from_client(&mut self, key: IdKey, open: Open) -> Result<(), InFlightError> {
        open_in(&mut self.from_client, &mut self.abandoned, key, open)
    }

    /// Opens a server's request.
    pub(crate) fn open_from_server(&mut self, key: IdKey, open: Open) -> Result<(), InFlightError> {
        open_in(&mut self.from_server, &mut self.abandoned, key, open)
    }

    /// The calls that have given way since the last time. Nobody waits for them any more, and their outcomes are still to
    /// be recorded.
    pub(crate) fn take_abandoned(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.abandoned)
    }
}

/// Opens a request. Cancelled ones, which may never be answered, give way when there are too many. Their ids stay taken
/// until then: MCP forbids using an id twice, and a late answer would be taken for the new request's. A call that has not
/// gone out yet stays, for its ticket is still to come.
fn open_in(
    table: &mut InFlight<Open>,
    abandoned: &mut Vec<Ticket>,
    key: IdKey,
    open: Open,
) -> Result<(), InFlightError> {
    if table.len() >= MAX_OPEN {
        for (key, open) in table.drain() {
            if !open.cancelled || matches!(open.asked, Asked::Call(None)) {
                table.insert(key, open)?;
            } else if let Asked::Call(Some(ticket)) = open.asked {
                abandoned.push(ticket);
            }
        }
    }
    table.insert(key, open)
}

/// A bounded map that forgets its oldest entries.
#[derive(Debug)]
struct Remembered<T> {
    entries: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Remembered<T> {
    fn put(&mut self, key: String, value: T) {
        if self.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
    }

    fn take(&mut self, key: &str) -> Option<T> {
        let value = self.entries.remove(key)?;
        self.order.retain(|known| known != key);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(cancelled: bool) -> Open {
        Open { id: b"1".as_slice().into(), asked: Asked::Other, cancelled }
    }

    /// A long session in which much is cancelled goes on, and requests that are waited for are never forgotten.
    #[test]
    fn cancelled_requests_give_way() {
        let mut state = State::default();
        let undecided = Open { asked: Asked::Call(None), ..open(true) };
        state.open_from_client(IdKey::text("a call that has not gone out"), undecided).unwrap();
        for id in 0..10_000 {
            state.open_from_client(IdKey::integer(id), open(id != 7)).unwrap();
        }
        assert!(state.from_client.get(&IdKey::integer(7)).is_some());
        assert!(state.from_client.get(&IdKey::text("a call that has not gone out")).is_some());
        assert_eq!(state.open_from_client(IdKey::integer(7), open(false)), Err(InFlightError::InUse));
        let late = state.open_from_client(IdKey::integer(9_999), open(false));
        assert_eq!(late, Err(InFlightError::InUse), "a late answer would be taken for the new request's");
        let mut full = State::default();
        let opened = (0..10_000).take_while(|id| full.open_from_client(IdKey::integer(*id), open(false)).is_ok());
        assert_eq!(opened.count(), MAX_OPEN);
    }
}
