//! Requests that are not answered as asked. What is said has a stable code, a sentence and the request's id, and nothing
//! of what the request carried: no argument, no key, no secret.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use thoth_api::contract::fault::Code;

/// Why a request was not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// For whoever runs the server; never sent.
    pub(crate) cause: Option<String>,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cause: None }
    }

    /// The request is not one of the contract.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    /// Nobody knows who asks.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(Code::Unauthorized, message)
    }

    /// It is known who asks, and that key may not.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// Something here does not work now. `cause` is for whoever runs the server.
    pub(crate) fn unavailable(cause: impl std::fmt::Display) -> Self {
        let message = "the server cannot do this now; its own messages say why";
        Self { cause: Some(cause.to_string()), ..Self::new(Code::Unavailable, message) }
    }

    /// The same, where something broke.
    pub(crate) fn broken(cause: impl std::fmt::Display) -> Self {
        Self { code: Code::Internal, ..Self::unavailable(cause) }
    }
}

impl IntoResponse for Fault {
    /// Only the status; the body is made where the request's id is known.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
