//! A client that speaks just enough of the protocol to hold a conversation, in deliberately varied spelling.
//!
//! It writes messages in several forms that mean the same (key order, blanks, escapes, line ends, kinds of id), because
//! a gate that re-writes what it forwards would make them alike.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::stdio_peer::{PeerError, StdioPeer};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(120);
/// How often the client gives more input to one call; some servers would ask for ever.
const ROUNDS: usize = 5;

/// A revision of the protocol, which decides the era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// 2025-11-25: a handshake opens the session, and the server may ask the client.
    Legacy,
    /// 2026-07-28: each request stands alone, and the server asks by answering.
    Modern,
}

impl Revision {
    /// As it is written in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }
}

/// Why a conversation ended early.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The child misbehaved.
    #[error("while waiting for the answer to `{method}`")]
    Peer {
        /// What was asked.
        method: String,
        /// What happened.
        source: PeerError,
    },
    /// The child ended instead of answering.
    #[error("the output ended before the answer to `{method}`; standard error: {stderr}")]
    Ended {
        /// What was asked.
        method: String,
        /// What the child said about it.
        stderr: String,
    },
    /// The child wrote something else than a message.
    #[error("not a JSON message: `{0}`")]
    NotJson(String),
    /// The server has nothing of what the script needs.
    #[error("the answer to `{0}` lacks what the script needs: {1}")]
    Lacks(String, String),
}

/// The client's side of one conversation.
#[derive(Debug)]
pub(super) struct Client {
    peer: StdioPeer,
    revision: Revision,
    sent: Vec<u8>,
    used: BTreeSet<String>,
    count: u64,
}

impl Client {
    pub(super) fn new(peer: StdioPeer, revision: Revision) -> Self {
        Self { peer, revision, sent: Vec::new(), used: BTreeSet::new(), count: 0 }
    }

    pub(super) fn into_parts(self) -> (StdioPeer, Vec<u8>, BTreeSet<String>) {
        (self.peer, self.sent, self.used)
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// Sends a request and returns the whole answer. Requests of the server that come first are answered.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        let id = self.ask(method, params)?;
        self.answer_to(method, &id)
    }

    /// Like `request`, and goes on for as long as the server asks for more input (2026-07-28).
    pub(super) fn request_with_rounds(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        let mut params = params;
        let mut answer = Value::Null;
        for _ in 0..ROUNDS {
            answer = self.request(method, params.clone())?;
            let result = answer.get("result").cloned().unwrap_or_default();
            if result.get("resultType").and_then(Value::as_str) != Some("input_required") {
                break;
            }
            let asked = result.get("inputRequests").and_then(Value::as_object).cloned().unwrap_or_default();
            let given: Map<String, Value> = asked.into_iter().map(|(key, ask)| (key, reply_to(&ask))).collect();
            let Some(object) = params.as_object_mut() else { break };
            object.insert("inputResponses".to_owned(), Value::Object(given));
            match result.get("requestState") {
                Some(state) => drop(object.insert("requestState".to_owned(), state.clone())),
                None => drop(object.remove("requestState")),
            }
        }
        Ok(answer)
    }

    /// Sends a request without waiting; returns its id.
    pub(super) fn ask(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        self.count += 1;
        let id = if self.count.is_multiple_of(3) { json!(format!("r-{}", self.count)) } else { json!(self.count) };
        self.note(method, &params);
        let params = self.with_meta(params);
        self.write(method, &spelled(self.count, Some(&id), method, &params))?;
        Ok(id)
    }

    /// Sends a notification.
    pub(super) fn notify(&mut self, method: &str, params: Value) -> Result<(), ClientError> {
        self.count += 1;
        self.note(method, &params);
        let params = self.with_meta(params);
        self.write(method, &spelled(self.count, None, method, &params))
    }

    fn note(&mut self, method: &str, params: &Value) {
        let subject = ["name", "uri"].iter().find_map(|key| params.get(key)?.as_str()).unwrap_or("");
        self.used.insert(format!("{method} {subject}").trim_end().to_owned());
    }

    /// What every request of the modern era carries.
    fn with_meta(&self, mut params: Value) -> Value {
        if self.revision == Revision::Modern
            && let Some(object) = params.as_object_mut()
        {
            let meta = object.entry("_meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                meta.insert("io.modelcontextprotocol/protocolVersion".to_owned(), json!(self.revision.as_str()));
                meta.insert("io.modelcontextprotocol/clientInfo".to_owned(), client_info());
                meta.insert("io.modelcontextprotocol/clientCapabilities".to_owned(), capabilities());
                meta.insert("io.modelcontextprotocol/logLevel".to_owned(), json!("debug"));
            }
        }
        params
    }

