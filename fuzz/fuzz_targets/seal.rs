//! No document opens but one that says what was sealed, and none makes the reader panic.
//!
//! The first byte chooses: the rest is a document that somebody made up; or an object that is sealed; or changes to a sealed
//! document, pairs of a place and a byte.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thoth_audit::seal::{SealKey, SealOpener, claimed_key};

const DOMAIN: &str = "fuzz";
const OBJECT: &str = r#"{"a":["x",1,null],"b":{"c":"\u00e9"}}"#;

static KEY: LazyLock<SealKey> = LazyLock::new(|| SealKey::new(&[7; 32]));
static OPENER: LazyLock<SealOpener> = LazyLock::new(|| KEY.opener());

/// What a document means: its members, the signature left out.
fn meaning(document: &[u8]) -> serde_json::Value {
    let mut value: serde_json::Value = serde_json::from_slice(document).expect("what opens is JSON");
    value.as_object_mut().expect("an object").remove("signature");
    value
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let _which = claimed_key(rest);
    match choice % 3 {
        0 => assert!(OPENER.open(DOMAIN, rest).is_err(), "nobody signed this"),
        1 => {
            let Ok(object) = std::str::from_utf8(rest) else { return };
            let Ok(sealed) = KEY.seal(DOMAIN, object) else { return };
            OPENER.open(DOMAIN, sealed.as_bytes()).expect("what is sealed opens");
            assert!(OPENER.open("other", sealed.as_bytes()).is_err(), "of another kind");
        }
        _ => {
            let sealed = KEY.seal(DOMAIN, OBJECT).expect("an object");
            let mut bytes = sealed.clone().into_bytes();
            for pair in rest.chunks_exact(2) {
                let at = usize::from(pair[0]) % bytes.len();
                bytes[at] = pair[1];
            }
            if OPENER.open(DOMAIN, &bytes).is_ok() {
                assert_eq!(meaning(&bytes), meaning(sealed.as_bytes()));
            }
        }
    }
});
