//! What could not be scanned, and why.

use serde_json::{Value, json};
use thoth_types::display::{harmless, name};

use super::catalogue::Origin;

/// Something that was to be scanned and was not.
#[derive(Debug, Clone)]
pub(crate) struct Missed {
    pub(crate) server: String,
    pub(crate) origin: Origin,
    /// A stable word.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Whether somebody wanted it so, such as with `--static-only`.
    pub(crate) wanted: bool,
}

impl Missed {
    pub(crate) fn new(server: &str, origin: Origin, code: &'static str, message: String) -> Self {
        Self { server: server.to_owned(), origin, code, message, hint: None, wanted: false }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Not scanned because somebody said so.
    pub(crate) const fn wanted(mut self) -> Self {
        self.wanted = true;
        self
    }

    /// For people, harmless.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({}): {}", name(&self.server), harmless(&self.origin.shown()), harmless(&self.message))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "server": self.server,
            "origin": self.origin.shown(),
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "wanted": self.wanted,
        })
    }
}
