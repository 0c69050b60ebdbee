//! Where the browser comes back to after a login: an address of this machine that listens for one answer.
//!
//! Whatever else comes is answered and does not count: anything on this machine can ask here, and any page in the browser.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;
use thoth_types::Redacted;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long somebody may take to log in.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long a browser may take to say what it wants, and to take the answer.
const SHORT: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes. What an issuer answers is in it.
const MAX_HEAD: usize = 32 << 10;
/// How many connections are served at once.
const MAX_CONNECTIONS: usize = 16;
const PATH: &str = "/callback";

/// An address that waits.
pub(super) struct Redirect {
    listener: TcpListener,
    address: SocketAddr,
}

/// What is waited for.
struct Expected {
    state: Redacted<String>,
    issuer: String,
    host: String,
}

/// What an issuer answered.
type Answer = Result<Redacted<String>, Failure>;

impl Redirect {
    pub(super) async fn open() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::failed(format!("cannot listen for the browser: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    pub(super) fn uri(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The code that the issuer gave for the login that has this state.
    pub(super) async fn wait(self, state: &str, issuer: &str) -> Answer {
        let expected = Expected {
            state: Redacted::new(state.to_owned()),
            issuer: issuer.to_owned(),
            host: self.address.to_string(),
        };
        let (tell, mut told) = mpsc::channel(1);
        let expected = Arc::new(expected);
        let mut connections = JoinSet::new();
        let late = tokio::time::sleep(PATIENCE);
        tokio::pin!(late);
        let answer = loop {
            tokio::select! {
                Some(answer) = told.recv() => break answer,
                () = &mut late => {
                    return Err(Failure::failed("nobody has logged in within five minutes").hint("run it again"));
                }
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                    let Ok((stream, _)) = accepted else { continue };
                    let (expected, tell) = (Arc::clone(&expected), tell.clone());
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (response, answer) = answer(&request, &expected);
                        if let Some(answer) = answer {
                            // There is one place: a second answer does not count.
                            let _counted = tell.try_send(answer);
                        }
                        async move { Ok::<_, Infallible>(response) }
                    });
                    let mut http = http1::Builder::new();
                    http.timer(TokioTimer::new()).header_read_timeout(SHORT).keep_alive(false).max_buf_size(MAX_HEAD);
                    connections.spawn(tokio::time::timeout(SHORT * 2, http.serve_connection(TokioIo::new(stream), service)));
                }
            }
        };
        // The browser is to see the page; what else it opened need not end.
        let page = tokio::time::timeout(Duration::from_secs(1), connections.join_next());
        drop(page.await);
        answer
    }
}

fn answer(request: &Request<Incoming>, expected: &Expected) -> (Response<Full<Bytes>>, Option<Answer>) {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    // A page of another site that leads its own name here is no issuer.
    if request.uri().path() != PATH || request.method() != Method::GET || host != Some(&*expected.host) {
        return (page(StatusCode::NOT_FOUND, "There is nothing here."), None);
    }
    let query = request.uri().query().unwrap_or_default();
    let member = |name: &str| {
        let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).map(|(_, value)| value);
        // One that is given twice is none.
        found.next().filter(|_| found.next().is_none())
    };
    if member("state").as_deref() != Some(expected.state.expose_secret()) {
        return (page(StatusCode::BAD_REQUEST, "This answers no login that was begun here."), None);
    }
    if member("iss").is_some_and(|issuer| issuer != expected.issuer) {
        let failure = Failure::failed("another issuer has answered").hint("log in again");
        return (page(StatusCode::BAD_REQUEST, "Another issuer has answered."), Some(Err(failure)));
    }
    let code = member("code").filter(|code| !code.is_empty());
    match (member("error"), code) {
        (None, Some(code)) => {
            let text = "You are logged in. You can close this window and go back to the terminal.";
            (page(StatusCode::OK, text), Some(Ok(Redacted::new(code.into_owned()))))
        }
        (error, _) => {
            let words = [error, member("error_description")].map(Option::unwrap_or_default).join(" ");
            let words: String = harmless_text(words.trim()).chars().take(300).collect();
            let failure = Failure::failed(format!("the issuer says no: {words}"));
            (page(StatusCode::OK, "You are not logged in; the terminal says why."), Some(Err(failure)))
        }
    }
}

/// A page that loads nothing and tells nobody where it was.
fn page(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let body = format!("<!doctype html><meta charset=utf-8><title>Thoth</title><p>{text}</p>\n");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
