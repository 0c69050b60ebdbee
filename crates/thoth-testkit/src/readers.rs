//! How other JSON readers understand a message: the referee for "what was inspected is what is executed".
//!
//! A message that our decoder accepts must mean the same to every reader here, whatever it does with duplicate keys,
//! letter case or control characters. Shared by property tests and fuzz targets.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use thoth_mcp::{Direction, Frame, FrameBuffer, Framed, Message, Outcome};
use thoth_types::json::{Kind, Value};

/// A JSON value as `serde_json`'s parser reports it, with every member of every object, duplicates too.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, rounded.
    Number(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object's members in order.
    Object(Vec<(String, Self)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

/// How a reader finds the member for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The first of duplicates counts.
    FirstWins,
    /// The last of duplicates counts, as in JavaScript and Python.
    LastWins,
    /// Letter case is ignored, with Unicode's folds, and the first counts.
    FoldedFirst,
    /// Letter case is ignored, with Unicode's folds, and the last counts, as in Go.
    FoldedLast,
    /// A key ends at its first control character, and the last counts.
    CutAtControl,
}

impl Reader {
    /// All readers.
    pub const ALL: [Self; 5] =
        [Self::FirstWins, Self::LastWins, Self::FoldedFirst, Self::FoldedLast, Self::CutAtControl];

    fn takes(self, found: &str, wanted: &str) -> bool {
        match self {
            Self::FirstWins | Self::LastWins => found == wanted,
            Self::FoldedFirst | Self::FoldedLast => fold(found) == fold(wanted),
            Self::CutAtControl => found.split(char::is_control).next() == Some(wanted),
        }
    }

    /// The member that this reader takes for `key`.
    #[must_use]
    pub fn get<'j>(self, object: &'j Json, key: &str) -> Option<&'j Json> {
        let Json::Object(members) = object else { return None };
        let mut found = members.iter().filter(|(name, _)| self.takes(name, key)).map(|(_, value)| value);
        match self {
            Self::FirstWins | Self::FoldedFirst => found.next(),
            Self::LastWins | Self::FoldedLast | Self::CutAtControl => found.next_back(),
        }
    }
}

/// To capitals and back merges whatever either direction merges.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Whether our view of a value is what `serde_json` read.
#[must_use]
pub fn same(ours: Value<'_>, theirs: &Json) -> bool {
    match theirs {
        Json::Null => ours.is_null(),
        Json::Bool(value) => ours.as_bool() == Some(*value),
        // By its own reading of our text: without its `float_roundtrip` it rounds long numbers a little off.
        Json::Number(_) => {
            ours.kind() == Kind::Number && serde_json::from_slice::<Json>(ours.raw()).is_ok_and(|ours| ours == *theirs)
        }
        Json::String(value) => ours.kind() == Kind::String && ours.as_str().as_deref() == Some(value),
        Json::Array(elements) => {
            ours.kind() == Kind::Array
                && ours.elements().count() == elements.len()
                && ours.elements().zip(elements).all(|(ours, theirs)| same(ours, theirs))
        }
        Json::Object(members) => {
            ours.is_object()
                && ours.members().count() == members.len()
                && ours
                    .members()
                    .zip(members)
                    .all(|((key, ours), (name, theirs))| key.is_str(name) && same(ours, theirs))
        }
    }
}

fn agrees(ours: Option<Value<'_>>, theirs: Option<&Json>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => same(ours, theirs),
        // Absent and `null` are one to whoever executes it.
        (None, None | Some(Json::Null)) => true,
        (Some(ours), None) => ours.is_null(),
        (None, Some(_)) => false,
    }
}

/// What, if anything, some reader understands otherwise than `frame`, which was decoded from `body`.
#[must_use]
pub fn disagreement(body: &[u8], frame: &Frame<'_>, direction: Direction) -> Option<String> {
    if body.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return Some("a line end inside a frame".to_owned());
    }
    let document: Json = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(error) => return Some(format!("serde_json refuses it: {error}")),
    };
    let objects = match (&document, frame) {
        (Json::Array(elements), Frame::Batch(_)) => elements.as_slice(),
        (_, Frame::One(_)) => std::slice::from_ref(&document),
        (_, Frame::Batch(_)) => return Some("not a batch".to_owned()),
    };
    if objects.len() != frame.messages().len() {
        return Some("another number of messages".to_owned());
    }
    frame.messages().iter().zip(objects).find_map(|(message, object)| {
        Reader::ALL.into_iter().find_map(|reader| {
            message_disagreement(message, object, reader)
                .map(|what| format!("{reader:?} reads another {what} ({})", direction.as_str()))
        })
    })
}

