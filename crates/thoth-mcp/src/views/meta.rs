//! `_meta`, of parameters and of results.

use std::borrow::Cow;

use thoth_types::json::{Kind, Value};

use crate::fault::Fault;
use crate::id::Id;
use crate::keys;
use crate::message::{Message, Request};
use crate::refusal::RefusalCode;
use crate::views::fields;

/// In every modern request; its presence is what makes one.
pub(crate) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

/// A `_meta` object. What clients and servers say about themselves here is evidence, never identity.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'d>(Value<'d>);

impl<'d> Meta<'d> {
    /// Takes `_meta` out of `params` or of a result and checks it.
    pub(crate) fn read(parent: Value<'d>) -> Result<Option<Self>, Fault> {
        let Some(meta) = fields::object(parent, "_meta", RefusalCode::BadMeta)? else { return Ok(None) };
        keys::check_meta(meta)?;
        for (key, value) in meta.members() {
            let fits = if key.is_str(PROTOCOL_VERSION) {
                value.kind() == Kind::String
            } else if key.is_str("progressToken") {
                value.is_null() || Id::read(value).is_ok()
            } else {
                true
            };
            if !fits {
                return Err(Fault::at(RefusalCode::BadMeta, value));
            }
        }
        Ok(Some(Self(meta)))
    }

    /// A `_meta` of a message that was decoded, and with it checked.
    pub(super) const fn checked(meta: Value<'d>) -> Self {
        Self(meta)
    }

    /// Any member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'d>> {
        self.0.get(key)
    }

    /// The protocol revision that a modern request speaks.
    #[must_use]
    pub fn protocol_version(&self) -> Option<Cow<'d, str>> {
        self.get(PROTOCOL_VERSION)?.as_str()
    }

    /// What a modern client can do.
    #[must_use]
    pub fn client_capabilities(&self) -> Option<Value<'d>> {
        self.get(CLIENT_CAPABILITIES)
    }

    /// What a modern client calls itself.
    #[must_use]
    pub fn client_info(&self) -> Option<Value<'d>> {
        self.get(CLIENT_INFO)
    }

    /// The token under which the sender wants to hear of progress.
    #[must_use]
    pub fn progress_token(&self) -> Option<Id<'d>> {
        self.get("progressToken").and_then(|token| Id::read(token).ok())
    }

    /// W3C trace context.
    #[must_use]
    pub fn traceparent(&self) -> Option<Cow<'d, str>> {
        self.get("traceparent")?.as_str()
    }

    /// The legacy task to which a message belongs.
    #[must_use]
    pub fn related_task(&self) -> Option<Cow<'d, str>> {
        self.get(RELATED_TASK)?.get("taskId")?.as_str()
    }
}

impl<'d> Message<'d> {
    /// The `_meta` of its parameters or result.
    #[must_use]
    pub fn meta(&self) -> Option<Meta<'d>> {
        let parent = match self {
            Self::Request(request) => request.params,
            Self::Notification(notification) => notification.params,
            Self::Response(response) => response.result(),
        };
        meta_of(parent)
    }
}

impl<'d> Request<'d> {
    /// The `_meta` of its parameters.
    #[must_use]
    pub fn meta(&self) -> Option<Meta<'d>> {
        meta_of(self.params)
    }
}

/// Checked when the message was decoded.
fn meta_of(parent: Option<Value<'_>>) -> Option<Meta<'_>> {
    parent.and_then(|parent| fields::present(parent, "_meta")).map(Meta)
}
