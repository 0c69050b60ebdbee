//! Any JSON is scanned without a panic, in bounded findings whose places lead to what they speak of; and no
//! definition drifts from itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_scan::definition::{ScanLimits, Scanner, Server};
use thoth_types::json::{Limits, Tape, Value};

fuzz_target!(|data: &[u8]| {
    let mut tape = Tape::new();
    let Ok(value) = tape.parse(data, &Limits::default()) else { return };
    let scanner = Scanner::default();
    let findings = scanner.scan_tool(value);
    assert!(findings.len() <= ScanLimits::default().max_findings);
    for finding in &findings {
        assert!(finding.bytes.start <= finding.bytes.end);
        // A pointer leads to a member; what was found stands in its value, or in its key.
        let key = finding.pointer.rsplit('/').next().map_or(0, |key| key.replace("~1", "/").replace("~0", "~").len());
        if let Some(text) = at(value, &finding.pointer) {
            assert!(finding.bytes.start <= text.len().max(key), "{finding:?}");
        }
    }
    assert_eq!(scanner.drift(value, value), [], "a definition is what it is");
    let server = |name| Server { name, tools: value.elements().chain([value]).collect(), ..Server::default() };
    let _ = scanner.scan_set(&[server("one"), server("other")]);
});

/// The string at a pointer, or the key that it ends with.
fn at(value: Value<'_>, pointer: &str) -> Option<String> {
    let mut here = value;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        here = match step.parse::<usize>().ok().filter(|_| !here.is_object()) {
            Some(index) => here.elements().nth(index)?,
            None => here.get(&step)?,
        };
    }
    here.as_str().map(std::borrow::Cow::into_owned)
}
