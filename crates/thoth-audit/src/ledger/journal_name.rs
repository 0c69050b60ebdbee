//! What journals are called: `<32 hex digits>-<6 digits>.jsonl`, the writer and the number of its segment.

/// The name of a writer's segment.
pub(super) fn segment_name(writer_id: &str, sequence: u32) -> String {
    format!("{writer_id}-{sequence:06}.jsonl")
}

/// Whether a file in the journal directory is a journal.
pub(crate) fn is_journal(name: &str) -> bool {
    let Some((id, sequence)) = name.strip_suffix(".jsonl").and_then(|stem| stem.split_once('-')) else { return false };
    id.len() == 32
        && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && sequence.len() == 6
        && sequence.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a writer names is recognised, and nothing else is.
    #[test]
    fn names_that_are_written_are_recognised() {
        let writer = "0123456789abcdef0123456789abcdef";
        for sequence in [1, 999_999] {
            assert!(is_journal(&segment_name(writer, sequence)), "{sequence}");
        }
        let good = segment_name(writer, 1);
        for other in [format!("{good}.new"), good.to_uppercase(), good.replacen('0', "", 1), good.replace('-', "_")] {
            assert!(!is_journal(&other), "{other}");
        }
    }
}
