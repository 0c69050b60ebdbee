//! Errors as they are answered: `{error: {code, message, requestId}}`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::words;

words! {
    /// What went wrong, as a stable code with an HTTP status.
    Code {
        /// The request is not what the contract says.
        BadRequest => "bad_request",
        /// There is no key, or none that is known, or it was taken back.
        Unauthorized => "unauthorized" | "invalid_api_key",
        /// The key's time is over.
        KeyExpired => "key_expired" | "api_key_expired",
        /// The login is over, or too long ago for this.
        LoginRequired => "login_required",
        /// The key may not do this, or not for this agent, machine or tenant.
        Forbidden => "forbidden",
        /// There is no such thing.
        NotFound => "not_found",
        /// The method is none for this address.
        MethodNotAllowed => "method_not_allowed",
        /// It was answered, used or ended before.
        Conflict => "conflict",
        /// The body is too large.
        PayloadTooLarge => "payload_too_large",
        /// The body is of another type.
        UnsupportedMediaType => "unsupported_media_type",
        /// Too many requests in this minute.
        RateLimited => "rate_limited" | "too_many_requests",
        /// Something broke in the server.
        Internal => "internal_error" | "internal",
        /// The server cannot answer now.
        Unavailable => "unavailable" | "service_unavailable",
        /// The server took too long.
        Timeout => "timeout",
    }
}

impl Code {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized | Self::KeyExpired | Self::LoginRequired => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fault {
    error: Inner,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FaultDetail, description = "What went wrong."))]
struct Inner {
    /// What went wrong, as a stable code.
    code: Code,
    /// The same for people. It has nothing of what was sent.
    message: String,
    /// Names the request in the server's own messages.
    #[serde(rename = "requestId")]
    request_id: String,
}

impl Fault {
    /// An error's body. The message must hold nothing of what was sent.
    #[must_use]
    pub fn new(code: Code, message: String, request_id: String) -> Self {
        Self { error: Inner { code, message, request_id } }
    }

    /// What went wrong.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.error.code
    }
}

/// An error's body as it was read, of whatever shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The code, if it has one.
    pub code: Option<String>,
    /// What it says, for a person.
    pub message: Option<String>,
    /// The request's name in the server's own log.
    pub request_id: Option<String>,
}

/// What of a foreign message a person is shown.
const SHOWN: usize = 512;

impl Told {
    /// Reads an error's body. What cannot be read tells nothing.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Self::of(&object),
            Ok(Value::Array(list)) => list.first().and_then(Value::as_object).map(Self::of).unwrap_or_default(),
            _ => Self::default(),
        }
    }

    fn of(object: &Map<String, Value>) -> Self {
        let request_id = word(object, &["requestId", "request_id"]);
        if let Some(Value::Object(inner)) = object.get("error") {
            return Self {
                code: word(inner, &["code", "type"]),
                message: word(inner, &["message", "error_description", "reason", "detail"]),
                request_id: word(inner, &["requestId", "request_id"]).or(request_id),
            };
        }
        let message = word(object, &["message", "error_description"]);
        if let (None, Some(Value::Array(errors))) = (&message, object.get("errors"))
            && let Some(first) = errors.first().and_then(Value::as_object)
        {
            return Self::of(first);
        }
        // With a message beside it, `error` is the code; alone it is all there is to say.
        let (code, message) = match message {
            Some(message) => (word(object, &["error", "code"]), Some(message)),
            None => (word(object, &["code"]), word(object, &["error", "reason", "detail"])),
        };
        Self { code, message, request_id }
    }
}

/// The first of these that is a text, cut to what a person is shown.
fn word(object: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let texts = names.iter().filter_map(|name| object.get(*name)?.as_str());
    texts.map(str::trim).find(|text| !text.is_empty()).map(|text| text.chars().take(SHOWN).collect())
}
