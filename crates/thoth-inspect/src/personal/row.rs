//! Numbers that stand beside others with nothing but a blank between: `4111 1111 1111 1111 12/27`.

use std::ops::Range;

use super::DigitGroup;

/// How people part the digits of the numbers that are looked for, with blanks.
const SHAPES: &[&[usize]] =
    &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 5], &[4, 4, 4], &[3, 2, 4], &[3, 3, 3]];

/// What of a row of digits and single separators may be a number of its own.
///
/// Each piece between blanks may; and at either end of the row, or beside another such number, pieces that are parted as
/// people part a number. In the middle of a row of equal pieces none is: that is a table.
pub(super) fn numbers(bytes: &[u8], row: Range<usize>) -> Vec<Range<usize>> {
    let pieces = pieces(bytes, row);
    if pieces.len() < 2 {
        return Vec::new();
    }
    let digits = |at: usize| {
        let piece = pieces.get(at)?;
        let all = bytes.get(piece.clone())?.iter().all(u8::is_ascii_digit);
        all.then_some(piece.len())
    };
    let mut found = Vec::new();
    // Where the last number ended, behind which another one may begin.
    let mut ended = 0;
    for at in 0..pieces.len() {
        let shaped = SHAPES.iter().filter(|shape| {
            let fits = (at..).zip(**shape).all(|(at, length)| digits(at) == Some(*length));
            let (before, last) = (at.checked_sub(1).and_then(digits), shape.last().copied());
            let begins = at == ended || before != shape.first().copied();
            fits && begins && (digits(at + shape.len()) != last || beside(digits, at, shape))
        });
        let mut widest = None;
        for shape in shaped {
            let end = at + shape.len() - 1;
            if let (Some(first), Some(last)) = (pieces.get(at), pieces.get(end)) {
                found.push(first.start..last.end);
                widest = widest.max(Some(end + 1));
            }
        }
        ended = widest.unwrap_or(ended);
        if let Some(piece) = pieces.get(at).filter(|piece| piece.len() >= super::LEAST_DIGITS) {
            found.push(piece.clone());
        }
    }
    found
}

/// Whether the pieces behind a shape are the same shape again, to the end of the row: numbers side by side.
fn beside(digits: impl Fn(usize) -> Option<usize>, at: usize, shape: &[usize]) -> bool {
    const MOST: usize = 4;
    let again = |times: usize| (at + times * shape.len()..).zip(shape).all(|(at, length)| digits(at) == Some(*length));
    let times = (1..MOST).take_while(|times| again(*times)).count();
    times > 0 && digits(at + (times + 1) * shape.len()) != shape.last().copied()
}

/// The pieces of a row between blanks.
fn pieces(bytes: &[u8], row: Range<usize>) -> Vec<Range<usize>> {
    let text = bytes.get(row.clone()).unwrap_or_default();
    let mut from = row.start;
    let ends = memchr::memchr_iter(b' ', text).map(|at| row.start + at).chain(std::iter::once(row.end));
    ends.map(|end| std::mem::replace(&mut from, end + 1)..end).collect()
}

impl DigitGroup {
    /// Reads a number that others stand beside.
    pub(super) fn beside(bytes: &[u8], number: Range<usize>) -> Self {
        Self::read(bytes.get(..number.end).unwrap_or(bytes), number.start, bytes.get(number.end).copied())
    }
}
