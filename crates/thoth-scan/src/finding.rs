//! What was found: which threat, by which rule, where, and on what evidence.

use std::ops::Range;
use std::sync::Arc;

use crate::threat::{Severity, Threat};
use thoth_text::Encoding;

/// Evidence longer than this is cut, with an ellipsis.
const LONGEST_EVIDENCE: usize = 240;

/// What kind of thing a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource.
    Resource,
    /// A resource template.
    ResourceTemplate,
    /// What the server says about itself.
    Instructions,
    /// A message of the server: a question for the user or for the model.
    Message,
}

impl Item {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::ResourceTemplate => "resource_template",
            Self::Instructions => "instructions",
            Self::Message => "message",
        }
    }
}

/// The text that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// As it stands, cut to a bounded length.
    pub raw: String,
    /// As it reads, cut likewise.
    pub normalised: String,
    /// How it was hidden, if it was.
    pub encoding: Option<Encoding>,
}

impl Evidence {
    /// Evidence that was not hidden.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        Self { raw: bounded(text), normalised: bounded(text), encoding: None }
    }
}

/// A text cut to the length that evidence may have.
pub(crate) fn bounded(text: &str) -> String {
    cut(text, LONGEST_EVIDENCE)
}

/// The longest name that is told whole: by it a finding is known to be of an item, and no gate knows a tool by a longer one.
const LONGEST_NAME: usize = 1024;

/// The name of an item.
pub(crate) fn bounded_name(name: &str) -> String {
    cut(name, LONGEST_NAME)
}

fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(longest);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// One thing found in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The server, where a set of servers was scanned.
    pub server: Option<String>,
    /// What it is about.
    pub item: Item,
    /// The tool's, prompt's or resource's name; empty for instructions and messages.
    pub name: String,
    /// Which threat.
    pub threat: Threat,
    /// How bad.
    pub severity: Severity,
    /// The rule that found it.
    pub rule: Arc<str>,
    /// Where in the definition, as an RFC 6901 pointer. Points at the member when its key is what was found.
    pub pointer: String,
    /// Which bytes of the (unescaped) string there.
    pub bytes: Range<usize>,
    /// What is wrong, as a sentence for people.
    pub message: String,
    /// What to do about it.
    pub remedy: Arc<str>,
    /// The text it rests on.
    pub evidence: Evidence,
}

/// The worst severity among findings.
#[must_use]
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}
