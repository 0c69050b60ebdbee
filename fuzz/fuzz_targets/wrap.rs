//! Whatever a client's file holds: what is put under `thoth run` comes out again to the byte, and putting it there twice
//! changes nothing.
//!
//! The first byte chooses one of the places where clients keep servers; the rest is the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_endpoint::document::Document;
use thoth_endpoint::entry::{State, entries};
use thoth_endpoint::hosts::{HOSTS, Location};
use thoth_endpoint::rewrite::Change;
use thoth_endpoint::unwrap::unwrap;
use thoth_endpoint::wrap::{WrapOptions, wrap};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let locations: Vec<&Location> = HOSTS.iter().flat_map(|host| host.locations).collect();
    let Location { format, shape, .. } = locations[usize::from(*choice) % locations.len()];
    let Ok(document) = Document::parse(*format, bytes) else { return };
    // Only of files in which nothing is governed yet is it known what undoing must give.
    if entries(&document, shape).iter().any(|entry| matches!(entry.state, State::Governed(_))) {
        return;
    }
    let options = WrapOptions {
        default_agent: "fuzz".to_owned(),
        default_thoth: Some("/usr/bin/thoth".to_owned()),
        tenant_id: Some("a b\"\u{e9}".to_owned()),
        env: vec![("THOTH_FUZZ".to_owned(), "x: #\\".to_owned())],
        ..WrapOptions::default()
    };
    let Ok(wrapped) = wrap(&document, shape, &options) else { return };
    let again = Document::parse(*format, wrapped.text.as_bytes()).expect("what was written reads back");
    let governed = entries(&again, shape).iter().filter(|entry| matches!(entry.state, State::Governed(_))).count();
    let meant = wrapped.outcomes.iter().filter(|outcome| outcome.change == Change::Wrapped).count();
    assert_eq!(governed, meant);
    assert_eq!(wrap(&again, shape, &options).expect("it can be wrapped again").text, wrapped.text);
    assert_eq!(unwrap(&again, shape, &[]).expect("it can be unwrapped").text.as_bytes(), bytes);
});
