//! Any text is read without a panic; whatever is reported lies inside it, on boundaries of its characters.

#![no_main]

use libfuzzer_sys::fuzz_target;
use thoth_text::{Limits, Text};

fuzz_target!(|raw: &str| {
    let text = Text::read(raw);
    for (at, c) in text.view().char_indices() {
        assert!(raw.get(text.raw_range(at..at + c.len_utf8())).is_some());
    }
    for segment in text.segments() {
        assert!(raw.get(segment.raw.clone()).is_some());
        assert!(segment.depth >= 1 && segment.depth <= Limits::default().max_depth);
    }
    for anomaly in text.anomalies() {
        assert!(raw.get(anomaly.raw.clone()).is_some());
        assert!(anomaly.count > 0);
    }
    if text.is_plain() {
        assert_eq!(text.view(), raw);
    }
});
