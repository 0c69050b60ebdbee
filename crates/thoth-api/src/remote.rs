//! The typed clients: an enforcer that decides, and the administration of one tenant. Each request is one question and one
//! answer, in bounded time and size; nothing is asked twice, because nobody but the caller knows whether it may be.

use std::time::Duration;

use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::client::Timeouts;
use crate::contract::fault::Told;
use crate::contract::key::ApiKey;
use crate::contract::list::List;
use crate::contract::login::{Config, Credential};
use crate::contract::{Json, Unreadable, approval, enforce, event, explain, hold, key, read};
use crate::exchange::Exchange;
use crate::fault::HttpError;
use crate::tls::TlsSettings;
use crate::traceparent::Traceparent;

mod fleet;
mod ledger;
mod policies;

pub use policies::SealedPolicy;

/// The largest answer that is read, in bytes: a list of administration.
const MAX_ANSWER: u64 = 16 << 20;
/// The largest answer of an enforcer. It holds other arguments at most, of which a request has 1 MiB; many are read at once.
const MAX_DECISION: u64 = 4 << 20;

/// The largest answer that says where people log in.
const MAX_CONFIG: u64 = 64 << 10;

/// What statuses say that it was done, and come with an answer that is whole.
const DONE: &[u16] = &[200, 201, 202, 204];
/// What status a decision comes with.
const DECIDED: &[u16] = &[200];
/// What statuses tell of a held call; with the other one older servers say that nobody has answered.
const HELD: &[u16] = &[200, 202];

/// A question without a usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No answer came.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server says no, or that it cannot.
    #[error("{url} answered with status {status}{}", in_words(.told))]
    Refused {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        told: Told,
        /// In how many seconds to ask again.
        retry_after: Option<u64>,
    },
    /// The answer is not what the contract says.
    #[error("the answer of {url} is not what the contract says: {error}")]
    Unreadable {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        error: Unreadable,
    },
    /// The answer is for another call.
    #[error(transparent)]
    Mismatch(#[from] enforce::Mismatch),
    /// The question cannot be written.
    #[error("the request cannot be written as JSON")]
    Unwritable,
}

/// What the server said, as the end of a sentence.
fn in_words(told: &Told) -> String {
    match (&told.code, &told.message) {
        (Some(code), Some(message)) => format!(" ({code}): {message}"),
        (None, Some(text)) | (Some(text), None) => format!(": {text}"),
        (None, None) => String::new(),
    }
}

impl RemoteError {
    /// The HTTP status, where the server answered with one of refusal.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A server, by what it knows who asks, and how long an answer may take.
#[derive(Debug, Clone)]
struct Remote {
    exchange: Exchange,
    credential: Credential,
    within: Duration,
    largest: u64,
    /// The trace that the questions are part of.
    traceparent: Option<Traceparent>,
}

impl Remote {
    fn new(
        url: Url,
        credential: Credential,
        tls: &TlsSettings,
        timeouts: Timeouts,
        largest: u64,
    ) -> Result<Self, HttpError> {
        let exchange = Exchange::new(url, tls, timeouts)?;
        Ok(Self { exchange, credential, within: timeouts.idle, largest, traceparent: None })
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(String, String)],
        body: Option<&Q>,
        within: Duration,
    ) -> Result<A, RemoteError> {
        self.ask_for(DONE, method, path, query, body, within).await
    }

