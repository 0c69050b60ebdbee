//! What a person reads in the client's dialogue about a held call, and what the answer means.
//!
//! The arguments come from the model, and through it from whoever wrote what the model has read. They stand in lines of
//! their own, each with a mark in front, so that nothing in them can be taken for a line of ours, and they are written
//! out by [`thoth_types::display`].

use jiff::Timestamp;
use thoth_gate::hold::Hold;
use thoth_mcp::{Choice, ElicitAction, ElicitResult, Elicitation, Request, StateOf, ToolCallView, cut_round_trip};
use thoth_types::display;
use thoth_types::json::{Limits, Tape, Value};

use crate::sealed_state::{Sealer, State, Unopened};

/// Our keys in `inputRequests` begin with this, in the way of the protocol's own extensions; the hold's short name
/// follows, so that an answer to one question is never one to another. Whatever begins so is ours and goes to no server.
pub(crate) const KEY_PREFIX: &str = "io.github.thoth-mcp/approval-";

/// The form's one field.
const DECISION: Choice = Choice {
    name: "decision",
    title: "Your decision",
    // In this order, because some clients offer the first word as if it had been chosen.
    options: &[DENY, ALLOW],
};
const ALLOW: &str = "allow once";
const DENY: &str = "deny";

/// The longest text of a dialogue, in characters.
const MAX_MESSAGE: usize = 2000;
/// The longest name, and the longest reason, that is shown whole.
const MAX_NAME: usize = 60;
const MAX_REASON: usize = 240;
/// How wide a line of arguments may be. Longer ones are broken here, where each part gets its mark.
const WIDTH: usize = 70;
/// Where less room is left, an argument is not begun.
const MIN_ARGUMENT: usize = 40;
/// Stand in front of every line of arguments. Readers of Markdown take both for code, and so show nothing but the text.
const MARK: &str = "    | ";
const MARK_AGAIN: &str = "    |     ";

/// What a person has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This very call may go out once.
    Approve,
    /// It may not.
    Deny,
    /// Neither.
    NoAnswer,
}

/// What a modern client's request brings back of a question of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Retry {
    /// An answer to it. The state tells which hold it is about; whether that still waits, only the store knows.
    Answered(State, Answer),
    /// Something that is worth nothing any more: the time is over, or it is of an earlier session.
    Stale,
    /// An answer to an earlier question of ours beside a state of the server's.
    Leftover,
}

/// The key of the question about a hold.
pub(crate) fn key(hold: &Hold) -> String {
    format!("{KEY_PREFIX}{}", hold.token.short())
}

/// The token of a request of our own, quotes included. Nobody can guess it, and no server's looks like it.
pub(crate) fn request_id(random: [u8; 16]) -> String {
    format!("\"thoth-{:032x}\"", u128::from_be_bytes(random))
}

/// The question about a held call, as a form.
pub(crate) fn question(hold: &Hold) -> Elicitation {
    let lead = "Thoth holds a tool call until you answer. Allow it only if you want exactly this to happen, once.";
    Elicitation::Form { message: message(hold, lead), choice: DECISION }
}

/// The question as an address to go to, where the policy names one. Agreeing to go there is no approval.
pub(crate) fn address(hold: &Hold, elicitation_id: &str) -> Option<Elicitation> {
    let url = hold.requirement.url.as_deref()?.replace("{hold}", hold.token.as_str());
    let lead = "Thoth holds a tool call until it is approved at the address below. Opening it approves nothing yet.";
    Some(Elicitation::Url { message: message(hold, lead), url, elicitation_id: elicitation_id.to_owned() })
}

/// What the answer to a form means. Only the chosen word approves: an accept without it may come from a client that
/// accepts by itself.
pub(crate) fn read_answer(result: Option<ElicitResult<'_>>) -> Answer {
    match result {
        Some(result) if result.action == ElicitAction::Accept => match result.text(DECISION.name).as_deref() {
            Some(ALLOW) => Answer::Approve,
            Some(DENY) => Answer::Deny,
            _ => Answer::NoAnswer,
        },
        Some(result) if result.action == ElicitAction::Decline => Answer::Deny,
        _ => Answer::NoAnswer,
    }
}

impl Retry {
    /// What of ours a call brings back, if anything.
    ///
    /// A state that begins as ours do and is none of this session counts as ours only beside a key of ours. Without one
    /// it stays where it is, for it may be the server's own; nothing is approved by it either way.
    pub(crate) fn read(call: &ToolCallView<'_>, sealer: &Sealer, now: Timestamp) -> Option<Self> {
        let ours = |(key, _): (Value<'_>, Value<'_>)| key.as_str().is_some_and(|key| key.starts_with(KEY_PREFIX));
        let has_key = call.input_responses.is_some_and(|all| all.members().any(ours));
        let state = call.request_state.and_then(|state| state.as_str());
        match state.map(|state| sealer.open(&state, now)) {
            Some(Ok(state)) => {
                let key = format!("{KEY_PREFIX}{}", state.hold.short());
                let answer = read_answer(call.elicit_result(&key));
                Some(Self::Answered(state, answer))
            }
            Some(Err(Unopened::Expired)) => Some(Self::Stale),
            Some(Err(Unopened::Broken)) if has_key => Some(Self::Stale),
            _ => has_key.then_some(Self::Leftover),
        }
    }

