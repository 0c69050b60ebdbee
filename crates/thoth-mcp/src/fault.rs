//! What is wrong with a message, before it is known whose message it is.

use thoth_types::json::{JsonError, Value};

use crate::refusal::RefusalCode;

/// A reason to refuse, and the first byte at which it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: RefusalCode,
    pub(crate) offset: usize,
}

impl Fault {
    pub(crate) const fn new(code: RefusalCode, offset: usize) -> Self {
        Self { code, offset }
    }

    /// A fault that shows at `value`.
    pub(crate) fn at(code: RefusalCode, value: Value<'_>) -> Self {
        Self { code, offset: value.span().start }
    }
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Self {
        Self { code: RefusalCode::from(error.code), offset: error.offset }
    }
}
