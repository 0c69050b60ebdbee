//! The trace that a request says it is part of, as W3C Trace Context has it.

use super::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The length of what every version has, in bytes.
const LENGTH: usize = 55;

/// What a `traceparent` says. Anything but what the recommendation has is nothing: the request then begins a trace.
pub(super) fn read(text: &str) -> Option<SpanContext> {
    let text = text.trim_matches([' ', '\t']);
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let mut parts = known.split('-');
    let [version, trace, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let lengths = [version, trace, span, flags].map(str::len);
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // Later versions may say more behind it.
    let ends_well = rest.is_empty() || version != "00" && rest.starts_with('-');
    if lengths != [2, 32, 16, 2] || parts.next().is_some() || version == "ff" || !ends_well {
        return None;
    }
    if ![version, trace, span, flags].into_iter().all(is_hex) {
        return None;
    }
    // Other flags than this one mean nothing yet.
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// Whatever is not exactly as it should be begins a new trace.
    #[test]
    fn the_table_of_parents() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        for (text, expected) in [
            (good.clone(), Some(true)),
            (format!(" {good}\t"), Some(true)),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), Some(false)),
            (format!("00-{TRACE}-00f067aa0ba902b7-03"), Some(true)),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-has"), Some(true)),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01.x"), None),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), None),
            (format!("{good}-x"), None),
            (good.to_uppercase(), None),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), None),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), None),
            (format!("00-{TRACE}-00f067aa0ba902b7-0+"), None),
            (format!("00-{TRACE}-00f067aa0ba902b-001"), None),
            (format!("00-{}-00f067aa0ba902b7-01", "é".repeat(16)), None),
            (String::new(), None),
            ("00".to_owned(), None),
            ("-".repeat(55), None),
        ] {
            let found = read(&text);
            assert_eq!(found.as_ref().map(SpanContext::is_sampled), expected, "{text}");
            if let Some(found) = found {
                assert_eq!(found.trace_id().to_string(), TRACE);
                assert!(found.is_remote() && found.trace_state().header().is_empty());
            }
        }
    }
}
