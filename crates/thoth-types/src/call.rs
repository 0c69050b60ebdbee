//! A tool call and who makes it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::decision::Mode;
use crate::id::{AgentId, EndpointId, ServerName, SessionId, TenantId, UserId};
use crate::integrity::Integrity;
use crate::json::Value;
use crate::remote::Remote;

/// Who calls and where: fixed for the whole session, set by the operator, never by a message.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organisation.
    pub tenant: Option<TenantId>,
    /// The person behind the agent.
    pub user: Option<UserId>,
    /// The machine.
    pub endpoint: Option<EndpointId>,
    /// The agent. Without one, rules that name an agent match as the policy's error rules say.
    pub agent: Option<AgentId>,
    /// This session.
    pub session: SessionId,
    /// The server that would execute the call.
    pub server: ServerName,
    /// What the session is for, as declared at its start.
    pub intent: Option<String>,
    /// Tools that this session may use at all, as globs; empty means that the policy's scope alone decides.
    pub approved_scope: Vec<String>,
    /// How violations are answered.
    pub mode: Mode,
}

/// Whether a tool was seen in a `tools/list` answer of this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// The server listed it.
    Yes,
    /// The server listed other tools, to the end, and not this one.
    No,
    /// No complete list was seen yet.
    Unknown,
}

impl Listed {
    /// The word written into evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// The arguments of a call. An absent or `null` value means the empty object, because that is what servers execute.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'f>(Option<Value<'f>>);

impl<'f> Arguments<'f> {
    /// The arguments as they stood in the message, if they did.
    #[must_use]
    pub fn new(value: Option<Value<'f>>) -> Self {
        Self(value.filter(|v| !v.is_null()))
    }

    /// No arguments at all.
    pub const NONE: Self = Self(None);

    /// The value, or `None` for the empty object.
    #[must_use]
    pub const fn value(&self) -> Option<Value<'f>> {
        self.0
    }

    /// One top-level argument.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'f>> {
        self.0.and_then(|v| v.get(name))
    }

    /// The exact bytes that the server would read; `{}` when there are none.
    #[must_use]
    pub fn raw(&self) -> &'f [u8] {
        self.0.map_or(b"{}", |v| v.raw())
    }
}

/// One call of one tool, as the gate sees it: borrowed from the frame that would be forwarded.
#[derive(Debug, Clone)]
pub struct ToolCall<'f> {
    /// The tool's name, unescaped and otherwise untouched.
    pub tool: Cow<'f, str>,
    /// Its arguments.
    pub arguments: Arguments<'f>,
    /// Whether the server ever listed this tool.
    pub listed: Listed,
    /// What is known of its definition; `None` where nobody keeps pins.
    pub integrity: Option<Arc<Integrity>>,
    /// For a multi-round-trip retry: the `callId` of the call that it continues.
    pub retry_of: Option<String>,
    /// Whether the client asked for execution as a task.
    pub task: bool,
    /// What else the client sent with it, as an object in its exact canonical form; empty for nothing. An approval is
    /// bound to it.
    pub also_sent: Box<[u8]>,
    /// What whoever asks for a decision calls it, where they gave it a name of their own. It is recorded, and decides nothing.
    pub enforcement_trace: Option<Arc<str>>,
    /// What the enforcer said of it, where one was asked.
    pub remote: Option<Arc<Remote>>,
}
