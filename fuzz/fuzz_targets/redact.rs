//! What redaction hands out is valid JSON and says what was removed. What is left may look like a secret where a cut ended it,
//! and be cut once more; that comes to an end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_inspect::{Action, InspectSettings, inspect_result, redact};
use thoth_types::json::{Limits, Tape};

/// `password:password:…` is cut at one end in each round.
const ROUNDS: usize = 64;

fuzz_target!(|document: &[u8]| {
    let mut tape = Tape::new();
    let Ok(value) = tape.parse(document, &Limits::default()) else { return };
    let settings = InspectSettings { email: true, phone: true, kinds: Default::default(), ..InspectSettings::default() };
    let inspection = inspect_result("tool", value, &settings);
    let redacts = inspection.detections.iter().any(|found| found.action == Action::Redact);
    let Ok(out) = redact(document, &inspection, None) else { return };
    let mut tape = Tape::new();
    tape.parse(&out.document, &Limits { max_bytes: out.document.len(), ..Limits::default() }).expect("valid JSON");
    assert_eq!(redacts, !out.removed.is_empty(), "what was removed is said");
    if !redacts {
        assert_eq!(out.document, document, "nothing else changes");
    }
    let mut last = out.document;
    for _ in 0..ROUNDS {
        let mut tape = Tape::new();
        let limits = Limits { max_bytes: last.len(), ..Limits::default() };
        let value = tape.parse(&last, &limits).expect("valid JSON");
        let Ok(next) = redact(&last, &inspect_result("tool", value, &settings), None) else { return };
        if next.document == last {
            return;
        }
        last = next.document;
    }
    panic!("cut again after {ROUNDS} rounds");
});
