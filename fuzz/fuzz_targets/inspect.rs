//! Whatever a document holds, both inspections end, place every detection inside it, and carry no secret of it.
//!
//! The first byte chooses the tool, the rest is the document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_inspect::{Confidence, Inspection, InspectSettings, inspect_arguments, inspect_result};
use thoth_types::json::{Limits, Tape};

fn check(inspection: &Inspection, document: &[u8]) {
    for found in &inspection.detections {
        assert!(found.span.start < found.span.end && found.span.end <= document.len(), "a span inside the document");
        assert!(found.kind.starts_with(found.class.as_str()), "a kind opens with its class");
    }
    let starts: Vec<usize> = inspection.detections.iter().map(|found| found.span.start).collect();
    assert!(starts.is_sorted(), "in the order of the document");
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, document)) = data.split_first() else { return };
    let mut tape = Tape::new();
    let Ok(value) = tape.parse(document, &Limits::default()) else { return };
    let tools = ["read_file", "execute_command", "database_query", "web_search"];
    let tool = tools[usize::from(*choice) % tools.len()];
    let settings = InspectSettings { email: true, phone: true, min_confidence: Confidence::Low, ..InspectSettings::default() };
    check(&inspect_arguments(tool, value, None, &settings), document);
    check(&inspect_result(tool, value, &settings), document);
});
