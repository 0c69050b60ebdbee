//! One connection that asks, and what it asks.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Servers close connections that rest for longer than 10 seconds.
const FRESH: Duration = Duration::from_secs(5);

/// A connection, made anew when it has rested for long.
pub(crate) struct Client {
    address: SocketAddr,
    open: Option<(SendRequest<Full<Bytes>>, Instant)>,
}

impl Client {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    pub(crate) async fn get(&mut self, path: &str, authorization: &str) -> io::Result<(StatusCode, Value)> {
        self.ask(Method::GET, path, authorization, String::new()).await
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        authorization: &str,
        body: &Value,
    ) -> io::Result<(StatusCode, Value)> {
        self.ask(Method::POST, path, authorization, body.to_string()).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        authorization: &str,
        body: String,
    ) -> io::Result<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(io::Error::other)?;
        let mut sender = match self.open.take() {
            Some((sender, used)) if used.elapsed() < FRESH => sender,
            _ => connect(self.address).await?,
        };
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        self.open = Some((sender, Instant::now()));
        Ok((status, serde_json::from_slice(&body)?))
    }

    /// Has a call decided, which must come out so.
    pub(crate) async fn decide(&mut self, authorization: &str, question: &Value, decision: &str) -> io::Result<Value> {
        let (status, answer) = self.post("/v1/enforce", authorization, question).await?;
        expect(status.is_success() && answer.get("decision") == Some(&json!(decision)), status, &answer)?;
        Ok(answer)
    }

    /// Asks a cedar-agent the same, which must allow it.
    pub(crate) async fn authorized(&mut self, mut question: Value) -> io::Result<()> {
        let text = |name: &str| question.get(name).and_then(Value::as_str).unwrap_or_default();
        let (agent, tool) = (format!("Agent::{:?}", text("agent_id")), format!("Tool::{:?}", text("tool_name")));
        let context = question.get_mut("tool_args").map(Value::take);
        let asked = json!({ "principal": agent, "action": "Action::\"call\"", "resource": tool, "context": context });
        let (status, answer) = self.post("/v1/is_authorized", "", &asked).await?;
        expect(status.is_success() && answer.get("decision") == Some(&json!("Allow")), status, &answer)
    }
}

async fn connect(address: SocketAddr) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Another answer than the expected one ends the measurement.
pub(crate) fn expect(good: bool, status: StatusCode, answer: &Value) -> io::Result<()> {
    if good { Ok(()) } else { Err(io::Error::other(format!("{status}: {answer}"))) }
}

pub(crate) fn question(number: usize, session: &str, tool: &str, turn: usize) -> Value {
    json!({
        "agent_id": format!("agent-{number}"), "tenant_id": "acme", "user_id": "ada@example.com",
        "session_id": session, "tool_name": tool, "approved_scope": [],
        "enforcement_mode": "block", "session_tool_calls": ["search_documents"], "environment": "prod",
        "tool_args": {
            "query": format!("quarterly report {turn}"), "limit": 20, "folders": ["/srv/reports", "/srv/drafts"],
            "note": "The figures of the third quarter, by region, with those of the year before beside them.",
        },
    })
}
