//! What was spent on a document, in bytes read: nearly all documents are read once or twice. A document in which every byte
//! is of interest to all detectors at once is none that people or programs write, and is not read to its end.

/// What a value costs however short it is, and what a string costs that is JSON.
pub(super) const VALUE: usize = 8;
pub(super) const JSON: usize = 64;
/// What a piece of the view of a text costs.
pub(super) const PIECE: usize = 2;
/// What looking at a segment costs however short it is.
pub(super) const SEGMENT: usize = 14;
/// What letters that are spaced out cost besides: nobody writes many.
pub(super) const SPACED: usize = 120;
/// What looking at an opening of a secret costs.
pub(super) const OPENING: usize = 11;

/// What looking behind a mark costs that may part commands.
pub(super) const MARK: usize = 12;
/// What a part of a path costs besides, where it has more of them than any path.
pub(super) const PART: usize = 4;
/// What judging one word of a text costs by where it leads.
pub(super) const TOKEN: usize = 64;

/// What a long number costs.
pub(super) const NUMBER: usize = 8;
/// What asking about a number costs that may be a payment card.
pub(super) const CARD: usize = 64;

/// How much of the hidden comments of a document is read a second time, as hidden: all are read as part of their texts.
const MAX_COMMENTS: usize = 64 * 1024;

/// How often each byte of a document may be read on average.
const TIMES: usize = 2;
/// How much may be read beyond that: enough for whatever stands in a short document.
const BEYOND: usize = 400 * 1024;

/// What is left to spend.
#[derive(Debug)]
pub(super) struct Effort {
    left: usize,
    /// Of hidden comments.
    pub(super) comments: usize,
}

impl Effort {
    /// For a document of so many bytes.
    pub(super) const fn of(length: usize) -> Self {
        Self { left: length.saturating_mul(TIMES).saturating_add(BEYOND), comments: MAX_COMMENTS }
    }

    /// So many bytes are read.
    pub(super) const fn reads(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Whether so many bytes may still be read. What cannot be read to its end is not begun, and leaves nothing.
    pub(super) const fn affords(&mut self, bytes: usize) -> bool {
        let affords = self.left > bytes;
        if !affords {
            self.exhaust();
        }
        affords
    }

    /// Reads so many bytes if there is room for them; whether there was.
    pub(super) const fn pays(&mut self, bytes: usize) -> bool {
        let affords = self.affords(bytes);
        self.reads(bytes);
        affords
    }

    /// Leaves nothing: there is more than is read of any document.
    pub(super) const fn exhaust(&mut self) {
        self.left = 0;
    }

    /// Whether nothing is left.
    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }
}
