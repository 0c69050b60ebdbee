//! Numbers that stand beside others with nothing but a blank between: `4111 1111 1111 1111 12/27`.

use std::ops::Range;

use super::DigitGroup;

/// How people part the digits of the numbers that are looked for, with blanks.
const SHAPES: &[&[usize]] =
    &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 5], &[4, 4, 4], &[3, 2, 4], &[3, 3, 3]];

/// A piece of a row, and how many digits it is, if it is nothing else.
struct Piece {
    range: Range<usize>,
    digits: Option<usize>,
}

/// Whether a row has a long piece, or two pieces side by side with which a shape opens. Most rows of numbers have neither.
fn may_have_number(row: &[u8]) -> bool {
    let (mut before, mut length) = (0, 0);
    row.iter().chain(b" ").any(|byte| {
        if *byte != b' ' {
            length += 1;
            return length >= super::LEAST_DIGITS;
        }
        let opens = matches!((before, length), (4, 4 | 6) | (3, 2 | 3));
        before = std::mem::take(&mut length);
        opens
    })
}

/// What of a row of digits and single separators may be a number of its own.
///
/// Each piece between blanks may; and pieces that are parted as people part a number, where others stand beside them, or
/// another such number. In the middle of a row of equal pieces none is: that is a table.
pub(super) fn numbers(bytes: &[u8], row: Range<usize>) -> Vec<Range<usize>> {
    if !may_have_number(bytes.get(row.clone()).unwrap_or_default()) {
        return Vec::new();
    }
    let all_digits =
        |range: &Range<usize>| bytes.get(range.clone()).is_some_and(|piece| piece.iter().all(u8::is_ascii_digit));
    let piece = |range: Range<usize>| Piece { digits: all_digits(&range).then_some(range.len()), range };
    let pieces: Vec<Piece> = pieces(bytes, row).map(piece).collect();
    if pieces.len() < 2 {
        return Vec::new();
    }
    let digits = |at: usize| pieces.get(at)?.digits;
    let mut found = Vec::new();
    // Where the last number ended, behind which another one may begin.
    let mut ended = 0;
    for (at, piece) in pieces.iter().enumerate() {
        if piece.range.len() >= super::LEAST_DIGITS {
            found.push(piece.range.clone());
        }
        // Every shape opens with as many.
        let before = at.checked_sub(1).and_then(digits);
        if !matches!(piece.digits, Some(3 | 4)) || (before == piece.digits && at != ended) {
            continue;
        }
        let shaped = SHAPES.iter().filter(|shape| {
            let fits = (at..).zip(**shape).all(|(at, length)| digits(at) == Some(*length));
            fits && (digits(at + shape.len()) != shape.last().copied() || beside(digits, at, shape))
        });
        for shape in shaped {
            if let Some(last) = pieces.get(at + shape.len() - 1) {
                found.push(piece.range.start..last.range.end);
                ended = ended.max(at + shape.len());
            }
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
fn pieces(bytes: &[u8], row: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let text = bytes.get(row.clone()).unwrap_or_default();
    let mut from = row.start;
    let ends = memchr::memchr_iter(b' ', text).map(move |at| row.start + at).chain(std::iter::once(row.end));
    ends.map(move |end| std::mem::replace(&mut from, end + 1)..end).filter(|piece| !piece.is_empty())
}

impl DigitGroup {
    /// Reads a number that others stand beside.
    pub(super) fn beside(bytes: &[u8], number: Range<usize>) -> Self {
        Self::read(bytes.get(..number.end).unwrap_or(bytes), number.start, bytes.get(number.end).copied())
    }
}
