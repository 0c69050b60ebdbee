//! What was found, where, and what the settings want done about it.

use std::fmt;
use std::ops::Range;

/// What kind of harm a detection is about. Policy gives an action to each class and direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Keys, tokens, passwords.
    Secrets,
    /// Payment cards, account numbers, national identifiers; mail addresses and phone numbers where asked for.
    PersonalData,
    /// Commands where none belong, or dangerous ones where they do.
    Shell,
    /// Ways out of a folder, and files that hold credentials or configure the system.
    Path,
    /// SQL smuggled into a value, or statements that destroy.
    Sql,
    /// Requests to addresses behind the caller's walls.
    Ssrf,
    /// Text that gives a model instructions.
    Injection,
}

impl Class {
    /// All classes, in the order in which policy lists them.
    pub const ALL: [Self; 7] =
        [Self::Secrets, Self::PersonalData, Self::Shell, Self::Path, Self::Sql, Self::Ssrf, Self::Injection];

    /// Its name in policy and evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::PersonalData => "personal_data",
            Self::Shell => "shell",
            Self::Path => "path",
            Self::Sql => "sql",
            Self::Ssrf => "ssrf",
            Self::Injection => "injection",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way the document goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the model to a tool.
    Arguments,
    /// From a tool to the model.
    Results,
}

impl Direction {
    /// Its name in policy and evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arguments => "arguments",
            Self::Results => "results",
        }
    }
}

/// What to do about a detection. Ordered: a later one is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Record it and let it pass.
    Allow,
    /// Take it out and let the rest pass.
    Redact,
    /// Ask a human.
    Ask,
    /// Refuse.
    Block,
}

impl Action {
    /// Its name in policy and evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Redact => "redact",
            Self::Ask => "ask",
            Self::Block => "block",
        }
    }
}

/// How sure a detector is. Detections below the settings' threshold are not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// Often innocent.
    Low,
    /// Rarely innocent.
    Medium,
    /// A format, a check digit or several independent signs say so.
    High,
}

impl Confidence {
    /// Its name in policy and evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// What harm it is about.
    pub class: Class,
    /// The stable id of the rule, such as `secrets.github_token`; it opens with the class.
    pub kind: &'static str,
    /// Which way the document goes.
    pub direction: Direction,
    /// Where in the document: a JSON pointer (RFC 6901). Text that is itself JSON adds `!` and a pointer inside it.
    pub pointer: String,
    /// The bytes of the document that it covers, which redaction replaces.
    pub span: Range<usize>,
    /// Whether the bytes are (part of) a key and not of a value.
    pub in_key: bool,
    /// Whether the bytes are a whole number and not text.
    pub is_number: bool,
    /// How sure the detector is.
    pub confidence: Confidence,
    /// What it is, in plain words; never the secret.
    pub message: &'static str,
    /// What a person may see of it: masked for secrets and personal data, shortened for the rest.
    pub preview: String,
    /// What the settings want done.
    pub action: Action,
}

/// Why an inspection did not see everything. Failure tightens: whoever sees this must not forward the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incomplete {
    /// More detections than the settings' cap.
    TooManyDetections,
    /// The document is longer than the settings' cap.
    TooLong,
    /// More values than are judged by what they are used for, where the settings refuse what was not looked at.
    TooManyValues,
    /// More in it that must be looked at closely than any document has that is not made for that.
    TooDense,
    /// JSON in strings in JSON, deeper or more of it than the settings' caps.
    TooDeep,
}

impl Incomplete {
    /// Its name in evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooManyDetections => "too_many_detections",
            Self::TooLong => "too_long",
            Self::TooManyValues => "too_many_values",
            Self::TooDense => "too_dense",
            Self::TooDeep => "too_deep",
        }
    }
}

/// The outcome of inspecting one document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// What was found, in the order of the document.
    pub detections: Vec<Detection>,
    /// Set if not everything was looked at.
    pub incomplete: Option<Incomplete>,
}

impl Inspection {
    /// Whether everything was looked at and nothing found.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.detections.is_empty() && self.incomplete.is_none()
    }

    /// The strictest action over all detections; an incomplete inspection blocks.
    #[must_use]
    pub fn action(&self) -> Action {
        if self.incomplete.is_some() {
            return Action::Block;
        }
        self.detections.iter().map(|detection| detection.action).max().unwrap_or(Action::Allow)
    }

    /// The classes that were found, each once, in order: what labels a session.
    #[must_use]
    pub fn classes(&self) -> Vec<Class> {
        let mut classes: Vec<Class> = self.detections.iter().map(|detection| detection.class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}
