//! What of a call's arguments and a result's content is kept as evidence.
//!
//! Content is captured once, before anything is written anywhere; what a mode drops never reaches the ledger. It is
//! kept as a *string* that holds JSON text, so that number texts survive the canonical form of the leaf.

use thoth_types::json::Value;

use crate::digest::{ContentKey, content_digest};
use crate::json::{Object, fitting};
use crate::redaction;

/// The longest content that is kept, in bytes as written into the leaf.
pub const MAX_CONTENT_BYTES: usize = 22 * 1024;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentMode {
    /// Everything.
    Full,
    /// Everything except what is recognised as a secret.
    #[default]
    Redacted,
    /// A keyed digest only.
    Hash,
    /// Nothing but its length.
    None,
}

impl ContentMode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Full, Self::Redacted, Self::Hash, Self::None];

    /// The word for it, on the wire and in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Redacted => "redacted",
            Self::Hash => "hash",
            Self::None => "none",
        }
    }
}

/// Captured content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    mode: ContentMode,
    text: Option<String>,
    bytes: u64,
    redactions: u64,
    truncated: bool,
}

impl Content {
    /// Keeps of `value` what `mode` allows. In mode `redacted` the rest of the text stays as it was, byte for byte.
    #[must_use]
    pub fn capture(mode: ContentMode, key: &ContentKey, value: Value<'_>) -> Self {
        let raw = value.raw();
        let mut content = Self::empty(mode);
        content.bytes = u64::try_from(raw.len()).unwrap_or(u64::MAX);
        match mode {
            ContentMode::Full => content.keep(std::str::from_utf8(raw).unwrap_or_default()),
            ContentMode::Redacted => {
                // Only the part that can be kept is searched: results may be megabytes long.
                let (text, redactions) = redaction::redact(value, MAX_CONTENT_BYTES);
                content.redactions = redactions;
                content.keep(&text);
            }
            ContentMode::Hash => content.text = Some(content_digest(key, raw)),
            ContentMode::None => {}
        }
        content
    }

    /// Content of a call without arguments, or of an answer without a result.
    #[must_use]
    pub const fn empty(mode: ContentMode) -> Self {
        Self { mode, text: None, bytes: 0, redactions: 0, truncated: false }
    }

    /// Whether the text is what was captured, byte for byte.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        let kept = matches!(self.mode, ContentMode::Full | ContentMode::Redacted) && self.text.is_some();
        self.bytes == 0 || (kept && self.redactions == 0 && !self.truncated)
    }

    /// What is kept, if anything: JSON text, or a digest.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// How many secrets were taken out.
    #[must_use]
    pub const fn redactions(&self) -> u64 {
        self.redactions
    }

    /// Whether its end is missing because it was too long.
    #[must_use]
    pub const fn truncated(&self) -> bool {
        self.truncated
    }

    fn keep(&mut self, text: &str) {
        let kept = fitting(text, MAX_CONTENT_BYTES);
        self.truncated = kept.len() < text.len();
        self.text = Some(kept.to_owned());
    }

    /// The members from `content` to `contentTruncated`.
    pub(crate) fn write(&self, o: &mut Object<'_>) {
        o.optional("content", self.text(), MAX_CONTENT_BYTES);
        o.number("contentBytes", self.bytes);
        o.word("contentMode", self.mode.as_str());
        if self.redactions > 0 {
            o.number("contentRedactions", self.redactions);
        }
        if self.truncated {
            o.flag("contentTruncated", true);
        }
    }
}
