//! What a person reads in the client's dialogue about a held call, and what the answer means.
//!
//! The arguments come from the model, and through it from whoever wrote what the model has read. They stand in lines of
//! their own, each with a mark in front, so that nothing in them can be taken for a line of ours, and they are written
//! out by [`thoth_types::display`].

use std::borrow::Cow;

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
/// How wide a line may be. Longer ones are broken here, where each part gets its mark.
const WIDTH: usize = 70;
/// The longest escape, as in `\u{10ffff}`, and how wide a line at least is that was broken before one.
const MAX_ESCAPE: usize = 10;
const LEAST_WIDTH: usize = WIDTH - MAX_ESCAPE;
/// How much of each end of a long text is looked at: more than is ever shown, four bytes a character.
const EDGE: usize = 4 * MAX_MESSAGE;
/// The longest name of an argument, and the room without which none is begun: it leaves some for the value.
const MAX_ARGUMENT_NAME: usize = 40;
const MIN_ARGUMENT: usize = 2 * MAX_ARGUMENT_NAME;
/// Stand in front of every line of arguments. Readers of Markdown take both for code, and so show nothing but the text.
const MARK: &str = "    | ";
const MARK_AGAIN: &str = "    |     ";

/// What a person has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "it is the word for what is no answer")]
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
    let short = hold.token.short();
    let (mut out, mut all) = (format!("{lead}\n\n"), true);
    let mut row = |label: &str, text: &str, most: usize| {
        let (text, whole) = shortened(text, most);
        push_lines(&mut out, &format!("    {label:<8}"), "            ", &text);
        all &= whole;
    };
    row("Tool:", &display::name(&hold.tool), MAX_NAME);
    row("Server:", &display::name(hold.caller.server.as_str()), MAX_NAME);
    if let Some(agent) = &hold.caller.agent {
        row("Agent:", &display::name(agent.as_str()), MAX_NAME);
    }
    if let Some(rule) = &hold.why.rule {
        let place = hold.why.place.as_ref().map(ToString::to_string);
        let place = place.map(|place| format!(" ({})", display::name(&place))).unwrap_or_default();
        row("Rule:", &format!("{}{place}", display::name(rule)), 2 * MAX_NAME);
    }
    row("Risk:", hold.why.risk.as_str(), MAX_NAME);
    row("Hold:", &format!("{short}, until {}", hold.ends_at.strftime("%Y-%m-%d %H:%M:%S UTC")), MAX_NAME);
    if !hold.also_sent.is_empty() {
        row("Also:", &display::unmistakable(&edges(&hold.also_sent).0), MAX_REASON);
    }
    row("Reason:", &display::quoted(&edges(&hold.why.reason).0), MAX_REASON);
    let heading = format!("\nArguments ({} bytes):\n\n", display::grouped(hold.arguments.len()));
    let more = format!("\nNot all of it is shown. All of it: `thoth approvals show {short}`\n");
    let room = [&out, &heading, &more].iter().fold(MAX_MESSAGE, |room, part| room.saturating_sub(part.chars().count()));
    let (lines, all_lines) = arguments(&hold.arguments, room);
    if lines.is_empty() {
        out.push_str("\nNo arguments.\n");
    } else {
        out.push_str(&heading);
        out.push_str(&lines);
    }
    if !(all && all_lines) {
        out.push_str(&more);
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
        let share = (room / left.max(1)) * LEAST_WIDTH / (LEAST_WIDTH + MARK_AGAIN.len() + 1);
        let Some(share) = share.checked_sub(MARK_AGAIN.len()).filter(|share| *share >= MIN_ARGUMENT) else {
            lines.push_str(&format!("{MARK}… and {} more\n", display::grouped(left)));
            return (lines, false);
        };
        let (name, name_whole) = argument_name(&key.as_str().unwrap_or_default());
        let (text, whole) = argument_text(value, share.saturating_sub(name.chars().count() + 2));
        all &= whole && name_whole;
        let before = lines.len();
        push_lines(&mut lines, MARK, MARK_AGAIN, &format!("{name}: {text}"));
        room = room.saturating_sub(lines.get(before..).unwrap_or_default().chars().count());
        left -= 1;
    }
    (lines, all)
}

