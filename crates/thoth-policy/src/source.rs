//! Where policy files come from: the caller does the I/O.

use std::collections::BTreeMap;

/// One policy file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// What identifies the file: two includes with the same identity are the same file. For files on disk the
    /// canonical path.
    pub identity: String,
    /// The name shown in messages and evidence.
    pub name: String,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("no such file `{0}`")]
    NotFound(String),
    /// The file is longer than a policy file may be.
    #[error("`{name}` is {bytes} bytes long; the most is {limit}")]
    TooLong {
        /// The file.
        name: String,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit: u64,
    },
    /// Anything else, in words.
    #[error("cannot read `{name}`: {why}")]
    Unreadable {
        /// The file.
        name: String,
        /// What went wrong.
        why: String,
    },
}

/// Resolves and reads policy files.
pub trait Source {
    /// Reads the file called `name`; for an include, `from` is the [`SourceText::identity`] of the including file,
    /// and `name` is relative to it.
    ///
    /// # Errors
    /// When the file cannot be found or read.
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError>;
}

/// Files held in memory, by name. Includes are looked up by their name as written.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<String, Vec<u8>>);

impl Sources {
    /// No files.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// One file.
    #[must_use]
    pub fn one(name: &str, text: impl Into<Vec<u8>>) -> Self {
        Self::new().with(name, text)
    }

    /// Adds a file.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl Into<Vec<u8>>) -> Self {
        self.0.insert(name.to_owned(), text.into());
        self
    }
}

impl Source for Sources {
    fn read(&self, name: &str, _from: Option<&str>) -> Result<SourceText, SourceError> {
        match self.0.get(name) {
            Some(bytes) => Ok(SourceText { identity: name.to_owned(), name: name.to_owned(), bytes: bytes.clone() }),
            None => Err(SourceError::NotFound(name.to_owned())),
        }
    }
}
