//! Removing what stands on lines of its own.

use super::super::source::Source;
use super::splice::Splices;

/// Removes spans that begin and end on lines of their own, in ascending order. With a span goes the line break before
/// it, as it was written before it; at the begin of the text, the one after it. What else is on the line, a comment,
/// stays.
pub(super) fn remove(source: Source<'_>, spans: &[(usize, usize)], splices: &mut Splices) {
    let mut begin = source.start;
    for (start, end) in spans.iter().copied() {
        let head = source.line_head(start);
        match (head, source.blank_to_line_end(end)) {
            (Some(head), Some(_)) if head.start == begin => {
                begin = end + source.line_break(end).len();
                splices.remove(head.start, begin);
            }
            (Some(head), Some(_)) => splices.remove(head.break_start, end),
            _ => splices.remove(start, end),
        }
    }
}
