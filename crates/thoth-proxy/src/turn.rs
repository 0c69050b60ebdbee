//! One turn: the client's frames that arrived together, or held calls whose time has come, on their way through one round
//! of the gate.

use std::borrow::Cow;

use thoth_gate::{Answer, Gate, Moment, Permit, Random, Refused, Round};
use thoth_mcp::{
    Era, InFlightError, Listing, Message, Notification, Refusal, RefusalCode, Request, Response, TaskMethod,
    ToolCallView,
};
use thoth_types::json::{Kind, Limits};
use thoth_types::{Arguments, Decision, HoldToken, Requester, ToolCall};

use crate::answer::{self, RefusalStyle};
use crate::approval::Client;
use crate::client_side::state_digest;
use crate::dialogues::Dialogues;
use crate::heartbeat::Heartbeat;
use crate::notices::NO_EVIDENCE;
use crate::remote::{Decider, Waiting};
use crate::session::{Asked, Open, Session};
use crate::waiting::{Bound, Parked, WaitingRoom};

/// What comes of it.
#[derive(Debug, Default)]
pub(crate) struct Turn<'f> {
    /// For the upstream.
    pub(crate) permits: Vec<Permit<'f>>,
    /// For the client: complete lines.
    pub(crate) replies: Vec<u8>,
}

/// What is left to do once the round is committed.
#[derive(Debug)]
pub(crate) struct Rest {
    /// Frames that were refused.
    pub(crate) incidents: Vec<Refusal>,
    /// Holds that were named in the refusals of batches.
    pub(crate) shown: Vec<HoldToken>,
    /// Whether the round's evidence was written.
    pub(crate) recorded: bool,
}

/// The requests of an admitted frame, each with whether it is a call.
#[derive(Debug)]
struct Admitted {
    requests: Vec<(Bound, bool)>,
    is_batch: bool,
}

/// What is the same in every turn of a session.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'r> {
    pub(crate) gate: &'r Gate,
    pub(crate) session: &'r Session,
    pub(crate) limits: Limits,
    pub(crate) style: RefusalStyle,
    pub(crate) requester: &'r Requester,
    pub(crate) clock: fn() -> Moment,
}

/// What is kept of held calls between turns.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The calls that wait here.
    pub(crate) room: WaitingRoom,
    /// What the client was asked.
    pub(crate) dialogues: Dialogues,
    /// What a legacy client said of itself.
    pub(crate) client: Client,
    /// What asks the enforcer, where there is one.
    pub(crate) remote: Option<Decider>,
    /// Calls to which a person is to agree whom the enforcer asks; how they wait is still to be chosen.
    pub(crate) agreed: Vec<(Waiting, Box<Refused>)>,
}

/// One turn in the making.
pub(crate) struct Making<'r, 'f> {
    pub(crate) at: Setting<'r>,
    round: Round<'r, 'f>,
    pub(crate) kept: &'r mut Kept,
    /// One entry per permit that carries tickets, in order.
    admitted: Vec<Admitted>,
    pub(crate) replies: Vec<u8>,
    pub(crate) incidents: Vec<Refusal>,
    shown: Vec<HoldToken>,
}

impl<'r, 'f> Making<'r, 'f> {
    pub(crate) fn new(at: Setting<'r>, round: Round<'r, 'f>, kept: &'r mut Kept) -> Self {
        Self { at, round, kept, admitted: Vec::new(), replies: Vec::new(), incidents: Vec::new(), shown: Vec::new() }
    }

    pub(crate) fn refuse_frame(&mut self, refusal: Refusal) {
        if let Some(reply) = refusal.response() {
            self.replies.extend_from_slice(&reply);
        }
        self.incidents.push(refusal);
    }

    pub(crate) fn one(&mut self, message: &Message<'_>, whole: &'f [u8]) {
        match message {
            Message::Request(request) => self.request(request, whole),
            Message::Notification(notification) => match self.cancel(notification) {
                Ok(false) => self.round.pass(whole),
                Ok(true) => {}
                Err(refusal) => self.refuse_frame(refusal),
            },
            Message::Response(response) if self.is_for_us(response) => {}
            Message::Response(response) => {
                let known = response.id.is_none_or(|id| self.at.session.lock().from_server.remove(&id.key()).is_some());
                if known {
                    self.round.pass(whole);
                } else {
                    self.refuse_frame(response.refuse(RefusalCode::UnsolicitedResponse, 0));
                }
            }
        }
    }