    /// The same, where only these statuses come with what was asked for.
    async fn ask_for<Q: Serialize, A: DeserializeOwned>(
        &self,
        good: &[u16],
        method: Method,
        path: &[&str],
        query: &[(String, String)],
        body: Option<&Q>,
        within: Duration,
    ) -> Result<A, RemoteError> {
        let bearer = Zeroizing::new(format!("Bearer {}", self.credential.expose_secret()));
        let mut headers = vec![
            ("authorization".to_owned(), bearer.to_string()),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        if let Some(traceparent) = &self.traceparent {
            headers.push(("traceparent".to_owned(), traceparent.as_str().to_owned()));
        }
        let body = body.map(serde_json::to_vec).transpose().map_err(|_| RemoteError::Unwritable)?;
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let mut reply = self.exchange.ask((method, path, query), &headers, body, self.largest, within).await?;
        let answer = reply.whole().await?;
        let status = reply.status();
        if !good.contains(&status) {
            let retry_after = reply.header("retry-after").and_then(|text| text.trim().parse().ok());
            return Err(RemoteError::Refused { url: reply.address(), status, told: Told::read(&answer), retry_after });
        }
        // An answer without a body says no more than that it was done.
        let answer: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        read(answer).map_err(|error| RemoteError::Unreadable { url: reply.address(), error })
    }

    async fn get<A: DeserializeOwned>(&self, path: &[&str], query: &impl Serialize) -> Result<A, RemoteError> {
        let query = pairs(query)?;
        self.ask(Method::GET, path, &query, None::<&()>, self.within).await
    }

    async fn post<A: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<A, RemoteError> {
        self.ask(Method::POST, path, &[], Some(body), self.within).await
    }
}

/// The whole of an answer may take this long, and a connection no longer than usual.
fn patience(within: Duration) -> Timeouts {
    Timeouts { connect: within.min(Timeouts::default().connect), idle: within }
}

/// What a server told of something that it has done: where it told something else, it has done it all the same.
fn told<A: DeserializeOwned>(answer: &Json) -> Option<A> {
    read(answer.text().as_bytes()).ok()
}

/// The members of a query as pairs; what is absent is left out.
fn pairs(query: &impl Serialize) -> Result<Vec<(String, String)>, RemoteError> {
    let Ok(Value::Object(members)) = serde_json::to_value(query) else { return Err(RemoteError::Unwritable) };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(members.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// An enforcer: it decides about calls.
#[derive(Debug, Clone)]
pub struct Enforcer(Remote);

impl Enforcer {
    /// The enforcer at an address, asked with a key; an answer may take this long.
    ///
    /// # Errors
    /// When the address is neither https nor on this machine, or the settings cannot be used.
    pub fn new(url: Url, key: ApiKey, tls: &TlsSettings, within: Duration) -> Result<Self, HttpError> {
        Self::with_timeouts(url, key, tls, patience(within))
    }

    /// The same, where a connection may not take as long as the answer, which `idle` bounds as a whole.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn with_timeouts(url: Url, key: ApiKey, tls: &TlsSettings, timeouts: Timeouts) -> Result<Self, HttpError> {
        Remote::new(url, key.into(), tls, timeouts, MAX_DECISION).map(Self)
    }

    /// The same one, told that what it is asked is part of this trace.
    #[must_use]
    pub fn in_trace(&self, traceparent: Option<Traceparent>) -> Self {
        Self(Remote { traceparent, ..self.0.clone() })
    }

    /// Asks about a call. An answer that names another call is an error.
    ///
    /// # Errors
    /// When there is no usable answer: the call must not be made then.
    pub async fn decide(&self, request: &enforce::Request) -> Result<enforce::Envelope, RemoteError> {
        let path = &["v1", "enforce"];
        let asked = self.0.ask_for(DECIDED, Method::POST, path, &[], Some(request), self.0.within);
        let envelope: enforce::Envelope = asked.await?;
        envelope.answers(request)?;
        Ok(envelope)
    }

    /// Asks where a held call stands, and lets the server wait for news for so many seconds.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such hold.
    pub async fn hold(&self, token: &str, wait: Option<u64>) -> Result<hold::Status, RemoteError> {
        let query = pairs(&hold::Poll { wait })?;
        let within = self.0.within.saturating_add(Duration::from_secs(wait.unwrap_or_default()));
        let path = &["v1", "enforce", "hold", token];
        let asked = self.0.ask_for(HELD, Method::GET, path, &query, None::<&()>, within);
        let status: hold::Status = asked.await?;
        if status.hold_token.as_deref().is_some_and(|told| told != token) {
            return Err(enforce::Mismatch { field: "hold_token" }.into());
        }
        Ok(status)
    }

    /// Asks for words about a refusal.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn explain(&self, request: &explain::Request) -> Result<explain::Explanation, RemoteError> {
        self.0.post(&["v1", "explain"], request).await
    }

    /// Tells what happened.
    ///
    /// # Errors
    /// When the events may not have been taken. The same events can be sent again: each is kept once, by its id.
    pub async fn tell(&self, events: &[event::Event]) -> Result<event::Receipt, RemoteError> {
        self.0.post(&["v1", "events", "batch"], &events).await
    }
}

/// The administration of one tenant.
#[derive(Debug, Clone)]
pub struct Administration {
    remote: Remote,
    tenant: String,
}

impl Administration {
    /// The administration at an address of one tenant, with a key or a login; an answer may take this long.
    ///
    /// # Errors
    /// When the address is neither https nor on this machine, or the settings cannot be used.
    pub fn new(
        url: Url,
        tenant: String,
        credential: impl Into<Credential>,
        tls: &TlsSettings,
        within: Duration,
    ) -> Result<Self, HttpError> {
        let remote = Remote::new(url, credential.into(), tls, patience(within), MAX_ANSWER)?;
        Ok(Self { remote, tenant })
    }

