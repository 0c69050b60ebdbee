//! Lines out of a byte stream, in bounded memory.

use crate::refusal::{Refusal, RefusalCode};
use crate::rescue::Scan;

/// The room that a new buffer has, and the most that it reads beyond the frame limit.
const INITIAL: usize = 64 * 1024;
/// [`FrameBuffer::spare`] offers at least this much.
const MIN_SPARE: usize = 8 * 1024;
/// Room beyond this is given back once a giant frame is gone.
const KEEP: usize = 1024 * 1024;

/// A read buffer that finds lines.
///
/// The owner reads into [`spare`](Self::spare), says how much with [`advance`](Self::advance), handles all
/// [`frames`](Self::frames), and calls [`consume`](Self::consume) before it reads again. Every byte is searched for a
/// newline once.
///
/// A line longer than the limit is never held: its bytes are dropped as they come, up to its newline, and it shows as
/// one [`Framed::Refused`].
#[derive(Debug)]
pub struct FrameBuffer {
    max_frame: usize,
    bytes: Vec<u8>,
    /// How many of `bytes` were read.
    filled: usize,
    /// Where the first newline is.
    first_newline: Option<usize>,
    /// One past the last newline; 0 when there is none.
    complete: usize,
    /// The line at the front is longer than the limit, and its beginning is already dropped.
    oversize: Option<Box<Oversize>>,
}

/// What is still known about a line of which the beginning is dropped.
#[derive(Debug, Clone, Default)]
struct Oversize {
    scan: Scan,
    dropped: usize,
    /// The last dropped byte was a carriage return, which is no part of the body if the newline comes next.
    after_return: bool,
}

impl Oversize {
    fn feed(&mut self, bytes: &[u8]) {
        self.scan.feed(bytes);
        self.dropped += bytes.len();
        self.after_return = bytes.last().map_or(self.after_return, |last| *last == b'\r');
    }

    /// The refusal of the line, now that its newline was seen.
    fn refuse(&self, max_frame: usize) -> Refusal {
        self.scan.refuse(RefusalCode::FrameTooLong, max_frame, self.dropped - usize::from(self.after_return))
    }
}

/// One complete line.
#[derive(Debug)]
pub enum Framed<'b> {
    /// A line to decode.
    Line {
        /// All of it, as it would be forwarded.
        whole: &'b [u8],
        /// Without its line end: a newline, or one carriage return and a newline.
        body: &'b [u8],
    },
    /// A line that was dropped because of its length.
    Refused(Refusal),
}

impl FrameBuffer {
    /// A buffer for lines of at most `max_frame` bytes, line ends not counted.
    #[must_use]
    pub fn new(max_frame: usize) -> Self {
        Self { max_frame, bytes: vec![0; INITIAL], filled: 0, first_newline: None, complete: 0, oversize: None }
    }

    /// Where to read to; never empty.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.filled < MIN_SPARE {
            let limit = self.max_frame.saturating_add(INITIAL);
            let wanted = (self.bytes.len() * 2).min(limit).max(self.filled + MIN_SPARE);
            self.bytes.resize(wanted, 0);
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// Takes note of `n` bytes, read into [`spare`](Self::spare). More than were offered count as those offered.
    pub fn advance(&mut self, n: usize) {
        let old = self.filled;
        self.filled = old.saturating_add(n).min(self.bytes.len());
        let new = self.bytes.get(old..self.filled).unwrap_or_default();
        if let Some(last) = memchr::memrchr(b'\n', new) {
            self.complete = old + last + 1;
            if self.first_newline.is_none() {
                self.first_newline = memchr::memchr(b'\n', new).map(|at| old + at);
            }
        } else if self.complete == 0 {
            self.drop_oversize_tail();
        }
    }

    /// All complete lines that have been read since [`consume`](Self::consume), in order. Blank lines are left out:
    /// no peer gives them a meaning, and they are not forwarded.
    #[must_use]
    pub fn frames(&self) -> Frames<'_> {
        Frames {
            rest: self.bytes.get(..self.complete).unwrap_or_default(),
            first_newline: self.first_newline,
            max_frame: self.max_frame,
            oversize: self.oversize.as_deref(),
        }
    }

    /// Drops what [`frames`](Self::frames) showed and keeps the incomplete line after it.
    pub fn consume(&mut self) {
        if self.complete == 0 {
            return;
        }
        self.bytes.copy_within(self.complete..self.filled, 0);
        self.filled -= self.complete;
        self.complete = 0;
        self.first_newline = None;
        self.oversize = None;
        self.drop_oversize_tail();
        if self.bytes.len() > KEEP && self.filled <= INITIAL {
            self.bytes.truncate(INITIAL);
            self.bytes.shrink_to(INITIAL);
        }
    }

    /// At the end of the stream: the refusal of a line that was never ended, if there is one. It must not be
    /// forwarded, for some peers would execute it. Complete lines that were not looked at are dropped.
    pub fn finish(&mut self) -> Option<Refusal> {
        self.consume();
        let tail = self.bytes.get(..self.filled).unwrap_or_default();
        let refusal = match self.oversize.take() {
            Some(mut oversize) => {
                oversize.feed(tail);
                Some(oversize.scan.refuse(RefusalCode::FrameUnterminated, oversize.dropped, oversize.dropped))
            }
            None if is_blank(tail) => None,
            None => {
                let mut scan = Scan::default();
                scan.feed(tail);
                Some(scan.refuse(RefusalCode::FrameUnterminated, tail.len(), tail.len()))
            }
        };
        self.filled = 0;
        refusal
    }

    /// Called only while no complete line is in the buffer. One byte more than the limit may turn out to be the
    /// carriage return of the line end.
    fn drop_oversize_tail(&mut self) {
        if self.oversize.is_none() && self.filled <= self.max_frame.saturating_add(1) {
            return;
        }
        let tail = self.bytes.get(..self.filled).unwrap_or_default();
        self.oversize.get_or_insert_default().feed(tail);
        self.filled = 0;
    }
}