    /// A cancelled request may still be answered; until then its id is taken, unless the client uses it again. A call that
    /// waits here is dropped, and its server, which has never heard of it, hears of neither: whether it was one.
    fn cancel(&mut self, notification: &Notification<'_>) -> Result<bool, Refusal> {
        let Some(cancelled) = notification.cancelled().transpose()? else { return Ok(false) };
        let Some(id) = cancelled.request_id else { return Ok(false) };
        let key = id.key();
        let waited = self.kept.room.leave(&key) || self.kept.remote.as_mut().is_some_and(|decider| decider.leave(&key));
        let mut state = self.at.session.lock();
        if waited {
            state.from_client.remove(&key);
        } else if let Some(open) = state.from_client.get_mut(&key) {
            open.cancelled = true;
        }
        Ok(waited)
    }

    fn request(&mut self, request: &Request<'_>, whole: &'f [u8]) {
        let view = match view_of(request) {
            Ok(view) => view,
            Err(refusal) => return self.refuse_frame(refusal),
        };
        if let Some(retry) = view.as_ref().and_then(|view| self.retry_of_ours(view)) {
            return self.retry(request, whole, &retry);
        }
        if self.is_withheld(request) {
            self.replies.extend(answer::withheld(request.id.raw()));
            return;
        }
        match self.open(request, view) {
            Err(refusal) => self.refuse_frame(refusal),
            Ok(None) => self.round.pass(whole),
            Ok(Some(call)) => self.admit(request, &call, whole.into()),
        }
    }

    /// Whether it asks for a prompt or a resource that is kept from the client.
    fn is_withheld(&self, request: &Request<'_>) -> bool {
        let session = self.at.session;
        let named = |key| request.params.and_then(|params| params.get(key)).and_then(|name| name.as_str());
        match &*request.method {
            "prompts/get" => named("name").is_some_and(|name| session.withholds_prompt(&name)),
            "resources/read" => named("uri").is_some_and(|name| session.lock().shelf.withholds_resource(&name)),
            _ => false,
        }
    }

    /// Puts a call to the gate. `frame` is the line that `request` was decoded from.
    pub(crate) fn admit(&mut self, request: &Request<'_>, call: &ToolCall<'_>, frame: Cow<'f, [u8]>) {
        let copy = match &frame {
            Cow::Borrowed(line) => Cow::Borrowed(*line),
            Cow::Owned(line) => Cow::Owned(line.clone()),
        };
        match self.round.admit(call, frame, &random, (self.at.clock)()) {
            Answer::Admitted => self.admitted(Bound::of(request)),
            Answer::Refused(refused) => self.held(request, &copy, refused),
            Answer::Unasked(unasked) => {
                let view = request.tool_call().ok();
                let token = view.as_ref().and_then(|view| view.progress_token).map(|token| token.raw());
                let call = Waiting {
                    bound: Bound::of(request),
                    line: copy.into(),
                    unasked: *unasked,
                    retry_of: call.retry_of.clone(),
                    heartbeat: Heartbeat::new(token),
                };
                self.ask(call, view.as_ref().and_then(|view| view.traceparent.as_deref()));
            }
        }
    }

    /// Has a call decided that is put to the gate once more.
    pub(crate) fn put(&mut self, call: &ToolCall<'_>, frame: Cow<'f, [u8]>, random: &Random<'_>) -> Answer {
        self.round.admit(call, frame, random, (self.at.clock)())
    }

    /// The call of this request goes out once the round is committed.
    pub(crate) fn admitted(&mut self, bound: Bound) {
        self.admitted.push(Admitted { requests: vec![(bound, true)], is_batch: false });
    }

    /// A call that does not go out now. If a person can still agree to it, it may wait: how is chosen once this round is
    /// committed, for only then is there a record of the hold.
    pub(crate) fn held(&mut self, request: &Request<'_>, line: &[u8], refused: Box<Refused>) {
        let bound = Bound::of(request);
        let view = request.tool_call().ok().filter(|_| is_held(&refused));
        let Some(view) = view else { return self.refuse_call(&bound, &refused) };
        let reach = self.kept.client.reach(request, &view, self.at.session.lock().revision());
        let token = view.progress_token.map(|token| token.raw());
        match Parked::new(bound, line.into(), Heartbeat::new(token), reach, refused) {
            Ok(call) => self.kept.room.fresh.push(call),
            Err((bound, refused)) => self.refuse_call(&bound, &refused),
        }
    }

