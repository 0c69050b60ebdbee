//! What is said during a visit, in both eras of the protocol, over any way to a server.

use std::collections::HashSet;

use serde_json::json;
use thoth_types::json::{Kind, Limits, Tape, Value};

use super::{Ask, Gap, MAX_MESSAGE, MAX_TOTAL, Visit, VisitError, Wire};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// What a client calls itself that has no name of its own. A server that would show scanners something else than
/// clients is not helped to tell them apart.
const CLIENT: (&str, &str) = ("mcp", "0.1.0");

/// The lists: method, name of the list, and the capability that promises it.
const LISTS: [(&str, &str, &str); 4] = [
    ("tools/list", "tools", "tools"),
    ("prompts/list", "prompts", "prompts"),
    ("resources/list", "resources", "resources"),
    ("resources/templates/list", "resourceTemplates", "resources"),
];

/// Pages of one list. More of them have no end.
const MAX_PAGES: usize = 1000;

const LIMITS: Limits = Limits { max_bytes: MAX_MESSAGE, max_depth: 128, max_values: 4 << 20 };

/// Method not found, and the answers of modern servers to what is none of theirs.
const METHOD_NOT_FOUND: i64 = -32601;

/// Asks a server for everything that it offers.
///
/// # Errors
/// When the handshake fails. A list that cannot be had is a [`Gap`].
pub fn visit(wire: &mut dyn Wire) -> Result<Visit, VisitError> {
    let mut session = Session { wire, next: 0, modern: false, protocol: None };
    let hello = session.handshake()?;
    let mut tape = Tape::new();
    let result = result_of(&mut tape, &hello, "initialize")?;
    let protocol = session.protocol.clone().unwrap_or_default();
    let mut document = b"{".to_vec();
    if let Some(text) = result.get("instructions").filter(|text| text.kind() == Kind::String) {
        document.extend_from_slice(b"\"instructions\":");
        document.extend_from_slice(text.raw());
        document.push(b',');
    }
    let capabilities = result.get("capabilities");
    let mut gaps = Vec::new();
    for (at, (method, list, capability)) in LISTS.into_iter().enumerate() {
        let promised = capabilities.and_then(|all| all.get(capability)).is_some_and(|one| !one.is_null());
        document.extend_from_slice(if at > 0 { b",\"" } else { b"\"" });
        document.extend_from_slice(list.as_bytes());
        document.extend_from_slice(b"\":[");
        // Tools are asked for in any case: clients do so, whatever a server promises.
        if (promised || list == "tools")
            && let Err(error) = session.pages(method, list, &mut document)
        {
            let absent = matches!(error, VisitError::Refused { code: METHOD_NOT_FOUND, .. });
            if promised || !absent {
                if gone(&error) && list == "tools" {
                    return Err(error);
                }
                // Templates have a method of their own, which servers with resources need not know.
                if !(absent && list == "resourceTemplates") {
                    gaps.push(Gap { list, problem: error.to_string() });
                }
            }
        }
        document.push(b']');
    }
    document.push(b'}');
    Ok(Visit { document, protocol, gaps })
}

/// Whether nothing more can be asked.
const fn gone(error: &VisitError) -> bool {
    !matches!(error, VisitError::Refused { .. } | VisitError::Malformed { .. })
}

struct Session<'w> {
    wire: &'w mut dyn Wire,
    next: u64,
    modern: bool,
    protocol: Option<String>,
}

impl Session<'_> {
    /// The legacy handshake, which servers of both eras know; the modern one for those that refuse it.
    fn handshake(&mut self) -> Result<Vec<u8>, VisitError> {
        let (name, version) = CLIENT;
        let params = json!({
            "protocolVersion": LEGACY,
            "capabilities": {},
            "clientInfo": {"name": name, "version": version},
        });
        let answer = self.ask("initialize", params)?;
        let mut tape = Tape::new();
        match result_of(&mut tape, &answer, "initialize") {
            Ok(result) => {
                let spoken = result.get("protocolVersion").and_then(|text| text.as_str());
                let what = "names no protocol version";
                let spoken = spoken.ok_or_else(|| VisitError::Malformed { method: "initialize".to_owned(), what })?;
                self.wire.tell(
                    "notifications/initialized",
                    &spoken,
                    br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                )?;
                self.protocol = Some(spoken.into_owned());
                Ok(answer)
            }
            Err(refused @ VisitError::Refused { .. }) => {
                self.modern = true;
                self.protocol = Some(MODERN.to_owned());
                let answer = self.ask("server/discover", json!({}))?;
                // Of two refusals, the one of the handshake that servers have known for longer says more.
                match result_of(&mut tape, &answer, "server/discover") {
                    Ok(_) => Ok(answer),
                    Err(_) => Err(refused),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// All pages of a list: their elements, separated by commas.
    fn pages(&mut self, method: &str, list: &'static str, document: &mut Vec<u8>) -> Result<(), VisitError> {
        let mut seen = HashSet::new();
        let mut cursor: Option<String> = None;
        let mut is_first = true;
        let malformed = |what| VisitError::Malformed { method: method.to_owned(), what };
        let mut tape = Tape::new();
        loop {
            let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
            let answer = self.ask(method, params)?;
            let result = result_of(&mut tape, &answer, method)?;
            let elements = result.get(list).filter(|value| value.kind() == Kind::Array);
            for element in elements.ok_or_else(|| malformed("has no list"))?.elements() {
                if !std::mem::take(&mut is_first) {
                    document.push(b',');
                }
                document.extend_from_slice(element.raw());
            }
            if document.len() > MAX_TOTAL {
                return Err(VisitError::TooMuch { limit: MAX_TOTAL });
            }
            match result.get("nextCursor").and_then(|cursor| cursor.as_str()) {
                None => return Ok(()),
                Some(next) if !seen.insert(next.clone().into_owned()) => return Err(malformed("repeats a page")),
                Some(_) if seen.len() >= MAX_PAGES => return Err(malformed("has no end")),
                Some(next) => cursor = Some(next.into_owned()),
            }
        }
    }

    fn ask(&mut self, method: &str, mut params: serde_json::Value) -> Result<Vec<u8>, VisitError> {
        self.next += 1;
        if self.modern
            && let Some(params) = params.as_object_mut()
        {
            let (name, version) = CLIENT;
            params.insert(
                "_meta".to_owned(),
                json!({
                    "io.modelcontextprotocol/protocolVersion": MODERN,
                    "io.modelcontextprotocol/clientInfo": {"name": name, "version": version},
                    "io.modelcontextprotocol/clientCapabilities": {},
                }),
            );
        }
        let message = json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}).to_string();
        let ask = Ask { id: self.next, method, protocol: self.protocol.as_deref(), message: message.as_bytes() };
        self.wire.ask(&ask)
    }
}

/// The result of an answer.
fn result_of<'d>(tape: &'d mut Tape, answer: &'d [u8], method: &str) -> Result<Value<'d>, VisitError> {
    let method = || method.to_owned();
    let root =
        tape.parse(answer, &LIMITS).map_err(|error| VisitError::NotJson { method: method(), code: error.code })?;
    if let Some(error) = root.get("error").filter(|error| error.is_object()) {
        let code = error.get("code").and_then(|code| code.as_i64()).unwrap_or_default();
        let message = error.get("message").and_then(|text| text.as_str()).unwrap_or_default();
        return Err(VisitError::Refused { method: method(), code, message: message.chars().take(300).collect() });
    }
    let what = "has no result";
    root.get("result")
        .filter(|result| result.is_object())
        .ok_or_else(|| VisitError::Malformed { method: method(), what })
}
