//! The few messages that the gate itself writes.

use crate::message::Era;

/// A JSON-RPC error as one line with its newline. `id_raw` is the exact token of the request's id; `data` is JSON,
/// already written.
#[must_use]
pub fn error_response(id_raw: &[u8], code: i64, message: &str, data: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + id_raw.len() + message.len() + data.map_or(0, <[u8]>::len));
    open(&mut out, id_raw);
    out.extend_from_slice(br#","error":{"code":"#);
    out.extend_from_slice(code.to_string().as_bytes());
    out.extend_from_slice(br#","message":"#);
    push_json_string(&mut out, message);
    if let Some(data) = data {
        out.extend_from_slice(br#","data":"#);
        out.extend_from_slice(data);
    }
    out.extend_from_slice(b"}}\n");
    out
}

/// A tool result with `isError: true` and one text for the model, as one line with its newline. In the modern era it
/// says that it is complete, which the legacy era does not know.
#[must_use]
pub fn tool_error_result(id_raw: &[u8], text: &str, era: Era) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + id_raw.len() + text.len());
    open(&mut out, id_raw);
    out.extend_from_slice(br#","result":{"#);
    if era == Era::Modern {
        out.extend_from_slice(br#""resultType":"complete","#);
    }
    out.extend_from_slice(br#""content":[{"type":"text","text":"#);
    push_json_string(&mut out, text);
    out.extend_from_slice(b"}],\"isError\":true}}\n");
    out
}

/// A `notifications/progress` as one line with its newline. `token_raw` is the exact token under which the sender of the
/// request wants to hear of it; each `progress` of one request must be above the last.
#[must_use]
pub fn progress_notification(token_raw: &[u8], progress: i64, message: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + token_raw.len() + message.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"#);
    out.extend_from_slice(token_raw);
    out.extend_from_slice(br#","progress":"#);
    out.extend_from_slice(progress.to_string().as_bytes());
    out.extend_from_slice(br#","message":"#);
    push_json_string(&mut out, message);
    out.extend_from_slice(b"}}\n");
    out
}

/// A notification without parameters as one line with its newline (legacy era).
#[must_use]
pub fn notification(method: &str) -> Vec<u8> {
    let mut out = br#"{"jsonrpc":"2.0","method":"#.to_vec();
    push_json_string(&mut out, method);
    out.extend_from_slice(b"}\n");
    out
}

/// A `notifications/cancelled` as one line with its newline: calls off a request that the gate made itself (legacy
/// era). `request_id_raw` is the exact token of its id.
#[must_use]
pub fn cancelled_notification(request_id_raw: &[u8], reason: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + request_id_raw.len() + reason.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"#);
    out.extend_from_slice(request_id_raw);
    out.extend_from_slice(br#","reason":"#);
    push_json_string(&mut out, reason);
    out.extend_from_slice(b"}}\n");
    out
}

pub(crate) fn open(out: &mut Vec<u8>, id_raw: &[u8]) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id_raw);
}

/// Appends `text` as a JSON string, quotes included.
pub fn push_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(br#"\""#),
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            // Escaped so that no reader ends a line or a string there.
            '\0'..'\u{20}' | '\u{7f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchRule, Decoder, Direction, Frame, Message};
    use proptest::prelude::*;

    fn decoded(line: &[u8]) -> serde_json::Value {
        let body = line.strip_suffix(b"\n").expect("one line");
        assert!(!body.contains(&b'\n'));
        let mut decoder = Decoder::default();
        let frame = decoder.decode(body, Direction::ServerToClient, BatchRule::Refuse).expect("our own messages");
        assert!(matches!(frame, Frame::One(Message::Response(_))));
        serde_json::from_slice(body).expect("JSON")
    }

    proptest! {
        /// Defends that what we write is read as meant, also by ourselves.
        #[test]
        fn what_is_written_is_read_as_meant(text in any::<String>(), id in any::<i64>(), code in any::<i32>()) {
            let id_raw = id.to_string();
            let error = decoded(&error_response(id_raw.as_bytes(), code.into(), &text, Some(b"{\"k\":[1]}")));
            prop_assert_eq!(&error["error"]["message"], &serde_json::json!(text));
            prop_assert_eq!(&error["error"]["code"], &serde_json::json!(code));
            prop_assert_eq!(&error["error"]["data"]["k"][0], &serde_json::json!(1));
            prop_assert_eq!(&error["id"], &serde_json::json!(id));
            for (era, result_type) in [(Era::Legacy, serde_json::Value::Null), (Era::Modern, "complete".into())] {
                let result = decoded(&tool_error_result(b"\"x\"", &text, era));
                prop_assert_eq!(&result["result"]["content"][0]["text"], &serde_json::json!(text));
                prop_assert_eq!(&result["result"]["isError"], &serde_json::json!(true));
                prop_assert_eq!(&result["result"]["resultType"], &result_type);
            }
        }
    }
}
