//! Why a frame is not forwarded, and what its sender is told.

use std::fmt;

use thoth_types::json::{JsonErrorCode, Limits, Tape};

use crate::encode::error_response;
use crate::id::{Id, IdKey};

macro_rules! refusal_codes {
    ($($(#[$doc:meta])* $variant:ident => $word:literal, $number:literal, $text:literal;)+) => {
        /// Why a frame was refused: stable codes that evidence, scripts and detection rules may rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RefusalCode {
            $($(#[$doc])* $variant),+
        }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The JSON-RPC error code that the sender is told: -32700 (not JSON), -32600 (not a message) or -32602
            /// (not these parameters).
            #[must_use]
            pub const fn jsonrpc_code(self) -> i64 {
                match self { $(Self::$variant => $number),+ }
            }

            /// What is wrong, for a person.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

refusal_codes! {
    /// Longer than the frame limit.
    FrameTooLong => "frame_too_long", -32600, "the message is longer than the limit";
    /// The stream ended inside a line.
    FrameUnterminated => "frame_unterminated", -32600, "the stream ended before the message did";
    /// A carriage return elsewhere than right before the newline: some peers end a line there.
    BareCarriageReturn => "bare_carriage_return", -32700, "carriage return inside the message";
    /// A newline inside the message: it would be forwarded as several lines.
    NewlineInside => "newline_inside", -32700, "newline inside the message";
    /// JSON that stops in the middle.
    UnexpectedEnd => "unexpected_end", -32700, "unexpected end of JSON";
    /// Not JSON.
    UnexpectedByte => "unexpected_byte", -32700, "unexpected byte in JSON";
    /// More than one document on the line.
    TrailingData => "trailing_data", -32700, "data after the end of the message";
    /// A byte order mark.
    ByteOrderMark => "byte_order_mark", -32700, "byte order mark";
    /// Not UTF-8.
    InvalidUtf8 => "invalid_utf8", -32700, "invalid UTF-8";
    /// A raw control character in a string.
    ControlCharacter => "control_character", -32700, "control character in a string";
    /// An escape sequence that JSON does not have.
    InvalidEscape => "invalid_escape", -32700, "invalid escape sequence";
    /// Half of a surrogate pair.
    LoneSurrogate => "lone_surrogate", -32700, "lone surrogate escape";
    /// Not a JSON number, such as `NaN`.
    InvalidNumber => "invalid_number", -32700, "invalid number";
    /// A number that a double cannot hold.
    NumberOutOfRange => "number_out_of_range", -32700, "number out of range";
    /// The same key twice in one object, at any depth.
    DuplicateKey => "duplicate_key", -32600, "duplicate key";
    /// Nested too deeply.
    TooDeep => "too_deep", -32600, "nested too deeply";
    /// Too many values.
    TooManyValues => "too_many_values", -32600, "too many values";
    /// A control character in a key: some peers end the key there.
    ControlCharacterInKey => "control_character_in_key", -32600, "control character in a key";
    /// Two keys that differ only in case, or one that is a known key but for its case.
    FoldedKey => "folded_key", -32600, "key that a case-insensitive reader would take for another";
    /// A batch, and the session's revision has none.
    BatchNotNegotiated => "batch_not_negotiated", -32600, "batch outside protocol revision 2025-03-26";
    /// A batch of nothing.
    BatchEmpty => "batch_empty", -32600, "empty batch";
    /// A batch of more than [`MAX_BATCH`](crate::MAX_BATCH) messages.
    BatchTooLong => "batch_too_long", -32600, "too many messages in one batch";
    /// Two requests of one batch with the same id.
    BatchIdReused => "batch_id_reused", -32600, "two requests of one batch have the same id";
    /// Neither an object nor a batch.
    NotAnObject => "not_an_object", -32600, "message is not an object";
    /// `jsonrpc` is not exactly `"2.0"`.
    BadVersion => "bad_version", -32600, "`jsonrpc` is not \"2.0\"";
    /// An id that is neither a string nor an integral number, or that is missing where one must be.
    BadId => "bad_id", -32600, "`id` is neither a string nor an integer";
    /// An id of more than [`MAX_ID_BYTES`](crate::MAX_ID_BYTES) bytes.
    IdTooLong => "id_too_long", -32600, "`id` is too long";
    /// An id that is still in use by an unanswered request.
    IdInUse => "id_in_use", -32600, "`id` belongs to a request that is still in flight";
    /// More requests are unanswered than can be tracked.
    TooManyInFlight => "too_many_in_flight", -32600, "too many requests are in flight, wait for answers";
    /// An answer to a request that the receiver did not make, or that was answered already.
    UnsolicitedResponse => "unsolicited_response", -32600, "answer to a request that is not open";
    /// Something that the gate keeps back: a question that looks like an attack, a prompt that is not what was approved.
    Withheld => "withheld", -32600, "it is kept back: it looks like an attack or is not what was approved";
    /// Request and response in one, or result and error in one.
    MixedShape => "mixed_shape", -32600, "message mixes request and response";
    /// Neither request, notification nor response.
    NoShape => "no_shape", -32600, "message is neither request nor response";
    /// A method that is not a plain string.
    BadMethod => "bad_method", -32600, "`method` is not a plain string";
    /// A governed method but for its case.
    FoldedMethod => "folded_method", -32600, "method that a case-insensitive reader would take for another";
    /// `params` is not an object.
    ParamsNotObject => "params_not_object", -32602, "`params` is not an object";
    /// `_meta` is not an object, or a governed member of it has the wrong type.
    BadMeta => "bad_meta", -32602, "`_meta` is not as the protocol demands";
    /// A `tools/call` without an id.
    CallWithoutId => "call_without_id", -32600, "`tools/call` without an id";
    /// A `tools/call` whose `name` is not a string.
    BadToolName => "bad_tool_name", -32602, "`params.name` is not a string";
    /// A tool's name of more than [`MAX_TOOL_NAME_BYTES`](crate::MAX_TOOL_NAME_BYTES) bytes, called or listed.
    ToolNameTooLong => "tool_name_too_long", -32602, "the tool's name is too long";
    /// A task's id of more than [`MAX_TASK_ID_BYTES`](crate::MAX_TASK_ID_BYTES) bytes.
    TaskIdTooLong => "task_id_too_long", -32602, "the task's id is too long";
    /// A `tools/call` whose `arguments` are neither an object nor `null`.
    ArgumentsNotObject => "arguments_not_object", -32602, "`params.arguments` is not an object";
    /// Another governed parameter is missing or of the wrong type.
    BadParams => "bad_params", -32602, "a parameter is missing or has the wrong type";
    /// `result` is not an object.
    ResultNotObject => "result_not_object", -32600, "`result` is not an object";
    /// `error` is not an object.
    ErrorNotObject => "error_not_object", -32600, "`error` is not an object";
    /// A governed member of a result is missing or of the wrong type.
    BadResult => "bad_result", -32600, "a member of the result is missing or has the wrong type";
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<JsonErrorCode> for RefusalCode {
    fn from(code: JsonErrorCode) -> Self {
        match code {
            JsonErrorCode::UnexpectedEnd => Self::UnexpectedEnd,
            JsonErrorCode::UnexpectedByte => Self::UnexpectedByte,
            JsonErrorCode::TrailingData => Self::TrailingData,
            JsonErrorCode::ByteOrderMark => Self::ByteOrderMark,
            JsonErrorCode::InvalidUtf8 => Self::InvalidUtf8,
            JsonErrorCode::ControlCharacter => Self::ControlCharacter,
            JsonErrorCode::InvalidEscape => Self::InvalidEscape,
            JsonErrorCode::LoneSurrogate => Self::LoneSurrogate,
            JsonErrorCode::InvalidNumber => Self::InvalidNumber,
            JsonErrorCode::NumberOutOfRange => Self::NumberOutOfRange,
            JsonErrorCode::DuplicateKey => Self::DuplicateKey,
            JsonErrorCode::NulInKey => Self::ControlCharacterInKey,
            JsonErrorCode::TooDeep => Self::TooDeep,
            JsonErrorCode::TooManyValues => Self::TooManyValues,
            JsonErrorCode::TooLong => Self::FrameTooLong,
        }
    }
}

/// What a refused frame looks like from outside. A guess, good enough to answer its sender or to fail the request
/// that it would have answered, and never a reason to forward anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedShape {
    /// It names a method and carries an id: its sender waits.
    Request,
    /// It names a method and carries no id.
    Notification,
    /// It carries a result or an error.
    Response,
    /// It cannot be told.
    Unknown,
}

/// Why a frame is not forwarded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message of {length} bytes refused at byte {offset}: {text} (`{code}`)", text = code.text())]
pub struct Refusal {
    /// What is wrong.
    pub code: RefusalCode,
    /// The first byte of the frame at which it is wrong.
    pub offset: usize,
    /// How long the frame is, in bytes, line end excluded.
    pub length: usize,
    /// The exact bytes of its id, where that can be read without doubt.
    pub id: Option<Box<[u8]>>,
    /// What it seems to be.
    pub shape: RefusedShape,
    /// The ids of all requests in a refused batch.
    pub(crate) batch: Vec<Box<[u8]>>,
}

impl Refusal {
    /// A refusal of a frame of `length` bytes whose id is not known.
    #[must_use]
    pub const fn new(code: RefusalCode, offset: usize, length: usize) -> Self {
        Self { code, offset, length, id: None, shape: RefusedShape::Unknown, batch: Vec::new() }
    }

    /// What its id is compared by, where it has one.
    #[must_use]
    pub fn id_key(&self) -> Option<IdKey> {
        let mut tape = Tape::new();
        let id = tape.parse(self.id.as_deref()?, &Limits::default()).ok()?;
        Id::read(id).ok().map(|id| id.key())
    }

    /// The answer that the sender waits for, as one line with its newline: a JSON-RPC error per request with a
    /// readable id. `None` when nobody waits or when it cannot be told under which id.
    ///
    /// Who is answered is the caller's business: a refused answer, above all, must never be answered.
    #[must_use]
    pub fn response(&self) -> Option<Vec<u8>> {
        if !self.batch.is_empty() {
            let mut out = vec![b'['];
            for (i, id) in self.batch.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(self.error_for(id).trim_ascii_end());
            }
            out.extend_from_slice(b"]\n");
            return Some(out);
        }
        match (&self.id, self.shape) {
            (Some(id), RefusedShape::Request) => Some(self.error_for(id)),
            _ => None,
        }
    }

    fn error_for(&self, id: &[u8]) -> Vec<u8> {
        let message = format!("message refused: {} at byte {}", self.code.text(), self.offset);
        let data = format!(r#"{{"reason_code":"{}","offset":{}}}"#, self.code, self.offset);
        error_response(id, self.code.jsonrpc_code(), &message, Some(data.as_bytes()))
    }
}
