//! Messages about the session: how it starts and what is called off.

use std::borrow::Cow;

use thoth_types::json::Value;

use crate::fault::Fault;
use crate::id::Id;
use crate::message::{Notification, Request, Response};
use crate::refusal::{Refusal, RefusalCode};
use crate::views::fields;

/// The parameters of `initialize` (legacy era).
#[derive(Debug, Clone)]
pub struct InitializeRequest<'d> {
    /// The revision that the client proposes.
    pub protocol_version: Cow<'d, str>,
    /// What the client can do: an object.
    pub capabilities: Option<Value<'d>>,
    /// What the client calls itself: evidence, never identity.
    pub client_info: Option<Value<'d>>,
}

/// The answer to `initialize` (legacy era).
#[derive(Debug, Clone)]
pub struct InitializeResult<'d> {
    /// The revision that the session will speak.
    pub protocol_version: Cow<'d, str>,
    /// What the server can do: an object.
    pub capabilities: Option<Value<'d>>,
    /// What the server calls itself: evidence, never identity.
    pub server_info: Option<Value<'d>>,
    /// Text for the model.
    pub instructions: Option<Cow<'d, str>>,
}

/// `notifications/cancelled`.
#[derive(Debug, Clone)]
pub struct CancelledView<'d> {
    /// The request that is called off. Revision 2025-11-25 lets it be absent.
    pub request_id: Option<Id<'d>>,
    /// Why, for a person.
    pub reason: Option<Cow<'d, str>>,
}

impl<'d> Request<'d> {
    /// The parameters of `initialize`; `None` for another method.
    ///
    /// # Errors
    /// When a governed parameter is missing or has the wrong type.
    pub fn initialize(&self) -> Option<Result<InitializeRequest<'d>, Refusal>> {
        if self.method != "initialize" {
            return None;
        }
        let wrong = RefusalCode::BadParams;
        let read = |params: Option<Value<'d>>| {
            let params = params.ok_or_else(|| Fault::at(wrong, self.object))?;
            Ok(InitializeRequest {
                protocol_version: fields::required_string(params, "protocolVersion", wrong)?,
                capabilities: fields::object(params, "capabilities", wrong)?,
                client_info: fields::object(params, "clientInfo", wrong)?,
            })
        };
        Some(read(self.params).map_err(|fault| self.refuse_fault(fault)))
    }
}

impl<'d> Response<'d> {
    /// The answer to an `initialize`; `None` for an error. Which request it answers, only the caller knows.
    ///
    /// # Errors
    /// When a governed member is missing or has the wrong type.
    pub fn initialize_result(&self) -> Option<Result<InitializeResult<'d>, Refusal>> {
        let wrong = RefusalCode::BadResult;
        let read = |result: Value<'d>| {
            Ok(InitializeResult {
                protocol_version: fields::required_string(result, "protocolVersion", wrong)?,
                capabilities: fields::object(result, "capabilities", wrong)?,
                server_info: fields::object(result, "serverInfo", wrong)?,
                instructions: fields::string(result, "instructions", wrong)?,
            })
        };
        self.result().map(|result| read(result).map_err(|fault| self.refuse_fault(fault)))
    }
}

impl<'d> Notification<'d> {
    /// What a `notifications/cancelled` calls off; `None` for another method.
    ///
    /// # Errors
    /// When a governed parameter has the wrong type.
    pub fn cancelled(&self) -> Option<Result<CancelledView<'d>, Refusal>> {
        if self.method != "notifications/cancelled" {
            return None;
        }
        let read = |params: Option<Value<'d>>| {
            let Some(params) = params else { return Ok(CancelledView { request_id: None, reason: None }) };
            Ok(CancelledView {
                request_id: fields::present(params, "requestId").map(Id::read).transpose()?,
                reason: fields::string(params, "reason", RefusalCode::BadParams)?,
            })
        };
        Some(read(self.params).map_err(|fault| self.refuse_fault(fault)))
    }
}