fn message_disagreement(message: &Message<'_>, object: &Json, reader: Reader) -> Option<&'static str> {
    let get = |key: &str| reader.get(object, key);
    let is = |found: Option<&Json>, wanted: &str| matches!(found, Some(Json::String(text)) if text == wanted);
    if !is(get("jsonrpc"), "2.0") {
        return Some("version");
    }
    let id_agrees = match (message.id(), get("id")) {
        (None, None | Some(Json::Null)) => true,
        (Some(id), Some(theirs)) => serde_json::from_slice::<Json>(id.raw()).is_ok_and(|ours| ours == *theirs),
        _ => false,
    };
    if !id_agrees {
        return Some("id");
    }
    match message.method() {
        Some(method) if !is(get("method"), method) => return Some("method"),
        None if get("method").is_some() => return Some("method"),
        _ => {}
    }
    let (params, result, error) = match message {
        Message::Request(request) => (request.params, None, None),
        Message::Notification(notification) => (notification.params, None, None),
        Message::Response(response) => match response.outcome {
            Outcome::Result(result) => (None, Some(result), None),
            Outcome::Error(error) => (None, None, Some(error)),
        },
    };
    for (key, ours) in [("params", params), ("result", result), ("error", error)] {
        if !agrees(ours, get(key)) {
            return Some(key);
        }
    }
    let within = |outer: &str, key: &str| get(outer).and_then(|outer| reader.get(outer, key));
    if let Message::Request(request) = message
        && request.is_tool_call()
    {
        let Ok(call) = request.tool_call() else { return Some("readability as a call") };
        if !is(within("params", "name"), &call.name) {
            return Some("tool");
        }
        if !agrees(call.arguments, within("params", "arguments")) {
            return Some("arguments");
        }
        if !agrees(call.request_state, within("params", "requestState")) {
            return Some("request state");
        }
        if !agrees(call.input_responses, within("params", "inputResponses")) {
            return Some("input responses");
        }
    }
    for key in ["tools", "content", "structuredContent", "isError", "resultType", "inputRequests"] {
        if !agrees(result.and_then(|result| result.get(key)), within("result", key)) {
            return Some("member of the result");
        }
    }
    None
}

/// The bodies of a stream's lines, `None` for those that are refused for their length, and whether a tail is left that
/// was never ended.
pub type Lines = (Vec<Option<Vec<u8>>>, bool);

/// The lines as the simplest possible reader finds them. A blank line within the limit is left out; beyond it, it is
/// refused like any other.
#[must_use]
pub fn simple_lines(input: &[u8], max_frame: usize) -> Lines {
    let is_blank = |line: &[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let tail = lines.pop().unwrap_or_default();
    let bodies = lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let frames = bodies
        .filter(|body| body.len() > max_frame || !is_blank(body))
        .map(|body| (body.len() <= max_frame).then(|| body.to_vec()))
        .collect();
    (frames, tail.len() > max_frame + 1 || !is_blank(tail))
}

/// The lines as a [`FrameBuffer`] finds them when the stream arrives in pieces of these sizes, again and again.
///
/// # Errors
/// A promise of the buffer that was broken.
pub fn buffered_lines(input: &[u8], max_frame: usize, pieces: &[u8]) -> Result<Lines, &'static str> {
    let mut buffer = FrameBuffer::new(max_frame);
    let mut sizes = pieces.iter().cycle();
    let (mut lines, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let wanted = sizes.next().map_or(usize::MAX, |size| usize::from(*size).max(1));
        let spare = buffer.spare();
        if spare.is_empty() {
            return Err("no room to read to");
        }
        let (now, later) = rest.split_at(wanted.min(spare.len()).min(rest.len()));
        for (to, from) in spare.iter_mut().zip(now) {
            *to = *from;
        }
        rest = later;
        buffer.advance(now.len());
        for framed in buffer.frames() {
            match framed {
                Framed::Line { whole, body } => {
                    if !matches!(whole.strip_prefix(body), Some(b"\n" | b"\r\n")) {
                        return Err("the whole line is not the body and its line end");
                    }
                    lines.push(Some(body.to_vec()));
                }
                Framed::Refused(refusal) => {
                    if refusal.length <= max_frame {
                        return Err("a line within the limit was refused");
                    }
                    lines.push(None);
                }
            }
        }
        buffer.consume();
    }
    Ok((lines, buffer.finish().is_some()))
}
