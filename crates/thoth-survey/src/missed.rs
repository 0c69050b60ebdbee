//! What could not be scanned, and why.

use serde_json::{Value, json};
use thoth_types::ItemKind;
use thoth_types::display::{harmless, name};

use crate::catalogue::Origin;

/// Something that was to be scanned and was not.
#[derive(Debug, Clone)]
pub struct Missed {
    /// The server's name.
    pub server: String,
    /// Where it was found.
    pub origin: Origin,
    /// A stable word.
    pub code: &'static str,
    /// Why, as a fragment.
    pub message: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
    /// Whether somebody wanted it so, such as with `--static-only`.
    pub wanted: bool,
    /// Of what the list is that was not had, where it is no more than that.
    pub list: Option<ItemKind>,
}

impl Missed {
    /// Something that was not scanned.
    #[must_use]
    pub fn new(server: &str, origin: Origin, code: &'static str, message: String) -> Self {
        Self { server: server.to_owned(), origin, code, message, hint: None, wanted: false, list: None }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Not scanned because somebody said so.
    pub const fn wanted(mut self) -> Self {
        self.wanted = true;
        self
    }

    /// For people, harmless.
    pub fn shown(&self) -> String {
        format!("{} ({}): {}", name(&self.server), harmless(&self.origin.shown()), harmless(&self.message))
    }

    /// For scripts.
    #[must_use]
    pub fn to_json(&self) -> Value {
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