fn argument_name(name: &str) -> (String, bool) {
    let (part, beyond) = edges(name);
    shortened_by(&display::name(&part), MAX_ARGUMENT_NAME, beyond)
}

fn argument_text(value: Value<'_>, most: usize) -> (String, bool) {
    let raw = std::str::from_utf8(value.raw()).unwrap_or_default();
    match edges(raw) {
        (Cow::Borrowed(_), _) => shortened(&display::json(value), most),
        // JSON as it is written: nothing in it can begin a line either.
        (Cow::Owned(part), beyond) => shortened_by(&display::unmistakable(&part), most, beyond),
    }
}

/// Both ends of a text that is far too long to be shown, and how many bytes are left out between them: whoever sends
/// megabytes keeps nobody busy with writing them out.
fn edges(text: &str) -> (Cow<'_, str>, usize) {
    if text.len() <= 2 * EDGE {
        return (Cow::Borrowed(text), 0);
    }
    let (head, rest) = text.split_at(text.floor_char_boundary(EDGE));
    let (between, tail) = rest.split_at(rest.ceil_char_boundary(rest.len() - EDGE));
    (Cow::Owned(format!("{head}{tail}")), between.len())
}

/// Adds a text in lines of at most [`WIDTH`], the first one after `first` and every other one after `next`. What is
/// written as an escape stays in one line.
fn push_lines(out: &mut String, first: &str, next: &str, text: &str) {
    out.push_str(first);
    let (mut used, mut rest) = (0, text);
    while !rest.is_empty() {
        let (unit, after) = rest.split_at(first_unit(rest));
        let width = unit.chars().count();
        if used > 0 && used + width > WIDTH {
            out.push('\n');
            out.push_str(next);
            used = 0;
        }
        out.push_str(unit);
        (used, rest) = (used + width, after);
    }
    out.push('\n');
}

/// How long the first character of a text is, or the escape that stands for one.
fn first_unit(text: &str) -> usize {
    let one = |text: &str| text.chars().next().map_or(0, char::len_utf8);
    match text.strip_prefix('\\') {
        Some(escape) if escape.starts_with("u{") => {
            escape.find('}').filter(|end| *end < MAX_ESCAPE).map_or(1, |end| end + 2)
        }
        Some(escape) => 1 + one(escape),
        None => one(text),
    }
}

/// The text in at most `most` characters, its middle left out where it is longer, and whether it is whole. The sign for
/// what is left out cannot stand in a text that [`display`] has written, where it would look like three points.
fn shortened(text: &str, most: usize) -> (String, bool) {
    shortened_by(text, most, 0)
}

