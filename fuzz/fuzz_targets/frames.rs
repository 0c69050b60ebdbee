//! Bytes are lines, however they arrive.
//!
//! The first byte is the frame limit, the next one says how many piece sizes follow; the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;

// Included, not depended on: the testkit's own tree of servers and processes has no place under a sanitizer.
#[expect(dead_code, reason = "each target uses its half")]
#[path = "../../crates/thoth-testkit/src/readers.rs"]
mod readers;

fuzz_target!(|data: &[u8]| {
    let [limit, count, rest @ ..] = data else { return };
    let Some((pieces, input)) = rest.split_at_checked(usize::from(count % 8)) else { return };
    let max_frame = usize::from(*limit) + 1;
    assert_eq!(
        readers::buffered_lines(input, max_frame, pieces),
        Ok(readers::simple_lines(input, max_frame)),
        "the buffer and the simple reader find the same lines"
    );
});
