//! Members with a type.

use std::borrow::Cow;

use thoth_types::json::{Kind, Value};

use crate::fault::Fault;
use crate::refusal::RefusalCode;

/// An optional member; `null` is absent.
pub(super) fn present<'d>(object: Value<'d>, key: &str) -> Option<Value<'d>> {
    object.get(key).filter(|value| !value.is_null())
}

/// An optional object.
pub(super) fn object<'d>(parent: Value<'d>, key: &str, wrong: RefusalCode) -> Result<Option<Value<'d>>, Fault> {
    match present(parent, key) {
        Some(value) if !value.is_object() => Err(Fault::at(wrong, value)),
        other => Ok(other),
    }
}

/// An optional string.
pub(super) fn string<'d>(parent: Value<'d>, key: &str, wrong: RefusalCode) -> Result<Option<Cow<'d, str>>, Fault> {
    match present(parent, key) {
        Some(value) if value.kind() == Kind::String => Ok(value.as_str()),
        Some(value) => Err(Fault::at(wrong, value)),
        None => Ok(None),
    }
}

/// A string that must be there.
pub(super) fn required_string<'d>(parent: Value<'d>, key: &str, wrong: RefusalCode) -> Result<Cow<'d, str>, Fault> {
    string(parent, key, wrong)?.ok_or_else(|| Fault::at(wrong, parent))
}

/// An optional boolean.
pub(super) fn boolean(parent: Value<'_>, key: &str, wrong: RefusalCode) -> Result<Option<bool>, Fault> {
    match present(parent, key) {
        Some(value) => value.as_bool().map(Some).ok_or_else(|| Fault::at(wrong, value)),
        None => Ok(None),
    }
}
