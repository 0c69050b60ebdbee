//! Who is to be told about a refused frame: a lenient look at bytes that the strict parser did not accept.
//!
//! What is found here addresses an error reply and nothing else; no byte is ever forwarded because of it. Hence one
//! rule: an id is found only if every reader would find that one.

use thoth_types::json::{Limits, Tape};

use crate::decode::BatchRule;
use crate::fault::Fault;
use crate::id::{Id, MAX_ID_BYTES};
use crate::keys;
use crate::refusal::{Refusal, RefusalCode, RefusedShape};

/// The longest key that is compared: `id` with both letters escaped, and some more.
const MAX_KEY_BYTES: usize = 64;

/// Makes the refusal of `body`.
pub(crate) fn refuse(fault: Fault, body: &[u8], batch: BatchRule, limits: &Limits) -> Refusal {
    let mut scan = Scan::default();
    scan.feed(body);
    let mut refusal = scan.refuse(fault.code, fault.offset, body.len());
    if batch == BatchRule::Accept && fault.code != RefusalCode::BatchIdReused {
        refusal.batch = batch_ids(body, limits);
    }
    refusal
}

/// The ids of the requests in a batch that is JSON but was refused for another reason.
fn batch_ids(body: &[u8], limits: &Limits) -> Vec<Box<[u8]>> {
    let mut tape = Tape::new();
    let Ok(document) = tape.parse(body, limits) else { return Vec::new() };
    document
        .elements()
        .take(crate::MAX_BATCH)
        .filter_map(|element| {
            let mut scan = Scan::default();
            scan.feed(element.raw());
            let refusal = scan.refuse(RefusalCode::NotAnObject, 0, 0);
            refusal.id.filter(|_| refusal.shape == RefusedShape::Request)
        })
        .collect()
}

/// Where the scan stands in the top-level object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// Before it.
    #[default]
    Start,
    /// Before a key.
    Key,
    /// After a key.
    Colon,
    /// In a value.
    Value,
    /// After it.
    End,
    /// Nothing can be said any more.
    Lost,
}

/// A scanner for the top-level members of one object, fed in pieces, in constant memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scan {
    at: At,
    depth: u64,
    in_string: bool,
    after_backslash: bool,
    /// The key that is being read, quotes included; cut off where it cannot be one of ours any more.
    key: Vec<u8>,
    /// Whether the value that is being read is the id's.
    in_id: bool,
    id: Vec<u8>,
    ids: u32,
    has_method: bool,
    has_outcome: bool,
}

impl Scan {
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        if self.at == At::Start {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        while !bytes.is_empty() && self.at != At::Lost {
            // The insides of strings that do not matter are most of the bytes.
            if self.in_string && !self.after_backslash && self.depth > 1 {
                let plain = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                bytes = bytes.get(plain..).unwrap_or_default();
            }
            let Some((&byte, rest)) = bytes.split_first() else { return };
            if self.in_string {
                self.string_byte(byte)
            } else {
                self.plain_byte(byte)
            }
            bytes = rest;
        }
    }

    fn string_byte(&mut self, byte: u8) {
        self.keep(byte);
        if self.after_backslash {
            self.after_backslash = false;
        } else if byte == b'\\' {
            self.after_backslash = true;
        } else if byte == b'"' {
            self.in_string = false;
            if self.depth == 1 && self.at == At::Key {
                self.key_read();
            }
        }
    }

