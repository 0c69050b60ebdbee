//! What is ours is cut out of a request and nothing else of it changes, whatever the client has written.
//!
//! The first byte chooses whose state the request returns; the rest is one line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use thoth_mcp::{BatchRule, Decoder, Direction, Frame, Message, StateOf, cut_round_trip};

const PREFIX: &str = "our/";

fuzz_target!(|data: &[u8]| {
    let Some((choice, line)) = data.split_first() else { return };
    let state = if choice & 1 == 0 { StateOf::Gate } else { StateOf::Server };
    let Some(left) = cut(line, state) else { return };
    let mut rest = line.iter();
    assert!(left.iter().all(|byte| rest.any(|other| other == byte)), "nothing is added or moved");
    assert_eq!(cut(&left, state).as_deref(), Some(left.as_slice()), "what is left is a request with nothing of ours");
    if let (Ok(mut whole), Ok(left)) = (serde_json::from_slice::<Value>(line), serde_json::from_slice::<Value>(&left)) {
        remove(&mut whole, state);
        assert_eq!(whole, left, "the right members are gone");
    }
});

fn cut(line: &[u8], state: StateOf) -> Option<Vec<u8>> {
    let mut decoder = Decoder::default();
    match decoder.decode(line, Direction::ClientToServer, BatchRule::Refuse) {
        Ok(Frame::One(Message::Request(request))) => Some(cut_round_trip(line, &request, PREFIX, state)),
        _ => None,
    }
}

fn remove(message: &mut Value, state: StateOf) {
    let Some(params) = message.get_mut("params").and_then(Value::as_object_mut) else { return };
    if state == StateOf::Gate {
        params.remove("requestState");
    }
    let Some(responses) = params.get_mut("inputResponses").and_then(Value::as_object_mut) else { return };
    let before = responses.len();
    responses.retain(|key, _| !key.starts_with(PREFIX));
    if before > 0 && responses.is_empty() {
        params.remove("inputResponses");
    }
}