/// Iterator over the complete lines of a [`FrameBuffer`].
#[derive(Debug, Clone)]
pub struct Frames<'b> {
    rest: &'b [u8],
    first_newline: Option<usize>,
    max_frame: usize,
    oversize: Option<&'b Oversize>,
}

impl<'b> Iterator for Frames<'b> {
    type Item = Framed<'b>;

    fn next(&mut self) -> Option<Framed<'b>> {
        loop {
            let newline = self.first_newline.take().or_else(|| memchr::memchr(b'\n', self.rest))?;
            let (whole, rest) = self.rest.split_at_checked(newline + 1)?;
            self.rest = rest;
            let line = whole.strip_suffix(b"\n").unwrap_or(whole);
            let body = line.strip_suffix(b"\r").unwrap_or(line);
            let mut oversize = match self.oversize.take() {
                Some(beginning) => beginning.clone(),
                None if body.len() > self.max_frame => Oversize::default(),
                None if is_blank(body) => continue,
                None => return Some(Framed::Line { whole, body }),
            };
            oversize.feed(line);
            return Some(Framed::Refused(oversize.refuse(self.max_frame)));
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a frame looks like to a test.
    type Seen = Result<Vec<u8>, (usize, RefusalCode, Option<Box<[u8]>>)>;

    fn run(input: &[u8], max_frame: usize, mut next_chunk: impl FnMut() -> usize) -> (Vec<Seen>, Option<RefusalCode>) {
        let mut buffer = FrameBuffer::new(max_frame);
        let (mut seen, mut rest) = (Vec::new(), input);
        while !rest.is_empty() {
            let spare = buffer.spare();
            assert!(!spare.is_empty());
            let n = next_chunk().clamp(1, spare.len()).min(rest.len());
            spare[..n].copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            buffer.advance(n);
            seen.extend(buffer.frames().map(|frame| match frame {
                Framed::Line { body, whole } => {
                    assert!(whole == [body, b"\n"].concat() || whole == [body, b"\r\n"].concat());
                    Ok(body.to_vec())
                }
                Framed::Refused(refusal) => Err((refusal.length, refusal.code, refusal.id)),
            }));
            buffer.consume();
            assert!(buffer.bytes.len() <= (max_frame + INITIAL + MIN_SPARE).max(INITIAL), "memory is bounded");
        }
        (seen, buffer.finish().map(|refusal| refusal.code))
    }

    /// Defends bounded memory, the error reply to the sender of a giant message, and that the line after it is seen.
    #[test]
    fn a_giant_line_is_skipped_and_answered_and_its_room_given_back() {
        let giant = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{{\"x\":\"{}\"}},\"id\":41}}",
            "y".repeat(5_000_000)
        );
        let input = format!("{{}}\n{giant}\r\n[1]\n{{\"a\"");
        for chunk in [1, 7, 4096, 60_000, 10_000_000] {
            let (seen, tail) = run(input.as_bytes(), 2_000_000, || chunk);
            assert_eq!(
                seen,
                [
                    Ok(b"{}".to_vec()),
                    Err((giant.len(), RefusalCode::FrameTooLong, Some(b"41".as_slice().into()))),
                    Ok(b"[1]".to_vec())
                ]
            );
            assert_eq!(tail, Some(RefusalCode::FrameUnterminated));
        }
        let mut buffer = FrameBuffer::new(8_000_000);
        for piece in [giant.as_bytes(), b"\n"] {
            let mut rest = piece;
            while !rest.is_empty() {
                let spare = buffer.spare();
                let n = spare.len().min(rest.len());
                spare[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                buffer.advance(n);
            }
        }
        assert_eq!(buffer.frames().count(), 1);
        buffer.consume();
        assert_eq!(buffer.bytes.capacity(), INITIAL);
    }

    /// Defends the limit's exact edge: the line end does not count.
    #[test]
    fn the_limit_counts_the_body_alone() {
        for (input, fits) in [("12345\n", true), ("12345\r\n", true), ("123456\n", false), ("123456\r\n", false)] {
            for chunk in 1..9 {
                let (seen, tail) = run(input.as_bytes(), 5, || chunk);
                assert_eq!(seen.len(), 1, "{input:?} by {chunk}");
                assert_eq!(seen[0].is_ok(), fits, "{input:?} by {chunk}");
                assert_eq!(tail, None);
            }
        }
    }
}
