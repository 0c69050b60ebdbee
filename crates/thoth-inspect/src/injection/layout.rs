//! How a text is laid out: a table, a listing, an error; and what does not belong there.

use std::cell::OnceCell;

use super::lexicon::{ACT, LEAK, Meaning, OVERRIDE, QUESTION, SAY, SHAPE, SOFTENER, VERB};
use super::token::Clause;

/// What opens a request.
const REQUESTS: Meaning = ACT | SHAPE | LEAK | OVERRIDE | SAY | VERB;

/// How many lines tell the layout.
const SAMPLE: usize = 200;

/// The layout of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Layout {
    /// Most lines are rows of a table.
    pub(super) tabular: bool,
    /// Most lines are fields or items.
    pub(super) structured: bool,
    /// It opens like a report of an error.
    pub(super) error: bool,
}

/// The layout of a text, looked at once somebody asks: most texts say nothing that it would matter for.
#[derive(Debug)]
pub(super) struct LazyLayout<'v> {
    view: &'v str,
    known: OnceCell<Layout>,
}

impl<'v> LazyLayout<'v> {
    pub(super) const fn of(view: &'v str) -> Self {
        Self { view, known: OnceCell::new() }
    }

    pub(super) fn get(&self) -> Layout {
        *self.known.get_or_init(|| Layout::of(self.view))
    }
}

impl Layout {
    fn of(text: &str) -> Self {
        let (mut lines, mut rows, mut fields) = (0_usize, 0_usize, 0_usize);
        for line in text.lines().take(SAMPLE) {
            let line = line.get(..line.floor_char_boundary(400)).unwrap_or(line).trim();
            if line.is_empty() {
                continue;
            }
            lines += 1;
            if is_row(line) {
                rows += 1;
            } else if is_field(line) {
                fields += 1;
            }
        }
        let head = text.as_bytes().get(..24).unwrap_or(text.as_bytes()).to_ascii_lowercase();
        Self {
            tabular: rows >= 3 && rows * 5 >= lines * 3,
            structured: lines >= 4 && (fields + rows) * 2 >= lines,
            error: memchr::memmem::find(&head, b"error").is_some() || memchr::memmem::find(&head, b"failed").is_some(),
        }
    }
}

/// Whether the words of a clause could be a request or a question that opens a line. The rest of the answer costs more.
fn may_be_foreign(clause: &Clause) -> bool {
    clause.opens_line
        && !clause.led
        && clause.tokens.len() >= 3
        && clause.tokens.first().is_some_and(|first| first.meaning & (QUESTION | REQUESTS | SOFTENER) != 0)
}

/// Whether a clause is a request or question on a line of its own. Amid the rows of a table it does not belong there.
pub(super) fn is_foreign(text: &str, clause: &Clause) -> bool {
    if !may_be_foreign(clause) {
        return false;
    }
    let bytes = text.as_bytes();
    let head = bytes.get(clause.start.saturating_sub(256)..clause.start).unwrap_or_default();
    let before = memchr::memrchr(b'\n', head).and_then(|at| head.get(at + 1..)).unwrap_or(head);
    let tail = bytes.get(clause.end..).unwrap_or_default();
    let after = tail
        .get(..memchr::memchr(b'\n', tail.get(..512).unwrap_or(tail)).unwrap_or(tail.len().min(512)))
        .unwrap_or_default();
    if before.contains(&b'|') || after.contains(&b'|') {
        return false;
    }
    // A heading, a compound such as `run-time`, or a caption without an end is no request.
    let compound = clause.tokens.first().is_some_and(|token| bytes.get(token.end) == Some(&b'-'));
    let ends = after
        .trim_ascii()
        .first()
        .is_some_and(|byte| matches!(byte, b'.' | b'?' | b'!' | b'"' | b'\'' | b':' | b')' | b','));
    if before.contains(&b'#') || compound || !ends {
        return false;
    }
    let first = clause.tokens.first().map_or(0, |token| token.meaning);
    let second = clause.tokens.get(1).map_or(0, |token| token.meaning);
    let asks = first & QUESTION != 0
        && (clause.asks
            || text.get(clause.end..).is_some_and(|rest| rest.trim_start_matches(['\'', '"', ')']).starts_with('?')));
    asks || first & REQUESTS != 0 || (first & SOFTENER != 0 && second & REQUESTS != 0)
}

/// A row of a table: it opens with a bar, or has several.
fn is_row(line: &str) -> bool {
    line.starts_with('|') || memchr::memchr_iter(b'|', line.as_bytes()).take(2).count() == 2
}

/// `key: value`, `- item`, `"key": …`
fn is_field(line: &str) -> bool {
    if line.starts_with("- ") || line.starts_with("* ") {
        return true;
    }
    let name = line.split_once(':').map(|(name, _)| name.trim_matches(['"', '\'', '-', ' ']));
    name.is_some_and(|name| {
        !name.is_empty() && name.len() <= 40 && name.bytes().filter(|byte| *byte == b' ').count() <= 2
    })
}
