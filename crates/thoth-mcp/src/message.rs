//! One decoded message, borrowed from its frame.

use std::borrow::Cow;

use thoth_types::json::Value;

use crate::fault::Fault;
use crate::id::Id;
use crate::keys;
use crate::refusal::{Refusal, RefusalCode, RefusedShape};

/// Which way a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the agent's host to the server.
    ClientToServer,
    /// From the server to the agent's host.
    ServerToClient,
}

impl Direction {
    /// The word written into evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientToServer => "client_to_server",
            Self::ServerToClient => "server_to_client",
        }
    }
}

/// Which protocol a message speaks, told by the message alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// Revisions up to 2025-11-25: `initialize`, then a session.
    Legacy,
    /// Revision 2026-07-28 and later: every request names its revision in `_meta`.
    Modern,
}

/// What one line held.
#[derive(Debug, Clone)]
pub enum Frame<'d> {
    /// One message.
    One(Message<'d>),
    /// A batch, never empty. Only in revision 2025-03-26.
    Batch(Vec<Message<'d>>),
}

impl<'d> Frame<'d> {
    /// The messages in order.
    #[must_use]
    pub fn messages(&self) -> &[Message<'d>] {
        match self {
            Self::One(message) => std::slice::from_ref(message),
            Self::Batch(messages) => messages,
        }
    }
}

/// One message.
#[derive(Debug, Clone)]
pub enum Message<'d> {
    /// Expects an answer.
    Request(Request<'d>),
    /// Expects none.
    Notification(Notification<'d>),
    /// Is one.
    Response(Response<'d>),
}

impl<'d> Message<'d> {
    /// The exact bytes of the message's object.
    #[must_use]
    pub fn raw(&self) -> &'d [u8] {
        match self {
            Self::Request(request) => request.raw,
            Self::Notification(notification) => notification.raw,
            Self::Response(response) => response.raw,
        }
    }

    /// The method, which a response has not.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request(request) => Some(&request.method),
            Self::Notification(notification) => Some(&notification.method),
            Self::Response(_) => None,
        }
    }

    /// The id, which a notification and some errors have not.
    #[must_use]
    pub const fn id(&self) -> Option<Id<'d>> {
        match self {
            Self::Request(request) => Some(request.id),
            Self::Notification(_) => None,
            Self::Response(response) => response.id,
        }
    }

    /// The protocol it speaks, as far as it says so itself.
    #[must_use]
    pub const fn era(&self) -> Era {
        match self {
            Self::Request(request) => request.era,
            Self::Notification(notification) => notification.era,
            Self::Response(response) => response.era,
        }
    }

    /// Top-level members that JSON-RPC does not know. They are forwarded as they stand, so evidence should name them.
    pub fn extra_members(&self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> + use<'d> {
        let object = match self {
            Self::Request(request) => request.object,
            Self::Notification(notification) => notification.object,
            Self::Response(response) => response.object,
        };
        object
            .members()
            .filter_map(|(key, value)| key.as_str().map(|text| (text, value)))
            .filter(|(text, _)| !keys::ENVELOPE.contains(&&**text))
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request<'d> {
    /// Its id.
    pub id: Id<'d>,
    /// Its method, unescaped.
    pub method: Cow<'d, str>,
    /// Its parameters: an object, where present.
    pub params: Option<Value<'d>>,
    /// The protocol it speaks.
    pub era: Era,
    /// The exact bytes of its object.
    pub raw: &'d [u8],
    pub(crate) object: Value<'d>,
}

impl Request<'_> {
    /// A refusal of this request, for what only its receiver can know: an id that is still in flight, say. `offset`
    /// counts from the start of the frame.
    #[must_use]
    pub fn refuse(&self, code: RefusalCode, offset: usize) -> Refusal {
        Refusal {
            id: Some(self.id.raw().into()),
            shape: RefusedShape::Request,
            ..Refusal::new(code, offset, self.raw.len())
        }
    }

    /// The refusal of an id that an unanswered request still uses.
    #[must_use]
    pub fn refuse_reused_id(&self) -> Refusal {
        // Answering under that id would be taken for the answer to the first request.
        Refusal { id: None, ..self.refuse(RefusalCode::IdInUse, self.object.span().start) }
    }

    pub(crate) fn refuse_fault(&self, fault: Fault) -> Refusal {
        self.refuse(fault.code, fault.offset)
    }
}

/// A notification.
#[derive(Debug, Clone)]
pub struct Notification<'d> {
    /// Its method, unescaped.
    pub method: Cow<'d, str>,
    /// Its parameters: an object, where present.
    pub params: Option<Value<'d>>,
    /// The protocol it speaks, as far as it says so itself.
    pub era: Era,
    /// The exact bytes of its object.
    pub raw: &'d [u8],
    pub(crate) object: Value<'d>,
}

impl Notification<'_> {
    /// The refusal of this notification, for a reason that may lie outside of it.
    #[must_use]
    pub fn refuse(&self, code: RefusalCode, offset: usize) -> Refusal {
        Refusal { shape: RefusedShape::Notification, ..Refusal::new(code, offset, self.raw.len()) }
    }

    pub(crate) fn refuse_fault(&self, fault: Fault) -> Refusal {
        self.refuse(fault.code, fault.offset)
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'d> {
    /// Well: always an object.
    Result(Value<'d>),
    /// Badly: always an object.
    Error(Value<'d>),
}

/// A response.
#[derive(Debug, Clone)]
pub struct Response<'d> {
    /// The id of the request that it answers. Only a server's error may lack it, when it could not read one.
    pub id: Option<Id<'d>>,
    /// How the request ended.
    pub outcome: Outcome<'d>,
    /// Modern where the result says `resultType`; the request's own era is the better witness.
    pub era: Era,
    /// The exact bytes of its object.
    pub raw: &'d [u8],
    pub(crate) object: Value<'d>,
}

impl<'d> Response<'d> {
    /// The result, if it is one.
    #[must_use]
    pub const fn result(&self) -> Option<Value<'d>> {
        match self.outcome {
            Outcome::Result(result) => Some(result),
            Outcome::Error(_) => None,
        }
    }

    /// The error, if it is one.
    #[must_use]
    pub const fn error(&self) -> Option<Value<'d>> {
        match self.outcome {
            Outcome::Result(_) => None,
            Outcome::Error(error) => Some(error),
        }
    }

    /// A refusal of this response, for what only its receiver can know.
    #[must_use]
    pub fn refuse(&self, code: RefusalCode, offset: usize) -> Refusal {
        Refusal {
            id: self.id.map(|id| id.raw().into()),
            shape: RefusedShape::Response,
            ..Refusal::new(code, offset, self.raw.len())
        }
    }

    pub(crate) fn refuse_fault(&self, fault: Fault) -> Refusal {
        self.refuse(fault.code, fault.offset)
    }
}
