//! What is asked.

use std::fmt;

use thoth_types::{Arguments, HarmClasses};

/// Over what a rate is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateScope {
    /// All calls of this session.
    Session,
    /// All calls of this agent, in all of its sessions.
    Agent,
    /// The calls of this tool in this session.
    Tool,
}

impl RateScope {
    /// The word written in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Agent => "agent",
            Self::Tool => "tool",
        }
    }
}

/// What happened before in this session. Only calls that went out count as calls.
///
/// Names of tools are given as they were sent. Two names are those of one tool when [`crate::counted_name`] makes them
/// equal: otherwise each spelling of a name would have a rate of its own.
pub trait History {
    /// Whether any earlier call of this session passes `test`, which is given its tool and server.
    fn called_before(&self, test: &mut dyn FnMut(&str, &str) -> bool) -> bool;

    /// How many calls there were in `scope` since `since`. `tool` is the tool now called, as sent; for
    /// [`RateScope::Tool`] it is to be compared by its [`crate::counted_name`].
    fn calls_since(&self, scope: RateScope, tool: &str, since: jiff::Timestamp) -> u64;

    /// What was found in results of this session. A session never loses a label.
    fn labels(&self) -> HarmClasses;
}

/// A session without a past.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl History for NoHistory {
    fn called_before(&self, _test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        false
    }

    fn calls_since(&self, _scope: RateScope, _tool: &str, _since: jiff::Timestamp) -> u64 {
        0
    }

    fn labels(&self) -> HarmClasses {
        HarmClasses::NONE
    }
}

/// A session in which nothing was called before, and which bears these labels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Labelled(pub HarmClasses);

impl History for Labelled {
    fn called_before(&self, _test: &mut dyn FnMut(&str, &str) -> bool) -> bool {
        false
    }

    fn calls_since(&self, _scope: RateScope, _tool: &str, _since: jiff::Timestamp) -> u64 {
        0
    }

    fn labels(&self) -> HarmClasses {
        self.0
    }
}

/// One call, as policy sees it.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The tool's name, as in the message.
    pub tool: &'a str,
    /// The operator's name for the server.
    pub server: &'a str,
    /// The agent. `None`: rules that name an agent cannot be decided.
    pub agent: Option<&'a str>,
    /// The person behind the agent.
    pub user: Option<&'a str>,
    /// What the session is for, as declared.
    pub intent: Option<&'a str>,
    /// The call's arguments.
    pub arguments: Arguments<'a>,
    /// When.
    pub now: jiff::Timestamp,
    /// What happened before.
    pub history: &'a dyn History,
}

impl<'a> Query<'a> {
    /// A call of `tool` on `server` without arguments, agent or past, at the Unix epoch. The other fields are public.
    #[must_use]
    pub const fn new(tool: &'a str, server: &'a str) -> Self {
        Self {
            tool,
            server,
            agent: None,
            user: None,
            intent: None,
            arguments: Arguments::NONE,
            now: jiff::Timestamp::UNIX_EPOCH,
            history: &NoHistory,
        }
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("tool", &self.tool)
            .field("server", &self.server)
            .field("agent", &self.agent)
            .field("arguments", &self.arguments)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
