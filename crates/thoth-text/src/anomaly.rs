//! What is strange about a text, whatever it says.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::survey::Survey;

/// Kinds of strangeness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// Tag characters (U+E0000 to U+E007F) that are not part of a flag.
    TagCharacters,
    /// Characters that change the direction of text around them, where nothing is written from right to left.
    BidiControls,
    /// Characters without width where no script or emoji needs them.
    ZeroWidth,
    /// Variation selectors in a row.
    VariationSelectors,
    /// Escape sequences for terminals.
    TerminalEscapes,
    /// Other control characters.
    ControlCharacters,
    /// Letters of another script that look like Latin ones, inside a Latin word.
    LookAlikes,
    /// A comment that a rendered page does not show.
    HiddenComment,
    /// White space that pushes what follows out of sight.
    Padding,
    /// More was encoded than the caps let be decoded.
    Truncated,
}

impl AnomalyKind {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TagCharacters => "tag characters",
            Self::BidiControls => "text direction controls",
            Self::ZeroWidth => "zero-width characters",
            Self::VariationSelectors => "variation selectors in a row",
            Self::TerminalEscapes => "terminal escape sequences",
            Self::ControlCharacters => "control characters",
            Self::LookAlikes => "look-alike letters of another script",
            Self::HiddenComment => "a hidden comment",
            Self::Padding => "padding that pushes text out of sight",
            Self::Truncated => "more encoded text than is decoded",
        }
    }
}

/// One kind of strangeness and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// The first place, in raw bytes.
    pub raw: Range<usize>,
    /// How often it occurs in the text, this place included.
    pub count: usize,
}

/// One entry per kind: a flood of one kind costs no memory.
#[derive(Debug, Default)]
pub(super) struct Anomalies {
    found: Vec<Anomaly>,
}

impl Anomalies {
    pub(super) fn note(&mut self, kind: AnomalyKind, raw: Range<usize>) {
        self.add(kind, raw, 1);
    }

    fn add(&mut self, kind: AnomalyKind, raw: Range<usize>, count: usize) {
        match self.found.iter_mut().find(|anomaly| anomaly.kind == kind) {
            Some(anomaly) => {
                if anomaly.raw.end == raw.start {
                    anomaly.raw.end = raw.end;
                }
                anomaly.count += count;
            }
            None => self.found.push(Anomaly { kind, raw, count }),
        }
    }

    /// What was strange inside a segment is strange at the segment's place.
    pub(super) fn absorb(&mut self, inner: Self, raw: &Range<usize>) {
        for anomaly in inner.found {
            self.add(anomaly.kind, raw.clone(), anomaly.count);
        }
    }

    pub(super) fn into_sorted(mut self) -> Vec<Anomaly> {
        self.found.sort_by_key(|anomaly| (anomaly.raw.start, anomaly.kind));
        self.found
    }
}

/// This many white-space bytes in a row, of which this many line ends or all blanks, hide what follows them.
const PADDING_LINES: usize = 12;
const PADDING_BLANKS: usize = 120;

/// What opens a comment of Markdown, which its line closes.
const LINE_COMMENTS: &[&str] = &["[//]: #", "[//]:#", "[comment]: #", "[comment]: <>"];

/// Short texts come in tens of thousands: to make a finder takes as long as to find in them.
static PAGE_OPENS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("<!--"));
static PAGE_CLOSES: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("-->"));
static LINE_ENDS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\n"));

/// The next comment from `from` on: where it opens, and how long what opens it is.
fn next_line_comment(view: &str, mut from: usize) -> Option<(usize, usize)> {
    loop {
        let rest = view.get(from..)?;
        let at = memchr::memchr(b'[', rest.as_bytes())?;
        let opener = LINE_COMMENTS.iter().find(|opener| rest.get(at..).is_some_and(|rest| rest.starts_with(**opener)));
        if let Some(opener) = opener {
            return Some((from + at, opener.len()));
        }
        from += at + 1;
    }
}

/// Notes hidden comments and padding, whose text stays in the view.
pub(super) fn comments_and_padding(
    view: &str,
    survey: Survey,
    raw: impl Fn(Range<usize>) -> Range<usize>,
    anomalies: &mut Anomalies,
) {
    if survey.may_have_comment() {
        let page = |from: usize| {
            let at = PAGE_OPENS.find(view.get(from..)?.as_bytes())?;
            Some((from + at, PAGE_OPENS.needle().len()))
        };
        let mut note_all = |next: &dyn Fn(usize) -> Option<(usize, usize)>, closer: &Finder<'_>| {
            let mut from = 0;
            // Each turn continues behind what it found, so the text is walked once per kind of comment.
            while let Some((start, opener)) = next(from) {
                let body = start + opener;
                let rest = view.get(body..).unwrap_or_default();
                from = closer.find(rest.as_bytes()).map_or(view.len(), |n| body + n + closer.needle().len());
                anomalies.note(AnomalyKind::HiddenComment, raw(start..from));
            }
        };
        note_all(&page, &PAGE_CLOSES);
        note_all(&|from| next_line_comment(view, from), &LINE_ENDS);
    }
    if survey.may_have_padding() {
        padding(view, raw, anomalies);
    }
}

fn padding(view: &str, raw: impl Fn(Range<usize>) -> Range<usize>, anomalies: &mut Anomalies) {
    let (mut start, mut lines, mut blanks) = (0, 0, 0);
    for (at, byte) in view.bytes().enumerate() {
        match byte {
            b'\n' => lines += 1,
            b' ' | b'\t' | b'\r' => blanks += 1,
            _ => {
                // At the very start it hides nothing from anybody who looks.
                if start > 0 && (lines >= PADDING_LINES || (lines == 0 && blanks >= PADDING_BLANKS)) {
                    anomalies.note(AnomalyKind::Padding, raw(start..at));
                }
                (start, lines, blanks) = (at + 1, 0, 0);
            }
        }
    }
}