/// The same of a text of which [`edges`] has left out bytes.
fn shortened_by(text: &str, most: usize, beyond: usize) -> (String, bool) {
    let length = text.chars().count();
    if length <= most {
        return (text.to_owned(), true);
    }
    let sign = |bytes: usize| format!(" … {} bytes more … ", display::grouped(bytes + beyond));
    let kept = most.saturating_sub(sign(text.len()).chars().count());
    let tail = kept / 3;
    let at = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    let (head_end, tail_start) = (at(kept - tail), at(length - tail));
    let (head, rest) = text.split_at(head_end);
    let (middle, tail) = rest.split_at(tail_start - head_end);
    (format!("{head}{}{tail}", sign(middle.len())), false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use thoth_gate::hold::{HoldState, Why};
    use thoth_mcp::{BatchRule, Decoder, Direction, Frame, Message};
    use thoth_types::{
        Binding, Caller, HoldToken, Mode, Place, ReasonCode, Redacted, Requester, Requirement, RiskLevel,
    };

    use super::*;
    use crate::sealed_state::PREFIX;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn hold(tool: &str, arguments: &str) -> Hold {
        Hold {
            token: HoldToken::new([0x3f; 16]),
            binding: Binding([7; 32]),
            caller: Caller {
                tenant: None,
                user: None,
                endpoint: None,
                agent: Some("triage-bot".parse().unwrap()),
                session: "s".parse().unwrap(),
                server: "notes".parse().unwrap(),
                intent: None,
                approved_scope: Vec::new(),
                mode: Mode::Block,
            },
            requester: Requester { account: "dev".into(), uid: 1000, user: None, client: None },
            tool: tool.into(),
            arguments: arguments.as_bytes().into(),
            call_id: "c".into(),
            trace_id: "t".into(),
            also_sent: "".into(),
            enforcement_trace: None,
            modified: false,
            arguments_digest: "d".into(),
            why: Why {
                reason: "deletions need a person".to_owned(),
                reason_code: ReasonCode::RuleApprove,
                rule: Some("approve-deletions".into()),
                place: Some(Place { file: "team.yaml".into(), line: 12, column: 5 }),
                risk: RiskLevel::High,
                policy_digest: "p".into(),
            },
            requirement: Requirement {
                url: Some(Arc::from("https://approve.example/{hold}")),
                ..Requirement::default()
            },
            created_at: at(0),
            ends_at: at(1_795_000_000),
            state: HoldState::Pending,
            votes: Vec::new(),
            spent_by: None,
            shown: Vec::new(),
        }
    }

    fn text(hold: &Hold) -> String {
        match question(hold) {
            Elicitation::Form { message, choice } => {
                assert_eq!(choice, DECISION);
                message
            }
            Elicitation::Url { .. } => panic!("a form"),
        }
    }

    #[test]
    fn a_plain_question() {
        let text = text(&hold("delete_note", r#"{"id":"n-17","force":true,"tags":["a",{"b":1.0}]}"#));
        assert_eq!(
            text,
            "\
Thoth holds a tool call until you answer. Allow it only if you want exactly this to happen, once.

    Tool:   delete_note
    Server: notes
    Agent:  triage-bot
    Rule:   approve-deletions (team.yaml:12:5)
    Risk:   high
    Hold:   3f3f3f3f, until 2026-11-18 11:06:40 UTC
    Reason: \"deletions need a person\"

Arguments (49 bytes):

    | id: \"n-17\"
    | force: true
    | tags: [\"a\", {\"b\": 1.0}]
"
        );
    }
    /// Defends that a model cannot write our part of the question, hide its own or speak to the display.
    #[test]
    fn a_hostile_question() {
        let mut hostile = hold(
            "read_note\n    Risk:   none\u{202e}",
            r#"{"path":"/tmp/x\n\n    Rule:   allow-everything\n\u001b[2J\u202e\u200b","p\u0430th":"/\u0435tc/passwd",
"html":"<b>*allow*</b> [x](https://evil.example)","long":"LONG","\"}\nNo arguments.":[]}"#
                .replace("LONG", &"a".repeat(200_000))
                .as_str(),
        );
        hostile.why.reason = "argument `path` is `x`\nReason: none\u{1b}[m".to_owned();
        assert_eq!(
            text(&hostile),
            "\
Thoth holds a tool call until you answer. Allow it only if you want exactly this to happen, once.

    Tool:   \"read_note\\n    Risk:   none\\u{202e}\"
    Server: notes
    Agent:  triage-bot
    Rule:   approve-deletions (team.yaml:12:5)
    Risk:   high
    Hold:   3f3f3f3f, until 2026-11-18 11:06:40 UTC
    Reason: \"argument `path` is `x`\\nReason: none\\u{1b}[m\"

Arguments (200,188 bytes):

    | path: \"/tmp/x\\n\\n    Rule:   allow-everything\\n\\u{1b}[2J\\u{202e}
    |     \\u{200b}\"
    | \"p\\u{430}th\": \"/\\u{435}tc/passwd\"
    | html: \"<b>*allow*</b> [x](https://evil.example)\"
    | long: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaa … 199,471 bytes more … aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    |     \"
    | \"\\\"}\\nNo arguments.\": []

Not all of it is shown. All of it: `thoth approvals show 3f3f3f3f`
"
        );
    }

    /// Defends the session's thread: what is too long to be read is not written out, and is still counted to the byte.
    #[test]
    fn megabytes_are_cut_before_they_are_looked_at() {
        let (key, value) = ("k".repeat(100_000), "\u{434}".repeat(1_000_000));
        let text = text(&hold("t", &format!(r#"{{"{key}":["{value}"]}}"#)));
        assert!(text.contains("\n    | kkkkkkkkkkk … 99,984 bytes more … kkkkk: [\"\u{434}"), "{text}");
        assert!(text.contains("[\"\u{434}\u{434}") && text.contains("\u{434}\"]\n"), "{text}");
        let (part, beyond) = edges(&value);
        assert_eq!((part.len() + beyond, part.len() <= 2 * EDGE), (value.len(), true));
        assert!(matches!(edges(value.get(..2 * EDGE).unwrap()), (Cow::Borrowed(_), 0)));
    }

    #[test]
    fn a_call_without_arguments_says_so() {
        assert!(text(&hold("t", "{}")).ends_with("\n\nNo arguments.\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Defends the dialogue: it has an end, and what is ours and what is the model's can be told apart line by line.
        #[test]
        fn every_question_is_short_and_every_argument_marked(
            tool in any::<String>(),
            reason in any::<String>(),
            arguments in proptest::collection::vec((any::<String>(), any::<String>(), 1_usize..40), 0..16),
        ) {
            let arguments: serde_json::Map<_, _> =
                arguments.into_iter().map(|(key, value, times)| (key, value.repeat(times).into())).collect();
            let count = arguments.len();
            let mut hold = hold(&tool, &serde_json::Value::Object(arguments).to_string());
            hold.why.reason = reason;
            let text = text(&hold);
            prop_assert!(text.chars().count() <= MAX_MESSAGE, "{}", text.chars().count());
            let labels = ["Tool:   ", "Server: ", "Agent:  ", "Rule:   ", "Risk:   ", "Hold:   ", "Reason: "];
            let mut next_label = labels.iter();
            let mut shown = 0;
            for line in text.lines() {
                if let Some(argument) = line.strip_prefix(MARK) {
                    shown += usize::from(!argument.starts_with("    "));
                } else if line.starts_with("            ") {
                    // The rest of the row above.
                } else if let Some(row) = line.strip_prefix("    ") {
                    let label = next_label.next();
                    prop_assert!(label.is_some_and(|label| row.starts_with(label)), "{line}");
                } else {
                    let ours = ["", "No arguments."].contains(&line)
                        || ["Thoth holds a tool call", "Arguments (", "Not all of it is shown."]
                            .iter()
                            .any(|start| line.starts_with(start));
                    prop_assert!(ours, "{line:?}");
                }
            }
            prop_assert!(next_label.next().is_none());
            let cut = text.contains("Not all of it is shown.");
            prop_assert!(shown == count || cut, "{shown} of {count}");
            prop_assert_eq!(cut, text.contains('\u{2026}'));
        }
    }

    #[test]
    fn an_address_is_that_of_the_hold() {
        let mut held = hold("delete_note", "{}");
        let Some(Elicitation::Url { message, url, elicitation_id }) = address(&held, "e-1") else {
            panic!("an address")
        };
        assert_eq!(url, format!("https://approve.example/{}", held.token));
        assert_eq!(elicitation_id, "e-1");
        assert!(message.contains("approves nothing yet") && message.contains("Tool:   delete_note"), "{message}");
        held.requirement.url = None;
        assert_eq!(address(&held, "e-1"), None);
    }

    fn call<T>(params: &str, look: impl FnOnce(&Request<'_>, &[u8]) -> T) -> T {
        let line = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"t",{params}}}}}"#);
        let mut decoder = Decoder::default();
        match decoder.decode(line.as_bytes(), Direction::ClientToServer, BatchRule::Refuse) {
            Ok(Frame::One(Message::Request(request))) => look(&request, line.as_bytes()),
            other => panic!("a request, not {other:?}: {line}"),
        }
    }

    /// Defends that nothing but the chosen word approves.
    #[test]
    fn what_answers_mean() {
        for (answer, meaning) in [
            (r#"{"action":"accept","content":{"decision":"allow once"}}"#, Answer::Approve),
            (r#"{"action":"accept","content":{"decision":"deny"}}"#, Answer::Deny),
            (r#"{"action":"accept","content":{"decision":"Allow once"}}"#, Answer::NoAnswer),
            (r#"{"action":"accept","content":{"decision":true}}"#, Answer::NoAnswer),
            (r#"{"action":"accept","content":{}}"#, Answer::NoAnswer),
            (r#"{"action":"accept"}"#, Answer::NoAnswer),
            (r#"{"action":"decline"}"#, Answer::Deny),
            (r#"{"action":"decline","content":{"decision":"allow once"}}"#, Answer::Deny),
            (r#"{"action":"cancel","content":{"decision":"allow once"}}"#, Answer::NoAnswer),
            (r#"{"action":"yes","content":{"decision":"allow once"}}"#, Answer::NoAnswer),
        ] {
            call(&format!(r#""inputResponses":{{"k":{answer}}}"#), |request, _| {
                assert_eq!(read_answer(request.tool_call().unwrap().elicit_result("k")), meaning, "{answer}");
            });
        }
        assert_eq!(read_answer(None), Answer::NoAnswer);
    }

    /// Defends that an answer counts only with the state of the question, in the session that asked, under its key; and
    /// that nothing of ours is left in what goes on.
    #[test]
    fn what_retries_bring_back() {
        let session = "s".parse().unwrap();
        let sealer = Sealer::new(Redacted::new([1; 32]), &session);
        let held = hold("t", "{}");
        let state = State { hold: held.token.clone(), binding: held.binding, expires_at: at(1_000), nonce: [9; 24] };
        let ours = sealer.seal(&state).unwrap();
        let earlier = Sealer::new(Redacted::new([2; 32]), &session).seal(&state).unwrap();
        let yes = r#"{"action":"accept","content":{"decision":"allow once"}}"#;
        let key = key(&held);
        assert_eq!(key, "io.github.thoth-mcp/approval-3f3f3f3f");
        let answered = |answer| Some(Retry::Answered(state.clone(), answer));
        let theirs = r#""requestState":"s""#;
        for (now, params, expected, left) in [
            (
                999,
                format!(r#""inputResponses":{{"{key}":{yes}}},"requestState":"{ours}""#),
                answered(Answer::Approve),
                "",
            ),
            (999, format!(r#""requestState":"{ours}""#), answered(Answer::NoAnswer), ""),
            (
                999,
                format!(r#""inputResponses":{{"{KEY_PREFIX}00000000":{yes},"k":{{}}}},"requestState":"{ours}""#),
                answered(Answer::NoAnswer),
                r#","inputResponses":{"k":{}}"#,
            ),
            (1_000, format!(r#""inputResponses":{{"{key}":{yes}}},"requestState":"{ours}""#), Some(Retry::Stale), ""),
            (0, format!(r#""inputResponses":{{"{key}":{yes}}},"requestState":"{earlier}""#), Some(Retry::Stale), ""),
            (0, format!(r#""inputResponses":{{"{key}":{yes}}}"#), Some(Retry::Leftover), ""),
            (
                0,
                format!(r#""inputResponses":{{"{key}":{yes}}},{theirs}"#),
                Some(Retry::Leftover),
                r#","requestState":"s""#,
            ),
            // The server's own round trip, also where its state begins as ours do.
            (0, format!(r#""inputResponses":{{"k":{yes}}},{theirs}"#), None, ""),
            (0, format!(r#""inputResponses":{{"k":{yes}}},"requestState":"{PREFIX}7""#), None, ""),
            (0, r#""arguments":{}"#.to_owned(), None, ""),
        ] {
            call(&params, |request, line| {
                let retry = Retry::read(&request.tool_call().unwrap(), &sealer, at(now));
                assert_eq!(retry, expected, "{params}");
                let Some(retry) = retry else { return };
                let expected =
                    format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"t"{left}}}}}"#);
                assert_eq!(String::from_utf8(retry.cut(line, request)).unwrap(), expected, "{params}");
            });
        }
    }

    #[test]
    fn requests_of_our_own_have_ids_that_nobody_guesses() {
        assert_eq!(request_id([0xa5; 16]), format!("\"thoth-{}\"", "a5".repeat(16)));
        assert_ne!(request_id([1; 16]), request_id([2; 16]));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        for (text, most, expected) in [
            ("abc", 3, ("abc".to_owned(), true)),
            (&"a".repeat(1_030), 50, (format!("{} … 1,002 bytes more … {}", "a".repeat(19), "a".repeat(9)), false)),
            (&"é".repeat(1_030), 50, (format!("{} … 2,004 bytes more … {}", "é".repeat(19), "é".repeat(9)), false)),
        ] {
            assert_eq!(shortened(text, most), expected);
        }
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(display::grouped(number), expected);
        }
    }
}