    /// All keys.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn keys(&self) -> Result<key::Keys, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "api-keys"], &serde_json::Map::new()).await
    }

    /// Makes a key. Its text is in the answer, and nowhere else.
    ///
    /// # Errors
    /// When there is no usable answer; the key may have been made all the same.
    pub async fn create_key(&self, create: &key::Create) -> Result<key::Created, RemoteError> {
        self.remote.post(&[&self.tenant, "thoth", "api-keys"], create).await
    }

    /// Has a key replaced. The new one's text is in the answer, and nowhere else.
    ///
    /// # Errors
    /// When there is no usable answer; it may have been replaced all the same. Status 404 means that there is no such key, 409
    /// that it is over.
    pub async fn rotate_key(&self, id: &str, rotate: &key::Rotate) -> Result<key::Rotated, RemoteError> {
        self.remote.post(&[&self.tenant, "thoth", "api-keys", id, "rotate"], rotate).await
    }

    /// Whether a text is this key, and what it may do.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such key.
    pub async fn authorize_key(&self, id: &str, asked: &key::Authorize) -> Result<key::Authorized, RemoteError> {
        self.remote.post(&[&self.tenant, "thoth", "api-keys", id, "authorize"], asked).await
    }

    /// Takes a key back. What became of it, where the server says so.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such key.
    pub async fn revoke_key(&self, id: &str) -> Result<Option<key::Row>, RemoteError> {
        let path = [&self.tenant, "thoth", "api-keys", id];
        Ok(told(&self.remote.ask(Method::DELETE, &path, &[], None::<&()>, self.remote.within).await?))
    }

    /// Held calls.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn approvals(&self, query: &approval::Query) -> Result<List<approval::Approval>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "approvals"], query).await
    }

    /// One held call, whole.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such hold.
    pub async fn approval(&self, token: &str) -> Result<approval::Approval, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "approvals", token], &serde_json::Map::new()).await
    }

    /// Answers a held call. Where it stands then, where the server says so.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn resolve(
        &self,
        token: &str,
        answer: &approval::Resolve,
    ) -> Result<Option<approval::Approval>, RemoteError> {
        Ok(told(&self.remote.post(&[&self.tenant, "thoth", "approvals", token, "resolve"], answer).await?))
    }

    /// What clients told.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn events(&self, query: &event::Query) -> Result<List<event::Event>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "events"], query).await
    }
}

/// Where people log in who administer the server at an address.
///
/// # Errors
/// When there is no usable answer; status 404 means that the server takes no logins.
pub async fn login_config(url: Url, tls: &TlsSettings, within: Duration) -> Result<Config, RemoteError> {
    let exchange = Exchange::new(url, tls, patience(within))?;
    let asked = (Method::GET, &["v1", "auth", "config"][..], &[][..]);
    let accept = [("accept".to_owned(), "application/json".to_owned())];
    let mut reply = exchange.ask(asked, &accept, None, MAX_CONFIG, within).await?;
    let answer = reply.whole().await?;
    if reply.status() != 200 {
        let (url, status, told) = (reply.address(), reply.status(), Told::read(&answer));
        return Err(RemoteError::Refused { url, status, told, retry_after: None });
    }
    read(&answer).map_err(|error| RemoteError::Unreadable { url: reply.address(), error })
}
