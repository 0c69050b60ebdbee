//! What columns hold, read strictly.

use std::borrow::Cow;

use jiff::Timestamp;
use thoth_types::HoldToken;

use crate::error::{Fault, PostgresError};
use crate::session::damaged;

/// A time as it is written.
pub(crate) fn nanoseconds(time: Timestamp) -> Result<i64, PostgresError> {
    i64::try_from(time.as_nanosecond()).map_err(|_| PostgresError::Time(time))
}

/// Whether a column can have this text at all: PostgreSQL has no zero byte in texts, so nothing is known by such a name.
pub(crate) fn storable(text: &str) -> bool {
    !text.contains('\0')
}

/// A name as a column takes it: PostgreSQL has no zero byte in texts. What an event says of itself keeps it.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The time that was written so.
pub(crate) fn time(nanoseconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_err(damaged)
}

/// The hex digits of a token.
pub(crate) fn digits(token: &HoldToken) -> &str {
    token.as_str().strip_prefix("hold_").unwrap_or(token.as_str())
}

/// The token with these digits.
pub(crate) fn token(digits: &str) -> Result<HoldToken, Fault> {
    HoldToken::parse(&format!("hold_{digits}"))
        .ok_or_else(|| damaged(format!("`{}` is no name of a hold", digits.escape_debug())))
}
