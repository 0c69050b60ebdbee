//! The HTTPS client: nothing but https, bounded in time and size, and no redirect to anything else.

use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use crate::fault::{HttpError, RedirectFault, host, plain};
use crate::tls::TlsSettings;

/// Release downloads go through two; a longer way is a loop.
const MAX_REDIRECTS: usize = 5;

/// How long a server may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a TLS connection.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(20) }
    }
}

/// Speaks HTTPS under one set of TLS settings. Proxies are taken from the usual environment variables (`HTTPS_PROXY`,
/// `NO_PROXY`); they see no more than the server's name.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
}

impl Client {
    /// A client that trusts what the settings say.
    ///
    /// # Errors
    /// When a setting cannot be used, or the system's certificates cannot be read.
    pub fn new(tls: &TlsSettings, timeouts: Timeouts) -> Result<Self, HttpError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.client_config()?)
            .https_only(true)
            .redirect(Policy::custom(|attempt| {
                if attempt.url().scheme() != "https" {
                    let fault = RedirectFault::NotHttps(plain(attempt.url()));
                    attempt.error(fault)
                } else if attempt.previous().len() > MAX_REDIRECTS {
                    attempt.error(RedirectFault::TooMany(MAX_REDIRECTS))
                } else {
                    attempt.follow()
                }
            }))
            .referer(false)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .user_agent(concat!("thoth/", env!("CARGO_PKG_VERSION")));
        builder.build().map(|inner| Self { inner }).map_err(|error| HttpError::Setup(error.to_string()))
    }

    /// Begins to get what is at an address. Whatever comes, `within` bounds the whole of it in time and `limit` in
    /// bytes.
    ///
    /// # Errors
    /// When no successful answer comes, see [`HttpError`].
    pub async fn open(&self, url: &Url, limit: u64, within: Duration) -> Result<Body, HttpError> {
        if url.scheme() != "https" {
            return Err(HttpError::NotHttps(plain(url)));
        }
        let answer = self.inner.get(url.clone()).timeout(within).send().await;
        let answer = answer.map_err(|error| HttpError::from_reqwest(&error, url))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(HttpError::Status { url: plain(answer.url()), status: status.as_u16() });
        }
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(HttpError::TooLarge { url: plain(url), limit });
        }
        Ok(Body { answer, asked: url.clone(), left: limit, limit })
    }

    /// Gets all of what is at an address.
    ///
    /// # Errors
    /// As for [`Self::open`], and when more than `limit` bytes come or the connection breaks.
    pub async fn get(&self, url: &Url, limit: u64, within: Duration) -> Result<Vec<u8>, HttpError> {
        let mut body = self.open(url, limit, within).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = body.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// An answer that is still coming.
#[derive(Debug)]
pub struct Body {
    answer: reqwest::Response,
    asked: Url,
    left: u64,
    limit: u64,
}

impl Body {
    /// The HTTP status, always one of success.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    /// The server that answers, after redirects.
    #[must_use]
    pub fn host(&self) -> String {
        host(self.answer.url())
    }

    /// The next piece, or nothing when the answer is complete.
    ///
    /// # Errors
    /// When the connection breaks before the end that the server announced, the time is up, or more comes than was
    /// agreed to.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let chunk = self.answer.chunk().await.map_err(|error| HttpError::from_reqwest(&error, &self.asked))?;
        let Some(chunk) = chunk else { return Ok(None) };
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| HttpError::TooLarge { url: plain(&self.asked), limit: self.limit })?;
        Ok(Some(chunk.into()))
    }
}