    /// The line without anything of ours, to be decoded again. `request` is what was decoded from `line`.
    pub(crate) fn cut(&self, line: &[u8], request: &Request<'_>) -> Vec<u8> {
        let state = if *self == Self::Leftover { StateOf::Server } else { StateOf::Gate };
        cut_round_trip(line, request, KEY_PREFIX, state)
    }
}

fn message(hold: &Hold, lead: &str) -> String {
    let name = |text: &str| shortened(&display::name(text), MAX_NAME).0;
    let mut out = format!("{lead}\n\n");
    let mut row = |label: &str, value: String| out.push_str(&format!("    {label:<8}{value}\n"));
    row("Tool:", name(&hold.tool));
    row("Server:", name(hold.caller.server.as_str()));
    if let Some(agent) = &hold.caller.agent {
        row("Agent:", name(agent.as_str()));
    }
    if let Some(rule) = &hold.why.rule {
        let place = hold.why.place.as_ref().map(|place| format!(" ({})", name(&place.to_string()))).unwrap_or_default();
        row("Rule:", format!("{}{place}", name(rule)));
    }
    row("Risk:", hold.why.risk.as_str().to_owned());
    row("Hold:", format!("{}, until {}", hold.token.short(), hold.ends_at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    row("Reason:", shortened(&display::quoted(&hold.why.reason), MAX_REASON).0);
    let end = format!("\nNot all of it is shown. All of it: `thoth approvals show {}`\n", hold.token.short());
    let room =
        MAX_MESSAGE.saturating_sub(out.chars().count() + end.chars().count() + "\nArguments (bytes):\n\n".len() + 20);
    let (lines, all) = arguments(&hold.arguments, room);
    if lines.is_empty() {
        out.push_str("\nNo arguments.\n");
    } else {
        out.push_str(&format!("\nArguments ({} bytes):\n\n{lines}", thousands(hold.arguments.len())));
    }
    if !all {
        out.push_str(&end);
    }
    out
}

/// The arguments in marked lines of at most `room` characters altogether, and whether that is all of them.
fn arguments(bytes: &[u8], mut room: usize) -> (String, bool) {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: bytes.len(), ..Limits::default() };
    let Ok(object) = tape.parse(bytes, &limits) else { return (format!("{MARK}(they cannot be read)\n"), false) };
    let (mut lines, mut all) = (String::new(), true);
    let mut left = object.members().count();
    for (key, value) in object.members() {
        // What is left is shared by those that are left; the marks take their part.
        let share = (room / left.max(1)) * WIDTH / (WIDTH + MARK_AGAIN.len() + 1);
        let Some(share) = share.checked_sub(MARK_AGAIN.len()).filter(|share| *share >= MIN_ARGUMENT) else {
            let more = format!("{MARK}… and {} more\n", thousands(left));
            return (lines + &more, false);
        };
        let (name, name_whole) = shortened(&display::name(&key.as_str().unwrap_or_default()), MIN_ARGUMENT / 2);
        let (text, whole) = shortened(&display::json(value), share.saturating_sub(name.chars().count() + 2));
        all &= whole && name_whole;
        let before = lines.chars().count();
        push_marked(&mut lines, &format!("{name}: {text}"));
        room = room.saturating_sub(lines.chars().count() - before);
        left -= 1;
    }
    (lines, all)
}

/// Adds a text in lines of [`WIDTH`], each with its mark.
fn push_marked(out: &mut String, text: &str) {
    let mut mark = MARK;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(WIDTH).map_or(rest.len(), |(at, _)| at);
        let (line, after) = rest.split_at(end);
        out.push_str(mark);
        out.push_str(line);
        out.push('\n');
        (mark, rest) = (MARK_AGAIN, after);
    }
}

/// The text in at most `most` characters, its middle left out where it is longer, and whether it is whole. The sign for
/// what is left out cannot stand in a text that [`display`] has written, where it would look like three points.
fn shortened(text: &str, most: usize) -> (String, bool) {
    let length = text.chars().count();
    if length <= most {
        return (text.to_owned(), true);
    }
    let sign = |bytes: usize| format!(" … {} bytes more … ", thousands(bytes));
    let kept = most.saturating_sub(sign(text.len()).chars().count());
    let tail = kept / 3;
    let at = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    let (head_end, tail_start) = (at(kept - tail), at(length - tail));
    let (head, rest) = text.split_at(head_end);
    let (middle, tail) = rest.split_at(tail_start - head_end);
    (format!("{head}{}{tail}", sign(middle.len())), false)
}

/// A number with its thousands set apart.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
