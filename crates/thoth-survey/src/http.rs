//! A visited server at an address: Streamable HTTP, with answers as one JSON document or as a stream of events.

use std::time::{Duration, Instant};

use thoth_api::{Exchange, HttpError, Reply, Timeouts, TlsSettings, Url};
use thoth_proxy::{Ask, MAX_MESSAGE, MAX_TOTAL, Visit, VisitError, Wire, visit};
use thoth_types::json::{Limits, Tape};
use tokio::runtime::Runtime;

/// What a server calls the session that it has begun.
const SESSION: &str = "Mcp-Session-Id";

/// The name and the address of a server for people, of both only what is no secret.
///
/// # Errors
/// When it is no address of a server.
pub fn named(text: &str) -> Result<(String, String), String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let host = url.host_str().ok_or("it names no server")?.to_owned();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok((host.clone(), format!("{}://{host}{port}", url.scheme())))
}

/// Asks the server at an address what it offers.
pub(crate) fn visit_url(
    url: &str,
    headers: &[(String, String)],
    limit: Duration,
    tls: &TlsSettings,
) -> Result<Visit, VisitError> {
    let broken = |what: String| VisitError::Connection(what);
    let address = Url::parse(url).map_err(|error| broken(format!("its address is none: {error}")))?;
    let timeouts = Timeouts { connect: limit, idle: limit };
    let exchange = Exchange::new(address, tls, timeouts).map_err(|error| broken(said(&error)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| broken(error.to_string()))?;
    visit(&mut Address {
        exchange,
        runtime,
        headers: headers.to_vec(),
        session: None,
        deadline: Instant::now() + limit,
        limit,
        left: u64::try_from(MAX_TOTAL).unwrap_or(u64::MAX),
    })
}

fn said(error: &HttpError) -> String {
    match error {
        HttpError::NotHttps(_) => {
            "its address is plain http on another machine: what it says could be changed on the way".to_owned()
        }
        error => error.to_string(),
    }
}

struct Address {
    exchange: Exchange,
    runtime: Runtime,
    headers: Vec<(String, String)>,
    session: Option<String>,
    deadline: Instant,
    limit: Duration,
    left: u64,
}

impl Address {
    /// Sends a message; the answer of a request, or nothing for a notification.
    fn send(
        &mut self,
        method: &str,
        protocol: Option<&str>,
        message: &[u8],
        id: Option<u64>,
    ) -> Result<Vec<u8>, VisitError> {
        let mut headers = self.headers.clone();
        let mut set = |name: &str, value: &str| {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.to_owned(), value.to_owned()));
        };
        set("Accept", "application/json, text/event-stream");
        set("Content-Type", "application/json");
        if let Some(protocol) = protocol {
            set("MCP-Protocol-Version", protocol);
            set("Mcp-Method", method);
        }
        if let Some(session) = &self.session {
            set(SESSION, session);
        }
        let timed_out = VisitError::TimedOut { method: method.to_owned(), limit: self.limit };
        let within = self.deadline.saturating_duration_since(Instant::now());
        if within.is_zero() {
            return Err(timed_out);
        }
        let (exchange, left) = (&self.exchange, self.left);
        let outcome = self.runtime.block_on(async {
            let mut reply = exchange.post(&headers, message.to_vec(), left, within).await?;
            let begun = reply.header(SESSION).map(str::to_owned);
            let answer = match id {
                Some(id) => answer(&mut reply, id).await?,
                None => Answer::Nothing,
            };
            Ok((begun, reply.status(), answer))
        });
        let (begun, status, answer) = match outcome {
            Ok(outcome) => outcome,
            Err(HttpError::Timeout { connected: true, .. }) => return Err(timed_out),
            Err(HttpError::TooLarge { .. }) => return Err(VisitError::TooMuch { limit: MAX_TOTAL }),
            Err(error) => return Err(VisitError::Connection(said(&error))),
        };
        if begun.is_some() {
            self.session = begun;
        }
        let refused =
            |what: &str| Err(VisitError::Connection(format!("it answered `{method}` with status {status}{what}")));
        match answer {
            Answer::Message(bytes) => {
                self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                Ok(bytes)
            }
            Answer::TooLong => Err(VisitError::TooMuch { limit: MAX_MESSAGE }),
            Answer::Nothing if id.is_none() && (200..300).contains(&status) => Ok(Vec::new()),
            Answer::Nothing => match status {
                401 | 403 => {
                    refused(": it wants to know who asks; put its headers into a client's file, and scan that")
                }
                300..=399 => refused(": it redirects, which is not followed"),
                404 | 405 => refused(": no server that speaks Streamable HTTP is there"),
                _ => refused(" and no answer in it"),
            },
        }
    }
}

