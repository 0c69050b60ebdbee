//! What is wrong with a file, and where.

use std::fmt;

use super::Place;

/// A file that cannot be read as what it should be. Shown as `LINE:COLUMN: what is wrong`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    place: Option<Place>,
    message: String,
}

impl DocumentError {
    /// A fault of the file as a whole.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into() }
    }

    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), message: message.into() }
    }

    /// Where it is; `None` where the file as a whole is at fault.
    #[must_use]
    pub const fn place(&self) -> Option<Place> {
        self.place
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for DocumentError {}

/// A fault at a byte of the text, while it is read.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    message: String,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// The same fault in a text that begins that much later.
    pub(super) fn moved(self, by: usize) -> Self {
        Self { at: self.at + by, ..self }
    }

    pub(super) fn placed(self, place: impl FnOnce(usize) -> Place) -> DocumentError {
        DocumentError::at(place(self.at), self.message)
    }
}