    /// Notes the request as open; for a tool call, returns what is to be decided.
    pub(crate) fn open<'m>(
        &mut self,
        request: &Request<'m>,
        view: Option<ToolCallView<'m>>,
    ) -> Result<Option<ToolCall<'m>>, Refusal> {
        let cursor = request.params.and_then(|params| params.get("cursor"));
        // A member that is null is one that is not there.
        let first = cursor.is_none_or(|cursor| cursor.kind() == Kind::Null);
        let asked = match &*request.method {
            "tools/call" => Asked::Call(None),
            "initialize" => Asked::Initialize,
            "server/discover" => Asked::Discover,
            "resources/read" => Asked::Content("resources/read"),
            "prompts/get" => Asked::Content("prompts/get"),
            "tools/list" => Asked::ToolsList { first },
            method => match (Listing::of_method(method), request.task_request().transpose()?) {
                (Some(listing), _) => Asked::List { listing, first },
                (None, Some(task)) => {
                    Asked::Task { result: task.method == TaskMethod::Result, id: task.task_id.into_owned() }
                }
                (None, None) => Asked::Other,
            },
        };
        let facts = view.as_ref().map(|view| self.at.session.facts(&view.name, (self.at.clock)()));
        let mut state = self.at.session.lock();
        state
            .open_from_client(request.id.key(), Open { id: request.id.raw().into(), asked, cancelled: false })
            .map_err(|error| refuse_in_flight(request, &error))?;
        if let Some(Ok(initialize)) = request.initialize() {
            self.kept.client = Client::new(&initialize);
        }
        Ok(view.zip(facts).map(|(view, (listed, integrity))| ToolCall {
            listed,
            integrity,
            retry_of: view.request_state.and_then(|s| state.continues(&state_digest(self.at.gate, s))),
            task: view.task,
            also_sent: view.also_sent,
            enforcement_trace: None,
            arguments: Arguments::new(view.arguments),
            tool: view.name,
            remote: None,
        }))
    }

    /// The revision that has batches has no round trips: a call in one that carries an answer to a question of ours would
    /// take it to the server.
    fn open_in_batch<'m>(&mut self, request: &Request<'m>) -> Result<Option<ToolCall<'m>>, Refusal> {
        let view = view_of(request)?;
        if view.as_ref().and_then(|view| self.retry_of_ours(view)).is_some() {
            return Err(request.refuse(RefusalCode::BadParams, 0));
        }
        if self.is_withheld(request) {
            return Err(request.refuse(RefusalCode::Withheld, 0));
        }
        self.open(request, view)
    }

    /// A batch goes out whole or not at all.
    pub(crate) fn batch(&mut self, messages: &[Message<'_>], whole: &'f [u8]) {
        let mut opened = Vec::new();
        let mut calls = Vec::new();
        let mut answered = Vec::new();
        for message in messages {
            let taken = match message {
                Message::Request(request) => self.open_in_batch(request).map(|call| {
                    opened.push((Bound::of(request), call.is_some()));
                    calls.extend(call);
                }),
                Message::Response(Response { id: None, .. }) => Ok(()),
                Message::Response(response @ Response { id: Some(id), .. }) => {
                    let known = self.at.session.lock().from_server.get(&id.key()).is_some();
                    let first = known && !answered.contains(&id.key());
                    answered.push(id.key());
                    if first { Ok(()) } else { Err(response.refuse(RefusalCode::UnsolicitedResponse, 0)) }
                }
                Message::Notification(notification) => notification.cancelled().transpose().map(drop),
            };
            if let Err(refusal) = taken {
                return self.refuse_batch(messages, &opened, refusal);
            }
        }
        // The gate is asked about calls only: it lets out what it admits, and what has none is let out below.
        let answers = match &*calls {
            [] => Vec::new(),
            calls => self.round.admit_batch(calls, whole, &random, (self.at.clock)()),
        };
        let refused: Vec<_> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                // The calls of a batch are admitted or refused, and nothing else.
                Answer::Admitted | Answer::Unasked(_) => None,
                Answer::Refused(refused) => Some(*refused),
            })
            .collect();
        if refused.is_empty() {
            // Only now: what a batch that stays here answers or calls off is still to be answered or called off.
            let mut state = self.at.session.lock();
            for key in &answered {
                state.from_server.remove(key);
            }
            drop(state);
            let mut waited = 0;
            for message in messages {
                if let Message::Notification(notification) = message {
                    // It was read above, so that it can be read.
                    waited += usize::from(self.cancel(notification).unwrap_or(false));
                }
            }
            if waited == messages.len() {
                // Nothing in it concerns the server. Where something does, the server gets all of it, and disregards what
                // calls off requests that it does not know.
            } else if calls.is_empty() {
                self.round.pass(whole);
            } else {
                self.admitted.push(Admitted { requests: opened, is_batch: true });
            }
            return;
        }
        self.close_all(&opened);
        // Nothing waits in a batch: its answers come together.
        self.shown.extend(
            refused
                .iter()
                .filter(|one| is_held(one))
                .filter_map(|one| one.hold.as_ref())
                .map(|hold| hold.token.clone()),
        );
        self.replies.extend(answer::refused_batch(self.at.style, &ids(&opened), &refused));
    }

    /// Refuses a batch because of one of its messages. All of its requests are answered, except under ids that belong to
    /// other requests.
    fn refuse_batch(&mut self, messages: &[Message<'_>], opened: &[(Bound, bool)], refusal: Refusal) {
        self.close_all(opened);
        let state = self.at.session.lock();
        let waiting = messages.iter().filter_map(|message| match message {
            Message::Request(request) if state.from_client.get(&request.id.key()).is_none() => {
                Some((Bound::of(request), false))
            }
            _ => None,
        });
        let waiting: Vec<_> = waiting.collect();
        drop(state);
        if !waiting.is_empty() {
            self.replies.extend(answer::refused_batch(self.at.style, &ids(&waiting), &[]));
        }
        self.incidents.push(refusal);
    }

    fn close_all(&self, opened: &[(Bound, bool)]) {
        let mut state = self.at.session.lock();
        for (bound, _) in opened {
            state.from_client.remove(&bound.key);
        }
    }

    pub(crate) fn refuse_call(&mut self, bound: &Bound, refused: &Refused) {
        self.at.session.lock().from_client.remove(&bound.key);
        self.replies.extend(answer::refusal(self.at.style, &bound.id, bound.era, refused));
    }

    /// Commits the round, and hands every ticket to the open request that it belongs to before anything is forwarded:
    /// the answer may be faster than we are.
    pub(crate) fn finish(self) -> (Turn<'f>, Rest) {
        let Self { at: Setting { session, style, .. }, round, admitted, mut replies, incidents, shown, .. } = self;
        let mut committed = round.commit();
        if let Some(error) = &committed.error {
            NO_EVIDENCE.say(&error.to_string());
            let mut state = session.lock();
            let mut withheld = committed.withheld.drain(..);
            for Admitted { requests, is_batch } in &admitted {
                let calls = requests.iter().filter(|(_, is_call)| *is_call);
                let refused: Vec<_> = withheld.by_ref().take(calls.count()).collect();
                for (bound, _) in requests {
                    state.from_client.remove(&bound.key);
                }
                match (requests.first(), refused.first()) {
                    (Some((bound, _)), Some(refused)) if !is_batch => {
                        replies.extend(answer::refusal(style, &bound.id, bound.era, refused));
                    }
                    _ => replies.extend(answer::refused_batch(style, &ids(requests), &refused)),
                }
            }
        } else if !admitted.is_empty() {
            let mut state = session.lock();
            let calls = admitted.iter().flat_map(|frame| &frame.requests).filter(|(_, is_call)| *is_call);
            let tickets = committed.permits.iter().flat_map(Permit::tickets);
            for ((bound, _), ticket) in calls.zip(tickets) {
                if let Some(open) = state.from_client.get_mut(&bound.key) {
                    open.asked = Asked::Call(Some(ticket.clone()));
                }
            }
        }
        let rest = Rest { incidents, shown, recorded: committed.error.is_none() };
        (Turn { permits: committed.permits, replies }, rest)
    }
}

