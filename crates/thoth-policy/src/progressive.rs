//! When repeated violations stop being passed.

use crate::approvals::both;
use crate::policy::Policy;

/// Whose violations are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProgressiveScope {
    /// Those of one session.
    Session,
    /// Those of all sessions of one agent.
    Agent,
}

impl ProgressiveScope {
    /// The word written in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Agent => "agent",
        }
    }
}

/// What the mode `progressive` does about violations: it passes the first, asks about the next and blocks the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progressive {
    /// How many pass with a warning.
    pub warn: u32,
    /// How many after those are asked about.
    pub ask: u32,
    /// Whose violations count.
    pub per: ProgressiveScope,
    /// How long one counts, in seconds.
    pub window_seconds: u32,
}

impl Default for Progressive {
    /// One is warned of and one asked about, in a session, within a day.
    fn default() -> Self {
        Self { warn: 1, ask: 1, per: ProgressiveScope::Session, window_seconds: 24 * 60 * 60 }
    }
}

/// What one file says of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProgressiveDraft {
    pub(crate) warn: Option<u32>,
    pub(crate) ask: Option<u32>,
    pub(crate) per: Option<ProgressiveScope>,
    pub(crate) window_seconds: Option<u32>,
}

impl ProgressiveDraft {
    /// Both at once: the lower thresholds, the wider count.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            warn: both(self.warn, other.warn, u32::min),
            ask: both(self.ask, other.ask, u32::min),
            per: both(self.per, other.per, ProgressiveScope::max),
            window_seconds: both(self.window_seconds, other.window_seconds, u32::max),
        }
    }

    pub(crate) fn finish(self) -> Progressive {
        let nothing = Progressive::default();
        Progressive {
            warn: self.warn.unwrap_or(nothing.warn),
            ask: self.ask.unwrap_or(nothing.ask),
            per: self.per.unwrap_or(nothing.per),
            window_seconds: self.window_seconds.unwrap_or(nothing.window_seconds),
        }
    }
}

impl Policy {
    /// The thresholds of the mode `progressive`.
    #[must_use]
    pub const fn progressive(&self) -> Progressive {
        self.progressive
    }
}
