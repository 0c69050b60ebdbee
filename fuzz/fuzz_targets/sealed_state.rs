//! No state opens but the very one that was sealed, and none makes the reader panic.
//!
//! The first byte chooses what is done with a sealed state; the rest is the state that the client returns, or the
//! changes to it: pairs of a place and a byte.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use thoth_types::{Binding, HoldToken, Redacted};

// Included, not depended on: the proxy's own tree of processes and threads has no place under a sanitizer.
#[path = "../../crates/thoth-proxy/src/sealed_state.rs"]
mod sealed_state;

use sealed_state::{NONCE_BYTES, PREFIX, Sealer, State, Unopened};

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let sealer = Sealer::new(Redacted::new([7; 32]), &"session".parse().expect("an id"));
    let state = State {
        hold: HoldToken::new([*choice; 16]),
        binding: Binding([*choice; 32]),
        expires_at: Timestamp::from_second(i64::from(*choice)).expect("a time"),
        nonce: [*choice; NONCE_BYTES],
    };
    let sealed = sealer.seal(&state).expect("a hold's own token");
    let returned = if choice & 1 == 0 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        let mut bytes = sealed.clone().into_bytes();
        for pair in rest.chunks_exact(2) {
            let at = usize::from(pair[0]) % bytes.len();
            bytes[at] = pair[1];
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    match sealer.open(&returned, Timestamp::UNIX_EPOCH) {
        Ok(opened) => assert_eq!((returned, opened), (sealed, state)),
        Err(Unopened::Foreign) => assert!(!returned.starts_with(PREFIX)),
        Err(Unopened::Broken) => assert!(returned.starts_with(PREFIX) && returned != sealed),
        Err(Unopened::Expired) => assert!(returned == sealed && *choice == 0),
    }
});
