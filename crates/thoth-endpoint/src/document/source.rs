//! Lines, white space and comments around a place of the text.

use super::{Format, json};

/// A text and how its comments are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'d> {
    pub(super) text: &'d str,
    /// Where it begins, after a byte order mark.
    pub(super) start: usize,
    pub(super) format: Format,
}

/// The begin of a line with nothing but white space before a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineHead<'d> {
    /// Where the line break before the line begins; the start of the text for the first line.
    pub(super) break_start: usize,
    /// Where the line begins.
    pub(super) start: usize,
    /// The white space that it begins with.
    pub(super) indent: &'d str,
}

impl<'d> Source<'d> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The text of a span; nothing where it is no span of this text.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'d str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The first place from `at` on that is neither space nor tab.
    pub(super) fn after_blanks(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    }

    /// Where the spaces and tabs that end at `at` begin.
    pub(super) fn before_blanks(&self, mut at: usize) -> usize {
        while let Some(before) = at.checked_sub(1)
            && before >= self.start
            && matches!(self.byte(before), Some(b' ' | b'\t'))
        {
            at = before;
        }
        at
    }

    /// The line break at a place: `\r\n`, `\n`, `\r`, or nothing.
    pub(super) fn line_break(&self, at: usize) -> &'d str {
        let rest = self.text.get(at..).unwrap_or_default();
        let length = match rest.as_bytes() {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        rest.get(..length).unwrap_or_default()
    }

    /// Whether a line ends at a place, at the end of the text too.
    pub(super) fn ends_line(&self, at: usize) -> bool {
        at >= self.text.len() || !self.line_break(at).is_empty()
    }

    /// Where the line ends, if nothing but spaces and tabs stands between.
    pub(super) fn blank_to_line_end(&self, at: usize) -> Option<usize> {
        let end = self.after_blanks(at);
        self.ends_line(end).then_some(end)
    }

    /// Where the line ends, if nothing but white space and comments stands between.
    pub(super) fn line_end_after_comments(&self, mut at: usize) -> Option<usize> {
        loop {
            let from = self.after_blanks(at);
            if self.ends_line(from) {
                return Some(from);
            }
            at = self.comment_end(from)?;
            if self.slice(from, at).contains(['\n', '\r']) {
                return None;
            }
        }
    }

    /// The byte after a comment that begins at a place.
    pub(super) fn comment_end(&self, at: usize) -> Option<usize> {
        let starts = match self.format {
            Format::Json => return json::comment_end(self.text.as_bytes(), at),
            Format::Toml => self.byte(at) == Some(b'#'),
            Format::Yaml => {
                let before =
                    at.checked_sub(1).filter(|before| *before >= self.start).and_then(|before| self.byte(before));
                self.byte(at) == Some(b'#') && matches!(before, None | Some(b' ' | b'\t' | b'\n' | b'\r'))
            }
        };
        let rest = self.text.get(at..)?;
        starts.then(|| at + rest.find(['\n', '\r']).unwrap_or(rest.len()))
    }

    /// The first place from `at` on that is neither white space nor a line break nor in a comment.
    pub(super) fn after_trivia(&self, mut at: usize) -> usize {
        loop {
            at = self.after_blanks(at);
            let line_break = self.line_break(at).len();
            if line_break > 0 {
                at += line_break;
            } else if let Some(end) = self.comment_end(at) {
                at = end;
            } else {
                return at;
            }
        }
    }

    /// Whether a span holds nothing but spaces and tabs.
    pub(super) fn is_blank(&self, from: usize, to: usize) -> bool {
        self.slice(from, to).bytes().all(|byte| matches!(byte, b' ' | b'\t'))
    }

    /// The line of a place, if only white space stands before the place.
    pub(super) fn line_head(&self, at: usize) -> Option<LineHead<'d>> {
        let start = self.before_blanks(at);
        let indent = self.slice(start, at);
        if start == self.start {
            return Some(LineHead { break_start: start, start, indent });
        }
        let length = match self.text.as_bytes().get(..start)? {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            _ => return None,
        };
        Some(LineHead { break_start: start - length, start, indent })
    }

    /// The line break that the file uses, where none is near: that of its first line.
    pub(super) fn usual_break(&self) -> &'d str {
        let at = self.text.find(['\n', '\r']).unwrap_or(self.text.len());
        Some(self.line_break(at)).filter(|found| !found.is_empty()).unwrap_or("\n")
    }

    /// The line break at a line's end; where the file ends there, the usual one.
    pub(super) fn break_after(&self, line_end: usize) -> &'d str {
        Some(self.line_break(line_end)).filter(|found| !found.is_empty()).unwrap_or_else(|| self.usual_break())
    }
}
