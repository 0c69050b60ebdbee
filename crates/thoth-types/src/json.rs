//! Strict JSON over the original bytes.
//!
//! [`Tape::parse`] reads a document once, checks it completely, and notes where every value begins and ends; a
//! [`Value`] is then a cheap view of a part of the original bytes. Nothing is copied, no number is rounded, and what
//! a view shows is exactly what stands in the bytes: this is the one parser whose reading decides, and the bytes that
//! it has read are the bytes that are forwarded.
//!
//! Stricter than RFC 8259 where two readers could disagree: duplicate keys at any depth (compared after unescaping),
//! keys with a NUL character, lone surrogates, a byte order mark, invalid UTF-8 and numbers beyond the range of a double are refused.

pub mod canonical;
mod keys;
mod parse;
mod plain_run;
mod source_span;
mod value;
mod walk_path;

pub use parse::{Limits, Tape};
pub use plain_run::plain_run;
pub use source_span::to_raw;
pub use value::{Elements, Kind, Members, Value};
pub use walk_path::{KeptPlace, WalkPath};

/// Why a text is not acceptable JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub code: JsonErrorCode,
    /// The first byte at which it is wrong.
    pub offset: usize,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum JsonErrorCode {
    /// It ended in the middle of a value.
    #[error("unexpected end of input")]
    UnexpectedEnd,
    /// A byte that cannot stand there.
    #[error("unexpected byte")]
    UnexpectedByte,
    /// Something follows the document.
    #[error("data after the end of the document")]
    TrailingData,
    /// A byte order mark.
    #[error("byte order mark")]
    ByteOrderMark,
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A raw control character inside a string.
    #[error("control character in a string")]
    ControlCharacter,
    /// An escape sequence that JSON does not have.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// Half of a surrogate pair.
    #[error("lone surrogate escape")]
    LoneSurrogate,
    /// Not a number of the JSON grammar, such as `NaN`, `+1`, `01` or `1.`.
    #[error("invalid number")]
    InvalidNumber,
    /// A number that a double cannot hold, which peers read as infinity or null.
    #[error("number out of range")]
    NumberOutOfRange,
    /// The same key twice in one object.
    #[error("duplicate key")]
    DuplicateKey,
    /// A key with a NUL character, where some readers end it.
    #[error("NUL character in a key")]
    NulInKey,
    /// Nested deeper than [`Limits::max_depth`].
    #[error("nested too deeply")]
    TooDeep,
    /// More values than [`Limits::max_values`].
    #[error("too many values")]
    TooManyValues,
    /// Longer than [`Limits::max_bytes`].
    #[error("too long")]
    TooLong,
}
