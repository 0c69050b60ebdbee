//! Messages to a server that somebody named, and its answers: over https, or over plain http where the server is on this
//! very machine. It follows no redirects: who asked for one address has not agreed to another, and headers can hold
//! secrets that are meant for one.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Url};
use zeroize::Zeroizing;

use crate::client::Timeouts;
use crate::fault::{HttpError, plain};
use crate::tls::TlsSettings;

/// Speaks to one address.
#[derive(Debug, Clone)]
pub struct Exchange {
    inner: Client,
    url: Url,
}

/// What came back, as far as its head.
#[derive(Debug)]
pub struct Reply {
    answer: reqwest::Response,
    url: Url,
    left: u64,
    limit: u64,
}

/// How long a connection may be idle and still be used for the next request. Servers end idle ones, an enforcer after 10
/// seconds; a request that goes out just then is lost, and nobody knows whether it was heard.
const REUSED_WITHIN: Duration = Duration::from_secs(5);

impl Exchange {
    /// An exchange with an address.
    ///
    /// # Errors
    /// When the address is neither https nor on this machine, or the settings cannot be used.
    pub fn new(url: Url, tls: &TlsSettings, timeouts: Timeouts) -> Result<Self, HttpError> {
        let is_here = is_loopback(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(HttpError::NotHttps(plain(&url)));
        }
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls.client_config()?)
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .pool_idle_timeout(REUSED_WITHIN)
            .user_agent(concat!("thoth/", env!("CARGO_PKG_VERSION")));
        if is_here {
            // A proxy's own machine is another one.
            builder = builder.no_proxy();
        }
        builder.build().map(|inner| Self { inner, url }).map_err(|error| HttpError::Setup(error.to_string()))
    }

    /// Sends a body with headers, and waits for the head of the answer. `within` bounds all of it in time, and `limit`
    /// in bytes.
    ///
    /// # Errors
    /// When no answer comes, or a header cannot be sent.
    pub async fn post(
        &self,
        headers: &[(String, String)],
        body: Vec<u8>,
        limit: u64,
        within: Duration,
    ) -> Result<Reply, HttpError> {
        let request = self.inner.post(self.url.clone()).body(body);
        Self::send(request, self.url.clone(), headers, limit, within).await
    }

    /// Asks for what is there, with headers. The same bounds hold.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub async fn get(&self, headers: &[(String, String)], limit: u64, within: Duration) -> Result<Reply, HttpError> {
        Self::send(self.inner.get(self.url.clone()), self.url.clone(), headers, limit, within).await
    }

    /// Does the same with another method, and at an address below the one that this is for: these segments are added to
    /// its path, whatever characters they have, and these pairs are its query.
    ///
    /// # Errors
    /// As for [`Self::post`].
    pub(crate) async fn ask(
        &self,
        (method, path, query): (Method, &[&str], &[(String, String)]),
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
        limit: u64,
        within: Duration,
    ) -> Result<Reply, HttpError> {
        let url = self.below(path, query)?;
        let mut request = self.inner.request(method, url.clone());
        if let Some(body) = body {
            request = request.body(body);
        }
        Self::send(request, url, headers, limit, within).await
    }

    fn below(&self, path: &[&str], query: &[(String, String)]) -> Result<Url, HttpError> {
        let mut url = self.url.clone();
        // A segment of dots would lead upwards, also where it is escaped.
        let leads_away = path.iter().any(|segment| matches!(*segment, "" | "." | ".."));
        match url.path_segments_mut() {
            Ok(mut segments) if !leads_away => {
                segments.pop_if_empty().extend(path);
            }
            _ => return Err(HttpError::Setup(format!("`{}` has no such path", plain(&self.url)))),
        }
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn send(
        request: RequestBuilder,
        url: Url,
        headers: &[(String, String)],
        limit: u64,
        within: Duration,
    ) -> Result<Reply, HttpError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(HttpError::Setup("a header has a name or value that HTTP does not allow".to_owned()));
            };
            value.set_sensitive(true);
            map.insert(name, value);
        }
        let answer = request.headers(map).timeout(within).send().await;
        let answer = answer.map_err(|error| HttpError::from_reqwest(&error, &url))?;
        Ok(Reply { answer, url, left: limit, limit })
    }
}

impl Reply {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    /// A header, where it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// What was asked for, without what may be secret in it.
    pub(crate) fn address(&self) -> String {
        plain(&self.url)
    }

    /// All that is left of it. It may be secret.
    ///
    /// # Errors
    /// As for [`Self::chunk`].
    pub async fn whole(&mut self) -> Result<Zeroizing<Vec<u8>>, HttpError> {
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The next piece, or nothing when the answer is complete.
    ///
    /// # Errors
    /// When the connection breaks, the time is up, or more comes than was agreed to.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let chunk = self.answer.chunk().await.map_err(|error| HttpError::from_reqwest(&error, &self.url))?;
        let Some(chunk) = chunk else { return Ok(None) };
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let too_large = || HttpError::TooLarge { url: plain(&self.url), limit: self.limit };
        self.left = self.left.checked_sub(length).ok_or_else(too_large)?;
        Ok(Some(chunk.into()))
    }
}

/// Whether an address is one of this machine, by what is written: a name is not looked up.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: nothing is sent over the network in plain text.
    #[test]
    fn plain_http_is_for_this_machine_only() {
        let tls = TlsSettings::default();
        for (text, taken) in [
            ("https://mcp.example.com/mcp", true),
            ("http://localhost:3000/mcp", true),
            ("http://127.0.0.1/mcp", true),
            ("http://[::1]:8/mcp", true),
            ("http://2130706433/mcp", true),
            ("http://mcp.example.com/mcp", false),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
            ("ftp://localhost/", false),
        ] {
            let made = Exchange::new(Url::parse(text).unwrap(), &tls, Timeouts::default());
            assert_eq!(made.is_ok(), taken, "{text}: {made:?}");
        }
    }
}