    fn write(&mut self, method: &str, line: &str) -> Result<(), ClientError> {
        self.sent.extend_from_slice(line.as_bytes());
        let failed = |source| ClientError::Peer { method: method.to_owned(), source };
        self.peer.send(line.as_bytes()).map_err(failed)
    }

    fn answer_to(&mut self, method: &str, id: &Value) -> Result<Value, ClientError> {
        loop {
            let message = self.next_message(method)?;
            match (message.get("method").and_then(Value::as_str), message.get("id")) {
                (None, Some(answered)) if answered == id => return Ok(message),
                (Some(asked), Some(own)) => {
                    let reply = json!({"jsonrpc": "2.0", "id": own, "result": reply_to(&message)});
                    self.write(asked, &format!("{reply}\n"))?;
                }
                _ => {}
            }
        }
    }

    fn next_message(&mut self, method: &str) -> Result<Value, ClientError> {
        let failed = |source| ClientError::Peer { method: method.to_owned(), source };
        let Some(line) = self.peer.receive(ANSWER).map_err(failed)? else {
            return Err(ClientError::Ended { method: method.to_owned(), stderr: self.peer.complaints() });
        };
        serde_json::from_slice(&line).map_err(|_| ClientError::NotJson(String::from_utf8_lossy(&line).into_owned()))
    }
}

/// Who this client says it is.
pub(super) fn client_info() -> Value {
    json!({"name": "transcript", "version": "1.0.0", "title": "Übersicht"})
}

/// Everything that a client can declare.
pub(super) fn capabilities() -> Value {
    json!({"roots": {"listChanged": true}, "sampling": {}, "elicitation": {"form": {}, "url": {}}})
}

/// What the client answers when the server asks, in a request or inside `inputRequests`.
fn reply_to(ask: &Value) -> Value {
    match ask.get("method").and_then(Value::as_str) {
        Some("sampling/createMessage") => {
            json!({"role": "assistant", "model": "none", "stopReason": "endTurn", "content": {"type": "text", "text": "as you say"}})
        }
        Some("elicitation/create") => {
            let schema = ask.pointer("/params/requestedSchema").cloned().unwrap_or_default();
            json!({"action": "accept", "content": super::plausible::value(&schema, &schema)})
        }
        Some("roots/list") => json!({"roots": [{"uri": "file:///home/agent", "name": "home"}]}),
        _ => json!({}),
    }
}

/// One message as a line; which of the spellings is used goes by the number.
fn spelled(number: u64, id: Option<&Value>, method: &str, params: &Value) -> String {
    let method = Value::from(method).to_string();
    match (number % 4, id) {
        (0, Some(id)) => format!("{{\"params\":{params},\"method\":{method},\"id\":{id},\"jsonrpc\":\"2.0\"}}\r\n"),
        (1, Some(id)) => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":{method},\"params\":{params}}}\n"),
        (2, Some(id)) => {
            format!("  {{ \"jsonrpc\" : \"2.0\" ,\t\"id\" : {id} , \"method\" : {method} , \"params\" : {params} }} \n")
        }
        (_, Some(id)) => {
            format!("{{\"json\\u0072pc\":\"2.0\",\"id\":{id},\"method\":{},\"params\":{params}}}\n", escaped(&method))
        }
        (_, None) => format!("{{\"method\":{method},\"params\":{params},\"jsonrpc\":\"2.0\"}}\n"),
    }
}

/// A JSON string, in quotes, with its first letter written as an escape.
fn escaped(quoted: &str) -> String {
    let mut letters = quoted.chars();
    let (quote, first) = (letters.next(), letters.next());
    let code = first.map_or(0, u32::from);
    format!("{}\\u{code:04x}{}", quote.unwrap_or('"'), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spellings differ in every byte that a re-writing gate would lose, and mean the same.
    #[test]
    fn spellings_differ_and_mean_the_same() {
        let lines: BTreeSet<String> =
            (0..4).map(|number| spelled(number, Some(&json!(7)), "tools/call", &json!({"a": 1}))).collect();
        assert_eq!(lines.len(), 4);
        for line in &lines {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value, json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"a": 1}}), "{line}");
        }
    }
}
