//! Whatever the decoder accepts means the same to every reader; nothing makes it panic.
//!
//! The first byte chooses the direction and whether batches are accepted; the rest is one line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_mcp::{BatchRule, Decoder, Direction};

// Included, not depended on: the testkit's own tree of servers and processes has no place under a sanitizer.
#[expect(dead_code, reason = "each target uses its half")]
#[path = "../../crates/thoth-testkit/src/readers.rs"]
mod readers;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let direction = if choice & 1 == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
    let batch = if choice & 2 == 0 { BatchRule::Refuse } else { BatchRule::Accept };
    let mut decoder = Decoder::default();
    match decoder.decode(body, direction, batch) {
        Ok(frame) => {
            assert_eq!(readers::disagreement(body, &frame, direction), None);
            for message in frame.messages() {
                let raw = message.raw();
                assert!(raw.starts_with(b"{") && raw.ends_with(b"}"), "a message is an object");
            }
        }
        Err(refusal) => {
            assert!(refusal.offset <= body.len(), "an offset is inside the line");
            if let Some(reply) = refusal.response() {
                let reply: serde_json::Value = serde_json::from_slice(&reply).expect("a reply is JSON");
                assert!(reply.is_object() || reply.is_array());
            }
        }
    }
});