impl Bound {
    pub(crate) fn of(request: &Request<'_>) -> Self {
        Self { key: request.id.key(), id: request.id.raw().into(), era: request.era }
    }
}

fn ids(requests: &[(Bound, bool)]) -> Vec<(&[u8], Era, bool)> {
    requests.iter().map(|(bound, is_call)| (&*bound.id, bound.era, *is_call)).collect()
}

pub(crate) fn refuse_in_flight(request: &Request<'_>, error: &InFlightError) -> Refusal {
    match error {
        InFlightError::InUse => request.refuse_reused_id(),
        InFlightError::Full { .. } => request.refuse(RefusalCode::TooManyInFlight, 0),
    }
}

/// 128 random bits, for naming a hold. Without randomness there is no name that nobody can guess, and no hold.
pub(crate) fn random() -> Option<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).is_ok().then_some(bytes)
}

/// Whether a person can still agree to it.
fn is_held(refused: &Refused) -> bool {
    refused.decision == Decision::StepUp && refused.hold.is_some()
}

/// A line without its end.
pub(crate) fn body_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What a `tools/call` asks for; nothing for other requests.
fn view_of<'m>(request: &Request<'m>) -> Result<Option<ToolCallView<'m>>, Refusal> {
    if request.is_tool_call() { request.tool_call().map(Some) } else { Ok(None) }
}