impl Wire for Address {
    fn ask(&mut self, ask: &Ask<'_>) -> Result<Vec<u8>, VisitError> {
        self.send(ask.method, ask.protocol, ask.message, Some(ask.id))
    }

    fn tell(&mut self, method: &str, protocol: &str, message: &[u8]) -> Result<(), VisitError> {
        self.send(method, Some(protocol), message, None).map(drop)
    }
}

/// What a reply held.
enum Answer {
    Message(Vec<u8>),
    TooLong,
    Nothing,
}

/// Reads until the answer is there.
async fn answer(reply: &mut Reply, id: u64) -> Result<Answer, HttpError> {
    let kind = reply.header("Content-Type").unwrap_or_default().trim_start().to_ascii_lowercase();
    if kind.starts_with("text/event-stream") {
        let mut events = Events::default();
        while let Some(chunk) = reply.chunk().await? {
            // Some servers begin with an event that has only an id.
            for data in events.feed(&chunk).into_iter().filter(|data| !data.trim_ascii().is_empty()) {
                if is_answer(&data, id) {
                    return Ok(Answer::Message(data));
                }
            }
            if events.held() > MAX_MESSAGE {
                return Ok(Answer::TooLong);
            }
        }
        return Ok(Answer::Nothing);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_MESSAGE {
            return Ok(Answer::TooLong);
        }
    }
    let is_json = kind.starts_with("application/json");
    // An error page is no answer; an error of the protocol is one, whatever the status.
    let is_error = || bytes.trim_ascii_start().starts_with(b"{") && contains(&bytes, b"\"jsonrpc\"");
    Ok(if is_json && ((200..300).contains(&reply.status()) || is_error()) {
        Answer::Message(bytes)
    } else {
        Answer::Nothing
    })
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Whether a message of a stream answers this request. One that cannot be read does: what is wrong with it is said.
fn is_answer(data: &[u8], id: u64) -> bool {
    let limits = Limits { max_bytes: MAX_MESSAGE, ..Limits::default() };
    let mut tape = Tape::new();
    match tape.parse(data, &limits) {
        Ok(message) => message.get("method").is_none() && message.get("id").is_some_and(|own| own.as_u64() == Some(id)),
        Err(_) => true,
    }
}

/// Events out of a stream: the data of each, whose lines are joined by newlines.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_return: bool,
}

impl Events {
    fn held(&self) -> usize {
        self.line.len() + self.data.len()
    }

    fn feed(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        for &byte in chunk {
            let is_second = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                _ if is_second => {}
                b'\r' | b'\n' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    /// An event, where the line ended one.
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line);
        if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: events are found however the stream is cut and its lines end.
    #[test]
    fn events_are_found_in_any_pieces() {
        let stream =
            b": ping\r\n\r\nevent: message\ndata: {\"a\":\ndata:1}\n\nid: 7\rdata: x\r\rretry: 3\n\ndata\n\ndata: y";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let found: Vec<_> = stream.chunks(size).flat_map(|chunk| events.feed(chunk)).collect();
            assert_eq!(found, [b"{\"a\":\n1}".to_vec(), b"x".to_vec()], "{size}");
        }
    }

    #[test]
    fn addresses_are_shown_without_their_secrets() {
        let shown = |text: &str| named(text).map(|(server, shown)| format!("{server} {shown}"));
        assert_eq!(shown("https://u:p@a.example:8/x/key?k=v#f").unwrap(), "a.example https://a.example:8");
        assert!(shown("https://").is_err());
    }
}