    fn plain_byte(&mut self, byte: u8) {
        match (byte, self.at) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => self.keep(byte),
            (b'{', At::Start) => {
                self.at = At::Key;
                self.depth = 1;
            }
            (b'"', At::Key) => {
                self.key.clear();
                self.in_string = true;
                self.keep(byte);
            }
            (b':', At::Colon) => self.at = At::Value,
            (b'}', At::Key | At::Value) if self.depth == 1 => self.at = At::End,
            (b',', At::Value) if self.depth == 1 => {
                self.at = At::Key;
                self.in_id = false;
            }
            (_, At::Value) => {
                self.keep(byte);
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' if self.depth > 1 => self.depth -= 1,
                    b'}' | b']' => self.at = At::Lost,
                    _ => {}
                }
            }
            _ => self.at = At::Lost,
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.at == At::Key && self.in_string {
            if self.key.len() < MAX_KEY_BYTES {
                self.key.push(byte);
            }
        } else if self.at == At::Value && self.in_id && self.id.len() <= MAX_ID_BYTES + 1 {
            self.id.push(byte);
        }
    }

    fn key_read(&mut self) {
        self.at = At::Colon;
        let mut tape = Tape::new();
        let text = tape.parse(&self.key, &Limits::default()).ok().and_then(|key| key.as_str());
        let Some(text) = text else { return };
        // What a reader that ends a key at a control character sees.
        let visible = text.split(char::is_control).next().unwrap_or_default();
        if keys::folds_to(visible, "id") {
            self.ids += 1;
            if text == "id" {
                self.in_id = true;
                self.id.clear();
            } else {
                self.ids += 1;
            }
        }
        self.has_method |= text == "method";
        self.has_outcome |= text == "result" || text == "error";
    }

    /// What can be said about the bytes so far as a whole frame.
    pub(crate) fn refuse(&self, code: RefusalCode, offset: usize, length: usize) -> Refusal {
        let mut refusal = Refusal::new(code, offset, length);
        if self.at != At::End {
            return refusal;
        }
        refusal.shape = match (self.has_method, self.ids > 0, self.has_outcome) {
            (true, true, _) => RefusedShape::Request,
            (true, false, _) => RefusedShape::Notification,
            (false, _, true) => RefusedShape::Response,
            (false, _, false) => RefusedShape::Unknown,
        };
        if self.ids == 1 {
            let mut tape = Tape::new();
            let id = tape.parse(self.id.trim_ascii(), &Limits::default());
            refusal.id = id.ok().and_then(|value| Id::read(value).ok()).map(|id| id.raw().into());
        }
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Defends against answering under a wrong id: an id is read only where every reader reads that one.
    #[test]
    fn reads_an_id_only_without_doubt() {
        let cases: &[(&str, Option<&str>, RefusedShape)] = &[
            (r#"{"id":7,"method":"m","x":NaN}"#, Some("7"), RefusedShape::Request),
            (r#"{"params":{"id":1,"s":"}\"{"},"method":"m","id": "a" }"#, Some("\"a\""), RefusedShape::Request),
            (r#"{"\u0069d":7,"method":"m"}"#, Some("7"), RefusedShape::Request),
            (r#"{"id":7,"id":8,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":7,"\u0069d":7,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":7,"ID":8,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"Id":8,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id\u0000":8,"id":7,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":null,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":[7],"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":1e999,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":7 8,"method":"m"}"#, None, RefusedShape::Request),
            (r#"{"id":7,"result":{}}"#, Some("7"), RefusedShape::Response),
            (r#"{"method":"m"}"#, None, RefusedShape::Notification),
            (r#"{"id":7,"method":"m"} {"#, None, RefusedShape::Unknown),
            (r#"{"id":7,"method":"m""#, None, RefusedShape::Unknown),
            (r#"[{"id":7,"method":"m"}]"#, None, RefusedShape::Unknown),
            ("{\"id\":7,\"method\":\"m\"}\r{\"id\":8}", None, RefusedShape::Unknown),
            ("", None, RefusedShape::Unknown),
        ];
        for (text, id, shape) in cases {
            let mut scan = Scan::default();
            scan.feed(text.as_bytes());
            let refusal = scan.refuse(RefusalCode::NotAnObject, 0, text.len());
            assert_eq!(refusal.id.as_deref(), id.map(str::as_bytes), "{text}");
            assert_eq!(refusal.shape, *shape, "{text}");
        }
    }

    proptest! {
        /// Defends the same for oversize lines, which are seen in pieces.
        #[test]
        fn pieces_read_as_the_whole(text in r#"\{("id"|"method"|"x"):("a\\"|7|\{"id":1\}|\[)(,"id":8)?\}?"#, cut in 0_usize..60) {
            let (head, tail) = text.as_bytes().split_at(cut.min(text.len()));
            let (mut whole, mut pieces) = (Scan::default(), Scan::default());
            whole.feed(text.as_bytes());
            pieces.feed(head);
            pieces.feed(tail);
            prop_assert_eq!(whole.refuse(RefusalCode::NotAnObject, 0, 0), pieces.refuse(RefusalCode::NotAnObject, 0, 0));
        }
    }
}
